"""Every attempt to hear from the venue is noted, whoever wanted it and whatever came of it."""

from pathlib import Path

import pytest

from plimsoll.desk.attend import COMPARE_SECONDS, FORGET_SECONDS
from plimsoll.ledger import comparisons
from plimsoll.ledger.comparisons import Cause
from plimsoll.model.errors import TryAgain
from plimsoll.store.draft import Draft
from tests.builders.desk import ACCOUNT
from tests.builders.served import Served, serve

ATTEMPTS = "SELECT cause, outcome, error FROM sync_log ORDER BY id"


def test_the_start_the_clock_a_doubt_and_a_person_are_told_apart(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.flush()
        assert desk.rows(ATTEMPTS) == [("START", "OK", None)]
        await desk.market("50000", 2)
        desk.ports.doubt("news was lost")
        await desk.market("50000", 2)
        await desk.attendant.sync()
        await desk.market("50000", int(COMPARE_SECONDS) + 3)
        await desk.flush()
        assert [row[0] for row in desk.rows(ATTEMPTS)] == ["START", "PRE_TRADE", "MANUAL", "SCHEDULED"]
        assert {row[1] for row in desk.rows(ATTEMPTS)} == {"OK"}

    serve(tmp_path, story)


def test_an_attempt_that_failed_says_why(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        desk.line.down = True
        with pytest.raises(TryAgain):
            await desk.attendant.sync()
        await desk.flush()
        (last,) = desk.rows(ATTEMPTS)[1:]
        assert last[:2] == ("MANUAL", "FAILED")
        assert "does not answer" in last[2]
        desk.line.down = False

    serve(tmp_path, story)


def test_old_attempts_go_by_themselves_while_the_desk_is_served(tmp_path: Path) -> None:
    """The duty runs every hour: thirty days later a month of attempts is gone, and the newest are there."""

    async def story(desk: Served) -> None:
        long_ago = desk.clock.now().replace(year=desk.clock.now().year - 1)
        await desk.flush()
        held = desk.count("sync_log")

        def unit(draft: Draft) -> None:
            for _ in range(1_200):
                comparisons.write_attempt(draft, ACCOUNT, Cause.SCHEDULED, 1, None, long_ago)
            # As if the desk had run since then: what is old stands first.
            draft.forget("forget_sync_log", ACCOUNT, held)

        await desk.ports.books.write(unit)
        assert desk.count("sync_log") == 1_200
        await desk.wait(FORGET_SECONDS * 1.2)
        await desk.flush()
        assert desk.rows("SELECT count(*) FROM sync_log WHERE at < ?", str(long_ago.year + 1)) == [(0,)]
        assert desk.count("sync_log") > 100

    serve(tmp_path, story)
