"""The notation of the bots' tests: markets drawn by their closes, a view of a calm account, a clock set by hand."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from plimsoll.bots.strategy import View
from plimsoll.model.account import TradingState
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.quote import Bar

D = Decimal
MIDNIGHT = datetime(2018, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BITCOIN = Instrument(
    id=InstrumentId(7),
    symbol="BTC/USD",
    venue="paper",
    asset_type=AssetType.CRYPTO,
    base="BTC",
    quote="USD",
    settle="USD",
    tick_size=D("0.01"),
    lot_size=D("0.001"),
    min_quantity=D("0.002"),
)
CALM = View(
    now=MIDNIGHT,
    account_state=TradingState.ACTIVE,
    account_currency="USD",
    equity=D(10_000),
    position_quantity=D(0),
    pending=False,
    last_trade_at=None,
    instrument=BITCOIN,
    leverage=D(1),
)
#: The signals strategy with nothing but an RSI of one bar: a fall says buy, a rise says sell, no move says nothing.
CONTRARY = {
    "rsi_period": "1",
    "macd_fast": "1",
    "macd_slow": "2",
    "macd_signal": "1",
    "ma_fast": "1",
    "ma_slow": "2",
    "rsi_weight": "1",
    "macd_weight": "0",
    "ma_weight": "0",
}
AT_ONCE = {**CONTRARY, "confirmation_minutes": "0", "cooldown_minutes": "0"}
#: As many bars as the average true range needs before its first answer.
QUIET = 14
QUIET_CLOSE = D(1000)


@dataclass
class SetClock:
    """A clock that stands where it was put."""

    at: datetime = MIDNIGHT

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


def holding(quantity: str) -> View:
    """Give the view of a bot that holds this much."""
    return replace(CALM, position_quantity=D(quantity))


def bar(number: int, close: Decimal = QUIET_CLOSE) -> Bar:
    """Draw the n-th bar, 4 high around its close; it ends n + 1 minutes after midnight."""
    start = MIDNIGHT + number * MINUTE
    return Bar(BITCOIN.id, start, MINUTE, open=close, high=close + 2, low=close - 2, close=close)


def bars(closes: Iterable[Decimal]) -> list[Bar]:
    """Draw one-minute bars with these closes."""
    return [bar(number, close) for number, close in enumerate(closes)]


def advising(marks: str) -> list[Bar]:
    """Draw bars on which `CONTRARY` advises b(uy), s(ell) or nothing (.), after a quiet stretch that warms it up.

    The n-th mark, from 0, closes `QUIET + n + 1` minutes after midnight.
    """
    step = {"b": D(-1), "s": D(1), ".": D(0)}
    close, drawn = QUIET_CLOSE, []
    for mark in "." * QUIET + marks:
        close += step[mark]
        drawn.append(close)
    return bars(drawn)


def marked(number: int) -> datetime:
    """Give the close of the n-th mark of `advising`."""
    return MIDNIGHT + (QUIET + number + 1) * MINUTE


def walk(seed: int, count: int) -> list[Bar]:
    """Draw a wandering market with two decimals."""
    chance = random.Random(seed)
    close, closes = 40_000.0, []
    for _ in range(count):
        close *= 1 + chance.gauss(0, 0.004)
        closes.append(D(f"{close:.2f}"))
    return bars(closes)
