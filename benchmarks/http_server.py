"""The process that is measured: a served desk as `plimsoll up` serves one, or the same framework without a database.

    python -m benchmarks.http_server desk|bare --directory DIR [--profile DIR]

It prints one JSON line (`http_process.Address`) when it answers, and ends when its standard input does. The desk is put
together by the product's own composition, on synthetic prices, on the product's loop and server; three things differ,
and RESULTS.md says so: the account is rich, its policy is wide, and so are the rates.

--profile DIR   what the event loop's thread did (`loop.prof`, for `pstats`), and how much processor time each thread
                took, on stderr. The profile itself makes the loop about twice as slow.
"""

import argparse
import asyncio
import cProfile
import json
import os
import sys
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from benchmarks.http_bare import bare_app
from benchmarks.http_process import Address
from benchmarks.orders import DEPOSIT, POLICY
from plimsoll.bootstrap import DataDirectory, take_the_desk
from plimsoll.bootstrap.served import OWNER, Served, open_served
from plimsoll.bootstrap.sources import SYNTHETIC, Wanted
from plimsoll.cli.up import new_loop, server_config
from plimsoll.desk.open_account import deposit
from plimsoll.edges.api.app import make_app
from plimsoll.edges.api.rates import Rate, Rates
from plimsoll.edges.api.stream import streams_of
from plimsoll.edges.api.stream_hub import Pace
from plimsoll.edges.listen import HOST, Listener, bind
from plimsoll.edges.served import ServedAccount
from plimsoll.ledger import keys
from plimsoll.ledger.accounts import write_policy
from plimsoll.model.cash import SPOT
from plimsoll.model.clock import SystemClock
from plimsoll.model.ids import system_chance
from plimsoll.runtime.logging import configure_logging
from plimsoll.runtime.process import begin_process
from plimsoll.venues.paper.venue import PaperVenue

#: So many a second that nobody is ever asked to wait.
RATE = 1_000_000
STREAMS_PER_USER = 1_000
#: What differs from a desk as it is delivered, as RESULTS.md prints it.
WIDENED = (
    f"policy `{POLICY}`, deposit {DEPOSIT:,} USDT, requests {RATE:,}/s instead of {Rates().write_by_key.per_second:g}"
    f" writes and {Rates().read.per_second:g} reads, {STREAMS_PER_USER:,} streams of one person instead of"
    f" {Pace().streams_per_user}"
)
_PASSWORD = "a benchmark has no secrets"
_READY_SECONDS = 30.0


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("desk", "bare"))
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--profile", type=Path, default=None)
    words = parser.parse_args()
    begin_process()
    configure_logging(json=False, level="WARNING", stream=sys.stderr, now=SystemClock().now)
    with bind(0) as listener:
        serve = _serve_desk(words.directory, listener, words.profile) if words.kind == "desk" else _serve_bare(listener)
        asyncio.Runner(loop_factory=new_loop).run(serve)


async def _serve_bare(listener: Listener) -> None:
    server = _begin(bare_app(), listener, key="nobody asks")
    await _until_told()
    await _end(*server)


async def _serve_desk(directory: Path, listener: Listener, profile: Path | None) -> None:
    place = DataDirectory(directory)
    lock = take_the_desk(place)
    served = await open_served(
        place, Wanted(SYNTHETIC), clock=SystemClock(), chance=system_chance(), version="bench", say=lambda _line: None
    )
    try:
        (account,) = served.desk.accounts.values()
        await _widen(account)
        app = make_app(served.desk, rates=Rates(Rate(RATE, RATE), Rate(RATE, RATE), Rate(RATE, RATE)))
        app.state.streams = streams_of(served.desk, app.state.api.estate, Pace(streams_per_user=STREAMS_PER_USER))
        await served.start()
        await _until_it_may_trade(account)
        server = _begin(app, listener, key=await _make_key(served))
        with nullcontext() if profile is None else _profiled(profile):
            await _until_told()
        # The order of the end is that of `plimsoll up`.
        await served.stop_taking()
        await app.state.streams.close()
        await _end(*server)
    finally:
        await served.close()
        lock.release()


async def _widen(account: ServedAccount) -> None:
    ports, venue = account.ports, account.ports.venue
    assert isinstance(venue, PaperVenue), "Invariant: this desk was made with a paper account."
    before = ports.books.hot.get(keys.account(ports.account_id))
    await ports.books.write(lambda draft: write_policy(draft, ports.account_id, POLICY, 2))
    await venue.deposit(ports.account_id, before.base_currency, Decimal(DEPOSIT), reference="bench", pocket=SPOT)
    await deposit(ports, Decimal(DEPOSIT), pocket=SPOT, reference="bench", actor=f"user:{OWNER}")


async def _until_it_may_trade(account: ServedAccount) -> None:
    ports, started = account.ports, time.monotonic()
    wanted = await account.feed.describe()
    while not ports.reconciled or ports.blind or len(ports.board.quotes()) < len(wanted):
        if time.monotonic() - started > _READY_SECONDS:
            raise RuntimeError(f"the desk may not trade: reconciled {ports.reconciled}, blind {ports.blind!r}")
        await asyncio.sleep(0.05)


async def _make_key(served: Served) -> str:
    people = served.desk.people
    session = await people.redeem_link(await people.new_link(OWNER, "bench"), _PASSWORD, HOST)
    owner = people.session(session)
    assert owner is not None, "Invariant: the session was opened just now."
    _record, secret = await people.make_key(owner, "bench", ("read", "trade"), 1, None)
    return secret


def _begin(app: FastAPI, listener: Listener, *, key: str) -> tuple[uvicorn.Server, "asyncio.Task[None]"]:
    server = uvicorn.Server(server_config(app))
    serving = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
    # Whoever connects before the server takes connections waits in the socket's own line.
    listener.listen(1_024)
    host, port = listener.getsockname()
    print(json.dumps(asdict(Address(host, port, key, os.getpid()))), flush=True)
    return server, serving


async def _until_told() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def _end(server: uvicorn.Server, serving: "asyncio.Task[None]") -> None:
    server.should_exit = True
    await serving


class _Profile(AbstractContextManager[None]):
    """What happens within, on this thread, and the processor time of all of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._loop = cProfile.Profile()
        self._before: dict[int, float] = {}

    def __enter__(self) -> None:
        self._before = _thread_seconds()
        self._loop.enable()

    def __exit__(self, *_: object) -> None:
        self._loop.disable()
        self._directory.mkdir(parents=True, exist_ok=True)
        self._loop.dump_stats(self._directory / "loop.prof")
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        for ident, seconds in _thread_seconds().items():
            sys.stderr.write(f"{names[ident]:12} {seconds - self._before.get(ident, 0.0):7.2f} s of processor time\n")


def _profiled(directory: Path) -> _Profile:
    return _Profile(directory)


def _thread_seconds() -> dict[int, float]:
    threads = [thread.ident for thread in threading.enumerate() if thread.ident is not None]
    return {ident: time.clock_gettime(time.pthread_getcpuclockid(ident)) for ident in threads}


if __name__ == "__main__":
    main()
