"""Callers who order over HTTP, whoever serves just then, and ask again with the same key until they are told.

What each was told is kept in `Wish.told`; the judge compares it with the book. What can be seen to be wrong at once
(two orders for one key, an order that is gone again) is a line of `Load.surprises`.

What must not enter: who serves, and what becomes of it.
"""

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx2

from plimsoll.market.instruments import instrument_for
from plimsoll.model.ids import InstrumentId

SYMBOLS = ("BTC/USDT", "ETH/USDT:USDT", "BTC/USDT:USDT", "ETH/USDT")
#: Of one order, in the quote currency: so little that no limit of an account is met, however long it goes on.
VALUE = 30
#: Of a perpetual: its least lot is worth more.
_PERPETUAL_VALUE = 150
#: How often an order waits for a price instead of taking what is there, and how often what waits is taken back.
_LIMITS, _CANCELS = 0.3, 0.3
#: How often an order is meant to close: no verdict is too old for it, so only the owner's own watch keeps it back.
_CLOSES = 0.4
#: How often an old wish is asked for again.
_AGAIN = 0.08
_PATIENCE_SECONDS, _AGAIN_SECONDS = 15.0, 0.1
#: Longer than that nobody waits at the end to be told.
_MOST_SECONDS = 90.0
#: Said of this order, and for good.
_TOLD = frozenset({200, 201, 202})
#: Says how the desk is, and nothing about the order; as does a refusal of this code.
_NOT_NOW, _STOPPING = frozenset({429, 503}), "desk_stopping"


class Door:
    """Where the desk is served, as far as anybody knows."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._url = ""
        self._closing = False

    def open(self, url: str) -> None:
        """Say where it is served from now on."""
        with self._changed:
            self._url = url
            self._changed.notify_all()

    def shut(self, url: str = "") -> None:
        """Say that nothing is served there any more; without a place, nowhere."""
        with self._changed:
            if url in ("", self._url):
                self._url = ""

    def close(self) -> None:
        """Send everybody home, told or not."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def find(self) -> str:
        """Wait until it is served somewhere; empty when everybody was sent home."""
        with self._changed:
            self._changed.wait_for(lambda: self._url or self._closing)
            return "" if self._closing else self._url

    def doubt(self, url: str, seconds: float) -> None:
        """Wait a moment for news of a place that did not do what it should."""
        with self._changed:
            self._changed.wait_for(lambda: self._url != url or self._closing, seconds)


@dataclass(slots=True)
class Wish:
    """An order as its caller sent it, and what he was told of it."""

    key: str
    body: dict[str, Any]
    #: (status, the order as it was told)
    told: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    refused: bool = False


@dataclass(slots=True)
class Load:
    """All callers of a run."""

    door: Door
    #: The secret of a key that may trade.
    secret: str
    seed: int
    wishes: list[Wish] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    #: How many orders were acknowledged so far; whoever waits for one more is woken.
    acknowledged: int = 0
    heard: threading.Condition = field(default_factory=threading.Condition)
    is_ending: bool = False
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self, callers: int) -> None:
        """Let callers come."""
        for number in range(callers):
            thread = threading.Thread(target=Caller(self, number).run, name=f"caller-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def ask_to_end(self) -> None:
        """Let nobody wish for anything more; each goes home once he knows what became of his last wish."""
        self.is_ending = True

    @property
    def is_busy(self) -> bool:
        """Say whether anybody still waits to be told."""
        return any(thread.is_alive() for thread in self._threads)

    def end(self) -> None:
        """Send them home, once each knows what became of his last wish."""
        self.ask_to_end()
        for thread in self._threads:
            thread.join(_MOST_SECONDS)
            assert not thread.is_alive(), f"{thread.name} never heard what became of his wish"

    def wait_for(self, more: int, seconds: float) -> None:
        """Wait until so many more orders were acknowledged, or so long."""
        with self.heard:
            until = self.acknowledged + more
            self.heard.wait_for(lambda: self.acknowledged >= until, seconds)

    def note(self, status: int, *, is_new: bool) -> None:
        """Count an answer."""
        with self.heard:
            self.statuses[status] += 1
            if is_new:
                self.acknowledged += 1
                self.heard.notify_all()


class Caller:
    """One of them."""

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._number = number
        self._chance = random.Random(f"{load.seed}|caller|{number}")
        self._mine: list[Wish] = []
        #: Whom he asked last.
        self._url = ""

    def run(self) -> None:
        """Wish for one thing after the other; what was begun is asked for to its end."""
        door = self._load.door
        with httpx2.Client(
            timeout=_PATIENCE_SECONDS, headers={"Authorization": f"Bearer {self._load.secret}", "X-Plimsoll": "1"}
        ) as http:
            try:
                while not self._load.is_ending and door.find():
                    self._step(http)
            except Exception as bug:  # noqa: BLE001  a caller's own fault must not pass for the desk's silence
                self._load.surprises.append(f"caller {self._number}: {bug!r}")

    def _step(self, http: httpx2.Client) -> None:
        if self._mine and self._chance.random() < _AGAIN:
            self._insist(http, self._chance.choice(self._mine))
            return
        wish = Wish(f"{self._load.seed}-{self._number}-{len(self._mine)}", self._terms(http))
        self._mine.append(wish)
        self._load.wishes.append(wish)
        self._insist(http, wish)
        if "price" in wish.body and self._chance.random() < _CANCELS and wish.told:
            self._ask(http, "POST", f"/orders/{wish.told[-1][1]['id']}/cancel")

    def _insist(self, http: httpx2.Client, wish: Wish) -> None:
        while True:
            response = self._ask(http, "POST", "/orders", wish.body, wish.key)
            if response is None:
                if not self._load.door.find():
                    return
                continue
            if response.status_code in _TOLD:
                self._hear(wish, response.status_code, response.json()["order"])
                return
            if response.status_code in _NOT_NOW or _STOPPING in response.text:
                self._load.door.doubt(self._url, _AGAIN_SECONDS)
                continue
            if response.status_code != 422:
                self._load.surprises.append(f"{wish.key}: {response.status_code} {response.text}")
            elif wish.told:
                self._load.surprises.append(f"{wish.key} was acknowledged, and is refused now: {response.text}")
            wish.refused = True
            # It refuses because something is in doubt, as a rule: no need to hear that a thousand times.
            self._load.door.doubt(self._url, _AGAIN_SECONDS)
            return

    def _hear(self, wish: Wish, status: int, order: dict[str, Any]) -> None:
        is_new = not wish.told
        if wish.refused:
            self._load.surprises.append(f"{wish.key} was refused, and is an order now: {order}")
        for _status, before in wish.told:
            if (before["id"], before["client_order_id"]) != (order["id"], order["client_order_id"]):
                self._load.surprises.append(f"{wish.key} was answered with two orders: {before}, {order}")
        wish.told.append((status, order))
        self._load.note(status, is_new=is_new)

    def _ask(
        self, http: httpx2.Client, method: str, path: str, body: Any = None, key: str | None = None
    ) -> httpx2.Response | None:
        """Ask whoever serves now; None when nobody answered."""
        self._url = self._load.door.find()
        if not self._url:
            return None
        headers = {} if key is None else {"Idempotency-Key": key}
        try:
            response = http.request(method, f"{self._url}/api/v1{path}", json=body, headers=headers)
        except httpx2.TransportError:
            self._load.door.doubt(self._url, _AGAIN_SECONDS)
            return None
        if response.status_code == 500:
            self._load.surprises.append(f"{method} {path} was answered with a bug: {response.text}")
        if response.status_code not in _TOLD:
            self._load.note(response.status_code, is_new=False)
        return response

    def _terms(self, http: httpx2.Client) -> dict[str, Any]:
        symbol = self._chance.choice(SYMBOLS)
        side = self._chance.choice(("BUY", "SELL"))
        value = _PERPETUAL_VALUE if ":" in symbol else VALUE
        body: dict[str, Any] = {"symbol": symbol, "side": side, "quote_value": str(value), "allow_repeat": True}
        if self._chance.random() < _CLOSES:
            return body | {"reduce_only": True}
        if self._chance.random() < _LIMITS:
            response = self._ask(http, "GET", f"/quotes/{symbol}")
            if response is not None and response.status_code == 200:
                body |= {"type": "LIMIT", "price": self._price(symbol, side, Decimal(response.json()["bid"]))}
        return body

    def _price(self, symbol: str, side: str, bid: Decimal) -> str:
        away = Decimal(self._chance.choice(("-0.0002", "0.0001", "0.0005", "0.01")))
        tick = instrument_for(symbol, InstrumentId(1), "any").tick_size
        at = bid * (1 - away if side == "BUY" else 1 + away)
        return str(at // tick * tick)
