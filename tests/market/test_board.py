"""The price board: ages, freshness, and that a late quote does not turn a price back."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from plimsoll.market.board import PriceBoard
from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Fact, Moment, Quote, SourceFacts

BTC, ETH = InstrumentId(1), InstrumentId(2)
NOON = datetime(2022, 1, 21, 12, tzinfo=UTC)
LIMIT = timedelta(seconds=5)


def quote(seconds: float, price: str = "100", moment: Moment = Moment.LIVE) -> Quote:
    value = Decimal(price)
    return Quote(BTC, NOON + timedelta(seconds=seconds), value, value, value, moment)


@pytest.fixture
def board() -> PriceBoard:
    return PriceBoard(SourceFacts("replay", frozenset({Fact.PRICE}), timedelta(minutes=1)))


def test_an_instrument_never_quoted_has_no_quote_no_age_and_no_price(board: PriceBoard) -> None:
    board.put(quote(0))
    assert board.quote(ETH) is None
    assert board.age(ETH, NOON) is None
    assert board.fresh(ETH, NOON, LIMIT) is None


@pytest.mark.parametrize(
    ("seconds_later", "known"), [(0, True), (5, True), (5.000001, False), (3600, False), (-5, True), (-5.000001, False)]
)
def test_a_price_older_or_further_ahead_than_its_limit_is_unknown(
    board: PriceBoard, seconds_later: float, known: bool
) -> None:
    seen = quote(0)
    board.put(seen)
    now = NOON + timedelta(seconds=seconds_later)
    assert board.fresh(BTC, now, LIMIT) == (seen if known else None)
    assert board.quote(BTC) == seen
    assert board.age(BTC, now) == timedelta(seconds=seconds_later)


def test_a_quote_older_than_the_last_is_ignored(board: PriceBoard) -> None:
    newest = quote(0, "100")
    assert board.put(newest)
    assert not board.put(quote(-1, "90"))
    assert board.quote(BTC) == newest


def test_of_two_quotes_at_one_time_the_later_to_come_stands(board: PriceBoard) -> None:
    board.put(quote(0, "100", Moment.CLOSE))
    following = quote(0, "101", Moment.OPEN)
    assert board.put(following)
    assert board.fresh(BTC, NOON, LIMIT) == following


def test_a_board_knows_what_its_source_promises(board: PriceBoard) -> None:
    assert board.declares(Fact.PRICE)
    assert not board.declares(Fact.SPREAD)
    assert board.interval == timedelta(minutes=1)
    assert board.facts.name == "replay"
