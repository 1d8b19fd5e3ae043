"""The door of a running desk: a Unix socket in its data directory, by which other commands reach the one writer.

One line of JSON comes in, one goes out. Threads of their own do the talking and put each command into the desk's
mailbox; the desk answers from its own loop, between two moments of its market. What must not enter: anything that acts.

What if the desk ends with commands in its mailbox? Each is told so, has had no effect, and whoever sent it asks again.
What if a desk was killed? Its socket file stays, nobody answers there, and the next desk puts its own in its place.
"""

import asyncio
import contextlib
import json
import os
import socketserver
import threading  # noqa: TID251  sim-ok: waits at the socket for other shells; a simulated desk has no door
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

Message = Mapping[str, object]

#: What a closing desk says to a command that it no longer took up.
ENDED: Message = {"ended": True}
#: A command is one short line; more is nothing of ours.
LONGEST_LINE = 65_536
#: A client that connects and says nothing keeps only its own thread waiting.
CLIENT_TIMEOUT_SECONDS = 10.0
#: Socket addresses end at 104 to 108 bytes, depending on the system.
_LONGEST_ADDRESS = 100


class Wake:
    """Something in the mailbox that is no command: look up from waiting."""


@dataclass(slots=True)
class Command:
    """What somebody outside wants, and where the answer goes."""

    name: str
    words: Message
    _answers: "SimpleQueue[Message]" = field(default_factory=SimpleQueue)

    def answer(self, message: Message) -> None:
        """Give the answer; the first one counts."""
        self._answers.put(message)

    def wait(self) -> Message:
        """Wait for the answer."""
        return self._answers.get()


Mailbox = SimpleQueue[Command | Wake]


class _Conversation(socketserver.StreamRequestHandler):
    timeout = CLIENT_TIMEOUT_SECONDS
    server: "_Server"

    def handle(self) -> None:
        # A line that never comes, or half of one: the desk hears nothing of it.
        with contextlib.suppress(OSError):
            line = self.rfile.readline(LONGEST_LINE)
            try:
                told = json.loads(line)
                command = Command(str(told.pop("command")), told)
            except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
                self.wfile.write(_line({"error": "one line of JSON with a command in it was expected"}))
                return
            self.server.mailbox.put(command)
            if self.server.closing:  # it may have come behind the last look into the mailbox
                command.answer(ENDED)
            self.wfile.write(_line(command.wait()))


class _Server(socketserver.ThreadingUnixStreamServer):
    request_queue_size = 64

    def __init__(self, address: str, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.closing = False
        self._talking: list[threading.Thread] = []
        super().__init__(address, _Conversation)

    def process_request(self, request: object, client_address: object) -> None:
        """Talk in a thread that does not keep the process alive, and that can be waited for."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self._talking = [*(other for other in self._talking if other.is_alive()), thread]
        thread.start()

    def finish_talking(self, seconds: float) -> None:
        """Wait until the answers that were given are written."""
        for thread in self._talking:
            thread.join(seconds)


class Door:
    """The door while it is open; its owner holds the desk's lock."""

    def __init__(self, path: Path, mailbox: Mailbox) -> None:
        self._path = path
        self._mailbox = mailbox
        # The lock is ours, so whoever left a socket here is dead.
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            with _short(path) as address:
                self._server = _Server(address, mailbox)
        finally:
            os.umask(before)
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="door", daemon=True).start()

    def close(self) -> None:
        """Let nobody in any more, and tell those who wait that they were not heard."""
        self._path.unlink(missing_ok=True)
        self._server.shutdown()
        self._server.closing = True
        while not self._mailbox.empty():
            waiting = self._mailbox.get()
            if isinstance(waiting, Command):
                waiting.answer(ENDED)
        self._server.finish_talking(2.0)
        self._server.server_close()


class NobodyAnswers(Exception):
    """There is no desk behind this socket, or it ended before it heard the command."""


async def ask(path: Path, name: str, words: Message) -> Message:
    """Send one command to the desk behind a socket and give its answer.

    Raises: NobodyAnswers, the command had no effect; ConnectionError, its fate is not known: look with `status`
    """
    try:
        with _short(path) as address:
            reader, writer = await asyncio.open_unix_connection(address, limit=1 << 24)
    except (FileNotFoundError, ConnectionRefusedError) as nobody:
        raise NobodyAnswers from nobody
    try:
        writer.write(_line({"command": name, **words}))
        await writer.drain()
        line = await reader.readline()
    finally:
        writer.close()
    if not line:
        raise ConnectionError("the desk ended before it answered; `plimsoll status` shows what became of it")
    told: Message = json.loads(line)
    if told == ENDED:
        raise NobodyAnswers
    return told


def _line(message: Message) -> bytes:
    return json.dumps(message).encode() + b"\n"


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give an address for a socket that fits, however deep the folder lies: then as seen from inside it."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    with contextlib.chdir(path.parent):
        yield path.name
