"""From the words of `plimsoll replay` to something that can run: all of it is checked before anything is written.

Whatever is refused here is refused with its field, its value and the remedy, and the data directory is not touched.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from plimsoll.bots.catalogue import make_strategy
from plimsoll.bots.replay_plan import INSTRUMENT, ReplayPlan
from plimsoll.bots.strategy import Strategy
from plimsoll.market.candles import Gap, bars, inspect
from plimsoll.market.instruments import instrument_for
from plimsoll.market.synthetic import synthetic_bars, synthetic_facts
from plimsoll.model import money
from plimsoll.model.clock import time_text
from plimsoll.model.errors import Illegal
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.model.quote import Bar, SourceFacts
from plimsoll.risk.gate.verdict import leverage_cap
from plimsoll.risk.limits import HARD_MAX_LEVERAGE, STANDARD

SYNTHETIC = "synthetic"
SYNTHETIC_START = datetime(2024, 1, 1, tzinfo=UTC)
SYNTHETIC_INTERVAL = timedelta(minutes=1)
SYNTHETIC_BARS = 10_000
SYNTHETIC_MOST = 10_000_000
#: Where the synthetic market begins; a whole number of ticks of every instrument in the table.
_FIRST_PRICES = {"BTC": Decimal(40_000), "ETH": Decimal(2_500), "XRP": Decimal("0.5")}
_FIRST_PRICE = Decimal(100)
_UNKNOWN_TICK = Decimal("0.01")

#: Which strategy knows which option.
_OPTION_OF = {"share": "hold", "trade_size": "signals"}


@dataclass(frozen=True, slots=True)
class ReplayWords:
    """What was typed, as it was typed."""

    file: str
    symbol: str
    deposit: str
    strategy: str
    share: str | None = None
    leverage: str = "1"
    trade_size: str | None = None
    resume_after: str | None = None
    speed: str | None = None
    seed: str = "0"
    bars: str | None = None


@dataclass(frozen=True, slots=True)
class Market:
    """A source of bars, looked through to its end."""

    #: What a result depends on, as text.
    source: str
    facts: SourceFacts
    first: datetime
    bars: int
    gaps: tuple[Gap, ...]
    crossed: int
    instrument: Instrument
    #: All bars from the first, anew at each call.
    stream: Callable[[], Iterator[Bar]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A replay that may start."""

    plan: ReplayPlan
    market: Market
    #: Bars of this many seconds pass in a second; None for as fast as it goes.
    speed: float | None
    make: Callable[[], Strategy]


def prepare(words: ReplayWords) -> Prepared:
    """Check everything that was typed and everything that the recording holds.

    Raises: Illegal, BadRecording
    """
    deposit = _above_zero("deposit", words.deposit)
    speed = None if words.speed is None else float(_above_zero("speed", words.speed))
    seed = _whole("seed", words.seed, 0)
    resume_after = None if words.resume_after is None else _whole("resume_after", words.resume_after, 1)
    params = _params(words, deposit)
    make_strategy(words.strategy, params)  # its own refusals come before minutes of reading
    instrument_for(words.symbol, INSTRUMENT, "paper", _UNKNOWN_TICK)
    market = _synthetic(words, seed) if words.file == SYNTHETIC else _recorded(words)
    leverage = _leverage(words.leverage, market.instrument)
    if "trade_size" in params:
        _check_trade_size(params["trade_size"], market)
    plan = ReplayPlan(
        symbol=words.symbol,
        source=market.source,
        deposit=decimal_text(deposit),
        strategy=words.strategy,
        params=tuple(sorted(params.items())),
        leverage=decimal_text(leverage),
        resume_after_minutes=resume_after,
        seed=seed,
        prices=market.facts.name,
        declares=tuple(sorted(market.facts.declares)),
        interval_seconds=_seconds(market.facts.interval),
        first=time_text(market.first),
        tick=decimal_text(market.instrument.tick_size),
    )
    return Prepared(plan, market, speed, lambda: make_strategy(words.strategy, params))


def _params(words: ReplayWords, deposit: Decimal) -> dict[str, str]:
    params: dict[str, str] = {}
    for option, owner in _OPTION_OF.items():
        text: str | None = getattr(words, option)
        if text is None:
            continue
        if words.strategy in _OPTION_OF.values() and words.strategy != owner:
            raise Illegal(option, text, f"this is an option of {owner}; leave it out for {words.strategy}")
        params[option] = decimal_text(_above_zero(option, text))
    if words.strategy == "hold":
        params.setdefault("share", "1")
    if words.strategy == "signals":
        params.setdefault("trade_size", decimal_text(money.settle_quotient(deposit, Decimal(100))))
    return params


def _recorded(words: ReplayWords) -> Market:
    if words.bars is not None:
        raise Illegal("bars", words.bars, f"a file has as many bars as it has; this is an option of {SYNTHETIC}")
    recording = inspect(Path(words.file), words.symbol)
    instrument = _executable(instrument_for(words.symbol, INSTRUMENT, "paper", recording.tick))
    return Market(
        source=f"sha256:{recording.sha256}",
        facts=recording.facts,
        first=recording.first,
        bars=recording.bars,
        gaps=recording.gaps,
        crossed=recording.crossed,
        instrument=instrument,
        stream=lambda: bars(recording, instrument.id),
    )


def _synthetic(words: ReplayWords, seed: int) -> Market:
    count = SYNTHETIC_BARS if words.bars is None else _whole("bars", words.bars, 2)
    if count > SYNTHETIC_MOST:
        raise Illegal("bars", words.bars, f"give at most {SYNTHETIC_MOST}")
    # A tick of its own only where the table has none: the finer of two ticks is taken.
    instrument = _executable(instrument_for(words.symbol, INSTRUMENT, "paper", _UNKNOWN_TICK))
    price = _FIRST_PRICES.get(instrument.base, _FIRST_PRICE)

    def stream() -> Iterator[Bar]:
        return synthetic_bars(
            seed, instrument.id, SYNTHETIC_START, SYNTHETIC_INTERVAL, count, price, instrument.tick_size
        )

    return Market(
        source=f"synthetic:{count} bars of {_seconds(SYNTHETIC_INTERVAL)} s from {decimal_text(price)}",
        facts=synthetic_facts(SYNTHETIC_INTERVAL),
        first=SYNTHETIC_START,
        bars=count,
        gaps=(),
        crossed=0,
        instrument=instrument,
        stream=stream,
    )


def _executable(instrument: Instrument) -> Instrument:
    if instrument.inverse:
        raise Illegal("symbol", instrument.symbol, "the paper venue executes spot and linear perpetuals")
    return instrument


def _leverage(text: str, instrument: Instrument) -> Decimal:
    leverage = _above_zero("leverage", text)
    most = leverage_cap(instrument, STANDARD) if instrument.is_derivative else Decimal(1)
    if not 1 <= leverage <= most:
        hard = f"; {HARD_MAX_LEVERAGE} is a hard maximum" if instrument.is_derivative else ", which has no leverage"
        raise Illegal("leverage", text, f"give 1 to {decimal_text(most)} for {instrument.symbol}{hard}")
    return leverage


def _check_trade_size(text: str, market: Market) -> None:
    """Refuse a trade size that, cut to whole lots, the venue would not take at every price of the recording.

    Such a bot wishes and is refused, bar after bar, to the end of a replay that looks like a quiet strategy.
    """
    instrument = market.instrument
    lot = instrument.notional(instrument.lot_size, max(bar.high + bar.open_spread for bar in market.stream()))
    # Less than a lot is cut off, and what is left must reach the minimum. Where that is less than a lot, one lot does;
    # at a lower price of the same recording two lots may be needed, and together they are less than two minimums.
    least = max(lot, instrument.min_notional + min(lot, instrument.min_notional))
    if _above_zero("trade_size", text) < least:
        remedy = f"give {decimal_text(least)} or more: {instrument.symbol} is traded in whole lots"
        raise Illegal("trade_size", text, remedy)


def _above_zero(field: str, text: str) -> Decimal:
    value = money.parse_decimal(text, field)
    if value <= 0:
        raise Illegal(field, text, "give a number above zero")
    return value


def _whole(field: str, text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) >= least):
        raise Illegal(field, text, f"give a whole number, {least} or more")
    return int(text)


def _seconds(interval: timedelta | None) -> str:
    return decimal_text(Decimal((interval or timedelta(0)) // timedelta(microseconds=1)).scaleb(-6))
