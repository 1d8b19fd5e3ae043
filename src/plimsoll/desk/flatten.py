"""Flatten: stop opening, take back what waits, close everything, and say what is really flat.

What if one position cannot be closed? The others are closed all the same, and the answer names each.
"""

from dataclasses import dataclass

from plimsoll.desk.cancel_order import cancel_all, cancel_protection
from plimsoll.desk.close_position import CloseOutcome, CloseResult, close_position
from plimsoll.desk.halt import MANUAL, tighten
from plimsoll.desk.ports import Ports
from plimsoll.ledger import keys
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.order import Order
from plimsoll.model.position import Position


@dataclass(frozen=True, slots=True)
class FlattenReport:
    """What was flat, sent, waiting or refused, position by position."""

    results: tuple[CloseResult, ...]
    #: What could not even be tried, in words.
    failures: tuple[str, ...]

    @property
    def is_flat(self) -> bool:
        return not self.failures and all(result.is_done for result in self.results)


def open_positions(ports: Ports) -> list[Position]:
    """List the account's open positions."""
    positions: list[Position] = ports.books.hot.shelf(keys.POSITION, ports.account_id)
    return [position for position in positions if not position.is_flat]


async def close_all(ports: Ports, *, episode: str, triggered_by: str) -> FlattenReport:
    """Close every open position of the account; one failure does not stop the others."""
    results: list[CloseResult] = []
    failures: list[str] = []
    for position in open_positions(ports):
        try:
            results.append(await close_position(ports, position, episode=episode, triggered_by=triggered_by))
        except Exception as failure:  # noqa: BLE001  named in the report: the other positions must still be closed
            failures.append(f"instrument {position.instrument_id}: {failure}")
    return FlattenReport(tuple(results), tuple(failures))


async def flatten(ports: Ports, *, actor: str, reason: str) -> FlattenReport:
    """Stop opening, cancel, close all; then look again at what is left.

    Safe to repeat: each call closes what is still open and not on its way.
    """
    halt = Halt(Scope.ACCOUNT, ports.account_id, MANUAL, TradingState.REDUCE_ONLY, reason, latched=True)
    before: Halt | None = ports.books.hot.get(keys.halt(Scope.ACCOUNT, ports.account_id, MANUAL))
    if before is None or before.state.strictness < halt.state.strictness:
        # A HALTED that is in force stays: closing passes in every state, and nobody asked to loosen it.
        await tighten(ports, halt, actor)
    at = ports.clock.now().isoformat()
    sent = await cancel_and_close(ports, episode=f"flatten:{at}", triggered_by=actor)
    failures = list(sent.failures)
    try:
        await ports.settled()
    except Exception as failure:  # noqa: BLE001  named in the report: what was closed must be told all the same
        failures.append(str(failure))
    results = tuple(_look_again(ports, result) for result in sent.results)
    for result in results:
        if result.outcome is CloseOutcome.FLAT:
            failures += await drop_protection(ports, result.position)
    return FlattenReport(results, (*failures, *_could_still_open(ports)))


def _could_still_open(ports: Ports) -> list[str]:
    """Name what waits or is of unknown fate and would open again: with one of them nothing is flat for certain."""
    live: list[Order] = ports.books.hot.shelf(keys.ORDER, ports.account_id)
    return [
        f"order {order.client_order_id} is {order.state} and could still open" for order in live if not order.closes
    ]


async def cancel_and_close(ports: Ports, *, episode: str, triggered_by: str) -> FlattenReport:
    """Take back every order that could open again, then close every open position."""
    failures: tuple[str, ...] = ()
    try:
        await cancel_all(ports, keep_protection=True)
    except ExceptionGroup as group:
        failures = tuple(str(failure) for failure in group.exceptions)
    closed = await close_all(ports, episode=episode, triggered_by=triggered_by)
    return FlattenReport(closed.results, failures + closed.failures)


async def drop_protection(ports: Ports, position: Position) -> list[str]:
    """Take back what still rests to close a position that is flat; give what could not be, in words."""
    try:
        await cancel_protection(ports, position.key)
    except ExceptionGroup as group:
        return [str(failure) for failure in group.exceptions]
    return []


def _look_again(ports: Ports, result: CloseResult) -> CloseResult:
    current: Position | None = ports.books.hot.get(keys.position(ports.account_id, result.position.key))
    if current is not None and current.is_flat:
        return CloseResult(current, CloseOutcome.FLAT, result.answer)
    return result
