"""`plimsoll up`: take the desk, bind the port, put it together, serve until a signal, end with nothing in limbo.

The order of the end: no new orders → what is on its way is waited for → sockets are closed → prices are let go → books
are written and stamped → the lock. A second signal ends the process where it stands; the next start finds everything.
"""

import asyncio
import os
import resource
import signal
import sys
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import plimsoll.edges
from plimsoll.bootstrap import DataDirectory, take_the_desk
from plimsoll.bootstrap.backups.keeper import Keeper
from plimsoll.bootstrap.room import RoomKeeper
from plimsoll.bootstrap.served import OWNER, Served, open_served
from plimsoll.bootstrap.sources import Wanted
from plimsoll.cli.backups import CopyPlan, keeper_of
from plimsoll.cli.commands import Done
from plimsoll.cli.door import Command, Door, Wake
from plimsoll.cli.served_commands import obey_served, sign_in_url
from plimsoll.cli.words import say
from plimsoll.edges.api.app import make_app
from plimsoll.edges.api.rates import Rate, Rates
from plimsoll.edges.listen import HOST, Listener, bind
from plimsoll.ledger.stamp import stamp
from plimsoll.model.clock import SystemClock
from plimsoll.model.ids import system_chance
from plimsoll.runtime.logging import logger
from plimsoll.settings import Settings
from plimsoll.store.connection import OwnershipLost
from plimsoll.store.place import reader

log = logger("up")

#: Where the built page lies, if it was built.
PAGE = Path(next(iter(plimsoll.edges.__path__))) / "web"
#: Connections that do not end by themselves are cut after so long.
LINGER_SECONDS = 3
#: A connection that asks for nothing more is closed after so long.
IDLE_SECONDS = 5
MOST_CONNECTIONS = 1_000


@dataclass(frozen=True, slots=True)
class UpWords:
    """What `plimsoll up` was told."""

    port: int
    #: None takes what is there, or chooses.
    prices: Wanted | None
    browser: bool
    version: str
    rates: Rates
    copies: CopyPlan


def rates_of(settings: Settings) -> Rates:
    """Read how often users may ask."""
    return Rates(
        read=Rate(settings.reads_per_second, 2 * settings.reads_per_second),
        write_by_person=Rate(settings.person_writes_per_minute / 60, 10),
        write_by_key=Rate(settings.key_writes_per_second, 2 * settings.key_writes_per_second),
    )


def up(directory: DataDirectory, words: UpWords) -> None:
    """Be the desk of a data directory until a signal ends it.

    Raises: DeskIsRunning, Illegal for a port in use, CommandRefused, StoreFailed, StampContradicted; OwnershipLost when
            another process has taken the book over
    """
    lock = take_the_desk(directory)
    try:
        with bind(words.port) as listener:
            asyncio.Runner(loop_factory=new_loop).run(_serve(directory, words, listener))
        stamp(reader(directory.book), directory.stamp, SystemClock().now())
    finally:
        lock.release()


def new_loop() -> asyncio.AbstractEventLoop:
    """Make the loop that a desk is served on."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415  not made for Windows

    return uvloop.new_event_loop()


async def _serve(directory: DataDirectory, words: UpWords, listener: Listener) -> None:
    ending, clock = asyncio.Event(), SystemClock()
    with _signals(ending):
        served = await open_served(
            directory, words.prices, clock=clock, chance=system_chance(), version=words.version, say=say
        )
        keepers = _keepers(directory, words, served)
        for keeper in keepers:
            served.desk.worries.append(keeper.worries)
            keeper.begin()
        try:
            await _attend(directory, words, served, listener, ending)
        finally:
            for keeper in keepers:
                await keeper.end()
            await served.close()
    say("Stopped. Everything is written.")


def _keepers(directory: DataDirectory, words: UpWords, served: Served) -> list[Keeper | RoomKeeper]:
    """Say who looks after the folder while the desk is served."""
    copies = keeper_of(directory, words.copies)
    keepers: list[Keeper | RoomKeeper] = [] if copies is None else [copies]
    if directory.server is None:
        keepers.append(RoomKeeper(directory, [account.ports for account in served.desk.accounts.values()]))
    return keepers


async def _attend(
    directory: DataDirectory, words: UpWords, served: Served, listener: Listener, ending: asyncio.Event
) -> None:
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    app = make_app(served.desk, page=PAGE, rates=words.rates)
    server = _Server(server_config(app))
    async with _door(directory, served, url):
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await served.start()
            await _greet(served, url, words)
            await _wait_for_the_end(serving, served, ending)
            say("Stopping: no new orders; waiting for what is on its way …")
        finally:
            await served.stop_taking()
            await app.state.streams.close()
            server.should_exit = True
            await serving


async def _wait_for_the_end(serving: "asyncio.Task[None]", served: Served, ending: asyncio.Event) -> None:
    """Wait for a signal, or for a server that ends by itself.

    Raises: OwnershipLost
    """
    stopped, lost = asyncio.create_task(ending.wait()), asyncio.create_task(served.lost())
    await asyncio.wait([serving, stopped, lost], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if lost.done():
        # Nothing that we could still send would be ours to send.
        raise OwnershipLost
    lost.cancel()


def server_config(app: FastAPI) -> uvicorn.Config:
    """Say how the desk is served; what is measured is served alike."""
    return uvicorn.Config(
        app,
        # Not by `limit_concurrency`: at its limit that one turns away everybody, also who was there before.
        http=_Connection,
        timeout_keep_alive=IDLE_SECONDS,
        # On 127.0.0.1 whoever writes `X-Forwarded-For` is as near as a proxy would be: it would be anybody's word
        # about where he comes from, and the lock on wrong passwords hangs on that.
        proxy_headers=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=LINGER_SECONDS,
        ws_max_size=64 * 1024,
        # Compressing costs more than sending does on one machine.
        ws_per_message_deflate=False,
    )


def most_connections() -> int:
    """Say how many connections the network may hold: half of what the process may open, at most.

    The other half is for the door of the shell, the books and the feeds. Without it, whoever opens connections and says
    nothing would keep `plimsoll halt` waiting at a door that cannot be opened.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_CONNECTIONS if files == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, files // 2)


class _Connection(HttpToolsProtocol):
    """A connection; one too many is cut off before it has said anything."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the library does
        """Take it, or cut it off."""
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            transport.abort()


class _Server(uvicorn.Server):
    """A server that leaves signals to us: the desk ends before its sockets do."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield


@contextmanager
def _signals(ending: asyncio.Event) -> Iterator[None]:
    """End on the first Ctrl-C or SIGTERM; a second one ends the process where it stands."""
    loop, ours = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

    def end() -> None:
        for each in ours:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        ending.set()

    for each in ours:
        loop.add_signal_handler(each, end)
    try:
        yield
    finally:
        for each in ours:
            loop.remove_signal_handler(each)


class _Mailbox(SimpleQueue[Command | Wake]):
    """A mailbox that calls the loop when something is in it."""

    def __init__(self, taken: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._taken = taken

    def put(self, item: Command | Wake, block: bool = True, timeout: float | None = None) -> None:
        """Put something in, from any thread."""
        super().put(item, block, timeout)
        self._loop.call_soon_threadsafe(self._taken)


@asynccontextmanager
async def _door(directory: DataDirectory, served: Served, url: str) -> AsyncIterator[None]:
    """Let commands of other shells in, and answer each from this loop."""
    answering: set[asyncio.Task[None]] = set()

    def take() -> None:
        while not mailbox.empty():
            taken = mailbox.get()
            if isinstance(taken, Command):
                task = asyncio.get_running_loop().create_task(_answer(served, taken, url))
                answering.add(task)
                task.add_done_callback(answering.discard)

    mailbox = _Mailbox(take)
    door = Door(directory.socket, mailbox)
    try:
        yield
    finally:
        if answering:
            await asyncio.wait(answering)
        await asyncio.get_running_loop().run_in_executor(None, door.close)


async def _answer(served: Served, command: Command, url: str) -> None:
    try:
        done = await obey_served(served.desk, served.importing, command.name, command.words, url)
    except Exception as bug:
        log.exception("command_failed", command=command.name)
        done = Done(1, {"error": f"the desk failed at it: {bug!r}"})
    command.answer(done.message())


async def _greet(served: Served, url: str, words: UpWords) -> None:
    desk, target = served.desk, url
    for account in desk.accounts.values():
        say(f"Prices: {account.feed.label}.")
    if desk.people.needs_password(OWNER):
        target = sign_in_url(url, await desk.people.new_link(OWNER, "start"))
        for line in ("Sign in once, within 30 minutes, and choose a password:", "", f"    {target}", ""):
            say(line)
    say(f"The desk is served at {url}. Ctrl-C ends it, with nothing left in limbo.")
    if not (PAGE / "index.html").is_file():
        say("The page was not built (`make page` builds it); the API is served.")
    elif words.browser and _has_a_screen():
        webbrowser.open(target)


def _has_a_screen() -> bool:
    # Without one, `webbrowser` may start a text browser that takes the terminal over.
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
