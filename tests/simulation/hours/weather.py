"""The weather of a seed: which kinds of fault there are in its world, how often, and how bad.

Every kind is there with a probability of one half, and then as often as was drawn, up to the most that is named here
(swarm testing: a world with everything at once hides what a world with two things shows).

A *site* is a place where something can go wrong, named by its first word; `tape` asks at each passing.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Fault(StrEnum):
    """What goes wrong. The words are those of the tape, and of a failure's story."""

    # At `request`: on the way to the venue and back.
    #: It never arrives, and nobody answers.
    LOST = "lost"
    #: It is carried out, and the answer is lost.
    UNANSWERED = "unanswered"
    #: Given up on, and carried out so many seconds later.
    LATE = "late"
    #: Carried out or not (evenly drawn), and answered 5xx or with words that nobody knows.
    GARBLED = "garbled"
    #: A definitive no, for no reason of the order's own.
    REFUSED = "refused"
    #: Too many requests: come again in so many seconds.
    LIMITED = "limited"
    #: Every request of this address is refused for so many seconds; who asks meanwhile is banned for longer.
    BANNED = "banned"
    #: It takes so many seconds.
    SLOW = "slow"
    # At `event`: one message of a stream.
    DROPPED = "dropped"
    DOUBLED = "doubled"
    #: It comes so many seconds later, behind others.
    OVERTAKEN = "overtaken"
    # At `stream`: asked every ten seconds of an open stream.
    #: It is cut, and says so.
    CUT = "cut"
    #: It says nothing for so many seconds, and stays open.
    STALLED = "stalled"
    # At `quote`: one price of the market's stream.
    #: Ten times the price, or a tenth of it.
    BAD_TICK = "bad-tick"
    #: No prices for so many seconds.
    FROZEN_PRICE = "frozen-price"
    #: No number, zero, or below.
    NO_NUMBER = "no-number"
    # At `begin`, `row` and `commit` of the desk's database.
    BUSY = "busy"
    FULL = "full"
    DISK = "disk"
    #: Done, and then it says that it failed.
    DONE_AND_FAILED = "done-and-failed"
    # At `commit` and `request`: the process ends there, before or after.
    CRASH_BEFORE = "crash-before"
    CRASH_AFTER = "crash-after"
    # At `minute` of the world.
    #: kill -9; up again after so many seconds.
    KILL = "kill"
    #: Nothing of the process runs for so many seconds, as after SIGSTOP; at `commit`, from what follows it on.
    FREEZE = "freeze"
    #: The process's clock is set by so many seconds.
    STEP = "step"
    #: Killed, and its book replaced by the copy of so many seconds ago.
    RESTORE = "restore"
    #: A second process is started on the same folder.
    SECOND = "second"
    #: Somebody trades at the venue by hand.
    BY_HAND = "by-hand"
    #: The last fill is taken back, or told otherwise.
    BUST = "bust"
    CORRECTION = "correction"
    #: The venue closes a winner.
    ADL = "adl"
    #: A fall or rise that no margin bears, of so many percent.
    GAP = "gap"
    #: Money comes in or goes out at the venue.
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    #: Nobody can be told anything for so many seconds.
    DUMB = "dumb"
    #: No request of this process reaches the venue for so many seconds, then all that waited at once.
    CLOGGED = "clogged"


@dataclass(frozen=True, slots=True)
class Risk:
    """One kind of fault at one site: how often at most, and how much of it."""

    fault: Fault
    site: str
    #: Of this site's passings, at most this share is struck.
    most: float
    #: What the story calls "so many": evenly drawn.
    low: float = 0.0
    high: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.site} {self.fault}"


RISKS = (
    Risk(Fault.LOST, "request", 0.10),
    Risk(Fault.UNANSWERED, "request", 0.10),
    Risk(Fault.LATE, "request", 0.05, 5, 60),
    Risk(Fault.GARBLED, "request", 0.05, 0, 1),
    Risk(Fault.REFUSED, "request", 0.05),
    Risk(Fault.LIMITED, "request", 0.02, 1, 10),
    Risk(Fault.BANNED, "request", 0.0005, 5, 600),
    Risk(Fault.SLOW, "request", 0.01, 1, 20),
    Risk(Fault.DROPPED, "event", 0.30),
    Risk(Fault.DOUBLED, "event", 0.50, 0, 3),
    Risk(Fault.OVERTAKEN, "event", 0.30, 0, 3),
    Risk(Fault.CUT, "stream", 0.05),
    Risk(Fault.STALLED, "stream", 0.02, 5, 120),
    Risk(Fault.BAD_TICK, "quote", 0.01),
    Risk(Fault.FROZEN_PRICE, "quote", 0.001, 5, 60),
    Risk(Fault.NO_NUMBER, "quote", 0.005),
    Risk(Fault.BUSY, "begin", 0.01),
    Risk(Fault.FULL, "row", 0.0003),
    Risk(Fault.DISK, "commit", 0.001),
    Risk(Fault.DONE_AND_FAILED, "commit", 0.001),
    Risk(Fault.CRASH_BEFORE, "commit", 0.001),
    Risk(Fault.CRASH_AFTER, "commit", 0.001),
    Risk(Fault.CRASH_BEFORE, "request", 0.0025),
    Risk(Fault.CRASH_AFTER, "request", 0.0025),
    Risk(Fault.KILL, "minute", 0.20, 0.1, 30),
    Risk(Fault.FREEZE, "minute", 0.05, 1, 120),
    Risk(Fault.STEP, "minute", 0.05, -10, 10),
    Risk(Fault.RESTORE, "minute", 0.002, 60, 1_800),
    Risk(Fault.SECOND, "minute", 0.05),
    Risk(Fault.BY_HAND, "minute", 0.08),
    Risk(Fault.BUST, "minute", 0.03),
    Risk(Fault.CORRECTION, "minute", 0.03),
    Risk(Fault.ADL, "minute", 0.005),
    Risk(Fault.GAP, "minute", 0.01, 5, 45),
    Risk(Fault.DEPOSIT, "minute", 0.02, 10, 1_000),
    Risk(Fault.WITHDRAWAL, "minute", 0.02, 10, 500),
    Risk(Fault.DUMB, "minute", 0.1, 1, 300),
    Risk(Fault.CLOGGED, "minute", 0.03, 1, 90),
    # At a minute hardly anything is under way: what was decided and has not left is stopped behind its commit.
    Risk(Fault.FREEZE, "commit", 0.0005, 1, 120),
)


@dataclass(frozen=True, slots=True)
class Weather:
    """The faults of one world: by site, each with its share of the passings and its range."""

    #: By the first word of a site.
    menu: Mapping[str, tuple[Risk, ...]]
    #: How far the desk's clock is off from the start, in seconds.
    clock_offset: float = 0.0

    def without(self, *names: str) -> "Weather":
        """Give the same weather without some kinds, for shrinking."""
        menu = {site: tuple(risk for risk in risks if risk.name not in names) for site, risks in self.menu.items()}
        return replace(self, menu=menu, clock_offset=0.0 if "clock offset" in names else self.clock_offset)

    @property
    def names(self) -> tuple[str, ...]:
        """Name every kind of fault that there is."""
        offset = ("clock offset",) if self.clock_offset else ()
        return (*(risk.name for risks in self.menu.values() for risk in risks), *offset)


#: Nothing goes wrong.
FAIR = Weather({})


def draw_weather(seed: int) -> Weather:
    """Draw a seed's weather; one seed in ten is fair, so that a repair without a reason is seen (I8)."""
    chance = random.Random(f"{seed}|weather")
    if chance.random() < 0.1:
        return FAIR
    menu: dict[str, list[Risk]] = {}
    for risk in RISKS:
        # Drawn for every kind, so that a new kind at the end moves no other.
        is_on, share = chance.random() < 0.5, chance.random()
        if is_on:
            menu.setdefault(risk.site, []).append(replace(risk, most=risk.most * share))
    offset = chance.uniform(-300, 300) if chance.random() < 0.2 else 0.0
    return Weather({site: tuple(risks) for site, risks in menu.items()}, offset)
