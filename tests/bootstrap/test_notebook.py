"""`plimsoll.Book` tells a notebook what a book holds: exactly, of its owner only, and without a trace in it."""

import decimal
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import insert, text, update

import plimsoll
from plimsoll.bootstrap import notebook
from plimsoll.bootstrap.notebook import Book
from plimsoll.bootstrap.notebook.frames import MissingLibrary, Rows
from plimsoll.bootstrap.notebook.opening import NoBook, OlderBook
from plimsoll.bootstrap.notebook.rows import PositionRow, TradeRow
from plimsoll.ledger import schema
from plimsoll.ledger.accounts import IMPORTED_BEHIND, STATEMENT
from plimsoll.ledger.database import ForeignDatabase, NewerDatabase, open_database
from plimsoll.model import money
from plimsoll.model.clock import time_text
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side
from plimsoll.settings import BadSetting
from plimsoll.store.place import Place, PostgresPlace, SqlitePlace
from tests.builders.ledger import INVERSE, NOON, PERPETUAL, SPOT, Books, booking, books_at, buy, paying, placing, sell
from tests.builders.owners import ADA, EVE, fill
from tests.builders.places import books_in, by_hand
from tests.builders.seeded import seed

D = Decimal
FILLS = 40


@pytest.fixture(autouse=True)
def a_notebooks_own_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of ours is set, and arithmetic is Python's own: 28 digits, and rounded without a word."""
    for name in ("DATA", "DATABASE", "DATABASE_SCHEMA", "CONFIG"):
        monkeypatch.delenv(f"PLIMSOLL_{name}", raising=False)
    with decimal.localcontext(decimal.Context(prec=28)):
        yield


def exactly(make: Callable[[], object]) -> None:
    """Do what a desk does by its arithmetic."""
    with decimal.localcontext(money.EXACT):
        make()


def folder_with(tmp_path: Path, *units: object) -> Path:
    """Make a desk's folder in which these were done."""

    def make() -> None:
        books = books_at(tmp_path / "desk.db").open()
        for unit in units:
            books.write(unit)  # type: ignore[arg-type]
        books.close()

    exactly(make)
    return tmp_path


@pytest.fixture
def home(place: Place) -> Place:
    """Give an empty book on either engine, on PostgreSQL under a name that settings take."""
    if isinstance(place, SqlitePlace):
        return place
    with by_hand(place) as engine, engine.begin() as connection:
        connection.execute(text(f'ALTER SCHEMA "{place.schema}" RENAME TO desk'))
    return PostgresPlace(place.url, "desk")


@pytest.fixture
def seeded(home: Place) -> Place:
    """Give a book on either engine with a bit of everything in it."""

    def make() -> None:
        books = books_in(home).open()
        seed(books, FILLS)
        books.close()

    exactly(make)
    return home


def open_book(place: Place, portfolio: str | None = None, user: str | None = None) -> Book:
    """Open a book where it lies, as a notebook names it."""
    if isinstance(place, PostgresPlace):
        return Book(place.url, schema=place.schema, portfolio=portfolio, user=user)
    return Book(place.path.parent, portfolio=portfolio, user=user)


# What is told -------------------------------------------------------------------------------------------------------


def test_everything_that_the_book_holds_is_told(seeded: Place) -> None:
    """On either engine: what comes out adds up to what went in."""
    with open_book(seeded) as book:
        trades, lines = book.trades(), book.cash_lines()
        assert len(trades) == FILLS
        assert [row.at for row in trades] == sorted(row.at for row in trades)
        assert {(row.symbol, row.venue, row.portfolio, row.account) for row in trades} == {
            (one.symbol, "paper", "main", "practice") for one in (SPOT, PERPETUAL, INVERSE)
        }
        for balance in book.balances():
            of = [row.amount for row in lines if (row.pocket, row.asset) == (balance.pocket, balance.asset)]
            with decimal.localcontext(money.EXACT):
                assert sum(of) == balance.amount, balance
        for position in book.positions():
            signed = [
                row.quantity if row.side == "BUY" else -row.quantity for row in trades if row.symbol == position.symbol
            ]
            in_coins = sum(
                row.fee for row in trades if (row.symbol, row.fee_asset) == (position.symbol, position.symbol[:3])
            )
            assert sum(signed) - position.quantity in (0, in_coins), position
            assert position.avg_price is not None
        states = {row.state for row in book.orders()}
        assert {"REJECTED", "EXPIRED", "UNKNOWN"} <= states
        assert {row.asset for row in book.pnl(by="month")} == {"USDT", "BTC", "BNB"}
        assert sum(row.trade_count for row in book.pnl(by="instrument", year=2022)) == FILLS
        assert len(book.pnl(year=2021)) == 0


def test_digits_are_kept_whatever_arithmetic_the_notebook_uses(tmp_path: Path) -> None:
    """33 digits: a sum of them in the notebook's own 28 would lose the last ones without a word."""
    folder = folder_with(
        tmp_path,
        booking(buy(SPOT, "1", "12345678901234.123456789012345678", 1)),
        booking(sell(SPOT, "1", "12345678901235.123456789012345679", 2)),
        booking(buy(PERPETUAL, "1", "12345678901234.123456789012345678", 3)),
        booking(sell(PERPETUAL, "1", "12345678901235.123456789012345678", 4)),
    )
    before = decimal.getcontext().prec
    with Book(folder) as book:
        (line,) = book.pnl(by="month")
        assert line.net == D("2.000000000000000001")
        assert line.turnover == D("49382715604938.493827156049382713")
        assert [row.gain for row in book.tax(2022)] == [D("1.000000000000000001"), D(1)]
        for _row in book.trades().stream():
            assert decimal.getcontext().prec == before


def test_a_round_trip_by_hand(tmp_path: Path) -> None:
    """Bought 2 at 100 and 1 at 130 (fee 1), sold 2 at 150 (fee 2): by every method what one comes to on paper."""
    folder = folder_with(
        tmp_path,
        paying("1000", "d-1"),
        booking(buy(SPOT, "2", "100", 1)),
        booking(buy(SPOT, "1", "130", 2, fee=D(1), fee_currency="USDT")),
        booking(sell(SPOT, "2", "150", 3, fee=D(2), fee_currency="USDT")),
    )
    with Book(folder) as book:
        (position,) = book.positions()
        assert (position.quantity, position.avg_price, position.realized_pnl) == (D(1), D(110), D(80))
        assert (position.fees, position.opened_at) == ((("USDT", D(3)),), NOON + timedelta(seconds=1))
        (line,) = book.pnl(by="day")
        assert (line.name, line.asset, line.price, line.fees, line.net) == ("2022-01-21", "USDT", D(80), D(-3), D(77))
        fifo, lifo = book.tax(2022), book.tax(2022, "lifo")
        assert [(row.quantity, row.proceeds, row.cost, row.gain) for row in fifo] == [(D(2), D(298), D(200), D(98))]
        assert [(row.quantity, row.gain) for row in lifo] == [(D(1), D(18)), (D(1), D(49))]
        assert [row.gain for row in book.tax(2022, "average", fees="apart")] == [D(80)]
        assert [row.acquired_at for row in book.tax(2022, "average")] == [None]
        assert fifo[0].disposed_at == NOON + timedelta(seconds=3)
        assert (fifo[0].acquired_by, fifo[0].disposed_by) == ("t1", "t3")
        assert len(book.tax(2021)) == 0
        report = book.performance(year=2022)
        assert [(curve.of, curve.source) for curve in report.curves] == [("main", "money_put_in")]
        assert report.curves[0].judged.total_return == D("0.077")


def test_what_is_unknown_is_none(tmp_path: Path) -> None:
    """A flat position has no average price, and neither has one that nobody knows the cost of."""
    folder = folder_with(tmp_path, booking(buy(SPOT, "1", "100", 1)), booking(buy(PERPETUAL, "1", "5", 2)),
                         booking(sell(PERPETUAL, "1", "6", 3)))  # fmt: skip
    with by_hand(SqlitePlace(folder / "desk.db")) as engine, engine.begin() as connection:
        spot = schema.positions.c.instrument_id == SPOT.id
        connection.execute(update(schema.positions).where(spot).values(uncosted=D(1), cost=D(0)))
    with Book(folder) as book:
        told = {row.symbol: (row.quantity, row.avg_price) for row in book.positions()}
        assert told == {"BTC/USDT": (D(1), None), "BTC/USDT:USDT": (D(0), None)}


def test_a_strategy_is_told_by_its_name(tmp_path: Path) -> None:
    """A bot's on the desk, a strategy's in an imported book, and a number where nobody knows any more."""
    folder = folder_with(tmp_path, booking(buy(SPOT, "1", "100", 1)))
    imported = IMPORTED_BEHIND + 1
    with closing(sqlite3.connect(folder / "desk.db", isolation_level=None)) as desk:
        # As the desk and an import write them: the same numbers mean bots here, and strategies there.
        desk.execute("INSERT INTO bots VALUES (4, 1, 1, 'dip buyer', 'x', '{}', 'STOPPED', '{}', NULL, NULL)")
        version = (4, "s", 1, "their rules", 1, "import", "{}", time_text(NOON), None)
        desk.execute("INSERT INTO strategies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", version)
        copied_row(desk, "accounts", id=imported, uid="b", name="theirs", broker=STATEMENT)
        copied_row(desk, "portfolios", id=imported, uid="b", name="theirs", account_id=imported)
        theirs = {"account_id": imported, "portfolio_id": imported}
        for number, strategy in enumerate((4, 9), start=2):
            copied_row(desk, "trades", id=number, strategy_id=strategy, broker_trade_id=f"t{number}")
            copied_row(desk, "trades", id=number, strategy_id=strategy, broker_trade_id=f"t{number}", **theirs)
            copied_row(desk, "positions", strategy_id=strategy, **theirs)
    for portfolio, strategies in (("main", ["", "dip buyer", "bot 9"]), ("theirs", ["their rules", "bot 9"])):
        with Book(folder, portfolio=portfolio) as book:
            assert [row.strategy for row in book.trades()] == strategies


def copied_row(desk: sqlite3.Connection, table: str, **changed: object) -> None:
    """Write the first row of a table once more, changed in some cells."""
    columns = [row[1] for row in desk.execute(f"PRAGMA table_info({table})")]
    cells = dict(zip(columns, desk.execute(f"SELECT * FROM {table}").fetchone(), strict=True)) | changed
    desk.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(cells))})", list(cells.values()))


# Time and symbol ----------------------------------------------------------------------------------------------------


def test_a_stretch_of_time_and_a_symbol_narrow_what_is_told(tmp_path: Path) -> None:
    """From a moment on, and up to before another; a day begins at midnight UTC."""
    days = [buy(SPOT, "1", "100", day, exec_time=NOON + timedelta(days=day)) for day in range(5)]
    folder = folder_with(
        tmp_path,
        paying("5", "d-1"),
        *(booking(one) for one in days),
        booking(buy(PERPETUAL, "1", "100", 9)),
        placing("a", SPOT, Side.BUY, "1"),
        placing("b", PERPETUAL, Side.BUY, "1"),
    )
    with Book(folder) as book:

        def told(**said: object) -> list[int]:
            return [row.at.day for row in book.trades(symbol="BTC/USDT", **said)]  # type: ignore[arg-type]

        assert told() == [21, 22, 23, 24, 25]
        assert told(since="2022-01-22", until="2022-01-24") == [22, 23]
        assert told(since=date(2022, 1, 24)) == [24, 25]
        assert told(since=NOON + timedelta(days=1), until=NOON + timedelta(days=2)) == [22]
        assert told(since="2022-01-22T14:00:00+02:00", until="2022-01-22T12:00:01Z") == [22]
        assert [row.symbol for row in book.orders(symbol="BTC/USDT")] == ["BTC/USDT"]
        assert [row.at for row in book.orders(until=NOON)] == []
        assert len(book.cash_lines(until=NOON)) == 0
        assert [row.kind for row in book.cash_lines() if row.kind == "DEPOSIT"] == ["DEPOSIT"]
        assert len(book.cash_lines(symbol="BTC/USDT")) == 0
        assert [row.name for row in book.pnl(since="2022-01-22", until="2022-01-24")] == ["2022-01-22", "2022-01-23"]
        assert len(book.pnl(since="2022-01-24", until="2022-01-24")) == 0


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda book: book.trades(symbol="ETH/USDT"), "symbol = 'ETH/USDT': nothing of it was ever traded here; there"),
        (lambda book: book.trades(since="last week"), "since = 'last week': write a day as 2022-01-31"),
        (lambda book: book.trades(until=datetime(2022, 1, 1)), "until = .*: give a time with its zone"),  # noqa: DTZ001
        (lambda book: book.pnl(year=2022, since="2022-01-01"), "year = 2022: give a year, or since and until"),
        (lambda book: book.pnl(year=22), "year = 22: give a year between 1970 and 2199"),
        (lambda book: book.pnl(since=NOON), "since = .*: earnings are kept by the day"),
        (lambda book: book.pnl(by="hour"), "'hour' is not a valid By"),
        (lambda book: book.tax(2022, "cheapest"), "'cheapest' is not a valid LotMethod"),
        (lambda book: next(book.trades().chunks(0)), "size = 0: take at least one row at a time"),
    ],
)
def test_what_nobody_can_answer_is_refused_by_name(tmp_path: Path, ask: Callable[[Book], object], told: str) -> None:
    """At once, and not when somebody looks at the rows."""
    with Book(folder_with(tmp_path, booking(buy(SPOT, "1", "100")))) as book, pytest.raises(ValueError, match=told):
        ask(book)


# Long lists ---------------------------------------------------------------------------------------------------------


def test_a_long_list_is_read_a_piece_at_a_time(seeded: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is missed between two pieces, none comes twice, and what is streamed is what is listed."""
    with open_book(seeded) as book:
        whole = {kind: list(ask()) for kind, ask in _lists(book).items()}
        monkeypatch.setattr(notebook, "_AT_ONCE", 11)
        for kind, ask in _lists(book).items():
            rows = ask()
            assert list(rows.stream()) == whole[kind]
            assert "not read yet" in repr(rows)
            chunks = list(rows.chunks(7))
            assert [row for chunk in chunks for row in chunk] == whole[kind]
            assert {len(chunk) for chunk in chunks[:-1]} <= {7}
            assert (rows[0], rows[-1], rows[:2]) == (whole[kind][0], whole[kind][-1], tuple(whole[kind][:2]))
            assert repr(rows).endswith(f": {len(whole[kind])}>")


def _lists(book: Book) -> dict[str, Callable[[], Rows]]:  # type: ignore[type-arg]
    return {"trades": book.trades, "orders": book.orders, "cash lines": book.cash_lines}


def test_a_desk_goes_on_while_somebody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it books meanwhile comes too, an instrument that nobody had named included; nothing waits for the reader."""
    monkeypatch.setattr(notebook, "_AT_ONCE", 2)
    desk: list[Books] = []

    def begin() -> None:
        desk.append(books_at(tmp_path / "desk.db").open())
        desk[0].book(buy(SPOT, "1", "100", 1), buy(SPOT, "1", "101", 2))

    exactly(begin)
    with Book(tmp_path) as book:
        stream = book.trades().stream()
        assert next(stream).price == D(100)
        exactly(lambda: desk[0].book(buy(PERPETUAL, "1", "102", 3)))
        assert [(row.symbol, row.price) for row in stream] == [("BTC/USDT", D(101)), ("BTC/USDT:USDT", D(102))]
        assert len(book.trades()) == 3
        exactly(lambda: desk[0].book(buy(PERPETUAL, "1", "103", 4)))
        rows = book.trades()
        assert (len(rows), len(rows)) == (4, 4)
    desk[0].close()


# Whose ----------------------------------------------------------------------------------------------------------------


def test_everybody_sees_his_own(home: Place) -> None:
    """By name; the owner is who was there first; another's rows are not there."""
    with by_hand(home) as engine:
        fill(engine, ADA, EVE)
    for name, owner in ((None, ADA), ("ada-name-0", ADA), ("eve-name-0", EVE)):
        with open_book(home, user=name) as book:
            assert repr(book).endswith(f": {owner.name}-name-0, {owner.name}-name-1>")
            assert {row.portfolio for row in book.trades()} == {f"{owner.name}-name-0", f"{owner.name}-name-1"}
            assert {row.triggered_by[:3] for row in book.orders()} == {owner.name}
            assert {row.account for row in book.equity()} == {f"{owner.name}-name-0"}
            assert [row.amount > owner.thousand for row in book.balances()] == [True, True]
            (statement,) = book.imports()
            assert (statement.uid, statement.file_name) == (f"{owner.name}-uid-0", f"{owner.name}-file_name-0")
            (line,) = book.import_lines(statement.uid)
            assert line.raw == f"{owner.name}-raw-0"
            other = EVE if owner is ADA else ADA
            assert len(book.import_lines(f"{other.name}-uid-0")) == 0
    with pytest.raises(Illegal, match="there is nobody of this name; there are: ada-name-0, eve-name-0"):
        open_book(home, user="mallory")


def test_one_portfolio_is_asked_for_by_name_or_id(home: Place) -> None:
    """And nothing of another is told; of two that share a name, neither is guessed."""
    with by_hand(home) as engine:
        fill(engine, ADA)
    for name in ("ada-name-1", "ada-uid-1"):
        with open_book(home, name) as book:
            lists = (book.trades(), book.orders(), book.cash_lines(), book.positions(), book.balances())
            assert [{row.portfolio for row in rows} for rows in lists] == [{"ada-name-1"}] * 5
            assert [row.portfolio for row in book.tax(2022)] in ([], ["ada-name-1"])
    with pytest.raises(Illegal, match="there is none of this name; there are: ada-name-0, ada-name-1"):
        open_book(home, "eve-name-0")
    with by_hand(home) as engine, engine.begin() as connection:
        account = {"user_id": ADA.user_id, "broker": "paper", "mode": "PAPER", "base_currency": "USDT"}
        account |= {"id": 9, "uid": "another", "name": "another", "price_source": "none", "profile": "standard"}
        connection.execute(insert(schema.accounts).values(account))
        portfolio = {"id": 9, "uid": "another", "account_id": 9, "user_id": ADA.user_id, "name": "ada-name-1"}
        connection.execute(insert(schema.portfolios).values(portfolio))
    with pytest.raises(
        Illegal, match=r"several have this name: give its id, another \(account another\), ada-uid-1 \("
    ):
        open_book(home, "ada-name-1")


# Where --------------------------------------------------------------------------------------------------------------


def test_a_book_is_found_where_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word the folder of the settings; or a folder, or a copy of the file under any name."""
    (tmp_path / "data").mkdir()
    folder = folder_with(tmp_path / "data", paying("5", "d-1"))
    monkeypatch.setenv("PLIMSOLL_DATA", str(folder))
    copy = Path(shutil.copy(folder / "desk.db", tmp_path / "copy of monday.db"))
    for data in (None, folder, str(folder), copy):
        with Book(data) as book:
            assert [row.amount for row in book.balances()] == [D(5)]


def test_reading_leaves_no_trace(tmp_path: Path) -> None:
    """No byte is changed, and no file is left beside the book."""
    folder = folder_with(tmp_path, booking(buy(SPOT, "1", "100")))
    before = {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith(("-shm", "-wal"))}
    book = Book(folder)
    with book:
        list(book.trades())
    book.close()
    assert {file.name: file.read_bytes() for file in folder.iterdir()
            if not file.name.endswith(("-shm", "-wal"))} == before  # fmt: skip


def test_what_is_no_book_of_this_release_is_refused(tmp_path: Path) -> None:
    """An empty folder, an empty database, somebody else's, an older release's and a newer one's: each by a sentence."""
    with pytest.raises(NoBook, match="there is no desk's book here; name its data folder"):
        Book(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []
    empty = tmp_path / "empty.db"
    sqlite3.connect(empty).close()
    empty.touch()
    with pytest.raises(NoBook):
        Book(empty)
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE trades (id INTEGER)")
    with pytest.raises(ForeignDatabase):
        Book(foreign)
    book = tmp_path / "desk.db"
    open_database(SqlitePlace(book))
    for version, refusal in (("0004", OlderBook), ("9999", NewerDatabase)):
        with closing(sqlite3.connect(book, isolation_level=None)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
        with pytest.raises(refusal):
            Book(book)
    with closing(sqlite3.connect(book, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0006'")
    with pytest.raises(Illegal, match="user = None: there is nobody of this name; there are: none"):
        Book(book)
    with pytest.raises(BadSetting, match="database"):
        Book("postgresql://nobody@/")


# Frames -------------------------------------------------------------------------------------------------------------


def some_rows() -> Rows[PositionRow]:
    row = PositionRow(
        account="practice",
        portfolio="main",
        symbol="BTC/USDT",
        venue="paper",
        strategy="",
        leg="",
        quantity=D("0.1"),
        avg_price=None,
        cost=D(0),
        currency="USDT",
        realized_pnl=D("12.5"),
        fees=(("BNB", D("0.10")), ("USDT", D(2))),
        opened_at=NOON,
    )
    return Rows(PositionRow, lambda: [row])


def test_a_library_that_is_missing_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plimsoll needs neither."""
    for name, frame in (("pandas", Rows.to_pandas), ("polars", Rows.to_polars)):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(MissingLibrary, match=f"{name} is not installed here: pip install {name}"):
            frame(some_rows())


def test_columns_are_typed_by_what_the_rows_are_and_not_by_what_is_in_them() -> None:
    """Nothing in a column does not make it another type, and amounts by asset are told as text."""
    told = {name: (kind, cells) for name, kind, cells in some_rows()._columns()}
    assert told["quantity"] == (Decimal, [D("0.1")])
    assert told["avg_price"] == (Decimal, [None])
    assert told["opened_at"] == (datetime, [NOON])
    assert told["fees"] == (str, ["0.1 BNB, 2 USDT"])
    empty: Rows[TradeRow] = Rows(TradeRow, list)
    assert {name: kind for name, kind, _ in empty._columns()}["realized"] is Decimal


def test_pandas_gets_exact_numbers_or_floats_for_a_chart() -> None:
    """Times in UTC, Decimals as they are; None is missing and not 0."""
    pandas = pytest.importorskip("pandas")
    frame = some_rows().to_pandas()
    assert frame["quantity"][0] == D("0.1")
    assert str(frame["opened_at"].dtype) == "datetime64[ns, UTC]"
    floats = some_rows().to_pandas(floats=True)
    assert (str(floats["quantity"].dtype), floats["quantity"][0]) == ("float64", 0.1)
    assert pandas.isna(floats["avg_price"][0])
    assert str(Rows(PositionRow, list).to_pandas()["opened_at"].dtype) == "datetime64[ns, UTC]"


def test_polars_gets_exact_numbers_or_floats_for_a_chart() -> None:
    """In its own decimals of 38 digits, 18 of them places."""
    polars = pytest.importorskip("polars")
    frame = some_rows().to_polars()
    assert frame.schema["quantity"] == polars.Decimal(38, 18)
    assert frame["quantity"][0] == D("0.1")
    assert frame.schema["opened_at"] == polars.Datetime("us", "UTC")
    floats = some_rows().to_polars(floats=True)
    assert (floats["quantity"][0], floats["avg_price"][0]) == (0.1, None)


# The package ----------------------------------------------------------------------------------------------------------


def test_the_vocabulary_is_light_and_brings_the_book_when_it_is_asked_for() -> None:
    """`import plimsoll` loads no database, and knows no names that it has not."""
    loaded = "print('sqlalchemy' in sys.modules)"
    script = f"import plimsoll, sys; {loaded}; plimsoll.Book; {loaded}"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "False\nTrue\n"
    assert plimsoll.Book is Book
    with pytest.raises(AttributeError, match="has no attribute 'Desktop'"):
        plimsoll.Desktop  # noqa: B018


def test_the_page_about_notebooks_says_what_is_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example runs as it is printed, but for those that ask for a library that is not installed."""
    page = (Path(__file__).parents[2] / "docs" / "notebooks.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(examples) >= 4
    folder = folder_with(tmp_path, paying("1000", "d-1"), booking(buy(SPOT, "2", "100", 1)),
                         booking(sell(SPOT, "1", "150", 2, fee=D(2), fee_currency="USDT")))  # fmt: skip
    monkeypatch.setenv("PLIMSOLL_DATA", str(folder))
    world: dict[str, object] = {}
    for example in examples:
        try:
            exec(example, world)
        except MissingLibrary:
            assert "to_pandas" in example or "to_polars" in example
    for table in ("trades", "orders", "positions", "balances", "cash_lines", "equity", "pnl", "tax", "performance"):
        assert f"`book.{table}(" in page
