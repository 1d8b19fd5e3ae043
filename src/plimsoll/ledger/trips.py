"""Round trips: from the moment something is held to the moment nothing is, and what it came to.

Rule 1. A trip is of one position. It begins when its quantity leaves 0 and ends when it is 0 again, or on the other
        side of it: what crosses zero ends one and begins the next.
Rule 2. It comes to what was realised on the way, less the fees that its fills were charged in the same currency (those
        in base coins by what the coins had cost). Fees in a third asset and funding are told by the P&L report: they
        are not guessed into a trade.
Rule 3. Coins that came in at a cost that nobody knows make the result of their trip unknown.

What must not enter: arithmetic of positions, which is `model.position`'s, and SQL.
"""

from dataclasses import dataclass
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.position import NOTHING, Amounts


@dataclass(frozen=True, slots=True)
class Trip:
    """Something that was held, and for how long. Times as they are stored."""

    portfolio_id: int
    instrument_id: int
    opened_at: str
    #: None while it is held.
    closed_at: str | None
    #: In the instrument's cash asset; None while it is held, and where a cost is not known.
    result: Decimal | None


class Traveller:
    """Follows one position through what happened to it, in the order of the fold."""

    __slots__ = ("_began", "_fees", "_known", "_opened_at", "_whose", "held")

    def __init__(self, portfolio_id: int, instrument_id: int) -> None:
        self._whose = (portfolio_id, instrument_id)
        self.held: Amounts = NOTHING
        self._began: Amounts = NOTHING
        self._opened_at: str | None = None
        self._fees = money.ZERO
        self._known = True

    def moved(self, after: Amounts, at: str, fee: Decimal) -> Trip | None:
        """Take in what one happening did; give the trip that it ended, if it did.

        Units: `fee` in the instrument's cash asset. A fill that crosses zero is charged to the trip that it ends.
        """
        before, self.held = self.held, after
        self._fees += fee
        self._known = self._known and not before[4] and not after[4] and before[5] == after[5]
        if before[0] and (not after[0] or (after[0] > 0) != (before[0] > 0)):
            ended = self._trip(at)
            self._begin(after, at)
            return ended
        if not before[0] and after[0]:
            self._begin(after, at)
            # The fill that opens it is charged to it, and coins that came at no known cost are known at once.
            self._began, self._fees, self._known = before, fee, not after[4]
        return None

    def on_the_way(self) -> Trip | None:
        """Give the trip that has not ended, if anything is held."""
        return None if self._opened_at is None else Trip(*self._whose, self._opened_at, None, None)

    def _begin(self, now: Amounts, at: str) -> None:
        self._began, self._fees, self._known = now, money.ZERO, not now[4]
        self._opened_at = at if now[0] else None

    def _trip(self, at: str) -> Trip:
        began, now = self._began, self.held
        result = now[2] - began[2] - (now[3] - began[3]) - self._fees
        return Trip(*self._whose, self._opened_at or at, at, result if self._known else None)
