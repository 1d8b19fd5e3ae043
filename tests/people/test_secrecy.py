"""I16: no password, token or hash is anywhere but where it belongs: not in the log, a note, a repr or an error."""

import io
import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from plimsoll.ledger import keys
from plimsoll.model.errors import CommandRefused, Wait
from plimsoll.runtime.logging import configure_logging, logger
from tests.builders.ledger import NOON
from tests.people.scenes import ABROAD, ADA, GRACE, HOME, Door, play

CANARIES = [f"canary {word} 7f3a9c plank" for word in ("first", "second", "wrong", "abroad")]
#: Refused: too short, and little more than a name.
CANARIES += ["canary 7f3a", "Grace Canary?"]
FIRST, SECOND, WRONG, AS_A_NAME = CANARIES[:4]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Log as JSON into memory, at the lowest level, and leave the process's logging as it was."""
    root, ours = logging.getLogger(), logging.getLogger("plimsoll")
    handlers, level, own = list(root.handlers), root.level, ours.level
    lines = io.StringIO()
    configure_logging(json=True, level="debug", stream=lines, now=lambda: NOON)
    yield lines
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(own)
    structlog.reset_defaults()


def test_secrets_are_nowhere(tmp_path: Path, stream: io.StringIO) -> None:
    told: list[str] = []
    drawn: list[str] = []
    hashes: list[str] = []

    async def trying(door: Door) -> None:
        people = door.people
        link = await people.new_link(GRACE.id, "cli")
        for password in CANARIES[4:]:
            try:
                await people.redeem_link(link, password, HOME)
            except CommandRefused as error:
                told.append(f"{error!r} {error} {error.refusals!r}")
        assert len(told) == 2
        grace = people.session(await people.redeem_link(link, FIRST, HOME))
        assert grace is not None
        key, secret = await people.make_key(grace, "robot", ["read"], 30, None)
        actor = people.key(secret, HOME)
        people.key(secret[:-1], ABROAD)
        await people.change_password(grace, FIRST, SECOND)
        told.extend(map(repr, (grace, key, actor, people.keys_of(grace), people)))
        for name, password, origin in (
            (GRACE.name, WRONG, ABROAD),
            (AS_A_NAME, SECOND, ABROAD),
            ("\ud800", "\ud800", "198.51.100.7"),
        ):
            for _ in range(6):
                try:
                    await people.sign_in(name, password, origin)
                except (CommandRefused, Wait) as error:
                    told.append(f"{error!r} {error} {error.__cause__!r} {error.__context__!r}")
        await people.sign_in(GRACE.name, SECOND, HOME)
        await people.new_link(ADA.id, "cli")
        hot = door.driver.hot
        told.extend(repr(value) for place, value in hot.snapshot().items() if place[0] != "token")
        drawn.extend(door.secrets.drawn)
        drawn.append(secret)
        hashes.extend(str(row[0]) for row in door.rows("SELECT hash FROM passwords"))
        for noun in (keys.SIGN_IN_LINK, keys.SESSION, keys.API_KEY):
            hashes.extend(str(place[2]) for place in hot.snapshot() if place[:2] == ("token", noun))
        told.extend(map(str, door.rows("SELECT * FROM audit_log")))
        told.extend(map(str, door.rows("SELECT * FROM events")))
        told.extend(map(str, door.rows("SELECT * FROM users")))

    play(tmp_path, trying)
    on_disk = b"".join(file.read_bytes() for file in sorted(tmp_path.iterdir()))
    said = "\n".join([*told, stream.getvalue()])
    assert "sign_in_locked" in said
    assert len(drawn) >= 8
    assert len(hashes) >= 4
    for canary in (*CANARIES, *drawn):
        assert canary.encode() not in on_disk, "in the database"
        assert canary not in said, "in words"
    for hashed in hashes:
        assert hashed not in said
        assert hashed.split("$")[-1] not in said


def test_a_link_and_a_key_are_masked_where_somebody_logs_them(tmp_path: Path, stream: io.StringIO) -> None:
    async def story(door: Door) -> None:
        link = await door.people.new_link(GRACE.id, "cli")
        grace = door.people.session(await door.people.redeem_link(link, FIRST, HOME))
        assert grace is not None
        _key, secret = await door.people.make_key(grace, "robot", ["read"], 30, None)
        logger("edges").info("opened", url=f"http://127.0.0.1/#/welcome?token={link}", said=f"Bearer {secret}")
        assert link not in stream.getvalue()
        assert secret not in stream.getvalue()
        assert "welcome" in stream.getvalue()

    with closing(stream):
        play(tmp_path, story)
