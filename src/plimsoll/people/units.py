"""What is written when people come and go: synchronous units of work, each with its one note in the desk's chain.

What must not enter: waiting, a clock, chance, and any secret: tokens and passwords arrive here as their hashes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from plimsoll.ledger import accounts, keys, people
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.people import KeyRecord, LinkRecord, PasswordRecord, SessionRecord
from plimsoll.model.account import User
from plimsoll.model.clock import time_text
from plimsoll.model.errors import CommandRefused, Refusal
from plimsoll.model.ids import UserId
from plimsoll.people.actor import Actor, Via
from plimsoll.people.sessions import LONGEST_SESSION, is_open, may_enter, over
from plimsoll.store.draft import Draft
from plimsoll.store.hot import Memory

#: The chain of the desk itself.
DESK = 0
#: Who came to the door and did not get in. What he called himself is not written: it may be a password, mistyped.
NOBODY = "nobody"
#: Where somebody signed in within this time he is at home.
AT_HOME_FOR = timedelta(days=90)

LINK_INVALID = Refusal(
    "link_invalid",
    "this link was used, has ended or never was",
    remedy="ask for another: `plimsoll user link` on the desk's machine",
)
TOKEN_ENDED = Refusal("token_ended", "you are signed in no more", remedy="sign in again")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who somebody at the door says he is."""

    #: None where nobody has this name.
    user: User | None
    password: PasswordRecord | None
    #: He has signed in from there before.
    at_home: bool


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be opened."""

    uid: str
    token_hash: str
    origin: str
    at: datetime
    #: Public id of the one it takes the place of, whoever's that is.
    replaces: str | None = None


def look_up(draft: Draft, name: str, origin: str, now: datetime) -> Visitor:
    """Look a name up, with the same two questions whether somebody has it or not."""
    # A name that cannot be shown is nobody's, and may hold what the database would not take.
    rows = draft.find("user_by_name", name if name.isprintable() else "")
    user_id = accounts.user_from_row(rows[0]).id if rows else UserId(0)
    at_home = bool(draft.find("session_from", user_id, origin, time_text(now - AT_HOME_FOR)))
    return Visitor(draft.get(keys.user(user_id)), draft.get(keys.password(user_id)), at_home)


def make_link(draft: Draft, link: LinkRecord, actor: str) -> None:
    """Write a one-time link and end those before it.

    Refuses: somebody who may not sign in
    """
    user: User | None = draft.get(keys.user(link.user_id))
    if user is None or not may_enter(user):
        raise CommandRefused(
            Refusal(
                "user_unknown",
                "no user of this number may sign in",
                observed=str(link.user_id),
                remedy="approve or activate the user first",
            )
        )
    for older in draft.shelf(keys.SIGN_IN_LINK, user.id):
        people.write_link(draft, replace(older, ended_at=link.created_at))
    people.write_link(draft, replace(link, id=draft.next_id("sign_in_links")))
    details = {"what": "sign_in_link", "link": link.uid, "expires_at": time_text(link.expires_at)}
    write_note(draft, Note(DESK, actor, "CREATE", "USER", user.uid, link.created_at, details))


def use_link(draft: Draft, link: LinkRecord, password: PasswordRecord, new: NewSession) -> None:
    """Spend a link: its user has this password now, and one session, the new one.

    Refuses: a link that ended meanwhile
    """
    user: User | None = draft.get(keys.user(link.user_id))
    known: LinkRecord | None = draft.get(keys.with_token(keys.SIGN_IN_LINK, link.user_id, link.uid))
    if user is None or not may_enter(user) or known is None or not is_open(known, new.at):
        raise CommandRefused(LINK_INVALID)
    people.write_link(draft, replace(known, ended_at=new.at))
    people.write_password(draft, password)
    ended = end_sessions(draft, user.id, new.at)
    _open(draft, user, new)
    details = {"by": "link", "link": link.uid, "session": new.uid, "origin": new.origin, "sessions_ended": str(ended)}
    write_note(draft, Note(DESK, f"user:{user.id}", "LOGIN", "USER", user.uid, new.at, details))


def open_session(
    draft: Draft, seen_as: Visitor, fresh: PasswordRecord | None, new: NewSession, seen: Mapping[str, datetime]
) -> bool:
    """Open a session for somebody whose password was right; False if it is so no more.

    Shapes: fresh -> the same password hashed anew, where its hash was made with weaker parameters
    """
    known = seen_as.user
    user: User | None = None if known is None else draft.get(keys.user(known.id))
    if user is None or not may_enter(user) or draft.get(keys.password(user.id)) != seen_as.password:
        return False
    if fresh is not None:
        people.write_password(draft, fresh)
    mine = draft.shelf(keys.SESSION, user.id)
    # Looked for among his own, so that a cookie of another's cannot be used to throw that one out.
    replaced = [session for session in mine if session.uid == new.replaces]
    others = [session for session in mine if session.uid != new.replaces]
    for session in [*replaced, *over(others, seen, new.at, room_for=1)]:
        people.write_session(draft, replace(session, ended_at=new.at))
    _open(draft, user, new)
    details = {"by": "password", "session": new.uid, "origin": new.origin}
    if replaced:
        details["replaces"] = replaced[0].uid
    write_note(draft, Note(DESK, f"user:{user.id}", "LOGIN", "USER", user.uid, new.at, details))
    return True


def change_password(draft: Draft, actor: Actor, before: PasswordRecord | None, after: PasswordRecord) -> None:
    """Write another password and end the other sessions.

    Refuses: when the password, the user or his session is not what it was
    """
    check_alive(draft, actor)
    if draft.get(keys.password(actor.user.id)) != before:
        raise CommandRefused(TOKEN_ENDED)
    people.write_password(draft, after)
    ended = end_sessions(draft, actor.user.id, after.changed_at, but=actor.token_uid)
    details = {"what": "password", "session": actor.token_uid, "sessions_ended": str(ended)}
    write_note(draft, Note(DESK, actor.name, "UPDATE", "USER", actor.user.uid, after.changed_at, details))


def sign_out(draft: Draft, actor: Actor, now: datetime) -> None:
    """End the session that somebody acts through; again is harmless."""
    session = record_of(draft, actor)
    if isinstance(session, SessionRecord):
        people.write_session(draft, replace(session, ended_at=now))
        details = {"session": session.uid}
        write_note(draft, Note(DESK, actor.name, "LOGOUT", "USER", actor.user.uid, now, details))


def sign_out_everywhere(draft: Draft, actor: Actor, now: datetime) -> int:
    """End all of a user's sessions; give how many there were."""
    ended = end_sessions(draft, actor.user.id, now)
    if ended:
        details = {"sessions_ended": str(ended)}
        write_note(draft, Note(DESK, actor.name, "LOGOUT", "USER", actor.user.uid, now, details))
    return ended


def end_sessions(draft: Draft, user_id: UserId, now: datetime, *, but: str | None = None) -> int:
    """End a user's sessions, all or all but one; give how many."""
    ending = [session for session in draft.shelf(keys.SESSION, user_id) if session.uid != but]
    for session in ending:
        people.write_session(draft, replace(session, ended_at=now))
    return len(ending)


def make_key(draft: Draft, actor: Actor, key: KeyRecord) -> KeyRecord:
    """Write a key; give it with its number.

    Refuses: when its maker is what he was no more
    """
    check_alive(draft, actor)
    key = replace(key, id=draft.next_id("api_keys"))
    people.write_key(draft, key)
    details = {
        "name": key.name,
        "rights": ",".join(key.rights),
        "portfolios": "all" if key.portfolios is None else ",".join(map(str, sorted(key.portfolios))),
        "expires_at": time_text(key.expires_at),
        **_through(actor),
    }
    write_note(draft, Note(DESK, actor.name, "CREATE", "KEY", key.uid, key.created_at, details))
    return key


def revoke_key(draft: Draft, actor: Actor, uid: str, now: datetime) -> bool:
    """End one of somebody's own keys; False where he has none of this name."""
    key: KeyRecord | None = draft.get(keys.with_token(keys.API_KEY, actor.user.id, uid))
    if key is None:
        return False
    people.write_key(draft, replace(key, ended_at=now))
    write_note(draft, Note(DESK, actor.name, "DELETE", "KEY", uid, now, {"name": key.name, **_through(actor)}))
    return True


def note_refused(draft: Draft, entity: str, uid: str, at: datetime, details: dict[str, str]) -> None:
    """Write that somebody did not get in."""
    write_note(draft, Note(DESK, NOBODY, "REJECT", entity, uid, at, details))


def note_key_used(draft: Draft, key: KeyRecord, origin: str, at: datetime) -> None:
    """Write that a key was used from somewhere in this hour."""
    details = {"what": "key", "origin": origin}
    write_note(draft, Note(DESK, f"user:{key.user_id}", "LOGIN", "KEY", key.uid, at, details))


def write_seen(draft: Draft, noun: str, user_id: UserId, uid: str, at: datetime) -> None:
    """Write a token's last use, unless it ended meanwhile."""
    record: SessionRecord | KeyRecord | None = draft.get(keys.with_token(noun, user_id, uid))
    if isinstance(record, SessionRecord):
        people.write_session(draft, replace(record, last_seen_at=at))
    elif record is not None:
        people.write_key(draft, replace(record, last_used_at=at))


def record_of(memory: Memory, actor: Actor) -> SessionRecord | KeyRecord | None:
    """Find the session or key that somebody acts through; None when it was ended."""
    noun = keys.SESSION if actor.via is Via.SESSION else keys.API_KEY
    found: SessionRecord | KeyRecord | None = memory.get(keys.with_token(noun, actor.user.id, actor.token_uid))
    return found


def alive_record(memory: Memory, actor: Actor) -> SessionRecord | KeyRecord | None:
    """Find the same, unless its user may not enter any more or is not who he was when he showed his token."""
    user: User | None = memory.get(keys.user(actor.user.id))
    return record_of(memory, actor) if user == actor.user and may_enter(user) else None


def check_alive(memory: Memory, actor: Actor) -> SessionRecord | KeyRecord:
    """Give it, or refuse.

    Refuses: "token_ended"
    """
    record = alive_record(memory, actor)
    if record is None:
        raise CommandRefused(TOKEN_ENDED)
    return record


def _open(draft: Draft, user: User, new: NewSession) -> None:
    number, ends = draft.next_id("sessions"), new.at + LONGEST_SESSION
    session = SessionRecord(number, new.uid, user.id, new.token_hash, new.origin, new.at, new.at, ends)
    people.write_session(draft, session)


def _through(actor: Actor) -> dict[str, str]:
    return {"by": f"{actor.via}:{actor.token_uid}"}
