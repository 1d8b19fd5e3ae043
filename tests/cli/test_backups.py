"""`plimsoll backup`, `restore` and `drill` as their user types them, beside a desk that runs and without one."""

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from plimsoll.bootstrap import DataDirectory
from plimsoll.bootstrap.backups.keeper import CopyNotMade
from plimsoll.bootstrap.backups.manifest import CopyFolder
from plimsoll.cli.backups import CopyPlan, copies_of, copy_beside, keeper_of, plan_of
from plimsoll.settings import load_settings
from tests.builders.process import served
from tests.cli.shell import plimsoll

PERPETUAL = "BTC/USDT:USDT"


def test_a_desk_that_died_comes_back_from_its_copy_with_everything_that_its_venue_has(tmp_path: Path) -> None:
    home = tmp_path / "desk"
    with served(home) as desk:
        desk.sign_in()
        desk.post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "quote_value": "500"})
        copied = plimsoll("backup", "--data", home, "--json")
        assert copied.code == 0, copied
        assert Path(copied.json["copy"]).parent == home / "backups"
        bought = desk.post("/orders", {"symbol": PERPETUAL, "side": "BUY", "quote_value": "500"}, key="after")
        quantity = bought["order"]["filled_quantity"]
        running = plimsoll("restore", copied.json["copy"], "--over", "--data", home)
        assert running.code == 1
        assert "Another process is the desk" in running.err
        desk.kill()
        in_the_way = plimsoll("restore", copied.json["copy"], "--data", home)
        assert in_the_way.code == 1
        assert "--over" in in_the_way.err
        back = plimsoll("restore", copied.json["copy"], "--over", "--data", home, "--json")
        assert (back.code, back.json["venue"]) == (0, False), back
        assert Path(back.json["replaced"], "desk.db").exists()
        desk.start().sign_in()
        held = {position["symbol"]: position["quantity"] for position in desk.get("/positions")["items"]}
        assert held[PERPETUAL] == quantity
        again = desk.try_post("/orders", {"symbol": PERPETUAL, "side": "BUY", "quote_value": "500"}, key="after")
        assert again.status_code == 409, again.text
        assert {item["symbol"]: item["quantity"] for item in desk.get("/positions")["items"]} == held
        assert desk.stop() == 0
    verified = plimsoll("verify", "--data", home, "--json")
    assert (verified.code, verified.json["findings"]) == (0, [])


def test_a_copy_is_told_to_a_person_and_proven_by_a_drill(tmp_path: Path) -> None:
    home, kept = tmp_path / "desk", tmp_path / "another disk"
    with served(home) as desk:
        assert desk.stop() == 0
    nothing = plimsoll("drill", "--data", home, "--to", kept)
    assert nothing.code == 1
    assert "There is no copy here" in nothing.err
    told = plimsoll("backup", "--data", home, "--to", kept)
    assert told.code == 0, told
    assert "desk.db" in told.out
    assert "keep chain.key elsewhere" in told.err
    drilled = plimsoll("drill", "--data", home, "--to", kept, "--json")
    assert (drilled.code, drilled.json["proven"], drilled.json["accounts"]) == (0, True, 1), drilled
    (copy,) = CopyFolder(kept).copies().values()
    said = plimsoll("drill", "--data", home, "--to", kept)
    assert said.code == 0
    assert f"{copy} came back" in said.err
    new = tmp_path / "new"
    new.mkdir()
    keyless = plimsoll("restore", copy, "--data", new)
    assert keyless.code == 1
    assert "chain.key" in keyless.err
    shutil.copyfile(home / "chain.key", new / "chain.key")
    back = plimsoll("restore", copy, "--data", new)
    assert back.code == 0, back
    assert "opens nothing until" in back.err
    over = plimsoll("restore", copy, "--over", "--venue-too", "--data", new)
    assert over.code == 0
    assert "What was here lies in" in over.err
    (copy / "desk.db").write_bytes(b"")
    failed = plimsoll("drill", "--data", home, "--to", kept)
    assert failed.code == 1
    assert "did not come back" in failed.err


def test_where_there_is_no_desk_there_is_nothing_to_copy(tmp_path: Path) -> None:
    assert plimsoll("backup", "--data", tmp_path).code == 2
    assert not (tmp_path / "backups").exists()


def test_a_desk_makes_its_copies_by_another_process(tmp_path: Path) -> None:
    home = tmp_path / "desk"
    with served(home) as desk:
        plan = CopyPlan(CopyFolder(tmp_path / "copies"), timedelta(hours=1), {"PLIMSOLL_LOG_LEVEL": "ERROR"})
        asyncio.run(copy_beside(DataDirectory(home), plan))
        assert len(plan.folder.copies()) == 1
        assert desk.stop() == 0


def test_a_process_that_makes_no_copy_says_why(tmp_path: Path) -> None:
    plan = CopyPlan(CopyFolder(tmp_path / "copies"), timedelta(hours=1), {})
    with pytest.raises(CopyNotMade, match="There is no desk here"):
        asyncio.run(copy_beside(DataDirectory(tmp_path), plan))


def test_a_copy_that_is_under_way_when_the_desk_ends_is_given_up(tmp_path: Path) -> None:
    plan = CopyPlan(CopyFolder(tmp_path / "copies"), timedelta(hours=1), {})

    async def main() -> None:
        making = asyncio.create_task(copy_beside(DataDirectory(tmp_path), plan))
        await asyncio.wait([making], timeout=0.05)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making

    asyncio.run(main())
    assert plan.folder.copies() == {}


def test_how_often_and_where_copies_are_made_is_a_setting(tmp_path: Path) -> None:
    usual = plan_of(load_settings({"data": tmp_path}, {}))
    assert (usual.folder.path, usual.every, usual.environment) == (tmp_path / "backups", timedelta(hours=1), {})
    told = load_settings({"data": tmp_path}, {"PLIMSOLL_BACKUP_TO": "~/copies", "PLIMSOLL_BACKUP_EVERY_MINUTES": "15"})
    assert plan_of(told).every == timedelta(minutes=15)
    assert copies_of(told).path == Path("~/copies").expanduser()
    never = plan_of(load_settings({"data": tmp_path}, {"PLIMSOLL_BACKUP_EVERY_MINUTES": "0"}))
    assert never.every is None
    assert keeper_of(DataDirectory(tmp_path), never) is None


def test_the_address_of_a_database_goes_where_other_users_cannot_read_it(tmp_path: Path) -> None:
    address = "postgresql://desk:secret@127.0.0.1/desk"
    plan = plan_of(load_settings({"data": tmp_path, "database": address}, {}))
    assert plan.environment == {"PLIMSOLL_DATABASE": address, "PLIMSOLL_DATABASE_SCHEMA": "plimsoll"}
