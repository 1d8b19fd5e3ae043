"""Statements as somebody would write them, read whole."""

from dataclasses import dataclass
from pathlib import Path

from plimsoll.imports.reading import Complaint, Options, open_statement
from plimsoll.model.told import Told


@dataclass(frozen=True)
class Read:
    """All that one statement told, and all that was wrong with it."""

    format: str
    told: list[Told]
    raws: list[str]
    complaints: list[Complaint]

    @property
    def sentences(self) -> list[str]:
        return [str(complaint) for complaint in self.complaints]

    @property
    def facts(self) -> list[tuple[object, ...]]:
        """Give what was told without the lines it stood in, in the order of time."""
        found = sorted(self.told, key=lambda told: (told.order, told.symbol, told.asset))
        return [facts_of(told) for told in found]


def facts_of(told: Told) -> tuple[object, ...]:
    """Give everything that a told thing says but its lines."""
    return tuple(getattr(told, name) for name in Told.__slots__ if name != "lines")


def read(path: Path, options: Options | None = None) -> Read:
    """Read a statement to its end."""
    statement = open_statement(path, options or Options())
    told, raws, complaints = list[Told](), list[str](), list[Complaint]()
    for found in statement.read():
        if isinstance(found, Complaint):
            complaints.append(found)
        else:
            told.append(found.told)
            raws.append(found.raw)
    return Read(statement.format, told, raws, complaints)


def written(folder: Path, text: str | bytes, name: str = "statement.csv") -> Path:
    """Write a statement to a file."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
