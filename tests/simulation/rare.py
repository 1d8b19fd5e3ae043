"""Makes the rare paths of our own code common (`plimsoll.runtime.rare`): which sites act, and when, a seed decides.

A quarter of the sites is on in a seed, and each of those strikes at a quarter of its passings: with all of them on, the
common path would be the one that nobody walks.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from plimsoll.runtime import rare
from plimsoll.runtime.rare import Site

#: Which share of the sites is on in a seed, and at which share of their passings those strike.
ON = STRIKING = 0.25


@dataclass(slots=True)
class Common:
    """What a seed makes common."""

    sites: frozenset[Site]
    seed: int
    #: At which share of its passings a site strikes.
    striking: float = STRIKING
    struck: Counter[Site] = field(default_factory=Counter)
    #: Switched off in a quiet phase.
    quiet: bool = False
    _streams: dict[Site, random.Random] = field(default_factory=dict)

    def strikes(self, site: Site) -> bool:
        """Say whether a site acts at this passing; each has a stream of its own, so that none moves another."""
        if site not in self.sites or self.quiet:
            return False
        stream = self._streams.setdefault(site, random.Random(f"{self.seed}|rare|{site}"))
        strikes = stream.random() < self.striking
        self.struck[site] += strikes
        return strikes


def draw(seed: int, striking: float = STRIKING) -> Common:
    """Draw the sites of a seed."""
    chance = random.Random(f"{seed}|rare")
    # Drawn for every site, so that a new one at the end moves no other.
    return Common(frozenset([site for site in Site if chance.random() < ON]), seed, striking)


def only(seed: int, sites: Iterable[Site]) -> Common:
    """Choose the sites, and draw when they strike."""
    return Common(frozenset(sites), seed)


@contextmanager
def made(common: Common | None) -> Iterator[None]:
    """Let the sites strike until the end of the block; None lets nothing strike."""
    before = rare.strikes
    rare.strikes = rare.never if common is None else common.strikes
    try:
        yield
    finally:
        rare.strikes = before
