"""Plimsoll, a self-hosted trading desk: many people, many brokers, one book.

`import plimsoll` gives the vocabulary. `money.install_exact_arithmetic()` makes arithmetic exact where it is wanted;
the desk's own processes call it by themselves. `Book` reads a desk's book, for notebooks; it brings the database
along, and so it is loaded when somebody asks for it.
"""

from typing import TYPE_CHECKING

from plimsoll.model.account import Account, Mode, Portfolio, TradingState
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.money import Money, install_exact_arithmetic
from plimsoll.model.order import Intent, Order, OrderState, OrderTerms, OrderType, Side, TimeInForce
from plimsoll.model.position import Position
from plimsoll.model.quote import Bar, Quote
from plimsoll.model.trade import Trade, TradeReport

if TYPE_CHECKING:
    from plimsoll.bootstrap.notebook import Book

__all__ = [
    "Account",
    "AssetType",
    "Bar",
    "Book",
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


def __getattr__(name: str) -> object:
    if name != "Book":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from plimsoll.bootstrap.notebook import Book  # noqa: PLC0415  what only trades in words need not load

    return Book
