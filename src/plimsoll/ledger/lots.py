"""Lots from the facts of one instrument: what happened, in the order of the fold, goes to the pool that it belongs to.

Whose lots are they? Coins are coins: by FIFO, LIFO, HIFO, LOFO and by name, all that a portfolio holds of a spot
instrument is one pool, whichever bot bought it. Contracts of another leg are another position, and a pool of their own.
Average cost is the live position's, so its pools are the positions.

What if a holding was handed to another portfolio? Its lots go along, with their age and their price, where both are
asked about. Where only one is, they leave it without a gain, or come in on that day at what the book says.
What if a fill was corrected or busted? Only what counts is told here (`model.trade.effective_trade`).

What must not enter: SQL (that is `ledger.reading.realised`), and how lots are matched (that is `model.lot_pool`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from plimsoll.model import money
from plimsoll.model.average_pool import AveragePool
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.ids import AccountId, PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.model.lot_pool import LotPool
from plimsoll.model.lots import Choice, Chosen, FeeRule, Fill, Held, Lot, LotMethod, Piece, Pool
from plimsoll.model.trade import FoldKey

#: (portfolio, strategy or 0, leg): where lots find each other.
PoolKey: TypeAlias = tuple[PortfolioId, int, str]


@dataclass(frozen=True, slots=True)
class Matching:
    """How a report matches what was sold with what was bought."""

    method: LotMethod = LotMethod.FIFO
    fees: FeeRule = FeeRule.IN_COST
    #: With SPECIFIC, and only with it: what somebody named.
    choices: tuple[Choice, ...] = ()


class Traded(NamedTuple):
    """A fill, and whose it is."""

    portfolio_id: PortfolioId
    strategy_id: int
    leg: str
    fill: Fill


#: What happened, and where it stands in the fold.
Told: TypeAlias = tuple[FoldKey, Traded | Entry]


@dataclass(slots=True)
class Pools:
    """All pools of one instrument, and what is on its way between two of them."""

    instrument: Instrument
    matching: Matching
    #: Of the portfolios that are asked about; nothing else's lots are told of.
    account_of: Mapping[PortfolioId, AccountId]
    #: What somebody named; what a pool has used is no longer in it.
    chosen: Chosen | None = None
    _pools: dict[PoolKey, Pool] = field(default_factory=dict)
    _on_the_way: dict[tuple[AccountId, str], list[Lot]] = field(default_factory=dict)

    def after(self, happening: Traded | Entry) -> list[tuple[PortfolioId, Piece]]:
        """Take in what happened next, and tell what it closed."""
        portfolio = happening.portfolio_id
        if isinstance(happening, Traded):
            pieces = self._pool(portfolio, happening.strategy_id, happening.leg).trade(happening.fill)
            return [(portfolio, piece) for piece in pieces] if pieces else []
        if happening.kind is EntryKind.SPLIT:
            return self._split(happening)
        pool = self._pool(portfolio, happening.strategy_id or 0, happening.leg)
        if happening.kind is EntryKind.IN:
            pieces = pool.enter(happening, self._carried(happening))
        elif happening.kind is EntryKind.OUT:
            lots, pieces = pool.leave(happening)
            # Only what goes to another portfolio has its cost settled; the rest is gone.
            if happening.cost is not None:
                self._on_the_way[happening.account_id, happening.reference] = lots
        else:
            pieces = pool.pay(happening)
        return [(portfolio, piece) for piece in pieces]

    def held(self) -> list[tuple[PortfolioId, Held]]:
        """Say what is open, one for each portfolio."""
        sums: dict[PortfolioId, Held] = {}
        for (portfolio, _strategy, _leg), pool in self._pools.items():
            more = pool.held()
            if more.lots:
                sums[portfolio] = _plus(sums[portfolio], more) if portfolio in sums else more
        return sorted(sums.items())

    def _pool(self, portfolio: PortfolioId, strategy: int, leg: str) -> Pool:
        if self.matching.method is LotMethod.AVERAGE:
            key = (portfolio, strategy, leg)
        else:
            key = (portfolio, 0, leg if self.instrument.is_derivative else "")
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = self._empty()
        return pool

    def _empty(self) -> Pool:
        method, rule = self.matching.method, self.matching.fees
        if method is LotMethod.AVERAGE:
            return AveragePool()
        return LotPool(method, rule, inverse=self.instrument.inverse, chosen=self.chosen)

    def _split(self, entry: Entry) -> list[tuple[PortfolioId, Piece]]:
        # It stands once, in `main`, and is of everything that the account holds of the instrument.
        return [
            (portfolio, piece)
            for (portfolio, _strategy, _leg), pool in self._pools.items()
            if self.account_of[portfolio] == entry.account_id
            for piece in pool.split(entry)
        ]

    def _carried(self, entry: Entry) -> list[Lot]:
        """Take what is on its way to here, as far as it goes."""
        named = (entry.reference, entry.reference.removesuffix(UNKNOWN_PART))
        lots = next((found for name in named if (found := self._on_the_way.get((entry.account_id, name)))), [])
        carried, wanted = [], entry.quantity
        while lots and wanted:
            part = lots[0].part(min(wanted, lots[0].quantity))
            carried.append(part)
            wanted -= part.quantity
            if not lots[0].quantity:
                del lots[0]
        return carried


#: Behind the reference of what came from another portfolio at unknown cost (`ledger.corporate.transfer_holding`).
UNKNOWN_PART = ":unknown"


def cash_and_coins(instrument: Instrument, asset: str, fee: Decimal) -> tuple[Decimal, Decimal] | None:
    """Say what a fee is to its lot: cash, coins of its own, or None for what is neither and is told apart.

    A rebate in coins is told apart as well: such coins stand in no position.
    """
    if asset == instrument.cash_asset:
        return fee, money.ZERO
    if asset == instrument.base and not instrument.is_derivative and fee > 0:
        return money.ZERO, fee
    return None


def sources_first(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Put what goes out of a portfolio before what comes in by the same transfer; by the order of the fold it is after.

    Shapes: entries in the order of the fold
    """
    waiting: list[Entry] = []
    for entry in entries:
        if waiting and not _same_transfer(waiting[0], entry):
            yield from waiting
            waiting = []
        if entry.kind is EntryKind.OUT:
            yield entry
        else:
            waiting.append(entry)
    yield from waiting


def _same_transfer(one: Entry, other: Entry) -> bool:
    if one.portfolio_id == other.portfolio_id:
        return False
    return (one.account_id, one.at, one.reference) == (other.account_id, other.at, other.reference)


def _plus(one: Held, other: Held) -> Held:
    return Held(
        one.quantity + other.quantity,
        one.unknown + other.unknown,
        one.cash + other.cash,
        one.fees + other.fees,
        one.lots + other.lots,
    )
