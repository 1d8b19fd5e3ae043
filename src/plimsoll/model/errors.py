"""The four families of what can go wrong; they are never mixed.

1. *Refusal*: a rule said no. A value with a stable code, a sentence, what was seen and what was allowed. Collected,
   not thrown, because there can be several. `Illegal` is the same thing at a constructor, where there is no value yet.
2. *World failure*: network, database, broker. An exception, classed by what the caller does next.

       WorldFailure
       ├── TryAgain      the same question may be asked again soon
       ├── Wait          not before `retry_after`
       ├── GiveUp        the answer is final; carry on without it
       └── CallHuman     stop this account and page somebody

3. *Unknown outcome*: sent, no clear answer. `UnknownOutcome` is neither success nor failure: the order stays in flight
   until evidence arrives, and is looked up, never resent.
4. *Bug*: our own promise broken. `invariant` states the promise as a positive sentence and stays on in production.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Refusal:
    """One rule's no, told so that a person can act on it."""

    #: Stable, machine-readable, `snake_case`.
    code: str
    #: For a person: what was refused and why.
    sentence: str
    #: What was seen, as text; empty when the rule could not see it.
    observed: str = ""
    #: What would have been allowed, as text.
    limit: str = ""
    #: What to do about it.
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}"


class PlimsollError(Exception):
    """Something Plimsoll could not do."""


class Illegal(PlimsollError, ValueError):
    """A value that cannot exist was offered: names the field, the value and the remedy."""

    def __init__(self, field: str, value: object, remedy: str) -> None:
        super().__init__(f"{field} = {value!r}: {remedy}")
        self.field = field
        self.value = value
        self.remedy = remedy

    def refusal(self) -> Refusal:
        """Tell the same as a refusal, for an answer that collects them."""
        return Refusal(f"illegal_{self.field}", str(self), observed=str(self.value), remedy=self.remedy)


class CommandRefused(PlimsollError):
    """A command was refused by one or more rules; nothing was changed."""

    def __init__(self, *refusals: Refusal) -> None:
        told = (f"{refusal}; {refusal.remedy}" if refusal.remedy else str(refusal) for refusal in refusals)
        super().__init__("; ".join(told))
        self.refusals = refusals


class WorldFailure(PlimsollError):
    """The world outside did not do its part, and certainly did nothing."""


class TryAgain(WorldFailure):
    """The question had no effect and may be asked again soon."""


class Wait(WorldFailure):
    """The other side asks for patience."""

    def __init__(self, message: str, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GiveUp(WorldFailure):
    """The answer is a final no from outside."""


class CallHuman(WorldFailure):
    """Going on could do harm: stop and page somebody."""


class UnknownOutcome(PlimsollError):
    """A command was sent and its outcome is not known: look it up, never send it again."""


class InvariantBroken(PlimsollError, AssertionError):
    """A promise of our own code does not hold; the work at hand is dropped whole."""


def invariant(holds: bool, promise: str) -> None:
    """Stop the work at hand unless a promise holds. Unlike `assert` it is never optimised away.

    Raises: InvariantBroken, with the promise as its sentence
    """
    if not holds:
        raise InvariantBroken(f"Invariant: {promise}")
