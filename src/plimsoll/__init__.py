"""Plimsoll, a self-hosted trading desk: many people, many brokers, one book.

`import plimsoll` gives the vocabulary. `money.install_exact_arithmetic()` makes arithmetic exact where it is wanted;
the desk's own processes call it by themselves.
"""

from plimsoll.model.account import Account, Mode, Portfolio, TradingState
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.money import Money, install_exact_arithmetic
from plimsoll.model.order import Intent, Order, OrderState, OrderTerms, OrderType, Side, TimeInForce
from plimsoll.model.position import Position
from plimsoll.model.quote import Bar, Quote
from plimsoll.model.trade import Trade, TradeReport

__all__ = [
    "Account",
    "AssetType",
    "Bar",
    "Instrument",
    "Intent",
    "Mode",
    "Money",
    "Order",
    "OrderState",
    "OrderTerms",
    "OrderType",
    "Portfolio",
    "Position",
    "Quote",
    "Side",
    "TimeInForce",
    "Trade",
    "TradeReport",
    "TradingState",
    "install_exact_arithmetic",
]
