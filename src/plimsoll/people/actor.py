"""Who acts: the user, how he came in, and what his token lets him do.

Rule 1. Deny by default: `may` is asked for the right that a route names, and answers yes only for a right in hand.
Rule 2. Another's object does not exist: callers look things up by owner, so there is nothing to forbid afterwards.
"""

from dataclasses import dataclass
from enum import StrEnum

from plimsoll.model.account import Portfolio, User
from plimsoll.model.asker import Asker
from plimsoll.model.ids import PortfolioId


class Right(StrEnum):
    """What a token may be used for. A right does not contain another: a key lists all it has."""

    READ = "read"
    TRADE = "trade"
    #: Keys, other people, settings of the desk.
    ADMIN = "admin"


class Via(StrEnum):
    """How somebody came in."""

    SESSION = "session"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who has proved who he is."""

    user: User
    via: Via
    rights: frozenset[Right]
    #: Public id of the session or key.
    token_uid: str
    #: The only portfolios that the key may touch; None for all of the user's.
    portfolios: frozenset[PortfolioId] | None = None

    @property
    def name(self) -> str:
        """Name it as the log does."""
        return f"user:{self.user.id}"

    @property
    def asker(self) -> Asker:
        """Give what the book has to know of him to answer."""
        return Asker(self.user.id, self.portfolios)

    def may(self, right: Right) -> bool:
        """Say whether this token has a right, and its user is still somebody who may act."""
        return right in self.rights and self.user.approved and self.user.active

    def owns(self, portfolio: Portfolio) -> bool:
        """Say whether a portfolio is his, and within what the token may touch."""
        listed = self.portfolios is None or portfolio.id in self.portfolios
        return portfolio.user_id == self.user.id and listed
