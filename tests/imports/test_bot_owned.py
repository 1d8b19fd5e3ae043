"""Trades that belonged to bots become a portfolio's: nothing is lost, and what each bot had made stays what it was."""

import hashlib
import json
import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.imports.bot_owned import BotOwnedStatement
from plimsoll.imports.source_copy import SourceChanged
from plimsoll.imports.statement import COMPLAINT_LIMIT, Complaint, NotReadable, Options, ToldLine
from plimsoll.imports.tally import Standing, Tally, Whose, unequal
from plimsoll.model import money
from plimsoll.model.cash import CashKind
from plimsoll.model.order import Side
from plimsoll.model.position import NOTHING, paid_in_coins, traded
from plimsoll.model.told import Told

#: As the platform made them that our own followed.
DDL = """
CREATE TABLE bots (
    id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL, pair VARCHAR(20) NOT NULL, status VARCHAR(20)
);
CREATE TABLE trades (
    id INTEGER NOT NULL PRIMARY KEY, bot_id INTEGER NOT NULL, product_id VARCHAR(20) NOT NULL, side VARCHAR(4) NOT NULL,
    size FLOAT, size_usd FLOAT, size_crypto FLOAT, price FLOAT, fee FLOAT, commission FLOAT, order_id VARCHAR(100),
    status VARCHAR(20), created_at DATETIME, filled_at DATETIME, FOREIGN KEY(bot_id) REFERENCES bots (id)
);
"""
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
NO_OPTIONS = Options()


def keep(path: Path, *rows: tuple[object, ...], ddl: str = DDL, bots: tuple[tuple[object, ...], ...] = ()) -> Path:
    """Make a database of bots; rows in the order of the table's columns."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(ddl)
        for bot in bots:
            connection.execute("INSERT INTO bots VALUES (?, ?, 'BTC-USD', 'RUNNING')", bot)
        connection.execute("BEGIN")
        for row in rows:
            connection.execute(f"INSERT INTO trades VALUES ({', '.join('?' * len(row))})", row)
        connection.execute("COMMIT")
    return path


def trade(number: int, bot: int | None, side: str, size: float, price: float, **said: object) -> tuple[object, ...]:
    """Make a row as the platform kept it."""
    at = (NOON + timedelta(minutes=number)).strftime("%Y-%m-%d %H:%M:%S.%f")
    words: dict[str, object] = {
        "product": "BTC-USD",
        "fee": None,
        "commission": 0.1,
        "order_id": f"order-{number}",
        "status": "completed",
        "created_at": at,
        "filled_at": at,
    }
    words |= said
    sizes = (None, size * price, size)
    return (
        *(number, bot, words["product"], side, *sizes, price, words["fee"], words["commission"], words["order_id"]),
        *(words["status"], words["created_at"], words["filled_at"]),
    )


def told_by(statement: BotOwnedStatement) -> list[Told]:
    lines = list(statement.read())
    assert all(isinstance(line, ToldLine) for line in lines), [str(line) for line in lines]
    return [line.told for line in lines if isinstance(line, ToldLine)]


def complaints_of(path: Path, options: Options = NO_OPTIONS) -> list[str]:
    return [str(line) for line in BotOwnedStatement(path, options).read() if isinstance(line, Complaint)]


def book_of(told: list[Told]) -> dict[Whose, Standing]:
    """Fold as the book does: by strategy and symbol, in the order of time, with the arithmetic of a position."""
    found: dict[Whose, Standing] = {}
    for whose in {(one.strategy, one.symbol) for one in told}:
        held, count, fees = NOTHING, 0, dict[str, Decimal]()
        for one in sorted((one for one in told if (one.strategy, one.symbol) == whose), key=lambda one: one.order):
            value = money.settle_product(one.quantity, one.price)
            buys = one.side is Side.BUY
            held = traded(held, one.quantity if buys else -one.quantity, -value if buys else value)
            if one.fee_asset == one.symbol.partition("/")[0]:
                held = paid_in_coins(held, one.fee)
            fees[one.fee_asset] = fees.get(one.fee_asset, money.ZERO) + one.fee
            count += 1
        found[whose] = Standing(count, held[0], held[2], {asset: paid for asset, paid in fees.items() if paid})
    return found


# What is told -------------------------------------------------------------------------------------------------------


def test_a_bots_trades_become_fills_that_name_it(tmp_path: Path) -> None:
    """The strategy is the bot's name, and the id stands in what triggered it; the row stays beside them."""
    rows = [trade(1, 7, "buy", 0.5, 100.0), trade(2, 7, "SELL", 0.25, 110.5, commission=0.0276)]
    path = keep(tmp_path / "bots.db", *rows, bots=((7, "dip buyer"),))
    lines = [line for line in BotOwnedStatement(path, NO_OPTIONS).read() if isinstance(line, ToldLine)]
    first, second = (line.told for line in lines)
    assert first == Told(
        lines=(1,),
        kind=CashKind.TRADE,
        at=NOON + timedelta(minutes=1),
        reference="order-1:1",
        symbol="BTC/USD",
        side=Side.BUY,
        quantity=Decimal("0.5"),
        price=Decimal(100),
        fee=Decimal("0.1"),
        fee_asset="USD",
        order_id="order-1",
        sequence=1,
        strategy="dip buyer",
        triggered_by="bot:7",
    )
    assert (second.side, second.fee) == (Side.SELL, Decimal("0.0276"))
    assert json.loads(lines[0].raw)["size_crypto"] == 0.5


def test_the_source_says_what_it_is_and_stays_what_it_is(tmp_path: Path) -> None:
    """Byte for byte, with its log of writes."""
    path = keep(tmp_path / "bots.db", trade(1, 7, "buy", 0.5, 100.0))
    with closing(sqlite3.connect(path, isolation_level=None)) as bot:
        bot.execute("PRAGMA journal_mode = WAL")
        bot.execute("INSERT INTO trades SELECT 2, bot_id, product_id, 'sell', 0, 0, 0.5, 120, 0, 0.2, 'x', 'filled', "
                    "created_at, filled_at FROM trades")  # fmt: skip
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        statement = BotOwnedStatement(path, NO_OPTIONS)
        assert (statement.format, statement.file_name, statement.line_count) == ("bot-owned", "bots.db", 2)
        assert statement.venue == "statement"
        assert statement.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert [one.quantity for one in told_by(statement)] == [Decimal("0.5"), Decimal("0.5")]
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
        bot.execute("DELETE FROM trades WHERE id = 2")
        with pytest.raises(SourceChanged, match="stop the program"):
            list(statement.read())


def test_what_a_bot_divided_is_read_to_the_last_place_that_a_book_keeps(tmp_path: Path) -> None:
    """Ten dollars at a price are a float of twenty places: the book has eighteen of them."""
    size = 10 / 43210.12
    assert repr(size) == "0.00023142726750122425"
    path = keep(tmp_path / "bots.db", trade(1, 7, "buy", size, 43210.12))
    assert told_by(BotOwnedStatement(path, NO_OPTIONS))[0].quantity == Decimal("0.000231427267501224")


def test_bots_that_share_a_name_stay_apart(tmp_path: Path) -> None:
    """Their positions were apart; under one strategy they would be netted, and other profits come out."""
    rows = [trade(1, 1, "buy", 1, 100), trade(2, 2, "sell", 1, 120), trade(3, 3, "buy", 1, 1), trade(4, 4, "buy", 1, 1)]
    path = keep(tmp_path / "bots.db", *rows, bots=((1, "grid"), (2, "grid"), (3, "")))
    strategies = [one.strategy for one in told_by(BotOwnedStatement(path, NO_OPTIONS))]
    assert strategies == ["grid (bot 1)", "grid (bot 2)", "bot 3", "bot 4"]


def test_only_what_was_filled_is_told(tmp_path: Path) -> None:
    """Whatever the status is called; a row that says nothing of its fill is filled when it was made."""
    rows = [
        trade(1, 1, "buy", 1, 100, status="pending"),
        trade(2, 1, "buy", 1, 100, status="CANCELLED"),
        trade(3, 1, "buy", 1, 100, status="Filled", filled_at=None),
        trade(4, 1, "buy", 0.3, 100, status="partially_filled"),
        trade(5, 1, "buy", 1, 100, commission=None),
    ]
    told = told_by(BotOwnedStatement(keep(tmp_path / "bots.db", *rows), NO_OPTIONS))
    assert [one.sequence for one in told] == [3, 4, 5]
    assert told[0].at == NOON + timedelta(minutes=3)
    assert (told[2].fee, told[2].note) == (Decimal(0), "the source kept no fee")


def test_columns_go_by_many_names(tmp_path: Path) -> None:
    """Another platform's words, in capitals, with ids that are no numbers, and nothing that may be missing."""
    ddl = """CREATE TABLE trades (
        trade_id TEXT, BOT_ID TEXT, Symbol TEXT, Action TEXT, filled_quantity TEXT, quantity TEXT,
        average_price TEXT, fees TEXT, fee_currency TEXT, executed_at INTEGER)"""
    rows = [
        ("a-1", "x9", "ETH/BTC", "LONG", "2", "5", "0.05", "0.002", "eth", 1_740_830_400_123),
        ("a-2", "x9", "ETH_BTC", "ask", "1.5", "5", "0.06", None, None, 1_740_830_500),
        ("a-3", None, "ETH-BTC", "sell", "0", "5", "0.06", None, None, 1_740_830_500),
    ]
    statement = BotOwnedStatement(keep(tmp_path / "bots.db", *rows, ddl=ddl), Options(venue="kraken"))
    first, second = told_by(statement)
    assert statement.venue == "kraken"
    assert (first.symbol, first.side, first.quantity, first.price) == (
        "ETH/BTC", Side.BUY, Decimal(2), Decimal("0.05"))  # fmt: skip
    assert (first.fee, first.fee_asset, first.reference, first.sequence) == (Decimal("0.002"), "ETH", "a-1", 0)
    assert (first.strategy, first.triggered_by) == ("bot x9", "bot:x9")
    assert first.at == datetime(2025, 3, 1, 12, 0, 0, 123_000, UTC)
    assert (second.side, second.fee_asset) == (Side.SELL, "BTC")


def test_a_cancelled_order_is_told_as_far_as_it_was_filled(tmp_path: Path) -> None:
    """Where a column says how far; coins that were bought are there, whatever became of the rest."""
    ddl = """CREATE TABLE trades (id INTEGER, bot_id INTEGER, symbol TEXT, side TEXT, filled_size REAL, price REAL,
        fee_usd REAL, status TEXT, created_at TEXT)"""
    rows = [
        (1, 1, "BTC-EUR", "buy", 0.25, 100.0, 0.1, "cancelled", "2025-03-01T12:00:00Z"),
        (2, 1, "BTC-EUR", "buy", 0.0, 100.0, 0.0, "cancelled", "2025-03-01T12:00:00Z"),
        (3, 1, "BTC-EUR", "buy", None, 100.0, None, "expired", "2025-03-01T12:00:00Z"),
        (4, None, "BTC-EUR", "buy", 0.5, 100.0, 0.1, "partial", "2025-03-01T12:00:00Z"),
    ]
    told = told_by(BotOwnedStatement(keep(tmp_path / "bots.db", *rows, ddl=ddl), NO_OPTIONS))
    assert [(one.quantity, one.fee_asset, one.strategy, one.triggered_by) for one in told] == [
        (Decimal("0.25"), "USD", "bot 1", "bot:1"),
        (Decimal("0.5"), "USD", "", "import"),
    ]


def test_a_symbol_without_a_quote_needs_a_currency(tmp_path: Path) -> None:
    """Shares of a bot that trades in one currency; without a word about it they are refused."""
    rows = [trade(1, 1, "buy", 1, 100, product="AAPL"), trade(2, 1, "buy", 1, 100, product="BTCUSD")]
    path = keep(tmp_path / "bots.db", *rows)
    told = told_by(BotOwnedStatement(path, Options(currency="usd")))
    assert [one.symbol for one in told] == ["AAPL/USD", "BTC/USD"]
    assert complaints_of(path) == [
        "line 1, column product_id: 'AAPL': write the pair with a slash, such as BTC/USDT",
    ]


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"status": "half done"}, "line 3, column status: 'half done': write filled or cancelled"),
        ({"status": None}, "line 3, column status: 'None': write filled or cancelled"),
        ({"product": "BTC-PERP-INTX"}, "line 3, column product_id: 'BTC-PERP-INTX': write it as BTC-USD or BTC/USD"),
        ({"product": "BTC-BTC"}, "line 3, column product_id: 'BTC-BTC': write it as BTC-USD or BTC/USD"),
        ({"product": b"\x00"}, "line 3, column product_id"),
        ({"filled_at": "yesterday"}, "line 3, column filled_at: 'yesterday': write it as 2022-01-21T10:05:00Z"),
        ({"filled_at": None, "created_at": None}, "line 3, column filled_at: '': write it as"),
        ({"commission": "free"}, "line 3, column commission: 'free': write a plain decimal number"),
        ({"commission": float("inf")}, "line 3, column commission: 'inf': write a plain decimal number"),
        ({"order_id": "a\x00b"}, "line 3, column order_id: 'a\\x00b': use printable characters"),
    ],
    ids=repr,
)
def test_a_row_that_cannot_be_told_is_complained_of(tmp_path: Path, said: dict[str, object], told: str) -> None:
    """By its id, its column, its value and what to do; the rows around it are looked at all the same."""
    rows = [trade(2, 1, "buy", 1, 100), trade(3, 1, "sell", 1, 100, **said), trade(4, 1, "hodl", 1, 100)]
    complaints = complaints_of(keep(tmp_path / "bots.db", *rows))
    assert complaints[0].startswith(told)
    assert complaints[1:] == ["line 4, column side: 'hodl': write buy or sell"]


@pytest.mark.parametrize(("size", "price", "column"), [(0, 1, "size_crypto"), (-1, 1, "size_crypto"), (1, 0, "price")])
def test_a_filled_trade_of_nothing_is_complained_of(tmp_path: Path, size: float, price: float, column: str) -> None:
    """The column is the database's own."""
    (complaint,) = complaints_of(keep(tmp_path / "bots.db", trade(9, 1, "buy", size, price)))
    assert complaint.startswith(f"line 9, column {column}: ")


def test_a_price_that_is_not_there_is_not_0(tmp_path: Path) -> None:
    """Nothing is no number."""
    path = keep(tmp_path / "bots.db", trade(1, 1, "buy", 1, 1))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE trades SET price = NULL")
    assert complaints_of(path) == ["line 1, column price: 'None': write a plain number, such as 0.05"]


def test_complaints_end_somewhere(tmp_path: Path) -> None:
    """Whoever made one mistake made it in every row."""
    rows = [trade(number, 1, "hodl", 1, 1) for number in range(1, COMPLAINT_LIMIT + 50)]
    assert len(complaints_of(keep(tmp_path / "bots.db", *rows))) == COMPLAINT_LIMIT


@pytest.mark.parametrize(
    ("column", "missing"),
    [
        ("size_crypto REAL", "size_crypto"),
        ("price REAL", "average_filled_price"),
        ("side TEXT", "side"),
        ("product_id TEXT", "product_id"),
        ("filled_at TEXT", "filled_at"),
    ],
)
def test_a_column_that_is_missing_is_named(tmp_path: Path, column: str, missing: str) -> None:
    """With the names it may have, and with what is there; dollars alone do not say how many coins."""
    ddl = "CREATE TABLE trades (bot_id INTEGER, size_usd REAL, size_crypto REAL, price REAL, side TEXT, "
    ddl = f"{ddl}product_id TEXT, filled_at TEXT)".replace(f"{column}, ", "").replace(f", {column})", ")")
    path = keep(tmp_path / "bots.db", ddl=ddl)
    with pytest.raises(NotReadable, match=rf"the table trades has no column {missing}, nor one of .*; it has bot_id, "):
        BotOwnedStatement(path, NO_OPTIONS)


def test_another_database_is_not_one_of_bots(tmp_path: Path) -> None:
    """Trades without a bot, and no trades at all."""
    for name, ddl in (("a.db", "CREATE TABLE trades (id INTEGER)"), ("b.db", "CREATE TABLE bots (bot_id INTEGER)")):
        path = keep(tmp_path / name, ddl=ddl)
        with pytest.raises(NotReadable, match="has no column bot_id; it has"):
            BotOwnedStatement(path, NO_OPTIONS)


# Before and after ---------------------------------------------------------------------------------------------------


def test_what_each_bot_had_made_is_what_the_book_makes_of_it(tmp_path: Path) -> None:
    """Two bots on one product, one on two: to the eighth place, in whatever order the rows lie, doubled too."""
    chance = random.Random(5)
    rows = []
    for number in range(1, 401):
        bot, product = chance.choice([(1, "BTC-USD"), (2, "BTC-USD"), (2, "ETH-USD")])
        size = chance.choice([0.1, 10 / 43210.12, 0.003, 1 / 3])
        price = round(chance.uniform(900, 1100), 2)
        rows.append(trade(number, bot, chance.choice(["buy", "sell"]), size, price, product=product))
    path = keep(tmp_path / "bots.db", *rows, bots=((1, "one"), (2, "two")))
    statement = BotOwnedStatement(path, NO_OPTIONS)
    told = told_by(statement)
    before = statement.tally.standings()
    assert set(before) == {("one", "BTC/USD"), ("two", "BTC/USD"), ("two", "ETH/USD")}
    assert unequal(before, book_of(told)) == ()
    assert sum(standing.trade_count for standing in before.values()) == 400
    again = Tally()
    for one in chance.sample(told * 2, 800):
        again.add(one)
    assert again.standings() == before


def test_a_round_trip_by_hand(tmp_path: Path) -> None:
    """Bought 1 at 100 and 1 at 120, sold 1.5 at 130: 1.5 × (130 − 110) = 30, half a coin left."""
    rows = [trade(3, 1, "sell", 1.5, 130), trade(1, 1, "buy", 1, 100), trade(2, 1, "buy", 1, 120)]
    statement = BotOwnedStatement(keep(tmp_path / "bots.db", *rows, bots=((1, "one"),)), NO_OPTIONS)
    told_by(statement)
    fees = {"USD": Decimal("0.3")}
    assert statement.tally.standings() == {("one", "BTC/USD"): Standing(3, Decimal("0.5"), Decimal(30), fees)}


AMOUNTS = st.decimals(min_value="0.00000001", max_value="1000", places=8, allow_nan=False)


@given(
    st.lists(
        st.tuples(st.sampled_from(Side), AMOUNTS, AMOUNTS, AMOUNTS, st.sampled_from(["USD", "BTC", "BNB"])), max_size=12
    )
)
def test_a_second_arithmetic_comes_to_the_same(fills: list[tuple[Side, Decimal, Decimal, Decimal, str]]) -> None:
    """Long, short, crossing zero, with fees in coins, in the quote and in a third asset."""
    told = [
        Told(
            lines=(number,),
            kind=CashKind.TRADE,
            at=NOON,
            reference=str(number),
            symbol="BTC/USD",
            side=side,
            quantity=quantity,
            price=price,
            fee=min(fee, quantity / 2 if asset == "BTC" else fee),
            fee_asset=asset,
            sequence=number,
        )
        for number, (side, quantity, price, fee, asset) in enumerate(fills, start=1)
    ]
    tally = Tally()
    for one in told:
        tally.add(one)
    assert unequal(tally.standings(), book_of(told)) == ()


def test_what_differs_is_named_with_both_numbers() -> None:
    """Every number of a strategy's, whichever side has it alone."""
    one = Standing(2, Decimal(1), Decimal("10.00000001"), {"USD": Decimal(1)})
    other = Standing(3, Decimal(1), Decimal(10), {"USD": Decimal(1), "BNB": Decimal("0.5")})
    found = unequal({("grid", "BTC/USD"): one}, {("grid", "BTC/USD"): other, ("", "ETH/USD"): one})
    assert [str(difference) for difference in found] == [
        "ETH/USD: trades 0 before, 2 after",
        "ETH/USD: quantity 0 before, 1 after",
        "ETH/USD: realised 0 before, 10.00000001 after",
        "ETH/USD: fees in USD 0 before, 1 after",
        "grid, BTC/USD: trades 2 before, 3 after",
        "grid, BTC/USD: fees in BNB 0 before, 0.5 after",
    ]


# What the source says itself ----------------------------------------------------------------------------------------

WITH_PROFIT = DDL.replace("filled_at DATETIME,", "filled_at DATETIME, {column} FLOAT,")


def differences(path: Path) -> list[str]:
    """Hold the source's own count against what the book makes of what it tells; complaints are left out."""
    statement = BotOwnedStatement(path, NO_OPTIONS)
    told = [line.told for line in statement.read() if isinstance(line, ToldLine)]
    return [str(one) for one in unequal(statement.tally.standings(), book_of(told))]


def with_profit(path: Path, *profits: object, column: str = "realized_pnl", product: str = "BTC-USD") -> Path:
    """Keep a purchase at 100 and sales at 110, each of one coin with a fee of 0.1, with what each row says it made."""
    rows = [trade(1, 1, "buy", len(profits) - 1, 100, product=product)]
    rows += [trade(number, 1, "sell", 1, 110, product=product) for number in range(2, len(profits) + 1)]
    said = [(*row, profit) for row, profit in zip(rows, profits, strict=True)]
    return keep(path, *said, ddl=WITH_PROFIT.format(column=column), bots=((1, "one"),))


@pytest.mark.parametrize("column", ["realized_pnl", "PnL", "profit", "profit_usd"])
def test_a_profit_that_the_source_says_otherwise_is_named_with_both_numbers(tmp_path: Path, column: str) -> None:
    path = with_profit(tmp_path / "bots.db", None, 777.0, column=column)
    assert differences(path) == ["one, BTC/USD: realised as the source says 777 before, 10 after"]


@pytest.mark.parametrize(
    "profits",
    [
        (None, 10.0),
        (0.0, 9.8),
        ("", "10.00"),
        (None, 10.01, 9.99),
        (None, 10.0000000049, 9.99999999),
        (None, 9.85, 9.85),
        (None, 25.0, None),
        (None, 0.0, 0),
        (None, None),
    ],
    ids=["gross", "net", "text", "cents", "eighth place", "net of both", "not of all", "nobody fills it", "nothing"],
)
def test_a_profit_is_gross_or_net_and_as_it_was_rounded(tmp_path: Path, profits: tuple[object, ...]) -> None:
    """And where it is not said of every sale, or of none, nothing is held against it."""
    assert differences(with_profit(tmp_path / "bots.db", *profits)) == []


def test_a_profit_in_another_money_is_not_compared(tmp_path: Path) -> None:
    assert differences(with_profit(tmp_path / "a.db", None, 777.0, column="profit_usd", product="ETH-EUR")) == []
    assert differences(with_profit(tmp_path / "b.db", None, 777.0, column="profit", product="ETH-EUR")) != []


def test_a_profit_that_cannot_be_read_is_complained_of(tmp_path: Path) -> None:
    (complaint,) = complaints_of(with_profit(tmp_path / "bots.db", None, "a lot"))
    assert "column realized_pnl" in complaint


def test_rows_are_counted_by_the_database(tmp_path: Path) -> None:
    """By their status, past all that reads them: a row that is lost on the way is seen, one that was refused is not."""
    rows = [
        *(trade(1, 7, "buy", 1, 100), trade(2, 7, "sell", 1, 110, status=" Filled\n"), trade(3, 7, "buy", 1, 100)),
        *(trade(4, 7, "hold", 1, 100), trade(5, None, "buy", 1, 100, status="partial"), trade(6, 7, "x", 1, 1)),
        *(trade(7, 7, "buy", 1, 100, status="open"), trade(8, 7, "buy", 1, 100, status="failed")),
        *(trade(9, 7, "buy", 1, 100, status=None), trade(10, 7, "buy", 1, 100, product="nothing")),
    ]
    anybody = DDL.replace("bot_id INTEGER NOT NULL", "bot_id INTEGER")
    path = keep(tmp_path / "bots.db", *rows, ddl=anybody, bots=((7, "dip"),))
    assert differences(path) == []
    assert len(complaints_of(path)) == 4
    statement = BotOwnedStatement(path, NO_OPTIONS)
    told = [line.told for line in statement.read() if isinstance(line, ToldLine)]
    lost = [str(one) for one in unequal(statement.tally.standings(), book_of(told[:2]))]
    assert "dip, BTC/USD: trades 3 before, 2 after" in lost
    assert "BTC/USD: trades 1 before, 0 after" in lost


def test_a_row_that_stands_twice_counts_once(tmp_path: Path) -> None:
    """Where it has a name; rows without one are as many as they are, and of an order only what was filled is."""
    ddl = "CREATE TABLE trades (trade_id TEXT, bot_id INT, symbol TEXT, side TEXT, filled REAL, price REAL, time TEXT)"
    at = NOON.isoformat()
    rows: list[tuple[object, ...]] = [
        (name, 1, "BTC-USD", "buy", size, 100.0, at) for name, size in (("a", 1.0), ("a", 1.0), ("b", 0.0), ("c", 2.0))
    ]
    rows += [(name, 1, "BTC-USD", "buy", 1.0, 100.0, at) for name in ("", None)]
    statement = BotOwnedStatement(keep(tmp_path / "bots.db", *rows, ddl=ddl), NO_OPTIONS)
    told_by(statement)
    assert statement.tally.standings()["bot 1", "BTC/USD"] == Standing(4, Decimal(5), Decimal(0), {})
    with_status = ddl.replace("time TEXT", "time TEXT, order_id TEXT, status TEXT")
    ended = [
        ("a", 1, "BTC-USD", "buy", 0.5, 100.0, at, "o", "cancelled"),
        ("b", 1, "BTC-USD", "buy", 0, 1, at, "o", "expired"),
    ]
    partly = [("c", 1, "BTC-USD", "buy", 0.25, 100.0, at, None, "partially_filled")]
    path = keep(tmp_path / "ended.db", *ended, *partly, ddl=with_status)
    assert differences(path) == []
    nameless = with_status.replace("trade_id TEXT, ", "").replace("filled REAL", "size REAL")
    rows = [("1", "BTC-USD", "buy", 1.0, 100.0, at, "", status) for status in ("filled", "filled", "expired")]
    statement = BotOwnedStatement(keep(tmp_path / "nameless.db", *rows, ddl=nameless), NO_OPTIONS)
    told_by(statement)
    assert statement.tally.standings()["bot 1", "BTC/USD"].trade_count == 2


def test_movements_are_no_trades() -> None:
    """A deposit is not counted, and changes nothing of what bots made."""
    tally = Tally()
    tally.add(Told((1,), CashKind.DEPOSIT, NOON, "d", asset="USD", amount=Decimal(5)))
    assert tally.standings() == {}
