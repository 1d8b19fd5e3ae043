"""What quotes bear out: spans of what was seen of each instrument, and what an account may be worth by them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.position import Position
from plimsoll.model.quote import Moment, Quote
from plimsoll.risk.guards.sights import Track, bounds, noted, priced_by, span_of
from plimsoll.risk.valuation import Holdings, Prices, value_account

D = Decimal
NOON = datetime(2022, 1, 21, 12, tzinfo=UTC)
Pair = tuple[Decimal | int, Decimal | int]


def instrument(number: int, symbol: str, *, inverse: bool = False) -> Instrument:
    pair, _, settle = symbol.partition(":")
    base, of = pair.split("/")
    kind = AssetType.PERPETUAL if settle else AssetType.CRYPTO
    return Instrument(
        InstrumentId(number), symbol, "paper", kind, base, of, settle or of, D("0.01"), D("0.001"), inverse=inverse
    )


BTC, ETH, USDJPY = instrument(1, "BTC/USD"), instrument(2, "ETH/USD"), instrument(5, "USD/JPY")
LINEAR, INVERSE = instrument(3, "BTC/USD:USD"), instrument(4, "BTC/USD:BTC", inverse=True)
CROSS, USDBTC = instrument(6, "ETH/BTC"), instrument(7, "USD/BTC")
ALL = (CROSS, LINEAR, INVERSE, BTC, ETH, USDJPY)


def quote(of: Instrument, price: str | Decimal, at: float, moment: Moment = Moment.LIVE) -> Quote:
    value = D(price)
    return Quote(of.id, NOON + timedelta(seconds=at), value, value, value, moment=moment)


def track(*seen: tuple[str, float], of: Instrument = BTC, late: float = 0) -> Track:
    """Take prices into a track, each looked at so many seconds after its date."""
    made: Track = ()
    for price, at in seen:
        made = noted(made, quote(of, price, at), NOON + timedelta(seconds=at + late))
    return made


def prices(made: Track) -> Pair | None:
    span = span_of(made)
    return None if span is None else (span[0].valuation, span[1].valuation)


# Spans ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "span"),
    [
        pytest.param([], None, id="nothing seen"),
        pytest.param([("9", 0)], None, id="one quote"),
        pytest.param([("9", 0), ("9", 1.999)], None, id="too soon"),
        pytest.param([("9", 0), ("8", 2)], (8, 9), id="two seconds apart"),
        pytest.param([("9", 0), ("5", 0.1), ("7", 1), ("8", 2)], (5, 9), id="what was between counts"),
        pytest.param([("1", 0), ("9", 1), ("8", 3)], (8, 9), id="what is older than needed does not"),
        pytest.param(
            [("1", 0), ("9", 1), ("8", 2.999)], (1, 9), id="but it is needed while nothing newer is old enough"
        ),
        pytest.param([("9", 0), ("8", 3_600)], (8, 9), id="an hour apart"),
    ],
)
def test_a_span_goes_from_the_newest_quote_back_to_one_two_seconds_older(
    seen: list[tuple[str, float]], span: tuple[int, int] | None
) -> None:
    assert prices(track(*seen)) == span


def test_one_quote_looked_at_for_an_hour_is_one_quote() -> None:
    made = track(("9", 0))
    for seconds in (1, 2, 3_600):
        assert noted(made, quote(BTC, "9", 0), NOON + timedelta(seconds=seconds)) is made
    assert span_of(made) is None


def test_two_prices_of_one_date_are_not_each_others_second_quote() -> None:
    """A source whose dates stand still, looked at for a minute."""
    made: Track = ()
    for price, seen_at in (("9", 0), ("4", 20), ("11", 40), ("8", 60)):
        made = noted(made, quote(BTC, price, 0), NOON + timedelta(seconds=seen_at))
    assert (len(made), span_of(made)) == (1, None)
    assert prices(noted(made, quote(BTC, "8", 2), NOON + timedelta(seconds=61))) == (4, 11)


def test_a_quote_dated_ahead_counts_from_when_it_was_seen() -> None:
    """Two quotes of one moment, one of them dated four seconds ahead by a wrong clock."""
    made = noted(track(("9", 0)), quote(BTC, "9", 4), NOON + timedelta(seconds=0.5))
    assert span_of(made) is None
    assert prices(noted(made, quote(BTC, "9", 4.1), NOON + timedelta(seconds=2.5))) == (9, 9)


def test_a_source_whose_clock_is_behind_is_measured_by_its_own_dates() -> None:
    assert span_of(track(("9", 0), ("9", 1.9), late=3)) is None
    assert prices(track(("9", 0), ("9", 2), late=3)) == (9, 9)


def test_a_track_keeps_no_more_than_its_span_however_long_it_goes_on() -> None:
    made = track(*((str(9 + second % 2), float(second)) for second in range(1_000)))
    assert len(made) == 3


# What an account may be worth -----------------------------------------------------------------------------------------


def position(of: Instrument, quantity: str, cost: str) -> tuple[Position, Instrument]:
    return Position(AccountId(1), PortfolioId(1), of.id, quantity=D(quantity), cost=D(cost)), of


def holding(
    cash: Mapping[str, str], *positions: tuple[Position, Instrument], of: tuple[Instrument, ...] = ALL
) -> Holdings:
    balances = [(asset, D(amount)) for asset, amount in cash.items()]
    return Holdings("USD", balances, positions, {one.id: one for one in of}, {one.id: D(1) for one in of})


@pytest.mark.parametrize(
    ("holdings", "named"),
    [
        pytest.param(holding({"USD": "5"}), (), id="own currency"),
        pytest.param(holding({"USD": "5", "BTC": "0"}), (), id="none of it left"),
        pytest.param(holding({"ETH": "1", "JPY": "-5"}), (ETH, USDJPY), id="coins and a debt, and no cross rate"),
        pytest.param(
            holding({}, position(LINEAR, "1", "9"), position(BTC, "1", "9")), (LINEAR,), id="spot is a balance"
        ),
        pytest.param(holding({}, position(INVERSE, "1", "9")), (INVERSE, BTC), id="settled in coins"),
        pytest.param(holding({"BTC": "1"}, of=(BTC, USDBTC)), (BTC,), id="the first that converts"),
        pytest.param(holding({"XYZ": "1"}), (), id="an asset that nothing prices"),
    ],
)
def test_the_worth_rests_on_the_instruments_that_price_what_there_is(
    holdings: Holdings, named: tuple[Instrument, ...]
) -> None:
    assert priced_by(holdings) == tuple(of.id for of in named)


def found(holdings: Holdings, *tracks: Track) -> Pair | None:
    """Give the bounds where the last quote of each track is on the board."""
    quotes, seen = {}, {}
    for made in tracks:
        instrument_id = made[-1].low.instrument_id
        quotes[instrument_id], seen[instrument_id] = made[-1].low, made
    return bounds(holdings, priced_by(holdings), quotes, seen, NOON + timedelta(seconds=10))


def test_cash_needs_no_quotes() -> None:
    assert found(holding({"USD": "5"})) == (5, 5)


def test_without_a_second_quote_of_everything_held_nothing_is_borne_out() -> None:
    both = holding({"BTC": "1", "ETH": "1"})
    two, one = track(("9", 0), ("8", 2)), track(("5", 2), of=ETH)
    assert found(both, two, one) is None
    assert bounds(both, priced_by(both), {BTC.id: quote(BTC, "9", 0)}, {}, NOON) is None
    assert found(holding({"BTC": "1"}), two, one) == (8, 9), "what is not held is not asked about"


def test_each_instrument_is_taken_at_its_own_extremes() -> None:
    """One keeps ticking while the other's single bad tick stays: two single ticks do not bear each other out."""
    both = holding({"BTC": "1", "ETH": "1"})
    fell = track(("10", 0), ("1", 2.9), ("10", 5))
    stays = track(("5", 0), ("5", 2), ("1", 5), of=ETH)
    assert found(both, fell, stays) == (2, 15)
    assert found(holding({"USD": "100", "BTC": "-1"}), fell) == (90, 99), "a debt is worst at the highest price"


def test_legs_of_one_instrument_are_taken_at_one_price() -> None:
    legs = holding({"USD": "100"}, position(LINEAR, "2", "20"), position(LINEAR, "-2", "-20"))
    assert found(legs, track(("10", 0), ("1", 2), of=LINEAR)) == (100, 100)


def test_a_closed_bar_needs_no_second_quote_and_what_nothing_prices_has_none() -> None:
    own = holding({"BTC": "2"})
    closed = {BTC.id: quote(BTC, "9", 0, Moment.CLOSE)}
    assert bounds(own, (*priced_by(own), ETH.id), closed, {}, NOON) == (D(18), D(18))


def test_holdings_that_could_not_be_valued_have_no_bounds() -> None:
    with pytest.raises(AssertionError, match="no price of XYZ"):
        found(holding({"XYZ": "1"}))


PRICES = st.integers(1, 40)
SPANS = st.lists(PRICES, min_size=1, max_size=3)
AMOUNTS = st.integers(-30, 30)


@given(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS), st.tuples(SPANS, SPANS, SPANS, SPANS))
def test_no_choice_among_the_quotes_seen_is_worth_less_or_more(
    amounts: tuple[int, int, int, int], spans: tuple[list[int], list[int], list[int], list[int]]
) -> None:
    """Coins, a debt, a linear and a coin-margined position: whichever quotes lie, the bounds hold and are met."""
    coins, yen, linear, inverse = amounts
    of = (LINEAR, INVERSE, BTC, USDJPY)
    holdings = holding(
        {"USD": "100", "BTC": str(coins), "JPY": str(yen)},
        *(position(LINEAR, str(linear), str(linear * 10)) for _ in range(linear != 0)),
        *(position(INVERSE, str(inverse), str(D(inverse) / 10)) for _ in range(inverse != 0)),
    )
    tracks = [
        track((str(span[0]), 0), *((str(price), 2 + 0.3 * place) for place, price in enumerate(span)), of=one)
        for one, span in zip(of, spans, strict=True)
    ]
    worths: list[Decimal] = []
    for choice in product(*({sight.low for sight in made} for made in tracks)):
        priced = Prices({one.instrument_id: one for one in choice}, NOON, timedelta(days=1))
        worth = value_account(holdings, priced).equity
        assert worth is not None
        worths.append(worth)
    assert found(holdings, *tracks) == (min(worths), max(worths))
