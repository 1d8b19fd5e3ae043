"""What came of asking venues: the log of comparisons, and every attempt to hear from one.

The log of comparisons is added to and never changed: one line for each comparison that found another thing than the one
before, and one an hour that stands for all that found the same. The log of attempts is kept thirty days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import orjson

from plimsoll.ledger.log import json_text
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.ids import AccountId
from plimsoll.store.draft import Draft, Row


class Compared(StrEnum):
    """What a comparison came to."""

    #: Nothing differs.
    EQUAL = "EQUAL"
    DIFFERENT = "DIFFERENT"
    #: The account did not stand still: nothing was concluded.
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A line of the log."""

    account_id: AccountId
    id: int
    at: datetime
    outcome: Compared
    #: Of the last one.
    duration_ms: int
    #: How many comparisons this line stands for.
    comparisons: int
    #: In sentences.
    differences: tuple[str, ...]
    #: Equity, balances, counts, margin as they were seen, as text; None is unknown.
    snapshot: tuple[tuple[str, str | None], ...]


def write_comparison(  # noqa: PLR0917  a line of the log has no fewer parts
    draft: Draft,
    account_id: AccountId,
    outcome: Compared,
    duration_ms: int,
    comparisons: int,
    differences: Sequence[str],
    snapshot: Mapping[str, str | None],
    at: datetime,
) -> None:
    """Add a line to the log of comparisons."""
    cells = (
        account_id,
        draft.next_id("reconciliation_log"),
        time_text(at),
        outcome,
        duration_ms,
        comparisons,
        json_text(list(differences)),
        json_text(dict(snapshot)),
    )
    draft.add("reconciliation_log", cells)


def comparison_from_row(row: Row) -> Comparison:
    """Read a line back."""
    account, number, at, outcome, duration_ms, comparisons, differences, snapshot = row
    return Comparison(
        AccountId(int(account or 0)),
        int(number or 0),
        parse_time(str(at)),
        Compared(str(outcome)),
        int(duration_ms or 0),
        int(comparisons or 0),
        tuple(orjson.loads(str(differences))),
        tuple(sorted(orjson.loads(str(snapshot)).items())),
    )


class Cause(StrEnum):
    """Why a venue was asked."""

    SCHEDULED = "SCHEDULED"
    #: Because a person wanted it.
    MANUAL = "MANUAL"
    #: In doubt: nothing opens before it is answered.
    PRE_TRADE = "PRE_TRADE"
    START = "START"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to hear from a venue."""

    account_id: AccountId
    id: int
    at: datetime
    cause: Cause
    duration_ms: int
    #: None where it was answered.
    error: str | None


#: The longest error that is kept: what a venue says is not ours to choose.
LONGEST_ERROR = 500


def write_attempt(  # noqa: PLR0917  what an attempt is made of
    draft: Draft, account_id: AccountId, cause: Cause, duration_ms: int, error: str | None, at: datetime
) -> None:
    """Add an attempt; with an error it failed."""
    cells = (
        account_id,
        draft.next_id("sync_log"),
        time_text(at),
        cause,
        duration_ms,
        "OK" if error is None else "FAILED",
        None if error is None else error[:LONGEST_ERROR],
    )
    draft.add("sync_log", cells)


def attempt_from_row(row: Row) -> Attempt:
    """Read an attempt back."""
    account, number, at, cause, duration_ms, _outcome, error = row
    return Attempt(
        AccountId(int(account or 0)),
        int(number or 0),
        parse_time(str(at)),
        Cause(str(cause)),
        int(duration_ms or 0),
        None if error is None else str(error),
    )
