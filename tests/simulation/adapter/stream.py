"""The account's stream: held open for ever, and every loss in it found and told.

Rule 1. The exchange numbers its messages without a gap. A number that is skipped is a gap, told at once; a number that
        was heard before is a repetition, and dropped; one that was skipped and comes late is news.
Rule 2. Silence is told from quiet by the heartbeats: a line that says nothing for `SILENCE_SECONDS` is dead, however
        open it looks (FAILURES B15). A line that ends is opened again, after pauses that grow, for ever.
Rule 3. What a broken line may have kept from us is a gap as well, unless the exchange repeats it to who comes back.
        A line that grows old is replaced before the exchange cuts it: the new one speaks before the old one is closed,
        so nothing is missed.
Rule 4. What cannot be read is a gap. Nothing is ever raised into the loop.

What must not enter: what the messages mean (`parse`), and what is done about a gap.
"""

import asyncio
from collections.abc import Callable

from plimsoll.runtime.logging import logger
from tests.simulation.adapter.parse import Row, Unreadable, read_json, read_row, text, whole
from tests.simulation.adapter.wire import Transport

log = logger("sim_stream")

SILENCE_SECONDS = 15.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
#: A line is replaced when it has this share of its life behind it.
_OLD_RATIO = 0.9
#: More are not waited for one by one: whoever lost so many finds them in the histories.
_MOST_MISSING = 1_000

#: They have the number of what was said last, and do not count themselves.
_ASIDES = frozenset({"heartbeat", "closed"})

#: Takes one message that is news.
TakeRow = Callable[[Row], None]
#: Takes the reason of a gap.
TakeGap = Callable[[str], None]


class AccountStream:
    """Keeps one account's stream going."""

    def __init__(
        self, transport: Transport, take: TakeRow, gap: TakeGap, *, resumes: bool, cut_after_seconds: float
    ) -> None:
        self._transport = transport
        self._take = take
        self._gap = gap
        self._resumes = resumes
        self._old_seconds = cut_after_seconds * _OLD_RATIO
        self._loop = asyncio.get_running_loop()
        #: The highest number heard; None until there was one.
        self._last: int | None = None
        #: Skipped and not heard since.
        self._missing: set[int] = set()
        #: The line that counts, and one that is about to take its place.
        self._line: _Line | None = None
        self._next: _Line | None = None
        self._failures = 0
        self._again: asyncio.TimerHandle | None = None
        self._is_closed = False

    def open(self) -> None:
        """Begin. Who listens asks afterwards how things stand; only a line that does not come is a gap by then."""
        self._line = _Line(self)

    def close(self) -> None:
        """End for good."""
        self._is_closed = True
        for line in (self._line, self._next):
            if line is not None:
                line.close()
        if self._again is not None:
            self._again.cancel()

    # ------------------------------------------------------------------------------------------------------- messages

    def hear(self, body: bytes) -> None:
        """Take a message of any line."""
        try:
            row = read_row(read_json(body))
            if self._is_news(whole(row, "n"), is_aside=text(row, "e") in _ASIDES):
                self._take(row)
        except Unreadable as problem:
            log.warning("message_unreadable", detail=str(problem))
            self._gap(f"a message could not be read: {problem}")

    def _is_news(self, number: int, *, is_aside: bool) -> bool:
        """Say whether a message was not heard before, and tell what its number says is missing."""
        #: Everything up to here has been said before it.
        said = number if is_aside else number - 1
        if self._last is None:
            self._last = said  # where we began
        if said > self._last:
            self._gap(f"messages {self._last + 1} to {said} did not come")
            self._missing.update(range(max(self._last, said - _MOST_MISSING) + 1, said + 1))
            self._missing = {one for one in self._missing if one > said - _MOST_MISSING}
        is_new = number > self._last and not is_aside
        self._last = max(self._last, number)
        if number in self._missing and not is_aside:
            self._missing.remove(number)
            return True
        return is_new

    @property
    def since(self) -> int | None:
        """Say from which number on a new line shall repeat; None where the exchange repeats nothing."""
        if not self._resumes or self._last is None:
            return None
        return min(self._missing) - 1 if self._missing else self._last

    # ----------------------------------------------------------------------------------------------------------- lines

    def spoke(self, line: "_Line") -> None:
        """Note that a line works: a new one that does takes the old one's place."""
        self._failures = 0
        if line is self._next:
            if self._line is not None:
                self._line.close()
            self._line, self._next = line, None

    def grew_old(self, line: "_Line") -> None:
        """Open another line beside one that the exchange will cut soon."""
        if line is self._line and self._next is None and not self._is_closed:
            self._next = _Line(self)

    def ended(self, line: "_Line", why: str) -> None:
        """Open another line in place of one that is gone, after a pause."""
        if self._is_closed:
            return
        if line is self._next:
            self._next = None
        elif line is self._line:
            self._line = None
        if self._line is not None:
            self._again = self._loop.call_later(LONGEST_PAUSE_SECONDS, self.grew_old, self._line)
            return
        if self._next is not None:
            self._line, self._next = self._next, None
            self._gap(f"the stream broke while it was being replaced: {why}")
            return
        # What a line that repeats has missed it will repeat; unless it does not come back.
        if self.since is None or self._failures:
            self._gap(f"the stream broke: {why}")
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 10), LONGEST_PAUSE_SECONDS)
        self._failures += 1
        log.info("stream_broke", why=why, pause=pause)
        self._again = self._loop.call_later(pause, self.open)

    def new_line(self, line: "_Line") -> Callable[[], None]:
        """Open a connection for a line."""
        return self._transport.stream(line.hear, line.closed, self.since)

    @property
    def old_seconds(self) -> float:
        return self._old_seconds

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop


class _Line:
    """One connection, watched."""

    def __init__(self, stream: AccountStream) -> None:
        self._stream = stream
        self._is_over = False
        self._silence = stream.loop.call_later(SILENCE_SECONDS, self._is_silent)
        self._age = stream.loop.call_later(stream.old_seconds, stream.grew_old, self)
        self._heard_at = stream.loop.time()
        self._hang_up = stream.new_line(self)

    def hear(self, body: bytes) -> None:
        if self._is_over:
            return
        self._heard_at = self._stream.loop.time()
        self._stream.spoke(self)
        self._stream.hear(body)

    def closed(self, why: str) -> None:
        if not self._is_over:
            self.close()
            self._stream.ended(self, why)

    def close(self) -> None:
        self._is_over = True
        self._silence.cancel()
        self._age.cancel()
        self._hang_up()

    def _is_silent(self) -> None:
        # One timer that looks when it was heard last, not one that is set anew with every message.
        left = self._heard_at + SILENCE_SECONDS - self._stream.loop.time()
        if left > 0:
            self._silence = self._stream.loop.call_later(left, self._is_silent)
        else:
            self.closed(f"nothing was heard for {SILENCE_SECONDS:g} s")
