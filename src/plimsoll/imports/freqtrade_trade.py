"""What a freqtrade trade is, and how freqtrade counts it: values only, whichever file they were read from.

freqtrade numbers its trades and gives each the orders that opened, enlarged, reduced and closed it. What it counts as
the profit of a trade follows from its filled orders by four rules, so that ours can be the same to the last place:

Rule 1. Only what is settled counts: an order that is still open is no fill, however much of it was filled.
Rule 2. A fee is a rate of the value, one for entries and one for exits, in quote; whatever coin the exchange took. What
        it took of the bought coins themselves is off the amount, and the rate is counted on what was left.
Rule 3. Funding (futures) is a sum that freqtrade keeps: gained is above zero.
Rule 4. Interest (margin) is charged with every exit, on what was borrowed: a long borrows quote, (leverage − 1) ÷
        leverage of its cost; a short borrows coins, which are bought back at the price of the exit, with its fee.

Amounts are in base coins on every market: contracts were turned into coins before they were stored.
Source: freqtrade `persistence/trade_model.py` (`recalc_trade_from_orders`, `calc_close_trade_value`), commit c9ae5e1;
        `leverage/interest.py`, same commit; ftx as of 2022.10.

What must not enter: a file's format, and our words for what happened.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from plimsoll.model import money
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side

_HOUR = timedelta(hours=1)
#: Sums of floats leave dust behind their last place; nobody was paid this much.
_DUST = Decimal("0.0000000001")


class Mode(StrEnum):
    """On which market a trade was made."""

    SPOT = "spot"
    MARGIN = "margin"
    FUTURES = "futures"


@dataclass(frozen=True, slots=True)
class Filled:
    """An order of a trade that is settled, with what of it was filled."""

    #: The row that it was read from.
    row: int
    order_id: str
    #: Its place among the orders of the same moment; 0 for what the trade's own row tells.
    sequence: int
    is_entry: bool
    side: Side
    #: In coins, after what the exchange took of the coins as its fee.
    amount: Decimal
    price: Decimal
    at: datetime
    #: As it was read.
    raw: str
    #: Paid (−) or gained (+) since the order before it.
    funding: Decimal = money.ZERO
    #: What of the coins the exchange took as its fee.
    fee_in_coins: Decimal = money.ZERO
    tag: str = ""


@dataclass(frozen=True, slots=True)
class FreqtradeTrade:
    """One trade from entry to exit, with its settled orders in the order in which they were placed."""

    id: int | str
    row: int
    exchange: str
    #: BASE/QUOTE, or BASE/QUOTE:SETTLE on futures.
    symbol: str
    #: In which it is counted: what it is priced in, or what futures settle in.
    currency: str
    mode: Mode
    is_open: bool
    is_short: bool
    leverage: Decimal
    #: As left after the last exit, and what a coin of it cost on average: what the interest is counted on.
    amount: Decimal
    open_rate: Decimal
    opened_at: datetime
    closed_at: datetime | None
    fee_open: Decimal
    fee_close: Decimal
    #: Which coin the exchange took its fees in, where freqtrade knows.
    fee_open_asset: str
    fee_close_asset: str
    interest_rate: Decimal
    funding: Decimal
    #: As stored; None while it is open, and where nothing is stored.
    profit: Decimal | None
    strategy: str
    enter_tag: str
    exit_reason: str
    orders: tuple[Filled, ...]
    #: As it was read.
    raw: str

    @property
    def exits(self) -> int:
        return sum(1 for order in self.orders if not order.is_entry)

    def fee_of(self, order: Filled) -> Decimal:
        """Count an order's fee, in the trade's currency (rule 2)."""
        return money.settle_product(order.amount, order.price, self.fee_open if order.is_entry else self.fee_close)

    def interest_of(self, order: Filled) -> Decimal:
        """Count what an exit of a closed trade pays for what was borrowed, in the trade's currency (rule 4).

        Raises: Illegal for an exchange whose periods nobody knows
        """
        borrows = self.mode is Mode.MARGIN and (self.is_short or self.leverage != 1)
        if order.is_entry or self.closed_at is None or not borrows or not self.interest_rate:
            return money.ZERO
        periods, per_day = _periods(self.exchange, self.closed_at - self.opened_at)
        owed = money.settle_share(money.settle_product(self._borrowed, self.interest_rate), periods, per_day)
        return money.settle_product(owed, order.price, 1 + self.fee_close) if self.is_short else money.settle(owed)

    @property
    def _borrowed(self) -> Decimal:
        if self.is_short:
            return self.amount
        cost = money.settle_product(self.amount, self.open_rate)
        return money.settle_share(cost, self.leverage - 1, self.leverage)

    @property
    def unplaced_funding(self) -> Decimal:
        """Sum the funding that no order carries: all of it, where an older freqtrade kept one sum for the trade."""
        if self.mode is not Mode.FUTURES or self.is_open:
            return money.ZERO
        left = self.funding - sum((order.funding for order in self.orders), money.ZERO)
        return left if abs(left) > _DUST else money.ZERO

    @property
    def left_open(self) -> Decimal:
        """Sum what the settled orders leave: bought (+) or sold (−) and never closed."""
        return sum((order.amount if order.side is Side.BUY else -order.amount for order in self.orders), money.ZERO)


def _periods(exchange: str, held: timedelta) -> tuple[Decimal, Decimal]:
    """Give the periods that interest is charged for, and how many of them the rate is for."""
    if exchange in ("binance", "ftx"):
        return Decimal(-(-held // _HOUR)), Decimal(24)  # begun hours of a daily rate
    if exchange == "kraken":
        return Decimal(1 - (-held // (4 * _HOUR))), Decimal(1)  # opening it, and every begun four hours, at full rate
    raise Illegal("exchange", exchange, "freqtrade knows the interest of binance, kraken and ftx")
