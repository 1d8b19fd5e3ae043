"""What each told thing becomes: a fill a trade; everything else a cash event, an entry of a position, or both.

The sign says which way money went. A transfer tells one side only, so what came is a deposit and what went a
withdrawal; so is a deposit that was taken back. A withdrawal takes its share of the cost along, whatever the statement
says that the coins had cost: that is the rule for every book (`corporate.withdraw_coins`).

What if two told things would be one fact? A statement counts its ids by kind and symbol, a book by kind and asset, and
funding of two contracts is paid in one asset; and two venues count from 1 both. So a movement has its venue behind the
statement's id, and kind and symbol as well where something else could come to the same name otherwise (`name_of`): from
what it says alone, so that every making names it alike. A fill is its instrument's, which is of one venue.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from plimsoll.model import money
from plimsoll.model.cash import FUTURES, MARGIN, SPOT, CashEvent, CashKind
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.told import Told

_HOW_TO_WRITE = "write it BASE/QUOTE, or BASE/QUOTE:SETTLE for what settles in cash only"
_BACK = {
    CashKind.DEPOSIT: CashKind.WITHDRAWAL,
    CashKind.WITHDRAWAL: CashKind.DEPOSIT,
    CashKind.BORROW: CashKind.REPAY,
    CashKind.REPAY: CashKind.BORROW,
}
_COMES = frozenset({CashKind.DEPOSIT, CashKind.BORROW})
_POCKETS = (SPOT, MARGIN, FUTURES)
#: Loans are the account's, whatever they were taken for.
_LOANS = frozenset({CashKind.BORROW, CashKind.REPAY})

#: Where something stands among what has the same time, sequence and name, as the fold has it: entries before trades.
#: What changes no quantity stands behind them, where order is nothing but order.
_TRADE, _NEITHER = 0, 1
#: What coins are given or taken as beside trades, for good. Of loans nothing is: who sells borrowed coins is short.
_EARNED = frozenset({CashKind.INTEREST, CashKind.DIVIDEND, CashKind.ADJUSTMENT})
_COINS_MOVE, _SOME = frozenset({CashKind.DEPOSIT, CashKind.WITHDRAWAL, CashKind.TRANSFER, *_EARNED}), "A/B"


class Pair(NamedTuple):
    """A symbol in its parts; `settle` is empty where coins change hands."""

    base: str
    quote: str
    settle: str

    @property
    def is_derivative(self) -> bool:
        return bool(self.settle)


@lru_cache(maxsize=65_536)
def pair_of(symbol: str) -> Pair:
    """Read a symbol.

    Raises: Illegal
    """
    pair, colon, settle = symbol.partition(":")
    base, slash, quote = pair.partition("/")
    parts = (base, quote, settle) if colon else (base, quote)
    if not slash or not all(part and part.isprintable() and not set(part) & set(" /:") for part in parts):
        raise Illegal("symbol", symbol, _HOW_TO_WRITE)
    if base == quote:
        raise Illegal("symbol", symbol, f"nothing is traded for itself; {_HOW_TO_WRITE}")
    return Pair(base, quote, settle)


@dataclass(frozen=True, slots=True)
class Owner:
    """Where a fact belongs: of a movement that names no instrument, 0 and no strategy."""

    account_id: AccountId
    portfolio_id: PortfolioId
    instrument_id: InstrumentId
    strategy_id: StrategyId | None


#: For looking only: whether what was told can be a fact at all.
NOBODY = Owner(AccountId(0), PortfolioId(0), InstrumentId(1), None)


def kind_of(told: Told) -> CashKind:
    """Say as what a movement is booked."""
    kind = CashKind.DEPOSIT if told.kind is CashKind.TRANSFER else told.kind
    back = _BACK.get(kind)
    return kind if back is None or (told.amount > 0) == (kind in _COMES) else back


def name_of(told: Told, venue: str) -> str:
    """Name a told thing, of a statement of this venue, as its facts are named: unlike every other of its asset.

    Unlike every other of its kind is enough for money; coins that are earned come into a position just as deposits do.
    """
    if told.kind in (CashKind.TRADE, CashKind.SPLIT):
        return told.reference
    kind, what, reference = told.key
    plain = not told.symbol and kind_of(told) is told.kind and told.kind not in _EARNED
    if plain and " " not in reference + venue:
        return f"{reference} {venue}"
    return f"{reference} {kind} {what} {venue}"


def entry_kind_of(told: Told) -> EntryKind | None:
    """Say how a told thing changes a position beside trades, if it does."""
    if told.kind is CashKind.SPLIT:
        return EntryKind.SPLIT
    if not told.symbol or told.kind is CashKind.TRADE:
        return None
    return {CashKind.DEPOSIT: EntryKind.IN, CashKind.WITHDRAWAL: EntryKind.OUT}.get(kind_of(told))


def coins_of(told: Told, symbol: str) -> Told | None:
    """Say what a movement without a symbol is to the position that such coins belong to; None where it is nothing."""
    if told.symbol or told.kind not in _COINS_MOVE:
        return None
    return replace(told, kind=CashKind.TRANSFER, symbol=symbol)


def rank_of(told: Told) -> int:
    """Say where it stands among what has the same time, sequence and name."""
    if told.kind is CashKind.TRADE:
        return _TRADE
    # Coins that name no symbol may find a position (`homes`), and stand as if they did.
    entry = entry_of(coins_of(told, _SOME) or told, NOBODY)
    return _NEITHER if entry is None else entry.fold_key[-1]


def event_of(told: Told, owner: Owner) -> CashEvent | None:
    """Give the cash event of a movement; a split has none of its own.

    Raises: Illegal
    """
    if told.kind is CashKind.SPLIT:
        return None
    kind = kind_of(told)
    whose = bool(told.symbol) and kind not in _LOANS and entry_kind_of(told) is None
    return CashEvent(
        owner.account_id,
        owner.portfolio_id,
        kind,
        told.asset,
        abs(told.amount) if kind in _BACK else told.amount,
        name_of(told, told.venue),
        told.at,
        told.pocket,
        instrument_id=owner.instrument_id if whose else None,
        strategy_id=owner.strategy_id if whose else None,
        leg=told.leg if whose else "",
        reason=told.note or "the statement says so" if kind is CashKind.ADJUSTMENT else "",
    )


def entry_of(told: Told, owner: Owner) -> Entry | None:
    """Give the entry of what changes a position and is no trade.

    Raises: Illegal
    """
    kind = entry_kind_of(told)
    if kind is None:
        return None
    split = kind is EntryKind.SPLIT
    return Entry(
        owner.account_id,
        owner.portfolio_id,
        owner.instrument_id,
        # A split is the instrument's, and of no strategy or leg.
        None if split else owner.strategy_id,
        "" if split else told.leg,
        kind,
        told.quantity if split else abs(told.amount),
        name_of(told, told.venue),
        told.at,
        told.sequence,
        per=told.per,
        cost=told.cost if kind is EntryKind.IN else None,
    )


def check(told: Told) -> None:
    """Refuse what can be no fact, while its line is still known.

    Raises: Illegal, naming the field
    """
    pair = pair_of(told.symbol) if told.symbol else None
    if not -(2**63) <= told.sequence < 2**63:
        raise Illegal("sequence", told.sequence, "give a whole number of at most 18 digits, or none")
    if told.kind is CashKind.TRADE:
        _check_value(told)
        if told.inverse and pair is not None and not pair.is_derivative:
            raise Illegal("inverse", told.inverse, "only what settles in cash can be inverse; write BASE/QUOTE:BASE")
        return
    if told.pocket not in _POCKETS:
        raise Illegal("pocket", told.pocket, f"write one of {', '.join(_POCKETS)}")
    if entry_of(told, NOBODY) is not None and pair is not None and told.kind is not CashKind.SPLIT:
        if pair.is_derivative:
            raise Illegal("symbol", told.symbol, "a contract is nothing that comes or goes; tell of the money instead")
        if told.asset != pair.base:
            raise Illegal(
                "asset", told.asset, f"coins of {told.symbol} are {pair.base}; leave the symbol out otherwise"
            )
    event_of(told, NOBODY)


def _check_value(told: Told) -> None:
    # Only what may be too large is reckoned; nearly nothing is, and this runs for every line.
    size, price = told.quantity.adjusted() + told.multiplier.adjusted(), told.price.adjusted()
    if size + abs(price) < money.INTEGER_DIGITS - 3:
        return
    try:
        if told.inverse:
            value = money.settle_quotient(told.quantity * told.multiplier, told.price)
        else:
            value = money.settle_product(told.quantity, told.price, told.multiplier)
        money.check_digits(value, "quantity")
    except (ArithmeticError, Illegal):
        raise Illegal("quantity", told.quantity, "its value at this price is a number that no book holds") from None
