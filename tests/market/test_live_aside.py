"""Work beside the desk: its loop goes on meanwhile, what comes of it comes back, and it ends with whoever waits."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest

from plimsoll.market.live.aside import aside


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is left behind that asyncio would complain of."""
    with caplog.at_level(logging.WARNING):
        yield
    assert [record.getMessage() for record in caplog.records] == []


class Work:
    """Work that waits until it is told to go on, and says when it has begun and when it has cleaned up."""

    def __init__(self) -> None:
        self.thread = 0
        self.began = threading.Event()
        self.is_clean = False
        self.loop: asyncio.AbstractEventLoop
        self._go_on: asyncio.Event

    async def __call__(self) -> str:
        self.thread, self.loop, self._go_on = threading.get_ident(), asyncio.get_running_loop(), asyncio.Event()
        self.began.set()
        try:
            await self._go_on.wait()
        finally:
            await asyncio.to_thread(str)  # cleaning up takes its turns of the loop, too
            self.is_clean = True
        return "done"

    def go_on(self) -> None:
        self.loop.call_soon_threadsafe(self._go_on.set)


async def begun(work: Work) -> "asyncio.Task[str]":
    """Give a task that waits for work that has begun."""
    task = asyncio.ensure_future(aside(work))
    await asyncio.get_running_loop().run_in_executor(None, work.began.wait, 5)
    assert work.began.is_set()
    return task


def test_what_comes_of_it_comes_back_from_another_thread() -> None:
    async def main() -> None:
        work = Work()
        task = await begun(work)
        assert not task.done()
        work.go_on()
        assert await task == "done"
        assert work.thread != threading.get_ident()
        assert work.loop.is_closed()

    asyncio.run(main())


def test_what_breaks_in_it_is_raised_here() -> None:
    async def breaks() -> None:
        raise ValueError("an answer that makes no sense")

    with pytest.raises(ValueError, match="makes no sense"):
        asyncio.run(aside(breaks))


def test_cancelled_it_ends_before_the_one_who_waited_for_it() -> None:
    async def main() -> None:
        work = Work()
        task = await begun(work)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert work.is_clean
        assert work.loop.is_closed()

    asyncio.run(main())


def test_cancelled_at_the_moment_of_its_end_it_has_ended() -> None:
    async def main() -> None:
        work = Work()
        task = await begun(work)
        work.go_on()
        while not work.loop.is_closed():  # no turn of this loop: it does not know yet
            pass
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_one_who_does_not_wait_for_its_end_either_leaves_no_complaint() -> None:
    async def main() -> None:
        work = Work()
        task = await begun(work)
        task.cancel()
        await asyncio.wait([task], timeout=0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
