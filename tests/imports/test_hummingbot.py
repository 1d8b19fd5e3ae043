"""Hummingbot's database becomes fills and funding: every age of it, to the last digit that it kept."""

import hashlib
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.imports.hummingbot import HummingbotStatement
from plimsoll.imports.source_copy import NotADatabase, SourceChanged
from plimsoll.imports.statement import COMPLAINT_LIMIT, Complaint, NotReadable, Options, ToldLine
from plimsoll.model.cash import FUTURES, CashKind
from plimsoll.model.order import Side
from plimsoll.model.told import Told

#: A database that today's hummingbot makes.
TODAY = """
CREATE TABLE "TradeFill" (
    config_file_path TEXT NOT NULL, strategy TEXT NOT NULL, market TEXT NOT NULL, symbol TEXT NOT NULL,
    base_asset TEXT NOT NULL, quote_asset TEXT NOT NULL, timestamp BIGINT NOT NULL, order_id TEXT NOT NULL,
    trade_type TEXT NOT NULL, order_type TEXT NOT NULL, price BIGINT NOT NULL, amount BIGINT NOT NULL,
    leverage INTEGER NOT NULL, trade_fee JSON NOT NULL, trade_fee_in_quote BIGINT NOT NULL,
    exchange_trade_id TEXT NOT NULL, position TEXT, PRIMARY KEY (market, order_id, exchange_trade_id)
);
CREATE TABLE "FundingPayment" (
    timestamp BIGINT NOT NULL, config_file_path TEXT NOT NULL, market TEXT NOT NULL, rate FLOAT NOT NULL,
    symbol TEXT NOT NULL, amount FLOAT NOT NULL, PRIMARY KEY (timestamp)
);
"""
#: One of 2020: floats, ids of rows, neither leverage nor funding.
OLD = """
CREATE TABLE "TradeFill" (
    id INTEGER NOT NULL PRIMARY KEY, config_file_path TEXT NOT NULL, strategy TEXT NOT NULL, market TEXT NOT NULL,
    symbol TEXT NOT NULL, base_asset TEXT NOT NULL, quote_asset TEXT NOT NULL, timestamp BIGINT NOT NULL,
    order_id TEXT NOT NULL, trade_type TEXT NOT NULL, order_type TEXT NOT NULL, price FLOAT NOT NULL,
    amount FLOAT NOT NULL, trade_fee JSON NOT NULL, exchange_trade_id TEXT NOT NULL
);
"""
#: What hummingbot's own upgrade to 20220130 makes of one: the amount keeps its type, and is whole millionths.
UPGRADED = """
CREATE TABLE "TradeFill" (
    config_file_path TEXT not null, strategy TEXT not null, market TEXT not null, symbol TEXT not null,
    base_asset TEXT not null, quote_asset TEXT not null, timestamp BIGINT not null, order_id TEXT not null,
    trade_type TEXT not null, order_type TEXT not null, price BIGINT not null, amount FLOAT not null,
    leverage INTEGER not null, trade_fee JSON not null, exchange_trade_id TEXT not null, position TEXT,
    constraint TradeFill_pk primary key (market, order_id, exchange_trade_id)
);
"""
MILLIS = 1_672_567_200_123
AT = datetime(2023, 1, 1, 10, 0, 0, 123_000, UTC)
NO_OPTIONS = Options()
NO_FEE = '{"fee_type": "AddedToCost", "percent": "0", "percent_token": null, "flat_fees": []}'


def keep(path: Path, *fills: dict[str, object], ddl: str = TODAY, funding: tuple[dict[str, object], ...] = ()) -> Path:
    """Make a database of hummingbot's."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(ddl)
        connection.execute("BEGIN")
        for table, rows in (("TradeFill", fills), ("FundingPayment", funding)):
            for row in rows:
                names, marks = ", ".join(row), ", ".join("?" * len(row))
                connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', list(row.values()))
        connection.execute("COMMIT")
    return path


def fill(**said: object) -> dict[str, object]:
    """Make a row as today's hummingbot writes it: 0.25 BTC at 16,500.5 on Binance."""
    return {
        "config_file_path": "conf_pure_mm_1.yml",
        "strategy": "pure_market_making",
        "market": "binance",
        "symbol": "BTC-USDT",
        "base_asset": "BTC",
        "quote_asset": "USDT",
        "timestamp": MILLIS,
        "order_id": "x-XEKWYICXBBTUT",
        "trade_type": "BUY",
        "order_type": "LIMIT_MAKER",
        "price": 16_500_500_000,
        "amount": 250_000,
        "leverage": 1,
        "trade_fee": NO_FEE,
        "trade_fee_in_quote": 0,
        "exchange_trade_id": "2283",
        "position": "NIL",
    } | said


def old_fill(**said: object) -> dict[str, object]:
    """Make a row as it was written in 2020."""
    row = fill(id=1, price=16_500.5, amount=0.25, trade_fee='{"percent": 0.001, "flat_fees": []}')
    for later in ("leverage", "trade_fee_in_quote", "position"):
        del row[later]
    return row | said


def paid(amount: object, **said: object) -> dict[str, object]:
    """Make a row of funding."""
    return {
        "timestamp": MILLIS,
        "config_file_path": "conf_perp.yml",
        "market": "binance_perpetual",
        "rate": 0.0001,
        "symbol": "BTC-USDT",
        "amount": amount,
    } | said


def fee(**said: object) -> str:
    return json.dumps({"fee_type": "AddedToCost", "percent": "0", "percent_token": None, "flat_fees": []} | said)


def told_by(path: Path, options: Options = NO_OPTIONS) -> list[Told]:
    lines = list(HummingbotStatement(path, options).read())
    assert all(isinstance(line, ToldLine) for line in lines), [str(line) for line in lines]
    return [line.told for line in lines if isinstance(line, ToldLine)]


def complaints_of(path: Path) -> list[str]:
    return [str(line) for line in HummingbotStatement(path, NO_OPTIONS).read() if isinstance(line, Complaint)]


# What is told -------------------------------------------------------------------------------------------------------


def test_a_fill_is_told_with_its_strategy_and_configuration(tmp_path: Path) -> None:
    """Millionths are exact; the row stands beside it as it was."""
    path = keep(tmp_path / "h.sqlite", fill(trade_fee=fee(flat_fees=[{"token": "BNB", "amount": "0.00120001"}])))
    (line,) = HummingbotStatement(path, NO_OPTIONS).read()
    assert isinstance(line, ToldLine)
    assert line.told == Told(
        lines=(1,),
        kind=CashKind.TRADE,
        at=AT,
        reference="x-XEKWYICXBBTUT:2283",
        symbol="BTC/USDT",
        side=Side.BUY,
        quantity=Decimal("0.25"),
        price=Decimal("16500.5"),
        fee=Decimal("0.00120001"),
        fee_asset="BNB",
        order_id="x-XEKWYICXBBTUT",
        strategy="pure_market_making",
        triggered_by="hummingbot:conf_pure_mm_1",
        venue="binance",
    )
    assert json.loads(line.raw)["price"] == 16_500_500_000
    assert "plimsoll_row" not in json.loads(line.raw)


def test_the_source_says_what_it_is_and_stays_what_it_is(tmp_path: Path) -> None:
    """With what stands in its log of writes; read again it must be the same."""
    path = keep(tmp_path / "h.sqlite", fill(), funding=(paid(-0.5),))
    with closing(sqlite3.connect(path, isolation_level=None)) as bot:
        bot.execute("PRAGMA journal_mode = WAL")
        bot.execute("UPDATE TradeFill SET exchange_trade_id = 'of the log'")
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        statement = HummingbotStatement(path, Options(venue="kucoin"))
        assert (statement.format, statement.file_name, statement.venue) == ("hummingbot", "h.sqlite", "kucoin")
        assert (statement.line_count, statement.sha256) == (2, hashlib.sha256(path.read_bytes()).hexdigest())
        first, second = (line.told for line in statement.read() if isinstance(line, ToldLine))
        assert (first.reference, first.venue, second.venue) == ("x-XEKWYICXBBTUT:of the log", "", "")
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
        bot.execute("DELETE FROM TradeFill")
        with pytest.raises(SourceChanged, match="stop the program"):
            list(statement.read())


def test_perpetuals_are_contracts_and_their_funding_is_their_positions(tmp_path: Path) -> None:
    """Funding names no strategy: it is the one that its configuration ran."""
    row = fill(market="binance_perpetual", config_file_path="conf_perp.yml", leverage=10, position="OPEN")
    funding = (
        paid(-0.1234, timestamp=1_672_567_201),  # some exchanges tell seconds
        paid(0.5, timestamp=MILLIS + 1),
        paid(0.0, timestamp=MILLIS + 2),
        paid(0.25, timestamp=MILLIS + 3, config_file_path="another.yml", market="hyperliquid_perpetual_testnet"),
    )
    trade, *payments = told_by(keep(tmp_path / "h.sqlite", row, funding=funding))
    assert (trade.symbol, trade.venue) == ("BTC/USDT:USDT", "binance")
    assert [(one.kind, one.asset, one.amount, one.pocket, one.symbol) for one in payments] == [
        (CashKind.FUNDING, "USDT", Decimal("-0.1234"), FUTURES, "BTC/USDT:USDT"),
        (CashKind.FUNDING, "USDT", Decimal("0.5"), FUTURES, "BTC/USDT:USDT"),
        (CashKind.FUNDING, "USDT", Decimal("0.25"), FUTURES, "BTC/USDT:USDT"),
    ]
    assert payments[0].at == datetime(2023, 1, 1, 10, 0, 1, tzinfo=UTC)
    assert [one.strategy for one in payments] == ["pure_market_making", "pure_market_making", ""]
    assert payments[0].reference == "binance_perpetual:1672567201"
    assert payments[2].venue == "hyperliquid_testnet"


def test_a_configuration_that_ran_two_strategies_says_nothing_of_funding(tmp_path: Path) -> None:
    """Nobody knows which of them paid it."""
    rows = [
        fill(market="binance_perpetual", config_file_path="conf_perp.yml", strategy=name, exchange_trade_id=name)
        for name in ("one", "two")
    ]
    *_trades, payment = told_by(keep(tmp_path / "h.sqlite", *rows, funding=(paid(1.0),)))
    assert payment.strategy == ""


@pytest.mark.parametrize(
    ("written", "noted", "expected"),
    [
        # 0.25 × 16,500.5 = 4,125.125
        (fee(percent="0.001"), 0, [("USDT", "4.125125")]),
        (fee(percent="-0.0001"), 0, [("USDT", "-0.4125125")]),
        (fee(percent="0.001", percent_token="usdt"), 0, [("USDT", "4.125125")]),
        (fee(percent="0.001", percent_token="BTC"), 0, [("BTC", "0.00025")]),
        # Paid in a third coin: by the value that hummingbot noted, or by the share of the value where it noted none.
        (fee(percent="0.001", percent_token="BNB"), 4_125_000, [("USDT", "4.125")]),
        (fee(percent="0.001", percent_token="BNB"), 0, [("USDT", "4.125125")]),
        (
            fee(percent="0.001", percent_token="BNB", flat_fees=[{"token": "USDT", "amount": "1"}]),
            9_000_000,
            [("USDT", "5.125125")],
        ),
        (fee(flat_fees=[{"token": "USDT", "amount": "1"}, {"token": "USDT", "amount": "0.5"}]), 0, [("USDT", "1.5")]),
        (fee(flat_fees=[{"token": "ETH", "amount": "0"}]), 0, [("USDT", "0")]),
        (
            fee(percent="0.001", flat_fees=[{"token": "ETH", "amount": "0.002"}, {"token": "BTC", "amount": "0.1"}]),
            0,
            [("USDT", "4.125125"), ("BTC", "-0.1"), ("ETH", "-0.002")],
        ),
        # As older versions wrote them.
        ('{"percent": 0.001, "flat_fees": [{"asset": "USDT", "amount": 0.1}]}', 0, [("USDT", "4.225125")]),
        ('{"percent": 0.0, "flat_fees": [["ETH", 0.1]]}', 0, [("ETH", "0.1")]),
        ('{"percent": null}', 0, [("USDT", "0")]),
        ("", 0, [("USDT", "0")]),
    ],
)
def test_a_fee_is_what_the_exchange_took(
    tmp_path: Path, written: str, noted: int, expected: list[tuple[str, str]]
) -> None:
    """In its own coins where it says so; a share only is counted as hummingbot counts it."""
    path = keep(tmp_path / "h.sqlite", fill(trade_fee=written, trade_fee_in_quote=noted))
    trade, *others = told_by(path)
    told = [(trade.fee_asset, trade.fee), *((one.asset, one.amount) for one in others)]
    assert told == [(asset, Decimal(amount)) for asset, amount in expected]
    for one in others:
        assert (one.kind, one.reference) == (CashKind.ADJUSTMENT, f"{trade.reference}:fee")
        assert one.note == f"fee of BTC/USDT {trade.reference}, which was paid in two coins"
    assert ("paid in BNB" in trade.note) is ("BNB" in written)


def test_a_database_of_2020_is_read_by_its_shortest_floats(tmp_path: Path) -> None:
    """No leverage, no noted fee, no funding; 0.1 is a tenth."""
    path = keep(tmp_path / "h.sqlite", old_fill(amount=0.1, price=1e-07), ddl=OLD)
    (trade,) = told_by(path)
    assert (trade.quantity, trade.price) == (Decimal("0.1"), Decimal("0.0000001"))
    assert (trade.fee, trade.reference) == (Decimal("0.00000000001"), "x-XEKWYICXBBTUT:2283_1")


def test_an_old_fee_in_a_third_coin_is_counted_by_its_share(tmp_path: Path) -> None:
    """Nothing was noted of its value then: 0.001 of 0.25 × 16,500.5."""
    path = keep(tmp_path / "h.sqlite", old_fill(trade_fee=fee(percent="0.001", percent_token="BNB")), ddl=OLD)
    (trade,) = told_by(path)
    assert (trade.fee, trade.fee_asset) == (Decimal("4.125125"), "USDT")
    assert trade.note == "the fee was paid in BNB, at this value"


def test_an_upgraded_database_tells_the_same_things(tmp_path: Path) -> None:
    """Hummingbot's own upgrade gives every fill another id: imported before and after, it adds nothing."""
    (before,) = told_by(keep(tmp_path / "old.sqlite", old_fill(), ddl=OLD))
    upgraded = old_fill(price=16_500_500_000, amount=250_000.0, leverage=1, exchange_trade_id="2283_1")
    del upgraded["id"]
    (after,) = told_by(keep(tmp_path / "new.sqlite", upgraded, ddl=UPGRADED))
    assert after == before


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"trade_type": "RANGE"}, "column TradeFill.trade_type: 'RANGE': a fill is a BUY or a SELL"),
        ({"price": 0}, "column TradeFill.price: '0': hummingbot keeps six places"),
        ({"amount": -5}, "column TradeFill.amount: '-5': hummingbot keeps six places"),
        ({"market": ""}, "column TradeFill.market: '': name the exchange"),
        ({"base_asset": ""}, "column TradeFill.symbol: '': name an asset, such as BTC"),
        ({"timestamp": 17}, "column TradeFill.timestamp: '17': write it as"),
        ({"trade_fee": "{"}, "column TradeFill.trade_fee: '{': a fee is written as"),
        ({"trade_fee": "[]"}, "column TradeFill.trade_fee: '[]': a fee is written as"),
        ({"trade_fee": '{"percent": true}'}, "column TradeFill.trade_fee: '{\"percent\": true}': a fee is written as"),
        ({"trade_fee": '{"percent": NaN}'}, "column TradeFill.trade_fee: 'NaN': write a plain decimal number"),
        ({"trade_fee": '{"flat_fees": 5}'}, "column TradeFill.trade_fee: '{\"flat_fees\": 5}': a fee is written as"),
        (
            {"trade_fee": '{"flat_fees": [5]}'},
            "column TradeFill.trade_fee: '{\"flat_fees\": [5]}': a fee is written as",
        ),
        ({"trade_fee": '{"flat_fees": [["A"]]}'}, "column TradeFill.trade_fee: "),
        (
            {"market": "bybit_perpetual", "symbol": "BTC-USD", "quote_asset": "USD"},
            "column TradeFill.symbol: 'BTC-USD': contracts that are settled in the coin",
        ),
    ],
    ids=repr,
)
def test_a_fill_that_cannot_be_told_is_complained_of(tmp_path: Path, said: dict[str, object], told: str) -> None:
    """By its row, its column and its value; what follows is looked at all the same."""
    rows = [fill(), fill(exchange_trade_id="b", **said), fill(exchange_trade_id="c", trade_type="")]
    first, second = complaints_of(keep(tmp_path / "h.sqlite", *rows))
    assert first.startswith(f"line 2, {told}")
    assert second == "line 3, column TradeFill.trade_type: '': a fill is a BUY or a SELL"


def test_funding_that_cannot_be_told_is_complained_of(tmp_path: Path) -> None:
    """By the table that it stands in."""
    path = keep(tmp_path / "h.sqlite", funding=(paid(float("inf")), paid(1.0, timestamp=MILLIS + 1, symbol="BTC")))
    assert complaints_of(path) == [
        "line 1, column FundingPayment.amount: 'inf': write a plain decimal number such as 1234.5, "
        "with at most 18 places",
        "line 2, column FundingPayment.symbol: 'BTC': write the pair with a slash, such as BTC/USDT",
    ]


def test_complaints_end_somewhere(tmp_path: Path) -> None:
    """Whoever made one mistake made it in every row."""
    rows = [fill(exchange_trade_id=str(number), price=0) for number in range(COMPLAINT_LIMIT + 50)]
    assert len(complaints_of(keep(tmp_path / "h.sqlite", *rows))) == COMPLAINT_LIMIT


def test_what_is_no_database_of_hummingbots_is_refused(tmp_path: Path) -> None:
    """A table without its columns by their names, and a database of something else."""
    ddl = 'CREATE TABLE "TradeFill" (market TEXT, symbol TEXT)'
    with pytest.raises(
        NotReadable, match=r"TradeFill has no column config_file_path, strategy, .*; it has market, sym"
    ):
        HummingbotStatement(keep(tmp_path / "a.sqlite", ddl=ddl), NO_OPTIONS)
    ddl = TODAY.replace("rate FLOAT NOT NULL,", "").replace("symbol TEXT NOT NULL, amount FLOAT", "amount FLOAT")
    with pytest.raises(NotReadable, match="FundingPayment has no column symbol"):
        HummingbotStatement(keep(tmp_path / "b.sqlite", ddl=ddl), NO_OPTIONS)
    path = keep(tmp_path / "c.sqlite", ddl="CREATE TABLE trades (id INTEGER)")
    with pytest.raises(NotReadable, match="TradeFill has no column"):
        HummingbotStatement(path, NO_OPTIONS)
    broken = tmp_path / "e.sqlite"
    broken.write_bytes(b"no database")
    with pytest.raises(NotADatabase):
        HummingbotStatement(broken, NO_OPTIONS)
