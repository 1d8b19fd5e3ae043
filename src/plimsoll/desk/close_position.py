"""Close a position: a reduce-only intent through the same gate, sized by what is left to close.

The wish is a *target*, flat, not a quantity: whoever asks again, after a crash or beside somebody else, closes only
what is still open and not already being closed. Its key is made of the position, the episode that wants it closed,
and the number of the attempt, so that asking again within an attempt is the same order, and a failed attempt can be
retried.

Where long and short stand beside each other, each is a position of its own, and its close names it: the sale that
closes a long one would otherwise open the short one.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import count

from plimsoll.desk.cancel_order import cancel_protection, leg_of
from plimsoll.desk.place_order import OrderAnswer, place_order
from plimsoll.desk.ports import Ports
from plimsoll.desk.value_account import book_view
from plimsoll.ledger import keys
from plimsoll.model import money
from plimsoll.model.errors import CommandRefused
from plimsoll.model.ids import IntentKey, UserId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, Order, OrderState, OrderTerms, OrderType, Side
from plimsoll.model.position import Position
from plimsoll.risk.valuation import Prices
from plimsoll.runtime.logging import logger

log = logger("close_position")


class CloseOutcome(StrEnum):
    """How an attempt to close ended."""

    #: Nothing is open.
    FLAT = "FLAT"
    #: What is open is below the venue's lot or least value; it cannot be sold and is reported.
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


async def close_position(
    ports: Ports, position: Position, *, episode: str, triggered_by: str, actor: str | None = None, reason: str = ""
) -> CloseResult:
    """Send what is needed to bring a position to flat; safe to call again at any time.

    Shapes: `actor` is named for what is cancelled first; without one it is what triggered the close. `reason` is kept
            with the order, as the context that it came of
    Raises: StoreFailed, CommitUnclear; a close may have been sent, and calling again adds only what is still missing
    """
    hot = ports.books.hot
    await _free_coins(ports, position, actor or triggered_by)
    with hot.lock:
        current: Position = hot.get(keys.position(ports.account_id, position.key)) or position
        instrument: Instrument = hot.get(keys.instrument(position.instrument_id))
        in_flight: Decimal = hot.get(keys.closing(ports.account_id, position.key)) or money.ZERO
        live: list[Order] = hot.shelf(keys.ORDER, ports.account_id)
        reduces_net = instrument.is_derivative and _reduces_net(ports, current, in_flight)
        user_id: UserId = hot.get(keys.account(ports.account_id)).user_id
        free = None if instrument.is_derivative else _free_to_sell(ports, instrument)
    outcome, quantity = left_to_close(current, instrument, in_flight, price_to_close(ports, current))
    if outcome is not CloseOutcome.SENT:
        return CloseResult(current, outcome)
    unknown = [order for order in live if _closes_unknown(order, current)]
    if unknown and not (reduces_net and _venue_holds_back(ports, unknown)):
        return CloseResult(current, CloseOutcome.UNDER_WAY)
    terms = OrderTerms(
        instrument.id,
        Side.SELL if current.quantity > 0 else Side.BUY,
        OrderType.MARKET,
        quantity=quantity if free is None or current.quantity < 0 else _at_most(free, quantity, instrument),
        # A sale of coins that are held cannot flip; the venues of spot know no such flag. A venue that nets all legs
        # would refuse it to a leg that grows the net. One that hedges nets within each.
        reduce_only=reduces_net,
    )
    series = (position.key, episode)
    place = ":".join(str(part) for part in position.key if part != "")
    for attempt in count(ports.close_attempts.get(series, 1)):
        intent = Intent(
            key=IntentKey(f"close:{place}:{episode}:{attempt}"),
            account_id=ports.account_id,
            portfolio_id=current.portfolio_id,
            user_id=user_id,
            strategy_id=current.strategy_id,
            terms=terms,
            triggered_by=triggered_by,
            made_at=ports.clock.now(),
            signal_context=reason,
            allow_repeat=True,
            closes_leg=not reduces_net,
            leg=current.leg,
        )
        ports.close_attempts[series] = attempt + 1
        answer = await _place_unless_tried(ports, intent)
        if answer is not None:
            return CloseResult(current, CloseOutcome.SENT if _was_taken(answer) else CloseOutcome.REFUSED, answer)
    raise AssertionError("the count of attempts has no end")


def _was_taken(answer: OrderAnswer) -> bool:
    """Say whether a close is on its way: the gate passed it, and the venue did not say no to it."""
    return answer.order is not None and answer.order.state not in (OrderState.REJECTED, OrderState.EXPIRED)


def left_to_close(
    position: Position, instrument: Instrument, in_flight: Decimal, price: Decimal | None
) -> tuple[CloseOutcome, Decimal]:
    """Say how much of a position is still to be sent for closing: what is open, less what is on its way, in lots.

    Shapes: without a price the venue's least value cannot be looked at, and what there is is tried
    """
    if position.is_flat:
        return CloseOutcome.FLAT, money.ZERO
    quantity = instrument.round_down_to_lot(abs(position.quantity) - in_flight)
    if quantity > 0 and quantity >= instrument.min_quantity and not _below_least_value(quantity, instrument, price):
        return CloseOutcome.SENT, quantity
    return (CloseOutcome.UNDER_WAY if in_flight > 0 else CloseOutcome.DUST), money.ZERO


def _below_least_value(quantity: Decimal, instrument: Instrument, price: Decimal | None) -> bool:
    # A venue of derivatives takes a reduce-only order of any value; a venue of spot refuses it for ever.
    if instrument.is_derivative or price is None:
        return False
    return instrument.notional(quantity, price) < instrument.min_notional


def price_to_close(ports: Ports, position: Position) -> Decimal | None:
    """Give the price that a close at the market would take now; None when none is known in time."""
    prices = Prices(ports.board.view(), ports.clock.now(), book_view(ports).max_price_age)
    quote = ports.board.quote(position.instrument_id)
    if quote is None or prices.of(position.instrument_id) is None:
        return None
    return quote.bid if position.quantity > 0 else quote.ask


def _reduces_net(ports: Ports, position: Position, in_flight: Decimal) -> bool:
    # What the venue nets, the account's over all legs or each leg by itself, as it is and as it will be when every
    # close on its way is filled: nobody knows which the venue sees when this close arrives, and with the flag in the
    # wrong place it refuses.
    hot, hedging = ports.books.hot, ports.venue.facts.hedging
    net = after = money.ZERO
    for leg in hot.shelf(keys.POSITION, ports.account_id):
        if leg.instrument_id == position.instrument_id and (not hedging or leg.leg == position.leg):
            closing: Decimal = hot.get(keys.closing(ports.account_id, leg.key)) or money.ZERO
            net += leg.quantity
            after += leg.quantity - closing.copy_sign(leg.quantity)
    left = position.quantity - in_flight.copy_sign(position.quantity)
    return all(0 < left <= total or total <= left < 0 for total in (net, after))


async def _free_coins(ports: Ports, position: Position, actor: str) -> None:
    # On spot a resting stop or target locks the coins that the close would sell, so it is taken back first. Elsewhere
    # it goes on protecting until the position is flat. What cannot be taken back now may still leave enough to sell.
    instrument: Instrument = ports.books.hot.get(keys.instrument(position.instrument_id))
    if instrument.is_derivative:
        return
    try:
        await cancel_protection(ports, position.key, actor=actor)
    except ExceptionGroup as group:
        log.error("protection_not_cancelled", failures=[str(failure) for failure in group.exceptions])


def _venue_holds_back(ports: Ports, unknown: list[Order]) -> bool:
    # Where the venue enforces reduce-only, or keeps long and short apart, a second close cannot take more than is
    # there, so it may go at once. On spot both could fill, and the second would sell coins that belong to somebody
    # else, as would the close of a leg that went without the flag: there the first is proved first.
    facts = ports.venue.facts
    return (facts.reduce_only or facts.hedging) and all(order.terms.reduce_only for order in unknown)


def _closes_unknown(order: Order, position: Position) -> bool:
    return order.closes and order.state is OrderState.UNKNOWN and leg_of(order) == position.key


def _free_to_sell(ports: Ports, instrument: Instrument) -> Decimal:
    hot = ports.books.hot
    coins = [
        balance.amount for balance in hot.shelf(keys.BALANCE, ports.account_id) if balance.asset == instrument.base
    ]
    reserved: Decimal = hot.get(keys.reserved(ports.account_id, instrument.base)) or money.ZERO
    return sum(coins, money.ZERO) - reserved


def _at_most(free: Decimal, quantity: Decimal, instrument: Instrument) -> Decimal:
    # An order that could not be taken back keeps its coins; the others are sold all the same. Where none is free the
    # gate says why.
    sellable = instrument.round_down_to_lot(min(quantity, max(free, money.ZERO)))
    return sellable if sellable > 0 else quantity


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
