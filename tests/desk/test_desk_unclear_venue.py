"""A venue whose own commit is unclear: its answer is unknown, never no."""

from pathlib import Path

import pytest

from plimsoll.desk.supervise import supervise
from plimsoll.ledger import keys
from plimsoll.model.order import OrderState
from plimsoll.store.connection import CommitUnclear, StoreFailed
from plimsoll.store.drivers import LoopDriver
from plimsoll.venues.paper.venue import PaperVenue
from tests.builders.desk import ACCOUNT, D, Desk, play


class LosesItsAnswer:
    """A driver whose next unit is written, and whose answer is that nobody knows."""

    def __init__(self, inner: object) -> None:
        self.inner = inner
        self.lose_next = False

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    async def write(self, unit: object) -> object:
        done = await self.inner.write(unit)  # type: ignore[attr-defined]  # the driver it stands before
        if self.lose_next:
            self.lose_next = False
            raise CommitUnclear("COMMIT: disk I/O error, and the file cannot be opened")
        return done


def test_an_unclear_commit_of_the_venue_is_an_unknown_order_and_not_a_rejected_one(tmp_path: Path) -> None:
    """Taken for a no, the venue would hold a position that the book never hears of."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        paper: PaperVenue = desk.venue.inner
        line = LosesItsAnswer(paper._driver)
        paper._driver = line  # type: ignore[assignment]  # passes everything on
        line.lose_next = True
        bought = await desk.buy("0.01")
        assert bought.order is not None
        assert bought.order.state is OrderState.UNKNOWN
        refused = await desk.buy("0.02")
        assert not refused.approved, "nothing opens on an instrument with an order of unknown fate"
        await desk.wait(3)
        await supervise(desk.ports)
        assert desk.held() == D("0.01")

    play(tmp_path, story)


def test_who_only_reads_while_the_database_is_gone_sees_what_was_true_before(tmp_path: Path) -> None:
    """An empty memory would tell the guard that there is nothing to guard."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        await desk.buy("0.01")
        driver = desk.paper.books
        assert isinstance(driver, LoopDriver)
        scribe = driver._scribe
        reopen = scribe._connection.reopen

        def gone() -> None:
            raise StoreFailed("unable to open database file")

        scribe._connection.reopen = gone  # type: ignore[method-assign]  # the disk is gone
        scribe._lost = True
        with pytest.raises(StoreFailed):
            await desk.buy("0.02", key="later")
        assert desk.ports.books.hot.get(keys.account(ACCOUNT)) is not None
        assert desk.held() == D("0.01")
        scribe._connection.reopen = reopen  # type: ignore[method-assign]  # and comes back
        assert (await desk.buy("0.02", key="later")).approved

    play(tmp_path, story)
