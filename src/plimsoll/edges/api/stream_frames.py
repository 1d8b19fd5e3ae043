"""What travels over the stream, as text: written once for everybody who gets the same, and sent as it is.

What must not enter: who gets it, and when.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from plimsoll.edges.api.schemas import (
    AccountPulse,
    EventFrame,
    HeartbeatFrame,
    HelloFrame,
    PulseFrame,
    QuoteRow,
    QuotesFrame,
    SnapshotFrame,
)
from plimsoll.ledger.follow import DESK, Numbered
from plimsoll.model.ids import AccountId

#: How an account is named outside.
Name = Callable[[AccountId], str]


class Framed(NamedTuple):
    """A frame as it is sent."""

    text: str
    #: Where a subscriber stands who has this frame; None for what has no place among the events.
    number: int | None = None

    def as_server_sent(self) -> bytes:
        """Write it as a Server-Sent Event; its number is what a browser asks for again after a break."""
        place = "" if self.number is None else f"id: {self.number}\n"
        return f"{place}data: {self.text}\n\n".encode()


def hello(number: int, *, stands_at: int, heartbeat_seconds: float) -> Framed:
    """Greet; who is cut off before the first event goes on from where he stands, and not from whenever he is back."""
    return Framed(HelloFrame(number=number, heartbeat_seconds=heartbeat_seconds).model_dump_json(), stands_at)


def event(numbered: Numbered, previous: int, name: Name) -> Framed:
    """Tell an event to those for whom `previous` was the one before."""
    happened = numbered.event
    frame = EventFrame(
        number=numbered.number,
        previous=previous,
        kind=happened.kind,
        account=None if happened.account_id == DESK else name(happened.account_id),
        at=happened.at,
        details=happened.details,
    )
    return Framed(frame.model_dump_json(), numbered.number)


def snapshot_required(number: int, *, stands_at: int) -> Framed:
    """Ask to read everything again."""
    return Framed(SnapshotFrame(number=number).model_dump_json(), stands_at)


def quotes(rows: Sequence[QuoteRow], now: datetime) -> Framed:
    """Show the newest quotes."""
    return Framed(QuotesFrame(at=now, items=list(rows)).model_dump_json())


def pulse(accounts: Sequence[AccountPulse], now: datetime) -> Framed:
    """Show how accounts stand."""
    return Framed(PulseFrame(at=now, accounts=list(accounts)).model_dump_json())


def heartbeat(now: datetime) -> Framed:
    """Say that the line is alive."""
    return Framed(HeartbeatFrame(at=now).model_dump_json())
