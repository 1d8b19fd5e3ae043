"""Somebody in front of the desk: he asks whoever takes orders just then, and has no patience.

When the process dies under his hand, or says nothing, he asks again with the same key until he is told what became of
his wish. He has a key for his programs, and a browser in which he is signed in for what only a person may do.

What he was told is in the `Record`; what must follow from it is the oracle's business. What must not enter: what he
wants (`habits`), and how the desk is doing inside.
"""

import asyncio
import json
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol

from tests.simulation.hours.asgi import API, Answer, App, Follower, ask
from tests.simulation.hours.record import Record, Told, Wish
from tests.simulation.hours.template import PASSWORD, Market, Person

#: He wants something, on average, every so many seconds.
EVERY_SECONDS = 24.0
#: How long somebody waits for an answer.
_PATIENCE_SECONDS = (3.0, 30.0)
#: How often a wish is asked for until its caller gives up on it.
TRIES = 40
_AGAIN_SECONDS = (0.2, 4.0)
#: What is final: done, refused, contradicted, not there.
_FINAL = frozenset({200, 201, 400, 404, 409, 413, 422})
#: It is in the book, whatever the venue says of it.
TAKEN = frozenset({200, 201, 202})
_SIGN_IN = "/auth/sign-in"


class Door(Protocol):
    """The process that takes orders now, as its callers see it."""

    worker: str

    @property
    def app(self) -> App | None:
        """The application, while it takes orders."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run work as the process's own."""


@dataclass(frozen=True, slots=True)
class Front:
    """What callers can see of the world."""

    record: Record
    #: None while no process takes orders.
    door: Callable[[], Door | None]
    #: What a symbol costs just now.
    price: Callable[[str], Decimal]
    #: Set when callers go home.
    closing: asyncio.Event
    loop: asyncio.AbstractEventLoop


@dataclass(slots=True)
class Caller:
    """Somebody with an account."""

    market: Market
    person: Person
    #: The uid of an order of somebody else's, once there is one.
    foreign: Callable[[], str | None]
    front: Front
    chance: random.Random
    #: What he does, with its weight.
    habits: Sequence[tuple["Habit", float]]
    #: Uids of his orders, newest last.
    orders: list[str] = field(default_factory=list)
    follower: Follower = field(default_factory=Follower)
    #: The token of his browser; until he signs in anew, that of when the desk was set up.
    session: str = ""
    _number: int = 0
    _busy: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.market.person

    @property
    def record(self) -> Record:
        return self.front.record

    async def run(self) -> None:
        """Want one thing after the other, without waiting for the answer, until it is time to go home."""
        closing = self.front.closing
        habits, weights = zip(*self.habits, strict=True)
        while not closing.is_set():
            await _unless(closing, min(self.chance.expovariate(1 / EVERY_SECONDS), 5 * EVERY_SECONDS))
            if closing.is_set():
                break
            habit: Habit = self.chance.choices(habits, weights)[0]
            task = asyncio.get_running_loop().create_task(habit(self), name=f"{self.name}:{habit.__name__}")
            self._busy.add(task)
            task.add_done_callback(self._done)
        while self._busy:
            await asyncio.wait(self._busy)
        self.follower.close()

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._busy.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            self.record.surprise("CALLER", f"{task.get_name()} failed: {failure!r}")

    async def rests(self, low: float = _AGAIN_SECONDS[0], high: float = _AGAIN_SECONDS[1]) -> None:
        """Wait a while."""
        await asyncio.sleep(round(self.chance.uniform(low, high), 3))

    # ------------------------------------------------------------------------------------------------- one question

    async def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, query: str = "", signed: bool = False
    ) -> tuple[Told, Answer | None]:
        """Ask once whoever takes orders now, by program or, `signed` in, by hand."""
        door = self.front.door()
        if door is None or door.app is None:
            return Told(self.front.loop.time(), "", None, None), None
        headers = self._by_hand if signed else self.by_program
        if key is not None:
            headers = {**headers, "idempotency-key": key}
        worker, patience = door.worker, round(self.chance.uniform(*_PATIENCE_SECONDS), 3)
        answer = await ask(
            door.app, door.spawn, method, API + path, body=body, headers=headers, query=query, patience=patience
        )
        at = self.front.loop.time()
        if answer is None:
            self.record.note(self.name, f"{method} {path}: nobody answers")
            return Told(at, worker, None, None), None
        self._put_down(f"{method} {path}{'' if key is None else f' {key}'}", answer)
        if answer.status == 401 and signed and path != _SIGN_IN:
            await self._signs_in()
        return Told(at, worker, answer.status, answer.body), answer

    async def finds(self, path: str, query: str = "") -> Mapping[str, Any] | None:
        """Choose one of the items of a list, if it is told and has any."""
        _told, answer = await self.ask("GET", path, query=query)
        if answer is None or answer.status != 200 or not answer.body["items"]:
            return None
        chosen: Mapping[str, Any] = self.chance.choice(answer.body["items"])
        return chosen

    def _put_down(self, asked: str, answer: Answer) -> None:
        self.record.answered(answer.status, json.dumps(answer.body))
        self.record.note(self.name, f"{asked}: {answer.status}{_word(answer)}")
        if answer.status == 500:
            self.record.surprise("BUG", f"{asked} was answered with a bug: {answer.body}")

    @property
    def by_program(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.person.key}"}

    @property
    def _by_hand(self) -> dict[str, str]:
        # What our own page sends with every request: a header that no foreign one can add.
        return {"cookie": f"plimsoll={self.session or self.person.session}", "x-plimsoll": "1"}

    async def _signs_in(self) -> None:
        _told, answer = await self.ask("POST", _SIGN_IN, {"name": self.name, "password": PASSWORD}, signed=True)
        if answer is not None and answer.status == 200:
            self.session = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
            self.record.secrets[f"{self.name}'s session since {self.front.loop.time():.0f}"] = self.session

    # ------------------------------------------------------------------------------------------------------ a wish

    def wish(self, body: dict[str, Any]) -> Wish:
        """Wish for something new."""
        self._number += 1
        return self.record.wish(f"{self.name}-{self._number}", self.name, self.market.number, body)

    def earlier(self) -> Wish | None:
        """Remember a wish that became an order, if there is one."""
        mine = [wish for wish in self.record.wishes.values() if wish.by == self.name and wish.order]
        return self.chance.choice(mine[-20:]) if mine else None

    async def insist(self, wish: Wish) -> None:
        """Ask with one key until it is known what became of it."""
        for _ in range(TRIES):
            told, answer = await self.ask("POST", "/orders", wish.body, key=wish.key)
            if answer is not None:
                wish.told.append(told)
                self._take_order(wish, answer)
            if told.status in _FINAL:
                break
            # 202: the book has it, and the venue has not said yet. He wants to know, all the same.
            await self.rests()

    def _take_order(self, wish: Wish, answer: Answer) -> None:
        if answer.status not in TAKEN or "order" not in answer.body:
            return
        uid = answer.body["order"]["id"]
        named = {one.body["order"]["id"] for one in wish.told if one.status in TAKEN}
        if len(named) > 1:
            self.record.surprise("I1", f"{wish.key} was answered with two orders: {sorted(named)}")
        if uid not in self.orders:
            self.orders.append(uid)

    def lot(self, symbol: str) -> Decimal:
        """Give the step of a symbol's quantities."""
        return {one.symbol: one.lot_size for one in self.market.instruments}[symbol]

    def tick(self, symbol: str) -> Decimal:
        """Give the step of a symbol's prices."""
        return {one.symbol: one.tick_size for one in self.market.instruments}[symbol]


Habit = Callable[[Caller], Coroutine[Any, Any, None]]


async def _unless(closing: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until it is time to go home."""
    waiting = asyncio.get_running_loop().create_task(closing.wait())
    await asyncio.wait((waiting,), timeout=round(seconds, 6))
    waiting.cancel()


def stepped(value: Decimal | Fraction, step: Decimal) -> Decimal:
    """Round down to whole steps."""
    return int(Fraction(value) / Fraction(step)) * step


def _word(answer: Answer) -> str:
    """Say in a word or two what an answer was about."""
    if not isinstance(answer.body, dict):
        return ""
    if "order" in answer.body and isinstance(answer.body["order"], dict):
        return f" {answer.body['order']['client_order_id']} {answer.body['order']['state']}"
    if "code" in answer.body:
        reasons = ", ".join(reason["code"] for reason in answer.body["reasons"][:4])
        return f" {answer.body['code']} {reasons}".rstrip()
    return f" {answer.body['state']}" if isinstance(answer.body.get("state"), str) else ""
