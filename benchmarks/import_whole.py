"""A statement by the command, from its text to the book: alone, and beside a desk that is served and gets orders.

python -m benchmarks.import_whole [--lines 1000000]
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.builders.process import DeskProcess

HEADER = "time,symbol,side,quantity,price,fee,fee_asset,trade_id,order_id,kind"
PRICES = {"BTC/USDT": 30_000.0, "ETH/USDT": 2_000.0, "SOL/USDT": 100.0, "XRP/USDT": 0.5, "BTC/USDT:USDT": 30_000.0}
ALONE_SECONDS = 20.0
BETWEEN_ORDERS = 0.12


def lines(count: int) -> Iterator[str]:
    """Write fills of five instruments, minutes apart, each with an id and a fee; always the same."""
    chance, at, prices = random.Random(1), datetime(2019, 1, 1, tzinfo=UTC), dict(PRICES)
    for number in range(1, count + 1):
        at += timedelta(seconds=chance.randint(1, 150))
        symbol = chance.choice(list(prices))
        prices[symbol] *= 1 + chance.uniform(-0.002, 0.002)
        quantity, price = round(chance.uniform(0.001, 2), 5), round(prices[symbol], 4)
        side = chance.choice(("buy", "sell"))
        fee = round(quantity * price * 0.001, 8)
        yield f"{at:%Y-%m-%dT%H:%M:%SZ},{symbol},{side},{quantity},{price},{fee:.8f},USDT,{number},o{number // 3},"


def import_it(file: Path, data: Path) -> str:
    """Import by the command; say how long it took, and how much memory."""
    words = ["/usr/bin/time", "-f", "%e s, %M KiB", sys.executable, "-m", "plimsoll", "import", "csv", str(file)]
    done = subprocess.run(
        [*words, "--portfolio", "big", "--data", str(data)], capture_output=True, text=True, check=True
    )
    return done.stderr.strip().splitlines()[-1]


def main(count: int, folder: Path) -> None:
    """Measure both, and print them."""
    file = folder / "statement.csv"
    with file.open("w") as out:
        out.writelines(f"{line}\n" for line in (HEADER, *lines(count)))
    print(f"{count:,} lines alone: {import_it(file, folder / 'alone')}", flush=True)
    desk = DeskProcess(folder / "served", person_writes_per_minute="100000").start()
    desk.sign_in()
    ended, waits, refused = threading.Event(), list[float](), Counter[str]()

    def trade() -> None:
        # In and out again by a little: what is refused waits less than what is booked.
        for side in _sides():
            begun = time.perf_counter()
            answer = desk.try_post(
                "/orders", {"symbol": "BTC/USDT", "side": side, "quote_value": "20", "allow_repeat": True}
            )
            if answer.is_success:
                waits.append((time.perf_counter() - begun) * 1e3)
            else:
                refused[
                    ", ".join(reason["code"] for reason in answer.json().get("reasons", ())) or str(answer.status_code)
                ] += 1
            if ended.wait(BETWEEN_ORDERS):
                return

    trading = threading.Thread(target=trade)
    trading.start()
    ended.wait(ALONE_SECONDS)
    print(f"orders before: {_told(waits)}", flush=True)
    waits.clear()
    print(f"{count:,} lines beside: {import_it(file, folder / 'served')}")
    ended.set()
    trading.join()
    print(f"orders meanwhile: {_told(waits)}")
    status = Path(f"/proc/{desk.process.pid}/status").read_text() if desk.process else ""
    peak = re.findall(r"VmHWM:\s+(.*)", status)
    print(f"the desk's memory at most: {peak}; refused: {dict(refused)}")
    desk.close()


def _sides() -> Iterator[str]:
    while True:
        yield "BUY"
        yield "SELL"


def _told(waits: list[float]) -> str:
    ordered = sorted(waits)
    if not ordered:
        return "none was accepted"
    p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return f"{len(ordered)} accepted, p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {ordered[-1]:.1f} ms"


if __name__ == "__main__":
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--lines", type=int, default=1_000_000)
    with tempfile.TemporaryDirectory() as made:
        main(said.parse_args().lines, Path(made))
