"""Who turns the crank: the event loop in simulation, a thread in production. Both give the same answers."""

import asyncio
import decimal
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plimsoll.ledger.books import write_meta
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.connection import StoreFailed
from plimsoll.store.draft import Draft
from plimsoll.store.drivers import Driver, LoopDriver, ThreadDriver
from plimsoll.store.scribe import HEADS, Unit
from tests.builders.ledger import NOON, Books, assert_hot_equals_database, books_at, books_in_memory, paying


def fail(error: BaseException) -> None:
    raise error


def on_virtual_loop(story: Callable[[Books, VirtualClock], Coroutine[Any, Any, None]]) -> Books:
    """Tell a story on the virtual loop, then compare memory and database."""
    books = books_in_memory().open()
    run_virtual(lambda clock: story(books, clock), start=NOON)
    assert_hot_equals_database(books)
    return books


def raising(_draft: Draft) -> None:
    raise ValueError("a unit of its own mistake")


def saying(what: str) -> Unit:
    return lambda draft: write_meta(draft, "progress", what)


def groups(books: Books) -> int:
    """Count commits since the account was opened."""
    return int(books.get(HEADS).group) - 1


def test_what_waits_at_the_same_moment_is_one_commit() -> None:
    """Sixteen writers, one group, each with its own answer."""

    async def story(books: Books, _clock: VirtualClock) -> None:
        driver = LoopDriver(books.scribe, on_failure=fail)
        assert driver.hot is books.scribe.hot
        answers = await asyncio.gather(*(driver.write(paying("1", f"r{number % 15}")) for number in range(16)))
        assert answers == [True] * 15 + [False]

    books = on_virtual_loop(story)
    assert groups(books) == 1
    assert books.balance("spot", "USDT") == 15


def test_delay_and_group_size_can_be_drawn() -> None:
    """The acknowledgement comes after the drawn delay, and a small group leaves the rest for the next."""

    async def story(books: Books, clock: VirtualClock) -> None:
        driver = LoopDriver(books.scribe, on_failure=fail, delay=lambda: 0.25, group_size=lambda: 2)
        answers = [asyncio.ensure_future(driver.write(paying("1", f"r{number}"))) for number in range(3)]
        await answers[0]
        assert clock.monotonic() == 0.25
        assert [answer.done() for answer in answers[1:]] == [True, False]
        await answers[2]
        assert clock.monotonic() == 0.5

    assert groups(on_virtual_loop(story)) == 2


def test_a_unit_s_failure_is_its_caller_s() -> None:
    async def story(books: Books, _clock: VirtualClock) -> None:
        driver = LoopDriver(books.scribe, on_failure=fail)
        units = (paying("1", "r"), raising)
        answers: list[Any] = await asyncio.gather(*map(driver.write, units), return_exceptions=True)
        assert answers[0] is True
        assert isinstance(answers[1], ValueError)

    on_virtual_loop(story)


def test_an_error_that_a_future_cannot_carry_still_arrives() -> None:
    """A unit that calls `next` once too often must not leave its caller waiting for ever."""

    async def story(books: Books, _clock: VirtualClock) -> None:
        driver = LoopDriver(books.scribe, on_failure=fail)
        nothing: list[int] = []
        with pytest.raises(RuntimeError, match="StopIteration"):
            await driver.write(lambda _draft: next(iter(nothing)))

    on_virtual_loop(story)


def test_a_caller_that_was_cancelled_leaves_the_commit_standing() -> None:
    """Its deposit is booked; nobody hears of it."""

    async def story(books: Books, _clock: VirtualClock) -> None:
        driver = LoopDriver(books.scribe, on_failure=fail)
        caller = asyncio.ensure_future(driver.write(paying("1", "r")))
        await asyncio.sleep(0)
        caller.cancel()
        assert await driver.write(paying("1", "r")) is False

    assert on_virtual_loop(story).balance("spot", "USDT") == 1


def test_posted_units_go_with_the_next_group() -> None:
    """Nobody waits for them: they cost no commit of their own."""

    async def story(books: Books, _clock: VirtualClock) -> None:
        driver = LoopDriver(books.scribe, on_failure=fail)
        driver.post(paying("1", "a"))
        driver.post(paying("1", "b"))
        assert groups(books) == 0
        await driver.write(paying("1", "c"))

    books = on_virtual_loop(story)
    assert groups(books) == 1
    assert books.balance("spot", "USDT") == 3


def test_posted_units_do_not_pile_up_and_a_close_writes_the_rest() -> None:
    async def story(books: Books, _clock: VirtualClock) -> None:
        driver = LoopDriver(books.scribe, on_failure=fail, post_limit=2)
        for number in range(5):
            driver.post(paying("1", f"r{number}"))
        assert groups(books) == 2
        assert books.scribe.waiting == 1

    books = on_virtual_loop(story)
    assert books.balance("spot", "USDT") == 4


def test_of_several_posts_under_one_name_the_last_counts() -> None:
    """And it goes in line before whatever is written later."""

    async def story(books: Books, _clock: VirtualClock) -> None:
        driver = LoopDriver(books.scribe, on_failure=fail, post_limit=4)
        for number in range(3):
            driver.post_latest("progress", saying(str(number)))
        assert driver.is_posted("progress")
        assert not driver.is_posted("equity")
        seen = await driver.write(lambda draft: draft.get(("meta", "progress")))
        assert seen == "2"
        assert not driver.is_posted("progress")
        for number in range(4):
            driver.post_latest("progress", saying(f"{number} more"))
        assert books.get(("meta", "progress")) == "3 more"

    assert groups(on_virtual_loop(story)) == 2


def test_a_close_writes_what_waits(tmp_path: Path) -> None:
    async def story(_clock: VirtualClock) -> None:
        books = books_at(tmp_path / "desk.db").open()
        driver = LoopDriver(books.scribe, on_failure=fail, group_size=lambda: 1)
        driver.post(paying("1", "a"))
        driver.post(paying("1", "b"))
        await driver.close()
        with pytest.raises(StoreFailed):
            await driver.write(paying("1", "c"))

    run_virtual(story, start=NOON)
    again = books_at(tmp_path / "desk.db")
    assert again.balance("spot", "USDT") == 2
    again.close()


def test_the_failure_of_a_posted_unit_is_told() -> None:
    """And one that cannot even be told does not keep the others' answers back."""
    told: list[BaseException] = []
    reported: list[dict[str, Any]] = []

    async def story(books: Books, clock: VirtualClock) -> None:
        clock.loop.set_exception_handler(lambda _loop, context: reported.append(context))
        driver = LoopDriver(books.scribe, on_failure=told.append)
        driver.post(raising)
        assert await driver.write(paying("1", "a")) is True
        deaf = LoopDriver(books.scribe, on_failure=fail)
        deaf.post(raising)
        assert await deaf.write(paying("1", "b")) is True

    on_virtual_loop(story)
    assert [type(error) for error in told] == [ValueError]
    assert [type(context["exception"]) for context in reported] == [ValueError]


def in_a_thread(tmp_path: Path, story: Callable[[Driver], Coroutine[Any, Any, None]], **options: Any) -> Books:
    """Tell a story with the thread on a real loop, on a real file; then open the file again."""
    books = books_at(tmp_path / "desk.db").open()

    async def main() -> None:
        options.setdefault("on_failure", fail)
        driver = ThreadDriver(books.scribe, asyncio.get_running_loop(), **options)
        assert driver.hot is books.scribe.hot
        try:
            await story(driver)
        finally:
            await driver.close()
        with pytest.raises(StoreFailed, match="closed"):
            await driver.write(paying("1", "late"))

    asyncio.run(main())
    again = books_at(tmp_path / "desk.db")
    assert again.scribe.hot.snapshot() == books.scribe.hot.snapshot()
    return again


def test_a_thread_writes_and_the_answers_come_back_on_the_loop(tmp_path: Path) -> None:
    async def story(driver: Driver) -> None:
        answers = await asyncio.gather(*(driver.write(paying("1", f"r{number}")) for number in range(50)))
        assert answers == [True] * 50
        with pytest.raises(ValueError, match="mistake"):
            await driver.write(raising)

    books = in_a_thread(tmp_path, story, group_limit=7)
    assert books.balance("spot", "USDT") == 50
    assert groups(books) >= 8, "no group is larger than its limit"
    books.close()


def test_a_thread_writes_posted_units_before_it_ends(tmp_path: Path) -> None:
    """Without anybody waiting; and tells the failure of one."""
    told: list[BaseException] = []

    async def story(driver: Driver) -> None:
        driver.post(lambda draft: write_meta(draft, "posted", "yes"))
        driver.post(raising)

    books = in_a_thread(tmp_path, story, on_failure=told.append)
    assert books.get(("meta", "posted")) == "yes"
    assert [type(error) for error in told] == [ValueError]
    books.close()


def test_a_thread_writes_the_last_of_several_posts_under_one_name(tmp_path: Path) -> None:
    """Before whatever is written later; and none after the books are closed."""
    told: list[BaseException] = []
    kept: list[Driver] = []

    async def story(driver: Driver) -> None:
        kept.append(driver)
        for number in range(100):
            driver.post_latest("progress", saying(str(number)))
        assert await driver.write(lambda draft: draft.get(("meta", "progress"))) == "99"
        assert not driver.is_posted("progress")

    in_a_thread(tmp_path, story, on_failure=told.append).close()
    kept[0].post_latest("progress", saying("late"))
    assert [str(error) for error in told] == ["the books are closed"]


def test_arithmetic_is_exact_in_the_scribe_s_thread(tmp_path: Path) -> None:
    """A fresh thread starts with 28 digits and silent rounding unless told otherwise."""

    async def story(driver: Driver) -> None:
        with pytest.raises(decimal.Inexact):
            await driver.write(lambda _draft: Decimal(1) / 3)

    in_a_thread(tmp_path, story).close()
