"""Look for the law that a planted bug breaks; in a process of its own, with the spoilt source before the real one."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import plimsoll
from plimsoll.model.money import install_exact_arithmetic
from plimsoll.runtime.logging import configure_logging
from tests.simulation import hostile
from tests.simulation.laws import any_order_any_repetition
from tests.simulation.nightly import BY_NAME
from tests.simulation.planted.bugs import Bug, Law
from tests.simulation.planted.hour_bugs import EVERY
from tests.simulation.planted.hours import Hours
from tests.simulation.sweep import sweep
from tests.simulation.world import Broken


def told(bug: Bug) -> Iterator[tuple[str, str]]:
    """Give every failure as (check, sentence), in the order they come."""
    for hunt in bug.hunts:
        if isinstance(hunt, Law):
            for seed in range(hunt.seeds):
                try:
                    any_order_any_repetition(seed)
                except Broken as broken:
                    yield broken.check, str(broken)
        elif isinstance(hunt, Hours):
            yield from hunt.told()
        else:
            personality = hostile.BY_NAME[hunt.venue] if hunt.venue else None
            for run in sweep(BY_NAME[hunt.scenario], hunt.kinds, personality=personality):
                if run.failure is not None:
                    yield run.failure.check, str(run.failure)


def main(name: str) -> None:
    """Hunt until the right law is broken, and say what was found."""
    install_exact_arithmetic()
    # The answer alone goes to stdout; what a broken desk tells people goes beside it.
    configure_logging(json=False, level="CRITICAL", stream=sys.stderr, now=lambda: datetime.now(UTC))
    bug = next(bug for bug in EVERY if bug.name == name)
    others: list[str] = []
    killed = ""
    for check, sentence in told(bug):
        if check in bug.checks:
            killed = sentence
            break
        others.append(sentence)
    answer = {"source": str(Path(plimsoll.__file__).parent), "killed": killed, "others": others[:3]}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
