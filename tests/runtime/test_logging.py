"""What is logged can be tied to its order, and a secret never appears in it, whichever way it got there."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import structlog

from plimsoll.model.order import Side
from plimsoll.runtime.logging import Redactor, bind_correlation, configure_logging, logger, register_secret

CANARY = 'canary-7f3a/9c+e\n"quoted"-tail'
NOON = datetime(2022, 1, 24, 12, 0, 0, 250, tzinfo=UTC)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Log as JSON into memory, and leave the process's logging as it was."""
    root, ours = logging.getLogger(), logging.getLogger("plimsoll")
    handlers, level, own = list(root.handlers), root.level, ours.level
    lines = io.StringIO()
    configure_logging(json=True, level="info", stream=lines, now=lambda: NOON)
    yield lines
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(own)
    structlog.reset_defaults()


def written(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_carries_room_level_and_the_time_of_the_clock(stream: io.StringIO) -> None:
    logger("desk").info("order booked", quantity=Decimal("1E-8"), side=Side.BUY, at=NOON, note=None, tries=2)
    assert written(stream) == [
        {
            "at": "2022-01-24T12:00:00.000250+00:00",
            "event": "order booked",
            "level": "info",
            "note": None,
            "quantity": "0.00000001",
            "room": "desk",
            "side": Side.BUY.value,
            "time": "2022-01-24T12:00:00.000250+00:00",
            "tries": 2,
        }
    ]


def test_lines_below_the_level_are_not_written(stream: io.StringIO) -> None:
    logger("desk").debug("quiet")
    logging.getLogger("some.library").debug("quiet")
    assert written(stream) == []


@pytest.mark.parametrize("level", ["debug", "notset"])
def test_at_debug_our_own_lines_are_written_and_no_library_s(stream: io.StringIO, level: str) -> None:
    """What libraries tell at DEBUG is what passes through them: headers of a handshake, bodies, signatures."""
    configure_logging(json=True, level=level, stream=stream, now=lambda: NOON)
    logger("desk").debug("a detail")
    for name in ("uvicorn.error", "websockets.server", "asyncio", "ccxt.base.exchange", "aiohttp", "some.library"):
        library = logging.getLogger(name)
        library.debug("< authorization: whatever")
        assert not library.isEnabledFor(logging.DEBUG), "it need not even write them"
    logging.getLogger("some.library").info("begun")
    assert [line["event"] for line in written(stream)] == ["a detail", "begun"]


def test_above_debug_a_level_is_everybody_s(stream: io.StringIO) -> None:
    configure_logging(json=True, level="warning", stream=stream, now=lambda: NOON)
    logger("desk").info("quiet")
    logging.getLogger("some.library").info("quiet")
    logging.getLogger("some.library").warning("loud")
    assert [line["event"] for line in written(stream)] == ["loud"]


KEY = "plim_" + "aB3-_" * 8 + "xyz"
SESSION_TOKEN = "Zx9_-" * 8 + "abc"


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        f"< authorization: Bearer {KEY}",
        f"< cookie: theme=dark; plimsoll={SESSION_TOKEN}; other=1",
        f'set-cookie: __Host-plimsoll="{SESSION_TOKEN}"; Path=/; Secure',
        f"headers=[(b'cookie', b'plimsoll={SESSION_TOKEN}'), (b'authorization', b'Bearer {KEY}')]",
        f"plimsoll={SESSION_TOKEN},{KEY}",
    ],
)
def test_a_token_that_nobody_registered_is_known_by_its_looks(stream: io.StringIO, text: str, as_json: bool) -> None:
    """A key of an earlier start and a session's cookie, in a line of a library, a field, a traceback."""
    configure_logging(json=as_json, level="INFO", stream=stream, now=lambda: NOON)
    library = logging.getLogger()
    library.warning("heard %s", text)
    library.warning(text)
    logger("edges").info(text, said=text, nested={text: [text]})
    try:
        raise RuntimeError(text)
    except RuntimeError:
        library.exception("it broke")
    assert KEY not in stream.getvalue()
    assert SESSION_TOKEN not in stream.getvalue()
    assert stream.getvalue().count("***") >= 6
    assert stream.getvalue().count("it broke") == 1


def test_what_only_begins_like_a_token_is_left_as_it_is(stream: io.StringIO) -> None:
    """The shown part of a key, by which people tell theirs apart; the name of the desk."""
    logger("edges").info("plim_aB3-_x of plimsoll 0.1, theme=dark; plimsoll=")
    assert written(stream)[0]["event"] == "plim_aB3-_x of plimsoll 0.1, theme=dark; plimsoll="


def test_correlation_ids_end_with_their_block_and_stay_in_their_task(stream: io.StringIO) -> None:
    log = logger("desk")

    async def order(intent_key: str, account: int) -> None:
        with bind_correlation(intent_key=intent_key, client_order_id=f"PL{account}", account=account):
            await asyncio.sleep(0)
            log.info("inside")

    async def two_orders() -> None:
        await asyncio.gather(order("a:1", 1), order("b:1", 2))
        log.info("outside")

    asyncio.run(two_orders())
    ids = [(line.get("intent_key"), line.get("client_order_id"), line.get("account")) for line in written(stream)]
    assert ids == [("a:1", "PL1", 1), ("b:1", "PL2", 2), (None, None, None)]


@pytest.mark.parametrize(
    "name",
    ["key", "apiKey", "api_key_id", "client_secret", "accessToken", "passwd", "Passphrase", "credentials", "Cookie"],
)
def test_a_field_whose_name_smells_is_masked_at_any_depth(stream: io.StringIO, name: str) -> None:
    logger("venues").info("sent", **{name: "plain-value", "request": {"headers": [{name: "plain-value"}]}})
    [line] = written(stream)
    assert line[name] == "***"
    assert line["request"] == {"headers": [{name: "***"}]}


class Session:
    """An object whose `repr` gives its secret away."""

    def __repr__(self) -> str:
        return f"Session({CANARY!r})"


def fail() -> None:
    raise RuntimeError(f"signature of {CANARY} rejected")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_registered_secret_never_appears(stream: io.StringIO, as_json: bool) -> None:
    register_secret(CANARY)
    configure_logging(json=as_json, level="INFO", stream=stream, now=lambda: NOON)
    log, library = logger("venues"), logging.getLogger("some.library")
    log.info(f"login with {CANARY}", note=CANARY, nested={CANARY: [CANARY, (CANARY,), {CANARY}]}, raw=CANARY.encode())
    log.info("an object", session=Session(), url="https://host/?s=canary-7f3a%2F9c%2Be%0A%22quoted%22-tail")
    log.info("deep", tree=[[[[[[[[[[CANARY]]]]]]]]]])
    with bind_correlation(account=CANARY):
        library.warning("GET %s failed", CANARY)
    try:
        fail()
    except RuntimeError:
        log.exception("venue said no")
        library.exception("library said no")
    text = stream.getvalue()
    assert text.count("said no") == 2
    assert "RuntimeError" in text
    assert "***" in text
    assert "canary" not in text
    assert "quoted" not in text


def test_configuring_twice_writes_each_line_once(stream: io.StringIO) -> None:
    configure_logging(json=True, level="INFO", stream=stream, now=lambda: NOON)
    logging.getLogger("some.library").warning("once")
    assert [line["room"] for line in written(stream)] == ["some.library"]


def test_a_closed_stream_stops_nobody_and_prints_nothing(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    stream.close()
    logger("desk").info("nobody hears this", note="but the order goes on")
    assert capsys.readouterr() == ("", "")
    configure_logging(json=True, level="INFO", stream=io.StringIO(), now=lambda: NOON)


def test_the_longer_of_two_secrets_leaves_no_tail() -> None:
    redactor = Redactor()
    redactor.register("abcdefgh")
    redactor.register("abcdefgh-and-more")
    assert redactor(None, "info", {"event": "x abcdefgh-and-more y abcdefgh z"}) == {"event": "x *** y *** z"}


def test_a_value_too_short_to_be_a_secret_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="fewer than 8") as refusal:
        Redactor().register("hunter2")
    assert "hunter2" not in str(refusal.value)


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="log level 'loud' is unknown"):
        configure_logging(json=True, level="loud", stream=io.StringIO(), now=lambda: NOON)
