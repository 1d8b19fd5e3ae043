"""A hunt in the world of hours: a venue of one character, and of all the weather only what is named, as often as it is.

A seed's own weather has half of everything in it, and a mistake that needs two things at once dies after many seeds. A
mistake in its copy of the source must die in seconds, so its hunt puts on what it needs, more often than any weather
would where that saves hours. Everything else is the world's own: callers, prices, the oracle and its laws.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.simulation.exchange.personality import KIND
from tests.simulation.hours.plans import THIRD, Plan, markets_of, with_third
from tests.simulation.hours.runs import CRASH
from tests.simulation.hours.tape import Struck
from tests.simulation.hours.weather import FAIR, RISKS, Risk, Weather
from tests.simulation.hours.world import live

_RISKS = {risk.name: risk for risk in RISKS}


@dataclass(frozen=True, slots=True)
class Hours:
    """Look in hours drawn from these seeds, until the right law is broken."""

    #: Which kinds of fault there are, by their names in `weather.RISKS`, each with its share of the passings; or with
    #: that and a part of its range.
    faults: Mapping[str, float | tuple[float, float, float]] = field(default_factory=dict)
    #: In what the venues differ from the kindest one.
    venue: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (1, 2, 3, 4)
    hours: float = 0.15
    #: In what the accounts differ from those that the seed draws.
    account: Mapping[str, Any] = field(default_factory=dict)
    #: Exactly these strike, and nothing is drawn.
    tape: tuple[Struck, ...] = ()

    def __str__(self) -> str:
        faults = ", ".join(self.faults or dict.fromkeys(f"{one.site} {one.fault}" for one in self.tape))
        traits = ", ".join(f"{name} {value}" for name, value in self.venue.items())
        return f"hours ({faults or 'no fault'})" + (f" at {traits}" if traits else "")

    def plans(self) -> Iterator[Plan]:
        """Give what each of its seeds is about."""
        for seed in self.seeds:
            people = markets_of(seed)
            venues = tuple(replace(KIND, name=one.venue, third=THIRD, **self.venue) for one in people)
            markets = tuple(
                with_third(replace(one, **self.account), venue) for one, venue in zip(people, venues, strict=True)
            )
            yield Plan(seed, self.hours, self._weather(), markets, venues)

    def told(self) -> Iterator[tuple[str, str]]:
        """Give every failure as (check, sentence), in the order they come."""
        for plan in self.plans():
            try:
                failure = live(plan, tape=self.tape or None).failure
            except Exception as error:  # noqa: BLE001  no law has this name, so it proves nothing
                yield CRASH, f"seed {plan.seed}: {type(error).__name__}: {error}"
            else:
                if failure is not None:
                    yield failure.check, f"seed {plan.seed}: {failure}"

    def _weather(self) -> Weather:
        menu: dict[str, tuple[Risk, ...]] = {}
        for name, said in self.faults.items():
            risk = _RISKS[name]
            share, low, high = said if isinstance(said, tuple) else (said, risk.low, risk.high)
            risk = replace(risk, most=share, low=low, high=high)
            menu[risk.site] = (*menu.get(risk.site, ()), risk)
        return Weather(menu) if menu else FAIR
