"""Inside: sessions and keys are known from memory, end when they must, and never do more than their user may."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from plimsoll.ledger import people as rows
from plimsoll.ledger.people import KeyRecord, SessionRecord
from plimsoll.model.errors import CommandRefused, Illegal
from plimsoll.model.ids import PortfolioId, UserId
from plimsoll.people.actor import Actor, Right, Via
from plimsoll.people.sessions import rights_of
from plimsoll.people.tokens import SystemSecrets, may_be_ours
from plimsoll.people.uses import MOST_REFUSALS_TOLD, MOST_USES_TOLD, Seldom, Uses
from plimsoll.store.draft import Row
from tests.builders.ledger import NOON
from tests.people.scenes import (
    ABROAD,
    ADA,
    ADAS,
    EVE,
    GOOD,
    GRACE,
    GRACES,
    GRACES_OTHER,
    HOME,
    MINUTE,
    NEMO,
    VERA,
    Door,
    play,
    refused,
)

ALL_RIGHTS = ("read", "trade", "admin")


async def key_of_grace(door: Door, *rights: str, days: int = 90, portfolios: Any = None) -> tuple[KeyRecord, str]:
    """Let Grace, who is admin, make a key."""
    grace = await door.enters(GRACE)
    return await door.people.make_key(grace, "robot", rights or ALL_RIGHTS, days, portfolios)


def holder(door: Door, secret: str, origin: str = HOME) -> Actor:
    actor = door.people.key(secret, origin)
    assert actor is not None
    return actor


# Sessions -------------------------------------------------------------------------------------------------------------


def test_a_session_ends_half_an_hour_after_its_last_use(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        token = await door.moves_in(ADA)
        actor = door.people.session(token)
        assert actor is not None
        for _ in range(3):
            await door.wait(30 * MINUTE - timedelta(seconds=1))
            assert door.people.is_alive(actor)
            assert door.people.session(token) == actor
        await door.wait(30 * MINUTE)
        assert not door.people.is_alive(actor)
        assert door.people.session(token) is None

    play(tmp_path, story)


def test_watching_a_stream_is_no_use(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        actor = await door.enters(ADA)
        for _ in range(29):
            await door.wait(MINUTE)
            assert door.people.is_alive(actor)
        await door.wait(MINUTE)
        assert not door.people.is_alive(actor)

    play(tmp_path, story)


def test_a_session_ends_after_half_a_day_whatever_it_is_used_for(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        token = await door.moves_in(ADA)
        for _ in range(47):
            await door.wait(15 * MINUTE)
            assert door.people.session(token) is not None
        await door.wait(15 * MINUTE)
        assert door.people.session(token) is None

    play(tmp_path, story)


def test_a_restart_keeps_sessions_and_loses_at_most_a_minute_of_their_use(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        token = await door.moves_in(ADA)
        await door.wait(20 * MINUTE)
        assert door.people.session(token) is not None
        await door.wait(MINUTE - timedelta(seconds=1))
        assert door.people.session(token) is not None  # within the minute: in memory only
        await door.flush()
        door.restart()
        await door.wait(29 * MINUTE)
        assert door.people.session(token) is not None
        await door.flush()
        door.restart()
        await door.wait(30 * MINUTE)
        assert door.people.session(token) is None

    play(tmp_path, story)


def test_a_thousand_uses_within_a_minute_are_one_row_at_most(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        token = await door.moves_in(ADA)
        await door.wait(2 * MINUTE)
        before = door.rows("SELECT group_number FROM heads")[0][0]
        for _ in range(1_000):
            assert door.people.session(token) is not None
            await door.flush()
        assert door.rows("SELECT group_number FROM heads")[0][0] == before + 1
        seen = door.rows("SELECT last_seen_at FROM sessions WHERE ended_at IS NULL")
        assert seen == [("2022-01-21T12:02:00.000000Z",)]

    play(tmp_path, story)


def test_signing_out_ends_this_session_at_once_and_for_ever(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        token = await door.moves_in(ADA)
        actor, other = door.people.session(token), await door.signs_in(ADA)
        assert actor is not None
        await door.wait(2 * MINUTE)
        door.people.session(token)  # posts its use, which must not bring the session back
        await door.people.sign_out(actor)
        assert not door.people.is_alive(actor)
        assert door.people.session(token) is None
        assert door.people.is_alive(other)
        before = (door.ways_in(), door.notes())
        await door.people.sign_out(actor)
        await refused("token_ended", door.people.change_password(actor, GOOD, "another fine sentence"))
        await refused("token_ended", door.people.make_key(actor, "robot", ["read"], 1, None))
        door.restart()
        assert door.people.session(token) is None
        assert (door.ways_in(), door.notes()) == before

    play(tmp_path, story)


def test_signing_out_everywhere_ends_all_of_one_s_own_and_no_other(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        adas = [await door.enters(ADA), await door.signs_in(ADA), await door.signs_in(ADA, origin=ABROAD)]
        eve = await door.enters(EVE)
        assert await door.people.sign_out_everywhere(adas[0]) == 3
        assert [door.people.is_alive(actor) for actor in (*adas, eve)] == [False, False, False, True]
        notes = door.notes()
        assert await door.people.sign_out_everywhere(adas[0]) == 0
        assert door.notes() == notes

    play(tmp_path, story)


def test_who_is_deactivated_is_still_known_and_may_nothing(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        token = await door.moves_in(ADA)
        actor = door.people.session(token)
        assert actor is not None
        await door.becomes(ADA, active=False)
        assert not door.people.is_alive(actor)
        now = door.people.session(token)
        assert now is not None
        assert not any(now.may(right) for right in Right)
        await refused("token_ended", door.people.change_password(now, GOOD, "another fine sentence"))
        await refused("token_ended", door.people.make_key(now, "robot", ["read"], 1, None))
        await door.people.sign_out(now)
        assert door.people.session(token) is None

    play(tmp_path, story)


def test_another_role_ends_open_streams_and_counts_at_the_next_request(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        token = await door.moves_in(GRACE)
        actor = door.people.session(token)
        assert actor is not None
        assert actor.may(Right.ADMIN)
        await door.becomes(GRACE, role="viewer")
        assert not door.people.is_alive(actor)
        now = door.people.session(token)
        assert now is not None
        assert now.rights == {Right.READ}
        assert door.people.is_alive(now)

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("user", "rights"),
    [(GRACE, set(Right)), (ADA, {Right.READ, Right.TRADE}), (VERA, {Right.READ}), (NEMO, {Right.READ, Right.TRADE})],
)
def test_a_role_allows_what_it_says(user: Any, rights: set[Right]) -> None:
    assert rights_of(user) == rights


@pytest.mark.parametrize("token", ["", "no token", "x" * 201, "dé", "\ud800", "\0" * 43])
def test_what_is_no_token_is_nobody(tmp_path: Path, token: str) -> None:
    async def story(door: Door) -> None:
        await door.moves_in(ADA)
        assert door.people.session(token) is None
        assert door.people.key(token, HOME) is None

    play(tmp_path, story)


def test_a_token_is_good_for_its_own_purpose_only(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        link = await door.people.new_link(ADA.id, "cli")
        session = await door.moves_in(EVE)
        _key, secret = await key_of_grace(door)
        assert [door.people.session(token) for token in (link, secret)] == [None, None]
        assert [door.people.key(token, HOME) for token in (link, session)] == [None, None]
        await refused("link_invalid", door.people.redeem_link(session, GOOD, HOME))
        await refused("link_invalid", door.people.redeem_link(secret, GOOD, HOME))

    play(tmp_path, story)


def test_the_row_of_a_session_that_ended_comes_back_as_it_was() -> None:
    """Nothing at work reads one; a person with a question does."""
    session = SessionRecord(1, "s", ADA.id, "h", HOME, NOON, NOON, NOON, NOON)
    row: Row = (1, "s", 1, "h", HOME, *["2022-01-21T12:00:00.000000Z"] * 4)
    assert rows.session_from_row(row) == session


# Keys -----------------------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_opens_with_its_rights(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        key, secret = await key_of_grace(door, "trade", "read", days=90, portfolios=[GRACES.id])
        assert secret.startswith("plim_")
        assert len(secret) == 5 + 43
        assert (key.prefix, key.rights, key.name) == (secret[:11], ("read", "trade"), "robot")
        assert key.expires_at == NOON + timedelta(days=90)
        door.restart()
        actor = holder(door, secret)
        assert (actor.user, actor.via, actor.token_uid) == (GRACE, Via.KEY, key.uid)
        assert actor.rights == {Right.READ, Right.TRADE}
        assert actor.owns(GRACES)
        assert not actor.owns(GRACES_OTHER)
        assert not actor.owns(ADAS)
        assert ("user:2", "CREATE", "KEY", key.uid) in door.notes()

    play(tmp_path, story)


def test_a_key_ends_on_its_day(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        key, secret = await key_of_grace(door, days=1)
        await door.wait(timedelta(days=1) - timedelta(seconds=1))
        actor = holder(door, secret)
        await door.wait(timedelta(seconds=1))
        assert door.people.key(secret, HOME) is None
        assert not door.people.is_alive(actor)
        await door.flush()
        assert door.notes()[-1] == ("nobody", "REJECT", "KEY", key.uid)
        assert [each.uid for each in door.people.keys_of(await door.signs_in(GRACE))] == [key.uid]

    play(tmp_path, story)


def test_a_key_never_does_more_than_its_user_may_now(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        _key, secret = await key_of_grace(door)
        assert holder(door, secret).rights == set(Right)
        await door.becomes(GRACE, role="viewer")
        assert holder(door, secret).rights == {Right.READ}
        await door.becomes(GRACE, approved=False)
        assert not any(holder(door, secret).may(right) for right in Right)

    play(tmp_path, story)


def test_a_revoked_key_is_nobody_s_at_once(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        key, secret = await key_of_grace(door)
        actor = holder(door, secret)
        assert door.people.is_alive(actor)
        grace = await door.signs_in(GRACE)
        await door.people.revoke_key(grace, key.uid)
        assert door.people.key(secret, HOME) is None
        assert not door.people.is_alive(actor)
        assert door.people.keys_of(grace) == []
        await refused("token_ended", door.people.make_key(actor, "next", ["read"], 1, None))
        await refused("key_unknown", door.people.revoke_key(grace, key.uid))
        door.restart()
        assert door.people.key(secret, HOME) is None

    play(tmp_path, story)


def test_another_s_key_answers_like_a_missing_one(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        key, secret = await key_of_grace(door)
        eve = await door.enters(EVE)
        assert door.people.keys_of(eve) == []
        before = (door.ways_in(), door.notes())
        foreign = await refused("key_unknown", door.people.revoke_key(eve, key.uid))
        missing = await refused("key_unknown", door.people.revoke_key(eve, "made-up"))
        assert str(foreign.refusals).replace(key.uid, "ID") == str(missing.refusals).replace("made-up", "ID")
        assert (door.ways_in(), door.notes()) == before
        assert door.people.key(secret, HOME) is not None

    play(tmp_path, story)


@pytest.mark.parametrize("user", [ADA, EVE, VERA])
def test_only_who_may_keep_keys_makes_them(tmp_path: Path, user: Any) -> None:
    async def story(door: Door) -> None:
        actor = await door.enters(user)
        before = door.ways_in()
        await refused("right_missing", door.people.make_key(actor, "robot", ["read"], 1, None))
        assert door.ways_in() == before

    play(tmp_path, story)


def test_a_key_is_given_nothing_that_its_maker_does_not_have(tmp_path: Path) -> None:
    """No right, no portfolio and no day."""

    async def story(door: Door) -> None:
        _key, secret = await key_of_grace(door, "read", "admin", days=10, portfolios=[GRACES.id])
        maker = holder(door, secret)
        before = door.ways_in()
        wishes: list[tuple[str, tuple[str, ...], int, list[PortfolioId] | None]] = [
            ("right_missing", ("read", "trade"), 1, [GRACES.id]),
            ("portfolios_needed", ("read",), 1, None),
            ("portfolio_unknown", ("read",), 1, [GRACES_OTHER.id]),
            ("key_outlives_maker", ("read",), 11, [GRACES.id]),
        ]
        for code, rights, days, portfolios in wishes:
            await refused(code, door.people.make_key(maker, "robot", rights, days, portfolios))
        assert door.ways_in() == before
        _key, child = await door.people.make_key(maker, "child", ["read", "admin"], 10, [GRACES.id])
        assert holder(door, child).portfolios == frozenset({GRACES.id})

    play(tmp_path, story)


def test_every_reason_against_a_key_is_told_at_once(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        grace = await door.enters(GRACE)
        before = door.ways_in()
        with pytest.raises(CommandRefused) as told:
            await door.people.make_key(grace, " ", [], 91, [])
        found = [refusal.code for refusal in told.value.refusals]
        assert found == ["illegal_name", "illegal_rights", "illegal_days", "illegal_portfolios"]
        for name in ("", "x" * 61, "two\nlines", "bell\a"):
            await refused("illegal_name", door.people.make_key(grace, name, ["read"], 1, None))
        for days in (0, -(10**12), 10**12):
            await refused("illegal_days", door.people.make_key(grace, "robot", ["read"], days, None))
        with pytest.raises(Illegal, match="rights = 'root': name some of read, trade, admin"):
            await door.people.make_key(grace, "robot", ["read", "root"], 1, None)
        assert door.ways_in() == before

    play(tmp_path, story)


def test_another_s_portfolio_answers_like_a_missing_one(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        grace = await door.enters(GRACE)
        words = set()
        for portfolio_id in (ADAS.id, PortfolioId(99)):
            error = await refused("portfolio_unknown", door.people.make_key(grace, "x", ["read"], 1, [portfolio_id]))
            words.add(str(error.refusals).replace(repr(str(portfolio_id)), "ID"))
        assert len(words) == 1

    play(tmp_path, story)


def test_a_key_does_nothing_that_a_person_has_to_do(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        key, secret = await key_of_grace(door, "read", "trade")
        other, others_secret = await door.people.make_key(await door.signs_in(GRACE), "other", ["read"], 1, None)
        actor = holder(door, secret)
        before = door.ways_in()
        await refused("session_needed", door.people.change_password(actor, GOOD, "another fine sentence"))
        await refused("session_needed", door.people.sign_out(actor))
        await refused("session_needed", door.people.sign_out_everywhere(actor))
        await refused("right_missing", door.people.revoke_key(actor, other.uid))
        await refused("right_missing", door.people.revoke_key(actor, "no such key"))
        assert door.ways_in() == before
        # Itself it may end, as somebody does who finds it where it should not be.
        await door.people.revoke_key(actor, key.uid)
        assert door.people.key(secret, HOME) is None
        assert door.people.key(others_secret, HOME) is not None

    play(tmp_path, story)


def test_a_key_that_keeps_keys_signs_its_user_out_everywhere(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        _key, secret = await key_of_grace(door)
        assert await door.people.sign_out_everywhere(holder(door, secret)) == 1
        assert door.live_sessions(GRACE) == 0

    play(tmp_path, story)


def test_the_use_of_a_key_is_told_in_the_list_at_once_and_written_within_a_minute(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        _key, secret = await key_of_grace(door)
        grace = await door.signs_in(GRACE)
        assert [each.last_used_at for each in door.people.keys_of(grace)] == [None]
        await door.wait(MINUTE)
        holder(door, secret)
        await door.wait(MINUTE / 2)
        holder(door, secret)
        assert [each.last_used_at for each in door.people.keys_of(grace)] == [NOON + 1.5 * MINUTE]
        await door.flush()
        door.restart()
        assert [each.last_used_at for each in door.people.keys_of(grace)] == [NOON + MINUTE]

    play(tmp_path, story)


def test_from_where_a_key_is_used_is_written_once_an_hour(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        key, secret = await key_of_grace(door)
        before = len(door.notes())
        for _ in range(100):
            holder(door, secret)
        holder(door, secret, ABROAD)
        for _ in range(100):
            assert door.people.key(secret + "x", ABROAD) is None
        await door.flush()
        used, refused_ = ("user:2", "LOGIN", "KEY", key.uid), ("nobody", "REJECT", "KEY", "")
        assert door.notes()[before:] == [used, used, refused_]
        await door.wait(timedelta(hours=1))
        holder(door, secret)
        await door.flush()
        assert door.notes()[before:] == [used, used, refused_, used]

    play(tmp_path, story)


def test_a_flood_of_keys_that_are_none_is_told_a_hundred_times_and_silences_no_use(tmp_path: Path) -> None:
    """From more places than the room for genuine uses has; the owner still sees from where his key is used."""

    async def story(door: Door) -> None:
        key, secret = await key_of_grace(door)
        before = len(door.notes())
        for number in range(MOST_USES_TOLD + 1):
            assert door.people.key(secret + "x", f"2.{number >> 16}.{number >> 8 & 255}.{number & 255}") is None
        holder(door, secret, "198.51.100.77")
        await door.flush()
        told = door.notes()[before:]
        assert told[:-1] == [("nobody", "REJECT", "KEY", "")] * MOST_REFUSALS_TOLD
        assert told[-1] == ("user:2", "LOGIN", "KEY", key.uid)
        assert "198.51.100.77" in door.last_details()
        await door.wait(timedelta(hours=1))
        assert door.people.key(secret + "x", ABROAD) is None
        await door.flush()
        assert door.notes()[-1] == ("nobody", "REJECT", "KEY", "")

    play(tmp_path, story)


def test_words_in_place_of_an_address_are_not_written(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        _, secret = await key_of_grace(door)
        for forged in ("the owner, from his sofa", "<b>192.0.2.1</b>", ""):
            assert door.people.key(secret + "x", forged) is None
        await door.flush()
        assert door.last_details() == '{"origin":"unknown","what":"key"}'
        assert door.notes().count(("nobody", "REJECT", "KEY", "")) == 1

    play(tmp_path, story)


@pytest.mark.parametrize("noun", ["session", "key"])
def test_what_is_used_while_its_end_is_being_written_stays_ended(tmp_path: Path, noun: str) -> None:
    """Its use waits behind its end, and must not bring it back."""

    async def story(door: Door) -> None:
        token = await door.moves_in(GRACE)
        grace = door.people.session(token)
        assert grace is not None
        key, secret = await door.people.make_key(grace, "robot", ["read"], 1, None)
        await door.wait(2 * MINUTE)
        ending = door.people.sign_out(grace) if noun == "session" else door.people.revoke_key(grace, key.uid)
        ended = asyncio.ensure_future(ending)
        await asyncio.sleep(0)
        assert (door.people.session(token) if noun == "session" else door.people.key(secret, HOME)) is not None
        await ended
        await door.flush()
        table = "sessions" if noun == "session" else "api_keys"
        assert door.rows(f"SELECT ended_at IS NULL FROM {table}") == [(0,)]
        assert (door.people.session(token) if noun == "session" else door.people.key(secret, HOME)) is None

    play(tmp_path, story)


# Bounds ---------------------------------------------------------------------------------------------------------------


def test_what_is_told_seldom_is_bounded() -> None:
    """A flood from everywhere fills the room, and is not written any more until the hour is over."""
    seldom = Seldom(50)
    assert all(seldom.is_due(number, NOON) for number in range(50))
    assert not seldom.is_due("one more", NOON)
    assert seldom.is_due("one more", NOON + timedelta(hours=1))
    assert not seldom.is_due("one more", NOON + timedelta(hours=1))


def test_uses_of_tokens_that_are_no_more_are_forgotten() -> None:
    used = Uses()
    assert used.use("a", None, NOON)
    assert not used.use("b", NOON, NOON + MINUTE / 2)
    used.keep({"b"})
    assert used.last == {"b": NOON + MINUTE / 2}
    assert used.use("a", None, NOON)


def test_real_secrets_are_256_bits_and_different() -> None:
    drawn = {SystemSecrets().token() for _ in range(100)}
    assert len(drawn) == 100
    assert {len(token) for token in drawn} == {43}
    assert all(may_be_ours(token) for token in drawn)


def test_a_made_up_actor_is_not_alive(tmp_path: Path) -> None:
    async def story(door: Door) -> None:
        actor = await door.enters(ADA)
        assert not door.people.is_alive(replace(actor, token_uid="made up"))
        assert not door.people.is_alive(replace(actor, via=Via.KEY))
        assert not door.people.is_alive(replace(actor, user=replace(ADA, id=UserId(99))))
        assert not door.people.is_alive(replace(actor, user=EVE))

    play(tmp_path, story)
