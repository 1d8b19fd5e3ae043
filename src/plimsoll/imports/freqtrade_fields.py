"""Fields of freqtrade's rows and records: numbers that were kept as floats, and pairs of all ages.

Rule 1. A column that a version of freqtrade did not have yet is like one without a value.
Rule 2. What is no number, no moment or no pair is refused with its column, its value and what belongs there.

What must not enter: tables and files, and how a trade is counted.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from plimsoll.imports.database_cells import Cell, number_of, text_of, time_of
from plimsoll.imports.freqtrade_trade import Filled, Mode
from plimsoll.model import money
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side

#: Nothing stands here; freqtrade keeps an empty text where it has no strategy, tag or asset.
_NOTHING = (None, "")
_PAIR = re.compile(r"[^\s/:]+/[^\s/:]+(:[^\s/:]+)?")
#: What freqtrade renamed in 2022, in old databases too.
_RENAMED = {
    "sell_signal": "exit_signal",
    "custom_sell": "custom_exit",
    "force_sell": "force_exit",
    "emergency_sell": "emergency_exit",
}


class Fields:
    """One row or record, by the names of its columns."""

    def __init__(self, table: str, values: Mapping[str, Cell]) -> None:
        self._table = table
        self._values = values

    def row_number(self) -> int:
        """Read which row it is.

        Raises: Illegal
        """
        value = self._values.get("id")
        if not isinstance(value, int):
            raise self.illegal("id", "the number of the row belongs here")
        return value

    def has(self, column: str) -> bool:
        """Say whether this version of freqtrade has the column."""
        return column in self._values

    def raw(self, besides: str = "") -> str:
        """Write it as it stood, as JSON, without what was asked for besides."""
        return json.dumps({name: value for name, value in self._values.items() if name != besides}, default=repr)

    def number(self, *columns: str) -> Decimal | None:
        """Read the first of the columns that has a value other than 0; 0 where one has that, None where none has any.

        Raises: Illegal
        """
        found: Decimal | None = None
        for column in columns:
            value = self._values.get(column)
            if value not in _NOTHING:
                found = number_of(value, self._name(column))
                if found:
                    return found
        return found

    def above_zero(self, *columns: str) -> Decimal:
        """Read a number that must be there, and above 0.

        Raises: Illegal
        """
        value = self.number(*columns)
        if value is None or value <= 0:
            raise self.illegal(columns[0], "a number above 0 belongs here")
        return value

    def text(self, *columns: str) -> str:
        """Read the first of the columns that has a value; empty where none has.

        Raises: Illegal
        """
        texts = (text_of(self._values.get(column), self._name(column)) for column in columns)
        return next((text for text in texts if text), "")

    def flag(self, column: str) -> bool:
        """Read yes or no; no where nothing stands.

        Raises: Illegal
        """
        value = self._values.get(column)
        if value not in (None, 0, 1):  # true and false are 1 and 0
            raise self.illegal(column, "0 or 1 belongs here")
        return bool(value)

    def moment(self, *columns: str) -> datetime | None:
        """Read the first of the columns that has a value; None where none has.

        Raises: Illegal
        """
        for column in columns:
            value = self._values.get(column)
            if value not in _NOTHING:
                return time_of(value, self._name(column))
        return None

    def moment_there(self, column: str) -> datetime:
        """Read a moment that must be there.

        Raises: Illegal
        """
        moment = self.moment(column)
        if moment is None:
            raise self.illegal(column, "a moment such as 2024-03-05 12:00:00 belongs here")
        return moment

    def rate(self, column: str) -> Decimal:
        """Read a rate of fees; at first there was one for both ways.

        Raises: Illegal
        """
        return self.number(column, "fee") or money.ZERO

    def mode(self) -> Mode:
        """Read the market that was traded on; at first there was one.

        Raises: Illegal
        """
        told = self.text("trading_mode").lower() or Mode.SPOT
        try:
            return Mode(told)
        except ValueError:
            raise self.illegal("trading_mode", "SPOT, MARGIN or FUTURES belongs here") from None

    def exit_reason(self) -> str:
        """Read why a trade was left, in the words that freqtrade has for it now.

        Raises: Illegal
        """
        told = self.text("exit_reason", "sell_reason")
        return _RENAMED.get(told, told)

    def illegal(self, column: str, remedy: str) -> Illegal:
        """Make the refusal of what stands in a column."""
        return Illegal(self._name(column), self._values.get(column), remedy)

    def _name(self, column: str) -> str:
        return f"{self._table}.{column}"


def whole_entry(trade: Fields, row: int, at: datetime) -> Filled:
    """Make a trade that has no orders the entry that its own row tells of.

    Raises: Illegal
    """
    price, side = trade.above_zero("open_rate"), entry_side(trade)
    return Filled(row, "entry", 0, True, side, trade.above_zero("amount"), price, at, raw=trade.raw("orders"))


def whole_exit(trade: Fields, row: int, at: datetime) -> Filled:
    """Make a closed trade that has no orders the exit that its own row tells of.

    Raises: Illegal
    """
    price, side = trade.above_zero("close_rate"), entry_side(trade).opposite
    return Filled(row, "exit", 0, False, side, trade.above_zero("amount"), price, at, raw=trade.raw("orders"))


def entry_side(trade: Fields) -> Side:
    """Say which way a trade is entered.

    Raises: Illegal
    """
    return Side.SELL if trade.flag("is_short") else Side.BUY


def symbol_of(pair: str, *, futures: bool, settle: str) -> str:
    """Write a pair as we write it.

    Source: freqtrade before 2018 wrote bittrex's QUOTE_BASE (`BTC_ETC`), and turned it round when it changed; futures
            were written like spot until 2023, and are named by what they settle in since
            (`_migrate_binance_futures_db`)
    Raises: Illegal
    """
    if "/" not in pair and pair.count("_") == 1:
        quote, base = pair.split("_")
        pair = f"{base}/{quote}"
    if not _PAIR.fullmatch(pair):
        raise Illegal("trades.pair", pair, "a pair such as BTC/USDT or BTC/USDT:USDT belongs here")
    return f"{pair}:{settle or currency_of(pair)}" if futures and ":" not in pair else pair


def currency_of(symbol: str) -> str:
    """Name the asset that trades in a symbol are counted in: what it settles in, else what it is priced in."""
    quote, _, settle = symbol.partition("/")[2].partition(":")
    return settle or quote
