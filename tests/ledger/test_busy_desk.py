"""Twenty people with three portfolios each trade at once, while others read, prove and copy the book.

No lock ever reaches a caller; the book is whole at the end, and so is every copy that was made on the way.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

from plimsoll.ledger import queries
from plimsoll.ledger.books import LedgerBooks
from plimsoll.ledger.schema import metadata
from plimsoll.ledger.verify import verify
from plimsoll.store.drivers import ThreadDriver
from plimsoll.store.place import Place, SqlitePlace, reader, writer
from plimsoll.store.scribe import Scribe
from tests.builders.ledger import CHAIN_KEY
from tests.builders.many import PORTFOLIO_NAMES, Person, people, story

USERS, ORDERS = 20, 5


async def trade(place: Place, trouble: list[BaseException]) -> None:
    scribe = Scribe(writer(place, metadata, queries.compiled(place.dialect)), LedgerBooks(CHAIN_KEY))
    driver = ThreadDriver(scribe, asyncio.get_running_loop(), on_failure=trouble.append)
    everybody = list(people(USERS))
    for person in everybody:
        await driver.write(person.open)

    async def trader(person: Person, slot: int) -> None:
        for number in range(ORDERS):
            for unit in story(person, person.portfolios[slot], number):
                await driver.write(unit)

    slots = range(len(PORTFOLIO_NAMES))
    await asyncio.gather(*(trader(person, slot) for person in everybody for slot in slots))
    await driver.close()


def beside(place: Place, chores: list[Callable[[], None]]) -> None:
    """Let everybody trade while the chores are done again and again, each in a thread of its own."""
    done, trouble = Event(), list[BaseException]()

    def again(chore: Callable[[], None]) -> int:
        times = 0
        while not done.is_set() or not times:
            chore()
            times += 1
        return times

    with ThreadPoolExecutor(len(chores)) as threads:
        times = [threads.submit(again, chore) for chore in chores]
        try:
            asyncio.run(trade(place, trouble))
        finally:
            done.set()
        assert all(chore.result() >= 1 for chore in times)
    assert trouble == []


def look(place: Place) -> None:
    engine = reader(place)
    with engine.connect() as connection:
        booked = connection.exec_driver_sql("SELECT count(*) FROM trades").scalar_one()
        moved = connection.exec_driver_sql("SELECT count(DISTINCT reference) FROM cash_lines").scalar_one()
    engine.dispose()
    # A look sees one moment: never a trade without its cash, nor cash without its trade.
    assert booked == moved


def prove(place: Place) -> None:
    report = verify(place, CHAIN_KEY, None)
    assert report.ok, report.findings


def whole_story(place: Place) -> bool:
    engine = reader(place)
    with engine.connect() as connection:
        booked = connection.exec_driver_sql("SELECT count(*) FROM trades").scalar_one()
        filled = connection.exec_driver_sql("SELECT count(*) FROM orders WHERE state = 'FILLED'").scalar_one()
    engine.dispose()
    return bool(booked == filled == USERS * len(PORTFOLIO_NAMES) * ORDERS)


def test_nobody_is_locked_out(place: Place, tmp_path: Path) -> None:
    copies: list[SqlitePlace] = []

    def copy() -> None:
        """Copy as a backup does; on PostgreSQL its own tools do that."""
        if isinstance(place, SqlitePlace):
            target = tmp_path / f"copy-{len(copies)}.db"
            address = f"{place.path.as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True)) as source, closing(sqlite3.connect(target)) as fresh:
                source.backup(fresh)
            copies.append(SqlitePlace(target))

    beside(place, [lambda: look(place), lambda: look(place), lambda: prove(place), copy])
    prove(place)
    assert whole_story(place)
    for kept in {copies[0], copies[-1]} if copies else ():
        prove(kept)
