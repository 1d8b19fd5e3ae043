"""What a proof comes to: what was looked at, what was found, and what could not be seen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was written, or not as it must be."""

    #: Stable, `snake_case`.
    code: str
    table: str
    #: Which row or unit, as a person would look for it.
    place: str
    sentence: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was looked at, and what was found."""

    findings: tuple[Finding, ...]
    #: How many of each were looked at.
    checked: Mapping[str, int]
    #: What could not be looked at, and what it would take.
    unseen: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.findings

    def to_json(self) -> dict[str, object]:
        """Give it as plain values for a machine."""
        return {
            "ok": self.ok,
            "checked": dict(self.checked),
            "findings": [asdict(finding) for finding in self.findings],
            "unseen": list(self.unseen),
        }
