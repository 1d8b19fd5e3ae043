"""The exchange's own arithmetic: eight places, rounded once per amount, whatever context the caller runs in.

It shares nothing with the desk's `model.money` on purpose: an error there must not be repeated here, or the oracle
would compare two equal mistakes.
"""

import decimal
import re
from decimal import Decimal

ZERO = Decimal(0)
_PLACE = Decimal("0.00000001")
_ROUNDING = decimal.Context(
    prec=50,
    rounding=decimal.ROUND_HALF_EVEN,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow, decimal.FloatOperation],
)
_PLAIN = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")


def rounded(value: Decimal) -> Decimal:
    """Round an amount to what the exchange keeps."""
    return value.quantize(_PLACE, context=_ROUNDING)


def product(*factors: Decimal) -> Decimal:
    """Multiply, and round once at the end."""
    result = factors[0]
    for factor in factors[1:]:
        result = _ROUNDING.multiply(result, factor)
    return rounded(result)


def quotient(numerator: Decimal, denominator: Decimal) -> Decimal:
    """Divide, and round."""
    return rounded(_ROUNDING.divide(numerator, denominator))


def share(whole: Decimal, part: Decimal, of: Decimal) -> Decimal:
    """Take the share `part / of` of a whole; all of it when nothing is left."""
    return whole if part == of else rounded(_ROUNDING.divide(_ROUNDING.multiply(whole, part), of))


def text(value: Decimal) -> str:
    """Write a number as the wire has it: plain, never `-0`, never an exponent."""
    return format(value, "f") if value else "0"


def parsed(words: str) -> Decimal | None:
    """Read a number of the wire; None when it is none."""
    return Decimal(words) if _PLAIN.fullmatch(words) else None
