"""A drill: the newest copy is brought back to a place nobody uses, opened, compared, proven, and that is remembered."""

import asyncio
import random
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from plimsoll.bootstrap import DataDirectory
from plimsoll.bootstrap.backups.drill import Drilled, DrillFailed, NothingToProve, drill
from plimsoll.bootstrap.backups.keeper import AGAIN_AFTER, CopyNotMade, Keeper
from plimsoll.bootstrap.backups.manifest import CopyFolder, copied_file, read_manifest
from plimsoll.ledger.digest import digest
from plimsoll.model.clock import SystemClock
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.sqlite import reader
from tests.builders.kept import client_id, copied, copies_of, kept
from tests.builders.paper import START


def drilled(home: Path) -> Drilled:
    return drill(DataDirectory(home), copies_of(home), SystemClock(), random.Random(7), "test")


@pytest.fixture(scope="module")
def one_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a desk with a position, a waiting order and a copy."""
    home = tmp_path_factory.mktemp("day") / "desk"

    async def main() -> None:
        async with kept(home) as desk:
            client_id(await desk.buy("0.01"))
            client_id(await desk.rest("0.02"))
            copied(home)

    asyncio.run(main())
    return home


@pytest.fixture
def home(one_day: Path, tmp_path: Path) -> Path:
    shutil.copytree(one_day, tmp_path / "desk", ignore=shutil.ignore_patterns("*.sock"))
    return tmp_path / "desk"


def left_behind(home: Path) -> set[str]:
    return {entry.name for entry in copies_of(home).path.iterdir()}


def test_a_copy_comes_back_beside_the_desk_that_trades_on(home: Path) -> None:
    async def main() -> None:
        (copy,) = copies_of(home).copies().values()
        async with kept(home) as desk:
            before = digest(reader(home / "desk.db"))
            done = await asyncio.get_running_loop().run_in_executor(None, drilled, home)
            assert desk.account.ports.reconciled
            assert digest(reader(home / "desk.db")) == before
        assert (done.copy, done.accounts) == (copy, 1)
        proven = copies_of(home).proven()
        assert proven is not None
        assert proven.copy == copy.name
        assert left_behind(home) == {copy.name, "lock", "proven.json"}

    asyncio.run(main())


def test_without_a_copy_there_is_nothing_to_prove(tmp_path: Path) -> None:
    with pytest.raises(NothingToProve, match="plimsoll backup"):
        drilled(tmp_path)


@pytest.mark.parametrize("harm", ["file", "digest", "venue"])
def test_a_copy_that_does_not_come_back_is_no_proven_one_and_leaves_nothing_behind(home: Path, harm: str) -> None:
    (copy,) = copies_of(home).copies().values()
    manifest = read_manifest(copy)
    if harm == "file":
        (copy / "desk.db").write_bytes((copy / "desk.db").read_bytes()[:-4_096])
    elif harm == "digest":
        told = (copy / "manifest.json").read_text().replace(manifest.digest, "0" * 64)
        (copy / "manifest.json").write_text(told)
    else:
        # A venue that has other books than the desk says: somebody mixed two copies up.
        other = home.parent / "other"

        async def another() -> None:
            async with kept(other) as desk:
                client_id(await desk.buy("0.05"))

        asyncio.run(another())
        shutil.copyfile(copied(other).folder / "paper.db", copy / "paper.db")
        told = (copy / "manifest.json").read_text()
        for was, is_ in zip(
            (manifest.files["paper.db"].sha256, str(manifest.files["paper.db"].size)),
            (copied_file(copy / "paper.db").sha256, str(copied_file(copy / "paper.db").size)),
            strict=True,
        ):
            told = told.replace(was, is_)
        (copy / "manifest.json").write_text(told)
    with pytest.raises(DrillFailed):
        drilled(home)
    assert copies_of(home).proven() is None
    assert left_behind(home) == {copy.name, "lock"}


# The keeper -----------------------------------------------------------------------------------------------------------

HOUR = timedelta(hours=1)


class Maker:
    """Makes copies of nothing, or fails."""

    def __init__(self, folder: CopyFolder, clock: VirtualClock) -> None:
        self.folder, self.clock = folder, clock
        self.fails = False
        self.asked: list[datetime] = []

    async def __call__(self) -> None:
        self.asked.append(self.clock.now())
        if self.fails:
            raise CopyNotMade("the disk is full")
        with self.folder.held(), self.folder.unfinished(self.clock.now()) as making:
            (making / "manifest.json").write_text("{}")


def test_a_copy_is_made_every_hour_and_its_age_is_known(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        folder = CopyFolder(tmp_path)
        maker = Maker(folder, clock)
        keeper = Keeper(folder, maker, clock, HOUR)
        keeper.begin()
        await asyncio.sleep(5 * 3_600)
        assert len(maker.asked) == 5
        gaps = {after - before for before, after in zip(maker.asked, maker.asked[1:], strict=False)}
        assert all(HOUR <= gap <= HOUR + timedelta(minutes=1) for gap in gaps)
        assert keeper.worries() == ()
        await keeper.end()

    run_virtual(main, start=START)


def test_a_copy_that_fails_is_tried_again_soon_and_doubted_aloud(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        folder = CopyFolder(tmp_path)
        maker = Maker(folder, clock)
        maker.fails = True
        keeper = Keeper(folder, maker, clock, HOUR)
        keeper.begin()
        await asyncio.sleep(3_600)
        assert len(maker.asked) >= HOUR // AGAIN_AFTER - 2
        assert keeper.worries() == ()
        await asyncio.sleep(3_700)
        assert keeper.worries() == ("the last copy of the books was made 2 hours ago",)
        await asyncio.sleep(4 * 3_600)
        assert keeper.worries() == ("CRITICAL: the last copy of the books was made 6 hours ago",)
        maker.fails = False
        await asyncio.sleep(AGAIN_AFTER.total_seconds() + 60)
        assert keeper.worries() == ()
        await keeper.end()
        await keeper.end()

    run_virtual(main, start=START)


def test_a_drill_that_is_long_ago_is_told(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        folder = CopyFolder(tmp_path)
        keeper = Keeper(folder, Maker(folder, clock), clock, HOUR)
        keeper.begin()
        await asyncio.sleep(60)
        folder.remember_proven(next(iter(folder.copies().values())), clock.now() - timedelta(days=36))
        assert keeper.worries() == ("no copy was brought back for 36 days: run `plimsoll drill`",)
        folder.remember_proven(next(iter(folder.copies().values())), clock.now() - timedelta(days=61))
        assert keeper.worries()[0].startswith("CRITICAL")
        await keeper.end()

    run_virtual(main, start=START)


def test_a_keeper_that_was_never_begun_ends_quietly(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        folder = CopyFolder(tmp_path)
        await Keeper(folder, Maker(folder, clock), clock, HOUR).end()
        assert not folder.copies()

    run_virtual(main, start=START)
