"""The door: a link once, a password after that, and nobody learns why he did not get in."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from plimsoll.ledger import keys
from plimsoll.model.clock import Clock
from plimsoll.model.errors import CommandRefused, TryAgain, Wait
from plimsoll.model.ids import ClockedIds, UserId
from plimsoll.people.actor import Right, Via
from plimsoll.people.hashing import AT_ONCE, MOST_WAITING, STRENGTH, Hasher, Strength
from plimsoll.people.people import People
from plimsoll.people.sessions import SESSIONS_OF_ONE
from plimsoll.people.tokens import SystemSecrets
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.connection import StoreFailed
from plimsoll.store.drivers import LoopDriver, ThreadDriver
from plimsoll.store.scribe import Unit
from tests.builders.ledger import NOON, assert_hot_equals_database, books_at
from tests.people.scenes import (
    ABROAD,
    ADA,
    BETTER,
    EVE,
    GOOD,
    GRACE,
    HOME,
    MINUTE,
    NEMO,
    QUICK,
    Door,
    SeededSecrets,
    play,
    refused,
)

# Links ----------------------------------------------------------------------------------------------------------------


def test_a_link_sets_the_password_signs_in_and_is_spent(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        assert door.people.needs_password(ADA.id)
        link = await door.people.new_link(ADA.id, "cli")
        session = await door.people.redeem_link(link, GOOD, HOME)
        assert not door.people.needs_password(ADA.id)
        actor = door.people.session(session)
        assert actor is not None
        assert (actor.user, actor.via, set(actor.rights)) == (ADA, Via.SESSION, {Right.READ, Right.TRADE})
        before = door.ways_in()
        await refused("link_invalid", door.people.redeem_link(link, BETTER, HOME))
        assert door.ways_in() == before
        await door.signs_in(ADA)
        assert door.notes() == [
            ("cli", "CREATE", "USER", ADA.uid),
            ("user:1", "LOGIN", "USER", ADA.uid),
            ("nobody", "REJECT", "USER", ""),
            ("user:1", "LOGIN", "USER", ADA.uid),
        ]

    play(tmp_path, story)


def test_used_ended_and_unknown_links_are_refused_in_the_same_words(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        used = await door.people.new_link(ADA.id, "cli")
        await door.people.redeem_link(used, GOOD, HOME)
        replaced = await door.people.new_link(ADA.id, "cli")
        ended = await door.people.new_link(ADA.id, "cli")
        await door.wait(30 * MINUTE)
        gone = await door.people.new_link(EVE.id, "cli")
        await door.becomes(EVE, active=False)
        before, words = door.ways_in(), []
        for number, link in enumerate((used, replaced, ended, gone, "no link at all", "", "x" * 201, "dé\ud800")):
            error = await refused("link_invalid", door.people.redeem_link(link, BETTER, f"192.0.2.{number}"))
            words.append(str(error.refusals))
        assert len(set(words)) == 1
        assert door.ways_in() == before

    play(tmp_path, story)


def test_a_link_lasts_half_an_hour_and_survives_a_restart(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        link = await door.people.new_link(ADA.id, "cli")
        await door.wait(30 * MINUTE - timedelta(seconds=1))
        door.restart()
        assert await door.people.redeem_link(link, GOOD, HOME)

    play(tmp_path, story)


def test_a_weak_password_leaves_the_link_good(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        link = await door.people.new_link(ADA.id, "cli")
        before = door.ways_in()
        await refused("password_too_short", door.people.redeem_link(link, "short", HOME))
        await refused("password_common", door.people.redeem_link(link, "password2024", HOME))
        assert door.ways_in() == before
        assert await door.people.redeem_link(link, GOOD, HOME)

    play(tmp_path, story)


def test_two_who_use_one_link_at_once_are_one(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        link = await door.people.new_link(ADA.id, "cli")
        said = (door.people.redeem_link(link, GOOD, HOME), door.people.redeem_link(link, BETTER, ABROAD))
        answers = await asyncio.gather(*said, return_exceptions=True)
        assert [isinstance(answer, CommandRefused) for answer in answers] == [False, True]
        assert door.live_sessions(ADA) == 1
        await door.signs_in(ADA)

    play(tmp_path, story)


def test_a_link_ends_the_sessions_before_it(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        first = await door.moves_in(ADA)
        eves = await door.moves_in(EVE)
        second = await door.moves_in(ADA, BETTER)
        assert door.people.session(first) is None
        assert door.people.session(second) is not None
        assert door.people.session(eves) is not None
        await door.fails(times=1)
        await door.signs_in(ADA, BETTER)

    play(tmp_path, story)


@pytest.mark.parametrize("user_id", [NEMO.id, UserId(99)])
def test_nobody_who_may_not_enter_gets_a_link(tmp_path: Path, user_id: UserId) -> None:
    async def story(door: Door) -> None:
        before = door.ways_in()
        await refused("user_unknown", door.people.new_link(user_id, "cli"))
        assert door.ways_in() == before
        assert door.notes() == []

    play(tmp_path, story)


def test_a_valid_link_opens_although_the_address_is_locked(tmp_path: Path) -> None:
    """Who sits at the desk's machine is never kept from it by what goes on at the door."""

    async def story(door: Door) -> None:
        for _ in range(5):
            await refused("link_invalid", door.people.redeem_link("no link", GOOD, HOME))
        notes = door.notes()
        with pytest.raises(Wait):
            await door.people.redeem_link("no link", GOOD, HOME)
        assert door.notes() == notes
        assert await door.moves_in(ADA)

    play(tmp_path, story)


# Passwords ------------------------------------------------------------------------------------------------------------


def test_everybody_who_does_not_get_in_hears_the_same(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        await door.moves_in(ADA)
        await door.moves_in(EVE)
        await door.becomes(EVE, active=False)
        before, words = door.ways_in(), set()
        wrong = [
            (ADA.name, "wrong"),
            ("Nobody", GOOD),
            (EVE.name, GOOD),
            (GRACE.name, GOOD),
            (NEMO.name, ""),
            ("ada", GOOD),
        ]
        wrong += [("dé\ud800\0", "\ud800"), (ADA.name, GOOD + " ")]
        for number, (name, password) in enumerate(wrong):
            error = await refused("sign_in_failed", door.people.sign_in(name, password, f"192.0.2.{number}"))
            words.add(str(error.refusals))
        assert len(words) == 1
        assert door.ways_in() == before
        # Whom it was aimed at is written where somebody has the name, and never what nobody has.
        assert [note[3] for note in door.notes("REJECT")] == ["u-1", "", "u-3", "u-2", "u-4", "", "", "u-1"]

    play(tmp_path, story)


def test_five_failures_lock_the_stranger_out_and_not_who_is_inside(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        inside = await door.moves_in(ADA)
        await door.fails(times=5)
        assert '"locked_seconds":"900"' in door.last_details()
        notes, before = door.notes(), door.ways_in()
        with pytest.raises(Wait) as told:
            await door.people.sign_in(ADA.name, GOOD, ABROAD)
        assert told.value.retry_after == 15 * MINUTE
        assert (door.notes(), door.ways_in()) == (notes, before)
        assert door.people.session(inside) is not None
        await door.signs_in(ADA)
        await door.wait(15 * MINUTE)
        await door.signs_in(ADA, origin=ABROAD)

    play(tmp_path, story)


def test_a_lock_made_by_others_does_not_bind_where_one_has_signed_in_before(tmp_path: Path) -> None:
    """Also after the session there has ended, and after a restart; and a quarter of a year later it is forgotten."""

    async def story(door: Door) -> None:
        actor = await door.enters(ADA)
        await door.people.sign_out(actor)
        door.restart()
        for number in range(5):
            await door.fails(origin=f"203.0.113.{number}")
        with pytest.raises(Wait):
            await door.people.sign_in(ADA.name, GOOD, "198.51.100.1")
        await door.signs_in(ADA, origin=HOME)
        await door.wait(timedelta(days=91))
        for number in range(5):
            await door.fails(origin=f"203.0.113.{number}")
        with pytest.raises(Wait):
            await door.people.sign_in(ADA.name, GOOD, HOME)

    play(tmp_path, story)


def test_names_that_nobody_has_are_locked_alike(tmp_path: Path) -> None:
    """Else the lock would tell who has an account."""

    async def story(door: Door) -> None:
        for number in range(5):
            await door.fails("Nobody", f"203.0.113.{number}")
        with pytest.raises(Wait):
            await door.people.sign_in("Nobody", GOOD, ABROAD)

    play(tmp_path, story)


def test_a_thousand_guesses_at_once_are_five(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        await door.moves_in(ADA)
        guesses = (door.people.sign_in(ADA.name, f"guess {number}", ABROAD) for number in range(1_000))
        answers = await asyncio.gather(*guesses, return_exceptions=True)
        assert sum(isinstance(answer, CommandRefused) for answer in answers) == 5
        assert sum(isinstance(answer, Wait) for answer in answers) == 995
        assert len(door.notes("REJECT")) == 5

    play(tmp_path, story)


def test_who_is_deactivated_between_password_and_session_stays_outside(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        await door.moves_in(ADA)
        before = door.live_sessions(ADA)
        coming = asyncio.ensure_future(door.people.sign_in(ADA.name, GOOD, HOME))
        writing = asyncio.ensure_future(_deactivated_behind_the_look_up(door))
        await refused("sign_in_failed", _await(coming))
        await writing
        assert door.live_sessions(ADA) == before

    async def _await(future: "asyncio.Future[str]") -> str:
        return await future

    async def _deactivated_behind_the_look_up(door: Door) -> None:
        await door.flush()
        await door.becomes(ADA, active=False)

    play(tmp_path, story)


def test_weaker_hashes_are_made_anew_at_the_next_sign_in(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        await door.moves_in(ADA)
        (before,) = door.rows("SELECT hash, changed_at FROM passwords")
        await door.wait(MINUTE)
        door.restart(Strength(memory_kib=16, passes=2))
        await door.signs_in(ADA)
        (after,) = door.rows("SELECT hash, changed_at FROM passwords")
        found = extract_parameters(after[0])
        assert (found.type, found.memory_cost, found.time_cost) == (Type.ID, 16, 2)
        assert after[1] == before[1]
        await door.signs_in(ADA)
        assert door.rows("SELECT hash, changed_at FROM passwords") == [after]

    play(tmp_path, story)


def test_a_password_row_that_cannot_be_read_lets_nobody_in_and_a_link_mends_it(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        await door.moves_in(ADA)
        door.restart()
        broken = replace(door.driver.hot.get(keys.password(ADA.id)), hash="not what argon2 writes")
        door.driver.hot.publish({keys.password(ADA.id): broken})
        await refused("sign_in_failed", door.people.sign_in(ADA.name, GOOD, HOME))
        assert await door.moves_in(ADA)

    play(tmp_path, story)


def test_a_failure_that_cannot_be_written_is_a_failure_all_the_same(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        await door.moves_in(ADA)
        full = _FullDisk(door.driver)
        people = People(full, door.clock, ClockedIds(door.clock, random.Random(9)), door.secrets, strength=QUICK)
        await refused("sign_in_failed", people.sign_in(ADA.name, "wrong", HOME))
        full.writes_left = 1
        before = door.ways_in()
        with pytest.raises(StoreFailed):
            await people.sign_in(ADA.name, GOOD, HOME)
        assert door.ways_in() == before

    play(tmp_path, story)


class _FullDisk(LoopDriver):
    """The way to the scribe; after so many writes the disk is full."""

    def __init__(self, inner: LoopDriver) -> None:
        super().__init__(inner._scribe, on_failure=inner._on_failure)
        self.writes_left = 1

    async def write(self, unit: Unit) -> object:
        self.writes_left -= 1
        if self.writes_left < 0:
            raise StoreFailed("database or disk is full")
        return await super().write(unit)


def test_twenty_sessions_are_the_most_and_the_oldest_gives_way(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        first = await door.moves_in(ADA)
        second = ""
        for number in range(SESSIONS_OF_ONE):
            await door.wait(timedelta(seconds=1))
            if number == SESSIONS_OF_ONE - 1:  # the first was used since, so it is not the oldest any more
                assert door.people.session(first) is not None
            token = await door.people.sign_in(ADA.name, GOOD, HOME)
            second = second or token
        assert door.live_sessions(ADA) == SESSIONS_OF_ONE
        assert door.people.session(first) is not None
        assert door.people.session(second) is None

    play(tmp_path, story)


def test_signing_in_again_from_the_same_browser_ends_the_session_it_held(tmp_path: Path) -> None:
    """Nobody could leave it any more: its token is in no browser."""

    async def story(door: Door) -> None:
        held = await door.moves_in(ADA)
        elsewhere = await door.people.sign_in(ADA.name, GOOD, ABROAD)
        before = door.people.session(held)
        assert before is not None
        fresh = await door.people.sign_in(ADA.name, GOOD, HOME, replaces=held)
        assert door.people.session(held) is None
        assert not door.people.is_alive(before)
        assert door.people.session(elsewhere) is not None
        assert door.people.session(fresh) is not None
        assert before.token_uid in door.last_details()
        assert "replaces" in door.last_details()
        door.restart()
        assert door.people.session(held) is None

    play(tmp_path, story)


def test_a_sign_in_ends_nobody_else_s_session_and_a_failed_one_ends_none(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        await door.moves_in(ADA)
        eves, held = await door.moves_in(EVE), await door.people.sign_in(ADA.name, GOOD, HOME)
        _, key = await door.people.make_key(await door.enters(GRACE), "robot", ["read"], 1, None)
        for other in (eves, key, "no token", "", "dé\ud800", "x" * 201):
            await door.people.sign_in(ADA.name, GOOD, HOME, replaces=other)
            assert "replaces" not in door.last_details()
        assert door.people.session(eves) is not None
        assert door.people.key(key, HOME) is not None
        await refused("sign_in_failed", door.people.sign_in(ADA.name, "a wrong guess at it", HOME, replaces=held))
        await refused("sign_in_failed", door.people.sign_in("Nobody", GOOD, HOME, replaces=held))
        assert door.people.session(held) is not None
        assert door.live_sessions(ADA) == 8

    play(tmp_path, story)


def test_who_replaces_his_session_loses_no_other_when_he_has_twenty(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        tokens = [await door.moves_in(ADA)]
        for _ in range(SESSIONS_OF_ONE - 1):
            await door.wait(timedelta(seconds=1))
            tokens.append(await door.people.sign_in(ADA.name, GOOD, HOME))
        tokens.append(await door.people.sign_in(ADA.name, GOOD, HOME, replaces=tokens[10]))
        assert [door.people.session(token) is not None for token in tokens] == [
            number != 10 for number in range(SESSIONS_OF_ONE + 1)
        ]

    play(tmp_path, story)


# Another password -----------------------------------------------------------------------------------------------------


def test_another_password_ends_the_other_sessions_and_keeps_this_one(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        here = await door.enters(ADA)
        elsewhere = await door.signs_in(ADA, origin=ABROAD)
        await door.people.change_password(here, GOOD, BETTER)
        assert door.people.is_alive(here)
        assert not door.people.is_alive(elsewhere)
        await door.fails(times=1)
        await refused("sign_in_failed", door.people.sign_in(ADA.name, GOOD, HOME))
        await door.signs_in(ADA, BETTER)
        assert ("user:1", "UPDATE", "USER", ADA.uid) in door.notes()

    play(tmp_path, story)


def test_another_password_needs_the_present_one_and_a_good_one(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        actor = await door.enters(ADA)
        before = door.ways_in()
        await refused("password_too_short", door.people.change_password(actor, GOOD, "short"))
        await refused("password_unchanged", door.people.change_password(actor, GOOD, GOOD))
        for _ in range(5):
            await refused("password_wrong", door.people.change_password(actor, "wrong", BETTER))
        with pytest.raises(Wait):
            await door.people.change_password(actor, GOOD, BETTER)
        assert door.ways_in() == before
        assert len(door.notes("REJECT")) == 5
        # The door is another matter.
        await door.signs_in(ADA)
        await door.wait(15 * MINUTE)
        await door.people.change_password(actor, GOOD, BETTER)

    play(tmp_path, story)


def test_of_two_changes_at_once_one_counts(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        actor = await door.enters(ADA)
        other = await door.signs_in(ADA)
        said = (door.people.change_password(each, GOOD, f"{BETTER} {each.token_uid}") for each in (actor, other))
        answers = await asyncio.gather(*said, return_exceptions=True)
        assert answers[0] is None
        assert isinstance(answers[1], CommandRefused)
        await door.signs_in(ADA, f"{BETTER} {actor.token_uid}")

    play(tmp_path, story)


def test_a_password_that_changed_under_the_same_session_is_not_overwritten(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        actor = await door.enters(ADA)
        said = (door.people.change_password(actor, GOOD, f"{BETTER} {number}") for number in range(2))
        answers = await asyncio.gather(*said, return_exceptions=True)
        assert [type(answer) for answer in answers] == [type(None), CommandRefused]
        await door.signs_in(ADA, f"{BETTER} 0")

    play(tmp_path, story)


# Hashes ---------------------------------------------------------------------------------------------------------------


def on_virtual_loop(story: Callable[[VirtualClock], Coroutine[object, object, None]], latency: float = 0) -> None:
    run_virtual(story, start=NOON, executor_latency=lambda: latency)


def test_nobody_s_password_is_compared_at_the_same_cost() -> None:
    """An unknown name takes as long as a wrong password: the same parameters, the same length."""
    hasher = Hasher(SeededSecrets(1), STRENGTH)
    found = extract_parameters(hasher._nobody)
    assert (found.memory_cost, found.time_cost, found.parallelism) == (STRENGTH.memory_kib, STRENGTH.passes, 1)

    async def story(_clock: VirtualClock) -> None:
        hashed = await hasher.hash(GOOD)
        assert extract_parameters(hashed) == found
        assert len(hashed) == len(hasher._nobody)
        assert await hasher.matches(hashed, GOOD)
        assert not await hasher.matches(hashed, BETTER)
        assert not await hasher.matches(None, GOOD)

    on_virtual_loop(story)


def test_the_strength_is_owasp_s_least_or_more() -> None:
    assert STRENGTH.memory_kib >= 19_456
    assert STRENGTH.passes >= 2


def test_few_hash_at_once_and_a_crowd_is_told_to_come_back() -> None:
    async def story(_clock: VirtualClock) -> None:
        hasher = Hasher(SeededSecrets(1), QUICK)
        room = AT_ONCE + MOST_WAITING
        answers = await asyncio.gather(*(hasher.hash(GOOD) for _ in range(room + 1)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [str] * room + [Wait]
        assert len(set(answers)) == room + 1  # a salt for each

    on_virtual_loop(story)


def test_who_hangs_up_keeps_his_place_until_his_hash_is_done() -> None:
    """A thread cannot be stopped: an impatient visitor must not start more of them than a patient one."""

    async def story(_clock: VirtualClock) -> None:
        hasher = Hasher(SeededSecrets(1), QUICK)
        impatient = [asyncio.ensure_future(hasher.hash(GOOD)) for _ in range(AT_ONCE + MOST_WAITING)]
        await asyncio.sleep(0.5)
        for each in impatient:
            each.cancel()
        await asyncio.gather(*impatient, return_exceptions=True)
        with pytest.raises(Wait):
            await hasher.hash(GOOD)
        await asyncio.sleep(60)
        assert await hasher.hash(GOOD)

    on_virtual_loop(story, latency=1)


def test_a_hash_that_cannot_be_made_now_is_no_wrong_password(tmp_path: Path) -> None:
    """No memory left, most of all; here parameters that argon2 refuses."""

    async def story(door: Door) -> None:
        await door.moves_in(ADA)
        broken = Strength(memory_kib=8, passes=0)
        door.restart(broken)
        for _ in range(6):
            with pytest.raises(TryAgain):
                await door.people.sign_in("Nobody", GOOD, HOME)
        # The right password of a hash that can be read still opens; it is hashed anew another time.
        await door.signs_in(ADA)

    play(tmp_path, story)


def test_the_event_loop_goes_on_while_a_password_is_hashed(tmp_path: Path) -> None:
    """On a real loop and real threads, with the desk's own driver and secrets."""
    path = tmp_path / "desk.db"

    async def main() -> None:
        books = books_at(path).open()
        failures: list[BaseException] = []
        driver = ThreadDriver(books.scribe, asyncio.get_running_loop(), on_failure=failures.append)
        clock = _Noon()
        people = People(driver, clock, ClockedIds(clock, random.Random(1)), SystemSecrets())
        link = await people.new_link(ADA.id, "cli")
        coming = asyncio.ensure_future(people.redeem_link(link, GOOD, HOME))
        turns = 0
        while not coming.done():
            turns += 1
            await asyncio.sleep(0)
        assert turns > 50
        assert people.session(coming.result()) is not None
        token = await people.sign_in(ADA.name, GOOD, HOME)
        actor = people.session(token)
        assert actor is not None
        await people.sign_out(actor)
        assert people.session(token) is None
        assert failures == []
        assert_hot_equals_database(books)
        await driver.close()

    asyncio.run(main())


class _Noon(Clock):
    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0
