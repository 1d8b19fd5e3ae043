"""Identities: the same wish has the same id on every machine, and public ids sort by time."""

import random
import string
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.errors import Illegal
from plimsoll.model.ids import (
    CLIENT_ORDER_ID_LENGTH,
    DESK_CODE_LENGTH,
    LONGEST_CLIENT_ORDER_ID,
    SHORTEST_CLIENT_ORDER_ID,
    AccountId,
    ClockedIds,
    IntentKey,
    UserId,
    client_order_id,
    is_ours,
    system_chance,
)

ALPHABET = set(string.ascii_uppercase + "234567")
accounts, users = st.integers(0, 10**9).map(AccountId), st.integers(0, 10**9).map(UserId)
keys = st.text(max_size=50).map(IntentKey)


def one_id(account: int = 1, user: int = 2, key: str = "k", desk: str = "DESK", length: int = 32) -> str:
    return client_order_id(desk, AccountId(account), UserId(user), IntentKey(key), length)


def test_the_id_is_computed_never_drawn() -> None:
    """The text is fixed for ever: a change here would resend every order that is in flight during an upgrade."""
    assert one_id() == "DESKITVXMGIQMKUBGR25DX6TAD4NBFTF"


@given(accounts, users, keys, st.integers(SHORTEST_CLIENT_ORDER_ID, LONGEST_CLIENT_ORDER_ID))
def test_length_alphabet_and_prefix(account: AccountId, user: UserId, key: IntentKey, length: int) -> None:
    """As long as the venue takes, of its letters, and ours by its first four; a shorter one is the longer one cut."""
    made = client_order_id("PLM2", account, user, key, length)
    assert len(made) == length
    assert set(made) <= ALPHABET
    assert made[:DESK_CODE_LENGTH] == "PLM2"
    assert is_ours("PLM2", made)
    assert client_order_id("PLM2", account, user, key, LONGEST_CLIENT_ORDER_ID).startswith(made)


def test_the_length_most_venues_take_is_the_default() -> None:
    """32 characters unless an adapter asks for fewer."""
    assert len(client_order_id("DESK", AccountId(1), UserId(2), IntentKey("k"))) == CLIENT_ORDER_ID_LENGTH == 32


def test_another_account_user_intent_or_desk_is_another_id() -> None:
    """Nothing that tells two wishes apart is lost; neighbouring numbers do not run into each other."""
    made = [
        one_id(),
        one_id(account=3),
        one_id(user=3),
        one_id(key="K"),
        one_id(desk="DESQ"),
        one_id(account=12, user=3),
        one_id(account=1, user=23),
        one_id(user=2, key="2|k"),
        one_id(user=22, key="k"),
    ]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize(
    "desk", ["", "DES", "DESKS", "desk", "DE K", "1ESK", "DES1", "DES0", "DES8", "ÄBCD", "DES٣", "DES\n"]
)
def test_a_desk_code_is_four_of_the_alphabet(desk: str) -> None:
    """A code outside the venue's alphabet would have every order of the desk refused."""
    with pytest.raises(Illegal, match="desk_code"):
        one_id(desk=desk)


@pytest.mark.parametrize("length", [-1, 0, 4, SHORTEST_CLIENT_ORDER_ID - 1, LONGEST_CLIENT_ORDER_ID + 1, 100])
def test_an_id_too_short_to_tell_wishes_apart_is_refused(length: int) -> None:
    """Cut to the prefix, all orders of the desk would be one order."""
    with pytest.raises(Illegal, match="length"):
        one_id(length=length)


@pytest.mark.parametrize("foreign", [None, "", "DES", "desk1234", "x-DESK", "1234"])
def test_foreign_orders_are_not_ours(foreign: str | None) -> None:
    """Without our prefix, or without any client id, it is somebody else's."""
    assert not is_ours("DESK", foreign)


class StoppedClock:
    """A clock that shows what it was set to."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0


times = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(times, st.integers())
def test_a_public_id_carries_version_variant_and_its_millisecond(now: datetime, seed: int) -> None:
    """RFC 9562: version 7, variant 10, 48 bits of milliseconds since 1970."""
    made = UUID(ClockedIds(StoppedClock(now), random.Random(seed)).uuid7())
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(times, times, st.integers())
def test_later_ids_sort_later(one: datetime, other: datetime, seed: int) -> None:
    """Text order is time order, to the millisecond."""
    clock = StoppedClock(one)
    ids = ClockedIds(clock, random.Random(seed))
    first = ids.uuid7()
    clock.time = other
    second = ids.uuid7()
    if abs(other - one) >= timedelta(milliseconds=1):
        assert (first < second) is (one < other)
    else:
        assert first != second


class HighestChance(random.Random):
    """Chance that always draws ones."""

    def getrandbits(self, k: int, /) -> int:
        return (1 << k) - 1


def test_chance_does_not_reach_the_version_or_the_time() -> None:
    """All ones drawn: 74 bits are set, the rest stays what it is."""
    made = ClockedIds(StoppedClock(datetime(1970, 1, 1, tzinfo=UTC)), HighestChance()).uuid7()
    assert made == "00000000-0000-7fff-bfff-ffffffffffff"


def test_the_same_seed_repeats_the_same_ids() -> None:
    """A replayed day has the day's ids."""
    now = datetime(2022, 1, 21, tzinfo=UTC)
    one, other = (ClockedIds(StoppedClock(now), random.Random(7)) for _ in range(2))
    assert [one.uuid7() for _ in range(5)] == [other.uuid7() for _ in range(5)]


def test_a_live_desk_draws_its_own_chance() -> None:
    """Two desks started in the same instant do not make the same ids."""
    assert system_chance().getrandbits(128) != system_chance().getrandbits(128)
