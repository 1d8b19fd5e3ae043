"""Exact numbers: how an amount is read, written, added up and, in one place only, rounded.

Rule 1. Every number that is money or quantity is a `Decimal` that came from text or an integer. A float is refused.
Rule 2. Arithmetic is exact or it fails: the context traps `Inexact`. Only the `settle…` functions divide and round,
        to 18 places, half to even. What a division leaves over stays where it came from (see `model.position`).
Rule 3. At the door a number has at most 18 places and 20 integer digits; anything else is refused by name.
Rule 4. Stored text is canonical: plain notation, no trailing zeros, no negative zero, so equal numbers are equal text.

What must not enter: a currency conversion (that needs a rate with an age), and formatting for people.
"""

import decimal
import re
from dataclasses import dataclass
from decimal import Decimal

from plimsoll.model.errors import Illegal

PLACES = 18
INTEGER_DIGITS = 20
ZERO = Decimal(0)

_EXPONENT_OF_LAST_PLACE = Decimal(1).scaleb(-PLACES)
# [0-9] and not \d, which also takes the digits of every other script.
_PLAIN = re.compile(r"-?[0-9]{1,64}(\.[0-9]{1,64})?")

EXACT = decimal.Context(
    prec=60,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-200,
    Emax=200,
    traps=[
        decimal.Inexact,
        decimal.InvalidOperation,
        decimal.DivisionByZero,
        decimal.Overflow,
        decimal.Underflow,
        decimal.FloatOperation,
    ],
)
# A product or quotient is taken to 60 digits and then quantised to 18 places. ROUND_05UP leaves a mark in the 60th
# digit when anything was dropped behind it, so the second rounding never takes a little more than a half for a half.
_STICKY = decimal.Context(
    prec=60,
    rounding=decimal.ROUND_05UP,
    Emin=-200,
    Emax=200,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow, decimal.FloatOperation],
)
_SETTLING = decimal.Context(
    prec=60,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-200,
    Emax=200,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow, decimal.FloatOperation],
)


def install_exact_arithmetic() -> None:
    """Make exact arithmetic the rule for this thread, for its tasks, and for every thread started from now on.

    Called once by the composition root and by each thread of ours. Importing the package changes nothing, so that a
    notebook which imports Plimsoll keeps its own arithmetic.
    """
    # A new thread copies DefaultContext, not its parent's context: setting only the current one would leave every
    # executor thread with 28 digits and silent rounding.
    for name in ("prec", "rounding", "Emin", "Emax"):
        setattr(decimal.DefaultContext, name, getattr(EXACT, name))
    for signal in decimal.DefaultContext.traps:
        decimal.DefaultContext.traps[signal] = EXACT.traps[signal]
    decimal.setcontext(EXACT.copy())


def settle(value: Decimal) -> Decimal:
    """Round a product or a sum to 18 places, half to even."""
    return value.quantize(_EXPONENT_OF_LAST_PLACE, context=_SETTLING).normalize(_SETTLING)


def settle_product(*factors: Decimal) -> Decimal:
    """Multiply and round once, at the end."""
    product = factors[0]
    for factor in factors[1:]:
        product = _STICKY.multiply(product, factor)
    return settle(product)


def settle_quotient(numerator: Decimal, denominator: Decimal) -> Decimal:
    """Divide and round to 18 places.

    Raises: decimal.DivisionByZero, decimal.InvalidOperation (0 / 0)
    """
    return settle(_STICKY.divide(numerator, denominator))


def settle_share(whole: Decimal, part: Decimal, of: Decimal) -> Decimal:
    """Take the share `part / of` of a whole, multiplying first so that only one rounding happens."""
    if part == of:
        return whole
    return settle(_STICKY.divide(_STICKY.multiply(whole, part), of))


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """Round towards zero to a whole number of steps."""
    return (value // step) * step


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Say whether a value is a whole number of steps."""
    return value % step == 0


def parse_decimal(text: object, field: str) -> Decimal:
    """Read a number at the door.

    Refuses: floats, exponents, NaN, infinities, more than 18 places or 20 integer digits
    Raises:  Illegal, naming the field
    """
    if not isinstance(text, str) or not _PLAIN.fullmatch(text):
        raise Illegal(field, text, "write a plain decimal number as text, such as 0.05")
    return check_digits(Decimal(text), field)


def check_digits(value: Decimal, field: str) -> Decimal:
    """Refuse a number that is not finite or does not fit NUMERIC(38, 18); give it back otherwise.

    Raises: Illegal, naming the field
    """
    if not value.is_finite():
        raise Illegal(field, value, "give a finite number")
    text = str(value)
    # Nearly every number, and this runs for each of a million lines: too short to have a digit too many.
    if len(text) <= PLACES and "E" not in text:
        return value
    if not value:
        return value
    if value.adjusted() >= INTEGER_DIGITS:
        raise Illegal(field, value, f"use at most {INTEGER_DIGITS} digits before the point")
    _sign, digits, exponent = value.as_tuple()
    # Zeros beyond the last place are no digits. They are looked at, not rounded away: rounding a 62-digit number to
    # see whether it fits would make it fit.
    if isinstance(exponent, int) and exponent < -PLACES and any(digits[exponent + PLACES :]):
        raise Illegal(field, value, f"use at most {PLACES} decimal places")
    return value


def decimal_text(value: Decimal) -> str:
    """Write a number canonically: `1E+2` is `100`, `1.50` is `1.5`, `-0.0` is `0`."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency. Adding two currencies is a mistake, not a conversion."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise Illegal("amount", self.amount, "give a Decimal")
        check_digits(self.amount, "amount")
        if not self.currency:
            raise Illegal("currency", self.currency, "name the currency, such as USDT")

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other).amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other).amount, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __str__(self) -> str:
        return f"{decimal_text(self.amount)} {self.currency}"

    def _same(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise Illegal("currency", other.currency, f"convert to {self.currency} first, with a rate and its age")
        return other
