"""The price board: what was quoted last, and that a late quote does not turn a price back."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from plimsoll.market.board import PriceBoard
from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Fact, Moment, Quote, SourceFacts

BTC, ETH = InstrumentId(1), InstrumentId(2)
NOON = datetime(2022, 1, 21, 12, tzinfo=UTC)


def quote(seconds: float, price: str = "100", moment: Moment = Moment.LIVE) -> Quote:
    value = Decimal(price)
    return Quote(BTC, NOON + timedelta(seconds=seconds), value, value, value, moment)


@pytest.fixture
def board() -> PriceBoard:
    return PriceBoard(SourceFacts("replay", frozenset({Fact.PRICE}), timedelta(minutes=1)))


def test_an_instrument_never_quoted_has_no_quote(board: PriceBoard) -> None:
    board.put(quote(0))
    assert board.quote(BTC) == quote(0)
    assert board.quote(ETH) is None


def test_a_copy_stands_still_and_a_view_does_not(board: PriceBoard) -> None:
    """A decision must not see a price that came after it began."""
    board.put(quote(0, "100"))
    copy, view = board.quotes(), board.view()
    board.put(quote(1, "101"))
    assert (copy[BTC], view[BTC]) == (quote(0, "100"), quote(1, "101"))


def test_a_quote_older_than_the_last_is_ignored(board: PriceBoard) -> None:
    newest = quote(0, "100")
    assert board.put(newest)
    assert not board.put(quote(-1, "90"))
    assert board.quote(BTC) == newest


def test_of_two_quotes_at_one_time_the_later_to_come_stands(board: PriceBoard) -> None:
    board.put(quote(0, "100", Moment.CLOSE))
    following = quote(0, "101", Moment.OPEN)
    assert board.put(following)
    assert board.quote(BTC) == following
