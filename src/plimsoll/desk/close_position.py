"""Close a position: a reduce-only intent through the same gate, sized by what is left to close.

The wish is a *target*, flat, not a quantity: whoever asks again, after a crash or beside somebody else, closes only
what is still open and not already being closed. Its key is made of the position, the episode that wants it closed,
and the number of the attempt, so that asking again within an attempt is the same order, and a failed attempt can be
retried.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import count

import structlog

from plimsoll.desk.cancel_order import cancel_protection, leg_of
from plimsoll.desk.place_order import OrderAnswer, place_order
from plimsoll.desk.ports import Ports
from plimsoll.ledger import keys
from plimsoll.model import money
from plimsoll.model.errors import CommandRefused
from plimsoll.model.ids import IntentKey, UserId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, Order, OrderState, OrderTerms, OrderType, Side
from plimsoll.model.position import Position

log = structlog.get_logger("close_position")


class CloseOutcome(StrEnum):
    """How an attempt to close ended."""

    #: Nothing is open.
    FLAT = "FLAT"
    #: What is open is below the venue's lot; it cannot be sold and is reported.
    DUST = "DUST"
    #: A close is on its way; nothing was added to it.
    UNDER_WAY = "UNDER_WAY"
    #: A close was sent.
    SENT = "SENT"
    #: The gate or the venue refused it.
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class CloseResult:
    """What became of one position's close."""

    position: Position
    outcome: CloseOutcome
    answer: OrderAnswer | None = None

    @property
    def is_done(self) -> bool:
        return self.outcome in (CloseOutcome.FLAT, CloseOutcome.DUST)


async def close_position(ports: Ports, position: Position, *, episode: str, triggered_by: str) -> CloseResult:
    """Send what is needed to bring a position to flat; safe to call again at any time.

    Raises: StoreFailed (nothing was sent)
    """
    hot = ports.books.hot
    await _free_coins(ports, position)
    with hot.lock:
        current: Position = hot.get(keys.position(ports.account_id, position.key)) or position
        instrument: Instrument = hot.get(keys.instrument(position.instrument_id))
        in_flight: Decimal = hot.get(keys.closing(ports.account_id, position.key)) or money.ZERO
        live: list[Order] = hot.shelf(keys.ORDER, ports.account_id)
        user_id: UserId = hot.get(keys.account(ports.account_id)).user_id
    outcome, quantity = how_much(current, instrument, in_flight)
    if outcome is not CloseOutcome.SENT:
        return CloseResult(current, outcome)
    if not _may_send_beside_unknown(ports, instrument) and any(_closes_unknown(order, current) for order in live):
        return CloseResult(current, CloseOutcome.UNDER_WAY)
    terms = OrderTerms(
        instrument.id,
        Side.SELL if current.quantity > 0 else Side.BUY,
        OrderType.MARKET,
        quantity=quantity,
        # A sale of coins that are held cannot flip; the venues of spot know no such flag.
        reduce_only=instrument.is_derivative,
    )
    series = (position.key, episode)
    for attempt in count(ports.close_attempts.get(series, 1)):
        intent = Intent(
            key=IntentKey(f"close:{position.portfolio_id}:{instrument.id}:{position.key[2]}:{episode}:{attempt}"),
            account_id=ports.account_id,
            portfolio_id=current.portfolio_id,
            user_id=user_id,
            strategy_id=current.strategy_id,
            terms=terms,
            triggered_by=triggered_by,
            made_at=ports.clock.now(),
            allow_repeat=True,
        )
        ports.close_attempts[series] = attempt + 1
        answer = await _place_unless_tried(ports, intent)
        if answer is not None:
            return CloseResult(current, CloseOutcome.SENT if answer.approved else CloseOutcome.REFUSED, answer)
    raise AssertionError("the count of attempts has no end")


def how_much(position: Position, instrument: Instrument, in_flight: Decimal) -> tuple[CloseOutcome, Decimal]:
    """Say how much of a position is still to be sent for closing: what is open, less what is on its way, in lots."""
    if position.is_flat:
        return CloseOutcome.FLAT, money.ZERO
    quantity = instrument.round_down_to_lot(abs(position.quantity) - in_flight)
    if quantity > 0 and quantity >= instrument.min_quantity:
        return CloseOutcome.SENT, quantity
    return (CloseOutcome.UNDER_WAY if in_flight > 0 else CloseOutcome.DUST), money.ZERO


async def _free_coins(ports: Ports, position: Position) -> None:
    # On spot a resting stop or target locks the coins that the close would sell, so it is taken back first. Elsewhere
    # it goes on protecting until the position is flat. What cannot be taken back now may still leave enough to sell.
    instrument: Instrument = ports.books.hot.get(keys.instrument(position.instrument_id))
    if instrument.is_derivative:
        return
    try:
        await cancel_protection(ports, position.key)
    except ExceptionGroup as group:
        log.error("protection_not_cancelled", failures=[str(failure) for failure in group.exceptions])


def _may_send_beside_unknown(ports: Ports, instrument: Instrument) -> bool:
    # Where the venue enforces reduce-only, a second close cannot take more than is there, so it may go at once. On spot
    # both could fill, and the second would sell coins that belong to somebody else: there the first is proved first.
    return instrument.is_derivative and ports.venue.facts.reduce_only


def _closes_unknown(order: Order, position: Position) -> bool:
    return order.closes and order.state is OrderState.UNKNOWN and leg_of(order) == position.key


async def _place_unless_tried(ports: Ports, intent: Intent) -> OrderAnswer | None:
    # After a restart the count of attempts begins anew; those of the time before answer for themselves, and the first
    # that was never made is made.
    try:
        answer = await place_order(ports, intent)
    except CommandRefused as refused:
        if any(refusal.code == "intent_key_reused" for refusal in refused.refusals):
            return None
        raise
    return None if answer.repeated else answer
