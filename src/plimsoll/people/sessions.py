"""How long somebody stays known, and what his token lets him do: decided from values, nothing is written.

Rule 1. A session ends 30 minutes after its last use and 12 hours after its beginning; a key on its day; a link 30
        minutes after it was made.
Rule 2. A token lets nobody do more than its user's role allows *now*: a key made by an admin loses `admin` with him.
Rule 3. Who is deactivated, or waits for approval, is still known by his token and may do nothing (`Actor.may`).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from plimsoll.ledger.people import KeyRecord, LinkRecord, SessionRecord
from plimsoll.model.account import User
from plimsoll.people.actor import Actor, Right, Via

IDLE = timedelta(minutes=30)
LONGEST_SESSION = timedelta(hours=12)
LINK_LIFETIME = timedelta(minutes=30)
#: A person with more browsers than this signs out where he was longest ago.
SESSIONS_OF_ONE = 20

_RIGHTS = {
    "admin": frozenset(Right),
    "trader": frozenset({Right.READ, Right.TRADE}),
    "viewer": frozenset({Right.READ}),
}


def may_enter(user: User | None) -> bool:
    """Say whether somebody may sign in."""
    return user is not None and user.approved and user.active


def is_open(link: LinkRecord, now: datetime) -> bool:
    """Say whether a one-time link may still be used."""
    return link.ended_at is None and now < link.expires_at


def is_signed_in(session: SessionRecord, seen_at: datetime, now: datetime) -> bool:
    """Say whether a session goes on; `seen_at` is its last use."""
    return session.ended_at is None and now < session.expires_at and now - seen_at < IDLE


def is_valid(key: KeyRecord, now: datetime) -> bool:
    """Say whether a key may be used."""
    return key.ended_at is None and now < key.expires_at


def over(
    sessions: Iterable[SessionRecord], seen: Mapping[str, datetime], now: datetime, *, room_for: int
) -> list[SessionRecord]:
    """List the sessions of one user that are over, or are too many, so that so many more find room."""
    by_use = sorted(sessions, key=lambda session: (last_seen(session, seen), session.id))
    going_on = [session for session in by_use if is_signed_in(session, last_seen(session, seen), now)]
    kept = going_on[max(len(going_on) + room_for - SESSIONS_OF_ONE, 0) :]
    return [session for session in by_use if session not in kept]


def last_seen(session: SessionRecord, seen: Mapping[str, datetime]) -> datetime:
    """Give a session's last use: what memory knows, or what was written."""
    return max(seen.get(session.uid, session.last_seen_at), session.last_seen_at)


def rights_of(user: User) -> frozenset[Right]:
    """Give what a user's role allows."""
    return _RIGHTS[user.role]


def actor_of_session(user: User, session: SessionRecord) -> Actor:
    """Give who acts through a session."""
    return Actor(user, Via.SESSION, rights_of(user), session.uid)


def actor_of_key(user: User, key: KeyRecord) -> Actor:
    """Give who acts through a key."""
    return Actor(user, Via.KEY, rights_of(user) & {Right(each) for each in key.rights}, key.uid, key.portfolios)
