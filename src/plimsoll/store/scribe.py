"""The scribe: one writer, and one commit for all who wait.

A *unit* is a pure function of a draft: it reads the hot state, puts changes and rows into the draft, and answers. It
waits for nothing, does no I/O but `find`, and takes at most 2 ms and 500 rows; longer work comes in pieces.

1. The waiting units run in order, each over the changes of those before it. A unit that raises loses its own draft; its
   caller gets the exception and its neighbours notice nothing.
2. Their rows are written with one `executemany` per table, and committed once.
3. Only then are the changes published and the answers given: nothing is acknowledged before its commit.

What if the database refuses a row? The group is rolled back and each unit runs alone, so that only the culprit fails.
What if it does not even begin, or is gone in the middle? Then no row is to blame, and all who wait hear so at once.
What if somebody else changed a halt or a policy? The group is dropped, all is read back, and its units run again.
What if the commit does not answer? It may have happened. The connection is opened anew and the books' own group counter
says whether it did: then the answers stand; else every unit of the group fails. Either way the hot state is read back
from the database, because what memory believes is worth nothing after that. Where even that cannot be done the callers
hear `CommitUnclear`, and until it can no unit runs.
What if we crash? Before the commit nobody was told anything; after it the rows are there.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from plimsoll.model.errors import invariant
from plimsoll.runtime import rare
from plimsoll.runtime.rare import Site
from plimsoll.store.connection import CommitUnclear, ControlMoved, Question, StoreFailed, StoreGone, WriterConnection
from plimsoll.store.draft import Cell, Draft, Row, Rows
from plimsoll.store.hot import HotKey, HotState, Layer

Unit = Callable[[Draft], Any]
#: Called with (answer, None) after the commit, or (None, error).
Answer = Callable[[Any, BaseException | None], None]


@dataclass(frozen=True, slots=True)
class Asking:
    """A unit that says beforehand what it will ask: a server then answers a whole group in one message.

    It may ask something else, or nothing; it is a promise to nobody.
    """

    unit: Unit
    questions: Sequence[Question]

    def __call__(self, draft: Draft) -> Any:
        return self.unit(draft)


HEADS: HotKey = ("heads",)
#: Beside the changes of a group, for followers: its events in order; the last of them has the number in its `HEADS`.
EVENTS: HotKey = ("events",)


@dataclass(frozen=True, slots=True)
class Heads:
    """How far the books have come. Its row is written last in every group."""

    #: Counts commits; tells after an unclear one whether it happened.
    group: int = 0
    #: Number of the last event.
    event: int = 0


class Books(Protocol):
    """What a set of books tells the scribe about itself."""

    #: Every table in the order it is written; `heads` is not among them.
    tables: Sequence[str]

    def load(self, connection: WriterConnection) -> Mapping[HotKey, Any]:
        """Read the whole hot state, with `Heads` under `HEADS`."""

    def seal(self, draft: Draft) -> None:
        """Finish a unit that wrote something: number its events, link it into the chain."""


@dataclass(slots=True)
class _Waiting:
    unit: Unit
    answer: Answer


@dataclass(slots=True)
class _Done:
    answer: Answer
    value: Any
    error: BaseException | None


class Scribe:
    """Runs units in groups. Not thread-safe by itself: `drivers` say who may call `step`."""

    def __init__(self, connection: WriterConnection, books: Books) -> None:
        self._connection = connection
        self._books = books
        self._waiting: deque[_Waiting] = deque()
        #: The connection or the memory is worth nothing: read everything back before the next unit runs.
        self._lost = False
        self._closed = False
        self.hot = HotState(books.load(connection))
        #: Told the changes and `EVENTS` of each group, behind its answers and in the same thread. Told `HEADS` alone
        #: when memory was read back: what was committed without anybody knowing is found in the database.
        self.followers: list[Callable[[Mapping[HotKey, Any]], None]] = []
        self._news: list[Callable[[], None]] = []

    def submit(self, unit: Unit, answer: Answer) -> None:
        """Put a unit in line."""
        self._waiting.append(_Waiting(unit, answer))

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def step(self, max_units: int) -> list[Callable[[], None]]:
        """Write one group of those that wait; give the calls that deliver their answers.

        The answers are handed back instead of made, so that the driver can make them in the callers' thread.
        """
        if rare.strikes(Site.GROUP_OF_ONE):
            max_units = 1
        batch = [self._waiting.popleft() for _ in range(min(max_units, len(self._waiting)))]
        if not batch:
            return []
        try:
            written = self._write(batch)
        except Exception as error:  # noqa: BLE001  our own bug, perhaps behind the commit: nobody may wait for ever
            self._lost = True
            written = [_Done(waiting.answer, None, error) for waiting in batch]
        news, self._news = self._news, []
        return [*(partial(done.answer, done.value, done.error) for done in written), *news]

    def close(self) -> None:
        """Release the database; units still waiting are never answered, and later ones hear that it is closed."""
        self._closed = True
        self._connection.close()

    def _write(self, batch: list[_Waiting]) -> list[_Done]:
        if self._closed:
            # A lost connection is opened anew: without this a late unit would write to books that another owns by now.
            closed = StoreFailed("the books are closed")
            return [_Done(waiting.answer, None, closed) for waiting in batch]
        try:
            if self._lost or rare.strikes(Site.CONNECTION_LOST):
                self._read_back()
                self._tell({HEADS: self.hot.get(HEADS)})
            self._connection.begin()
        except StoreFailed as error:
            # A locked or vanished database refuses everybody alike, and may take seconds to say so: asking again for
            # each of a thousand waiting units would stand still for an hour.
            self._undo()  # finds out whether the connection itself is gone
            return [_Done(waiting.answer, None, error) for waiting in batch]
        group = _Group(self._connection, self._books, self.hot)
        try:
            group.ask_ahead(batch)
            done = [group.run(waiting) for waiting in batch]
            heads = group.finish() if group.wrote else None
            _refuse_rarely(batch)
        except Exception as error:  # noqa: BLE001  a refused row or a bug of ours: the culprit hears of it, alone
            return self._each_alone(batch, error)
        if heads is None:
            self._undo()
            self.hot.publish(group.changes_to_keep())  # what lives in memory only
            return done
        try:
            return self._commit(group, done, heads)
        except StoreFailed as error:
            return self._each_alone(batch, error)

    def _each_alone(self, batch: list[_Waiting], error: Exception) -> list[_Done]:
        """Undo a group that was refused, and run each of its units alone, while there is a database to ask."""
        self._undo()
        if isinstance(error, ControlMoved):
            # Nobody's fault and nobody's failure: what was decided over an older halt is decided anew.
            self._lost = True
            return self._write(batch)
        if len(batch) == 1 or isinstance(error, StoreGone):
            return [_Done(waiting.answer, None, error) for waiting in batch]
        done: list[_Done] = []
        for waiting in batch:
            gone = done[-1].error if done else None
            # It went away meanwhile: the others need not each find out for themselves.
            done += [_Done(waiting.answer, None, gone)] if isinstance(gone, StoreGone) else self._write([waiting])
        return done

    def _commit(self, group: "_Group", done: list[_Done], heads: Heads) -> list[_Done]:
        """Commit and publish, or find out what became of it.

        Raises: StoreFailed: a server refused the rows; nothing is written
        """
        try:
            self._connection.commit()
            _miss_the_answer_rarely()
        except CommitUnclear as error:
            try:
                self._read_back()
            except StoreFailed as gone:
                # The database cannot even be read: nobody may be told yes.
                unclear = CommitUnclear(f"{error}, and {gone}: it may have happened; ask again, or start anew")
                return [_Done(item.answer, None, item.error or unclear) for item in done]
            if self.hot.get(HEADS) != heads:
                failure = StoreFailed(f"the commit failed and was undone: {error}")
                return [_Done(item.answer, None, item.error or failure) for item in done]
        else:
            self.hot.publish(group.changes_to_keep())
        if self.followers:
            self._tell({**group.changes, EVENTS: tuple(group.events)})
        return done

    def _tell(self, changes: Mapping[HotKey, Any]) -> None:
        self._news += [partial(follower, changes) for follower in self.followers]

    def _undo(self) -> None:
        try:
            self._connection.rollback()
        except StoreFailed:
            self._lost = True  # a connection that cannot roll back holds a transaction nobody can end

    def _read_back(self) -> None:
        """Start over with a fresh connection and with what the database says.

        Until that succeeds no unit runs. Who only reads sees what was true before the group whose fate is unclear: a
        guard that reads nothing would believe that there is nothing to guard.

        Raises: StoreFailed; nobody is served until a later try succeeds
        """
        self._lost = True
        self._connection.reopen()
        # With the right to write in hands: another owner's commits must not be taken for ours.
        self._connection.begin()
        self.hot.replace(self._books.load(self._connection))
        self._connection.rollback()
        self._lost = False


def _miss_the_answer_rarely() -> None:
    """Lose the answer of a commit that happened.

    Raises: CommitUnclear
    """
    if rare.strikes(Site.COMMIT_UNANSWERED):
        raise CommitUnclear("COMMIT: no answer came")


def _refuse_rarely(batch: list[_Waiting]) -> None:
    """Refuse a group that is whole and right, as databases do.

    Raises: StoreFailed, ControlMoved
    """
    if len(batch) > 1 and rare.strikes(Site.GROUP_REFUSED):
        raise StoreFailed("a row of the group was refused")
    if rare.strikes(Site.CONTROL_MOVED):
        raise ControlMoved


class _Group:
    """The units of one transaction, while it is open."""

    def __init__(self, connection: WriterConnection, books: Books, hot: HotState) -> None:
        self._connection = connection
        self._books = books
        self._hot = hot
        self._fleeting: set[HotKey] = set()
        self._rows = Rows()
        self._layer = Layer()
        self._half_written = False
        self._known: Mapping[Question, list[Row]] = {}
        self.changes = self._layer.values
        #: In the order they were numbered.
        self.events: list[Any] = []
        self.wrote = False

    def ask_ahead(self, batch: Sequence[_Waiting]) -> None:
        """Ask what the units said they will ask."""
        questions = [one for waiting in batch if isinstance(waiting.unit, Asking) for one in waiting.unit.questions]
        if questions:
            self._known = self._connection.find_ahead(questions)

    def run(self, waiting: _Waiting) -> _Done:
        draft = Draft(self._hot, self._layer, self._find if self._known else self._connection.find, self._flush)
        try:
            if rare.strikes(Site.ROWS_WRITTEN_EARLY):
                self._flush()
            value = waiting.unit(draft)
            # A unit may have nothing to write but something to tell: an incident, a note.
            if draft.rows or draft.events or draft.note is not None:
                self._books.seal(draft)
        except StoreFailed:
            raise
        except Exception as error:  # a unit's own failure belongs to its caller, not to the group
            if self._half_written:
                raise  # it asked for the group's rows to be written, and one of them, perhaps another's, was refused
            draft.take_back()
            return _Done(waiting.answer, None, error)
        if draft.rows or draft.changed:
            self.wrote = self.wrote or bool(draft.rows)
            self._fleeting |= draft.fleeting
            self._rows.take(draft.rows)
            self.events += draft.events
        return _Done(waiting.answer, value, None)

    def finish(self) -> Heads:
        """Write what is left, the heads last."""
        self._flush()
        before: Heads = self.changes.get(HEADS) or self._hot.get(HEADS)
        heads = Heads(before.group + 1, before.event)
        self.changes[HEADS] = heads
        self._connection.replace("heads", [(1, heads.group, heads.event)])
        return heads

    def changes_to_keep(self) -> Mapping[HotKey, Any]:
        return {**self.changes, **dict.fromkeys(self._fleeting)}

    def _find(self, query: str, parameters: Sequence[Cell]) -> list[Row]:
        known = self._known.get((query, tuple(parameters)))
        return self._connection.find(query, parameters) if known is None else known

    def _flush(self) -> None:
        rows = self._rows
        self._known = {}  # what is written now may be what somebody asks for
        self._half_written = True
        for table in self._books.tables:
            added = rows.added.pop(table, None)
            if added:
                self._connection.add(table, added)
            replaced = rows.replaced.pop(table, None)
            if replaced:
                last = [row if isinstance(row, tuple) else row() for row in replaced.values()]
                self._connection.replace(table, last)
            changed = rows.changed.pop(table, None)
            if changed:
                self._connection.change(table, list(changed.values()))
            for piece in rows.brought.pop(table, ()):
                self._connection.bring(piece)
        for statement in list(rows.forgotten):
            self._connection.forget(statement, rows.forgotten.pop(statement))
        invariant(not rows, "every row goes to a table that the books know")
        self._half_written = False
