"""What a seed is about: its weather, its people and what they trade, the characters of their venues.

Each part is drawn from a stream of its own, so that one that draws more moves no other.
"""

import random
from dataclasses import dataclass, replace

from plimsoll.model.account import Mode
from tests.simulation.exchange.personality import FeeIn, Personality, draw_personality
from tests.simulation.hours.template import Market
from tests.simulation.hours.weather import Weather, draw_weather

_FIRST, _SECOND = ("BTC/USDT", "BTC/USDT:USDT"), ("ETH/USDT", "ETH/USDT:USDT")
#: In what a venue takes its fees that has an asset of its own for them; it is traded there, or nobody could value it.
THIRD, _ITS_MARKET = "XRP", "XRP/USDT"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seed is about."""

    seed: int
    hours: float
    weather: Weather
    markets: tuple[Market, ...]
    #: Of the venues, one for each market.
    personalities: tuple[Personality, ...]


def plan_of(seed: int, hours: float) -> Plan:
    """Draw what a seed is about."""
    drawn = markets_of(seed)
    venues = tuple(replace(draw_personality(seed, one.venue), third=THIRD) for one in drawn)
    markets = tuple(with_third(market, venue) for market, venue in zip(drawn, venues, strict=True))
    return Plan(seed, hours, draw_weather(seed), markets, venues)


def markets_of(seed: int) -> tuple[Market, ...]:
    """Draw a seed's people and what each trades at a venue that takes its fees in what is traded."""
    chance = random.Random(f"{seed}|plan")
    people = ("Ada",) if chance.random() < 0.5 else ("Ada", "Eve")
    is_live = chance.random() < 0.5
    mode, profile = (Mode.LIVE, "cautious") if is_live else (Mode.PAPER, "standard")
    return tuple(
        Market(number, person, _FIRST if number == 1 else _SECOND, mode, profile)
        for number, person in enumerate(people, start=1)
    )


def with_third(market: Market, venue: Personality) -> Market:
    """Let the asset be traded in which a venue takes its fees."""
    if venue.fee_in is not FeeIn.THIRD:
        return market
    return replace(market, symbols=(*market.symbols, _ITS_MARKET))
