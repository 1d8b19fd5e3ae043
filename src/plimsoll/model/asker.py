"""Who asks the book: a user, and the portfolios that his token may touch.

It is what is left of an actor below the people room: no name, no right, no session. A question to the book carries it,
and another's row does not exist for it.
"""

from dataclasses import dataclass

from plimsoll.model.ids import PortfolioId, UserId


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who reads."""

    user_id: UserId
    #: The only portfolios that his token may touch; None for all of his.
    portfolios: frozenset[PortfolioId] | None = None
