"""Money and coins that an exchange says came or went, as told movements.

Coins that are put in or taken out belong to an instrument only where somebody says which one: with `--currency EUR`
they are those of COIN/EUR, and change that position. Without it they change the balance of the coin alone.

What must not enter: which line of a statement is which movement.
"""

from datetime import datetime
from decimal import Decimal

from plimsoll.imports.cells import QUOTES, asset, pair
from plimsoll.imports.statement import Options
from plimsoll.model.cash import CashKind
from plimsoll.model.told import Told

#: Not held as a position, whatever the currency is.
_MONEY = frozenset(QUOTES) - {"BTC", "ETH", "BNB", "TRX", "DOGE", "DOT", "XRP"}


def movement(
    options: Options,
    kind: CashKind,
    moved: str,
    amount: Decimal,
    *,
    lines: tuple[int, ...],
    at: datetime,
    reference: str,
    note: str = "",
) -> Told:
    """Tell one movement; a deposit that is below zero is a withdrawal, and the other way round."""
    symbol = ""
    if kind in (CashKind.DEPOSIT, CashKind.WITHDRAWAL):
        kind = CashKind.DEPOSIT if amount > 0 else CashKind.WITHDRAWAL
        symbol = _coins_of(moved, options)
    return Told(lines, kind, at, reference, symbol=symbol, asset=moved, amount=amount, note=note)


def _coins_of(moved: str, options: Options) -> str:
    if options.currency is None or moved in _MONEY:
        return ""
    currency = asset(options.currency, "currency")
    return "" if currency == moved else pair(moved, currency, "currency")
