"""What a statement tells: fills and movements of money as somebody else wrote them down, in our words and not yet ours.

A reader of statements (`imports`) gives them; the builder of imported books (`ledger.imported`) turns them into facts.
Whoever reads fills in what the statement says and nothing else: unknown is None, never zero.

Rule 1. What makes one told thing the same thing (`key`) comes from the statement alone, never from its line or file:
        the same export read twice, in another order or as part of a longer one, tells the same things.
Rule 2. Its place in time (`at`, `sequence`, `reference`) comes from there too: the order of lines never matters.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from plimsoll.model import money
from plimsoll.model.cash import EVENT_KINDS, SPOT, CashKind
from plimsoll.model.clock import check_time
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side

#: (kind, symbol or asset, reference): unique among what one venue tells of one imported portfolio.
ToldKey: TypeAlias = tuple[str, str, str]
_COINS = frozenset({CashKind.DEPOSIT, CashKind.WITHDRAWAL})


@dataclass(frozen=True, slots=True)
class Told:
    """One fill, or one movement of money, coins or pieces.

    A fill has kind TRADE, `symbol`, `side`, `quantity`, `price`, and its `fee` (negative: a rebate) in `fee_asset`.
    A movement has `asset` and a signed `amount`: what came (+) or went (-), whatever its kind. Funding, interest and
    dividends of a position name its `symbol` as well. A DEPOSIT or WITHDRAWAL that names a `symbol` is of that
    instrument's base coins, and changes the position; `cost` is what all of them had cost, None where nobody knows.
    A SPLIT has `symbol`, and `quantity` pieces for `per` pieces.
    A fee without a fill is a movement of kind ADJUSTMENT; its `note` says so.
    """

    #: Lines of the source it was read from, counted from 1 with the header; rows of a database by their id.
    lines: tuple[int, ...]
    kind: CashKind
    at: datetime
    #: The statement's own id; where it has none, a hash of what it says, and a count of equals before it.
    reference: str
    #: BASE/QUOTE, or BASE/QUOTE:SETTLE for what settles in cash only.
    symbol: str = ""
    side: Side | None = None
    quantity: Decimal = money.ZERO
    price: Decimal = money.ZERO
    fee: Decimal = money.ZERO
    fee_asset: str = ""
    order_id: str = ""
    asset: str = ""
    amount: Decimal = money.ZERO
    cost: Decimal | None = None
    per: Decimal | None = None
    #: Where it stands among what happened at the same moment, as far as the statement says.
    sequence: int = 0
    multiplier: Decimal = Decimal(1)
    inverse: bool = False
    #: What traded: the name of a strategy; empty for a person.
    strategy: str = ""
    #: Who decided, such as `bot:7` or `freqtrade:SampleStrategy`.
    triggered_by: str = "import"
    #: Keeps positions apart that the source kept apart (tickets, trades of a bot).
    leg: str = ""
    #: What the venue said a derivative's fill realised, gross; None where it says nothing.
    realized: Decimal | None = None
    pocket: str = SPOT
    note: str = ""
    #: Name of the statement's own venue; empty for the one that the import is of.
    venue: str = ""

    def __post_init__(self) -> None:
        check_time(self.at, "time")
        for name in ("quantity", "price", "fee", "amount", "multiplier"):
            money.check_digits(getattr(self, name), name)
        for name in ("cost", "per", "realized"):
            if getattr(self, name) is not None:
                money.check_digits(getattr(self, name), name)
        if not self.reference:
            raise Illegal("trade_id", self.reference, "every line needs an id; give one, or leave the column out")
        if self.kind is CashKind.TRADE:
            self._check_fill()
        elif self.kind is CashKind.SPLIT:
            if not self.symbol or self.quantity <= 0 or self.per is None or self.per <= 0:
                raise Illegal("quantity", self.quantity, "a split names its symbol, and how many become how many")
        elif self.kind not in EVENT_KINDS:
            raise Illegal("kind", self.kind, "a statement tells of fills and of movements of money")
        elif not self.asset or self.amount == 0:
            raise Illegal("quantity", self.amount, "a movement names its asset, and an amount that is not 0")

    def _check_fill(self) -> None:
        if not self.symbol:
            raise Illegal("symbol", self.symbol, "a fill names what was traded")
        if self.side is None:
            raise Illegal("side", self.side, "write buy or sell")
        if self.quantity <= 0:
            raise Illegal("quantity", self.quantity, "a fill has a quantity above 0; the side says which way")
        if self.price <= 0:
            raise Illegal("price", self.price, "a fill has a price above 0")
        if self.multiplier <= 0:
            raise Illegal("multiplier", self.multiplier, "give a multiplier above 0")
        if self.fee and not self.fee_asset:
            raise Illegal("fee_asset", self.fee_asset, "say in which asset the fee was paid")

    @property
    def key(self) -> ToldKey:
        """Say what makes it the same thing, told twice of one venue: coins that move are so under every symbol."""
        what = self.asset if self.kind in _COINS else self.symbol or self.asset
        return (self.kind.value, what, self.reference)

    @property
    def order(self) -> tuple[datetime, int, str, str]:
        """Say where it stands in time, whatever line it came from."""
        return (self.at, self.sequence, self.reference, self.kind.value)
