"""What exchanges say, read exactly or left out by name."""

import asyncio
import importlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.market.gather import MINUTE
from plimsoll.market.live.parse import TICK_SIZE, Told, Unusable, bars_of, instrument_of, quote_of
from plimsoll.market.live.wire import Wire
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import AssetType
from plimsoll.model.quote import Bar, Quote

BTC = InstrumentId(1)
NOON = datetime(2026, 2, 8, 12, tzinfo=UTC)


def milliseconds(when: datetime) -> int:
    return int(when.timestamp() * 1000)


def ticker(**changed: object) -> Told:
    told = {"symbol": "BTC/USDT", "bid": "100.5", "ask": "100.6", "bidVolume": "1.5", "askVolume": "2.5"}
    return {**told, "timestamp": milliseconds(NOON), "last": None, "markPrice": None, **changed}


def read(**changed: object) -> Quote:
    return quote_of(ticker(**changed), BTC, NOON - MINUTE, NOON)


# --- quotes


def test_a_quote_is_read_to_the_last_digit() -> None:
    quote = read(bid="0.00001234", ask="1.235e-5", last="0.000012345", markPrice="0.00001235")
    assert quote == Quote(
        BTC,
        NOON,
        Decimal("0.00001234"),
        Decimal("0.00001235"),
        Decimal("0.000012345"),
        bid_size=Decimal("1.5"),
        ask_size=Decimal("2.5"),
        mark=Decimal("0.00001235"),
    )


def test_a_stream_that_tells_no_trades_has_its_bid_for_last() -> None:
    assert (read().last, read().mark) == (Decimal("100.5"), None)


def test_its_age_is_the_exchanges_where_it_tells_one_and_ours_otherwise() -> None:
    assert read().at == NOON
    assert read(timestamp=None).at == NOON - MINUTE
    assert read(timestamp=str(milliseconds(NOON) - 1)).at == NOON - timedelta(milliseconds=1)


def test_a_price_from_the_future_is_taken_within_the_slack_of_clocks_and_not_beyond() -> None:
    assert read(timestamp=milliseconds(NOON) + 1_000).at == NOON + timedelta(seconds=1)
    with pytest.raises(Unusable, match=r"1\.5 s ahead of this machine's clock") as unusable:
        read(timestamp=milliseconds(NOON) + 1_500)
    assert unusable.value.reason == "future"


@pytest.mark.parametrize(
    ("reason", "changed"),
    [
        ("crossed", {"bid": "100.7"}),
        ("not_positive", {"bid": "0"}),
        ("not_positive", {"bid": "-1"}),
        ("not_positive", {"last": "0"}),
        ("not_positive", {"markPrice": "-0.0"}),
        ("one_sided", {"bid": None}),
        ("one_sided", {"ask": None}),
        ("absurd", {"ask": "201.1"}),
        ("not_a_number", {"bid": "NaN"}),
        ("not_a_number", {"ask": "Infinity"}),
        ("not_a_number", {"ask": "sNaN"}),
        ("not_a_number", {"bid": ""}),
        ("not_a_number", {"bid": "one hundred"}),
        ("not_a_number", {"bid": "1e-30"}),
        ("not_a_number", {"bid": "1e999999999999"}),
        ("not_text", {"bid": 100.5}),
        ("not_text", {"last": True}),
        ("too_many_digits", {"bid": "100.4567890123456"}),
        ("bad_time", {"timestamp": "yesterday"}),
        ("bad_time", {"timestamp": 10**30}),
        ("bad_time", {"timestamp": 1.5}),
    ],
)
def test_what_is_no_price_is_left_out_by_name(reason: str, changed: dict[str, object]) -> None:
    with pytest.raises(Unusable) as unusable:
        read(**changed)
    assert unusable.value.reason == reason


@pytest.mark.parametrize("size", [None, "-1", "NaN", 1.5, "0.1234567890123456789"])
def test_a_size_that_cannot_be_read_is_unknown_and_spoils_no_price(size: object) -> None:
    quote = read(bidVolume=size)
    assert (quote.bid_size, quote.ask_size) == (None, Decimal("2.5"))


def test_an_ask_of_twice_the_bid_is_still_a_price() -> None:
    assert read(ask="201").ask == 201


@given(
    told=st.dictionaries(st.sampled_from(list(ticker())), st.one_of(st.none(), st.text(), st.integers(), st.floats()))
)
def test_whatever_is_told_is_a_legal_quote_or_unusable(told: dict[str, object]) -> None:
    try:
        quote = read(**told)
    except Unusable:
        return
    assert 0 < quote.bid <= quote.ask


# --- bars


def row(minutes: int, *prices: object, volume: object = "3") -> list[object]:
    return [milliseconds(NOON + minutes * MINUTE), *prices, volume]


def test_bars_that_are_not_over_and_rows_that_make_no_sense_are_left_out() -> None:
    good = row(-2, "10", "12", "9", "11")
    rows: list[object] = [
        row(0, "1", "1", "1", "1"),
        good,
        row(-3, "10", "12", "9", "11", volume=None),
        good,
        row(-4, "10", "10.5", "9", "11"),
        row(-5, "10", "12", "10.5", "11"),
        row(-6, "10", "12", "0", "11"),
        row(-7, 10.0, "12", "9", "11"),
        [None, "10", "12", "9", "11"],
        ["short"],
        "nonsense",
    ]
    bars, senseless = bars_of(rows, BTC, MINUTE, NOON)
    assert bars == (
        Bar(BTC, NOON - 3 * MINUTE, MINUTE, Decimal(10), Decimal(12), Decimal(9), Decimal(11)),
        Bar(BTC, NOON - 2 * MINUTE, MINUTE, Decimal(10), Decimal(12), Decimal(9), Decimal(11), Decimal(3)),
    )
    assert senseless == 7


# --- what exchanges really sent, as ccxt tells it


def told_by(exchange_id: str, tell: Callable[[Any], object]) -> Any:
    async def main() -> object:
        exchange = getattr(importlib.import_module("ccxt.pro"), exchange_id)({"number": str})
        try:
            return tell(exchange)
        finally:
            await exchange.close()

    return asyncio.run(main())


def recorded(test_data: Path, name: str) -> Any:
    return json.loads((test_data / "ccxt_payloads/recorded_public/binance" / name).read_text())["http_response"]


def test_recorded_tickers_are_read_as_the_exchange_wrote_them(test_data: Path) -> None:
    raw = recorded(test_data, "fetch_tickers_BTC_ETH.json")
    told = told_by("binance", lambda binance: [binance.parse_ticker(each) for each in raw])
    for sent, each in zip(raw, told, strict=True):
        at = datetime.fromtimestamp(sent["closeTime"] / 1000, UTC)
        quote = quote_of(each, BTC, at, at)
        assert [quote.bid, quote.ask, quote.last] == [Decimal(sent[n]) for n in ("bidPrice", "askPrice", "lastPrice")]
        assert [quote.bid_size, quote.ask_size] == [Decimal(sent["bidQty"]), Decimal(sent["askQty"])]
        assert abs(quote.at - at) < timedelta(milliseconds=1)


def test_recorded_bars_are_read_as_the_exchange_wrote_them(test_data: Path) -> None:
    raw = recorded(test_data, "fetch_ohlcv_BTC_USDT.json")
    rows = told_by("binance", lambda binance: [binance.parse_ohlcv(each) for each in raw])
    hour = timedelta(hours=1)
    bars, senseless = bars_of(rows, BTC, hour, datetime(2030, 1, 1, tzinfo=UTC))
    assert (len(bars), senseless) == (len(raw), 0)
    for sent, bar in zip(raw, bars, strict=True):
        assert [bar.open, bar.high, bar.low, bar.close, bar.volume] == [Decimal(value) for value in sent[1:6]]
        assert milliseconds(bar.start) == sent[0]


def test_recorded_markets_become_instruments_or_are_left_out_by_name(test_data: Path) -> None:
    raw = recorded(test_data, "fetch_markets.json")["symbols"]
    markets = told_by("binance", lambda binance: [binance.parse_market(each) for each in raw])
    read, left_out = {}, set()
    for number, market in enumerate(markets):
        try:
            instrument = instrument_of(market, TICK_SIZE, InstrumentId(number), "paper")
        except Unusable as unusable:
            left_out.add(unusable.reason)
        else:
            read[instrument.symbol] = instrument
    bitcoin = read["BTC/USD:BTC"]
    assert (bitcoin.inverse, bitcoin.multiplier, bitcoin.settle) == (True, Decimal(100), "BTC")
    assert (bitcoin.tick_size, bitcoin.lot_size, bitcoin.min_quantity) == (Decimal("0.1"), Decimal(1), Decimal(1))
    assert len(read) >= 30
    assert left_out <= {"other_kind"}


@pytest.mark.parametrize(
    ("exchange_id", "hear"),
    [
        (
            "okx",
            lambda exchange, heard: exchange.handle_bid_ask(
                heard,
                {
                    "arg": {"channel": "bbo-tbt", "instId": "BTC-USDT"},
                    "data": [{"asks": [["36232.21", "2"]], "bids": [["36232.12", "1"]], "ts": str(milliseconds(NOON))}],
                },
            ),
        ),
        (
            "bybit",
            lambda exchange, heard: exchange.handle_order_book(
                heard,
                {
                    "topic": "orderbook.1.BTC-USDT",
                    "type": "snapshot",
                    "ts": milliseconds(NOON),
                    "data": {"s": "BTC-USDT", "b": [["36232.12", "1"]], "a": [["36232.21", "2"]], "u": 1, "seq": 2},
                },
            ),
        ),
        (
            "kraken",
            lambda exchange, heard: exchange.handle_message(
                heard,
                json.loads(
                    '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USDT","bid":36232.12,"bid_qty":1,'
                    '"ask":36232.21,"ask_qty":2,"last":36232.12,"volume":9,"vwap":1,"low":1,"high":1,"change":0,'
                    '"change_pct":1}]}'
                ),
            ),
        ),
    ],
)
def test_the_streams_of_other_exchanges_are_read_to_the_last_digit(
    exchange_id: str, hear: Callable[[Any, object], object]
) -> None:
    """Kraken sends bare numbers and Bybit's best prices come out of a book of floats: 15 digits survive both."""

    class Heard:
        url = "wss://stream.example/spot"
        subscriptions: dict[str, object] = {}  # noqa: RUF012

        def resolve(self, *_told: object) -> None: ...

    def tell(exchange: Any) -> object:
        exchange.set_markets([market("BTC/USDT", id="BTC-USDT", wsId="BTC/USDT")])
        hear(exchange, Heard())
        (known,) = Wire(exchange, ["BTC/USDT"]).known(["BTC/USDT", "ETH/USDT"])
        return known

    quote = quote_of(told_by(exchange_id, tell), BTC, NOON, NOON)
    assert (quote.bid, quote.ask, quote.at) == (Decimal("36232.12"), Decimal("36232.21"), NOON)
    assert (quote.bid_size, quote.ask_size) == (Decimal(1), Decimal(2))


# --- instruments


def market(symbol: str, **changed: object) -> dict[str, Any]:
    base, _slash, rest = symbol.partition("/")
    quote, _colon, settle = rest.partition(":")
    told: dict[str, Any] = {
        "id": symbol,
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "baseId": base,
        "quoteId": quote,
        "settle": settle or None,
        "type": "swap" if settle else "spot",
        "spot": not settle,
        "swap": bool(settle),
        "contract": bool(settle),
        "linear": settle == quote if settle else None,
        "inverse": settle == base if settle else None,
        "active": True,
        "contractSize": "0.01" if settle else None,
        "precision": {"price": "0.1", "amount": "0.001"},
        "limits": {
            "amount": {"min": "0.002", "max": None},
            "cost": {"min": "5", "max": None},
            "leverage": {"min": None, "max": "50"},
        },
    }
    return told | changed


def listed(symbol: str = "BTC/USDT:USDT", mode: int = TICK_SIZE, **changed: object) -> Any:
    return instrument_of(market(symbol, **changed), mode, BTC, "paper")


def test_a_perpetual_is_read_with_its_steps_minima_contract_and_leverage() -> None:
    found = listed()
    assert (found.id, found.symbol, found.venue, found.asset_type) == (
        BTC,
        "BTC/USDT:USDT",
        "paper",
        AssetType.PERPETUAL,
    )
    assert (found.tick_size, found.lot_size, found.min_quantity) == (Decimal("0.1"), Decimal("0.001"), Decimal("0.002"))
    assert (found.min_notional, found.multiplier, found.max_leverage) == (5, Decimal("0.01"), 50)
    assert (found.inverse, found.tradable) == (False, True)


def test_what_is_not_told_is_taken_strictly() -> None:
    found = listed("ABC/USDT:USDT", limits={"leverage": {"max": None}}, active=False)
    assert (found.min_quantity, found.min_notional, found.max_leverage) == (Decimal("0.001"), 0, 1)
    assert not found.tradable
    # The built-in table knows what Binance does not tell without a key.
    assert listed(limits={}).max_leverage == 150


def test_coins_are_bought_with_what_there_is_whatever_the_exchange_lends() -> None:
    assert listed("BTC/USDT").max_leverage == 1
    assert listed("BTC/USDT").multiplier == 1
    assert listed("EUR/USD").asset_type is AssetType.FOREX


@pytest.mark.parametrize(
    ("reason", "changed"),
    [
        ("other_kind", {"type": "future"}),
        ("other_kind", {"type": None}),
        ("no_steps", {"mode": 2}),
        ("not_exact", {"precision": {"price": None, "amount": "1"}}),
        ("not_exact", {"precision": {"price": 0.1, "amount": "1"}}),
        ("not_exact", {"precision": {"price": "0.1", "amount": "0"}}),
        ("not_exact", {"precision": None}),
        ("not_exact", {"contractSize": None}),
        ("not_exact", {"contractSize": "0"}),
        ("not_exact", {"limits": {"leverage": {"max": "0.5"}}}),
        ("not_exact", {"limits": {"amount": {"min": "1e-40"}}}),
        ("not_exact", {"symbol": "BTC/USDT:USDT-261225"}),
        ("not_exact", {"inverse": True}),
    ],
)
def test_a_market_that_is_not_told_exactly_is_left_out_by_name(reason: str, changed: dict[str, Any]) -> None:
    if "inverse" in changed:
        changed = {**changed, "symbol": "BTC/USDT"}
    with pytest.raises(Unusable) as unusable:
        listed(**changed)
    assert unusable.value.reason == reason
