"""People at the door and inside: sign in, stay known, sign out, and keys for programs.

    link or password ──> session token ──┐
                                         ├──> `Actor`, asked for at every request, from memory
    key made while signed in ──> secret ─┘

Rule 1. Only hashes are kept: of tokens in the books, of passwords in a table of their own. A token is handed out once.
Rule 2. Nobody learns more from a refusal than that he did not get in: an unknown name, a wrong password and a user who
        may not enter answer alike and cost alike; so do a used, an ended and an unknown link.
Rule 3. Every way in is written to the desk's chain: sign-ins, failures, links, keys made and ended, and once an hour
        from where a key is used, or what is none is tried; of the latter so many an hour, as anybody can try.
Rule 4. What stops trading stays in reach: a session or a key that is known is never asked to wait, and a valid link
        lets in whatever goes on at the door (`throttle`).

It lives on the event loop; `session`, `key` and `is_alive` answer at once, without a database. Sessions' tokens are not
registered with the log's masking: one more for every sign-in would make every line slower for as long as the desk runs.
The log knows them by the cookie's name before them, and keys by their prefix, also those of earlier starts. Links and
new keys are registered: they pass through people's hands.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from plimsoll.ledger import keys
from plimsoll.ledger.people import KeyRecord, LinkRecord, PasswordRecord, SessionRecord
from plimsoll.model.account import User
from plimsoll.model.clock import Clock
from plimsoll.model.errors import CommandRefused, Illegal, Refusal, Wait, WorldFailure
from plimsoll.model.ids import Ids, PortfolioId, UserId
from plimsoll.people import units
from plimsoll.people.actor import Actor, Right, Via
from plimsoll.people.api_keys import KeyWish, key_refusals, key_unknown, may_revoke, right_missing
from plimsoll.people.hashing import STRENGTH, Hasher, Strength
from plimsoll.people.passwords import weaknesses
from plimsoll.people.sessions import (
    LINK_LIFETIME,
    actor_of_key,
    actor_of_session,
    is_open,
    is_signed_in,
    is_valid,
    last_seen,
    may_enter,
)
from plimsoll.people.throttle import Door, Throttle, origin_of
from plimsoll.people.tokens import KEY_PREFIX, SecretSource, may_be_ours, shown, token_hash
from plimsoll.people.units import LINK_INVALID, NewSession, Visitor
from plimsoll.people.uses import MOST_REFUSALS_TOLD, MOST_USES_TOLD, Seldom, Uses
from plimsoll.runtime.logging import logger, register_secret
from plimsoll.store.connection import CommitUnclear, StoreFailed
from plimsoll.store.drivers import Driver
from plimsoll.store.scribe import Unit

log = logger("people")

SIGN_IN_FAILED = Refusal("sign_in_failed", "name or password is wrong, or this user may not sign in")
PASSWORD_WRONG = Refusal("password_wrong", "the present password is another one")
PASSWORD_UNCHANGED = Refusal("password_unchanged", "the new password is the present one", remedy="choose another")
SESSION_NEEDED = Refusal("session_needed", "a person has to do this, signed in: a key may not", remedy="sign in")


class People:
    """Who somebody is, from a link, a password or a token."""

    def __init__(
        self, books: Driver, clock: Clock, ids: Ids, secrets: SecretSource, *, strength: Strength = STRENGTH
    ) -> None:
        self._books = books
        self._clock = clock
        self._ids = ids
        self._secrets = secrets
        self._hasher = Hasher(secrets, strength)
        self._door = Door()
        #: Failures of people who are signed in already, at naming their present password.
        self._changes = Throttle()
        self._uses = Uses()
        self._told_refused, self._told_used = Seldom(MOST_REFUSALS_TOLD), Seldom(MOST_USES_TOLD)

    # Links and passwords ---------------------------------------------------------------------------------------------

    async def new_link(self, user_id: UserId, actor_name: str) -> str:
        """Make a one-time link's token, valid for 30 minutes; older ones of this user end.

        Refuses: "user_unknown"
        """
        token, uid, now = self._secrets.token(), self._ids.uuid7(), self._clock.now()
        register_secret(token)
        link = LinkRecord(0, uid, user_id, token_hash(token), now, now + LINK_LIFETIME)
        await self._books.write(lambda draft: units.make_link(draft, link, actor_name))
        return token

    def needs_password(self, user_id: UserId) -> bool:
        """Say whether somebody has no password yet."""
        return self._books.hot.get(keys.password(user_id)) is None

    async def redeem_link(self, token: str, password: str, origin: str) -> str:
        """Choose a password by a one-time link, end all other sessions, and be signed in; give the session's token.

        Refuses: "link_invalid"; "password_too_short", "password_common", … with the link still good
        Raises:  Wait after too many links that are none
        """
        origin = origin_of(origin)
        link: LinkRecord | None = self._record(keys.SIGN_IN_LINK, token)
        user: User | None = None if link is None else self._books.hot.get(keys.user(link.user_id))
        if link is None or user is None or not may_enter(user) or not is_open(link, self._clock.now()):
            await self._refuse_link(link, origin)
            raise CommandRefused(LINK_INVALID)
        reasons = weaknesses(password, user.name)
        if reasons:
            raise CommandRefused(*reasons)
        hashed = await self._hasher.hash(password)
        session, new = self._new_session(origin)
        chosen = PasswordRecord(user.id, hashed, new.at)
        try:
            await self._books.write(lambda draft: units.use_link(draft, link, chosen, new))
        except CommandRefused:  # somebody was faster with the same link
            await self._refuse_link(link, origin)
            raise
        self._forget_ended()
        return session

    async def sign_in(self, name: str, password: str, origin: str, replaces: str | None = None) -> str:
        """Sign in by name and password; give the session's token.

        Shapes:  replaces -> the token that the same browser holds so far: if it is a session of this user's it ends,
                 for nobody can leave what his browser has forgotten; another's, or none, changes nothing
        Refuses: "sign_in_failed", whatever was wrong
        Raises:  Wait after too many failures of this address or at this account
        """
        origin = origin_of(origin)
        self._door.check_origin(origin, self._clock.now())
        visitor = await self._visitor(name, origin)
        with self._door.attempt(name, origin, at_home=visitor.at_home, now=self._clock.now) as attempt:
            hashed = None if visitor.password is None else visitor.password.hash
            matches = await self._hasher.matches(hashed, password)
            attempt.succeeded = matches and may_enter(visitor.user)
        token = await self._enter(visitor, password, origin, replaces) if attempt.succeeded else None
        if token is None:
            await self._refuse_sign_in(visitor, origin, attempt.lock)
            raise CommandRefused(SIGN_IN_FAILED)
        return token

    async def change_password(self, actor: Actor, current: str, new: str) -> None:
        """Choose another password; every other session ends, keys stay.

        Refuses: "password_wrong", "password_unchanged", "password_too_short", …, "session_needed", "token_ended"
        Raises:  Wait after too many wrong ones
        """
        if actor.via is not Via.SESSION:
            raise CommandRefused(SESSION_NEEDED)
        units.check_alive(self._books.hot, actor)
        before: PasswordRecord | None = self._books.hot.get(keys.password(actor.user.id))
        await self._prove_again(actor, before, current)
        reasons = weaknesses(new, actor.user.name) or ((PASSWORD_UNCHANGED,) if new == current else ())
        if reasons:
            raise CommandRefused(*reasons)
        after = PasswordRecord(actor.user.id, await self._hasher.hash(new), self._clock.now())
        await self._books.write(lambda draft: units.change_password(draft, actor, before, after))
        self._forget_ended()

    # Tokens ----------------------------------------------------------------------------------------------------------

    def session(self, token: str) -> Actor | None:
        """Tell who is signed in with a token, and count it as a use; None for nobody."""
        found: SessionRecord | None = self._record(keys.SESSION, token)
        now = self._clock.now()
        if found is None or not is_signed_in(found, last_seen(found, self._uses.last), now):
            return None
        self._used(keys.SESSION, found, found.last_seen_at, now)
        return actor_of_session(self._user(found), found)

    def key(self, token: str, origin: str) -> Actor | None:
        """Tell whose key this is, and count it as a use; None for nobody's."""
        found: KeyRecord | None = self._record(keys.API_KEY, token)
        now, origin = self._clock.now(), origin_of(origin)
        if found is None or not is_valid(found, now):
            uid = "" if found is None else found.uid
            if self._told_refused.is_due((uid, origin), now):
                details = {"what": "key", "origin": origin}
                self._books.post(lambda draft: units.note_refused(draft, "KEY", uid, now, details))
            return None
        self._used(keys.API_KEY, found, found.last_used_at, now)
        if self._told_used.is_due((found.uid, origin), now):
            self._books.post(lambda draft: units.note_key_used(draft, found, origin, now))
        return actor_of_key(self._user(found), found)

    def is_alive(self, actor: Actor) -> bool:
        """Say whether somebody is still who he was when he showed his token; no use is counted.

        For an open stream, which asks every few seconds: False after a sign-out, a revoked or ended token, a change of
        the user or his role.
        """
        found, now = units.alive_record(self._books.hot, actor), self._clock.now()
        if isinstance(found, SessionRecord):
            return is_signed_in(found, last_seen(found, self._uses.last), now)
        return found is not None and is_valid(found, now)

    async def sign_out(self, actor: Actor) -> None:
        """End the session that somebody acts through.

        Refuses: "session_needed" for a key, which is revoked instead
        """
        if actor.via is not Via.SESSION:
            raise CommandRefused(SESSION_NEEDED)
        now = self._clock.now()
        await self._books.write(lambda draft: units.sign_out(draft, actor, now))
        self._forget_ended()

    async def sign_out_everywhere(self, actor: Actor) -> int:
        """End every session of a user, this one too; give how many there were.

        Refuses: "session_needed" for a key that may not keep keys
        """
        if actor.via is not Via.SESSION and not actor.may(Right.ADMIN):
            raise CommandRefused(SESSION_NEEDED)
        now = self._clock.now()
        ended: int = await self._books.write(lambda draft: units.sign_out_everywhere(draft, actor, now))
        self._forget_ended()
        return ended

    # Keys ------------------------------------------------------------------------------------------------------------

    async def make_key(
        self, actor: Actor, name: str, rights: Iterable[str], days: int, portfolios: Iterable[PortfolioId] | None
    ) -> tuple[KeyRecord, str]:
        """Make an API key; give it with its secret, which is shown this once.

        Refuses: "right_missing", "portfolio_unknown", "illegal_…", "key_outlives_maker", "token_ended"; all that hold
        """
        now, hot = self._clock.now(), self._books.hot
        maker = units.check_alive(hot, actor)
        wish = KeyWish(name, _rights(rights), days, None if portfolios is None else frozenset(portfolios))
        found = [hot.get(keys.portfolio(portfolio_id)) for portfolio_id in wish.portfolios or ()]
        reasons = key_refusals(
            actor,
            wish,
            [portfolio for portfolio in found if portfolio is not None],
            maker.expires_at if isinstance(maker, KeyRecord) else None,
            now,
        )
        if reasons:
            raise CommandRefused(*reasons)
        secret = KEY_PREFIX + self._secrets.token()
        register_secret(secret)
        key = KeyRecord(
            id=0,
            uid=self._ids.uuid7(),
            user_id=actor.user.id,
            name=wish.name,
            prefix=shown(secret),
            token_hash=token_hash(secret),
            rights=tuple(right.value for right in Right if right in wish.rights),
            portfolios=wish.portfolios,
            created_at=now,
            expires_at=wish.expires_at(now),
        )
        return await self._books.write(lambda draft: units.make_key(draft, actor, key)), secret

    async def revoke_key(self, actor: Actor, uid: str) -> None:
        """End one of somebody's own keys.

        Refuses: "key_unknown", for another's too; "right_missing" for a key that may not keep keys
        """
        if not may_revoke(actor, uid):
            raise CommandRefused(right_missing(Right.ADMIN))
        now = self._clock.now()
        if not await self._books.write(lambda draft: units.revoke_key(draft, actor, uid, now)):
            raise CommandRefused(key_unknown(uid))
        self._forget_ended()

    def keys_of(self, actor: Actor) -> list[KeyRecord]:
        """List somebody's own keys that were not revoked, the ended ones among them, oldest first."""
        mine: list[KeyRecord] = self._books.hot.shelf(keys.API_KEY, actor.user.id)
        used = self._uses.last
        return [replace(key, last_used_at=used.get(key.uid, key.last_used_at)) for key in mine]

    # Steps of these --------------------------------------------------------------------------------------------------

    def _record(self, noun: str, token: str) -> Any:
        """Find the link, session or key that a token stands for, by its hash."""
        hot = self._books.hot
        place = hot.get(keys.token(noun, token_hash(token))) if may_be_ours(token) else None
        return None if place is None else hot.get(place)

    def _user(self, record: SessionRecord | KeyRecord) -> User:
        user: User = self._books.hot.get(keys.user(record.user_id))
        return user

    def _new_session(self, origin: str, replaces: str | None = None) -> tuple[str, NewSession]:
        token = self._secrets.token()
        return token, NewSession(self._ids.uuid7(), token_hash(token), origin, self._clock.now(), replaces)

    def _used(self, noun: str, record: SessionRecord | KeyRecord, written_at: datetime | None, now: datetime) -> None:
        if self._uses.use(record.uid, written_at, now):
            unit = partial(units.write_seen, noun=noun, user_id=record.user_id, uid=record.uid, at=now)
            self._books.post_latest(f"seen:{record.uid}", unit)

    def _forget_ended(self) -> None:
        """Forget when tokens were used that are no more."""
        hot = self._books.hot
        self._uses.keep({place[2] for noun in (keys.SESSION, keys.API_KEY) for place in hot.shelf("token", noun)})

    async def _visitor(self, name: str, origin: str) -> Visitor:
        now = self._clock.now()
        visitor: Visitor = await self._books.write(lambda draft: units.look_up(draft, name, origin, now))
        return visitor

    async def _enter(self, visitor: Visitor, password: str, origin: str, replaces: str | None) -> str | None:
        """Open a session for somebody whose password was right; None if it is so no more."""
        fresh = await self._hashed_anew(visitor, password)
        earlier: SessionRecord | None = None if replaces is None else self._record(keys.SESSION, replaces)
        token, new = self._new_session(origin, None if earlier is None else earlier.uid)
        seen = dict(self._uses.last)  # a unit runs in another thread
        if not await self._books.write(lambda draft: units.open_session(draft, visitor, fresh, new, seen)):
            return None
        self._forget_ended()
        return token

    async def _hashed_anew(self, visitor: Visitor, password: str) -> PasswordRecord | None:
        """Hash a right password again, where its hash was made with other parameters than today's."""
        known = visitor.password
        if known is None or not self._hasher.is_outdated(known.hash):
            return None
        try:
            return replace(known, hash=await self._hasher.hash(password))
        except WorldFailure:  # the next sign-in can do it
            return None

    async def _prove_again(self, actor: Actor, known: PasswordRecord | None, password: str) -> None:
        """See that somebody who is signed in knows the password, too: his screen may have been left unlocked."""
        name, failed = str(actor.user.id), None
        wait = self._changes.wait(name, self._clock.now())
        if wait is not None:
            raise Wait("too many wrong passwords", wait)
        self._changes.begin(name)
        try:
            failed = not await self._hasher.matches(None if known is None else known.hash, password)
        finally:
            self._changes.end(name, name, self._clock.now(), failed=failed)
        if failed:
            now, details = self._clock.now(), {"what": "password", "session": actor.token_uid}
            await self._write_refused(lambda draft: units.note_refused(draft, "USER", actor.user.uid, now, details))
            raise CommandRefused(PASSWORD_WRONG)

    async def _refuse_sign_in(self, visitor: Visitor, origin: str, lock: timedelta | None) -> None:
        now, uid = self._clock.now(), "" if visitor.user is None else visitor.user.uid
        details = {"what": "password", "origin": origin, **_lock(lock, origin)}
        await self._write_refused(lambda draft: units.note_refused(draft, "USER", uid, now, details))

    async def _refuse_link(self, link: LinkRecord | None, origin: str) -> None:
        """Write down a link that is none.

        Raises: Wait, without a word in the chain, for who has tried too many
        """
        now, uid = self._clock.now(), "" if link is None else link.uid
        self._door.check_origin(origin, now)
        details = {
            "what": "sign_in_link",
            "link": uid,
            "origin": origin,
            **_lock(self._door.failed(origin, now), origin),
        }
        await self._write_refused(lambda draft: units.note_refused(draft, "USER", "", now, details))

    async def _write_refused(self, unit: Unit) -> None:
        """Write down a failure; who failed hears the same whether that worked or not."""
        try:
            await self._books.write(unit)
        except (StoreFailed, CommitUnclear) as failure:
            log.error("refusal_not_written", failure=str(failure))


def _rights(said: Iterable[str]) -> frozenset[Right]:
    found = set()
    for each in said:
        if each not in list(Right):
            raise Illegal("rights", each, f"name some of {', '.join(Right)}")
        found.add(Right(each))
    return frozenset(found)


def _lock(lock: timedelta | None, origin: str) -> dict[str, str]:
    """Tell a lock in the log and in the note's own words."""
    if lock is None:
        return {}
    log.warning("sign_in_locked", origin=origin, seconds=lock.total_seconds())
    return {"locked_seconds": f"{lock.total_seconds():.0f}"}
