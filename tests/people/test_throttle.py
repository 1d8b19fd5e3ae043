"""Five failures in a quarter of an hour, then patience; nobody is kept out by what others do."""

import asyncio
from datetime import datetime, timedelta

import pytest

from plimsoll.model.errors import TryAgain, Wait
from plimsoll.people.throttle import ROOM, Door, Throttle, origin_of
from tests.builders.ledger import NOON

MINUTE = timedelta(minutes=1)
HERE, THERE = "192.0.2.1", "203.0.113.9"


class Hour:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def passes(self, time: timedelta) -> None:
        self.now += time


def tries(door: Door, hour: Hour, *, right: bool, name: str = "Ada", origin: str = HERE, at_home: bool = False) -> None:
    with door.attempt(name, origin, at_home=at_home, now=hour) as attempt:
        attempt.succeeded = right


def waits(door: Door, hour: Hour, *, name: str = "Ada", origin: str = HERE, at_home: bool = False) -> timedelta:
    with pytest.raises(Wait) as told, door.attempt(name, origin, at_home=at_home, now=hour):
        pytest.fail("let in")
    return told.value.retry_after


def test_the_sixth_try_waits_and_each_lock_is_longer_up_to_an_hour() -> None:
    door, hour = Door(), Hour()
    for minutes in (15, 30, 60, 60):
        for _ in range(5):
            tries(door, hour, right=False)
        assert waits(door, hour) == minutes * MINUTE
        hour.passes(minutes * MINUTE - timedelta(seconds=1))
        assert waits(door, hour) == timedelta(seconds=1)
        hour.passes(timedelta(seconds=1))
    tries(door, hour, right=True)


def test_after_a_quiet_day_a_lock_is_short_again() -> None:
    door, hour = Door(), Hour()
    for _ in range(2):
        for _ in range(5):
            tries(door, hour, right=False)
        hour.passes(timedelta(hours=1))
    hour.passes(timedelta(days=1))
    for _ in range(5):
        tries(door, hour, right=False)
    assert waits(door, hour) == 15 * MINUTE


def test_failures_are_forgotten_after_a_quarter_of_an_hour() -> None:
    door, hour = Door(), Hour()
    for _ in range(20):
        tries(door, hour, right=False)
        hour.passes(4 * MINUTE)  # never five within fifteen minutes


def test_an_account_is_locked_for_strangers_and_open_at_home() -> None:
    """The lock that an attacker brings about is not the owner's; nor is the right password tried abroad."""
    door, hour = Door(), Hour()
    for number in range(5):
        tries(door, hour, right=False, origin=f"203.0.113.{number}")
    assert waits(door, hour, origin=THERE) == 15 * MINUTE
    tries(door, hour, right=True, at_home=True)
    assert waits(door, hour, origin=THERE) == 15 * MINUTE
    tries(door, hour, right=True, name="Grace", origin=THERE)


def test_at_home_one_s_own_failures_count() -> None:
    door, hour = Door(), Hour()
    for _ in range(5):
        tries(door, hour, right=False, at_home=True)
    assert waits(door, hour, at_home=True) == 15 * MINUTE


def test_an_address_is_locked_whoever_it_names() -> None:
    door, hour = Door(), Hour()
    for number in range(5):
        tries(door, hour, right=False, name=f"user {number}")
    assert waits(door, hour, name="Grace") == 15 * MINUTE
    tries(door, hour, right=True, name="Grace", origin=THERE)


def test_a_success_of_one_s_own_does_not_wash_away_guesses_at_another_s() -> None:
    door, hour = Door(), Hour()
    for _ in range(4):
        tries(door, hour, right=False, name="Ada")
        tries(door, hour, right=True, name="Eve")
    tries(door, hour, right=False, name="Ada")
    assert waits(door, hour, name="Eve") == 15 * MINUTE


def test_a_success_takes_back_one_s_own_mistypes() -> None:
    door, hour = Door(), Hour()
    for _ in range(10):
        for _ in range(4):
            tries(door, hour, right=False)
        tries(door, hour, right=True)


def test_those_under_way_count_and_a_thousand_at_once_are_five() -> None:
    door, hour = Door(), Hour()
    inside = []
    for _ in range(5):
        attempt = door.attempt("Ada", HERE, at_home=False, now=hour)
        attempt.__enter__().succeeded = True
        inside.append(attempt)
    assert waits(door, hour) == timedelta(seconds=1)
    assert waits(door, hour, name="Grace") == timedelta(seconds=1)
    for attempt in inside:
        attempt.__exit__(None, None, None)
    tries(door, hour, right=True)


def test_who_hangs_up_has_failed_and_who_could_not_be_answered_has_not() -> None:
    door, hour = Door(), Hour()
    for _ in range(20):
        with pytest.raises(TryAgain), door.attempt("Ada", HERE, at_home=False, now=hour):
            raise TryAgain("no memory left")
    for _ in range(5):
        with pytest.raises(asyncio.CancelledError), door.attempt("Ada", HERE, at_home=False, now=hour):
            raise asyncio.CancelledError
    assert waits(door, hour) == 15 * MINUTE


def test_the_attempt_that_locks_says_so() -> None:
    door, hour = Door(), Hour()
    locks = []
    for _ in range(5):
        with door.attempt("Ada", HERE, at_home=False, now=hour) as attempt:
            pass
        locks.append(attempt.lock)
    assert locks == [None, None, None, None, 15 * MINUTE]


def test_a_flood_of_names_is_forgotten_from_its_old_end_and_not_those_inside() -> None:
    throttle = Throttle()
    throttle.begin("inside")
    for number in range(ROOM + 10):
        throttle.begin(f"name {number}")
        throttle.end(f"name {number}", "", NOON, failed=True)
    for _ in range(4):
        throttle.begin(f"name {ROOM + 9}")
        throttle.end(f"name {ROOM + 9}", "", NOON, failed=True)
    assert throttle.wait(f"name {ROOM + 9}", NOON) == 15 * MINUTE
    assert len(throttle._counted) == ROOM
    throttle.end("inside", "", NOON, failed=True)
    assert throttle.wait("inside", NOON) is None


def test_a_room_full_of_attempts_under_way_forgets_none() -> None:
    throttle = Throttle()
    for number in range(ROOM + 2):
        throttle.begin(str(number))
    for number in range(ROOM + 2):
        throttle.end(str(number), "", NOON, failed=False)
    assert throttle._counted == {}


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("192.0.2.1%<b>forged</b>", "192.0.2.1"),
        ("", "unknown"),
        ("testclient", "unknown"),
        ("192.0.2.1, 203.0.113.9", "unknown"),
        ("the owner's own room\n", "unknown"),
        ("x" * 500, "unknown"),
    ],
)
def test_an_origin_is_an_address_or_a_network_that_one_person_holds(address: str, origin: str) -> None:
    assert origin_of(address) == origin
