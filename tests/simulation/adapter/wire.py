"""The line to the exchange: one question at a time, and a stream. Bytes here, words in `parse`.

Rule 1. A request has three ends and no fourth: a reply, `NotSent` (nothing left, for certain), `Lost` (nobody knows).
Rule 2. A transport retries nothing and waits for ever: who asks says how long he waits, and what may be asked again.
Rule 3. What a stream brings is given on as it came: doubled, late, cut in half. Nothing is raised into it.

What must not enter: a venue's words, and what to do about a failure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


class NotSent(Exception):
    """The request did not leave: no connection could be had."""


class Lost(Exception):
    """The request left, and the line broke before the answer: it may have been carried out."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: bytes


#: Takes one message of a stream.
HearBytes = Callable[[bytes], None]
#: Takes the news that a stream has ended, and why.
Closed = Callable[[str], None]


class Transport(Protocol):
    """The line of one account's key."""

    async def request(self, method: str, path: str, params: Mapping[str, str]) -> Reply:
        """Ask, and wait for the answer for as long as the caller does.

        Raises: NotSent, Lost
        """

    def stream(self, hear: HearBytes, closed: Closed, since: int | None) -> Callable[[], None]:
        """Open the account's stream; what is given back closes it, after which neither is called again.

        Shapes: `since` is the number of the last message that was heard; None begins at now
        """
