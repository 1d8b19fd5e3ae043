"""The virtual loop: time jumps, the seed decides the order, and a worker dies as a process does."""

import asyncio
import gc
import random
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from plimsoll.model.clock import Clock
from plimsoll.model.errors import Illegal
from plimsoll.runtime import virtual_loop
from plimsoll.runtime.virtual_loop import (
    Deadlock,
    NotSimulated,
    VirtualClock,
    VirtualLoop,
    WorkerDead,
    context_of,
    run_virtual,
    worker,
)

T = TypeVar("T")
START = datetime(2022, 1, 1, tzinfo=UTC)
SOURCES = Path(virtual_loop.__file__).parents[2]


def run(main: Callable[[VirtualClock], Coroutine[object, None, T]], *, shuffle: random.Random | None = None) -> T:
    return run_virtual(main, start=START, shuffle=shuffle)


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


# ------------------------------------------------------------------------------------------------ time


def test_ten_years_of_sleep_pass_at_once() -> None:
    async def main(clock: VirtualClock) -> tuple[datetime, float]:
        await asyncio.sleep(timedelta(days=3650).total_seconds())
        return clock.now(), clock.monotonic()

    assert run(main) == (START + timedelta(days=3650), 3650 * 86400.0)


def test_timers_fire_in_the_order_of_their_hour_and_callbacks_in_the_order_of_their_call() -> None:
    seen: list[str] = []

    async def main(clock: VirtualClock) -> None:
        clock.loop.call_later(3, seen.append, "third")
        clock.loop.call_later(1, seen.append, "first")
        clock.loop.call_later(2, seen.append, "second")
        for name in "abc":
            clock.loop.call_soon(seen.append, name)
        await asyncio.sleep(4)

    run(main)
    assert seen == ["a", "b", "c", "first", "second", "third"]


def test_time_does_not_move_while_something_is_ready() -> None:
    async def main(clock: VirtualClock) -> int:
        clock.loop.call_later(1e-6, lambda: None)
        for _ in range(100):
            await asyncio.sleep(0)
        return clock.loop.microseconds

    assert run(main) == 0


def test_small_sleeps_add_up_without_drift() -> None:
    async def main(clock: VirtualClock) -> datetime:
        for _ in range(36_000):
            await asyncio.sleep(0.1)
        return clock.now()

    assert run(main) == START + timedelta(hours=1)


def test_a_sleep_shorter_than_a_microsecond_still_moves_time() -> None:
    async def main(clock: VirtualClock) -> int:
        for _ in range(3):
            await asyncio.sleep(1e-9)
        await asyncio.sleep(1e-7)
        return clock.loop.microseconds

    assert run(main) >= 1


def test_every_bar_of_a_year_is_met_to_the_microsecond() -> None:
    async def main(clock: VirtualClock) -> list[datetime]:
        missed = []
        for minute in range(0, 365 * 24 * 60, 7):
            bar = START + timedelta(minutes=minute)
            await clock.sleep_until(bar)
            if clock.now() != bar:
                missed.append(bar)
        return missed

    assert run(main) == []


def test_single_microseconds_are_told_apart_after_sixty_years() -> None:
    async def main(clock: VirtualClock) -> list[int]:
        far = START + timedelta(days=60 * 365, microseconds=123_457)
        await clock.sleep_until(far)
        offsets = []
        for micro in range(50):
            await clock.sleep_until(far + timedelta(microseconds=micro))
            offsets.append((clock.now() - far) // timedelta(microseconds=1))
        return offsets

    assert run(main) == list(range(50))


def test_sleeping_until_the_past_gives_the_others_one_turn() -> None:
    seen: list[str] = []

    async def main(clock: VirtualClock) -> datetime:
        clock.loop.call_soon(seen.append, "other")
        await clock.sleep_until(START - timedelta(days=1))
        return clock.now()

    assert run(main) == START
    assert seen == ["other"]


def test_a_skewed_clock_is_wrong_by_its_skew_and_measures_durations_rightly() -> None:
    async def main(clock: VirtualClock) -> tuple[timedelta, float]:
        fast: Clock = VirtualClock(clock.loop, START, timedelta(seconds=300))
        await clock.sleep_until(START + timedelta(seconds=10))
        return fast.now() - clock.now(), fast.monotonic()

    assert run(main) == (timedelta(seconds=300), 10.0)


def test_a_clock_set_back_during_the_wait_waits_on() -> None:
    async def main(clock: VirtualClock) -> tuple[datetime, float]:
        def set_back() -> None:
            clock.skew = timedelta(seconds=-10)

        clock.loop.call_later(30, set_back)
        await clock.sleep_until(START + timedelta(seconds=60))
        return clock.now(), clock.monotonic()

    assert run(main) == (START + timedelta(seconds=60), 70.0)


def test_a_start_without_zone_is_refused() -> None:
    loop = VirtualLoop()
    with pytest.raises(Illegal):
        VirtualClock(loop, datetime(2022, 1, 1))  # noqa: DTZ001
    loop.close()


def test_cancelled_timers_are_thrown_out_before_their_hour() -> None:
    async def main(clock: VirtualClock) -> tuple[int, float]:
        for _ in range(1000):
            clock.loop.call_later(1e6, lambda: None).cancel()
        clock.loop.call_later(1, lambda: None)
        await asyncio.sleep(2)
        return len(clock.loop._scheduled), clock.monotonic()

    assert run(main) == (0, 2.0)


def test_a_cancelled_timer_at_the_head_does_not_move_time() -> None:
    async def main(clock: VirtualClock) -> float:
        clock.loop.call_later(1, lambda: None).cancel()
        soon = clock.loop.call_later(2, lambda: None)
        clock.loop.call_later(2, soon.cancel)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(for_ever(), 5)
        return clock.monotonic()

    assert run(main) == 5.0


def test_the_hook_hears_each_new_time_before_it_is_reached() -> None:
    heard: list[tuple[float, float]] = []

    async def main(clock: VirtualClock) -> None:
        clocks.append(clock)
        await asyncio.sleep(60)
        await asyncio.sleep(60)

    clocks: list[VirtualClock] = []
    run_virtual(main, start=START, advance_hook=lambda at: heard.append((clocks[0].monotonic(), at)))
    assert heard == [(0.0, 60.0), (60.0, 120.0)]


def test_what_calls_in_while_the_hook_waits_is_served_before_time_moves() -> None:
    served: list[float] = []
    asked: list[float] = []
    clocks: list[VirtualClock] = []

    def hook(at: float) -> None:
        asked.append(at)
        if len(asked) == 1:
            loop = clocks[0].loop
            loop.call_soon_threadsafe(lambda: served.append(loop.time()))

    async def main(clock: VirtualClock) -> float:
        clocks.append(clock)
        await asyncio.sleep(60)
        return clock.monotonic()

    assert run_virtual(main, start=START, advance_hook=hook) == 60.0
    assert served == [0.0]
    assert asked == [60.0, 60.0]


# ------------------------------------------------------------------------------------- end and deadlock


def test_a_deadlock_names_who_waits_where_and_lets_them_clean_up() -> None:
    ended: list[str] = []
    loops: list[VirtualLoop] = []

    async def waiter() -> None:
        try:
            await for_ever()
        finally:
            ended.append("waiter")

    async def main(clock: VirtualClock) -> None:
        loops.append(clock.loop)
        clock.loop.spawn("w1", waiter(), task_name="stuck")
        clock.loop.spawn("w2", waiter(), task_name="cold")
        clock.loop.freeze("w2")
        await for_ever()

    with pytest.raises(
        Deadlock, match=r"stuck of w1 at for_ever \(test_virtual_loop\.py:\d+\).*frozen workers: w2"
    ) as e:
        run(main)
    assert len(e.value.waiting) == 3
    assert ended == ["waiter"], "the frozen one had not begun: it has nothing to end"
    assert loops[0].is_closed()


def test_a_timer_at_infinity_is_no_future_to_wait_for() -> None:
    async def main(clock: VirtualClock) -> None:
        await asyncio.sleep(float("inf"))

    with pytest.raises(Deadlock):
        run(main)


def test_a_task_that_swallows_its_cancellation_and_waits_on_is_abandoned_with_a_deadlock() -> None:
    async def stubborn() -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            await for_ever()

    async def main(clock: VirtualClock) -> None:
        clock.loop.spawn(None, stubborn(), task_name="stubborn")
        await asyncio.sleep(1)

    with pytest.raises(Deadlock, match="stubborn"):
        run(main)


def test_leftovers_are_cancelled_oldest_first() -> None:
    ended: list[int] = []

    async def leftover(number: int) -> None:
        try:
            await for_ever()
        finally:
            ended.append(number)

    async def main(clock: VirtualClock) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(leftover(number)) for number in range(200)]
        await asyncio.sleep(1)
        return tasks

    assert all(task.cancelled() for task in run(main))
    assert ended == list(range(200))


def test_a_leftover_that_fails_while_cancelled_is_reported() -> None:
    reports: list[object] = []

    async def clumsy() -> None:
        try:
            await for_ever()
        finally:
            raise ValueError("spilled")

    async def main(clock: VirtualClock) -> asyncio.Task[None]:
        clock.loop.set_exception_handler(lambda _loop, context: reports.append(context["exception"]))
        task = asyncio.create_task(clumsy())
        await asyncio.sleep(1)
        return task

    run(main)
    assert [str(report) for report in reports] == ["spilled"]


def test_generators_left_open_are_closed_in_order_and_a_failing_one_is_reported() -> None:
    ended: list[int] = []
    reports: list[object] = []

    async def ticks(number: int) -> AsyncGenerator[int, None]:
        try:
            yield number
        finally:
            ended.append(number)
            if number == 7:
                raise ValueError("seven")

    async def main(clock: VirtualClock) -> list[AsyncGenerator[int, None]]:
        clock.loop.set_exception_handler(lambda _loop, context: reports.append(context["exception"]))
        generators = [ticks(number) for number in range(100)]
        for generator in generators:
            await anext(generator)
        return generators

    kept = run(main)
    assert len(kept) == 100
    assert ended == list(range(100))
    assert [str(report) for report in reports] == ["seven"]


def test_a_generator_that_is_dropped_is_closed_by_the_loop() -> None:
    ended: list[str] = []

    async def ticks() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            ended.append("closed")

    async def main(clock: VirtualClock) -> list[str]:
        await anext(ticks())
        gc.collect()
        await asyncio.sleep(1)
        return list(ended)

    assert run(main) == ["closed"]


def test_the_error_of_main_comes_out() -> None:
    async def main(clock: VirtualClock) -> None:
        raise ValueError("main failed")

    with pytest.raises(ValueError, match="main failed"):
        run(main)


def test_it_runs_in_a_thread_that_has_no_loop() -> None:
    results: list[float] = []

    async def main(clock: VirtualClock) -> float:
        await asyncio.sleep(5)
        return clock.monotonic()

    thread = threading.Thread(target=lambda: results.append(run(main)))
    thread.start()
    thread.join()
    assert results == [5.0]


# --------------------------------------------------------------------------------------------- shuffle


def steps_of_ten_tasks(shuffle: random.Random | None) -> list[str]:
    seen: list[str] = []

    async def walker(name: str, gate: asyncio.Event) -> None:
        await gate.wait()
        for _ in range(3):
            seen.append(name)
            await asyncio.sleep(0)

    async def main(clock: VirtualClock) -> None:
        gate = asyncio.Event()
        tasks = [asyncio.create_task(walker(name, gate)) for name in "abcdefghij"]
        await asyncio.sleep(1)
        gate.set()
        await asyncio.gather(*tasks)

    run(main, shuffle=shuffle)
    return seen


def test_without_shuffle_tasks_step_in_turn() -> None:
    assert "".join(steps_of_ten_tasks(None)) == "abcdefghij" * 3


def test_the_seed_decides_the_order_of_steps() -> None:
    first = steps_of_ten_tasks(random.Random(1))
    assert first == steps_of_ten_tasks(random.Random(1))
    assert first != steps_of_ten_tasks(random.Random(2))
    assert first != steps_of_ten_tasks(None)
    assert sorted(first) == sorted(steps_of_ten_tasks(None))


def test_each_round_deals_the_steps_anew() -> None:
    steps = steps_of_ten_tasks(random.Random(1))
    rounds = [steps[0:10], steps[10:20], steps[20:30]]
    assert [sorted(one) for one in rounds] == [list("abcdefghij")] * 3
    assert rounds[0] != rounds[1] != rounds[2]


def test_shuffled_steps_leave_callbacks_in_their_place_and_order() -> None:
    seen: list[str] = []

    async def step(name: str) -> None:
        seen.append(name)

    async def main(clock: VirtualClock) -> None:
        for number in range(50):
            clock.loop.call_soon(seen.append, str(number))
            clock.loop.spawn(None, step("step"), task_name=f"step {number}")
        await asyncio.sleep(1)

    run(main, shuffle=random.Random(3))
    assert seen[0::2] == [str(number) for number in range(50)]
    assert seen[1::2] == ["step"] * 50


def test_a_tasks_own_method_called_soon_is_a_callback_and_keeps_its_place() -> None:
    async def main(clock: VirtualClock) -> list[bool]:
        task = asyncio.create_task(for_ever())
        clock.loop.call_soon(task.cancel)
        clock.loop.call_soon(len, "callback")
        return [virtual_loop._is_task_step(handle) for handle in clock.loop._ready]

    assert run(main) == [True, False, False]


def test_a_task_woken_by_a_future_is_a_step() -> None:
    async def main(clock: VirtualClock) -> list[bool]:
        future = clock.loop.create_future()

        async def wait() -> None:
            await future

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        future.set_result(None)
        kinds = [virtual_loop._is_task_step(handle) for handle in clock.loop._ready]
        await task
        return kinds

    assert run(main) == [True]


# --------------------------------------------------------------------------------------------- workers


async def tick(clock: VirtualClock, seen: list[tuple[str | None, float]], times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(1)
        seen.append((worker.get(), clock.monotonic()))


def test_tasks_inherit_the_worker_of_the_one_that_started_them() -> None:
    async def parent() -> str | None:
        return await asyncio.create_task(child())

    async def child() -> str | None:
        await asyncio.sleep(1)
        return worker.get()

    async def main(clock: VirtualClock) -> tuple[str | None, str | None, str | None]:
        inside = await clock.loop.spawn("w1", parent())
        return inside, await clock.loop.spawn(None, parent()), worker.get()

    assert run(main) == ("w1", None, None)


def test_a_frozen_worker_stands_still_while_the_others_and_the_hour_go_on() -> None:
    seen: list[tuple[str | None, float]] = []

    async def main(clock: VirtualClock) -> None:
        loop = clock.loop
        tasks = [loop.spawn("w1", tick(clock, seen, 3)), loop.spawn("w2", tick(clock, seen, 3))]
        loop.call_later(1.5, loop.freeze, "w1")
        loop.call_later(10, loop.thaw, "w1")
        await asyncio.gather(*tasks)
        loop.thaw("w1")

    run(main)
    assert [at for name, at in seen if name == "w2"] == [1.0, 2.0, 3.0]
    # Its timer of second 2 ran out in the ice: it goes on at the thaw, then sleeps its last second.
    assert [at for name, at in seen if name == "w1"] == [1.0, 10.0, 11.0]


def test_a_freeze_holds_at_once_and_the_thaw_keeps_the_order() -> None:
    seen: list[str] = []

    async def main(clock: VirtualClock) -> list[str]:
        loop = clock.loop
        loop.call_soon(loop.freeze, "w1")
        for name in "abc":
            loop.call_soon(seen.append, name, context=context_of("w1"))
        await asyncio.sleep(1)
        frozen = list(seen)
        loop.thaw("w1")
        await asyncio.sleep(1)
        return frozen

    assert run(main) == []
    assert seen == ["a", "b", "c"]


class Victim:
    """A worker with everything on its stack that Python would like to unwind."""

    def __init__(self) -> None:
        self.unwound: list[str] = []

    async def ticks(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(1_000_000):
                await asyncio.sleep(1)
                yield number
        finally:
            self.unwound.append("generator")

    async def work(self) -> None:
        child = asyncio.create_task(self.child())
        try:
            async for _ in self.ticks():
                await asyncio.sleep(1)
            await child
        except BaseException:
            self.unwound.append("except")
            raise
        finally:
            self.unwound.append("finally")

    async def child(self) -> None:
        try:
            await for_ever()
        finally:
            self.unwound.append("child")


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("lived", [0.5, 1.5, 2.5])
def test_a_killed_worker_unwinds_nothing_not_even_when_the_loop_is_gone(lived: float, frozen: bool) -> None:
    async def main(clock: VirtualClock) -> Victim:
        victim = Victim()
        clock.loop.spawn("w1", victim.work())
        await asyncio.sleep(lived)
        if frozen:
            clock.loop.freeze("w1")
            await asyncio.sleep(60)
        clock.loop.kill("w1")
        await asyncio.sleep(60)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return victim

    victim = run(main)
    gc.collect()
    assert victim.unwound == []


def test_the_others_unwind_as_ever_when_one_worker_is_killed() -> None:
    async def main(clock: VirtualClock) -> tuple[Victim, Victim]:
        dead, alive = Victim(), Victim()
        clock.loop.spawn("w1", dead.work())
        clock.loop.spawn("w2", alive.work())
        await asyncio.sleep(2.5)
        clock.loop.kill("w1")
        await asyncio.sleep(2)
        return dead, alive

    dead, alive = run(main)
    assert dead.unwound == []
    assert sorted(alive.unwound) == ["child", "except", "finally", "generator"]


def test_a_generator_of_a_dead_worker_that_others_drop_unwinds_nothing() -> None:
    victim = Victim()

    async def hold(box: list[AsyncGenerator[int, None]]) -> None:
        box.append(victim.ticks())
        await anext(box[0])

    async def main(clock: VirtualClock) -> None:
        kept: list[AsyncGenerator[int, None]] = []
        await clock.loop.spawn("w1", hold(kept))
        clock.loop.kill("w1")
        kept.clear()
        gc.collect()
        await asyncio.sleep(1)
        box: list[AsyncGenerator[int, None]] = []
        task = clock.loop.spawn("w2", hold(box))
        await task
        clock.loop._dead.add("w2")  # as if it died between its last step and the drop
        box.clear()
        gc.collect()
        await asyncio.sleep(1)

    run(main)
    assert victim.unwound == []


def test_the_end_of_the_interpreter_does_not_unwind_the_dead_either() -> None:
    program = textwrap.dedent("""
        import asyncio
        from datetime import UTC, datetime
        from plimsoll.runtime.virtual_loop import run_virtual

        async def victim():
            try:
                await asyncio.sleep(1e9)
            finally:
                print("unwound")

        async def main(clock):
            clock.loop.spawn("w1", victim())
            clock.loop.spawn("w2", victim())
            clock.loop.freeze("w2")
            await asyncio.sleep(1)
            clock.loop.kill("w1")
            clock.loop.kill("w2")

        run_virtual(main, start=datetime(2022, 1, 1, tzinfo=UTC))
    """)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={"PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_timers_of_the_dead_do_not_move_time() -> None:
    async def main(clock: VirtualClock) -> None:
        loops.append(clock.loop)
        clock.loop.spawn("w1", asyncio.sleep(1000))
        await asyncio.sleep(1)
        clock.loop.kill("w1")
        await for_ever()

    loops: list[VirtualLoop] = []
    with pytest.raises(Deadlock) as caught:
        run(main)
    assert loops[0].time() == 1.0
    assert len(caught.value.waiting) == 1, "only main waits, the dead wait for nothing"


def test_a_kill_holds_for_what_is_ready_in_the_same_round() -> None:
    seen: list[str] = []

    async def main(clock: VirtualClock) -> None:
        clock.loop.call_soon(clock.loop.kill, "w1")
        clock.loop.call_soon(seen.append, "dead", context=context_of("w1"))
        clock.loop.call_soon(seen.append, "alive", context=context_of("w2"))
        await asyncio.sleep(1)

    run(main)
    assert seen == ["alive"]


def test_what_wakes_the_dead_is_dropped() -> None:
    seen: list[str] = []

    async def sleeper(news: asyncio.Future[None]) -> None:
        await news
        seen.append("woken")

    async def main(clock: VirtualClock) -> None:
        news = clock.loop.create_future()
        clock.loop.spawn("w1", sleeper(news))
        await asyncio.sleep(1)
        clock.loop.kill("w1")
        news.set_result(None)
        await asyncio.sleep(1)

    run(main)
    assert seen == []


def test_a_worker_that_crashes_stops_at_that_line_and_its_last_tasks_never_start() -> None:
    seen: list[str] = []

    async def last_words() -> None:
        seen.append("last words")

    async def work(loop: VirtualLoop) -> None:
        try:
            seen.append("before")
            loop.kill("w1")
            asyncio.create_task(last_words())  # noqa: RUF006
            await loop.crash()
        finally:
            seen.append("after")

    async def main(clock: VirtualClock) -> None:
        clock.loop.spawn("w1", work(clock.loop))
        await asyncio.sleep(1)

    run(main)
    gc.collect()
    assert seen == ["before"]


def test_a_request_sent_on_the_worlds_behalf_outlives_its_sender() -> None:
    seen: list[str] = []

    async def work(loop: VirtualLoop) -> None:
        loop.call_later(5, seen.append, "arrived", context=context_of(None))
        loop.call_later(5, seen.append, "own timer")
        await loop.crash()

    async def main(clock: VirtualClock) -> None:
        clock.loop.spawn("w1", work(clock.loop))
        await asyncio.sleep(10)

    run(main)
    assert seen == ["arrived"]


def test_the_dead_do_not_come_back_under_their_old_name() -> None:
    async def main(clock: VirtualClock) -> None:
        clock.loop.kill("w1")
        with pytest.raises(WorkerDead, match="needs a new name"):
            clock.loop.spawn("w1", for_ever())
        with pytest.raises(WorkerDead):
            clock.loop.freeze("w1")
        await clock.loop.spawn("w1 again", asyncio.sleep(1))

    run(main)


def test_asking_for_a_workers_context_leaves_the_asker_who_it_was() -> None:
    assert context_of("w1").get(worker) == "w1"
    assert copy_context().get(worker) is None


# --------------------------------------------------------------------------------------------- outside


def test_a_blocking_call_runs_inline_and_its_answer_takes_the_drawn_time() -> None:
    threads: list[int] = []

    def blocking(base: int, exponent: int) -> int:
        threads.append(threading.get_ident())
        return int(base**exponent)

    def fails() -> None:
        raise ValueError("disk full")

    async def main(clock: VirtualClock) -> tuple[int, float]:
        power: int = await clock.loop.run_in_executor(None, blocking, 2, 10)
        spent = clock.monotonic()
        with pytest.raises(ValueError, match="disk full"):
            await asyncio.to_thread(fails)
        for call in (threading.get_ident, fails):
            answer = clock.loop.run_in_executor(None, call)
            answer.cancel()
        await asyncio.sleep(10)
        return power, spent

    rng = random.Random(5)
    expected = random.Random(5).uniform(0, 2)
    power, spent = run_virtual(main, start=START, executor_latency=lambda: rng.uniform(0, 2))
    assert power == 1024
    assert spent == pytest.approx(expected, abs=1e-6)
    assert threads == [threading.get_ident()]


def test_without_a_drawn_latency_a_blocking_call_takes_no_time() -> None:
    async def main(clock: VirtualClock) -> tuple[str, float]:
        return await clock.loop.run_in_executor(None, str, 5), clock.monotonic()

    assert run(main) == ("5", 0.0)


@pytest.mark.parametrize("name", virtual_loop._REFUSED)
def test_the_outside_world_is_refused_by_name(name: str) -> None:
    loop = VirtualLoop()
    assert hasattr(asyncio.AbstractEventLoop, name), "asyncio knows the method we refuse"
    with pytest.raises(NotSimulated, match=f"{name} is not simulated"):
        getattr(loop, name)()
    loop.close()


def test_a_connection_through_asyncios_own_door_is_refused() -> None:
    async def main(clock: VirtualClock) -> None:
        await asyncio.open_connection("example.org", 443)

    with pytest.raises(NotSimulated, match="create_connection"):
        run(main)


# ----------------------------------------------------------------------------------------- determinism


def trace_of(seed: int) -> list[tuple[str | None, float]]:
    """A small world with everything at once: shuffle, latency, a freeze, a kill and a restart."""
    rng = random.Random(seed)
    seen: list[tuple[str | None, float]] = []

    async def work(clock: VirtualClock) -> None:
        while True:
            await asyncio.sleep(rng.choice((0, 0.5, 1)))
            await clock.loop.run_in_executor(None, seen.append, (worker.get(), clock.monotonic()))

    async def main(clock: VirtualClock) -> None:
        loop = clock.loop
        for number in range(10):
            loop.spawn(f"w{number}", work(clock))
        loop.call_later(5, loop.freeze, "w1")
        loop.call_later(9, loop.thaw, "w1")
        await asyncio.sleep(12)
        loop.kill("w2")
        loop.spawn("w2 again", work(clock))
        await asyncio.sleep(8)

    latency = random.Random(seed + 1)
    shuffle = random.Random(seed + 2)
    run_virtual(main, start=START, shuffle=shuffle, executor_latency=lambda: latency.lognormvariate(-3, 1))
    return seen


def test_the_same_seed_is_the_same_run() -> None:
    assert trace_of(1) == trace_of(1)
    assert trace_of(1) != trace_of(2)
    assert max(at for name, at in trace_of(1) if name == "w2") < 12.0
    assert not [at for name, at in trace_of(1) if name == "w1" and 5 < at < 9]
