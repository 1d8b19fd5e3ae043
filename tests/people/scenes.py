"""A desk's door in virtual time, on a file: Ada trades, Grace is admin, Eve trades too, Nemo waits for approval.

    async def story(door: Door) -> None:
        token = await door.moves_in(ADA)
        assert door.people.session(token).user == ADA

`play` runs a story, and looks at the end whether memory equals the database and the book verifies.
"""

import asyncio
import base64
import random
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plimsoll.ledger import accounts, keys
from plimsoll.ledger.verify import verify
from plimsoll.model.account import Portfolio, User
from plimsoll.model.errors import CommandRefused
from plimsoll.model.ids import AccountId, ClockedIds, PortfolioId, UserId
from plimsoll.people.actor import Actor
from plimsoll.people.hashing import Strength
from plimsoll.people.people import People
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.drivers import LoopDriver
from plimsoll.store.place import SqlitePlace
from tests.builders.ledger import ACCOUNT, CHAIN_KEY, MAIN, NOON, USER, Books, assert_hot_equals_database, books_at

ADA = USER
GRACE = User(UserId(2), "u-2", "Grace", "admin", approved=True)
EVE = User(UserId(3), "u-3", "Eve", "trader", approved=True)
NEMO = User(UserId(4), "u-4", "Nemo", "trader", approved=False)
VERA = User(UserId(5), "u-5", "Vera", "viewer", approved=True)
GRACES_ACCOUNT = replace(ACCOUNT, id=AccountId(2), uid="a-2", user_id=GRACE.id)
GRACES = Portfolio(PortfolioId(2), "p-2", GRACES_ACCOUNT.id, GRACE.id, "hers")
GRACES_OTHER = Portfolio(PortfolioId(3), "p-3", GRACES_ACCOUNT.id, GRACE.id, "other")
ADAS = MAIN
GOOD, BETTER = "four words nobody guesses", "yet another plain sentence"
HOME, ABROAD = "192.0.2.1", "203.0.113.9"
#: Quick, for tests; the real strength has a test of its own.
QUICK = Strength(memory_kib=8, passes=1)
MINUTE = timedelta(minutes=1)


class SeededSecrets:
    """Secrets that are the same in every run."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.drawn: list[str] = []

    def token(self) -> str:
        self.drawn.append(base64.urlsafe_b64encode(self._chance.randbytes(32)).rstrip(b"=").decode())
        return self.drawn[-1]


class Door:
    """The people of one desk, and the file they are in."""

    def __init__(self, path: Path, clock: VirtualClock) -> None:
        self.path, self.clock = path, clock
        self.failures: list[BaseException] = []
        self.secrets = SeededSecrets(7)
        self._starts = 0
        self.books: Books = books_at(path).open()
        self.put_together()

    def put_together(self, strength: Strength = QUICK) -> None:
        self._starts += 1
        self.driver = LoopDriver(self.books.scribe, on_failure=self.failures.append)
        ids = ClockedIds(self.clock, random.Random(self._starts))
        self.people = People(self.driver, self.clock, ids, self.secrets, strength=strength)

    async def begin(self) -> None:
        def unit(draft: Any) -> None:
            for user in (GRACE, EVE, NEMO, VERA):
                accounts.write_user(draft, user)
            accounts.write_account(draft, GRACES_ACCOUNT)
            for portfolio in (GRACES, GRACES_OTHER):
                accounts.write_portfolio(draft, portfolio)

        await self.driver.write(unit)

    def restart(self, strength: Strength = QUICK) -> None:
        """Kill the process and start another on its file."""
        self.books.close()
        self.books = books_at(self.path)
        self.put_together(strength)

    async def wait(self, time: timedelta) -> None:
        await asyncio.sleep(time.total_seconds())

    async def flush(self) -> None:
        """Wait until what was posted is written."""
        await self.driver.write(lambda _draft: None)

    # What happens -----------------------------------------------------------------------------------------------------

    async def moves_in(self, user: User, password: str = GOOD, origin: str = HOME) -> str:
        """Choose a password by a link; give the session's token."""
        return await self.people.redeem_link(await self.people.new_link(user.id, "cli"), password, origin)

    async def enters(self, user: User, password: str = GOOD) -> Actor:
        """Move in, and be known."""
        actor = self.people.session(await self.moves_in(user, password))
        assert actor is not None
        return actor

    async def signs_in(self, user: User, password: str = GOOD, origin: str = HOME) -> Actor:
        actor = self.people.session(await self.people.sign_in(user.name, password, origin))
        assert actor is not None
        return actor

    async def becomes(self, user: User, **changes: Any) -> None:
        """Change what an admin can change of a user."""
        await self.driver.write(lambda draft: accounts.write_user(draft, replace(user, **changes)))

    async def fails(self, name: str = ADA.name, origin: str = ABROAD, times: int = 1) -> None:
        for number in range(times):
            await refused("sign_in_failed", self.people.sign_in(name, f"wrong guess number {number}", origin))

    # What is there ----------------------------------------------------------------------------------------------------

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql).fetchall()

    def ways_in(self) -> list[list[tuple[Any, ...]]]:
        """Give all rows of the tables of this room, to see that something changed nothing."""
        tables = ("passwords", "sign_in_links", "sessions", "api_keys")
        return [self.rows(f"SELECT * FROM {table}") for table in tables]

    def notes(self, action: str | None = None) -> list[tuple[str, str, str, str]]:
        """Give who, what, of which kind and which one of every note about people."""
        found = self.rows("SELECT actor, action, entity, entity_key FROM audit_log WHERE account_id = 0 ORDER BY seq")
        return [note for note in found if action in (None, note[1])]

    def last_details(self) -> str:
        sql = "SELECT details_json FROM audit_log WHERE account_id = 0 ORDER BY seq DESC LIMIT 1"
        return str(self.rows(sql)[0][0])

    def live_sessions(self, user: User) -> int:
        return len(self.driver.hot.shelf(keys.SESSION, user.id))


async def refused(code: str, doing: Coroutine[Any, Any, Any]) -> CommandRefused:
    """See that something is refused for this first reason."""
    with pytest.raises(CommandRefused) as caught:
        await doing
    assert caught.value.refusals[0].code == code
    return caught.value


def play(path: Path, story: Callable[[Door], Coroutine[Any, Any, None]], *, start: datetime = NOON) -> None:
    """Run a story."""

    async def main(clock: VirtualClock) -> None:
        door = Door(path / "desk.db", clock)
        try:
            await door.begin()
            await story(door)
            await door.flush()
            assert door.failures == []
            assert_hot_equals_database(door.books)
            report = verify(SqlitePlace(door.path), CHAIN_KEY, None)
            assert report.ok, report.findings
        finally:
            door.books.close()

    run_virtual(main, start=start)
