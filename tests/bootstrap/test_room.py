"""Room on the disk: nothing opens without it, closing goes on, and it opens again by itself."""

import resource
from pathlib import Path

from plimsoll.bootstrap.room import RESERVE_BYTES, SOURCE, RoomKeeper, Space
from plimsoll.ledger import keys
from plimsoll.model.account import Halt, Scope
from tests.builders.desk import ACCOUNT, Desk, play

GB = 1 << 30
PLENTY = Space(100 * GB, 50 * GB)


class Disk:
    """What the disk says of itself."""

    def __init__(self) -> None:
        self.says: Space | OSError = PLENTY

    def __call__(self, _path: Path) -> Space:
        if isinstance(self.says, OSError):
            raise self.says
        return self.says


def halt_of(desk: Desk) -> Halt | None:
    held: Halt | None = desk.ports.books.hot.get(keys.halt(Scope.ACCOUNT, ACCOUNT, SOURCE))
    return held


def test_nothing_opens_on_a_full_disk_and_closing_goes_on_until_there_is_room_again(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        disk = Disk()
        keeper = RoomKeeper(desk.directory, [desk.ports], disk)
        await desk.quote("50000")
        assert (await desk.buy("0.01")).approved
        await keeper.look()
        assert keeper.worries() == ()
        assert keeper.reserve.stat().st_size == RESERVE_BYTES
        assert keeper.reserve.stat().st_mode & 0o077 == 0

        disk.says = Space(100 * GB, 12 * GB)
        await keeper.look()
        assert keeper.worries() == (f"{12 * 1024} MB are free on the disk",)
        assert halt_of(desk) is None

        for little in (Space(100 * GB, 4 * GB), Space(10 * GB, GB - 1), Space(100 * GB, 1 << 20)):
            disk.says = little
            await keeper.look()
            assert halt_of(desk) is not None
            assert keeper.worries()[0].startswith("CRITICAL, nothing opens")
        assert not keeper.reserve.exists(), "the last of them leaves no room to close"
        assert not (await desk.buy("0.02")).approved
        assert desk.told.words().count("DISK") == 1

        disk.says = Space(100 * GB, int(5.2 * GB))
        await keeper.look()
        assert halt_of(desk) is not None, "a halt does not flicker"
        disk.says = PLENTY
        await keeper.look()
        assert halt_of(desk) is None
        assert keeper.reserve.exists()
        await desk.quote("50000")
        assert (await desk.buy("0.03")).approved

    play(tmp_path, story)


def test_a_halt_that_cannot_be_written_stops_opening_all_the_same(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        disk = Disk()
        keeper = RoomKeeper(desk.directory, [desk.ports], disk)
        await desk.quote("50000")
        disk.says = Space(100 * GB, 0)
        desk.books.writes_left = 0
        await keeper.look()
        assert not desk.ports.reconciled
        desk.books.writes_left = None
        await keeper.look()
        assert halt_of(desk) is not None

    play(tmp_path, story)


def test_a_disk_that_says_nothing_is_neither_full_nor_empty(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        disk = Disk()
        keeper = RoomKeeper(desk.directory, [desk.ports], disk)
        disk.says = OSError("stale handle")
        await keeper.look()
        assert halt_of(desk) is None
        assert keeper.worries() == ()

    play(tmp_path, story)


def test_it_looks_by_itself_for_as_long_as_it_is_asked_to(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        disk = Disk()
        disk.says = Space(100 * GB, 0)
        keeper = RoomKeeper(desk.directory, [desk.ports], disk)
        keeper.begin()
        await desk.wait(31)
        assert halt_of(desk) is not None
        await keeper.end()
        disk.says = PLENTY
        await desk.wait(60)
        assert halt_of(desk) is not None

    play(tmp_path, story)


def test_a_reserve_that_cannot_be_held_is_no_half_a_reserve(tmp_path: Path) -> None:
    """A real limit of the system: files end at 1 MB."""

    async def story(desk: Desk) -> None:
        keeper = RoomKeeper(desk.directory, [desk.ports], Disk())
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
        try:
            await keeper.look()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert not keeper.reserve.exists()

    play(tmp_path, story)


def test_a_log_of_writes_that_grows_is_told(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        keeper = RoomKeeper(desk.directory, [desk.ports], Disk())
        grown = desk.directory.path / "paper.db-wal"
        grown.rename(desk.directory.path / "kept")
        for megabytes, how in ((65, ""), (300, "CRITICAL: ")):
            with grown.open("wb") as file:
                file.truncate(megabytes << 20)
            assert keeper.worries() == (f"{how}paper.db-wal has grown to {megabytes} MB: somebody reads for very long",)
        (desk.directory.path / "kept").rename(grown)

    play(tmp_path, story)
