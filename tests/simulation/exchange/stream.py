"""An account's private stream: every message numbered, kept, and told to whoever listens.

Numbers count from 1 without a gap; heartbeats and the word that closes a stream carry the last number and do not count.
A venue that resumes (`Resuming.SINCE`, as Deribit and FIX sessions do) repeats what follows a number; the others begin
at now, and what was missed is in the histories alone (Binance, Bybit).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.exchange.personality import Personality, Resuming

Message = dict[str, object]
Hear = Callable[[Message], None]
ORDER, FILL, BUSTED, LEDGER, HEARTBEAT, CLOSED = "order", "fill", "bust", "ledger", "heartbeat", "closed"


@dataclass(eq=False, slots=True)
class _Listener:
    hear: Hear
    opened_us: int
    beat_us: int


@dataclass(slots=True)
class Stream:
    """What one account is told, and who hears it."""

    personality: Personality
    sent: list[Message] = field(default_factory=list)
    _waiting: list[tuple[str, Message]] = field(default_factory=list)
    _listeners: list[_Listener] = field(default_factory=list)

    def subscribe(self, hear: Hear, since: int | None, now_us: int) -> Callable[[], None]:
        """Tell somebody everything from now on, or from a number on; the answer stops it."""
        listener = _Listener(hear, now_us, now_us)
        self._listeners.append(listener)
        if since is not None and self.personality.resuming is Resuming.SINCE:
            for message in self.sent[since:]:
                hear(message)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def add(self, kind: str, row: Message) -> None:
        """Note what happened; it is sent when the exchange has finished with what it does."""
        self._waiting.append((kind, row))

    def flush(self, now_us: int, answered: str | None = None) -> None:
        """Send what waits, but not what an answer told already, where the stream does not repeat that.

        Shapes: `answered` is the id of the order that the answer is about
        """
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for kind, row in waiting:
            if answered is not None and self._was_told(kind, row, answered):
                continue
            message = {"n": len(self.sent) + 1, "e": kind, "at": now_us // 1_000, **row}
            self.sent.append(message)
            for listener in tuple(self._listeners):
                listener.hear(message)

    def pass_time(self, now_us: int) -> None:
        """Send the heartbeats that are due, and close what was open for too long."""
        for listener in tuple(self._listeners):
            if now_us - listener.opened_us >= self.personality.cut_after_seconds * 1_000_000:
                self._listeners.remove(listener)
                listener.hear(self._aside(CLOSED, now_us))
            elif now_us - listener.beat_us >= self.personality.heartbeat_seconds * 1_000_000:
                listener.beat_us = now_us
                listener.hear(self._aside(HEARTBEAT, now_us))

    def _aside(self, kind: str, now_us: int) -> Message:
        return {"n": len(self.sent), "e": kind, "at": now_us // 1_000}

    def _was_told(self, kind: str, row: Message, answered: str) -> bool:
        if self.personality.stream_repeats or kind not in (ORDER, FILL) or row["orderId"] != answered:
            return False
        # A bare answer told that it was taken, and nothing else.
        return not self.personality.bare_answers or (kind == ORDER and row["status"] == "NEW")
