"""What happened, as told to those who follow: the dashboard, notifications, clients. Numbered by the ledger."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from plimsoll.model.ids import AccountId


class EventKind(StrEnum):
    """What happened, in the past tense."""

    ORDER_WRITTEN = "ORDER_WRITTEN"
    ORDER_REFUSED = "ORDER_REFUSED"
    ORDER_CHANGED = "ORDER_CHANGED"
    TRADE_BOOKED = "TRADE_BOOKED"
    CASH_BOOKED = "CASH_BOOKED"
    HALT_CHANGED = "HALT_CHANGED"
    GUARD_CHANGED = "GUARD_CHANGED"
    ACCOUNT_RECONCILED = "ACCOUNT_RECONCILED"
    BREAK_FOUND = "BREAK_FOUND"
    BOT_CHANGED = "BOT_CHANGED"
    BOOK_IMPORTED = "BOOK_IMPORTED"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one account (0: the desk)."""

    kind: EventKind
    account_id: AccountId
    at: datetime
    #: Plain text values: decimals and times as their canonical text.
    details: dict[str, str] = field(default_factory=dict)
