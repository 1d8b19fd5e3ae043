"""The stage in a folder: DIR/moving, whose files come into DIR by one rename each, the desk's book last.

From the first row on a sign in DIR says that a desk is on its way there, and no desk opens in it. When all was proven
the sign says so, and goes last, after the folder that the desk left was told where it went: cut anywhere in between,
neither of them opens, and the next run of the same move does the rest.

Back into the folder that the desk left for a server the same way: until it is proven that folder says where its books
are, and they can be opened there.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from plimsoll.bootstrap import DataDirectory, take_the_desk
from plimsoll.bootstrap.backups.manifest import flush_file, flush_folder, write_whole
from plimsoll.bootstrap.backups.waking import mark_of as restored_mark
from plimsoll.bootstrap.moving.mark import Mark, TargetTaken, mark_from
from plimsoll.bootstrap.ownership import ARRIVED, ARRIVING, point_to, remembered_place
from plimsoll.store.place import Place

_STAGE = "moving"


class FolderStage:
    """Where books wait beside a folder's own names; `trial` for a rehearsal, which leaves nothing."""

    def __init__(self, path: Path, *, trial: bool = False) -> None:
        self._home = DataDirectory(path)
        self._stage = DataDirectory(path.with_name(f"{path.name}.trial") if trial else path / _STAGE)
        self._trial = trial

    @property
    def name(self) -> str:
        """As the folder that the desk leaves will remember it."""
        return f"SQLite, in the folder {self._home.path}"

    @property
    def directory(self) -> DataDirectory:
        """The desk, once it has arrived."""
        return self._home

    @property
    def book(self) -> Place:
        return self._stage.book

    @property
    def venue_book(self) -> Place:
        return self._stage.venue_book

    @contextmanager
    def held(self, source: Path) -> Iterator[None]:
        """Keep every other process out of the folder; where the desk comes from is held already."""
        with ExitStack() as stack:
            if self._trial or source != self._home.path:
                stack.callback(take_the_desk(self._stage if self._trial else self._home).release)
            yield
            if self._trial:
                shutil.rmtree(self._stage.path)

    def mark(self) -> Mark | None:
        """Say what an earlier run has begun here."""
        with suppress(FileNotFoundError):
            return mark_from(self._mark_file.read_text(encoding="utf-8"))
        return None

    def is_proven(self) -> bool:
        """Say whether an earlier run had only names left to give."""
        return remembered_place(self._home) == ARRIVED

    def is_opened_by(self, source: Path) -> bool:
        """Say whether the folder that the desk leaves knows that it has left."""
        return remembered_place(DataDirectory(source)) in (self.name, ARRIVED)

    def refuse_taken(self, source: DataDirectory) -> None:
        """See that nothing is in the way.

        Raises: TargetTaken
        """
        taken = [file for file in (self._home.database, self._home.paper_books) if file.exists()]
        if taken:
            raise TargetTaken(f"{taken[0]} is there. {TargetTaken.__doc__}")
        key = self._home.chain_key_file
        if key.exists() and key.read_text() != source.chain_key_file.read_text():
            raise TargetTaken(f"{key} is another desk's key. {TargetTaken.__doc__}")
        if self._home.path != source.path and remembered_place(self._home) not in (None, ARRIVING):
            raise TargetTaken(f"{self._home.home} is another desk's. {TargetTaken.__doc__}")

    def begin(self, mark: Mark) -> None:
        """Make the stage, and the sign before it."""
        if not self._trial and mark.folder != str(self._home.path):
            point_to(self._home, ARRIVING)
        self._stage.path.mkdir(mode=0o700, exist_ok=True)
        write_whole(self._mark_file, mark.text())

    def throw_away(self) -> None:
        """Remove what an earlier run has made; what it gave a name to nobody has opened."""
        if self._trial:
            for file in self._stage.path.iterdir():
                if file != self._stage.lock:
                    file.unlink()
            return
        if self.is_proven():
            for file in (self._home.database, self._home.paper_books):
                file.unlink(missing_ok=True)
        shutil.rmtree(self._stage.path, ignore_errors=True)
        if remembered_place(self._home) in (ARRIVING, ARRIVED):
            self._home.home.unlink()

    def settle(self) -> None:
        """Leave each book as one file."""
        for file in (self._stage.database, self._stage.paper_books):
            if file.exists():
                with closing(sqlite3.connect(file, isolation_level=None)) as connection:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                flush_file(file)

    def put_in_place(self, source: DataDirectory, at: datetime) -> None:  # noqa: ARG002  a server's stage needs the hour
        """Give the books their names, and let the desk open here and nowhere else; again is harmless."""
        home = self._home
        point_to(home, ARRIVED)
        if source.path != home.path:
            for file in (source.chain_key_file, source.stamp, restored_mark(source)):
                if file.exists():
                    write_whole(home.path / file.name, file.read_text(encoding="utf-8"))
        for made, file in ((self._stage.paper_books, home.paper_books), (self._stage.database, home.database)):
            if made.exists():
                made.rename(file)
        flush_folder(home.path)
        if source.path != home.path:
            point_to(source, self.name)
        shutil.rmtree(self._stage.path, ignore_errors=True)
        home.home.unlink()
        flush_folder(home.path)

    @property
    def _mark_file(self) -> Path:
        return self._stage.path / "mark.json"
