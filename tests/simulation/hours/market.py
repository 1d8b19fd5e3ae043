"""What prices do at one venue: a walk with calm and wild hours, pulled back to where it began, and gaps on command.

A coin has one walk; its spot market follows it and its perpetual stands a little beside it. What must not enter: who
sees these prices, and what goes wrong on the way there.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

#: A step of the walk, by one standard deviation, while it is calm and while it is wild.
_CALM, _WILD = (0.00005, 0.0002), (0.0008, 0.003)
_STEP_SECONDS = (1.0, 3.0)
_PHASE_SECONDS = (60.0, 600.0)
#: How much of its distance from where it began a walk loses with each step.
_PULL = 0.0005
#: A perpetual stands at most so far from its coin.
_BASIS = 0.0005

BEGINS = {"BTC": 50_000.0, "ETH": 3_000.0, "XRP": 0.8}


@dataclass(slots=True)
class _Walk:
    """One coin."""

    begins: float
    at: float
    step: float = _CALM[0]
    basis: float = 0.0


@dataclass(slots=True)
class Prices:
    """All symbols of one venue.

    Shapes:  `ticks` -> symbols with the steps of their prices; `trade_at` takes (symbol, price)
    """

    ticks: dict[str, Decimal]
    trade_at: Callable[[str, Decimal], None]
    chance: random.Random
    _walks: dict[str, _Walk] = field(default_factory=dict)
    _phase_ends: float = 0.0

    def __post_init__(self) -> None:
        for symbol in self.ticks:
            begins = BEGINS[_coin(symbol)]
            self._walks.setdefault(_coin(symbol), _Walk(begins, begins))

    def show(self) -> None:
        """Trade everything at where it stands."""
        for symbol, tick in self.ticks.items():
            self.trade_at(symbol, self._price(symbol, tick))

    async def run(self) -> None:
        """Walk for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(round(self.chance.uniform(*_STEP_SECONDS), 3))
            if loop.time() >= self._phase_ends:
                self._begin_phase(loop.time())
            for walk in self._walks.values():
                self._step(walk)
            self.show()

    def gap(self, percent: float) -> str:
        """Let a coin fall, or rise, at once."""
        coin = self.chance.choice(sorted(self._walks))
        share = percent / 100
        walk, falls = self._walks[coin], self.chance.random() < 0.6
        walk.at *= 1 - share if falls else 1 + share
        self.show()
        return f"{coin} {'falls' if falls else 'rises'} by {percent:.1f} %"

    def price(self, symbol: str) -> Decimal:
        """Say where a symbol stands."""
        return self._price(symbol, self.ticks[symbol])

    def _begin_phase(self, now: float) -> None:
        self._phase_ends = now + self.chance.uniform(*_PHASE_SECONDS)
        low, high = _WILD if self.chance.random() < 0.25 else _CALM
        for walk in self._walks.values():
            walk.step = self.chance.uniform(low, high)

    def _step(self, walk: _Walk) -> None:
        pull = _PULL * (walk.begins - walk.at) / walk.at
        # Never more than a third at once: what is below zero is no price.
        walk.at *= 1 + max(-0.3, min(0.3, self.chance.gauss(pull, walk.step)))
        walk.basis = max(-_BASIS, min(_BASIS, walk.basis + self.chance.gauss(0, _BASIS / 10)))

    def _price(self, symbol: str, tick: Decimal) -> Decimal:
        walk = self._walks[_coin(symbol)]
        at = walk.at * (1 + walk.basis) if ":" in symbol else walk.at
        return max(1, round(at / float(tick))) * tick


def _coin(symbol: str) -> str:
    return symbol.partition("/")[0]
