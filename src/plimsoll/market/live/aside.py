"""Work of another library that would hold up the desk, done beside it: in a thread, on an event loop of its own.

What it works on must be touched by nobody else until it is done. It ends with whoever waits for it.

What must not enter: anything of the desk. A price or an order that is reached from two threads is reached twice.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Give what a coroutine comes to, or raise what it raises, while this loop goes on.

    Cancelled, it cancels the coroutine and waits until that has put away what it held.
    """
    loop = asyncio.new_event_loop()
    ending = asyncio.get_running_loop().run_in_executor(None, partial(_run, loop, work))
    try:
        return await asyncio.shield(ending)
    except asyncio.CancelledError:
        # However it ends now, nobody asks any more; unasked, asyncio would complain of it in the log.
        ending.add_done_callback(lambda ended: ended.exception())
        with suppress(RuntimeError):  # its loop is closed: it had come to its end
            loop.call_soon_threadsafe(_cancel_all, loop)
        await asyncio.wait([ending])
        raise


def _run(loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(work())


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
