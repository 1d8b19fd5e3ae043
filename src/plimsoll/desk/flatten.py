"""Flatten: stop opening, take back what waits, close everything, and say what is really flat.

What if one position cannot be closed? The others are closed all the same, and the answer names each. What if nothing
can be written? What waits is taken back all the same, for that needs only the venue.
"""

import asyncio
from dataclasses import dataclass

from plimsoll.desk.cancel_order import cancel_all, cancel_protection
from plimsoll.desk.close_position import CloseOutcome, CloseResult, close_position, left_to_close, price_to_close
from plimsoll.desk.halt import MANUAL, shut
from plimsoll.desk.ports import Ports
from plimsoll.ledger import keys
from plimsoll.model import money
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Order
from plimsoll.model.position import Position

#: How a close says that a person wanted it; who, is in the log.
PERSON = "manual"
#: How long a close waits for news that is being taken in.
NEWS_SECONDS = 1.0


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


async def close_all(ports: Ports, *, episode: str, triggered_by: str, actor: str | None = None) -> FlattenReport:
    """Close every open position of the account; one failure does not stop the others."""
    results: list[CloseResult] = []
    failures: list[str] = []
    for position in open_positions(ports):
        try:
            closed = await close_position(ports, position, episode=episode, triggered_by=triggered_by, actor=actor)
            results.append(closed)
        except Exception as failure:  # noqa: BLE001  named in the report: the other positions must still be closed
            failures.append(f"instrument {position.instrument_id}: {failure}")
    return FlattenReport(tuple(results), tuple(failures))


async def flatten(ports: Ports, *, actor: str, reason: str) -> FlattenReport:
    """Stop opening, cancel, close all; then look again at what is left.

    Safe to repeat: each call closes what is still open and not on its way.
    """
    halt = Halt(Scope.ACCOUNT, ports.account_id, MANUAL, TradingState.REDUCE_ONLY, reason, latched=True)
    before: Halt | None = ports.books.hot.get(keys.halt(Scope.ACCOUNT, ports.account_id, MANUAL))
    failures: list[str] = []
    if before is None or before.state.strictness < halt.state.strictness:
        # A HALTED that is in force stays: closing passes in every state, and nobody asked to loosen it.
        failures += await shut(ports, halt, actor)
    at = ports.clock.now().isoformat()
    by = PERSON if actor.startswith("user:") else actor
    sent = await cancel_and_close(ports, episode=f"flatten:{at}", triggered_by=by, actor=actor)
    failures += sent.failures
    try:
        await ports.settled()
    except Exception as failure:  # noqa: BLE001  named in the report: what was closed must be told all the same
        failures.append(str(failure))
    results = tuple(_look_again(ports, result) for result in sent.results)
    for result in results:
        if result.outcome is CloseOutcome.FLAT:
            failures += await drop_protection(ports, result.position, actor=actor)
    if not (failures or ports.reconciled):
        # What filled before it was taken back may not be booked yet: an empty book proves nothing then.
        failures.append("the book is in doubt and may lack a fill; compare it with the venue")
    report = FlattenReport(results, (*failures, *_could_still_open(ports)))
    return FlattenReport(results, _opened_meanwhile(ports)) if report.is_flat else report


def _could_still_open(ports: Ports) -> list[str]:
    """Name what waits or is of unknown fate and would open again: with one of them nothing is flat for certain."""
    live: list[Order] = ports.books.hot.shelf(keys.ORDER, ports.account_id)
    return [
        f"order {order.client_order_id} is {order.state} and could still open" for order in live if not order.closes
    ]


def _opened_meanwhile(ports: Ports) -> tuple[str, ...]:
    """Name what is open although every close was done: a fill that was told late."""
    return tuple(
        f"instrument {position.instrument_id}: {money.decimal_text(position.quantity)} opened while the rest was closed"
        for position in open_positions(ports)
        if not is_dust(ports, position)
    )


def is_dust(ports: Ports, position: Position) -> bool:
    """Say whether what is open is too little to be closed."""
    instrument: Instrument = ports.books.hot.get(keys.instrument(position.instrument_id))
    price = price_to_close(ports, position)
    return left_to_close(position, instrument, money.ZERO, price)[0] is CloseOutcome.DUST


async def cancel_and_close(ports: Ports, *, episode: str, triggered_by: str, actor: str | None = None) -> FlattenReport:
    """Take back every order that could open again, then close every open position.

    Shapes: `actor` is named for what is cancelled; without one it is what triggered the close
    """
    failures: list[str] = []
    try:
        await cancel_all(ports, keep_protection=True, actor=actor or triggered_by)
    except ExceptionGroup as group:
        failures += [str(failure) for failure in group.exceptions]
    # What a cancelled order had filled must be in the positions that are closed now.
    failures += await _take_in_news(ports)
    closed = await close_all(ports, episode=episode, triggered_by=triggered_by, actor=actor)
    return FlattenReport(closed.results, (*failures, *closed.failures))


async def _take_in_news(ports: Ports) -> list[str]:
    try:
        async with asyncio.timeout(NEWS_SECONDS):
            await ports.settled()
    except TimeoutError:
        # A venue that does not answer must not hold the close up; what it still tells is looked at again after.
        return ["news of the venue is still being taken in"]
    except Exception as failure:  # noqa: BLE001  named in the report: what is open must be closed all the same
        return [str(failure)]
    return []


async def drop_protection(ports: Ports, position: Position, *, actor: str) -> list[str]:
    """Take back what still rests to close a position that is flat; give what could not be, in words."""
    try:
        await cancel_protection(ports, position.key, actor=actor)
    except ExceptionGroup as group:
        return [str(failure) for failure in group.exceptions]
    return []


def _look_again(ports: Ports, result: CloseResult) -> CloseResult:
    current: Position | None = ports.books.hot.get(keys.position(ports.account_id, result.position.key))
    if current is not None and current.is_flat:
        return CloseResult(current, CloseOutcome.FLAT, result.answer)
    return result
