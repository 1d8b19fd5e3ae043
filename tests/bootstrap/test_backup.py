"""A copy of a desk: made while it writes, tried before it has a name, and none at all when anything is wrong."""

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plimsoll.bootstrap import ChainKeyMissing, DataDirectory
from plimsoll.bootstrap.backups.copy import Taken, back_up, copy_database
from plimsoll.bootstrap.backups.manifest import BackupFailed, CopyFolder, CopyUnusable, check_files, read_manifest
from plimsoll.ledger.digest import digest
from plimsoll.model.order import Side
from plimsoll.store.sqlite import reader
from plimsoll.venues.paper.books import create_books
from tests.builders.ledger import CHAIN_KEY, SPOT, Books, books_at, fill

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class At:
    """A clock that stands where it is put."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def desk(tmp_path: Path) -> DataDirectory:
    """Give the folder of a desk with some trades in its book."""
    directory = DataDirectory(tmp_path / "desk")
    directory.path.mkdir()
    directory.chain_key_file.write_text(CHAIN_KEY.hex())
    create_books(directory.venue_book)
    with closing(books_at(directory.database).open()) as books:
        for number in range(20):
            trade(books, number)
    return directory


def trade(books: Books, number: int) -> None:
    assert books.book(fill(SPOT, Side.BUY, "1", "100", number + 1))


def copies(directory: DataDirectory) -> CopyFolder:
    return CopyFolder(directory.path / "backups")


def copied(directory: DataDirectory, clock: At | None = None, **how: object) -> Taken:
    return back_up(directory, copies(directory), clock or At(), "1.2.3", **how)  # type: ignore[arg-type]


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_a_copy_holds_the_books_and_their_stamp_and_says_what_it_is(desk: DataDirectory) -> None:
    taken = copied(desk)
    assert taken.folder.name == "20261121T120000.000000Z"
    assert names(taken.folder) == {"desk.db", "paper.db", "heads.stamp", "manifest.json"}
    manifest = read_manifest(taken.folder)
    assert manifest == taken.manifest
    check_files(taken.folder, manifest)
    assert manifest.digest == digest(reader(desk.database)) == digest(reader(taken.folder / "desk.db"))
    assert manifest.release == "1.2.3"
    assert manifest.checked["trades"] == 20
    assert manifest.at == NOON


def test_the_key_of_the_chain_is_in_no_copy(desk: DataDirectory) -> None:
    taken = copied(desk)
    secrets = (CHAIN_KEY, CHAIN_KEY.hex().encode())
    for file in taken.folder.iterdir():
        assert not any(secret in file.read_bytes() for secret in secrets)


def test_a_copy_is_for_the_user_of_the_desk_alone(desk: DataDirectory) -> None:
    taken = copied(desk)
    assert taken.folder.stat().st_mode & 0o077 == 0
    assert copies(desk).path.stat().st_mode & 0o077 == 0


def test_a_desk_that_never_stops_writing_is_copied_as_of_one_moment_each_time(desk: DataDirectory) -> None:
    books, ended, failed = books_at(desk.database), threading.Event(), list[BaseException]()

    def write() -> None:
        number = 100
        try:
            while not ended.is_set():
                trade(books, number)
                number += 1
        except BaseException as failure:  # noqa: BLE001  told to the test
            failed.append(failure)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        taken = [copied(desk, At(NOON + timedelta(hours=hours))) for hours in range(3)]
    finally:
        ended.set()
        writer.join()
        books.close()
    assert failed == []
    groups = [each.manifest.group for each in taken]
    assert groups == sorted(groups)
    assert len(set(groups)) == 3, "the writer stood still"
    for each in taken:
        assert each.manifest.digest == digest(reader(each.folder / "desk.db"))


def test_two_copies_of_one_moment_have_two_names(desk: DataDirectory) -> None:
    first, second = copied(desk), copied(desk)
    assert second.folder.name > first.folder.name
    assert second.given_up == (first.folder,)


def test_a_copy_that_the_disk_has_no_room_for_leaves_nothing_behind(desk: DataDirectory) -> None:
    before = copied(desk)

    def full(source: Path, target: Path) -> None:
        copy_database(source, target)
        if target.name == "paper.db":
            raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(BackupFailed, match=r"database or disk is full.*untouched.*--to"):
        copied(desk, At(NOON + timedelta(hours=1)), copy=full)
    assert names(copies(desk).path) == {before.folder.name, "lock"}


def test_a_process_that_may_write_no_more_makes_no_copy_and_says_so(desk: DataDirectory) -> None:
    """A real limit of the system: files end at 64 kB."""
    done = subprocess.run(
        [sys.executable, "-m", "plimsoll", "backup", "--data", str(desk.path)],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("PLIMSOLL_")},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536)),
    )
    assert done.returncode == 1, done.stderr
    assert "No copy was made" in done.stderr
    assert "Traceback" not in done.stderr
    assert names(copies(desk).path) == {"lock"}


def test_a_copy_needs_more_room_than_the_books_alone(desk: DataDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk itself must be able to go on writing."""
    small = shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: small)
    with pytest.raises(BackupFailed, match="0 MB are free"):
        copied(desk)
    assert names(copies(desk).path) == {"lock"}


def test_what_a_killed_copy_left_has_no_name_and_is_cleared_away_by_the_next(desk: DataDirectory) -> None:
    left = copies(desk).path / ".unfinished-20261121T110000.000000Z"
    left.mkdir(parents=True)
    (left / "desk.db").write_bytes(b"half")
    assert copies(desk).copies() == {}
    taken = copied(desk)
    assert names(copies(desk).path) == {taken.folder.name, "lock"}


def test_a_book_that_does_not_prove_gives_no_copy(desk: DataDirectory) -> None:
    before = copied(desk)
    with closing(sqlite3.connect(desk.database)) as connection:
        (trigger,) = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'trades' AND name LIKE '%update%'"
        ).fetchone()
        connection.execute(f'DROP TRIGGER "{trigger}"')
        connection.execute("UPDATE trades SET price = '99' WHERE id = 3")
        connection.commit()
    with pytest.raises(BackupFailed, match=r"broken_link.*untouched"):
        copied(desk, At(NOON + timedelta(hours=1)))
    assert names(copies(desk).path) == {before.folder.name, "lock"}


def test_a_damaged_file_of_the_venue_gives_no_copy(desk: DataDirectory) -> None:
    def torn(source: Path, target: Path) -> None:
        copy_database(source, target)
        if target.name == "paper.db":
            with target.open("r+b") as file:
                file.seek(4_096)
                file.write(b"\xff" * 4_096)

    with pytest.raises(BackupFailed, match="SQLite finds"):
        copied(desk, copy=torn)
    assert names(copies(desk).path) == {"lock"}


def test_only_one_copy_is_made_at_a_time(desk: DataDirectory) -> None:
    with copies(desk).held(), pytest.raises(BackupFailed, match="another copy is being made"):
        copied(desk)
    assert copied(desk).folder.is_dir()


def test_without_the_key_a_book_cannot_be_proven_and_is_not_copied(desk: DataDirectory) -> None:
    desk.chain_key_file.unlink()
    with pytest.raises(ChainKeyMissing):
        copied(desk)
    assert not copies(desk).path.exists()


def test_copies_are_thinned_out_and_the_proven_one_stays(desk: DataDirectory) -> None:
    first = copied(desk, At(NOON - timedelta(days=90)))
    copies(desk).remember_proven(first.folder, NOON)
    of_days = [copied(desk, At(NOON - timedelta(hours=hours))) for hours in (1, 2, 3)]
    again = [copied(desk, At(NOON - timedelta(hours=3) + timedelta(minutes=minutes))) for minutes in (10, 20)]
    assert [each.given_up for each in again] == [(of_days[2].folder,), (again[0].folder,)]
    kept = set(copies(desk).copies().values())
    assert kept == {first.folder, of_days[0].folder, of_days[1].folder, again[1].folder}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 1}', "cannot be read"),
        ('{"format": 2}', "a later release"),
    ],
)
def test_a_manifest_that_is_none_of_ours_is_refused(tmp_path: Path, told: str, said: str) -> None:
    (tmp_path / "manifest.json").write_text(told)
    with pytest.raises(CopyUnusable, match=said):
        read_manifest(tmp_path)


@pytest.mark.parametrize("harm", ["cut", "gone", "changed"])
def test_a_file_of_a_copy_that_is_not_what_was_copied_is_named(desk: DataDirectory, harm: str) -> None:
    taken = copied(desk)
    file = taken.folder / "paper.db"
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1] if harm == "cut" else b"x" + file.read_bytes()[1:])
    with pytest.raises(CopyUnusable, match=r"paper\.db"):
        check_files(taken.folder, taken.manifest)


def test_what_was_proven_last_is_remembered_and_a_torn_note_of_it_is_none(desk: DataDirectory) -> None:
    folder = copies(desk)
    assert folder.proven() is None
    taken = copied(desk)
    folder.remember_proven(taken.folder, NOON)
    proven = folder.proven()
    assert proven is not None
    assert (proven.copy, proven.at) == (taken.folder.name, NOON)
    (folder.path / "proven.json").write_text(json.dumps({"copy": 1}))
    assert folder.proven() is None
