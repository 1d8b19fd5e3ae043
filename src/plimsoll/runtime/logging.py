"""Log lines: one per event, with the ids that tie them to an order, and never a secret.

Everything that is logged passes one door, ours through structlog and the libraries' through the standard library, and
is masked there as the last step before it is written, so that a secret inside a traceback is masked as well. Libraries
are not heard below INFO whatever level was asked for: there they tell what passes through them, headers and bodies, and
no name beside a header tells us what it holds. No file handling (the process manager keeps the stream), and no clock:
the time is asked from the `now` that was passed in.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Final, TextIO, cast
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

MASK: Final = "***"

_SMELLS: Final = re.compile(r"key|secret|token|passw|passphrase|credential|authorization|cookie", re.IGNORECASE)
#: Names that smell but are ours and harmless. All others are masked: a lost word is cheaper than a leaked key.
_HARMLESS: Final = frozenset({"intent_key"})
#: Shorter values would mask ordinary words, and are no secrets.
_SHORTEST_SECRET: Final = 8
#: What our tokens look like to whoever was not told of them: a key of an earlier start, the cookie of a session.
_TOKENS: Final = re.compile(r"""plim_[\w-]{20,}|(?<=plimsoll=)"?[^\s;,"']+""")
#: What both have in common; nearly no line has it, so nearly no line is searched.
_TOKENS_BEGIN: Final = "plim"
#: Our own loggers; all others are libraries'.
_OURS: Final = "plimsoll"
_DEEPEST: Final = 8


class Redactor:
    """Mask what must not be read in a log: by the name of a field, and wherever it stands a registered value or what
    looks like one of our tokens.
    """

    __slots__ = ("_forms",)

    def __init__(self) -> None:
        # The value itself is needed, a hash cannot be found inside a sentence. Longest first: a secret that begins
        # another one must not leave the other's tail readable.
        self._forms: tuple[str, ...] = ()

    def register(self, value: str) -> None:
        """Mask `value` from now on, also as `repr`, a URL and the single lines of a key file write it.

        Raises:  ValueError when it is shorter than eight characters; the message does not repeat it
        """
        if len(value) < _SHORTEST_SECRET:
            raise ValueError(f"a secret of fewer than {_SHORTEST_SECRET} characters cannot be told from ordinary text")
        forms = {value, repr(value)[1:-1], quote(value, safe="")}
        forms.update(line for line in value.splitlines() if len(line) >= _SHORTEST_SECRET)
        self._forms = tuple(sorted({*self._forms, *forms}, key=lambda form: (-len(form), form)))

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {self._text(name): self._field(name, value, 0) for name, value in event.items()}

    def _field(self, name: str, value: object, depth: int) -> object:
        if name not in _HARMLESS and _SMELLS.search(name):
            return MASK
        return self._value(value, depth)

    def _value(self, value: object, depth: int) -> object:
        """Turn anything into plain data, so that no renderer calls a `repr` after the masking."""
        match value:
            case None | bool() | int() | float() if not isinstance(value, Enum):
                return value
            case Enum():
                return self._value(value.value, depth)
            case str():
                return self._text(value)
            case Decimal():
                return format(value, "f")
            case datetime():
                return value.isoformat()
            case bytes() | bytearray() | memoryview():
                return f"<{len(value)} bytes>"
            case Mapping() | list() | tuple() | set() | frozenset() if depth >= _DEEPEST:
                return "…"
            case Mapping():
                pairs = cast("Mapping[object, object]", value).items()
                return {self._text(str(name)): self._field(str(name), inner, depth + 1) for name, inner in pairs}
            case list() | tuple():
                return [self._value(inner, depth + 1) for inner in cast("list[object]", value)]
            case set() | frozenset():
                return sorted(str(self._value(inner, depth + 1)) for inner in cast("set[object]", value))
            case _:
                return self._text(repr(value))

    def _text(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        return _TOKENS.sub(MASK, text) if _TOKENS_BEGIN in text else text


_REDACTOR: Final = Redactor()


def register_secret(value: str) -> None:
    """Mask this value in every line of the process from now on; whoever decrypts a secret registers it first."""
    _REDACTOR.register(value)


@contextmanager
def bind_correlation(**ids: str | int) -> Iterator[None]:
    """Write these ids (`intent_key`, `client_order_id`, `account`) on every line until the block ends.

    They follow the task: tasks started inside inherit them, tasks beside it do not see them.
    """
    with structlog.contextvars.bound_contextvars(**ids):
        yield


def logger(room: str) -> FilteringBoundLogger:
    """Give the room's logger; it may be made at import, it reads the configuration at each line."""
    return cast("FilteringBoundLogger", structlog.get_logger(f"{_OURS}.{room}", room=room))


class _DeskHandler(logging.StreamHandler[TextIO]):
    """Our handler on the root logger, told from others by its type so that configuring twice leaves one."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the standard library's name
        """Drop the line when the stream is gone: a desk that cannot log must still protect its accounts.

        The default would print the record's raw arguments to stderr, unmasked.
        """


def configure_logging(*, json: bool, level: str, stream: TextIO, now: Callable[[], datetime]) -> None:
    """Send the desk's lines and the libraries' to `stream`, as JSON for machines or as text for a person.

    Shapes:  below INFO, `level` is that of our own lines only
    Units:   time stamps are UTC ISO-8601 with microseconds, taken from `now`
    Raises:  ValueError for a level the standard library does not know
    """
    number = _level_number(level)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _stamp(now),
    ]
    handler = _DeskHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _room_of_library],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _REDACTOR,
                _renderer(json=json, colors=stream.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    for earlier in [other for other in root.handlers if isinstance(other, _DeskHandler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(max(number, logging.INFO))
    logging.getLogger(_OURS).setLevel(max(number, 1))  # 0 would mean: as the root
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _level_number(level: str) -> int:
    known = logging.getLevelNamesMapping()
    number = known.get(level.upper())
    if number is None:
        raise ValueError(f"log level {level!r} is unknown; choose one of {', '.join(sorted(known))}")
    return number


def _stamp(now: Callable[[], datetime]) -> Processor:
    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["time"] = now().isoformat(timespec="microseconds")
        return event

    return stamp


def _room_of_library(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the library where our own lines name their room."""
    record = cast("logging.LogRecord", event["_record"])
    event["room"] = record.name
    return event


def _renderer(*, json: bool, colors: bool) -> Processor:
    if json:
        return structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback, timestamp_key="time"
    )
