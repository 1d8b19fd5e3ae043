"""Who turns the scribe's crank.

`ThreadDriver` in production: a thread of its own waits for units, so that the disk never stops the event loop.
`LoopDriver` in replay and simulation: the event loop itself turns it, with a delay and a group size that can be drawn,
so that grouping, acknowledgement after the commit and group failure are part of the simulated world.
"""

import asyncio
import threading  # noqa: TID251  sim-ok: the scribe's own thread in production; replay and simulation use LoopDriver
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol

from plimsoll.model.money import install_exact_arithmetic
from plimsoll.store.connection import StoreFailed
from plimsoll.store.hot import HotState
from plimsoll.store.scribe import Answer, Scribe, Unit

GROUP_LIMIT = 1_000


class Driver(Protocol):
    """The way to the scribe for those who live on the event loop."""

    @property
    def hot(self) -> HotState:
        """The published state."""

    async def write(self, unit: Unit) -> Any:
        """Run a unit and wait for its commit.

        Raises: StoreFailed, or what the unit raised
        """

    def post(self, unit: Unit) -> None:
        """Run a unit some time soon, for rows nobody waits for. A failure goes to `on_failure`."""

    def post_latest(self, name: str, unit: Unit) -> None:
        """Run a unit before any unit that is submitted later; of several under one name only the last is run.

        For what is cheap to lose and pointless to write each time: how far a replay has come, readings of equity.
        """

    def is_posted(self, name: str) -> bool:
        """Say whether a unit under this name still waits to be put in line."""

    async def close(self) -> None:
        """Write what waits, then release the database."""


def _answer_to(future: "asyncio.Future[Any]") -> Answer:
    def answer(value: Any, error: BaseException | None) -> None:
        if future.done():  # the caller was cancelled; what was committed stays committed
            return
        if error is None:
            future.set_result(value)
        elif isinstance(error, StopIteration):  # a `next()` too many; a future refuses to carry it as it is
            future.set_exception(RuntimeError(f"a unit raised {error!r}"))
        else:
            future.set_exception(error)

    return answer


def _deliver_all(loop: asyncio.AbstractEventLoop, answers: list[Callable[[], None]]) -> None:
    for deliver in answers:
        try:
            deliver()
        except Exception as error:  # noqa: BLE001  reported as asyncio does; the others still get their answers
            loop.call_exception_handler({"message": "delivering the scribe's answer failed", "exception": error})


class LoopDriver:
    """Turns the crank on the event loop."""

    def __init__(
        self,
        scribe: Scribe,
        *,
        on_failure: Callable[[BaseException], None],
        delay: Callable[[], float] = lambda: 0.0,
        group_size: Callable[[], int] = lambda: GROUP_LIMIT,
        post_limit: int = 1_000,
    ) -> None:
        self._scribe = scribe
        self._on_failure = on_failure
        self._delay = delay
        self._group_size = group_size
        self._post_limit = post_limit
        self._latest: dict[str, Unit] = {}
        self._posts = 0
        self._scheduled = False

    @property
    def hot(self) -> HotState:
        return self._scribe.hot

    async def write(self, unit: Unit) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._line_up_latest()
        self._scribe.submit(unit, _answer_to(future))
        self._schedule()
        return await future

    def post(self, unit: Unit) -> None:
        self._line_up_latest()
        self._scribe.submit(unit, self._answer_to_nobody)
        if self._scribe.waiting >= self._post_limit:
            self._step()

    def post_latest(self, name: str, unit: Unit) -> None:
        self._latest[name] = unit
        self._posts += 1
        if self._posts >= self._post_limit:
            self._line_up_latest()
            self._step()

    def is_posted(self, name: str) -> bool:
        return name in self._latest

    def _line_up_latest(self) -> None:
        self._posts = 0
        if self._latest:
            waiting, self._latest = self._latest, {}
            for unit in waiting.values():
                self._scribe.submit(unit, self._answer_to_nobody)

    async def close(self) -> None:
        self._line_up_latest()
        while self._scribe.waiting:
            self._step()
        self._scribe.close()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_later(self._delay(), self._scheduled_step)

    def _scheduled_step(self) -> None:
        self._scheduled = False
        self._step()
        if self._scribe.waiting:
            self._schedule()

    def _step(self) -> None:
        _deliver_all(asyncio.get_running_loop(), self._scribe.step(self._group_size()))

    def _answer_to_nobody(self, _value: Any, error: BaseException | None) -> None:
        if error is not None:
            self._on_failure(error)


#: A name under which no unit ever waits.
_NOTHING = ""


class ThreadDriver:
    """Turns the crank in a thread; answers come back on the event loop, all of a group in one call."""

    def __init__(
        self,
        scribe: Scribe,
        loop: asyncio.AbstractEventLoop,
        *,
        on_failure: Callable[[BaseException], None],
        group_limit: int = GROUP_LIMIT,
    ) -> None:
        self._scribe = scribe
        self._loop = loop
        self._on_failure = on_failure
        self._group_limit = group_limit
        #: Units with who is answered, and names of units that wait in `_latest`.
        self._inbox: SimpleQueue[tuple[Unit, Answer] | str] = SimpleQueue()
        self._latest: dict[str, Unit] = {}
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="scribe", daemon=True)
        self._thread.start()

    @property
    def hot(self) -> HotState:
        return self._scribe.hot

    async def write(self, unit: Unit) -> Any:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._hand_over(unit, _answer_to(future))
        return await future

    def post(self, unit: Unit) -> None:
        self._hand_over(unit, self._answer_to_nobody)

    def post_latest(self, name: str, unit: Unit) -> None:
        if self._ending:
            self._answer_to_nobody(None, StoreFailed("the books are closed"))
            return
        # The name goes in line every time: the thread may take the unit between any two steps of ours, and whoever
        # finds the name a second time finds nothing under it.
        self._latest[name] = unit
        self._inbox.put(name)

    def is_posted(self, name: str) -> bool:
        return name in self._latest

    async def close(self) -> None:
        self._ending = True
        self._inbox.put(_NOTHING)  # wakes the thread
        await self._loop.run_in_executor(None, self._thread.join)
        self._scribe.close()

    def _hand_over(self, unit: Unit, answer: Answer) -> None:
        if self._ending:  # the thread may have looked for the last time: nobody would ever answer
            answer(None, StoreFailed("the books are closed"))
            return
        self._inbox.put((unit, answer))

    def _run(self) -> None:
        # A fresh thread starts with Python's default arithmetic unless told otherwise.
        install_exact_arithmetic()
        while True:
            self._put_in_line(self._inbox.get())
            while not self._inbox.empty() or self._scribe.waiting:
                while not self._inbox.empty():  # nobody else takes from it
                    self._put_in_line(self._inbox.get())
                answers = self._scribe.step(self._group_limit)
                if answers:
                    self._loop.call_soon_threadsafe(_deliver_all, self._loop, answers)
            if self._ending and self._inbox.empty():
                return

    def _put_in_line(self, item: tuple[Unit, Answer] | str) -> None:
        if not isinstance(item, str):
            self._scribe.submit(*item)
        elif (unit := self._latest.pop(item, None)) is not None:
            self._scribe.submit(unit, self._answer_to_nobody)

    def _answer_to_nobody(self, _value: Any, error: BaseException | None) -> None:
        if error is not None:
            self._on_failure(error)
