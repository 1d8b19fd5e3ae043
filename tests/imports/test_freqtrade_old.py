"""Databases of older freqtrades, and files that are none: taken as freqtrade itself takes them, or refused by name."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plimsoll.imports.freqtrade import FreqtradeStatement, open_freqtrade
from plimsoll.imports.source_copy import NotADatabase
from plimsoll.imports.statement import COMPLAINT_LIMIT, Complaint, NotReadable, Options
from plimsoll.imports.theirs import compare, net_of
from plimsoll.model.order import Side
from tests.builders.ledger import D
from tests.imports.freqtrade_made import CLOSED, OLD_TRADES, OPENED, SINCE, TRADES, MadeDatabase
from tests.imports.told_nets import positions_by_leg, told_of


def opened(made: MadeDatabase) -> FreqtradeStatement:
    return open_freqtrade(made.path, Options())


def complaints(made: MadeDatabase) -> list[str]:
    return [str(line) for line in opened(made).read() if isinstance(line, Complaint)]


def made_at(folder: Path, columns: tuple[tuple[str, str], ...] = TRADES, *, has_orders: bool = True) -> MadeDatabase:
    return MadeDatabase(folder / "tradesv3.sqlite", columns, has_orders=has_orders)


def without(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple(column for column in TRADES if column[0] not in names)


def test_a_database_from_before_there_were_orders_has_an_entry_and_an_exit_for_each_trade(tmp_path: Path) -> None:
    """One fee for both ways, no stored profit, no strategy: counted as freqtrade counts it when it upgrades."""
    made = made_at(tmp_path, OLD_TRADES, has_orders=False).trade(1, fee=0.0025, pair="BTC_ETC", exchange="BITTREX")
    statement = opened(made)
    entry, exit_ = told_of(statement.read())
    assert (entry.symbol, entry.side, entry.quantity, entry.price) == ("ETC/BTC", Side.BUY, D(30), D(2))
    assert (entry.reference, exit_.reference, exit_.side) == (f"ft:1{SINCE}:entry", f"ft:1{SINCE}:exit", Side.SELL)
    assert (entry.fee, entry.fee_asset, exit_.fee) == (D("0.15"), "BTC", D("0.165"))
    assert (entry.strategy, entry.triggered_by, statement.venue) == ("", "freqtrade", "bittrex")
    ours = {leg: net_of(position, "BTC") for leg, position in positions_by_leg([entry, exit_]).items()}
    report = compare(statement.theirs(), ours, 2, statement.sha256)
    assert [(profit.theirs, profit.ours) for profit in report.profits] == [(D("5.685"), D("5.685"))]
    assert report.flagged == ()


def test_an_old_trade_that_waits_for_its_first_order_has_no_fill(tmp_path: Path) -> None:
    """It names an open order and no exit; one that waits for its exit was filled."""
    made = made_at(tmp_path, OLD_TRADES, has_orders=False)
    made.trade(1, fee=0.0, is_open=1, close_rate=None, close_date=None, open_order_id="dry_run_buy_1")
    made.trade(2, fee=0.0, is_open=1, close_date=None, open_order_id="dry_run_sell_2")
    made.trade(3, fee=0.0, is_open=1, close_rate=None, close_date=None)
    told = told_of(opened(made).read())
    assert [each.reference for each in told] == [f"ft:2{SINCE}:entry", f"ft:3{SINCE}:entry"]
    assert {each.fee_asset for each in told} == {""}


def test_the_same_trade_is_told_alike_before_and_after_an_upgrade(tmp_path: Path) -> None:
    """An upgrade adds an empty table of orders and a profit, and renames columns and reasons; nothing new is told."""
    old = (*without("strategy", "enter_tag", "exit_reason"), ("sell_reason", "VARCHAR"), ("buy_tag", "VARCHAR"))
    made = made_at(tmp_path, old, has_orders=False).trade(1, sell_reason="sell_signal", buy_tag="dip")
    before = told_of(opened(made).read())
    assert [told.note for told in before] == ["entry dip", "exit exit_signal"]
    upgraded = MadeDatabase(tmp_path / "upgraded.sqlite").trade(1, strategy=None, enter_tag="dip")
    upgraded.change("UPDATE trades SET exit_reason = 'exit_signal'")
    assert told_of(opened(upgraded).read()) == before


def test_an_entry_from_before_there_were_orders_stands_beside_the_exit_that_has_one(tmp_path: Path) -> None:
    """The upgrade came while the trade was open."""
    made = made_at(tmp_path).trade(1).order(1, "9", "sell", 30.0, 2.2, order_filled_date=CLOSED)
    told = told_of(opened(made).read())
    assert [each.reference for each in told] == [f"ft:1{SINCE}:entry", f"ft:1{SINCE}:9"]
    assert net_of(positions_by_leg(told)[f"ft-1{SINCE}"], "USDT") == D("5.685")


def test_columns_that_came_later_may_be_missing(tmp_path: Path) -> None:
    """Without shorts, leverage, funding, interest and currencies it is a long on spot."""
    later = ("is_short", "leverage", "funding_fees", "interest_rate", "trading_mode", "contract_size")
    made = made_at(tmp_path, without(*later, "base_currency", "stake_currency", "fee_open_currency", "enter_tag"))
    made.round_trip(1, close_profit_abs=None)
    made.change("ALTER TABLE orders DROP COLUMN funding_fee").change("ALTER TABLE orders DROP COLUMN ft_fee_base")
    made.change("ALTER TABLE orders DROP COLUMN average").change("UPDATE orders SET price = 2.0")
    made.change("UPDATE orders SET order_filled_date = NULL")
    statement = opened(made)
    entry, exit_ = told_of(statement.read())
    assert (entry.price, entry.note, exit_.at.minute) == (D(2), "entry", 10)
    assert [theirs.profit for theirs in statement.theirs()] == [None]


def test_a_profit_that_was_never_stored_is_counted_from_the_row_or_is_unknown(tmp_path: Path) -> None:
    """What it had paid may stand there already; without a price of the exit nobody knows."""
    made = made_at(tmp_path, without("close_profit_abs")).round_trip(1, open_trade_value=60.0).round_trip(2)
    made.change("UPDATE trades SET close_rate = NULL WHERE id = 2")
    assert [theirs.profit for theirs in opened(made).theirs()] == [D("5.835"), None]


def test_a_table_that_does_not_number_its_trades_is_complained_of(tmp_path: Path) -> None:
    """A trade is known by its number."""
    columns = (("id", "TEXT"), *TRADES[1:])
    made = made_at(tmp_path, columns).trade(1).change("UPDATE trades SET id = 'first'")
    (complaint,) = complaints(made)
    assert complaint.startswith("the file, column trades.id: 'first': the number of the row belongs here")


def test_futures_of_old_names_are_named_by_what_they_settle_in(tmp_path: Path) -> None:
    """They were written like spot until 2023."""
    made = made_at(tmp_path).round_trip(1, trading_mode="FUTURES").round_trip(2, trading_mode="futures", pair="A/B:C")
    made.change("UPDATE trades SET stake_currency = 'USDT' WHERE id = 1")
    assert {each.leg: each.symbol for each in told_of(opened(made).read())} == {
        f"ft-1{SINCE}": "ADA/USDT:USDT",
        f"ft-2{SINCE}": "A/B:C",
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE trades SET pair = 'ADAUSDT'", "column trades.pair: 'ADAUSDT': a pair such as BTC/USDT"),
        ("UPDATE trades SET pair = 'ADA/USDT:'", "column trades.pair"),
        ("UPDATE trades SET pair = 'A DA/USDT'", "column trades.pair"),
        ("UPDATE trades SET pair = 'ADA/USDT/BTC'", "column trades.pair"),
        ("UPDATE trades SET is_short = 'no'", "column trades.is_short: 'no': 0 or 1 belongs here"),
        (
            "UPDATE trades SET trading_mode = 'OPTIONS'",
            "column trades.trading_mode: 'OPTIONS': SPOT, MARGIN or FUTURES",
        ),
        ("UPDATE trades SET open_date = 'soon'", "column trades.open_date: 'soon'"),
        ("UPDATE trades SET close_date = NULL", "column trades.close_date: 'None': a moment such as"),
        ("UPDATE trades SET fee_open = 'free'", "column trades.fee_open: 'free'"),
        ("UPDATE trades SET strategy = x'00ff'", "column trades.strategy"),
        ("UPDATE orders SET filled = 9e999", "column orders.filled: 'inf'"),
        ("UPDATE orders SET filled = 1e30", "column orders.filled"),
        ("UPDATE orders SET filled = -1.0", "column orders.filled: '-1.0': a number above 0 belongs here"),
        ("UPDATE orders SET average = -1.0", "column orders.average"),
        ("UPDATE orders SET average = NULL", "column orders.average: 'None': a number above 0 belongs here"),
        ("UPDATE orders SET ft_order_side = 'up'", "column orders.ft_order_side: 'up': buy, sell or stoploss"),
        ("UPDATE orders SET ft_fee_base = 30.0", "column orders.ft_fee_base: '30.0': less than what was filled"),
        ("UPDATE orders SET order_id = ''", "column orders.order_id"),
        ("UPDATE orders SET order_filled_date = 'later'", "column orders.order_filled_date: 'later'"),
    ],
)
def test_what_cannot_be_read_is_a_complaint_with_its_column_and_its_trade(
    tmp_path: Path, change: str, said: str
) -> None:
    """Nothing of that trade is told, and all others are."""
    made = made_at(tmp_path).round_trip(4).change(change).round_trip(5)
    (complaint,) = complaints(made)
    assert said in complaint
    assert complaint.startswith("line 4, ")
    assert complaint.endswith("(in freqtrade's trade 4)")
    assert {line.told.leg for line in opened(made).read() if not isinstance(line, Complaint)} == {f"ft-5{SINCE}"}


def test_a_filled_order_of_no_trade_is_complained_of_and_an_unfilled_one_is_not(tmp_path: Path) -> None:
    """Whose it was nobody knows; leaving it out in silence would lose money."""
    made = made_at(tmp_path).round_trip(1).order(9, "lost", "buy", 1.0, 1.0).order(8, "none", "buy", 0.0, 1.0)
    assert complaints(made) == [
        "line 9, column orders.ft_trade_id: '9': its trade is not there (in freqtrade's trade 9)"
    ]
    made.change("DELETE FROM orders WHERE ft_trade_id = 9").order(7, "bad", "buy", 1.0, 1.0, ft_is_open="maybe")
    assert "column orders.ft_is_open: 'maybe'" in complaints(made)[0]
    made.change("UPDATE orders SET ft_is_open = 0, ft_trade_id = NULL WHERE ft_trade_id = 7")
    assert complaints(made)[0].startswith("the file, column orders.ft_trade_id")


def test_interest_of_an_exchange_that_nobody_knows_the_periods_of_is_a_complaint(tmp_path: Path) -> None:
    """Its periods are not guessed."""
    made = made_at(tmp_path).round_trip(
        1, exchange="okx", trading_mode="MARGIN", leverage=3.0, interest_rate=0.0005, close_profit_abs=None
    )
    assert complaints(made) == [
        "line 1, column exchange: 'okx': freqtrade knows the interest of binance, kraken and ftx "
        "(in freqtrade's trade 1)"
    ]


def test_no_more_than_a_thousand_complaints_are_made(tmp_path: Path) -> None:
    """Whoever made one mistake often made it in every row."""
    made = made_at(tmp_path)
    with closing(sqlite3.connect(made.path)) as connection, connection:
        rows = [(number, "?", "x", 1, 0.0, 0.0, "now") for number in range(COMPLAINT_LIMIT + 1)]
        columns = "id, exchange, pair, is_open, open_rate, amount, open_date"
        connection.executemany(f"INSERT INTO trades ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    assert len(complaints(made)) == COMPLAINT_LIMIT


def test_files_that_are_no_database_of_freqtrade_are_refused_in_a_sentence(tmp_path: Path) -> None:
    """Another program's tables, no tables, an empty file, text, a cut file, a missing one."""
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE fills (id INTEGER)")
    with pytest.raises(NotReadable, match="has no table trades; its tables: fills"):
        open_freqtrade(other, Options())
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE trades (id INTEGER, bot_id INTEGER, pair TEXT)")
    with pytest.raises(NotReadable, match="no column exchange, is_open, open_rate, amount, open_date, fee_open"):
        open_freqtrade(other, Options())
    orders = made_at(tmp_path)
    orders.change("ALTER TABLE orders DROP COLUMN ft_trade_id")
    with pytest.raises(NotReadable, match="orders has not all of id, ft_trade_id, ft_order_side"):
        opened(orders)
    for name, content in (("empty", b""), ("text", b"time,symbol\n"), ("secret", b"\x8f\x03" * 4096)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(NotADatabase):
            open_freqtrade(tmp_path / name, Options())
    whole = shutil.copyfile(orders.path, tmp_path / "cut")
    whole.write_bytes(whole.read_bytes()[:5000])
    with pytest.raises(NotADatabase):
        open_freqtrade(whole, Options())
    with pytest.raises(NotADatabase):
        open_freqtrade(tmp_path / "missing", Options())


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{", "\x00", '{"strategy": []}', '{"strategy": {"A": {}}}', '{"strategy": {"A": {"trades": [1]}}}'),
        *('{"strategy": {"A": {"trades": 5}}}', '{"strategy": {"A": 5}}', "[" * 100_000),
    ],
)
def test_text_that_is_no_backtest_is_refused_in_a_sentence(tmp_path: Path, content: str) -> None:
    """Nothing that a file can hold becomes a traceback."""
    path = tmp_path / "backtest-result.json"
    path.write_text(content)
    with pytest.raises(NotReadable, match="is no export of a freqtrade backtest"):
        open_freqtrade(path, Options())


def backtest(folder: Path, *trades: object) -> Path:
    path = folder / "backtest-result.json"
    path.write_text(json.dumps({"strategy": {"Old": {"trades": trades}}}))
    return path


OLD_EXPORT = {
    "pair": "ADA/USDT",
    "amount": 30.0,
    "open_rate": 2.0,
    "close_rate": 2.2,
    "fee_open": 0.0025,
    "is_open": False,
    "fee_close": 0.0025,
    "profit_abs": 5.685,
    "open_timestamp": 1709640000000,
    "close_timestamp": 1709640600000,
}


def test_a_backtest_from_before_there_were_orders_has_an_entry_and_an_exit_for_each_trade(tmp_path: Path) -> None:
    """Two that were opened at once stay two."""
    still_open = OLD_EXPORT | {"is_open": True, "open_timestamp": 1709650000000}
    statement = open_freqtrade(backtest(tmp_path, OLD_EXPORT, OLD_EXPORT, still_open), Options())
    told = told_of(statement.read())
    assert len({each.leg for each in told}) == 3
    assert len({each.key for each in told}) == len(told) == 5
    positions = positions_by_leg(told)
    report = compare(
        statement.theirs(), {leg: net_of(held, "USDT") for leg, held in positions.items()}, 5, statement.sha256
    )
    assert [profit.ours for profit in report.profits] == [D("5.685"), D("5.685")]
    assert report.flagged == ()


def test_a_backtest_with_an_order_that_cannot_be_read_is_complained_of(tmp_path: Path) -> None:
    """The trade is named by its place in the file; an order that was never filled is none."""
    orders = [{"amount": 30.0, "safe_price": 2.0, "ft_is_entry": True, "order_filled_timestamp": None}, 7]
    path = backtest(tmp_path, OLD_EXPORT | {"orders": orders}, OLD_EXPORT | {"orders": orders[:1]}, OLD_EXPORT)
    lines = list(open_freqtrade(path, Options()).read())
    assert [str(line)[:29] for line in lines if isinstance(line, Complaint)] == ["line 1, column trades.orders:"]
    assert len(lines) == 3


def test_a_backtest_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    """A folder is no file."""
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(NotReadable, match="cannot be read"):
        open_freqtrade(tmp_path / "folder.json", Options())


def test_moments_are_utc_and_amounts_are_their_shortest_text(tmp_path: Path) -> None:
    """0.1 is one tenth, and a quotient of floats ends at the 18th place."""
    made = (
        made_at(tmp_path).trade(1, is_open=1, close_profit_abs=None).order(1, "a", "buy", 0.1, 1.2345678901234567e-05)
    )
    (told,) = told_of(opened(made).read())
    assert (told.quantity, told.price) == (D("0.1"), D("0.000012345678901235"))
    assert told.at.isoformat() == f"{OPENED[:10]}T12:00:00+00:00"
