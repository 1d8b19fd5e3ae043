"""Kill a served desk again and again under a load of orders over HTTP, and look each time at what is left.

    python -m tests.edges.killing --rounds 200

What was acknowledged must be there, under the same ids, and asking again with the same key gives the first answer. What
was not acknowledged is there once or not at all. The venue has every order once, and exactly the desk's trades.
"""

import argparse
import random
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from plimsoll.bootstrap import DataDirectory
from plimsoll.cli.report import prove
from plimsoll.runtime.process import begin_process
from tests.builders.process import DeskProcess

CLIENTS = 8
SPOT, PERPETUAL = "BTC/USDT", "ETH/USDT:USDT"
#: So little that fees and prices cost nothing worth a guard's word, however many rounds there are.
VALUE = "20"
#: A desk that refuses so often in one life does not trade any more: the load has failed, not the desk.
MOST_REFUSED = 500
#: Both books name the columns alike, and share nothing else.
TRADES = "SELECT sequence, client_order_id, quantity, price, fee FROM trades ORDER BY sequence"


@dataclass(slots=True)
class Wish:
    """An order as a client sent it, and what it heard."""

    key: str
    body: dict[str, object]
    answer: dict[str, Any] | None = None


@dataclass(slots=True)
class Round:
    """What the clients of one life of the desk did."""

    wishes: list[Wish] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    acknowledged: int = 0

    refused: int = 0

    def refuse(self) -> int:
        """Note a refusal; give how many there are."""
        with self.lock:
            self.refused += 1
            return self.refused

    def tell(self, wish: Wish, answer: dict[str, Any]) -> int:
        """Note an acknowledgement; give how many there are."""
        with self.lock:
            wish.answer = answer
            self.acknowledged += 1
            return self.acknowledged


def wishes(number: int, client: int, chance: random.Random) -> Iterator[Wish]:
    """Wish for small trades without end: to market, and limits far from it that rest."""
    count = 0
    while True:
        count += 1
        side = chance.choice(("BUY", "SELL"))
        body: dict[str, object] = {"symbol": PERPETUAL, "side": side, "quote_value": VALUE, "allow_repeat": True}
        if chance.random() < 0.3:
            body = {"symbol": SPOT, "side": side, "quote_value": VALUE, "allow_repeat": True}
        yield Wish(f"round-{number}-{client}-{count}", body)


def load(desk: DeskProcess, number: int, seed: int, kill_after: int) -> Round:
    """Order from several connections at once until the desk is killed in the middle of it."""
    this, access = Round(), desk.client.headers["Authorization"]

    def order(client: int) -> None:
        chance = random.Random(f"{seed}:{number}:{client}")
        with httpx2.Client(timeout=30.0, headers={"Authorization": access}) as http:
            for wish in wishes(number, client, chance):
                with this.lock:
                    this.wishes.append(wish)
                try:
                    response = http.post(
                        f"{desk.url}/api/v1/orders", json=wish.body, headers={"Idempotency-Key": wish.key}
                    )
                except httpx2.TransportError:
                    return
                assert response.status_code in (201, 422, 503), response.text
                if response.status_code == 422 and this.refuse() > MOST_REFUSED:
                    desk.kill()
                    raise AssertionError(f"the desk refuses: {response.text}")
                if response.status_code == 201 and this.tell(wish, response.json()) == kill_after:
                    desk.kill()

    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(order, client) for client in range(CLIENTS)]:
            done.result()
    return this


def look(desk: DeskProcess, this: Round) -> None:
    """Compare what the clients heard with what the desk and its venue know after the kill."""
    for wish in this.wishes:
        response = None
        if wish.answer is not None:
            response = desk.try_post("/orders", wish.body, wish.key)
            told = response.json()
            assert response.status_code == 200, response.text
            assert told["repeated"]
            assert told["order"]["id"] == wish.answer["order"]["id"], (wish, told)
            assert told["order"]["client_order_id"] == wish.answer["order"]["client_order_id"]


def compare_books(directory: Path) -> tuple[int, int]:
    """Compare desk and venue at rest; give how many orders and trades both have."""
    with (
        closing(sqlite3.connect(directory / "desk.db")) as book,
        closing(sqlite3.connect(directory / "paper.db")) as venue,
    ):
        ours = book.execute("SELECT client_order_id, state FROM orders").fetchall()
        theirs = [name for (name,) in venue.execute("SELECT client_order_id FROM orders")]
        booked, filled = book.execute(TRADES).fetchall(), venue.execute(TRADES).fetchall()
    assert len(set(theirs)) == len(theirs), "the venue has an order twice"
    assert set(theirs) <= {name for name, _state in ours}, "the venue has an order that the book does not know"
    lost = {name for name, state in ours if state in ("NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED")} - set(theirs)
    assert not lost, f"the book says that the venue took {lost}"
    assert booked == filled, "desk and venue differ in their trades"
    return len(ours), len(filled)


def kill_often(directory: Path, rounds: int, seed: int) -> tuple[int, int, int]:
    """Kill a desk `rounds` times; give acknowledged orders, orders and trades of its whole life."""
    chance, acknowledged = random.Random(seed), 0
    desk = DeskProcess(directory, key_writes_per_second="100000", reads_per_second="100000")
    try:
        desk.start().sign_in()
        made = desk.post("/keys", {"name": "load", "rights": ["read", "trade"]})
        desk.client.headers["Authorization"] = f"Bearer {made['secret']}"
        for number in range(rounds):
            this = load(desk, number, seed, kill_after=chance.randint(1, 120))
            acknowledged += this.acknowledged
            desk.start()
            look(desk, this)
        assert desk.get("/system/health")["status"] == "ok"
        assert not desk.get("/orders", status="open")["items"]
        assert desk.stop() == 0
    finally:
        desk.close()
    proof = prove(DataDirectory(directory))
    assert proof.ok, proof.findings
    return acknowledged, *compare_books(directory)


def main() -> int:
    """Kill as often as asked, and tell what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    begin_process()
    with tempfile.TemporaryDirectory(prefix="plimsoll-kill-") as folder:
        acknowledged, orders, trades = kill_often(Path(folder), words.rounds, words.seed)
    sys.stdout.write(
        f"{words.rounds} kills: {acknowledged} orders acknowledged, {orders} in the book, {trades} trades at both;"
        " none lost, none doubled, the books verify\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
