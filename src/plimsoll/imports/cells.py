"""Cells of statements as values: numbers, times, assets, pairs. Exact, or refused by the name of the column.

Rule 1. A number is what is written, to the last digit: `1e-05` is 0.00001. Blanks and signs of grouping are taken only
        where a format is known to write them; NaN, infinities and more than 18 places are nobody's amount.
Rule 2. A time names its zone, or its format does. 5/1/2022 is two days: the file decides by another line, or a person.
Rule 3. An asset is one printable word. Case is not kept (btc and BTC are one thing), except where a broker's is.

What must not enter: which column holds what.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from hashlib import blake2b

from plimsoll.model.clock import EPOCH
from plimsoll.model.errors import Illegal
from plimsoll.model.money import EXACT, check_digits, decimal_text, settle_quotient
from plimsoll.model.order import Side

#: What things are priced in, the surest first: of two assets that changed hands, the one before the other is the price.
QUOTES = (
    *("RUB", "UAH", "PLN", "RON", "ARS", "CZK", "SEK", "NOK", "DKK", "HKD", "SGD", "INR", "CNH", "NGN"),
    *("JPY", "KRW", "TRY", "BRL", "ZAR", "MXN", "CHF", "CAD", "USD", "NZD", "AUD", "GBP", "EUR"),
    *("USDT", "USDC", "BUSD", "FDUSD", "TUSD", "USDP", "DAI", "GUSD", "EURC", "EURT", "BIDR", "VAI"),
    *("BTC", "ETH", "BNB", "TRX", "DOGE", "DOT", "XRP"),
)
_RANK = {asset: rank for rank, asset in enumerate(QUOTES)}
#: The longest first, so that BTCTUSD is BTC/TUSD.
_SUFFIXES = tuple(sorted(QUOTES, key=len, reverse=True))

#: At most what `model.money` takes, so that nothing of this shape needs to be looked at again.
_PLAIN = re.compile(r"[-+]?[0-9]{1,20}(?:\.[0-9]{0,18})?|[-+]?\.[0-9]{1,18}", re.ASCII)
_SCIENTIFIC = re.compile(r"[-+]?(?:[0-9]{1,64}\.?[0-9]{0,64}|\.[0-9]{1,64})(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)
_GROUPED = re.compile(r"[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?", re.ASCII)
_ASSET = re.compile(r"[^\s/:]{1,40}")
_HOW_NUMBER = "write a plain decimal number such as 1234.5, with at most 18 places"

_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[-+][0-9]{2}:[0-9]{2})"
)
_TIME = re.compile(
    r"(?P<year>[0-9]{4})(?P<gap>[-./]?)(?P<month>[0-9]{1,2})(?P=gap)(?P<day>[0-9]{1,2})"
    r"(?:[T ;,]\s?(?P<hour>[0-9]{1,2}):?(?P<minute>[0-9]{2})(?::?(?P<second>[0-9]{2})(?:\.(?P<part>[0-9]{1,9}))?)?)?"
    r"\s?(?P<zone>Z|UTC|GMT|[-+][0-9]{2}(?::?[0-9]{2})?)?",
    re.ASCII,
)
_SLASHED = re.compile(
    r"(?P<one>[0-9]{1,2})/(?P<two>[0-9]{1,2})/(?P<year>[0-9]{4})"
    r"(?:,?\s(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?)?",
    re.ASCII,
)
_EPOCH = re.compile(r"(?P<whole>[0-9]{9,10}|[0-9]{12,13}|[0-9]{15,16})(?:\.(?P<part>[0-9]{1,9}))?", re.ASCII)
_HOW_TIME = "write it as 2022-01-21T10:05:00Z, or as seconds or milliseconds since 1970"


# --- numbers


def number(text: str, column: str) -> Decimal:
    """Read one number, as exactly as it is written.

    Raises: Illegal, naming the column
    """
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    if not _SCIENTIFIC.fullmatch(text):
        raise Illegal(column, text, _HOW_NUMBER)
    # By the exact context: a caller's own may know fewer digits, and an exponent beyond it is no amount of anything.
    try:
        value = EXACT.create_decimal(text)
    except ArithmeticError as too_much:
        raise Illegal(column, text, _HOW_NUMBER) from too_much
    check_digits(value, column)
    return Decimal(decimal_text(value))


def grouped_number(text: str, column: str) -> Decimal:
    """Read one number whose thousands may be set apart by commas, as this format writes them.

    Raises: Illegal, naming the column
    """
    return number(text.replace(",", "") if _GROUPED.fullmatch(text) else text, column)


def number_and_unit(text: str, column: str) -> tuple[Decimal, str]:
    """Read an amount with its asset behind it: `0.0015BTC`, `1,000.5 USDT`.

    Raises: Illegal, naming the column
    """
    matched = re.match(r"[-+0-9.,]+", text)
    if matched is None:
        raise Illegal(column, text, "write an amount with its asset behind it, such as 0.5BTC")
    return grouped_number(matched[0], column), asset(text[matched.end() :].strip(), column)


def price_of(paid: Decimal, quantity: Decimal, column: str) -> Decimal:
    """Divide what was paid by what it bought, to 18 places.

    Raises: Illegal
    """
    if not quantity:
        raise Illegal(column, quantity, "a trade has a quantity that is not 0")
    return settle_quotient(paid.copy_abs(), quantity.copy_abs())


# --- times


def moment(text: str, column: str, zone: tzinfo = UTC, dates: str | None = None) -> datetime:
    """Read one time. `zone` is that of times which name none; digits behind the sixth are dropped.

    Raises: Illegal, naming the column
    """
    try:
        if _ISO.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
        if (matched := _TIME.fullmatch(text)) and (matched["gap"] or len(matched["month"] + matched["day"]) == 4):
            return _from_parts(matched, int(matched["month"]), int(matched["day"]), _zone_of(matched["zone"], zone))
        if matched := _EPOCH.fullmatch(text):
            return _since_epoch(matched["whole"], matched["part"] or "")
        if matched := _SLASHED.fullmatch(text):
            month, day = _month_and_day(matched, column, dates)
            return _from_parts(matched, month, day, zone)
    except (ValueError, OverflowError) as no_such_time:
        if isinstance(no_such_time, Illegal):
            raise
    raise Illegal(column, text, _HOW_TIME)


def _from_parts(matched: re.Match[str], month: int, day: int, zone: tzinfo) -> datetime:
    part = matched.groupdict().get("part") or ""
    when = datetime(
        int(matched["year"]),
        month,
        day,
        int(matched["hour"] or 0),
        int(matched["minute"] or 0),
        int(matched["second"] or 0),
        int(part[:6].ljust(6, "0")),
        tzinfo=zone,  # an hour that the clocks go through twice is taken the first time
    )
    return when.astimezone(UTC)


def _zone_of(text: str | None, otherwise: tzinfo) -> tzinfo:
    if text is None:
        return otherwise
    if text in ("Z", "UTC", "GMT"):
        return UTC
    return datetime.strptime(text.ljust(5, "0") if ":" not in text else text, "%z").tzinfo or otherwise


def _since_epoch(whole: str, part: str) -> datetime:
    # By the length: ten digits are seconds until the year 2286, and milliseconds of 1970.
    unit = {9: 6, 10: 6, 12: 3, 13: 3, 15: 0, 16: 0}[len(whole)]
    return EPOCH + timedelta(microseconds=int(whole + part[:unit].ljust(unit, "0")))


def _month_and_day(matched: re.Match[str], column: str, dates: str | None) -> tuple[int, int]:
    one, two = int(matched["one"]), int(matched["two"])
    shown = dates or order_shown([matched[0]])
    if shown is None and one != two:
        raise Illegal(column, matched[0], "this may be either day; say --dates mdy or --dates dmy, or write 2022-01-21")
    return (two, one) if shown == "dmy" else (one, two)


def order_shown(texts: Iterable[str]) -> str | None:
    """Say how a column writes its days, `mdy` or `dmy`, as far as one of them is unmistakable."""
    for text in texts:
        if matched := _SLASHED.fullmatch(text):
            if int(matched["one"]) > 12:
                return "dmy"
            if int(matched["two"]) > 12:
                return "mdy"
    return None


# --- words


def printable(text: str, column: str) -> str:
    """Give a text back, unless it holds what neither a page nor a database takes.

    Raises: Illegal
    """
    if not text.isprintable():
        raise Illegal(column, text, "use printable characters")
    if len(text) > 1000:
        raise Illegal(column, text[:40], "use at most 1,000 characters")
    return text


def asset(text: str, column: str) -> str:
    """Read the name of an asset.

    Raises: Illegal
    """
    if not _ASSET.fullmatch(text) or not text.isprintable():
        raise Illegal(column, text, "name an asset, such as BTC")
    return text.upper()


def pair(base: str, quote: str, column: str, settle: str = "") -> str:
    """Write the symbol of two assets.

    Raises: Illegal
    """
    if base == quote:
        raise Illegal(column, f"{base}/{quote}", "a pair is of two assets")
    return f"{base}/{quote}:{settle}" if settle else f"{base}/{quote}"


def split_slashed(text: str, column: str, currency: str | None) -> tuple[str, str, str]:
    """Read BASE/QUOTE, BASE/QUOTE:SETTLE or BASE-QUOTE; one word alone is priced in the currency that was named.

    Raises: Illegal
    """
    words, _, settle = text.partition(":")
    base, slash, quote = words.partition("/")
    if not slash:
        base, slash, quote = words.rpartition("-")
    if not slash and currency is not None and words and not settle:
        base, quote = words, currency
    elif not base or not quote:
        raise Illegal(column, text, "write it BASE/QUOTE, such as BTC/USDT, or say what it is priced in (--currency)")
    return asset(base, column), asset(quote, column), asset(settle, column) if ":" in text else ""


def split_pair(text: str, column: str) -> tuple[str, str]:
    """Read a pair that is written in one word (BTCUSDT), with a dash, an underscore or a slash.

    Raises: Illegal, for a word that does not end in anything things are priced in
    """
    for sign in ("/", "-", "_"):
        base, found, quote = text.partition(sign)
        if found:
            return asset(base, column), asset(quote, column)
    word = asset(text, column)
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and word != suffix:
            return word.removesuffix(suffix), suffix
    raise Illegal(column, text, "write the pair with a slash, such as BTC/USDT")


def priced_in(one: str, other: str) -> str:
    """Say which of two assets is the price of the other; the second where nobody knows."""
    last = len(QUOTES)
    return one if _RANK.get(one, last) < _RANK.get(other, last) else other


def digits_or_zero(text: str) -> int:
    """Give an id as a number where it is one, to order what happened at the same moment."""
    return int(text) if len(text) <= 18 and text.isascii() and text.isdigit() else 0


# --- what has no id of its own


def turn_of(way: Side | Decimal) -> int:
    """Order what happened at the same moment and has no id: what comes in and is bought, then what goes and is sold.

    Ids that are hashes stand in any order; a sale that came to stand before its purchase would open a short position.
    """
    return int(way is Side.SELL if isinstance(way, Side) else way < 0)


class Twins:
    """Names lines that have no id by what they say, and equal ones by how many came before them in their file."""

    def __init__(self) -> None:
        # Eight bytes each, and counts of the few that are twins: a million lines take about 70 MB, not 200.
        self._seen: set[int] = set()
        self._again: dict[int, int] = {}

    def reference(self, *said: object) -> str:
        """Name what a line says; numbers by their value, so that 1.0 and 1.00 say the same."""
        words = [decimal_text(word) if isinstance(word, Decimal) else str(word) for word in said]
        digest = blake2b("\x1f".join(words).encode(), digest_size=16)
        short = int.from_bytes(digest.digest()[:8], "big")
        if short not in self._seen:
            self._seen.add(short)
            return digest.hexdigest()
        self._again[short] = before = self._again.get(short, 1) + 1
        return f"{digest.hexdigest()}-{before}"
