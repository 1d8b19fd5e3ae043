"""How people get in: passwords, one-time links, sessions and API keys, as rows and as values.

Rule 1. Of a secret only its hash is here, and no value shows even that in its `repr`.
Rule 2. What has ended leaves memory and keeps its row, marked with its end: the audit log says why.

What must not enter: a token, a password, a decision about who may what.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime

from plimsoll.ledger import keys
from plimsoll.ledger.cells import text_or_null, time_or_none
from plimsoll.ledger.log import json_text
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.ids import PortfolioId, UserId
from plimsoll.store.draft import Draft, Row
from plimsoll.store.hot import HotKey


@dataclass(frozen=True, slots=True)
class PasswordRecord:
    """How a user's password is recognised."""

    user_id: UserId
    #: As argon2 writes it: parameters, salt and digest.
    hash: str = field(repr=False)
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A one-time link by which somebody chooses his password."""

    id: int
    uid: str
    user_id: UserId
    token_hash: str = field(repr=False)
    created_at: datetime
    expires_at: datetime
    #: Used, or followed by a newer one.
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """Somebody who is signed in with a browser."""

    id: int
    uid: str
    user_id: UserId
    token_hash: str = field(repr=False)
    #: The network address he came from.
    origin: str
    created_at: datetime
    #: Up to a minute old: the minute's uses are in memory.
    last_seen_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An API key, without its secret."""

    id: int
    uid: str
    user_id: UserId
    name: str
    #: How the secret begins: by it a person tells his keys apart.
    prefix: str
    token_hash: str = field(repr=False)
    #: Some of `read`, `trade`, `admin`, in this order.
    rights: tuple[str, ...]
    #: The only portfolios it may touch; None for all of the user's.
    portfolios: frozenset[PortfolioId] | None
    created_at: datetime
    expires_at: datetime
    #: Up to a minute old, as with sessions.
    last_used_at: datetime | None = None
    #: Revoked.
    ended_at: datetime | None = None


RIGHTS = ("read", "trade", "admin")


def write_password(draft: Draft, password: PasswordRecord) -> None:
    """Write how a user's password is recognised from now on."""
    draft.put(keys.password(password.user_id), password)
    row = (password.user_id, password.hash, time_text(password.changed_at))
    draft.replace("passwords", password.user_id, row)


def password_from_row(row: Row) -> PasswordRecord:
    """Read a password's hash back."""
    user, hashed, changed_at = row
    return PasswordRecord(UserId(int(user or 0)), str(hashed), parse_time(str(changed_at)))


def write_link(draft: Draft, link: LinkRecord) -> None:
    """Write a one-time link as it stands now."""
    _lay(draft, keys.SIGN_IN_LINK, link)
    row = (
        link.id,
        link.uid,
        link.user_id,
        link.token_hash,
        time_text(link.created_at),
        time_text(link.expires_at),
        text_or_null(link.ended_at),
    )
    draft.replace("sign_in_links", link.id, row)


def link_from_row(row: Row) -> LinkRecord:
    """Read a one-time link back."""
    number, uid, user, token_hash, created_at, expires_at, ended_at = row
    return LinkRecord(
        int(number or 0),
        str(uid),
        UserId(int(user or 0)),
        str(token_hash),
        parse_time(str(created_at)),
        parse_time(str(expires_at)),
        time_or_none(ended_at),
    )


def write_session(draft: Draft, session: SessionRecord) -> None:
    """Write a session as it stands now."""
    _lay(draft, keys.SESSION, session)
    row = (
        session.id,
        session.uid,
        session.user_id,
        session.token_hash,
        session.origin,
        time_text(session.created_at),
        time_text(session.last_seen_at),
        time_text(session.expires_at),
        text_or_null(session.ended_at),
    )
    draft.replace("sessions", session.id, row)


def session_from_row(row: Row) -> SessionRecord:
    """Read a session back."""
    number, uid, user, token_hash, origin, created_at, last_seen_at, expires_at, ended_at = row
    return SessionRecord(
        int(number or 0),
        str(uid),
        UserId(int(user or 0)),
        str(token_hash),
        str(origin),
        parse_time(str(created_at)),
        parse_time(str(last_seen_at)),
        parse_time(str(expires_at)),
        time_or_none(ended_at),
    )


def write_key(draft: Draft, key: KeyRecord) -> None:
    """Write an API key as it stands now."""
    _lay(draft, keys.API_KEY, key)
    row = (
        key.id,
        key.uid,
        key.user_id,
        key.name,
        key.prefix,
        key.token_hash,
        *(int(right in key.rights) for right in RIGHTS),
        None if key.portfolios is None else json_text(sorted(key.portfolios)),
        time_text(key.created_at),
        time_text(key.expires_at),
        text_or_null(key.last_used_at),
        text_or_null(key.ended_at),
    )
    draft.replace("api_keys", key.id, row)


def key_from_row(row: Row) -> KeyRecord:
    """Read an API key back."""
    number, uid, user, name, prefix, token_hash = row[:6]
    portfolios, created_at, expires_at, last_used_at, ended_at = row[9:]
    return KeyRecord(
        int(number or 0),
        str(uid),
        UserId(int(user or 0)),
        str(name),
        str(prefix),
        str(token_hash),
        tuple(right for right, has in zip(RIGHTS, row[6:9], strict=True) if has),
        None if portfolios is None else frozenset(PortfolioId(each) for each in json.loads(str(portfolios))),
        parse_time(str(created_at)),
        parse_time(str(expires_at)),
        time_or_none(last_used_at),
        time_or_none(ended_at),
    )


def places(noun: str, record: LinkRecord | SessionRecord | KeyRecord) -> dict[HotKey, object]:
    """Name every place in memory where something with a token is looked for."""
    key = keys.with_token(noun, record.user_id, record.uid)
    return {key: record, keys.token(noun, record.token_hash): key}


def _lay(draft: Draft, noun: str, record: LinkRecord | SessionRecord | KeyRecord) -> None:
    for key, value in places(noun, record).items():
        draft.put(key, value if record.ended_at is None else None)
