"""An exchange's words, as ccxt tells them, in ours. Pure.

Rule 1. Numbers come as text (`number = str`) and become Decimals; a float is refused. Some streams send bare JSON
        numbers, which have been a double on the way: a double keeps every number of at most 15 digits as it was
        written, so one of more digits is not trusted, whatever way it came. No market has prices that long.
Rule 2. What is no price is left out by name (`Unusable`), never mended: crossed, zero, not a number, an ask of more
        than twice its bid (a book that is empty on one side), or dated further ahead of us than clocks differ.
Rule 3. The age is the exchange's own where it tells one, else ours: when a stream's message came, or when the question
        was sent that a price answers.
Rule 4. An instrument whose steps are not told exactly is left out. What an exchange does not tell anonymously, such as
        its leverage, is taken from the built-in table, and strictly where that does not know either.

What must not enter: ccxt itself, and a guess.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from plimsoll.market.instruments import instrument_for
from plimsoll.model.clock import EPOCH
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import ZERO, check_digits
from plimsoll.model.quote import Bar, Quote
from plimsoll.risk.limits import CLOCK_SLACK

#: One ticker or market as ccxt tells it.
Told = Mapping[str, object]

_MILLISECOND = timedelta(milliseconds=1)
#: What a double keeps (DBL_DIG).
_MOST_DIGITS = 15
#: ccxt's `TICK_SIZE`: the precision of a market is its step and not a number of digits.
TICK_SIZE = 4


class Unusable(Exception):
    """Something that an exchange said cannot be used; `reason` is a stable word that is counted."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


# --- quotes


def quote_of(told: Told, instrument_id: InstrumentId, seen_at: datetime, now: datetime) -> Quote:
    """Read a ticker; `seen_at` dates it where the exchange does not.

    Raises: Unusable
    """
    bid, ask = _price(told, "bid"), _price(told, "ask")
    if ask < bid:
        raise Unusable("crossed", f"bid {bid} above ask {ask}")
    if ask > 2 * bid:
        raise Unusable("absurd", f"bid {bid}, ask {ask}: one side of the book is empty")
    at = _time(told.get("timestamp")) or seen_at
    if at - now > CLOCK_SLACK:
        ahead = (at - now).total_seconds()
        raise Unusable("future", f"it is dated {ahead:.1f} s ahead of this machine's clock: set the clock")
    return Quote(
        instrument_id,
        at,
        bid,
        ask,
        # Streams of best prices tell no trades. The bid stands for them: what a holding could be sold for.
        last=_price(told, "last") if told.get("last") is not None else bid,
        bid_size=_size(told, "bidVolume"),
        ask_size=_size(told, "askVolume"),
        mark=_price(told, "markPrice") if told.get("markPrice") is not None else None,
    )


def _price(told: Told, name: str) -> Decimal:
    value = told.get(name)
    if value is None:
        raise Unusable("one_sided", f"no {name}")
    price = _number(value, name)
    if price <= 0:
        raise Unusable("not_positive", f"{name} {price}")
    return price


def _size(told: Told, name: str) -> Decimal | None:
    """Read a size; one that cannot be read exactly is not known, which spoils no price."""
    try:
        size = _number(told.get(name), name)
    except Unusable:
        return None
    return size if size >= 0 else None


def _number(value: object, name: str) -> Decimal:
    if not isinstance(value, str):
        raise Unusable("not_text", f"{name} {value!r} is no text")
    try:
        number = Decimal(value)
        check_digits(number, name)
    except (InvalidOperation, Illegal) as problem:
        raise Unusable("not_a_number", f"{name} {value[:40]!r}") from problem
    if len(number.normalize().as_tuple().digits) > _MOST_DIGITS:
        raise Unusable("too_many_digits", f"{name} {value[:40]!r}")
    return number


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        return EPOCH + int(str(value)) * _MILLISECOND
    except (ValueError, OverflowError) as problem:
        raise Unusable("bad_time", f"timestamp {str(value)[:40]!r}") from problem


# --- bars


def bars_of(
    rows: Iterable[object], instrument_id: InstrumentId, interval: timedelta, now: datetime
) -> tuple[tuple[Bar, ...], int]:
    """Read rows of `[start, open, high, low, close, volume]`, leaving out those that are not over yet.

    Shapes: -> closed bars, oldest first, each once; and how many rows made no sense
    """
    found: dict[datetime, Bar] = {}
    senseless = 0
    for row in rows:
        try:
            bar = _bar(row, instrument_id, interval)
        except Unusable:
            senseless += 1
            continue
        if bar.end <= now:
            found[bar.start] = bar
    return tuple(found[start] for start in sorted(found)), senseless


def _bar(row: object, instrument_id: InstrumentId, interval: timedelta) -> Bar:
    if not isinstance(row, list) or len(row) < 5:
        raise Unusable("bad_bar", f"{row!r} is no bar")
    told = dict(zip(("open", "high", "low", "close", "volume"), row[1:], strict=False))
    start = _time(row[0])
    first, high, low, last = (_price(told, name) for name in ("open", "high", "low", "close"))
    if start is None or high < max(first, last) or low > min(first, last):
        raise Unusable("bad_bar", f"{row!r} contradicts itself")
    return Bar(instrument_id, start, interval, first, high, low, last, _size(told, "volume"))


# --- instruments


def instrument_of(told: Told, precision_mode: int, instrument_id: InstrumentId, venue: str) -> Instrument:
    """Read a market of the spot or a perpetual.

    Raises: Unusable, saying what is missing or not exact
    """
    symbol = str(told.get("symbol"))
    if told.get("type") not in ("spot", "swap"):
        raise Unusable("other_kind", f"{symbol} is a {told.get('type')}, neither spot nor a perpetual")
    if precision_mode != TICK_SIZE:
        raise Unusable("no_steps", f"{symbol}: the exchange tells digits instead of steps")
    precision, limits = _part(told, "precision"), _part(told, "limits")
    derivative = told.get("type") == "swap"
    try:
        tick, lot = _number(precision.get("price"), "tick"), _number(precision.get("amount"), "lot")
        most = _part(limits, "leverage").get("max")
        known = instrument_for(symbol, instrument_id, venue, tick)
        return replace(
            known,
            tick_size=tick,
            lot_size=lot,
            min_quantity=_told_or(_part(limits, "amount").get("min"), "min_quantity", lot),
            min_notional=_told_or(_part(limits, "cost").get("min"), "min_notional", ZERO),
            multiplier=_number(told.get("contractSize"), "contractSize") if derivative else Decimal(1),
            inverse=told.get("inverse") is True,
            tradable=told.get("active") is not False,
            # Coins are lent on some exchanges; this desk buys them with what it has.
            max_leverage=_told_or(most, "max_leverage", known.max_leverage) if derivative else Decimal(1),
        )
    except (Unusable, Illegal) as problem:
        raise Unusable("not_exact", f"{symbol}: {problem}") from problem


def _told_or(value: object, name: str, otherwise: Decimal) -> Decimal:
    return otherwise if value is None else _number(value, name)


def _part(told: Told, name: str) -> Told:
    part = told.get(name)
    return part if isinstance(part, Mapping) else {}
