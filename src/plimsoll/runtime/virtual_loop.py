"""An asyncio loop on virtual time: it jumps to the next timer instead of waiting, and the same seed is the same run.

1. Time is a whole number of microseconds since the loop was made; it moves only when nothing is ready to run.
2. Nothing reaches the outside: no socket, name look-up, pipe, signal handler or program. Blocking calls run inline.
3. Every callback belongs to the `worker` of its context, so one worker can be frozen or killed while the others run on.

No fault is decided here and no chance drawn: the hostile world passes in its seeded `random.Random` and calls `kill`.
"""

import asyncio
import ctypes
import inspect
import random
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop
from pathlib import Path
from types import CoroutineType
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, TypeVar, TypeVarTuple
from weakref import WeakKeyDictionary, WeakSet

from plimsoll.model.clock import check_time

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: Whose callback this is; None is the world outside every worker (venues, harness). Tasks and timers inherit it.
worker: ContextVar[str | None] = ContextVar("worker", default=None)

#: Below this many timers it is not worth throwing out the cancelled ones before their hour (asyncio's own number).
_FEW_TIMERS: Final = 100
_MICROSECOND: Final = timedelta(microseconds=1)
_HALF_MICROSECOND: Final = 0.5e-6

_REFUSED: Final = (
    *("create_connection", "create_server", "create_datagram_endpoint", "create_unix_connection", "create_unix_server"),
    *("connect_accepted_socket", "start_tls", "sendfile", "getaddrinfo", "getnameinfo"),
    *("sock_accept", "sock_connect", "sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into"),
    *("sock_sendall", "sock_sendto", "sock_sendfile", "add_reader", "remove_reader", "add_writer", "remove_writer"),
    *("connect_read_pipe", "connect_write_pipe", "subprocess_exec", "subprocess_shell"),
    *("add_signal_handler", "remove_signal_handler"),
)


class Deadlock(RuntimeError):
    """Nothing is ready and no timer is set, so nothing can ever happen again."""

    def __init__(self, waiting: tuple[str, ...], frozen: tuple[str, ...]) -> None:
        self.waiting = waiting
        self.frozen = frozen
        ice = f"; frozen workers: {', '.join(frozen)}" if frozen else ""
        super().__init__(f"nothing can ever happen again; waiting: {', '.join(waiting) or 'nobody'}{ice}")


class NotSimulated(RuntimeError):
    """The virtual loop has no outside world."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the virtual loop has no outside world: {name} is not simulated; pass in a port instead")


class WorkerDead(RuntimeError):
    """A killed worker does not come back under its old name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"worker {name!r} was killed; a restart is a new worker and needs a new name")


class _Handle(Protocol):
    """What `asyncio.Handle` holds: slots of the class since 3.7, and the C task never looks at them."""

    _callback: Callable[..., object]
    _cancelled: bool
    _context: Context

    def _run(self) -> None: ...


class _Timer(_Handle, Protocol):
    _when: float
    _scheduled: bool

    def __lt__(self, other: "_Timer", /) -> bool: ...


_AnyAsyncGenerator = AsyncGenerator[object, object]

if TYPE_CHECKING:

    class _BaseLoop(asyncio.BaseEventLoop):
        """The private parts we lean on, each read in the sources of 3.11, 3.12, 3.13 and 3.14 and unchanged there.

        `_run_once` is all that `run_forever` calls until `_stopping`; we replace it whole, so `_selector` and
        `_process_events`, which only it uses, are not needed. `call_soon` appends to `_ready`, `call_at` pushes on
        the heap `_scheduled`, `close` clears both; a cancelled timer counts itself in `_timer_cancelled_count` and
        stays in the heap until thrown out. `call_soon_threadsafe` ends with `_write_to_self`. The two hooks are
        what `run_forever` gives to `sys.set_asyncgen_hooks`, and `_asyncgens` what the first of them fills.
        """

        _ready: deque[_Handle]
        _scheduled: list[_Timer]
        _stopping: bool
        _timer_cancelled_count: int
        _asyncgens: WeakSet[_AnyAsyncGenerator]

        def _run_once(self) -> None: ...
        def _write_to_self(self) -> None: ...
        def _asyncgen_firstiter_hook(self, agen: _AnyAsyncGenerator) -> None: ...
        def _asyncgen_finalizer_hook(self, agen: _AnyAsyncGenerator) -> None: ...

else:
    _BaseLoop = asyncio.BaseEventLoop


class VirtualLoop(_BaseLoop):
    """Run asyncio on virtual time.

    Shapes:  shuffle -> permutes the task steps that are ready together; other callbacks keep their place and order
             executor_latency -> seconds until a blocking call's answer arrives, drawn anew for each call; None is 0
             advance_hook -> called with the time about to be reached; may block, to pace a replay against real time
    Units:   `time()` in seconds from 0.0, on whole microseconds, exact for 71 years
    Raises:  Deadlock from `run_forever` and `run_until_complete`; the loop can be run again after it, to clean up
    """

    def __init__(
        self,
        *,
        shuffle: random.Random | None = None,
        executor_latency: Callable[[], float] | None = None,
        advance_hook: Callable[[float], None] | None = None,
    ) -> None:
        super().__init__()
        self._shuffle = shuffle
        self._executor_latency = executor_latency
        self._advance_hook = advance_hook
        self._microseconds = 0
        self._time = 0.0
        self._frozen: dict[str, list[_Handle]] = {}
        self._dead: set[str] = set()
        # In order of birth: `asyncio.all_tasks` is a set, and cancelling in its order would differ from run to run.
        self._workers_by_task: WeakKeyDictionary[asyncio.Task[object], str | None] = WeakKeyDictionary()
        # By id, because weak references are already cleared when the finalizer hook asks. In order of first use. An
        # exhausted generator leaves its entry until its address is used again: bounded by what ever lived at once.
        self._workers_by_generator: dict[int, str | None] = {}

    # ------------------------------------------------------------------------------------------- time

    def time(self) -> float:
        return self._time

    @property
    def microseconds(self) -> int:
        """Virtual time as the whole number it is."""
        return self._microseconds

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        if len(scheduled) > _FEW_TIMERS and 2 * self._timer_cancelled_count > len(scheduled):
            self._keep_timers(lambda _timer: True)
        if not ready and not self._stopping:
            self._jump()
        due = self._time + _HALF_MICROSECOND
        while scheduled and scheduled[0]._when < due:
            ready.append(self._pop_timer())
        if self._shuffle is not None and len(ready) > 1:
            self._permute_steps(self._shuffle)
        frozen, dead = self._frozen, self._dead
        # Only what is ready now: what these callbacks add runs in the next round, as asyncio promises. A freeze or
        # kill by one of them holds for the rest of the round, which is why each handle is asked at its turn.
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled or ((frozen or dead) and self._held_back(handle)):
                continue
            handle._run()

    def _jump(self) -> None:
        """Move time to the next timer.

        Straight to the timer's own time, not by adding a timeout: sums of floats would drift. Always by at least a
        microsecond, or `while now() < noon: await sleep(1e-9)` would never see noon.
        """
        scheduled = self._scheduled
        while scheduled and scheduled[0]._cancelled:
            self._pop_timer()
        if not scheduled or not scheduled[0]._when < float("inf"):
            raise Deadlock(tuple(self._waiting()), tuple(self._frozen))
        when = scheduled[0]._when
        if when <= self._time:
            return
        microseconds = max(round(when * 1e6), self._microseconds + 1)
        if self._advance_hook is not None:
            self._advance_hook(microseconds / 1e6)
            if self._ready:
                return  # Another thread or a signal called in while the hook waited; it is served before time moves.
        self._microseconds = microseconds
        self._time = microseconds / 1e6

    def _pop_timer(self) -> _Timer:
        timer = heappop(self._scheduled)
        timer._scheduled = False
        if timer._cancelled:
            self._timer_cancelled_count -= 1
        return timer

    def _keep_timers(self, wanted: Callable[[_Timer], bool]) -> None:
        """Throw out the cancelled timers and the unwanted, in one pass."""
        kept: list[_Timer] = []
        for timer in self._scheduled:
            timer._scheduled = not timer._cancelled and wanted(timer)
            if timer._scheduled:
                kept.append(timer)
        heapify(kept)
        self._scheduled[:] = kept
        self._timer_cancelled_count = 0

    def _permute_steps(self, shuffle: random.Random) -> None:
        """Deal the ready task steps anew among the places they hold; linear, every handle is dealt once."""
        ready = self._ready
        # Taken out and put back on the left, so that a handle another thread appends meanwhile is not lost.
        batch = [ready.popleft() for _ in range(len(ready))]
        places = [place for place, handle in enumerate(batch) if _is_task_step(handle)]
        steps = [batch[place] for place in places]
        shuffle.shuffle(steps)
        for place, step in zip(places, steps, strict=True):
            batch[place] = step
        ready.extendleft(reversed(batch))

    def _waiting(self) -> Generator[str]:
        for task in self._living():
            owner = self._workers_by_task[task]
            yield f"{task.get_name()}{f' of {owner}' if owner else ''} at {_place(task)}"

    # ---------------------------------------------------------------------------------------- workers

    def spawn(
        self, name: str | None, coro: Coroutine[object, None, T], *, task_name: str | None = None
    ) -> asyncio.Task[T]:
        """Start a task as worker `name`; what it starts in turn belongs to the same worker.

        Raises:  WorkerDead when a worker of that name was killed
        """
        if name in self._dead:
            coro.close()
            raise WorkerDead(name)
        return self.create_task(coro, name=task_name, context=context_of(name))

    def freeze(self, name: str) -> None:
        """Run nothing of worker `name` until `thaw`, as after SIGSTOP: its timers run out meanwhile."""
        if name in self._dead:
            raise WorkerDead(name)
        self._frozen.setdefault(name, [])

    def thaw(self, name: str) -> None:
        """Let worker `name` go on with everything that came due, in the order it did."""
        self._ready.extend(self._frozen.pop(name, ()))

    def kill(self, name: str) -> None:
        """End worker `name` as `kill -9` does: none of its code runs again, no `except`, no `finally`.

        A worker that kills itself goes on to its next `await`; `crash` does both. What it holds stays open: the
        harness closes its database connections, as the operating system would. Work of others that it scheduled dies
        with it, so a request on its way to a venue must be scheduled with `context=context_of(None)`.

        The tasks are kept until the process ends: Python closes a coroutine that is freed, and closing runs `finally`.
        A long campaign is therefore cut into processes of some hundred kills.
        """
        self._dead.add(name)
        # Kept first, dropped after: a task that sleeps is often held by nothing but the timer that would wake it.
        for task in self._tasks_of(name):
            _bury(task)
        for agen in list(self._asyncgens):
            if self._workers_by_generator[id(agen)] == name:
                self._asyncgens.discard(agen)
                _keep_for_ever(agen)
        self._frozen.pop(name, None)
        self._keep_timers(lambda timer: timer._context.get(worker) != name)

    async def crash(self) -> NoReturn:
        """Kill the worker that awaits this; it does not return."""
        name = worker.get()
        assert name is not None, "Invariant: only a worker can crash; the world outside cannot."
        self.kill(name)
        await self.create_future()
        raise AssertionError("Invariant: a killed worker never runs again.")

    def _held_back(self, handle: _Handle) -> bool:
        owner = handle._context.get(worker)
        if owner in self._dead:
            return True
        aside = self._frozen.get(owner) if owner is not None else None
        if aside is None:
            return False
        aside.append(handle)
        return True

    def _living(self) -> list[asyncio.Task[object]]:
        tasks = list(self._workers_by_task.items())
        return [task for task, owner in tasks if owner not in self._dead and not task.done()]

    def _tasks_of(self, name: str) -> list[asyncio.Task[object]]:
        tasks = list(self._workers_by_task.items())
        return [task for task, owner in tasks if owner == name and not task.done()]

    def create_task(
        self,
        coro: Generator[object, None, T] | Coroutine[object, None, T],
        *,
        name: object = None,
        context: Context | None = None,
        **options: bool | None,
    ) -> asyncio.Task[T]:
        """Start a task and note whose it is. `options` are those that later versions add, such as `eager_start`."""
        task: asyncio.Task[T] = super().create_task(coro, name=name, context=context, **options)
        owner = worker.get() if context is None else context.get(worker)
        self._workers_by_task[task] = owner
        if owner in self._dead:
            _bury(task)  # It killed itself and has not reached its next await.
        return task

    def _asyncgen_firstiter_hook(self, agen: _AnyAsyncGenerator) -> None:
        self._workers_by_generator.pop(id(agen), None)
        self._workers_by_generator[id(agen)] = worker.get()
        super()._asyncgen_firstiter_hook(agen)

    def _asyncgen_finalizer_hook(self, agen: _AnyAsyncGenerator) -> None:
        if self._workers_by_generator.pop(id(agen), None) in self._dead:
            _keep_for_ever(agen)
        else:
            super()._asyncgen_finalizer_hook(agen)

    async def shutdown_asyncgens(self) -> None:
        """Close the generators that are left one by one in the order of their first use, not in a set's."""
        left = {id(agen): agen for agen in self._asyncgens}
        for agen in [left[key] for key in self._workers_by_generator if key in left]:
            self._asyncgens.discard(agen)
            try:
                await agen.aclose()
            except Exception as error:  # noqa: BLE001  reported, as asyncio does; the others are still closed
                self.call_exception_handler({"message": "closing an asynchronous generator failed", "exception": error})
        await super().shutdown_asyncgens()

    def finish(self) -> None:
        """Cancel what is left, oldest first, and run it to its end; frozen workers are thawed for it.

        Raises:  Deadlock when a task swallows its cancellation and waits on; the tasks that wait are abandoned
        """
        for name in list(self._frozen):
            self.thaw(name)
        left = self._living()
        for task in left:
            task.cancel()
        try:
            if left:
                self.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        except Deadlock:
            for task in self._living():
                _bury(task)
            raise
        for task in left:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.call_exception_handler({"message": "a cancelled task failed", "exception": error, "task": task})

    # ---------------------------------------------------------------------------------------- outside

    def run_in_executor(self, _executor: object, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run the blocking call now, in this thread; its answer arrives after a drawn latency."""
        answer: asyncio.Future[T] = self.create_future()
        latency = 0.0 if self._executor_latency is None else self._executor_latency()
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001  it is the answer, and raises where the answer is awaited
            self.call_later(latency, _fail, answer, error)
        else:
            self.call_later(latency, _succeed, answer, result)
        return answer

    def _write_to_self(self) -> None:
        """Wake nobody: the loop never sleeps. A hook that waits is woken by whoever calls in from another thread."""


def _refuse(name: str) -> Callable[..., NoReturn]:
    def refused(*_args: object, **_named: object) -> NoReturn:
        raise NotSimulated(name)

    return refused


for _name in _REFUSED:
    setattr(VirtualLoop, _name, _refuse(_name))


def context_of(name: str | None) -> Context:
    """Copy the current context and make it worker `name`'s; None is the world outside."""
    context = copy_context()
    context.run(worker.set, name)
    return context


_TASK_METHODS: Final = frozenset(dir(asyncio.Task))


def _is_task_step(handle: _Handle) -> bool:
    """Tell a task's next step from a callback.

    A step is bound to its task: a nameless C wrapper for the first and every `sleep(0)`, a private `task_wakeup` after
    a wait. So is `call_soon(task.cancel)`, which is a callback; but that name is one of the task's own.
    """
    callback = handle._callback
    if not isinstance(getattr(callback, "__self__", None), asyncio.Task):
        return False
    return getattr(callback, "__name__", None) not in _TASK_METHODS


def _place(task: asyncio.Task[object]) -> str:
    """Say where a task waits: the innermost coroutine, its file and line."""
    coro = task.get_coro()
    while isinstance(coro, CoroutineType) and inspect.iscoroutine(coro.cr_await):
        coro = coro.cr_await
    if not isinstance(coro, CoroutineType) or coro.cr_frame is None:
        return repr(coro)
    return f"{coro.__qualname__} ({Path(coro.cr_code.co_filename).name}:{coro.cr_frame.f_lineno})"


def _bury(task: asyncio.Task[object]) -> None:
    """Abandon a task where it stands. `_unregister_task` is documented for those who write loops."""
    asyncio.tasks._unregister_task(task)
    _keep_for_ever(task)


def _keep_for_ever(thing: object) -> None:
    """Never free `thing`, not at the end of the interpreter either, where a list of ours would be emptied."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _succeed(answer: asyncio.Future[T], result: T) -> None:
    if not answer.done():  # Cancelled meanwhile: nobody waits for it any more.
        answer.set_result(result)


def _fail(answer: asyncio.Future[T], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


class VirtualClock:
    """The hour on a virtual loop, as one worker sees it.

    Shapes:  skew -> how far this clock is ahead of the world's; may be changed while running, which is a step
    Units:   exact to the microsecond; `monotonic` in seconds, without the skew
    Raises:  Illegal when `start` is not aware and in UTC
    """

    __slots__ = ("loop", "skew", "start")

    def __init__(self, loop: VirtualLoop, start: datetime, skew: timedelta = timedelta(0)) -> None:
        self.loop = loop
        self.start = check_time(start, "start").astimezone(UTC)
        self.skew = skew

    def now(self) -> datetime:
        return self.start + self.skew + timedelta(microseconds=self.loop.microseconds)

    def monotonic(self) -> float:
        return self.loop.time()

    async def sleep_until(self, when: datetime) -> None:
        """Wait until this clock shows exactly `when`; one turn of the loop when it already does.

        A clock that is set back meanwhile waits on; one that is set forward arrives late, as timers do.
        """
        at = self._loop_time_of(when)
        if at <= self.loop.microseconds:
            await asyncio.sleep(0)
        while at > self.loop.microseconds:
            arrival = self.loop.create_future()
            timer = self.loop.call_at(at / 1e6, _succeed, arrival, None)
            try:
                await arrival
            finally:
                timer.cancel()
            at = self._loop_time_of(when)

    def _loop_time_of(self, when: datetime) -> int:
        return (when - self.start - self.skew) // _MICROSECOND


def run_virtual(
    main: Callable[[VirtualClock], Coroutine[object, None, T]],
    *,
    start: datetime,
    shuffle: random.Random | None = None,
    executor_latency: Callable[[], float] | None = None,
    advance_hook: Callable[[float], None] | None = None,
) -> T:
    """Run `main(clock)` to its end on a fresh virtual loop, cancel what it left behind, and give its result.

    Shapes:  the loop is `clock.loop`; Ctrl-C cancels `main`, so that no commit is cut in half by it
    Raises:  Deadlock naming the waiting tasks; whatever `main` raises
    """
    loop = VirtualLoop(shuffle=shuffle, executor_latency=executor_latency, advance_hook=advance_hook)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            return runner.run(main(VirtualClock(loop, start)))
        finally:
            loop.finish()
