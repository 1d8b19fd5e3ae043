"""Somebody's database is read as it is, with its log of writes, and stays byte for byte what it was."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plimsoll.imports import source_copy
from plimsoll.imports.source_copy import NotADatabase, SourceChanged, copied_database, prints_of, sha256_of


def keep(path: Path, *values: int, journal: str = "delete") -> sqlite3.Connection:
    """Make a database of somebody's, and leave it open as its program would."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute("CREATE TABLE seen (value INTEGER)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO seen VALUES (?)", [(value,) for value in values])
    connection.execute("COMMIT")
    return connection


def values_in(path: Path) -> list[int]:
    with copied_database(path) as connection:
        return [row["value"] for row in connection.execute("SELECT value FROM seen ORDER BY value")]


def everything_beside(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


def test_what_stands_only_in_the_log_of_writes_is_read(tmp_path: Path) -> None:
    """The newest rows of a program that runs are in its log, and nothing of it is touched."""
    path = tmp_path / "bot.sqlite"
    with closing(keep(path, 1, 2, journal="wal")) as owner:
        owner.execute("INSERT INTO seen VALUES (3)")
        before = everything_beside(path)
        assert len(before["bot.sqlite-wal"]) > 0
        assert values_in(path) == [1, 2, 3]
        assert everything_beside(path) == before


def test_nothing_is_left_beside_a_source_at_rest(tmp_path: Path) -> None:
    """No journal, no lock, no shared memory: the folder may even be one that nobody can write to."""
    path = tmp_path / "bot.sqlite"
    keep(path, 7, journal="wal").close()
    before = everything_beside(path)
    tmp_path.chmod(0o500)
    try:
        assert values_in(path) == [7]
    finally:
        tmp_path.chmod(0o700)
    assert everything_beside(path) == before
    assert sha256_of(path) == prints_of(path)[0]


def test_half_a_write_is_not_seen(tmp_path: Path) -> None:
    """A writer that was killed left its journal: the copy is taken back to before its write, the source is not."""
    path = tmp_path / "bot.sqlite"
    keep(path, *range(2_000)).close()
    whole = path.read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE seen SET value = -1")
        torn, journal = path.read_bytes(), path.with_name("bot.sqlite-journal").read_bytes()
        writer.execute("ROLLBACK")
    assert torn != whole
    killed = tmp_path / "killed"
    killed.mkdir()
    path = killed / "bot.sqlite"
    path.write_bytes(torn)
    path.with_name("bot.sqlite-journal").write_bytes(journal)
    before = everything_beside(path)
    assert values_in(path) == list(range(2_000))
    assert everything_beside(path) == before


def test_the_copy_cannot_be_written_to(tmp_path: Path) -> None:
    """Who writes to it has mistaken it for a database of ours."""
    path = tmp_path / "bot.sqlite"
    keep(path, 1).close()
    with pytest.raises(NotADatabase, match="readonly"), copied_database(path) as connection:
        connection.execute("DELETE FROM seen")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"time,symbol\n", "no SQLite database, or an encrypted one"),
        (bytes(range(256)) * 40, "no SQLite database, or an encrypted one"),
        (b"SQLite format 3\x00" + b"\xff" * 4_000, "cannot be read as a database"),
    ],
    ids=["empty", "text", "encrypted", "rubbish behind the magic"],
)
def test_what_is_no_database_is_refused_with_a_sentence(tmp_path: Path, content: bytes, told: str) -> None:
    """By name, and without a trace beside it."""
    path = tmp_path / "bot.sqlite"
    path.write_bytes(content)
    with pytest.raises(NotADatabase, match=told), copied_database(path):
        pass
    assert everything_beside(path) == {"bot.sqlite": content}


def test_a_database_that_was_cut_off_is_refused_before_half_of_it_is_read(tmp_path: Path) -> None:
    """An upload that broke: the first pages are there and answer."""
    path = tmp_path / "bot.sqlite"
    keep(path, *range(5_000)).close()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(NotADatabase, match="cannot be read as a database"), copied_database(path):
        pass


def test_a_database_with_a_damaged_page_is_refused_before_half_of_it_is_read(tmp_path: Path) -> None:
    """Its beginning and its end answer; what is between would be missing without a word."""
    path = tmp_path / "bot.sqlite"
    keep(path, *range(5_000)).close()
    damaged = bytearray(path.read_bytes())
    damaged[4096 * 4 : 4096 * 5] = bytes(4096)
    path.write_bytes(damaged)
    with pytest.raises(NotADatabase, match="cannot be read as a database"), copied_database(path):
        pass


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    """A file that is missing, and a folder."""
    for path in (tmp_path / "none.sqlite", tmp_path):
        with pytest.raises(NotADatabase, match=r"cannot be read|is no file"), copied_database(path):
            pass
        with pytest.raises(NotADatabase, match=r"cannot be read|is no file"):
            sha256_of(path)


def test_a_source_that_is_written_to_meanwhile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file and its log would be of two moments."""
    path = tmp_path / "bot.sqlite"
    with closing(keep(path, 1, journal="wal")) as owner:
        copied = source_copy._copied

        def and_then_a_write(source: Path, target: Path) -> str | None:
            told = copied(source, target)
            owner.execute("INSERT INTO seen VALUES (2)")
            return told

        monkeypatch.setattr(source_copy, "_copied", and_then_a_write)
        with pytest.raises(SourceChanged, match="stop the program"), copied_database(path):
            pass


def test_a_source_is_asked_for_as_it_was(tmp_path: Path) -> None:
    """What was looked at first is what is read afterwards, or nothing is."""
    path = tmp_path / "bot.sqlite"
    with closing(keep(path, 1, journal="wal")) as owner:
        prints = prints_of(path)
        with copied_database(path, prints) as connection:
            assert [tuple(row) for row in connection.execute("SELECT value FROM seen")] == [(1,)]
        owner.execute("INSERT INTO seen VALUES (2)")
        with pytest.raises(SourceChanged), copied_database(path, prints):
            pass
