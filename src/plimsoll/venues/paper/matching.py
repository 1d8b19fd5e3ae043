"""Which waiting orders a price moves, and at what price they are filled. Pure: an order's terms and a price, no books.

Rule 1. Nobody fills at a price that was known when he decided: after a recorded close the next quote fills (the next
        open), and a bar judges only orders that waited when it began. Nor at one that is unknown by now because it is
        too old: after an outage, too, the next quote fills.
Rule 2. Market orders and triggered stops fill at the quote's far side, with slippage. Limits fill at their price or
        better, without.
Rule 3. Inside a bar stops come before limits, since nobody knows in which order the prices came.

The answer is one of four: nothing, `Match` (fill it), `Triggered` (a stop-limit became a limit), `Lapsed` (it ends).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from plimsoll.model.order import OrderState, OrderTerms, OrderType, Side, TimeInForce
from plimsoll.model.quote import Bar, Moment, Quote
from plimsoll.venues.paper.errors import Code, reason_text

_STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)
_LIMITS = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)
#: How long a live quote is the price of an arriving order, if its source declares no longer interval.
_FRESH = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Match:
    """An order can be filled."""

    #: Before slippage.
    price: Decimal
    slips: bool
    #: It waited in the book and was met there.
    maker: bool = False
    #: Size at the best price, for the slippage model.
    depth: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Triggered:
    """A stop-limit became a limit that waits."""


@dataclass(frozen=True, slots=True)
class Lapsed:
    """An order ends without (more) fills."""

    state: OrderState
    reason: str


_TAKES = Lapsed(OrderState.CANCELED, reason_text(Code.POST_ONLY, "it would have taken when its stop was reached"))
_NO_FRESH_PRICE = Lapsed(OrderState.CANCELED, reason_text(Code.NOT_FILLED, "the last price is too old to fill it"))

Move = Match | Triggered | Lapsed | None


def fills_on_arrival(quote: Quote, now: datetime, interval: timedelta | None) -> bool:
    """Say whether an order that arrives now may be filled at the current quote, or waits for the next one.

    Units: an open counts for 1.5 × the declared interval: beyond that the bar it opened is over. A live quote counts
           as long, and for 5 s at least: no more is known of the market than that it was there once
    """
    age = now - quote.at
    match quote.moment:
        case Moment.CLOSE:
            return False
        case Moment.OPEN:
            return interval is None or age * 2 < interval * 3
        case Moment.LIVE:
            return age <= _FRESH or (interval is not None and age * 2 <= interval * 3)


def was_known(quote: Quote, arrived_at: datetime) -> bool:
    """Say whether a recorded quote was there when a waiting order arrived: a replay that goes on shows bars again.

    An open of the very moment is the one after the close that was decided on; a close of that moment is that close. A
    live quote that bears an older time has come all the same.
    """
    if quote.moment is Moment.LIVE:
        return False
    return quote.at <= arrived_at if quote.moment is Moment.CLOSE else quote.at < arrived_at


def expires_at(arrived_at: datetime) -> datetime:
    """Give the end of a day order: the next 00:00 UTC."""
    midnight = arrived_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1)


def has_expired(terms: OrderTerms, arrived_at: datetime, at: datetime) -> bool:
    """Say whether a day order's day is over."""
    return terms.time_in_force is TimeInForce.DAY and at >= expires_at(arrived_at)


def is_marketable(terms: OrderTerms, quote: Quote) -> bool:
    """Say whether a limit would take from this quote."""
    if terms.price is None:
        return False
    return quote.ask <= terms.price if terms.side is Side.BUY else quote.bid >= terms.price


def would_break_post_only(terms: OrderTerms, quote: Quote) -> bool:
    """Say whether a post-only limit would take at the door. A stop-limit is asked when its stop is reached."""
    return terms.post_only and terms.type is OrderType.LIMIT and is_marketable(terms, quote)


def on_arrival(terms: OrderTerms, quote: Quote, now: datetime, interval: timedelta | None) -> Move:
    """Judge an order at the door by the last quote; nothing means that it waits for the next one."""
    if fills_on_arrival(quote, now, interval):
        return at_quote(terms, quote, triggered=False, arriving=True)
    # At once there is no price for it. A stop asks for none before it is reached, and a recording goes from price to
    # price: there "at once" is the next one.
    if quote.moment is Moment.LIVE and terms.time_in_force in _AT_ONCE and terms.type not in _STOPS:
        return _NO_FRESH_PRICE
    return None


def at_quote(terms: OrderTerms, quote: Quote, *, triggered: bool, arriving: bool) -> Move:
    """Judge an order by a quote.

    Shapes: triggered -> its stop was reached before; arriving -> this is the first quote it is judged by
    """
    fresh = arriving
    if terms.type in _STOPS and not triggered:
        if not _reached(terms, quote.ask, quote.bid):
            return None
        fresh = True
    buys = terms.side is Side.BUY
    side_price, depth = (quote.ask, quote.ask_size) if buys else (quote.bid, quote.bid_size)
    if terms.price is None:
        return Match(side_price, slips=True, depth=depth)
    if is_marketable(terms, quote):
        if terms.post_only and fresh:
            return _TAKES
        # The market came to an order that waited: filled at its own price. An open beyond it is a gap, in which
        # nobody traded at its price, so it gets what there is.
        waited = not fresh and quote.moment is not Moment.OPEN
        return Match(terms.price if waited else side_price, slips=False, maker=not fresh)
    if terms.time_in_force in _AT_ONCE:
        return Lapsed(OrderState.CANCELED, reason_text(Code.NOT_FILLED, "no price at or better than its limit"))
    return Triggered() if terms.type in _STOPS and not triggered else None


def at_bar(terms: OrderTerms, bar: Bar, *, triggered: bool, arrived_at: datetime) -> Move:
    """Judge a waiting order by the high and low of a bar that has closed.

    The open and the close come as quotes of their own. Market orders wait for those, and so do IOC and FOK limits.
    """
    # No look-ahead: an order that came in during the bar cannot know which of its prices were still to come.
    if arrived_at > bar.start:
        return None
    buys = terms.side is Side.BUY
    if terms.type in _STOPS and not triggered:
        if terms.stop_price is None or not _reached(terms, bar.high, bar.low):
            return None
        # The open quote was here first; should it have been missing, an open beyond the stop is what there was.
        price = max(terms.stop_price, bar.open) if buys else min(terms.stop_price, bar.open)
        if terms.price is None:
            return Match(price, slips=True)
        if price <= terms.price if buys else price >= terms.price:
            return _TAKES if terms.post_only else Match(price, slips=False)
        # Whether the low came after the trigger is not known: from here on it is a limit, judged by what comes next.
        return Triggered()
    if terms.price is None or terms.time_in_force in _AT_ONCE:
        return None
    if bar.low <= terms.price if buys else bar.high >= terms.price:
        return Match(min(terms.price, bar.open) if buys else max(terms.price, bar.open), slips=False, maker=True)
    return None


def comes_first_in_a_bar(terms: OrderTerms, *, triggered: bool) -> bool:
    """Say whether an order is judged before the limits of the same bar."""
    return terms.type in _STOPS and not triggered


def expected_price(terms: OrderTerms, quote: Quote | None) -> Decimal | None:
    """Give the price by which an order's cost is judged at the door, before slippage; None when not known."""
    if terms.type in _LIMITS:
        return terms.price
    if terms.type is OrderType.STOP:
        return terms.stop_price
    if quote is None:
        return None
    return quote.ask if terms.side is Side.BUY else quote.bid


def ends_unfilled_rest(terms: OrderTerms) -> bool:
    """Say whether what a fill leaves over is cancelled instead of waiting."""
    return terms.time_in_force in _AT_ONCE


def _reached(terms: OrderTerms, highest: Decimal, lowest: Decimal) -> bool:
    if terms.stop_price is None:
        return False
    return highest >= terms.stop_price if terms.side is Side.BUY else lowest <= terms.stop_price
