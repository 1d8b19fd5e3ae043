"""Days drawn from a seed: orders, cancels, closes, prices and the guard in any order, under faults at any effect.

python -m tests.simulation.random_days 1-200
"""

import random
import sys
from decimal import Decimal

from plimsoll.model.order import Side
from tests.simulation import hostile, rare
from tests.simulation.scenarios import Scenario, cancel, close, look, order, price, race, wait
from tests.simulation.sweep import Run, play
from tests.simulation.world import PERPETUAL, PLAIN, SPOT, Fault, Kind, Step

D = Decimal
STEPS = 25
#: More effects than a day has.
EFFECTS = 400
#: A hostile day loses one effect in this many; one day in five is kind, so that I8 can be asked.
ONE_IN = (60, 25, 12)
_FAULTS = (Kind.CUT_BEFORE, Kind.CUT_AFTER, Kind.LOST, Kind.DONE, Kind.LATE)
_VENUES = (PLAIN, *hostile.PERSONALITIES)


def draw(seed: int) -> tuple[Scenario, tuple[Fault, ...]]:
    """Draw a day: each part from a stream of its own, so that a new draw in one does not move the others."""
    script, world = random.Random(f"script|{seed}"), random.Random(f"world|{seed}")
    market = world.choice((PERPETUAL, PERPETUAL, SPOT))
    venue = world.choice(_VENUES)
    scenario = Scenario(f"day {seed} at {venue.name}", tuple(_steps(script)), market=market, personality=venue)
    if world.random() < 0.2:
        return scenario, ()
    rate = 1 / world.choice(ONE_IN)
    chosen = [number for number in range(1, EFFECTS) if world.random() < rate]
    kinds = world.sample(_FAULTS, world.randint(1, len(_FAULTS)))
    return scenario, tuple(Fault(number, world.choice(kinds)) for number in chosen)


def _steps(chance: random.Random) -> list[Step]:
    # Prices in whole ticks of a tenth: exact arithmetic refuses what has to be rounded.
    at, keys, steps = 1000, 0, list[Step]()
    for _ in range(STEPS):
        what = chance.choice(
            ("price", "price", "order", "order", "limit", "limit", "cancel", "close", "wait", "look", "race")
        )
        if what == "price":
            at = max(200, at * chance.randint(975, 1025) // 1000)
            steps.append(price(str(D(at) / 10)))
        elif what in ("order", "limit"):
            keys += 1
            steps.append(_order(chance, f"k{keys}", at, limit=what == "limit"))
        elif what == "race":
            keys += 2
            steps.append(
                race(_order(chance, f"k{keys - 1}", at, limit=False), _order(chance, f"k{keys}", at, limit=True))
            )
        elif what == "cancel" and keys:
            steps.append(cancel(f"k{chance.randint(1, keys)}"))
        elif what == "close":
            steps.append(close(f"e{len(steps)}"))
        elif what == "look":
            steps.append(look())
        else:
            steps.append(wait(chance.choice((0.1, 1.0, 5.0))))
    return steps


def _order(chance: random.Random, key: str, at: int, *, limit: bool) -> Step:
    side, quantity = chance.choice((Side.BUY, Side.BUY, Side.SELL)), str(chance.randint(1, 20))
    away = at * chance.randint(-20, 20) // 1000
    price_limit = str(D(at + away) / 10) if limit else None
    return order(key, side, quantity, price_limit, reduce_only=chance.random() < 0.15)


def day(seed: int) -> Run:
    """Play the day of a seed; every other one on the rare paths of our own code."""
    scenario, faults = draw(seed)
    return play(scenario, faults, seed=seed, common=rare.draw(seed) if seed % 2 else None)


def main(arguments: list[str]) -> int:
    """Play the days asked for and print those that broke a law."""
    first, _, last = (arguments or ["1-50"])[0].partition("-")
    broken = effects = 0
    for seed in range(int(first), int(last or first) + 1):
        run = day(seed)
        effects += len(run.effects)
        if run.failure is not None:
            broken += 1
            sys.stdout.write(f"seed {seed}: {run.failure}\n")
    sys.stdout.write(f"{effects} effects, {broken} days broken\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
