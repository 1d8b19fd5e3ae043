"""How long after its booking a fill is on the page, in a real browser against a desk that really runs.

    python -m tests.edges.seeing --fills 100

From the time of the booking, as the desk's own event tells it, to the change of the page that shows the fill. Both
clocks are this machine's.
"""

import argparse
import statistics
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from tests.builders.browser import Person, chromium
from tests.builders.process import DeskProcess

#: Resolves with the time at which the first row of trades has a text that it did not have when it was asked.
WATCH = """
() => {
  const first = () => document.querySelector('[data-testid=trades-table] tbody tr')?.textContent ?? '';
  const before = first();
  window.seen = new Promise((resolve) => {
    const watch = new MutationObserver(() => {
      if (first() !== before) { watch.disconnect(); resolve(Date.now()); }
    });
    watch.observe(document.body, { childList: true, subtree: true, characterData: true });
  });
}
"""


def see(person: Person, fills: int) -> list[float]:
    """Trade `fills` times over REST, each of its own size, and give the milliseconds until each was on the page."""
    page, desk, taken = person.page, person.desk, []
    page.get_by_role("tab", name="Trades").click()
    for number in range(fills):
        page.evaluate(WATCH)
        side = "SELL" if number % 2 else "BUY"
        size = f"{(101 + number) / 100_000:.5f}"
        desk.post("/orders", {"symbol": "BTC/USDT", "side": "BUY" if number < 2 else side, "quantity": size})
        seen_at: float = page.evaluate("window.seen")
        booked = datetime.fromisoformat(desk.get("/trades", limit="1")["items"][0]["filled_at"])
        taken.append(seen_at - booked.timestamp() * 1_000)
    return taken


def main() -> int:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fills", type=int, default=100)
    fills: int = parser.parse_args().fills
    with tempfile.TemporaryDirectory(prefix="plimsoll-seen-") as folder, chromium() as browser:
        desk = DeskProcess(Path(folder), person_writes_per_minute="100000", reads_per_second="1000").start()
        try:
            person = Person(browser.new_context(viewport={"width": 1440, "height": 900}), desk)
            person.come_aboard()
            desk.sign_in()
            taken = sorted(see(person, fills))
        finally:
            desk.close()
    p95 = taken[len(taken) * 95 // 100]
    sys.stdout.write(
        f"{fills} fills on the page: median {statistics.median(taken):.0f} ms, p95 {p95:.0f} ms,"
        f" slowest {taken[-1]:.0f} ms after booking\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
