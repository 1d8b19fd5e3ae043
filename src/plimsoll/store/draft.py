"""A draft: what one unit sees of the world, and what it wants changed. Nothing of it is real before the commit."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plimsoll.store.hot import HotKey, HotState, Layer

#: What a column takes: decimals and times travel as their canonical text.
Cell = str | int | None
Row = tuple[Cell, ...]
#: A row, or the call that makes it: made once a group, for the last of them.
RowToCome = Row | Callable[[], Row]

#: None is a value here: it hides a key of the layers below.
_NOT_HERE: Any = object()


@dataclass(frozen=True, slots=True)
class Brought:
    """A stretch of rows that somebody made ready in a SQLite file of his own, in a table named as ours."""

    source: Path
    table: str
    #: The first cell of every one of them: rows of anybody else are not brought.
    owner: int
    #: By their number in the file's table, both included.
    first: int
    last: int


class Rows:
    """Rows waiting for their tables. A fact is added once; of a row that is replaced or changed the last one counts."""

    def __init__(self) -> None:
        self.added: dict[str, list[Row]] = {}
        self.replaced: dict[str, dict[Any, RowToCome]] = {}
        self.changed: dict[str, dict[Any, Row]] = {}
        #: By the statement that removes them: what each call of it is given.
        self.forgotten: dict[str, list[Row]] = {}
        self.brought: dict[str, list[Brought]] = {}

    def __bool__(self) -> bool:
        return bool(self.added or self.replaced or self.changed or self.forgotten or self.brought)

    def take(self, other: "Rows") -> None:
        """Add another's rows behind these."""
        for table, rows in other.added.items():
            self.added.setdefault(table, []).extend(rows)
        for table, by_key in other.replaced.items():
            self.replaced.setdefault(table, {}).update(by_key)
        for table, changes in other.changed.items():
            self.changed.setdefault(table, {}).update(changes)
        for statement, calls in other.forgotten.items():
            self.forgotten.setdefault(statement, []).extend(calls)
        for table, pieces in other.brought.items():
            self.brought.setdefault(table, []).extend(pieces)


class Draft:
    """One unit's view: its own and its group's changes over the published state. A failed unit takes its own back."""

    __slots__ = ("_base", "_find", "_flush", "_group", "_over", "_undo", "events", "fleeting", "note", "rows")

    def __init__(
        self,
        base: HotState,
        group: Layer,
        find: Callable[[str, Sequence[Cell]], list[Row]],
        flush: Callable[[], None],
    ) -> None:
        self._base = base
        self._group = group
        self._over = group.values
        self._find = find
        self._flush = flush
        #: What stood in the group's layer before this unit's first change of a key.
        self._undo: dict[HotKey, Any] = {}
        self.fleeting: set[HotKey] = set()
        #: For the books' own `seal`: what is told to followers, and who did what (at most one note a unit).
        self.events: list[Any] = []
        self.note: Any = None
        self.rows = Rows()

    @property
    def changed(self) -> bool:
        return bool(self._undo)

    def take_back(self) -> None:
        """Undo this unit's changes; those of the units before it stay."""
        for key, before in self._undo.items():
            if before is _NOT_HERE:
                self._group.remove((key,))
            else:
                self._group.put(key, before)

    def get(self, key: HotKey) -> Any:
        """Give a value as this unit sees it, or None."""
        value = self._over.get(key, _NOT_HERE)
        return self._base.get(key) if value is _NOT_HERE else value

    def shelf(self, noun: str, owner: Hashable) -> list[Any]:
        """List the values of one noun and owner as this unit sees them, in the order they first came."""
        base, group = self._base.by_key(noun, owner), self._group.shelf(noun, owner)
        if not group:
            return list(base.values())
        return [value for value in {**base, **group}.values() if value is not None]

    def shelf_keys(self, noun: str, owner: Hashable) -> list[HotKey]:
        """List the keys of one noun and owner that earlier groups published."""
        return list(self._base.by_key(noun, owner))

    def put(self, key: HotKey, value: Any) -> None:
        """Change a value, for this unit and the units after it."""
        if key not in self._undo:
            self._undo[key] = self._over.get(key, _NOT_HERE)
        self._group.put(key, value)

    def put_fleeting(self, key: HotKey, value: Any) -> None:
        """Change a value that the next units of this group must see and that leaves memory with the commit.

        For what is final: the database keeps it, and the few who still ask read it there.
        """
        self.put(key, value)
        self.fleeting.add(key)

    def add(self, table: str, row: Row) -> None:
        """Write a fact."""
        rows = self.rows.added.get(table)
        if rows is None:
            self.rows.added[table] = [row]
        else:
            rows.append(row)

    def replace(self, table: str, key: Any, row: RowToCome) -> None:
        """Write the current state of something; of several in one group only the last reaches the disk."""
        rows = self.rows.replaced.get(table)
        if rows is None:
            self.rows.replaced[table] = {key: row}
        else:
            rows[key] = row

    def change(self, table: str, key: Any, row: Row) -> None:
        """Write the columns of a row that ever change, its key behind them; the row is there already.

        Cheaper than `replace`: a wide row's indexes and foreign keys are not touched.
        """
        rows = self.rows.changed.get(table)
        if rows is None:
            self.rows.changed[table] = {key: row}
        else:
            rows[key] = row

    def forget(self, statement: str, *parameters: Cell) -> None:
        """Remove rows that are kept no longer, by one of the named statements; behind what the group writes.

        For what has no place in memory. A fact has no such statement, and the database would refuse it.
        """
        self.rows.forgotten.setdefault(statement, []).append(parameters)

    def bring(self, piece: Brought) -> None:
        """Write rows that are ready in another file, without looking at any of them: for more than a unit may make.

        They are written behind the group's other rows of their table. Memory knows nothing of them.
        """
        self.rows.brought.setdefault(piece.table, []).append(piece)

    def next_id(self, table: str) -> int:
        """Give the next row id of a table; it goes back when the group fails."""
        key = ("id", table)
        number: int = (self.get(key) or 0) + 1
        self.put(key, number)
        return number

    def find(self, query: str, *parameters: Cell) -> list[Row]:
        """Ask the database one of the named questions, by a key.

        Sees committed rows only: what this group has written is in the overlay.
        """
        return self._find(query, parameters)

    def find_with_group(self, query: str, *parameters: Cell) -> list[Row]:
        """Ask as `find` does, after writing the group's rows so far: for the rare unit that refolds."""
        self._flush()
        return self._find(query, parameters)
