"""Accounts, portfolios, and the states that say what may still be sent."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from plimsoll.model.ids import AccountId, PortfolioId, UserId


class Mode(StrEnum):
    """Whose money it is. Part of every price and every key: paper never meets live."""

    LIVE = "LIVE"
    PAPER = "PAPER"
    TESTNET = "TESTNET"


class AccountStatus(StrEnum):
    """How a connection to a broker stands."""

    CONNECTING = "connecting"
    ACTIVE = "active"
    PAUSED = "paused"
    ERROR = "error"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class TradingState(StrEnum):
    """What may be sent; of several the strictest rules. A close that really reduces passes in every state."""

    ACTIVE = "ACTIVE"
    #: Nothing that opens.
    REDUCE_ONLY = "REDUCE_ONLY"
    #: Bots send nothing; guards, flatten and a person's close still pass.
    CANCEL_ONLY = "CANCEL_ONLY"
    #: As CANCEL_ONLY, and every waiting order of ours except reduce-only protection is cancelled.
    HALTED = "HALTED"

    @property
    def strictness(self) -> int:
        """Give a rank: the higher the stricter."""
        return _STRICTNESS[self]


_STRICTNESS = {state: rank for rank, state in enumerate(TradingState)}


class Scope(StrEnum):
    """Whom a halt or a policy binds."""

    DESK = "DESK"
    USER = "USER"
    ACCOUNT = "ACCOUNT"
    PORTFOLIO = "PORTFOLIO"
    STRATEGY = "STRATEGY"


@dataclass(frozen=True, slots=True)
class Halt:
    """A reason not to be ACTIVE; each source has its own, and the strictest of all rules."""

    scope: Scope
    #: 0 for the desk.
    scope_id: int
    #: `manual`, `guard:drawdown`, `start`, …: who set it is who or what may lift it.
    source: str
    state: TradingState
    reason: str
    #: Only a person may lift it.
    latched: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """One user's connection to one broker."""

    id: AccountId
    uid: str
    user_id: UserId
    name: str
    broker: str
    mode: Mode
    base_currency: str
    #: Fixed for ever: a book is never valued at prices of another source.
    price_source: str
    #: Name of the risk profile: `cautious` or `standard`.
    profile: str
    #: How the broker names it.
    account_uid: str | None = None
    status: AccountStatus = AccountStatus.ACTIVE
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Portfolio:
    """A named part of an account; every trade belongs to one. Each account has `main`."""

    id: PortfolioId
    uid: str
    account_id: AccountId
    user_id: UserId
    name: str
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may decide."""

    id: UserId
    uid: str
    name: str
    role: str
    approved: bool
    active: bool = True
    approved_at: datetime | None = None
    approved_by_user_id: UserId | None = None
    telegram_user_id: str | None = None
    deleted_at: datetime | None = None
