"""Move a desk, or rehearse it.

1. The desk is stopped, and stays so: the lock of its folder is ours; on a server nobody else holds its lease.
2. The books go into the stage (`transfer`), and are proven there.
3. The source is looked at once more: has it gone on, nothing is put in place.
4. The stage gets its name, and the folder that the desk left says where it is.

A rehearsal does the same into a stage of its own, gives nothing a name, and removes it: every row was judged by every
constraint and type of the very engine it would live on. It may run while its desk trades: it sees one moment of it.

What if we are killed? Before 4. the desk opens where it always did, and the next run goes on. In 4. see the stages.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DatabaseError

from plimsoll.bootstrap import DataDirectory, DeskIsRunning, take_the_desk
from plimsoll.bootstrap.moving.fit import Unfit
from plimsoll.bootstrap.moving.folder import FolderStage
from plimsoll.bootstrap.moving.mark import Mark, SourceChanged, mark_of
from plimsoll.bootstrap.moving.transfer import Arrived, Book, Progress, transfer
from plimsoll.bootstrap.ownership import is_own_process
from plimsoll.bots.replay_plan import PLAN
from plimsoll.ledger import schema
from plimsoll.ledger.database import open_database
from plimsoll.ledger.verify import VerifyReport, verify
from plimsoll.model.clock import Clock
from plimsoll.model.errors import Illegal, PlimsollError
from plimsoll.store import making
from plimsoll.store.connection import StoreFailed
from plimsoll.store.place import Place, PostgresPlace, SqlitePlace, reader
from plimsoll.venues.paper import books as paper

#: Where a desk goes.
Target = PostgresPlace | Path
#: Findings of a proof that a refusal names.
_NAMED = 3


class NotProven(PlimsollError):
    """What arrived does not prove, and nothing was put in place. Does the source, by `plimsoll verify`?"""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move came to, or its rehearsal."""

    #: As places name themselves.
    source: str
    target: str
    #: Every table, in the order they went; empty where something did not fit, and where only names were left to give.
    arrived: tuple[Arrived, ...]
    #: What the target does not take; then nothing was put in place.
    unfit: tuple[Unfit, ...]
    #: Rows that an earlier run had brought.
    found: int
    #: The proof of the book where it came to lie.
    proof: VerifyReport | None

    @property
    def fits(self) -> bool:
        return not self.unfit

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.arrived)

    @property
    def digest(self) -> str:
        """One hash of every row of every table: equal on both sides."""
        lines = "".join(f"{each.book} {each.table} {each.rows} {each.digest}\n" for each in self.arrived)
        return hashlib.sha256(lines.encode()).hexdigest()


class Stage(Protocol):
    """Where books wait until they are proven."""

    @property
    def name(self) -> str:
        """As the folder that the desk leaves will remember it."""

    @property
    def directory(self) -> DataDirectory:
        """The desk, once it has arrived."""

    @property
    def book(self) -> Place:
        """Where the desk's book waits."""

    @property
    def venue_book(self) -> Place:
        """Where the venue's own books wait."""

    def held(self, source: Path) -> AbstractContextManager[None]:
        """Keep everybody else out."""

    def mark(self) -> Mark | None:
        """Say what an earlier run has begun."""

    def is_proven(self) -> bool:
        """Say whether an earlier run had only names left to give."""

    def is_opened_by(self, source: Path) -> bool:
        """Say whether the folder that the desk leaves knows that it has left."""

    def refuse_taken(self, source: DataDirectory) -> None:
        """See that nothing is in the way."""

    def begin(self, mark: Mark) -> None:
        """Make it."""

    def throw_away(self) -> None:
        """Remove it."""

    def settle(self) -> None:
        """Make it fit for being opened."""

    def put_in_place(self, source: DataDirectory, at: datetime) -> None:
        """Give it its name, and let the desk open there and nowhere else."""


def has_left(source: Path, target: Target) -> bool:
    """Say whether a move was cut when the desk's folder knew already that it has gone: there is little left to do."""
    stage = _stage(source, target)
    return stage.is_opened_by(source) and stage.is_proven()


def finish(source: DataDirectory, target: Target, clock: Clock) -> Moved:
    """Do what a move that was cut had left to do, behind `has_left`.

    Raises: DeskIsRunning, StoreFailed
    """
    stage = _stage(source.path, target)
    with _held(source, stage):
        stage.put_in_place(source, clock.now())
    return Moved(str(source.path), stage.name, (), (), 0, None)


def move(source: DataDirectory, target: Target, clock: Clock, progress: Progress, *, anew: bool) -> Moved:
    """Move a desk that is stopped.

    Shapes: `anew` -> what an earlier run has half done is thrown away
    Raises: DeskIsRunning, TargetTaken, OldRelease, SourceChanged, RowsDiffer, NotProven, ChainKeyMissing, StoreFailed;
            then the desk opens where it did
    """
    stage = _stage(source.path, target)
    with _failures(), _held(source, stage):
        _refuse_owned(source)
        now = mark_of(source)
        if stage.is_proven() and stage.mark() == now:
            stage.put_in_place(source, clock.now())
            return Moved(now.source, stage.name, (), (), 0, None)
        if anew:
            stage.throw_away()
        _begin(source, stage, now)
        moved = _bring(source, stage, now, progress)
        if not moved.fits:
            return moved
        if mark_of(source) != now:
            raise SourceChanged(f"{now.source}: {SourceChanged.__doc__}")
        _refuse_owned(source)
        stage.put_in_place(source, clock.now())
        return moved


def rehearse(source: DataDirectory, target: Target, progress: Progress) -> Moved:
    """Do all of a move but its end, and leave nothing behind.

    Raises: as `move`, but for SourceChanged and a desk that runs
    """
    stage = _stage(source.path, target, trial=True)
    with _failures(), stage.held(source.path):
        now = mark_of(source)
        stage.throw_away()
        try:
            _begin(source, stage, now)
            return _bring(source, stage, now, progress)
        finally:
            stage.throw_away()


def _stage(source: Path, target: Target, *, trial: bool = False) -> Stage:
    if isinstance(target, Path):
        inside = target.resolve()
        if source.resolve() in inside.parents:
            # Whoever clears away the folder that the desk has left would clear away the desk.
            raise Illegal("to", str(target), f"name a folder that does not lie in {source}, which the desk leaves")
        return FolderStage(target, trial=trial)
    from plimsoll.bootstrap.moving.server import SchemaStage  # noqa: PLC0415  brings the driver

    return SchemaStage(target, source, trial=trial)


@contextmanager
def _held(source: DataDirectory, stage: Stage) -> Iterator[None]:
    with ExitStack() as stack:
        stack.callback(take_the_desk(source).release)
        stack.enter_context(stage.held(source.path))
        yield


def _begin(source: DataDirectory, stage: Stage, now: Mark) -> None:
    before = stage.mark()
    if before is not None and before != now:
        told = f"{stage.name}: begun with {before.source} at commit {before.group}"
        raise SourceChanged(f"{told}. {SourceChanged.__doc__}")
    _refuse_replay(source, stage)
    source.chain_key()
    stage.refuse_taken(source)
    if before is None:
        stage.begin(now)
    open_database(stage.book)
    if _has_venue(source):
        with making.opening(stage.venue_book), making.changing(stage.venue_book) as connection:
            paper.metadata.create_all(connection)


def _bring(source: DataDirectory, stage: Stage, now: Mark, progress: Progress) -> Moved:
    books = [Book("desk", schema.metadata, source.book, stage.book)]
    if _has_venue(source):
        books.append(Book("paper", paper.metadata, source.venue_book, stage.venue_book))
    came = transfer(books, progress)
    proof = None
    if not came.unfit:
        stage.settle()
        progress("proving", 0, 0)
        proof = verify(stage.book, source.chain_key(), source.stamp if source.stamp.exists() else None)
        if not proof.ok:
            named = "; ".join(f"{found.code} at {found.place}: {found.sentence}" for found in proof.findings[:_NAMED])
            raise NotProven(f"{stage.book}: {len(proof.findings)} findings: {named}. {NotProven.__doc__}")
    return Moved(now.source, stage.name, came.arrived, came.unfit, came.found, proof)


def _has_venue(source: DataDirectory) -> bool:
    place = source.venue_book
    if isinstance(place, SqlitePlace) and not place.path.exists():
        return False
    with reader(place).connect() as connection:
        return inspect(connection).has_table(paper.orders.name)


def _refuse_replay(source: DataDirectory, stage: Stage) -> None:
    if stage.directory.server is None:
        return
    with reader(source.book).connect() as connection:
        plan = connection.execute(select(schema.meta.c.value).where(schema.meta.c.name == PLAN)).scalar()
    if plan is not None:
        remedy = "it keeps its books in a folder of its own: name one with --to"
        raise Illegal("data", str(source.path), f"a replay lies here, and {remedy}")


def _refuse_owned(source: DataDirectory) -> None:
    """See that no desk of another folder owns the books; nothing is written, so another may still become the owner, and
    is found out by what it wrote.

    Raises: DeskIsRunning
    """
    if source.server is None:
        return
    asked = text("SELECT holder, until FROM leases WHERE until > clock_timestamp()")
    with reader(source.server).connect() as connection:
        owner = connection.execute(asked).first()
    if owner is not None and not is_own_process(source, str(owner.holder)):
        raise DeskIsRunning(source, f"{source.server}: {owner.holder} is the desk of these books until {owner.until}")


@contextmanager
def _failures() -> Iterator[None]:
    """Say what a database could not do in a sentence.

    Raises: StoreFailed
    """
    try:
        yield
    except DatabaseError as error:
        raise StoreFailed(f"the move was cut: {making.said(error)}. Run it again, and it goes on") from error
    except sqlite3.Error as error:
        raise StoreFailed(f"the move was cut: {error}. Run it again, and it goes on") from error
