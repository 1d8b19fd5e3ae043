"""Which waiting orders a price moves, as tables: an order, a price, and what happens."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from plimsoll.model.order import OrderTerms, OrderType, Side, TimeInForce
from plimsoll.model.quote import Bar, Moment, Quote
from plimsoll.venues.paper.matching import (
    Lapsed,
    Match,
    Triggered,
    at_bar,
    at_quote,
    expected_price,
    expires_at,
    fills_on_arrival,
    has_expired,
    on_arrival,
    would_break_post_only,
)
from tests.builders.paper import MINUTE, SPOT, START

D = Decimal


def order(words: str) -> OrderTerms:
    """Read `buy limit 100 ioc`, `sell stop 90`, `buy stop 110 limit 112`, `sell market`."""
    side, *rest = words.split()
    tif = TimeInForce(rest.pop().upper()) if rest[-1].upper() in TimeInForce.__members__ else TimeInForce.GTC
    prices = {rest[i]: D(rest[i + 1]) for i in range(0, len(rest) - 1, 2)}
    kind = {"market": "MARKET", "limit": "LIMIT", "stop": "STOP", "stop limit": "STOP_LIMIT"}
    return OrderTerms(
        SPOT.id,
        Side(side.upper()),
        OrderType(kind[" ".join(prices) or "market"]),
        quantity=D(1),
        price=prices.get("limit"),
        stop_price=prices.get("stop"),
        time_in_force=tif,
    )


def quote(bid: str, ask: str, moment: Moment = Moment.LIVE) -> Quote:
    return Quote(SPOT.id, START, D(bid), D(ask), D(bid), moment=moment)


def told(move: Match | Triggered | Lapsed | None) -> str:
    match move:
        case Match(price, slips, maker):
            return f"{price} {'slips' if slips else 'exact'} {'maker' if maker else 'taker'}"
        case Triggered():
            return "triggered"
        case Lapsed(state, _reason):
            return state.lower()
        case None:
            return "-"


@pytest.mark.parametrize(
    ("words", "bid_ask", "arriving", "waiting_live", "waiting_open"),
    [
        # order                 quote       on arrival            it waited: live      it waited: an open
        ("buy market", "99 101", "101 slips taker", "101 slips taker", "101 slips taker"),
        ("sell market", "99 101", "99 slips taker", "99 slips taker", "99 slips taker"),
        ("buy limit 100", "99 101", "-", "-", "-"),
        ("buy limit 101", "99 101", "101 exact taker", "101 exact maker", "101 exact maker"),
        ("buy limit 105", "99 101", "101 exact taker", "105 exact maker", "101 exact maker"),
        ("sell limit 100", "99 101", "-", "-", "-"),
        ("sell limit 99", "99 101", "99 exact taker", "99 exact maker", "99 exact maker"),
        ("sell limit 95", "99 101", "99 exact taker", "95 exact maker", "99 exact maker"),
        ("buy limit 100 ioc", "99 101", "canceled", "canceled", "canceled"),
        ("buy limit 105 ioc", "99 101", "101 exact taker", "105 exact maker", "101 exact maker"),
        ("sell limit 100 fok", "99 101", "canceled", "canceled", "canceled"),
        ("buy stop 102", "99 101", "-", "-", "-"),
        ("buy stop 101", "99 101", "101 slips taker", "101 slips taker", "101 slips taker"),
        ("sell stop 98", "99 101", "-", "-", "-"),
        ("sell stop 99", "99 101", "99 slips taker", "99 slips taker", "99 slips taker"),
        ("buy stop 102 limit 105", "99 101", "-", "-", "-"),
        ("buy stop 101 limit 105", "99 101", "101 exact taker", "101 exact taker", "101 exact taker"),
        ("buy stop 101 limit 100", "99 101", "triggered", "triggered", "triggered"),
        ("sell stop 99 limit 100", "99 101", "triggered", "triggered", "triggered"),
        ("sell stop 99 limit 98", "99 101", "99 exact taker", "99 exact taker", "99 exact taker"),
    ],
)
def test_a_quote_moves_an_order(words: str, bid_ask: str, arriving: str, waiting_live: str, waiting_open: str) -> None:
    """Market orders and stops take the far side with slippage; limits get their price or better, without."""
    bid, ask = bid_ask.split()
    terms, live, first = order(words), quote(bid, ask), quote(bid, ask, Moment.OPEN)
    assert told(at_quote(terms, live, triggered=False, arriving=True)) == arriving
    assert told(at_quote(terms, live, triggered=False, arriving=False)) == waiting_live
    assert told(at_quote(terms, first, triggered=False, arriving=False)) == waiting_open


def test_a_triggered_stop_limit_waits_as_a_limit() -> None:
    """Once triggered, the stop is forgotten and the limit is met like any other."""
    terms = order("buy stop 101 limit 100")
    assert told(at_quote(terms, quote("99", "101"), triggered=True, arriving=False)) == "-"
    assert told(at_quote(terms, quote("98", "99"), triggered=True, arriving=False)) == "100 exact maker"


@pytest.mark.parametrize(
    ("words", "prices", "move"),
    [
        # order                  open high low close
        ("buy market", "100 110 90 105", "-"),
        ("buy limit 90", "100 110 90 105", "90 exact maker"),
        ("buy limit 89", "100 110 90 105", "-"),
        ("buy limit 102", "100 110 90 105", "100 exact maker"),
        ("buy limit 95 ioc", "100 110 90 105", "-"),
        ("sell limit 110", "100 110 90 105", "110 exact maker"),
        ("sell limit 111", "100 110 90 105", "-"),
        ("buy stop 110", "100 110 90 105", "110 slips taker"),
        ("buy stop 111", "100 110 90 105", "-"),
        ("sell stop 90", "100 110 90 105", "90 slips taker"),
        ("sell stop 89", "100 110 90 105", "-"),
        ("sell stop 101", "100 110 90 105", "100 slips taker"),  # the open was already beyond it
        ("buy stop 95", "100 110 90 105", "100 slips taker"),
        ("buy stop 105 limit 106", "100 110 90 105", "105 exact taker"),
        ("buy stop 105 limit 104", "100 110 90 105", "triggered"),  # the low may have come before the trigger
        ("sell stop 95 limit 94", "100 110 90 105", "95 exact taker"),
        ("sell stop 95 limit 96", "100 110 90 105", "triggered"),
        ("sell stop 89 limit 80", "100 110 90 105", "-"),
    ],
)
def test_a_bar_moves_an_order(words: str, prices: str, move: str) -> None:
    """High and low trigger what waited when the bar began."""
    bar = Bar(SPOT.id, START, MINUTE, *map(D, prices.split()))
    assert told(at_bar(order(words), bar, triggered=False, arrived_at=START)) == move
    late = START + timedelta(microseconds=1)
    assert at_bar(order(words), bar, triggered=False, arrived_at=late) is None, "no look-ahead"


def test_a_triggered_stop_limit_is_a_limit_to_a_bar() -> None:
    """A bar meets a triggered stop-limit at its limit, and leaves a triggered stop's rest to the next quote."""
    bar = Bar(SPOT.id, START, MINUTE, D(100), D(110), D(90), D(105))
    assert told(at_bar(order("buy stop 105 limit 95"), bar, triggered=True, arrived_at=START)) == "95 exact maker"
    assert at_bar(order("buy stop 105"), bar, triggered=True, arrived_at=START) is None


def test_a_post_only_stop_limit_never_takes() -> None:
    """Where its stop is reached and it would take, it is cancelled; where it can wait, it waits."""
    takes, waits = (replace(order(f"buy stop 101 limit {limit}"), post_only=True) for limit in (105, 100))
    bar = Bar(SPOT.id, START, MINUTE, D(100), D(110), D(90), D(105))
    assert told(at_quote(takes, quote("99", "101"), triggered=False, arriving=False)) == "canceled"
    assert told(at_quote(waits, quote("99", "101"), triggered=False, arriving=False)) == "triggered"
    assert told(at_bar(takes, bar, triggered=False, arrived_at=START)) == "canceled"
    assert told(at_bar(waits, bar, triggered=False, arrived_at=START)) == "triggered"
    assert not would_break_post_only(takes, quote("99", "101"))


@pytest.mark.parametrize(
    ("moment", "age_s", "interval_s", "fills"),
    [
        (Moment.LIVE, 5, None, True),
        (Moment.LIVE, 6, None, False),
        (Moment.LIVE, -1, None, True),  # a source whose clock is ahead
        (Moment.LIVE, 5, 1, True),
        (Moment.LIVE, 6, 1, False),
        (Moment.LIVE, 90, 60, True),
        (Moment.LIVE, 91, 60, False),
        (Moment.CLOSE, 0, 60, False),
        (Moment.OPEN, 0, 60, True),
        (Moment.OPEN, 89, 60, True),
        (Moment.OPEN, 90, 60, False),
        (Moment.OPEN, 3600, None, True),
    ],
)
def test_what_an_arriving_order_may_be_filled_at(
    moment: Moment, age_s: int, interval_s: int | None, fills: bool
) -> None:
    """A young live quote and a young open fill at once; an old one and a close never do."""
    interval = None if interval_s is None else timedelta(seconds=interval_s)
    seen, now = quote("99", "101", moment), START + timedelta(seconds=age_s)
    assert fills_on_arrival(seen, now, interval) is fills
    assert told(on_arrival(order("sell market"), seen, now, interval)) == ("99 slips taker" if fills else "-")


@pytest.mark.parametrize(
    ("words", "last_was_live", "last_was_a_close"),
    [
        ("buy market", "-", "-"),
        ("buy market ioc", "canceled", "-"),
        ("buy limit 105", "-", "-"),
        ("buy limit 105 ioc", "canceled", "-"),
        ("buy limit 105 fok", "canceled", "-"),
        ("buy stop 101 ioc", "-", "-"),
        ("buy stop 101 limit 105 fok", "-", "-"),
    ],
)
def test_an_order_that_arrives_at_an_old_price(words: str, last_was_live: str, last_was_a_close: str) -> None:
    """It waits for the next price; only what will not wait ends, and a recording's next price is at once."""
    now = START + timedelta(hours=1)
    assert told(on_arrival(order(words), quote("99", "101"), now, None)) == last_was_live
    assert told(on_arrival(order(words), quote("99", "101", Moment.CLOSE), now, MINUTE)) == last_was_a_close


def test_a_day_ends_at_midnight_utc() -> None:
    """An order of the last microsecond lives for one; an order of midnight lives a whole day."""
    terms = order("buy limit 100 day")
    midnight = datetime(2022, 1, 2, tzinfo=UTC)
    last = midnight - timedelta(microseconds=1)
    assert (expires_at(last), expires_at(midnight)) == (midnight, midnight + timedelta(days=1))
    assert has_expired(terms, last, midnight)
    assert not has_expired(terms, last, last)
    assert not has_expired(order("buy limit 100"), last, midnight + timedelta(days=900))


@pytest.mark.parametrize(
    ("words", "price"),
    [("buy market", "101"), ("sell market", "99"), ("buy limit 90", "90"), ("sell stop 80", "80"),
     ("buy stop 110 limit 112", "112")],
)  # fmt: skip
def test_the_price_at_the_door(words: str, price: str) -> None:
    """An order is judged by its own price where it names one, else by the side that it takes."""
    assert expected_price(order(words), quote("99", "101")) == D(price)


def test_a_market_order_without_a_quote_has_no_price() -> None:
    """Unknown is not zero."""
    assert expected_price(order("buy market"), None) is None
