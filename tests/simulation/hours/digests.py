"""Two digests of a run: of everything that happened in it, and of what the books say at its end.

The *trace* covers every effect in its order, with its time: two runs of one seed must agree in it to the last byte,
in whatever process and with whatever hash seed. The *facts* cover what is true whatever the way to it: the books under
names that a person would say (`plimsoll.ledger.digest`), one account at a time.

A trace says that two runs differ and not where. `Trace.keep` remembers the effects themselves, for a second look.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import select

from plimsoll.ledger.digest import canonical
from plimsoll.ledger.schema import accounts
from plimsoll.store.place import SqlitePlace, reader

#: Between the words of one effect, and behind it: neither is written in any word.
_BETWEEN, _BEHIND = b"\x1f", b"\x1e"


class Trace:
    """A hash over every effect, in its order."""

    def __init__(self, *, keep: bool = False) -> None:
        self._hash = hashlib.sha256()
        #: How many effects there were.
        self.count = 0
        self.kept: list[tuple[str, ...]] | None = [] if keep else None

    def note(self, *words: object) -> None:
        """Add an effect: its time and what it was, in words that do not hang on memory addresses or hash seeds."""
        told = tuple(map(str, words))
        self._hash.update(_BETWEEN.join(word.encode() for word in told) + _BEHIND)
        self.count += 1
        if self.kept is not None:
            self.kept.append(told)

    @property
    def digest(self) -> str:
        return f"{self.count}:{self._hash.hexdigest()}"


def first_difference(one: Sequence[tuple[str, ...]], other: Sequence[tuple[str, ...]]) -> str:
    """Say where two kept traces part; empty where they do not."""
    for number, (mine, theirs) in enumerate(zip(one, other, strict=False), 1):
        if mine != theirs:
            return f"effect {number}: {' '.join(mine)} | {' '.join(theirs)}"
    if len(one) != len(other):
        longer = one if len(one) > len(other) else other
        shared = min(len(one), len(other))
        return f"effect {shared + 1}: only one of them has {' '.join(longer[shared])}"
    return ""


def facts_of(database: Path, account_id: int) -> dict[str, list[str]]:
    """Write down what the books say of one account, by noun; equal books are equal text."""
    engine = reader(SqlitePlace(database))
    try:
        with closing(engine.connect()) as connection:
            said = canonical(connection)
            named = select(accounts.c.name).where(accounts.c.id == account_id)
            name = connection.execute(named).scalar_one()
    finally:
        engine.dispose()
    return {noun: [line for line in lines if _is_of(line, name)] for noun, lines in said.items()}


def facts_digest(database: Path, account_id: int) -> str:
    """Hash what the books say of one account."""
    return hashlib.sha256(json.dumps(facts_of(database, account_id), sort_keys=True).encode()).hexdigest()


def _is_of(line: str, account: str) -> bool:
    # A line begins with who and what: (user, account, …). Those of instruments name neither.
    told = json.loads(line)
    return len(told) > 1 and told[1] == account


def differing_facts(one: dict[str, list[str]], other: dict[str, list[str]]) -> list[str]:
    """List the lines that only one of two books has, for people."""
    told: list[str] = []
    for noun in sorted({*one, *other}):
        mine, theirs = set(one.get(noun, ())), set(other.get(noun, ()))
        told += [f"{noun} - {line}" for line in sorted(mine - theirs)]
        told += [f"{noun} + {line}" for line in sorted(theirs - mine)]
    return told
