"""A copy that is brought back: what it lost comes from the venue, nothing twice, and nothing opens before that."""

import asyncio
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.bootstrap import ChainKeyMissing, DataDirectory
from plimsoll.bootstrap.backups.manifest import CopyUnusable, copied_file, read_manifest
from plimsoll.bootstrap.backups.restore import AnotherKey, DeskInTheWay, Restored, restore
from plimsoll.bootstrap.backups.waking import EVENT_GAP, MarkUnreadable, mark_of
from plimsoll.desk.halt import lift, set_state
from plimsoll.desk.resync import RESTORED
from plimsoll.ledger.follow import TooOld
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.clock import SystemClock
from plimsoll.model.errors import CommandRefused
from tests.builders.kept import ACCOUNT, book_paid, client_id, copied, copies_of, kept, pay_in, proof

D = Decimal
PERPETUAL = "BTC/USDT:USDT"


def bring_back(copy: Path, directory: Path, *, over: bool = True, venue_too: bool = False) -> Restored:
    return restore(copy, DataDirectory(directory), SystemClock(), over=over, venue_too=venue_too)


def everything(directory: Path) -> dict[str, bytes]:
    """Read every file of a folder but the copies and the lock."""
    files = (file for file in directory.rglob("*") if file.is_file() and "backups" not in file.parts)
    return {str(file.relative_to(directory)): file.read_bytes() for file in files if file.name != "desk.lock"}


@pytest.fixture(scope="module")
def one_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trade, copy, trade on with a position and a waiting order that the copy does not know."""
    directory = tmp_path_factory.mktemp("day") / "desk"

    async def main() -> None:
        async with kept(directory) as desk:
            client_id(await desk.buy("0.01"))
            client_id(await desk.rest("0.02"))
            copied(directory)
            client_id(await desk.buy("0.03", PERPETUAL, key="after the copy"))
            client_id(await desk.rest("0.04", key="waits after the copy"))

    asyncio.run(main())
    return directory


@pytest.fixture
def home(one_day: Path, tmp_path: Path) -> Path:
    """Give that day's folder to a test of its own."""
    shutil.copytree(one_day, tmp_path / "desk", ignore=shutil.ignore_patterns("*.sock"))
    return tmp_path / "desk"


def copy_in(directory: Path) -> Path:
    """Give the newest copy of a desk."""
    return list(copies_of(directory).copies().values())[-1]


def test_a_desk_that_lost_its_last_hour_gets_it_back_from_the_venue_and_orders_nothing_twice(home: Path) -> None:
    async def main() -> None:
        copy = copy_in(home)
        brought = bring_back(copy, home)
        assert not brought.venue
        said: list[str] = []
        async with kept(home, said) as desk:
            assert any("OLDER THAN IT WAS" in line for line in said)
            assert desk.account.ports.reconciled
            assert desk.halted_by() == set()
            assert desk.holds() == await desk.venue_holds()
            assert desk.holds()[PERPETUAL] == D("0.03")
            waiting = {order.client_order_id for order in await desk.waiting()}
            assert {order.client_order_id for order in desk.live()} == waiting
            assert len(waiting) == 2
            # A caller who never heard the answer asks again, with the same keys.
            with pytest.raises(CommandRefused, match="intent_key_reused"):
                await desk.buy("0.03", PERPETUAL, key="after the copy")
            with pytest.raises(CommandRefused, match="intent_key_reused"):
                await desk.rest("0.04", key="waits after the copy")
            assert desk.holds()[PERPETUAL] == D("0.03")
            assert len(await desk.waiting()) == 2
            client_id(await desk.buy("0.05", key="a new one"))
        assert proof(home).findings == ()

    asyncio.run(main())


def test_a_desk_and_its_venue_that_come_back_together_are_what_the_copy_says(home: Path) -> None:
    async def main() -> None:
        copy = copy_in(home)
        brought = bring_back(copy, home, venue_too=True)
        assert brought.venue
        assert brought.aside
        assert sorted(file.name for file in Path(brought.aside).iterdir()) == ["desk.db", "heads.stamp", "paper.db"]
        async with kept(home) as desk:
            assert desk.account.ports.reconciled
            assert desk.halted_by() == set()
            assert PERPETUAL not in desk.holds()
            assert desk.holds() == await desk.venue_holds()
            assert len(desk.live()) == len(await desk.waiting()) == 1
            # The venue has not heard of this one: it is a new order.
            client_id(await desk.buy("0.03", PERPETUAL, key="after the copy"))
        assert proof(home).findings == ()

    asyncio.run(main())


def test_a_copy_comes_back_into_an_empty_folder_that_holds_the_key(home: Path, tmp_path: Path) -> None:
    async def main() -> None:
        copy = copy_in(home)
        new = tmp_path / "new"
        new.mkdir()
        with pytest.raises(ChainKeyMissing):
            bring_back(copy, new, over=False)
        assert list(new.iterdir()) == []
        shutil.copyfile(home / "chain.key", new / "chain.key")
        brought = bring_back(copy, new, over=False)
        assert (brought.venue, brought.aside) == (True, "")
        async with kept(new) as desk:
            assert desk.account.ports.reconciled
            assert desk.halted_by() == set()
            client_id(await desk.buy("0.05"))
        assert proof(new).findings == ()

    asyncio.run(main())


def test_whatever_speaks_against_a_copy_is_said_before_anything_is_touched(home: Path, tmp_path: Path) -> None:
    async def main() -> None:
        copy = copy_in(home)
        before = everything(home)
        with pytest.raises(DeskInTheWay, match="--over"):
            bring_back(copy, home, over=False)
        assert everything(home) == before
        torn = tmp_path / "torn"
        shutil.copytree(copy, torn)
        with (torn / "desk.db").open("r+b") as file:
            file.seek(5_000)
            file.write(b"\xff" * 64)
        with pytest.raises(CopyUnusable, match="sha256"):
            bring_back(torn, home)
        assert everything(home) == before
        (home / "chain.key").write_text("00" * 32)
        with pytest.raises(AnotherKey, match="fingerprint"):
            bring_back(copy, home)
        (home / "chain.key").write_bytes(before["chain.key"])
        assert everything(home) == before
        with pytest.raises(CopyUnusable, match="cannot be read"):
            bring_back(tmp_path, home)
        assert everything(home) == before

    asyncio.run(main())


def test_a_copy_of_another_engine_or_of_a_later_release_is_refused_with_what_to_do(home: Path) -> None:
    copy, before = copy_in(home), everything(home)
    manifest = read_manifest(copy)
    for other, remedy in (
        (replace(manifest, engine="postgresql"), "--database"),
        (replace(manifest, schema="9999"), "release 1.2.3 or a later one"),
    ):
        other.write(copy)
        with pytest.raises(CopyUnusable, match=remedy):
            bring_back(copy, home)
        assert everything(home) == before


def test_a_copy_whose_manifest_was_made_to_fit_a_changed_book_is_still_found_out(home: Path) -> None:
    """Whoever can write the copy can write its hashes; the chain he cannot."""

    async def main() -> None:
        copy = copy_in(home)
        with closing(sqlite3.connect(copy / "desk.db")) as connection:
            triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for (name,) in triggers:
                connection.execute(f'DROP TRIGGER "{name}"')
            connection.execute("UPDATE trades SET price = '1'")
            connection.commit()
        manifest = read_manifest(copy)
        changed = {**manifest.files, "desk.db": copied_file(copy / "desk.db")}
        replace(manifest, files=changed).write(copy)
        before = everything(home)
        with pytest.raises(CopyUnusable, match="findings"):
            bring_back(copy, home)
        assert everything(home) == before

    asyncio.run(main())


def test_what_was_stopped_stays_stopped_although_the_copy_does_not_know_it(tmp_path: Path) -> None:
    async def main() -> None:
        home = tmp_path / "desk"
        async with kept(home) as desk:
            client_id(await desk.buy("0.01"))
            copy = copied(home).folder
            halt = Halt(Scope.ACCOUNT, ACCOUNT, "guard:drawdown", TradingState.REDUCE_ONLY, "too deep", latched=True)
            await set_state(desk.account.ports, halt, "guard:drawdown")
        bring_back(copy, home)
        async with kept(home) as desk:
            assert desk.account.ports.reconciled
            assert desk.halted_by() == {"manual"}
            refused = await desk.buy("0.02")
            assert not refused.approved
            await lift(desk.account.ports, "manual", "user:1")
            client_id(await desk.buy("0.03"))
        assert proof(home).findings == ()

    asyncio.run(main())


def test_event_numbers_are_never_given_out_twice_and_who_followed_the_lost_ones_reads_anew(tmp_path: Path) -> None:
    async def main() -> None:
        home, mine = tmp_path / "desk", frozenset({ACCOUNT})
        async with kept(home) as desk:
            client_id(await desk.buy("0.01"))
            copy = copied(home).folder
            known = desk.served.desk.events.number
            client_id(await desk.buy("0.02"))
            lost = desk.served.desk.events.number
        bring_back(copy, home)
        async with kept(home) as desk:
            events = desk.served.desk.events
            assert events.number > lost + EVENT_GAP
            for after in (known, lost):
                with pytest.raises(TooOld):
                    await events.since(after, mine)
            news = await events.since(lost + EVENT_GAP, mine)
            assert news.events[0].event.details["source"] == RESTORED

    asyncio.run(main())


def test_money_that_moved_in_the_lost_hour_keeps_the_account_shut_until_a_person_has_booked_it(tmp_path: Path) -> None:
    async def main() -> None:
        home = tmp_path / "desk"
        async with kept(home) as desk:
            client_id(await desk.buy("0.01"))
            copy = copied(home).folder
            await pay_in(desk, "lost")
        bring_back(copy, home)
        async with kept(home) as desk:
            assert not desk.account.ports.reconciled
            assert desk.halted_by() == {RESTORED}
            assert not (await desk.buy("0.02")).approved
            assert (await desk.sell("0.01")).approved
            await book_paid(desk, "lost")
            await desk.account.attendant.sync()
            assert desk.account.ports.reconciled
            assert desk.halted_by() == set()
        assert proof(home).findings == ()

    asyncio.run(main())


def test_a_start_that_dies_before_it_has_caught_up_is_made_again(home: Path) -> None:
    async def main() -> None:
        copy = copy_in(home)
        bring_back(copy, home)
        mark = mark_of(DataDirectory(home)).read_bytes()
        async with kept(home, wakes=False) as desk:
            assert desk.halted_by() == {RESTORED}
        assert not mark_of(DataDirectory(home)).exists()
        # As if it had died before the mark was taken away.
        mark_of(DataDirectory(home)).write_bytes(mark)
        async with kept(home) as desk:
            assert desk.account.ports.reconciled
            assert desk.halted_by() == set()
            assert desk.holds() == await desk.venue_holds()
        assert proof(home).findings == ()

    asyncio.run(main())


def test_a_venue_whose_books_are_damaged_comes_back_with_the_desk(home: Path) -> None:
    async def main() -> None:
        copy = copy_in(home)
        (home / "paper.db").write_bytes(b"not a database any more" * 400)
        brought = bring_back(copy, home)
        assert brought.venue
        async with kept(home) as desk:
            assert desk.account.ports.reconciled
            assert desk.holds() == await desk.venue_holds()

    asyncio.run(main())


def test_a_book_that_can_no_longer_be_read_is_replaced_and_kept_aside(home: Path) -> None:
    async def main() -> None:
        copy = copy_in(home)
        (home / "desk.db").write_bytes(b"not a database any more" * 400)
        brought = bring_back(copy, home)
        assert brought.aside
        assert Path(brought.aside, "desk.db").read_bytes().startswith(b"not a database")
        async with kept(home) as desk:
            assert desk.holds() == await desk.venue_holds()
        assert proof(home).findings == ()

    asyncio.run(main())


class Cut(BaseException):
    """The power is gone."""


@pytest.mark.parametrize("at", range(1, 9))
def test_a_restore_that_is_cut_anywhere_leaves_a_desk_that_knows_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Every rename is one moment; the power goes before the n-th of them."""

    async def main() -> None:
        copy = copy_in(home)
        left, rename, replace_ = [at], Path.rename, Path.replace

        def cut() -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Cut

        def cut_rename(self: Path, target: Path) -> Path:
            cut()
            return rename(self, target)

        def cut_replace(self: Path, target: Path) -> Path:
            cut()
            return replace_(self, target)

        with monkeypatch.context() as power:
            power.setattr(Path, "rename", cut_rename)
            power.setattr(Path, "replace", cut_replace)
            with suppress(Cut):
                bring_back(copy, home)
        assert (home / "desk.db").exists()
        async with kept(home) as desk:
            assert desk.account.ports.reconciled
            assert desk.halted_by() == set()
            assert desk.holds() == await desk.venue_holds()
            assert len(await desk.waiting()) == 2
        assert proof(home).findings == ()

    asyncio.run(main())


def test_a_mark_that_cannot_be_read_is_no_reason_to_go_on_without_it(tmp_path: Path) -> None:
    async def main() -> None:
        home = tmp_path / "desk"
        async with kept(home):
            pass
        mark_of(DataDirectory(home)).write_text("{")
        with pytest.raises(MarkUnreadable, match="--over"):
            async with kept(home):
                pass

    asyncio.run(main())
