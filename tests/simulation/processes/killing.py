"""Kill a served desk again and again while it trades at an exchange that is another process, over lines that break.

    python -m tests.simulation.processes.killing --rounds 300 --seed 7

Callers order and take back over HTTP, each order under a key of its own, and ask again with it until they are told. The
desk is ended by `kill -9` at any moment, its start included, and started again. In the end nothing breaks any more; the
book must then be what the exchange has, to the last digit, and hold everything that was ever acknowledged, once.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from plimsoll.bootstrap import DataDirectory
from plimsoll.runtime.process import begin_process
from tests.simulation.processes.child import Child
from tests.simulation.processes.desk_process import DeskWords, be_desk
from tests.simulation.processes.judge import Judgement, judge, truth_at
from tests.simulation.processes.load import Door, Load
from tests.simulation.processes.stage import Owner, an_exchange, calm

CALLERS = 6
#: A life ends after so many acknowledged orders, or so many seconds.
_MOST_ORDERS, _MOST_SECONDS = 20, 3.0
#: How often a desk is killed before it has begun, and within how many seconds of its start.
_TOO_EARLY, _EARLY_SECONDS = 0.2, 0.8


def kill_often(folder: Path, rounds: int, seed: int) -> Judgement:
    """Kill a desk `rounds` times, and judge what is left."""
    chance, door, owner = random.Random(f"{seed}|kills"), Door(), Owner()
    with an_exchange(folder, seed) as exchange:
        directory = DataDirectory(folder / "desk")
        desk = Child("desk", folder / "desk.log", be_desk, DeskWords(directory.path, exchange))
        try:
            url, token = desk.start().expect("served")
            load = Load(door, owner.sign_in(url, token), seed)
            owner.wait_until_it_trades(desk)
            door.open(url)
            load.begin(CALLERS)
            for _ in range(rounds):
                load.wait_for(chance.randint(1, _MOST_ORDERS), _MOST_SECONDS)
                door.shut()
                desk.kill()
                url = _start_again(desk, chance)
                door.open(url)
            calm(exchange)
            load.end()
            owner.url = url
            owner.come_to_rest(desk)
            code = desk.stop()
            assert code == 0, f"it ended with {code}:\n{desk.log()}"
            return judge(directory, truth_at(exchange), load)
        finally:
            door.close()
            desk.close()
            owner.close()


def _start_again(desk: Child, chance: random.Random) -> str:
    """Start it, perhaps killing it before it has begun; give where it is served."""
    while chance.random() < _TOO_EARLY:
        desk.start().hear(chance.uniform(0, _EARLY_SECONDS))
        desk.kill()
    url, _token = desk.start().expect("served")
    return str(url)


def main() -> int:
    """Kill as often as asked, and tell what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    begin_process()
    with tempfile.TemporaryDirectory(prefix="plimsoll-kill-") as folder:
        judgement = kill_often(Path(folder), words.rounds, words.seed)
    sys.stdout.write(f"{words.rounds} kills: {judgement}\n")
    return 1 if judgement.broken else 0


if __name__ == "__main__":
    sys.exit(main())
