"""Eight processes contend for the books of one desk on one database, while its owner trades at an exchange process.

    python -m tests.simulation.processes.pg_workers --rounds 40 --seed 7

In each round something happens to whoever owns the books: it is killed, stopped for longer than its lease and woken
again, stopped for less, or its sessions at the server are ended. Callers go on ordering all the while, at whoever
serves. In the end the book must be what the exchange has, as after kills (`judge`), and no process may have written a
row for the books after another took them: the database itself keeps note of who wrote under which epoch.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from plimsoll.bootstrap.ownership import desk_directory
from plimsoll.runtime.process import begin_process
from tests.builders.postgres import running_cluster
from tests.simulation.processes.child import PATIENCE_SECONDS, Child, Silent, wait_for_any
from tests.simulation.processes.desk_process import DeskWords, be_desk
from tests.simulation.processes.judge import Judgement, judge, truth_at
from tests.simulation.processes.load import Door, Load
from tests.simulation.processes.stage import Owner, an_exchange, calm

WORKERS, CALLERS = 8, 8
LEASE_SECONDS = 2.0
#: It is killed; stopped until another has taken its place, and woken; stopped for a moment; cut off from the database.
KINDS = ("kill", "sleep", "nod", "end sessions")
#: An owner trades for at least so many acknowledged orders, or so many seconds, before something happens to it.
_MOST_ORDERS, _MOST_SECONDS = 30, 3.0

#: Keeps note of every row of the desk's log: under which epoch it was written, and by whose session. The lease's row is
#: in the writer's hands until it commits, so this is the epoch that counted when it did.
_WITNESS = """
CREATE SCHEMA witness;
CREATE TABLE witness.writes (number bigserial, epoch bigint, session int, began timestamptz);
CREATE FUNCTION witness.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO witness.writes (epoch, session, began)
        SELECT l.epoch, pg_backend_pid(), a.backend_start FROM plimsoll.leases l, pg_stat_activity a
        WHERE l.name = 'desk' AND a.pid = pg_backend_pid();
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER INSERT ON plimsoll.audit_log FOR EACH STATEMENT EXECUTE FUNCTION witness.note();
CREATE TRIGGER witness AFTER INSERT OR UPDATE ON plimsoll.orders FOR EACH STATEMENT EXECUTE FUNCTION witness.note();
CREATE TRIGGER witness AFTER INSERT ON plimsoll.trades FOR EACH STATEMENT EXECUTE FUNCTION witness.note();
"""


class Database:
    """The database of the desk, as its administrator sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = psycopg.connect(url, autocommit=True)

    def witness(self) -> None:
        """Keep note of who writes."""
        self._connection.execute(_WITNESS)

    def end_sessions(self) -> None:
        """End every session but this one: the owner's, and of whoever looks at the lease."""
        self._connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def epoch(self) -> int:
        """Give how often the books changed hands."""
        found = self._connection.execute("SELECT epoch FROM plimsoll.leases").fetchone()
        return 0 if found is None else int(found[0])

    def late_writes(self) -> Iterator[str]:
        """Find sessions that wrote under an epoch that began after another process had taken the books from them."""
        epochs: dict[tuple[object, ...], set[int]] = defaultdict(set)
        highest = 0
        for epoch, session, began in self._connection.execute(
            "SELECT epoch, session, began FROM witness.writes ORDER BY number"
        ):
            epochs[session, began].add(epoch)
            if epoch < highest:
                yield f"session {session} wrote under epoch {epoch} behind epoch {highest}"
            highest = max(highest, epoch)
        for (session, _began), seen in epochs.items():
            if len(seen) > 1:
                yield f"session {session} wrote under the epochs {sorted(seen)}: it was not fenced"

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()


class Workers:
    """All processes that contend, and who owns the books just now."""

    def __init__(self, folder: Path, door: Door, words: Sequence[DeskWords]) -> None:
        self._door = door
        self.directories = [one.directory for one in words]
        self.all = [Child(f"worker-{n}", folder / f"worker-{n}.log", be_desk, one) for n, one in enumerate(words)]
        self.owner: Child = self.all[0]
        self.url = ""
        self.happened: Counter[str] = Counter()

    def begin(self) -> tuple[str, str]:
        """Start the first, which makes the desk, and then the others; give where it is served, and its first link."""
        url, token = self.all[0].start().expect("served")
        self.url = str(url)
        for directory, child in zip(self.directories[1:], self.all[1:], strict=True):
            directory.mkdir(mode=0o700)
            shutil.copy(self.directories[0] / "chain.key", directory)
            child.start()
        return self.url, str(token)

    def follow(self, seconds: float) -> None:
        """Wait until a worker says something, or so long, and let callers know who serves."""
        for child in wait_for_any(self.all, seconds):
            heard = child.hear(0)
            if heard is None:
                child.start()  # it ended, however it did: whatever runs services starts it again
            elif heard[0] == "served":
                self.owner, self.url = child, str(heard[1][0])
                self._door.open(self.url)
            elif heard[0] == "lost" and child is self.owner:
                self._door.shut(self.url)

    def wait_for_another(self, before: Child, url: str) -> None:
        """Wait until another process serves, or the same one anew.

        Raises: Silent
        """
        for _ in range(int(PATIENCE_SECONDS * 4)):
            if self.owner is not before or self.url != url:
                return
            self.follow(0.25)
        raise Silent(f"nobody took the books:\n{self.logs()}")

    def logs(self) -> str:
        """Give what all of them printed last."""
        return "\n".join(f"--- {child.name}\n{child.log()[-2_000:]}" for child in self.all)

    def close(self) -> None:
        """End all of them."""
        for child in self.all:
            child.close()


def contenders(folder: Path, exchange: str, database: str, count: int) -> list[DeskWords]:
    """Tell workers what they share, and each its own folder."""
    one = DeskWords(folder, exchange, 0, database, LEASE_SECONDS, contends=True, hears_late=True)
    return [replace(one, directory=folder / f"desk-{number}") for number in range(count)]


@contextmanager
def contending(folder: Path, door: Door, words: Sequence[DeskWords]) -> Iterator[Workers]:
    """Run workers over one database."""
    workers = Workers(folder, door, words)
    try:
        yield workers
    finally:
        door.close()
        workers.close()


def happenings(rounds: int, chance: random.Random) -> list[str]:
    """Say what happens in each round: all kinds equally often, in no order."""
    return [what for _ in range(0, rounds, len(KINDS)) for what in chance.sample(KINDS, len(KINDS))][:rounds]


def happen(what: str, workers: Workers, database: Database, chance: random.Random) -> None:
    """Do something to whoever owns the books, and wait until somebody serves again."""
    owner, url = workers.owner, workers.url
    workers.happened[what] += 1
    if what == "kill":
        owner.kill()
        workers.wait_for_another(owner, url)
    elif what == "sleep":
        owner.send(signal.SIGSTOP)
        try:
            # Only somebody who took the lease ends this: longer than it lasts, by the database's clock.
            workers.wait_for_another(owner, url)
        finally:
            owner.send(signal.SIGCONT)
    elif what == "nod":
        owner.send(signal.SIGSTOP)
        workers.follow(chance.uniform(0.1, 0.7) * LEASE_SECONDS)
        owner.send(signal.SIGCONT)
    else:
        database.end_sessions()


def contend(folder: Path, rounds: int, seed: int, workers_count: int = WORKERS) -> tuple[Judgement, Counter[str]]:
    """Let workers contend for `rounds` rounds, and judge what is left; tell what happened to them as well."""
    chance, door, person = random.Random(f"{seed}|workers"), Door(), Owner()
    with (
        running_cluster() as cluster,
        cluster.copy_of("nothing", lambda _place: None) as place,
        an_exchange(folder, seed) as exchange,
        contending(folder, door, contenders(folder, exchange, place.url, workers_count)) as workers,
    ):
        url, token = workers.begin()
        load = Load(door, person.sign_in(url, token), seed)
        person.wait_until_it_trades(workers.owner)
        database = Database(place.url)
        database.witness()
        door.open(url)
        load.begin(CALLERS)
        for what in happenings(rounds, chance):
            load.wait_for(chance.randint(1, _MOST_ORDERS), _MOST_SECONDS)
            happen(what, workers, database, chance)
            workers.follow(0)
        calm(exchange)
        _let_them_finish(load, workers)
        person.url = workers.url
        person.come_to_rest(workers.owner)
        last = workers.owner
        for child in workers.all:
            child.stop() if child is last else child.kill()
        directory = desk_directory(workers.directories[workers.all.index(last)], place.url, "plimsoll")
        judgement = judge(directory, truth_at(exchange), load)
        happened = workers.happened + Counter({"epochs": database.epoch()})
        broken = (*judgement.broken, *database.late_writes())
        database.close()
        person.close()
    return Judgement(broken, judgement.acknowledged, judgement.orders, judgement.trades), happened


def _let_them_finish(load: Load, workers: Workers) -> None:
    """Send callers home, while the workers are still listened to: one of them may be about to serve."""
    load.ask_to_end()
    until = time.monotonic() + PATIENCE_SECONDS
    while load.is_busy:
        assert time.monotonic() < until, f"somebody never heard what became of his wish:\n{workers.logs()}"
        workers.follow(0.1)


def main() -> int:
    """Let them contend as often as asked, and tell what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=WORKERS)
    words = parser.parse_args()
    begin_process()
    with tempfile.TemporaryDirectory(prefix="plimsoll-workers-") as folder:
        judgement, happened = contend(Path(folder), words.rounds, words.seed, words.workers)
    sys.stdout.write(f"{words.workers} workers, {words.rounds} rounds, {dict(happened)}: {judgement}\n")
    return 1 if judgement.broken else 0


if __name__ == "__main__":
    sys.exit(main())
