"""Prices: crossed, zero and unknown are errors, and a bar is two moments."""

from datetime import timedelta
from decimal import Decimal

import pytest

from plimsoll.model.errors import Illegal
from plimsoll.model.quote import Bar, Fact, Moment, Quote, SourceFacts
from tests.model.words import INSTRUMENT, NOON

D = Decimal


def quote(bid: str = "99", ask: str = "101", last: str = "100", mark: str | None = None) -> Quote:
    return Quote(INSTRUMENT, NOON, D(bid), D(ask), D(last), mark=None if mark is None else D(mark))


@pytest.mark.parametrize(
    ("bid", "ask", "last", "mark"),
    [
        ("0", "101", "100", None),
        ("-1", "101", "100", None),
        ("101", "99", "100", None),  # crossed
        ("99", "0", "100", None),
        ("99", "101", "0", None),  # a zero here would look like a total loss
        ("99", "101", "-1", "100"),
        ("99", "101", "100", "0"),
        ("99", "101", "100", "-1"),
    ],
)
def test_a_price_that_is_none_is_an_error(bid: str, ask: str, last: str, mark: str | None) -> None:
    """Refused where it is made, so that no valuation ever sees it."""
    with pytest.raises(Illegal, match="quote"):
        quote(bid, ask, last, mark)


def test_bid_and_ask_may_meet() -> None:
    """A source without a spread gives one price for both."""
    assert quote("100", "100").mid == D(100)


def test_the_middle_is_exact() -> None:
    """Half a tick is not rounded away."""
    assert quote("99.99", "100").mid == D("99.995")


def test_holdings_are_valued_at_the_mark_else_the_last_trade() -> None:
    """Not at the side of the book that an order would hit."""
    assert quote().valuation == D(100)
    assert quote(mark="100.5").valuation == D("100.5")


BAR = Bar(INSTRUMENT, NOON, timedelta(minutes=1), D(100), D(110), D(90), D(105), D(7), D("0.5"), D(2))


def test_the_open_is_known_at_the_start() -> None:
    """A decision taken before the bar may be filled here."""
    assert BAR.open_quote() == Quote(INSTRUMENT, NOON, D(100), D("100.5"), D(100), moment=Moment.OPEN)


def test_the_close_is_known_only_at_the_end() -> None:
    """Start + interval: no decision sees it earlier."""
    assert BAR.end == NOON + timedelta(minutes=1)
    assert BAR.close_quote() == Quote(INSTRUMENT, BAR.end, D(105), D(107), D(105), moment=Moment.CLOSE)


def test_a_source_of_trades_has_no_spread() -> None:
    """Bid and ask are then the price itself, and the source declares no spread."""
    bar = Bar(INSTRUMENT, NOON, timedelta(minutes=1), D(100), D(110), D(90), D(105))
    assert (bar.open_quote().bid, bar.open_quote().ask) == (D(100), D(100))
    assert (bar.close_quote().bid, bar.close_quote().ask) == (D(105), D(105))
    assert bar.volume is None


def test_a_source_declares_what_it_knows() -> None:
    """A stream of ticks promises no interval."""
    facts = SourceFacts("replay", frozenset({Fact.PRICE}))
    assert Fact.SPREAD not in facts.declares
    assert facts.interval is None
