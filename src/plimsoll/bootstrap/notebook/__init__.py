"""A desk's book for notebooks: `plimsoll.Book`, read-only, typed, exact.

    from plimsoll import Book

    with Book() as book:
        for row in book.pnl(by="month", year=2021):
            print(row.name, row.asset, row.net)
        trades = book.trades(symbol="BTC/USDT", since="2021-01-01").to_pandas()

Rule 1. It never writes and holds nothing open between two questions: a desk at work does not notice it.
Rule 2. It asks as one user of the desk, its owner unless somebody else is named, and sees what is his.
Rule 3. Numbers are Decimals to the last digit, whatever arithmetic the notebook itself uses.

`rows` is what comes out · `frames` how it is held · `opening` where the book lies and who asks.

What must not enter: anything that decides or writes, and a library that a desk does not need.
"""

import decimal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from heapq import merge
from pathlib import Path
from types import TracebackType
from typing import Literal, TypedDict, TypeVar

from plimsoll.bootstrap.notebook.frames import Rows
from plimsoll.bootstrap.notebook.opening import Moment, check_book, moment, place_of, portfolios_meant, user_named
from plimsoll.bootstrap.notebook.rows import (
    BalanceRow,
    CashRow,
    EquityRow,
    ImportRow,
    Names,
    OrderRow,
    PnlRow,
    PositionRow,
    TaxRow,
    TradeRow,
    equity_row,
    pnl_row,
)
from plimsoll.edges.reports.performance import PerformanceReport, performance_report
from plimsoll.edges.reports.pnl import pnl_report
from plimsoll.ledger.lots import Matching
from plimsoll.ledger.reading.earnings import By
from plimsoll.ledger.reading.imported import ImportedLine
from plimsoll.ledger.reading.reader import Own, Reader
from plimsoll.model import money
from plimsoll.model.asker import Asker
from plimsoll.model.clock import SystemClock
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.lots import FeeRule, LotMethod
from plimsoll.store.place import people_reader

Noun = TypeVar("Noun")
TimedRow = TypeVar("TimedRow", TradeRow, OrderRow, CashRow)

#: Rows of one question.
_AT_ONCE = 2_000
#: Every point of an equity curve; a page shows fewer.
_ALL_POINTS = 10_000_000
_DAY = timedelta(days=1)
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(2199, 12, 31)

PnlBy = Literal["day", "month", "portfolio", "instrument", "strategy", "venue"]
TaxMethod = Literal["fifo", "lifo", "hifo", "lofo", "average"]
TaxFees = Literal["in-cost", "apart"]


class Book:
    """A desk's book, to be read.

    Shapes: `data` a desk's folder, a copy of its `desk.db`, or `postgresql://…`; None for the folder of the settings.
        `user` by name; None for the owner. `portfolio` by name or id; None for all of the user's.
        `since` is included and `until` is not: a moment with its zone, or a day, which begins at midnight UTC.
    Raises: NoBook, OlderBook, NewerDatabase, ForeignDatabase; Illegal for a name that nobody has
    """

    def __init__(
        self,
        data: str | Path | None = None,
        *,
        user: str | None = None,
        portfolio: str | None = None,
        schema: str | None = None,
    ) -> None:
        place = place_of(data, schema)
        check_book(place)
        asker = Asker(user_named(place, user))
        self._where = str(place)
        self._engine = people_reader(place)
        try:
            self._own: Own = Reader(self._engine).of(asker)
            self._portfolios = portfolios_meant(self._own.earnings.portfolios(), portfolio)
        except BaseException:
            self._engine.dispose()
            raise

    def __enter__(self) -> "Book":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        names = ", ".join(sorted({one.name for one in self._portfolios})) or "no portfolio"
        return f"<Book of {self._where}: {names}>"

    def close(self) -> None:
        """Let go of the book; again is harmless."""
        self._engine.dispose()

    # What happened ------------------------------------------------------------------------------------------------

    def trades(
        self, *, since: Moment | None = None, until: Moment | None = None, symbol: str | None = None
    ) -> Rows[TradeRow]:
        """List fills. A million of them go through `.stream()` or `.chunks(n)` with flat memory."""
        read = partial(self._own.onward.trades, instruments=self._instruments(symbol), **_between(since, until))
        return Rows(TradeRow, lambda: self._onward(read, lambda booked: booked.id, Names.trade))

    def orders(
        self, *, since: Moment | None = None, until: Moment | None = None, symbol: str | None = None
    ) -> Rows[OrderRow]:
        """List orders by the time at which they were placed, as they stand now."""
        read = partial(self._own.onward.orders, **_between(since, until))

        def told() -> Iterator[OrderRow]:
            every = self._onward(read, lambda named: named.order.id, Names.order)
            return (row for row in every if symbol in (None, row.symbol))

        return Rows(OrderRow, told)

    def cash_lines(
        self, *, since: Moment | None = None, until: Moment | None = None, symbol: str | None = None
    ) -> Rows[CashRow]:
        """List movements of every asset; with a symbol, what a position of it earned or cost beside its trades."""
        read = partial(self._own.onward.cash_lines, instruments=self._instruments(symbol), **_between(since, until))
        return Rows(CashRow, lambda: self._onward(read, lambda booked: booked.id, Names.cash_line))

    def equity(self, *, since: Moment | None = None, until: Moment | None = None) -> Rows[EquityRow]:
        """List what each account was worth, as often as somebody looked."""
        begin, end = moment(since, "since"), moment(until, "until")

        def told() -> Iterator[EquityRow]:
            for account, name in self._accounts().items():
                with _exactly():
                    found = self._own.curve.equity(account, since=begin, until=end, points=_ALL_POINTS)
                yield from (equity_row(name, point) for point in found if end is None or point.at < end)

        return Rows(EquityRow, told)

    # What there is ------------------------------------------------------------------------------------------------

    def positions(self) -> Rows[PositionRow]:
        """List positions, flat ones included: their profit stays."""

        def told() -> list[PositionRow]:
            with _exactly():
                names = self._names()
                return [names.position(one) for one in self._own.holdings.positions(among=self._among)]

        return Rows(PositionRow, told)

    def balances(self) -> Rows[BalanceRow]:
        """List what each portfolio has of each asset in each pocket."""

        def told() -> list[BalanceRow]:
            with _exactly():
                names = self._names()
                return [names.balance(one) for one in self._own.holdings.balances(among=self._among)]

        return Rows(BalanceRow, told)

    # What it came to ----------------------------------------------------------------------------------------------

    def pnl(
        self,
        by: PnlBy = "day",
        *,
        year: int | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
    ) -> Rows[PnlRow]:
        """Add up what was earned, by whole days (UTC); nothing is converted, so each asset has lines of its own."""
        chosen, (first, last) = By(by), _days(year, since, until)

        def told() -> list[PnlRow]:
            if first > last:
                return []
            with _exactly():
                return [pnl_row(line) for line in pnl_report(self._own, chosen, first, last, self._among).lines]

        return Rows(PnlRow, told)

    def tax(self, year: int, method: TaxMethod = "fifo", *, fees: TaxFees = "in-cost") -> Rows[TaxRow]:
        """List what was realised in a year (UTC), piece of lot by piece of lot."""
        matching, rule = Matching(LotMethod(method), FeeRule(fees)), FeeRule(fees)
        first, last = _days(year, None, None)

        def told() -> list[TaxRow]:
            with _exactly():
                names = self._names()
                begin, end = _midnight(first), _midnight(last) + _DAY
                found = self._own.realised.realised(matching, since=begin, until=end, among=self._among)
                return sorted((names.piece(one, rule) for one in found.pieces), key=lambda row: row.disposed_at)

        return Rows(TaxRow, told)

    def performance(
        self,
        *,
        year: int | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        capital: Decimal | None = None,
    ) -> PerformanceReport:
        """Judge returns and round trips; `capital` is the money at work where the book does not tell of any."""
        first, last = _days(year, since, until)
        with _exactly():
            now = SystemClock().now()
            return performance_report(self._own, first, min(last, now.date()), now, among=self._among, capital=capital)

    # Where it came from -------------------------------------------------------------------------------------------

    def imports(self) -> Rows[ImportRow]:
        """List the statements that were imported."""

        def told() -> Iterator[ImportRow]:
            names = self._names()
            for account in self._accounts():
                yield from (names.statement(one) for one in self._own.imported.statements(of=account))

        return Rows(ImportRow, told)

    def import_lines(self, uid: str) -> Rows[ImportedLine]:
        """List everything that a statement told, with the lines that it stood in."""

        def told() -> Iterator[ImportedLine]:
            above = 0
            while found := self._own.imported.lines(uid, above=above, limit=_AT_ONCE):
                yield from found
                above = found[-1].item

        return Rows(ImportedLine, told)

    # ---------------------------------------------------------------------------------------------------------------

    @property
    def _among(self) -> list[PortfolioId]:
        return [one.id for one in self._portfolios]

    def _accounts(self) -> dict[AccountId, str]:
        return {one.account_id: one.account for one in self._portfolios}

    def _names(self) -> Names:
        naming = self._own.naming
        return Names(self._portfolios, naming.instruments(among=self._among), naming.strategies(among=self._among))

    def _instruments(self, symbol: str | None) -> list[InstrumentId] | None:
        if symbol is None:
            return None
        every = self._own.naming.instruments(among=self._among)
        found = [one.id for one in every if one.symbol == symbol]
        if not found:
            there = ", ".join(sorted({one.symbol for one in every})) or "nothing"
            raise Illegal("symbol", symbol, f"nothing of it was ever traded here; there is: {there}")
        return found

    def _onward(
        self,
        read: Callable[..., Sequence[Noun]],
        number: Callable[[Noun], int],
        make: Callable[[Names, Noun], TimedRow],
    ) -> Iterator[TimedRow]:
        """Go through the rows of every account at once, in the order of time as far as they were written in it."""
        streams = [self._of_account(account, read, number, make) for account in self._accounts()]
        return merge(*streams, key=lambda row: row.at)

    def _of_account(
        self,
        account: AccountId,
        read: Callable[..., Sequence[Noun]],
        number: Callable[[Noun], int],
        make: Callable[[Names, Noun], TimedRow],
    ) -> Iterator[TimedRow]:
        above, names = 0, self._names()
        while True:
            # Around each piece, and never around a `yield`: between two rows the arithmetic is the notebook's own.
            with _exactly():
                found = read(account, above=above, limit=_AT_ONCE, among=self._among)
                try:
                    rows = [make(names, one) for one in found]
                except KeyError:  # the desk began to trade something while we read
                    names = self._names()
                    rows = [make(names, one) for one in found]
            if not found:
                return
            above = number(found[-1])
            yield from rows


class _Between(TypedDict):
    since: datetime | None
    until: datetime | None


def _between(since: Moment | None, until: Moment | None) -> _Between:
    return {"since": moment(since, "since"), "until": moment(until, "until")}


def _days(year: int | None, since: Moment | None, until: Moment | None) -> tuple[date, date]:
    """Give the first and the last day that are meant; both are in."""
    if year is not None:
        if since is not None or until is not None:
            raise Illegal("year", year, "give a year, or since and until")
        if not _FIRST_DAY.year <= year <= _LAST_DAY.year:
            raise Illegal("year", year, "give a year between 1970 and 2199")
        return date(year, 1, 1), date(year, 12, 31)
    begin, end = moment(since, "since"), moment(until, "until")
    for name, said in (("since", begin), ("until", end)):
        if said is not None and said.time() != time():
            raise Illegal(name, said, "earnings are kept by the day: give a day, which begins at midnight UTC")
    first = _FIRST_DAY if begin is None else begin.date()
    return first, _LAST_DAY if end is None else (end - _DAY).date()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _exactly() -> AbstractContextManager[decimal.Context]:
    """Reckon as the book does, for a moment; a notebook's own arithmetic rounds to 28 digits."""
    return decimal.localcontext(money.EXACT)
