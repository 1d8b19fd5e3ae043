"""What `halt` and `flatten` do to a desk, and how they tell it; the same whether the desk runs or was opened for them.

What must not enter: how a command came in, and how its answer is shown.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from plimsoll.cli.door import Message
from plimsoll.cli.words import DONE, NOT_DONE, plain
from plimsoll.desk.close_position import CloseOutcome
from plimsoll.desk.flatten import FlattenReport, flatten, is_dust, open_positions
from plimsoll.desk.halt import MANUAL, PARITY, lift
from plimsoll.desk.ports import Ports
from plimsoll.desk.protect import SOURCE as DRAWDOWN_GUARD
from plimsoll.desk.protect import Protector
from plimsoll.desk.stop_trading import stop_trading
from plimsoll.ledger import accounts, keys
from plimsoll.model.account import TradingState
from plimsoll.model.errors import Illegal, PlimsollError
from plimsoll.model.position import Position

#: Everything that comes through the shell is the owner's word.
ACTOR = "user:1"

LIFTABLE = (MANUAL, DRAWDOWN_GUARD, PARITY)
STOPPING = tuple(state for state in TradingState if state is not TradingState.ACTIVE)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command."""

    exit_code: int
    answer: Message
    #: A flatten that sent what it could and is not flat yet: the next price may make it so.
    waiting: FlattenReport | None = None

    def message(self) -> Message:
        """Give it as it goes through the door."""
        return {"exit_code": self.exit_code, "answer": self.answer}


async def obey(ports: Ports, protector: Protector, name: str, words: Message) -> Done:
    """Do what a command says; a refusal is an answer."""
    handler = _HANDLERS.get(name)
    try:
        if handler is None:
            raise Illegal("command", name, f"there are {', '.join(_HANDLERS)}")
        return await handler(ports, protector, words)
    except PlimsollError as refused:
        return Done(NOT_DONE, {"error": str(refused)})


def not_flat(ports: Ports) -> list[Position]:
    """List the positions that are open and not dust."""
    return [position for position in open_positions(ports) if not is_dust(ports, position)]


async def _halt(ports: Ports, protector: Protector, words: Message) -> Done:
    if words.get("lift"):
        return await _lift(ports, protector, str(words.get("source", MANUAL)))
    try:
        state = TradingState(str(words.get("state", TradingState.REDUCE_ONLY)).upper())
    except ValueError as unknown:
        raise Illegal("state", words.get("state"), f"choose one of {', '.join(STOPPING)}") from unknown
    report = await stop_trading(ports, state, actor=ACTOR, reason=str(words.get("reason", "")))
    answer = {
        "state": report.halt.state,
        "reason": report.halt.reason,
        "cancelled": list(report.cancelled),
        "failures": list(report.failures),
        "halts": _halts(ports),
    }
    return Done(NOT_DONE if report.failures else DONE, answer)


async def _lift(ports: Ports, protector: Protector, source: str) -> Done:
    if source == DRAWDOWN_GUARD:
        await protector.lift(ACTOR)
    elif source in LIFTABLE:
        await lift(ports, source, ACTOR)
    else:
        raise Illegal("source", source, f"a person may lift {' or '.join(LIFTABLE)}")
    return Done(DONE, {"lifted": source, "halts": _halts(ports)})


async def _flatten(ports: Ports, _protector: Protector, words: Message) -> Done:
    report = await flatten(ports, actor=ACTOR, reason=str(words.get("reason", "")))
    return flattened(ports, report)


def flattened(ports: Ports, report: FlattenReport) -> Done:
    """Tell how a flatten stands now; what was waiting may have been filled since."""
    hot = ports.books.hot
    left = {position.key for position in not_flat(ports)}
    told = []
    for result in report.results:
        position: Position = hot.get(keys.position(ports.account_id, result.position.key)) or result.position
        instrument = hot.get(keys.instrument(position.instrument_id))
        outcome = result.outcome
        if outcome not in (CloseOutcome.FLAT, CloseOutcome.DUST) and position.key not in left:
            outcome = CloseOutcome.FLAT if position.is_flat else CloseOutcome.DUST
        order = None if result.answer is None else result.answer.client_order_id
        entry: dict[str, object] = {
            "symbol": instrument.symbol,
            "portfolio": hot.get(keys.portfolio(position.portfolio_id)).name,
            "quantity": plain(position.quantity),
            "outcome": str(outcome),
            "order": order,
        }
        if outcome is CloseOutcome.DUST:
            entry["dust_value"] = plain(_value(ports, position))
        told.append(entry)
    flat = not left and not report.failures
    answer = {"flat": flat, "positions": told, "failures": list(report.failures), "halts": _halts(ports)}
    on_its_way = any(entry["outcome"] in (CloseOutcome.SENT, CloseOutcome.UNDER_WAY) for entry in told)
    return Done(DONE if flat else NOT_DONE, answer, report if on_its_way else None)


def _value(ports: Ports, position: Position) -> Decimal | None:
    quote = ports.board.quote(position.instrument_id)
    instrument = ports.books.hot.get(keys.instrument(position.instrument_id))
    return None if quote is None else instrument.notional(abs(position.quantity), quote.valuation)


def _halts(ports: Ports) -> list[dict[str, object]]:
    account = ports.books.hot.get(keys.account(ports.account_id))
    with ports.books.hot.lock:
        halts = accounts.halts_over(ports.books.hot, account)
    return [{"source": halt.source, "state": str(halt.state), "reason": halt.reason} for halt in halts]


_Handler = Callable[[Ports, Protector, Message], Awaitable[Done]]
_HANDLERS: dict[str, _Handler] = {"halt": _halt, "flatten": _flatten}
