"""How the simulated exchange says no, and what each no means. Pure.

Rule 1. Only what the venue documents as final is a no. What is not in the table is not known: of an order, an unknown
        outcome (FAILURES A4); of a question, no answer.
Rule 2. A code counts with its status: the same code under a 5xx comes from something that stands before the exchange,
        and proves nothing about the order.
Rule 3. "Come again later" is never a no for good: it names a time, and until then nothing is asked.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from plimsoll.model.errors import CallHuman, TryAgain, UnknownOutcome, Wait, WorldFailure
from plimsoll.venues.protocol import OrderNotFound, OrderRejected
from tests.simulation.adapter.parse import Row


class Meaning(StrEnum):
    """What a refusal means for who asked."""

    #: Nothing was done, and the same request would be refused again.
    REFUSED = "refused"
    #: No such order, as far as the venue can see now.
    NOT_FOUND = "not-found"
    #: An order of this client order id was taken before: a no to this request, and news about the other.
    DUPLICATE = "duplicate"
    #: The request's time lies outside its window: our idea of the venue's time is wrong.
    STALE = "stale"
    #: Not before a time that it names.
    LATER = "later"
    #: The key is not accepted.
    NO_KEY = "no-key"
    #: It says that it does not know, or says it in words that we do not know.
    UNKNOWN = "unknown"


#: (HTTP status, code) → (what it means, our word for it)
DEFINITIVE: dict[tuple[int, int], tuple[Meaning, str]] = {
    (400, -2010): (Meaning.REFUSED, "insufficient_funds"),
    (400, -2022): (Meaning.REFUSED, "reduce_only"),
    (400, -1013): (Meaning.REFUSED, "filter"),
    (400, -4111): (Meaning.DUPLICATE, "duplicate_client_order_id"),
    (400, -1021): (Meaning.STALE, "outside_recv_window"),
    (400, -2011): (Meaning.NOT_FOUND, "unknown_order"),
    (400, -2013): (Meaning.NOT_FOUND, "order_does_not_exist"),
    (401, -2015): (Meaning.NO_KEY, "key_not_accepted"),
    (503, -1008): (Meaning.REFUSED, "overloaded"),
}
#: Whatever the body says: a proxy refuses before the exchange has seen the request.
LATER_STATUS = frozenset({418, 429})
#: How long nobody asks who was not told how long.
PATIENCE = timedelta(seconds=60)
#: No ban is longer (Binance: three days).
_LONGEST_SECONDS = 3 * 86_400.0


@dataclass(frozen=True, slots=True)
class No:
    """An answer that is no answer, in our words."""

    meaning: Meaning
    #: A stable word; empty where it is unknown.
    word: str
    sentence: str
    #: Of LATER alone.
    retry_after: timedelta = timedelta(0)


def read_no(status: int, row: Row) -> No:
    """Say what a refusal means; a body that has no code is one that nobody knows."""
    code, message = row.get("code"), str(row.get("msg", ""))
    told = f"{status}/{code}: {message}"
    if status in LATER_STATUS:
        return No(Meaning.LATER, "later", told, _patience(row.get("retryAfter")))
    # An exact key: 1.0 and True are equal to 1 and are no codes.
    known = DEFINITIVE.get((status, code)) if type(code) is int else None
    if known is None:
        return No(Meaning.UNKNOWN, "", told)
    return No(known[0], known[1], told)


def _patience(told: object) -> timedelta:
    """Read how long to wait, in seconds; what cannot be read, or is no time to speak of, is the longest."""
    try:
        seconds = float(str(told))
    except ValueError:
        return PATIENCE
    return timedelta(seconds=seconds) if 0 < seconds <= _LONGEST_SECONDS else PATIENCE


def failure_of_order(no: No) -> OrderRejected | WorldFailure | UnknownOutcome:
    """Give what a refusal of an order raises; a duplicate is looked up before, and so unknown until then."""
    match no.meaning:
        case Meaning.REFUSED | Meaning.STALE:
            return OrderRejected(no.word, no.sentence)
        case Meaning.LATER:
            return Wait(no.sentence, no.retry_after)
        case Meaning.NO_KEY:
            return CallHuman(no.sentence)
        case _:
            # "Not found" is no answer to a new order: words that make no sense here are not understood.
            return UnknownOutcome(no.sentence)


def failure_of_cancel(no: No) -> OrderNotFound | WorldFailure | UnknownOutcome:
    """Give what a refusal of a cancel raises; the order is as it was, unless nobody knows."""
    match no.meaning:
        case Meaning.NOT_FOUND:
            return OrderNotFound(no.sentence)
        case Meaning.LATER:
            return Wait(no.sentence, no.retry_after)
        case Meaning.NO_KEY:
            return CallHuman(no.sentence)
        case Meaning.REFUSED | Meaning.STALE:
            return TryAgain(no.sentence)
        case _:
            return UnknownOutcome(no.sentence)


def failure_of_question(no: No) -> WorldFailure:
    """Give what a refused question raises: it had no effect, so there is no unknown outcome."""
    match no.meaning:
        case Meaning.NOT_FOUND:
            return OrderNotFound(no.sentence)
        case Meaning.LATER:
            return Wait(no.sentence, no.retry_after)
        case Meaning.NO_KEY:
            return CallHuman(no.sentence)
        case _:
            return TryAgain(no.sentence)
