"""A statement becomes a part of an imported book, or the desk stays as it is.

    read ─► spool (with what the book's statements told before) ─► begin ─► build ─► compare ─► take in ─► finish

Rule 1. All or nothing: with one complaint nothing is imported, unless a person says that the rest is wanted.
Rule 2. Nothing is begun for a statement that brings nothing new: the same file again leaves the book as it is.
Rule 3. What a source says that it made is held against what the book makes of the same fills, before anybody sees it.
Rule 4. Everything of ours beside the book is scratch: what an import leaves behind when it is killed, the next removes.

What must not enter: the words of a format (`imports`), and who is the one writer (`desk.import_book.Importing`).
"""

import fcntl
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol, TypeAlias, runtime_checkable

from sqlalchemy import Engine

from plimsoll.bootstrap import DataDirectory, look_at
from plimsoll.desk.import_book import Importing
from plimsoll.imports.bot_owned import BotOwnedStatement
from plimsoll.imports.statement import COMPLAINT_LIMIT, Complaint, Statement
from plimsoll.imports.tally import Standing, Unequal, unequal
from plimsoll.imports.theirs import Report, Theirs, compare, nets_by_leg
from plimsoll.ledger.imported.build import BookPlace, Built, Holding, build
from plimsoll.ledger.imported.current import Book, book_named
from plimsoll.ledger.imported.spool import Contradiction, Spool, Wanted
from plimsoll.ledger.imported.spool import Statement as Told
from plimsoll.ledger.imports import check_name, traded
from plimsoll.model.clock import Clock
from plimsoll.model.errors import CommandRefused, Illegal, PlimsollError, Refusal
from plimsoll.model.ids import AccountId, Ids, InstrumentId, PortfolioId, StrategyId, UserId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.store.connection import StoreFailed
from plimsoll.store.place import reader

#: What is not known is taken as finely as the book can: nothing is ordered by it.
_FINEST = Decimal("0.00000001")
_SHARES = frozenset({"ibkr", "alpaca"})
_CONTRACTS = frozenset({"mt5"})
#: How often progress is told.
_EVERY = 5_000

#: Tells (what is done, how much of it, of how much); of 0 where nobody knows.
Progress = Callable[[str, int, int], None]
#: Opens the way into the one writer, for as long as it is needed.
Opening: TypeAlias = Callable[[], AbstractAsyncContextManager[Importing]]


@runtime_checkable
class TellsProfits(Protocol):
    """A source that says what each of its trades made."""

    def theirs(self) -> Iterator[Theirs]:
        """Tell what it says each trade made."""


class ImportRefused(PlimsollError):
    """Nothing was imported: mend these lines, or leave them out with --skip-bad-lines, if they are fewer than 1000."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        count = len(self.complaints)
        super().__init__(f"{count} {'line' if count == 1 else 'lines'} cannot be imported. {type(self).__doc__}")


class ProfitsDiffer(PlimsollError):
    """What the source counted and what the book makes of it differ; nothing was imported."""

    def __init__(self, found: tuple[Unequal, ...]) -> None:
        self.found = found
        super().__init__(f"{'; '.join(map(str, found))}. {type(self).__doc__}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants imported, and how."""

    user_id: UserId
    portfolio: str
    #: What the account counts in; None takes what most of its fills were paid in.
    currency: str | None = None
    dry_run: bool = False
    #: Import what can be read, and tell of the rest.
    skip_bad_lines: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import, or would come of it."""

    portfolio: str
    #: Empty where nothing was written.
    portfolio_uid: str
    statement: Told
    #: Fills that the book did not have.
    trades_added: int
    complaints: tuple[Complaint, ...]
    #: What every position of the whole book comes to.
    holdings: tuple[Holding, ...]
    #: What the source says that its trades made, beside what the book says; None where it says nothing.
    report: Report | None
    written: bool


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A statement that is no part of its book any more."""

    portfolio: str
    statement: Told
    #: What the book has left.
    statements: int


@dataclass(frozen=True, slots=True)
class Desk:
    """What an import asks of the desk that it is for."""

    directory: DataDirectory
    opening: Opening
    clock: Clock
    ids: Ids


async def import_statement(desk: Desk, source: Statement, wish: Wish, progress: Progress) -> Imported:
    """Bring a statement into a book of its name, made where there is none.

    Raises: ImportRefused, Contradiction, ProfitsDiffer, Illegal, CommandRefused, and what the source raises
    """
    check_name(wish.portfolio)
    with _spool(desk) as spool, _current(desk, wish) as (engine, book):
        if book.account_id is None and book.traded_at:
            # The desk would refuse it as well, a minute later; a dry run would never hear of it.
            raise CommandRefused(traded(wish.portfolio, book.traded_at))
        if engine is not None and book.account_id is not None:
            progress("loading", 0, 0)
            spool.load_current(engine, book.account_id)
        number = spool.begin_statement(_statement(desk, source, wish, book.next_number), source.venue)
        complaints = _read(spool, number, source, progress)
        # A reader that has complained so often reads no further: what stands behind would be left out without a word.
        if complaints and (not wish.skip_bad_lines or len(complaints) >= COMPLAINT_LIMIT):
            raise ImportRefused(complaints)
        progress("sorting", 0, 0)
        try:
            spool.settle()
        except Contradiction:
            _refuse_otherwise(book, source)
            raise
        (statement,) = (one for one in spool.statements if one.number == number)
        if statement.added:
            _refuse_otherwise(book, source)
        if not spool.count:
            raise CommandRefused(
                Refusal("nothing_told", f"{source.file_name} tells of nothing that moved", remedy="look at its lines")
            )
        if isinstance(source, BotOwnedStatement):
            _check_against_its_own_count(desk, source, wish)
        if wish.dry_run or not statement.added:
            built = _build(spool, _made_up(spool.wanted(), desk, wish), b"\0", progress)
            outcome = _outcome(source, wish, statement, built, book, complaints)
        else:
            outcome = await _bring(desk, spool, source, wish, statement, book, complaints, progress)
    return outcome


async def take_back(desk: Desk, wish: Wish, uid: str, progress: Progress) -> TakenBack:
    """Make a book anew without one of its statements.

    Raises: CommandRefused
    """
    with _spool(desk) as spool, _current(desk, wish) as (engine, book):
        gone = next((one for one in book.statements if one.uid == uid), None)
        if engine is None or book.account_id is None or gone is None:
            known = ", ".join(one.uid for one in book.statements) or "none"
            raise CommandRefused(
                Refusal(
                    "import_unknown",
                    f"{wish.portfolio} has no import {uid}",
                    uid,
                    remedy=f"name one of its own: {known}",
                )
            )
        progress("loading", 0, 0)
        spool.load_current(engine, book.account_id, leaving_out=uid)
        spool.settle()
        place = await _place(desk, spool.wanted(), wish, book)
        built = _build(spool, place, desk.directory.chain_key(), progress)
        await _take_in(desk, wish, built, progress)
        return TakenBack(wish.portfolio, gone, len(spool.statements))


def _refuse_otherwise(book: Book, source: Statement) -> None:
    """Refuse a file that was read before and tells other things now.

    It did not change, so what it is read with did: another zone, currency or venue.

    Raises: CommandRefused
    """
    read = next((one for one in book.statements if one.sha256 == source.sha256), None)
    if read is not None:
        raise CommandRefused(
            Refusal(
                "told_otherwise",
                f"{read.file_name} was imported before, and was read with other options then",
                source.sha256,
                remedy=f"import it with the same options, or take that import back first: {read.uid}",
            )
        )


# Reading --------------------------------------------------------------------------------------------------------------


def _statement(desk: Desk, source: Statement, wish: Wish, number: int) -> Told:
    made_by = f"user:{wish.user_id}"
    # A name that is no text on this disk is kept spelt out.
    name = source.file_name.encode(errors="backslashreplace").decode()
    return Told(number, desk.ids.uuid7(), source.format, name, source.sha256, made_by, desk.clock.now())


def _read(spool: Spool, number: int, source: Statement, progress: Progress) -> list[Complaint]:
    complaints: list[Complaint] = []
    for count, line in enumerate(source.read(), start=1):
        if isinstance(line, Complaint):
            complaints.append(line)
            continue
        try:
            spool.add(number, line.told, line.raw)
        except Illegal as bad:
            complaints.append(Complaint(line.told.lines[0], bad.field, str(bad.value), bad.remedy))
        if count % _EVERY == 0:
            progress("reading", line.told.lines[0], source.line_count)
    spool.end_statement(number, source.line_count)
    return complaints


# Building -------------------------------------------------------------------------------------------------------------


def _build(spool: Spool, place: BookPlace, key: bytes, progress: Progress) -> Built:
    built = build(spool, place, key, lambda done, total: progress("folding", done, total))
    spool.close()
    return built


def _made_up(wanted: Wanted, desk: Desk, wish: Wish) -> BookPlace:
    """Give a book that is only looked at names that nobody will ever read."""
    instruments = {
        (one.venue, one.symbol): replace(one, id=InstrumentId(number))
        for number, one in enumerate(_instruments(wanted), start=1)
    }
    strategies = {name: StrategyId(number) for number, name in enumerate(wanted.strategies, start=1)}
    return BookPlace(AccountId(1), PortfolioId(1), instruments, strategies, f"user:{wish.user_id}", desk.clock.now())


async def _place(desk: Desk, wanted: Wanted, wish: Wish, book: Book) -> BookPlace:
    """Have the desk write everything that the book names, and begin its making.

    The way to the writer is let go of while the book is built: that takes a minute, and nobody is kept waiting.
    """
    instruments, currency = _instruments(wanted), wish.currency or _currency(wanted)
    async with desk.opening() as importing:
        numbers = await importing.know_instruments(instruments)
        strategies = await importing.know_strategies(wish.user_id, wanted.strategies)
        making = await importing.begin(wish.user_id, wish.portfolio, currency)
    if making.made_from != (book.account_id or 0):
        # It was finished between our look at the book and now: what it brought is not in what we are about to build.
        raise CommandRefused(
            Refusal("import_overtaken", f"another import of `{wish.portfolio}` came first", remedy="import again")
        )
    return BookPlace(
        making.account_id,
        making.portfolio_id,
        {(one.venue, one.symbol): replace(one, id=numbers[one.venue, one.symbol]) for one in instruments},
        {name: StrategyId(number) for name, number in strategies.items()},
        f"user:{wish.user_id}",
        desk.clock.now(),
    )


def _instruments(wanted: Wanted) -> list[Instrument]:
    return [
        Instrument(
            InstrumentId(0),
            one.symbol,
            one.venue,
            _asset_type(one.venue, one.settle),
            one.base,
            one.quote,
            one.settle or one.quote,
            tick_size=_FINEST,
            lot_size=_FINEST,
            multiplier=one.multiplier,
            inverse=one.inverse,
            tradable=False,
        )
        for one in wanted.instruments
    ]


def _asset_type(venue: str, settle: str) -> AssetType:
    if settle:
        return AssetType.CFD if venue in _CONTRACTS else AssetType.PERPETUAL
    return AssetType.EQUITY if venue in _SHARES else AssetType.CRYPTO


def _currency(wanted: Wanted) -> str:
    """Choose what most instruments are paid in; of equals, the first by name."""
    paid = Counter(one.settle or one.quote for one in wanted.instruments)
    return min(paid, key=lambda asset: (-paid[asset], asset), default="USD")


# Bringing it in -------------------------------------------------------------------------------------------------------


async def _bring(  # noqa: PLR0917  what an import is made of
    desk: Desk,
    spool: Spool,
    source: Statement,
    wish: Wish,
    statement: Told,
    book: Book,
    complaints: list[Complaint],
    progress: Progress,
) -> Imported:
    place = await _place(desk, spool.wanted(), wish, book)
    built = _build(spool, place, desk.directory.chain_key(), progress)
    outcome = _outcome(source, wish, statement, built, book, complaints)
    portfolio_uid = await _take_in(desk, wish, built, progress)
    return replace(outcome, portfolio_uid=portfolio_uid, written=True)


async def _take_in(desk: Desk, wish: Wish, built: Built, progress: Progress) -> str:
    file = built.path.name
    async with desk.opening() as importing:
        await importing.take_all(wish.user_id, file, lambda done, total: progress("taking in", done, total))
        return (await importing.finish(wish.user_id, file)).portfolio_uid


def _outcome(  # noqa: PLR0917  what an import came to
    source: Statement, wish: Wish, statement: Told, built: Built, book: Book, complaints: list[Complaint]
) -> Imported:
    holdings, added = tuple(built.holdings()), built.rows["trades"] - book.trade_count
    report = None
    if isinstance(source, TellsProfits):
        nets = nets_by_leg((one.symbol, one.position) for one in holdings)
        report = compare(source.theirs(), nets, added, source.sha256)
    return Imported(wish.portfolio, "", statement, added, tuple(complaints), holdings, report, written=False)


def _check_against_its_own_count(desk: Desk, source: BotOwnedStatement, wish: Wish) -> None:
    """Hold what bots had made by the source's own rows against what a book of these rows alone makes.

    Raises: ProfitsDiffer
    """
    spool = Spool(desk.directory.imports / f"{desk.ids.uuid7()}.part")
    try:
        number = spool.begin_statement(_statement(desk, source, wish, 1), source.venue)
        _read(spool, number, source, _unseen)
        spool.settle()
        built = build(spool, _made_up(spool.wanted(), desk, wish), b"\0", lambda _done, _total: None)
        after = {
            (one.strategy, one.symbol): Standing(
                one.trade_count, one.position.quantity, one.position.realized_pnl, dict(one.position.fees)
            )
            for one in built.holdings()
        }
    finally:
        spool.close()
        spool.path.unlink()
    found = unequal(source.tally.standings(), after)
    if found:
        raise ProfitsDiffer(found)


def _unseen(_step: str, _done: int, _total: int) -> None:
    pass


# The desk's side ------------------------------------------------------------------------------------------------------


@contextmanager
def _spool(desk: Desk) -> Iterator[Spool]:
    """Hold the scratch file of the one import that a folder may have under way; what a killed one left is removed."""
    folder = desk.directory.imports
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    held = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandRefused(
                Refusal("import_under_way", f"another import into {desk.directory.path} is under way", remedy="wait")
            ) from None
        for left in folder.glob("*.part*"):
            left.unlink(missing_ok=True)
        spool = Spool(folder / f"{desk.ids.uuid7()}.part")
        try:
            yield spool
        except sqlite3.Error as error:
            raise StoreFailed(f"{folder}: the import could not be prepared, nothing was imported: {error}") from error
        finally:
            spool.close()
            with suppress(FileNotFoundError):
                spool.path.unlink()
    finally:
        os.close(held)


@contextmanager
def _current(desk: Desk, wish: Wish) -> Iterator[tuple[Engine | None, Book]]:
    """Look at the book of that name as it is shown now."""
    looked = look_at(desk.directory)
    if looked is None:
        yield None, Book()
        return
    looked.check_current(desk.directory.book)
    engine = reader(desk.directory.book)
    try:
        yield engine, book_named(engine, wish.user_id, wish.portfolio)
    finally:
        engine.dispose()
