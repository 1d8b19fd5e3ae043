"""What a copy says about itself, and the folder that copies lie in."""

import fcntl
import hashlib
import hmac
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.errors import PlimsollError

MANIFEST = "manifest.json"
PROVEN = "proven.json"
FORMAT = 1
#: The name of a copy is when it was taken, in UTC.
_NAME = "%Y%m%dT%H%M%S.%fZ"
#: What is being made, and what was left of it when its maker died.
UNFINISHED = ".unfinished-"
_READ_BYTES = 1 << 20


class BackupFailed(PlimsollError):
    """No copy was made, and those that were there are untouched."""


class CopyUnusable(PlimsollError):
    """The copy cannot be used; nothing was changed. Take another one."""


class ProgramFailed(PlimsollError):
    """A program of PostgreSQL's ended with a failure: holds what it said."""


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """One file of a copy."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a copy is, as it was found when it was tried."""

    taken_at: str
    #: Of the program that made it.
    release: str
    #: Version of the tables.
    schema: str
    #: `sqlite` or `postgresql`.
    engine: str
    files: Mapping[str, CopiedFile]
    #: Of the books; equal books have equal digests, whichever machine they are on.
    digest: str
    #: Commits and numbered events so far.
    group: int
    event: int
    #: Last link of each chain, by account: `number:link`.
    heads: Mapping[str, str]
    #: Names the key of the chain without telling it.
    key_fingerprint: str
    #: How much was looked at when the copy was tried, by kind, and what could not be looked at.
    checked: Mapping[str, int]
    unseen: tuple[str, ...]

    @property
    def at(self) -> datetime:
        return parse_time(self.taken_at)

    def write(self, folder: Path) -> None:
        """Write it beside the files it is about, for good."""
        write_whole(folder / MANIFEST, json.dumps({"format": FORMAT, **asdict(self)}, indent=2, sort_keys=True) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """Read what a copy says about itself.

    Raises: CopyUnusable
    """
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if told.pop("format") != FORMAT:
            raise CopyUnusable(f"{folder}: a later release made this copy: bring it back with that one")
        files = {str(name): CopiedFile(int(file["size"]), str(file["sha256"])) for name, file in told["files"].items()}
        read = Manifest(**{**told, "files": files, "unseen": tuple(told["unseen"])})
        parse_time(read.taken_at)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise CopyUnusable(f"{folder}: {MANIFEST} cannot be read ({problem}). {CopyUnusable.__doc__}") from problem
    return read


def check_files(folder: Path, manifest: Manifest) -> None:
    """Compare every file of a copy with what the manifest says of it.

    Raises: CopyUnusable
    """
    for name, said in sorted(manifest.files.items()):
        try:
            found = copied_file(folder / name)
        except OSError as problem:
            raise CopyUnusable(f"{folder / name}: {problem}. {CopyUnusable.__doc__}") from problem
        if found != said:
            sentence = f"{said.size} bytes of sha256 {said.sha256} were copied, here are {found.size} of {found.sha256}"
            raise CopyUnusable(f"{folder / name}: {sentence}. {CopyUnusable.__doc__}")


def copied_file(path: Path) -> CopiedFile:
    """Measure a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
            size += len(block)
    return CopiedFile(size, digest.hexdigest())


def fingerprint(chain_key: bytes) -> str:
    """Name a key without telling it."""
    return hmac.new(chain_key, b"plimsoll: which key", hashlib.sha256).hexdigest()[:32]


# The folder -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proven:
    """What a drill has brought back."""

    copy: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CopyFolder:
    """Where the copies of one desk lie."""

    path: Path

    def copies(self) -> dict[datetime, Path]:
        """List the whole copies by when they were taken, oldest first; what has another name is not ours."""
        found = {}
        for entry in self.path.iterdir() if self.path.is_dir() else ():
            at = _taken_at(entry.name)
            if at is not None and (entry / MANIFEST).is_file():
                found[at] = entry
        return dict(sorted(found.items()))

    def proven(self) -> Proven | None:
        """Say which copy a drill last brought back; None when none has, or nobody can tell."""
        try:
            told = json.loads((self.path / PROVEN).read_text(encoding="utf-8"))
            return Proven(str(told["copy"]), parse_time(told["at"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember_proven(self, copy: Path, at: datetime) -> None:
        """Write down that a copy came back."""
        text = json.dumps({"copy": copy.name, "at": time_text(at)}, sort_keys=True) + "\n"
        write_whole(self.path / PROVEN, text)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the one who makes or removes copies here.

        Raises: BackupFailed while somebody else is
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupFailed(f"{self.path}: another copy is being made; wait for it") from None
        else:
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def unfinished(self, at: datetime) -> Iterator[Path]:
        """Make a copy under a name that is none, and give it its name when it is whole; failed, nothing of it stays.

        What if we crash in here? The next one clears away what has no name.
        """
        for left in self.path.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left)
        name = at.astimezone(UTC).strftime(_NAME)
        making = self.path / f"{UNFINISHED}{name}"
        making.mkdir(mode=0o700)
        try:
            yield making
            flush_folder(making)
            making.rename(self.path / name)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        flush_folder(self.path)

    def give_up(self, copy: Path) -> None:
        """Remove a copy: first its name, then the rest, so that half a copy never looks like a whole one."""
        going = self.path / f"{UNFINISHED}{copy.name}"
        copy.rename(going)
        shutil.rmtree(going)


def name_of(at: datetime) -> str:
    """Name the copy that is taken at a moment."""
    return at.astimezone(UTC).strftime(_NAME)


def _taken_at(name: str) -> datetime | None:
    try:
        return datetime.strptime(name, _NAME).replace(tzinfo=UTC)
    except ValueError:
        return None


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that, cut anywhere, the old one or the new one is there."""
    beside = path.with_name(f"{path.name}.new")
    with open(beside, "w", encoding="utf-8", opener=_for_us) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    flush_folder(path.parent)


def _for_us(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def flush_file(path: Path) -> None:
    """See that what was written to a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(path: Path) -> None:
    """See that the names in a folder are on the disk."""
    flush_file(path)
