"""The fault tape: everything that went wrong in a run, so that it can go wrong again although the code draws otherwise.

Each site counts its passings. A fault is (site, passing): recorded while it is drawn from the seed, struck from the
record while a tape is played back. A seed alone goes stale when code draws one number more; a tape goes stale only when
a site is passed another number of times before the fault.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from tests.simulation.hours.weather import FAIR, Fault, Weather


@dataclass(frozen=True, slots=True)
class Struck:
    """One thing that went wrong."""

    site: str
    #: The how-manieth passing of the site, from 1.
    passing: int
    fault: Fault
    #: What the fault's words call "so many".
    amount: float = 0.0
    #: When, in seconds since the world began; for the story.
    at: float = 0.0

    def __str__(self) -> str:
        many = f" ({self.amount:g})" if self.amount else ""
        return f"{self.at:.6f} {self.site}#{self.passing}: {self.fault}{many}"


@dataclass(slots=True)
class Tape:
    """Says at each passing of a site whether something goes wrong there."""

    seed: int
    weather: Weather = FAIR
    #: None draws; else exactly these go wrong and nothing else.
    played: dict[tuple[str, int], Struck] | None = None
    #: Switched off in a quiet phase.
    quiet: bool = False
    #: What went wrong so far.
    struck: list[Struck] = field(default_factory=list)
    _passings: Counter[str] = field(default_factory=Counter)
    _streams: dict[str, random.Random] = field(default_factory=dict)

    def chance(self, name: str) -> random.Random:
        """Give a component its own stream of chance: a new draw in one place does not move the others."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = random.Random(f"{self.seed}|{name}")
        return stream

    def strike(self, site: str, at: float, *, only: frozenset[Fault] | None = None) -> Struck | None:
        """Pass a site at a time; give what goes wrong, if anything does.

        Shapes:  `site` begins with the word of its menu (`request`, `event`, …) and may name more (`request place`);
                 `only` are the faults that make sense at this passing
        """
        if self.quiet:
            return None
        self._passings[site] += 1
        passing = self._passings[site]
        found = self._played(site, passing, at) if self.played is not None else self._drawn(site, passing, at)
        if found is None or (only is not None and found.fault not in only):
            return None
        self.struck.append(found)
        return found

    def _played(self, site: str, passing: int, at: float) -> Struck | None:
        assert self.played is not None
        found = self.played.get((site, passing))
        return None if found is None else Struck(site, passing, found.fault, found.amount, at)

    def _drawn(self, site: str, passing: int, at: float) -> Struck | None:
        menu = self.weather.menu.get(site.partition(" ")[0])
        if not menu:
            return None
        stream = self.chance(f"faults at {site}")
        where, how_much = stream.random(), stream.random()
        for risk in menu:
            if where < risk.most:
                amount = round(risk.low + (risk.high - risk.low) * how_much, 6)
                return Struck(site, passing, risk.fault, amount, at)
            where -= risk.most
        return None


def tape_text(struck: Iterable[Struck]) -> str:
    """Write a tape, one fault a line."""
    return "".join(json.dumps(asdict(one)) + "\n" for one in struck)


def tape_from(text: str) -> list[Struck]:
    """Read what `tape_text` wrote."""
    told = [json.loads(line) for line in text.splitlines() if line.strip()]
    return [Struck(**{**one, "fault": Fault(one["fault"])}) for one in told]


def played(seed: int, struck: Iterable[Struck], weather: Weather = FAIR) -> Tape:
    """Make a tape that lets exactly these things go wrong."""
    return Tape(seed, weather, {(one.site, one.passing): one for one in struck})
