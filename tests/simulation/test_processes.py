"""Real processes, real sockets, an exchange process: killed, stopped, contending; nothing is lost and nothing twice.

These are short forms; the long ones are commands (`tests.simulation.processes.killing`, `… .pg_workers`).
"""

import signal
import threading
from dataclasses import replace
from pathlib import Path

import httpx2

from tests.builders.postgres import Cluster
from tests.simulation.processes.judge import truth_at
from tests.simulation.processes.killing import kill_often
from tests.simulation.processes.load import Door
from tests.simulation.processes.pg_workers import contend, contenders, contending
from tests.simulation.processes.stage import Owner, an_exchange, calm


def test_a_desk_that_is_killed_again_and_again_has_what_the_exchange_has(tmp_path: Path) -> None:
    """Over lines that lose requests and answers; every key that was ever answered is answered alike."""
    judgement = kill_often(tmp_path, rounds=6, seed=11)
    assert judgement.broken == ()
    assert judgement.trades > 0


def test_of_processes_that_contend_for_one_book_one_trades_at_a_time(tmp_path: Path) -> None:
    """Killed, stopped, woken, cut off: whoever owns the book afterwards has what the exchange has."""
    judgement, happened = contend(tmp_path, rounds=2, seed=23)
    assert judgement.broken == ()
    assert judgement.trades > 0
    assert (happened["kill"], happened["sleep"]) == (1, 1)
    # Who made it, who took it after the kill, and who took it from the sleeper.
    assert happened["epochs"] >= 3


def test_an_order_in_the_hands_of_an_owner_that_sleeps_never_leaves(tmp_path: Path, postgres_cluster: Cluster) -> None:
    """It is written, a close so that no verdict is too old for it, and its owner is stopped before it is sent.

    The next owner finds it, looks it up, and says that it never was placed; and so it must stay when the first wakes.
    """
    door, person = Door(), Owner()
    with (
        postgres_cluster.copy_of("nothing", lambda _place: None) as place,
        an_exchange(tmp_path, 1) as exchange,
    ):
        calm(exchange)
        words = contenders(tmp_path, exchange, place.url, 2)
        words = [replace(words[0], hears_late=False, freezes_on="in-hand"), replace(words[1], hears_late=False)]
        with contending(tmp_path, door, words) as workers:
            first, (url, token) = workers.all[0], workers.begin()
            secret = person.sign_in(url, token)
            person.wait_until_it_trades(first)
            bought = person.ask("POST", "/orders", {"symbol": "BTC/USDT", "side": "BUY", "quote_value": "100"})
            quantity = bought["order"]["filled_quantity"]
            close = {"symbol": "BTC/USDT", "side": "SELL", "quantity": quantity, "reduce_only": True}

            def sell(at: str) -> httpx2.Response | None:
                headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "in-hand"}
                try:
                    return httpx2.post(f"{at}/api/v1/orders", json=close, headers=headers, timeout=60)
                except httpx2.TransportError:
                    return None

            selling = threading.Thread(target=sell, args=(url,))
            selling.start()
            workers.wait_for_another(first, url)
            told = sell(workers.url)
            assert told is not None
            order = told.json()["order"]
            assert (order["state"], order["reason"]) == ("REJECTED", "never_placed")
            first.send(signal.SIGCONT)
            first.expect("lost")
            selling.join(60)
            person.url = workers.url
            person.come_to_rest(workers.owner)
            assert truth_at(exchange).accepted[order["client_order_id"]] == 0
            assert person.ask("GET", f"/orders/{order['id']}")["state"] == "REJECTED"
            (position,) = person.ask("GET", "/positions")["items"]
            assert position["quantity"] == quantity
    person.close()
