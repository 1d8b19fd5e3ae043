"""A desk that is served: every account of a data directory over one book, attended, priced, and ready for the edges.

1. `open_served` opens the books, makes the owner and the first account where there are none, and puts every account
   together with its own feed, price board and venue.
2. `Served.start` starts what looks after them; from then on prices come and orders may.
3. `Served.stop_taking`, then `close`: no new intents, what is on its way is waited for, everything is written.

What if we are killed at the first start? Every step finds its own traces and is done again: the rows of an account are
one unit; money is brought in by a reference that counts once, at the venue first.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from plimsoll.bootstrap import DataDirectory, look_at, open_books
from plimsoll.bootstrap.backups.waking import look_for_loss, mark_of, wake
from plimsoll.bootstrap.outside import Outside, Venues
from plimsoll.bootstrap.ownership import LeaseWatch, keep_the_lease, own
from plimsoll.bootstrap.paper import PaperVenues
from plimsoll.bootstrap.sources import (
    EXCHANGES,
    LIVE,
    REPLAY,
    SYMBOLS,
    SYNTHETIC,
    SYNTHETIC_PAST,
    PricePlan,
    Wanted,
    plans_of,
    plans_text,
)
from plimsoll.bots.host import BotHost
from plimsoll.bots.replay_plan import PLAN
from plimsoll.desk.attend import Attendant
from plimsoll.desk.import_book import ImportingHere
from plimsoll.desk.keep_catalogue import bring_catalogue
from plimsoll.desk.open_account import NewAccount, open_account
from plimsoll.desk.ports import Doors, MaySend, Ports, always_ours
from plimsoll.edges.served import ServedAccount, ServedDesk
from plimsoll.ledger import books as ledger_books
from plimsoll.ledger import keys
from plimsoll.ledger.accounts import MAIN
from plimsoll.ledger.follow import EventFeed
from plimsoll.ledger.glance import Glance
from plimsoll.ledger.reading.reader import Reader
from plimsoll.ledger.stamp import contradictions, read_stamp
from plimsoll.market.board import PriceBoard
from plimsoll.market.candle_keeper import CandleKeeper
from plimsoll.market.candles import BadRecording, inspect
from plimsoll.market.feed import PriceFeed
from plimsoll.market.live import LiveFeed, find_live
from plimsoll.market.live.errors import CcxtMissing
from plimsoll.market.live.wire import Connect
from plimsoll.market.lost_feed import LostFeed
from plimsoll.market.replay_feed import ReplayFeed
from plimsoll.market.synthetic_feed import SyntheticFeed
from plimsoll.model.account import Account, Mode, Portfolio, TradingState, User
from plimsoll.model.clock import Clock, time_text
from plimsoll.model.errors import CommandRefused, Refusal, WorldFailure
from plimsoll.model.ids import AccountId, ClockedIds, InstrumentId, PortfolioId, UserId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.model.quote import Fact, SourceFacts
from plimsoll.people.people import People
from plimsoll.runtime.logging import logger
from plimsoll.store.connection import OwnershipLost
from plimsoll.store.draft import Draft
from plimsoll.store.drivers import Driver, ThreadDriver
from plimsoll.store.place import people_reader, reader
from plimsoll.store.scribe import Scribe
from plimsoll.venues.catalogue import CATALOGUE
from plimsoll.venues.paper.books import open_scribe

if TYPE_CHECKING:
    from plimsoll.store.lease import Lease

log = logger("served")

OWNER = UserId(1)
#: The one fact of the desk that names its accounts and their prices.
SERVED = "served"
#: The first letters of this desk's order ids, drawn once.
DESK_CODE = "desk_code"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: How long the first start asks for an exchange before it goes on without one.
FIND_SECONDS = 4.0

#: What is shown to charts and bots of the time before the start.
PAST_BARS = 1_000
MINUTE = timedelta(minutes=1)
#: How often charts are looked at for minutes that an outage left out.
MEND_SECONDS = 30.0

#: Tells whoever starts the desk how far it is.
Say = Callable[[str], None]


class NoLivePrices(CommandRefused):
    """Live prices were asked for and no exchange answers."""

    def __init__(self) -> None:
        super().__init__(
            Refusal(
                "no_live_prices",
                f"none of {', '.join(EXCHANGES)} answers within {FIND_SECONDS:g} seconds; nothing was written",
                remedy="try again with a network, or begin with --prices synthetic",
            )
        )


@dataclass(frozen=True, slots=True)
class Served:
    """A desk with the parts that its composition root starts and stops."""

    desk: ServedDesk
    books: Driver
    venues: Venues
    failures: "Failures"
    keepers: Sequence["asyncio.Task[None]"]
    lease: "Lease | None"
    #: The way of imported books into this desk's.
    importing: ImportingHere

    async def start(self) -> None:
        """Bring every account from whatever the last process left to where it may trade, and let prices come."""
        await asyncio.gather(*(account.attendant.start() for account in self.desk.accounts.values()))
        for account in self.desk.accounts.values():
            attendant = account.attendant
            attendant.keep("feed", partial(account.feed.run, attendant.take, attendant.take_bar))
            attendant.keep("past", partial(_know_the_past, account))

    async def stop_taking(self) -> None:
        """Take no more orders, and wait for what is on its way."""
        await asyncio.gather(*(account.attendant.stop() for account in self.desk.accounts.values()))

    async def close(self) -> None:
        """Let go of the prices and write everything; nobody asks any more."""
        await asyncio.gather(*(account.feed.close() for account in self.desk.accounts.values()))
        # The desk's books first: what they say was sent must not be younger than what the venue has.
        await self.books.close()
        await self.venues.close()
        for keeper in self.keepers:
            keeper.cancel()
        await asyncio.gather(*self.keepers, return_exceptions=True)
        if self.lease is not None:
            self.lease.release()

    async def lost(self) -> None:
        """Wait until another process owns the books, which may never be."""
        await self.failures.lost.wait()


async def _know_the_past(account: ServedAccount) -> None:
    """Bring bars of the past to charts and bots, let the bots begin, and mend what an outage left out."""
    candles = account.candles
    await _seed(account, candles.instruments)
    await account.bots.begin()
    while True:
        await asyncio.sleep(MEND_SECONDS)
        await _seed(account, [instrument_id for instrument_id in candles.instruments if candles.lacks(instrument_id)])


async def _seed(account: ServedAccount, instruments: Iterable[InstrumentId]) -> None:
    for instrument_id in instruments:
        try:
            account.candles.seed(await account.feed.bars(instrument_id, MINUTE, PAST_BARS))
        except WorldFailure as failure:
            # The past is for charts and indicators only: a source that does not tell it keeps nobody from trading.
            log.warning("no_past", instrument=instrument_id, failure=str(failure))


# What there is, and what has to be made -------------------------------------------------------------------------------


async def open_served(
    directory: DataDirectory,
    asked: Wanted | None,
    *,
    clock: Clock,
    chance: random.Random,
    version: str,
    say: Say,
    outside: Outside | None = None,
) -> Served:
    """Put the desk of a data directory together, making its owner and an account where there is none; the lock is held.

    Shapes: `asked` adds an account with such prices if none has them; None takes what is there, or chooses
    Raises: CommandRefused, nothing was written; DeskIsRunning, StoreFailed, ForeignDatabase, NewerDatabase,
            ChainKeyMissing
    """
    refuse_another_desk(directory, look_at(directory))
    outside, began = outside or Outside(), clock.monotonic()
    lease = own(directory, outside.lease_seconds)
    watch = None if lease is None else LeaseWatch(lease, clock, began)
    try:
        return await _open(directory, asked, watch, outside, clock=clock, chance=chance, version=version, say=say)
    except BaseException:
        if lease is not None:
            lease.release()
        raise


async def _open(
    directory: DataDirectory,
    asked: Wanted | None,
    watch: LeaseWatch | None,
    outside: Outside,
    *,
    clock: Clock,
    chance: random.Random,
    version: str,
    say: Say,
) -> Served:
    # Looked at again as its owner: another process may have made its desk in between.
    seen = look_at(directory)
    plans = plans_of(None if seen is None else seen.meta.get(SERVED))
    new = None
    if not plans or (asked is not None and not any(plan.serves(asked) for plan in plans.values())):
        new = await _choose(asked, plans, clock, chance, say, outside.wire)
        plans[new.plan.account_id] = new.plan

    failures, drive, lease = Failures(), outside.drive or _in_a_thread, None if watch is None else watch.lease
    books_scribe = open_books(directory, outside.open_file, lease)
    engine = reader(directory.book)
    events = EventFeed(books_scribe, engine)
    books = drive(books_scribe, failures.tell)
    keepers = []
    if watch is not None:
        keepers.append(asyncio.create_task(keep_the_lease(watch, books, clock, failures.tell)))
    await bring_catalogue(books, CATALOGUE, clock)
    ids = ClockedIds(clock, chance)
    luck = partial(_draw_luck, chance)
    venues = outside.venues
    if venues is None:
        fence = None if lease is None else lease.fence(heeds_control=False)
        paper_scribe = open_scribe(directory.venue_book, outside.open_file, fence)
        venues = PaperVenues(drive(paper_scribe, failures.tell), clock, luck, f"user:{OWNER}")
    may_send = always_ours if watch is None else watch.may_send
    parts = _Parts(books, venues, clock, chance, ids, luck, outside, may_send)
    accounts = {}
    for plan in plans.values():
        described = new.instruments if new is not None and plan is new.plan else None
        accounts[plan.account_id] = await _account(parts, plan, plans, described)
    failures.accounts = [account.ports for account in accounts.values()]
    if (loss := look_for_loss(directory, engine)) is not None:
        say(f"THIS BOOK IS OLDER THAN IT WAS: {loss.sentence}. Nothing opens until it is what the venue has.")
        await wake(directory, books, engine, loss, account_ids=accounts, clock=clock)
    _look_at_the_stamp(directory, engine, accounts.values(), say)
    desk = ServedDesk(
        version=version,
        clock=clock,
        started_at=clock.now(),
        books=books,
        reader=Reader(people_reader(directory.book)),
        people=People(books, clock, ids, outside.secrets),
        events=events,
        accounts=accounts,
    )
    importing = ImportingHere(books, clock, ids, directory.imports)
    return Served(desk, books, venues, failures, keepers, lease, importing)


def _in_a_thread(scribe: Scribe, on_failure: Callable[[BaseException], None]) -> Driver:
    return ThreadDriver(scribe, asyncio.get_running_loop(), on_failure=on_failure)


def _draw_luck(chance: random.Random) -> random.Random:
    """Draw a source of chance of its own."""
    return random.Random(chance.getrandbits(64))  # noqa: S311  public ids and a paper venue's moods


def _look_at_the_stamp(directory: DataDirectory, engine: Engine, accounts: Iterable[ServedAccount], say: Say) -> None:
    """Stop opening, until a person lifts that, on a book that is another than an earlier stamp saw: rewritten."""
    stamped = read_stamp(directory.stamp)
    if stamped is None:
        return
    with engine.connect() as connection:
        found = contradictions(connection, stamped)
    if found:
        say(f"THE BOOK IS NOT THE ONE OF ITS STAMP: {'; '.join(found)}. Nothing opens until `plimsoll halt --lift`.")
        for account in accounts:
            account.ports.memory_state = TradingState.REDUCE_ONLY


class Failures:
    """What went wrong and nobody waited for: nothing opens until the books were compared anew."""

    def __init__(self) -> None:
        self.accounts: list[Ports] = []
        #: Set when another process owns the books: this desk has nothing to say any more.
        self.lost = asyncio.Event()

    def tell(self, failure: BaseException) -> None:
        """Stop opening; for good, if the books are another's."""
        log.error("rows_not_written", failure=repr(failure))
        for ports in self.accounts:
            ports.doubt(f"rows could not be written: {failure}")
            if isinstance(failure, OwnershipLost):
                ports.doors = Doors.SHUT
        if isinstance(failure, OwnershipLost):
            self.lost.set()


def refuse_another_desk(directory: DataDirectory, seen: Glance | None) -> None:
    """Refuse a folder whose book is a replay's, or gone.

    Raises: CommandRefused
    """
    if seen is not None and PLAN in seen.meta:
        raise CommandRefused(
            Refusal(
                "a_replay_lies_here",
                f"{directory.path} holds the desk of a replay; nothing was written",
                remedy="name another folder with --data, or look at this one with `plimsoll status`",
            )
        )
    once_held = (directory.paper_books, directory.stamp, mark_of(directory))
    if seen is None and any(file.exists() for file in once_held):
        raise CommandRefused(
            Refusal(
                "book_missing",
                f"{directory.path} once held a desk, and its book is not there any more; nothing was written",
                remedy=f"bring {directory.book} back from a backup, or name another --data",
            )
        )


@dataclass(frozen=True, slots=True)
class _New:
    """An account that is to be made, with its instruments as its source describes them."""

    plan: PricePlan
    instruments: tuple[Instrument, ...]


async def _choose(  # noqa: PLR0917  what a choice hangs on, each of its own type
    asked: Wanted | None,
    plans: Mapping[AccountId, PricePlan],
    clock: Clock,
    chance: random.Random,
    say: Say,
    wire: Connect,
) -> _New:
    """Decide what a new account lives on. Everything that can fail, fails in here: nothing was written yet."""
    account_id = AccountId(max(plans, default=0) + 1)
    first = 1 + max((number for plan in plans.values() for number, _symbol in plan.instruments), default=0)
    if asked is not None and asked.kind == REPLAY:
        assert asked.file is not None, "Invariant: a replay is asked for with its file."
        say(f"Reading {asked.file.name} …")
        recording = inspect(asked.file, asked.symbol)
        plan = PricePlan(
            account_id,
            REPLAY,
            file=str(asked.file),
            sha256=recording.sha256,
            tick=decimal_text(recording.tick),
            origin=_whole_minute(clock.now()),
            instruments=((first, asked.symbol),),
        )
        return _New(plan, plan.from_table())
    numbered = tuple(enumerate(SYMBOLS, start=first))
    if asked is None or asked.kind == LIVE:
        say(f"Asking {', '.join(EXCHANGES)} for prices …")
        found = await _find(asked, wire, say)
        if found is not None:
            live = await _described(
                PricePlan(account_id, LIVE, exchange=found, instruments=numbered), clock, chance, wire
            )
            if live is not None:
                return live
        if asked is not None:
            raise NoLivePrices
        say(
            "No exchange answers: this desk begins with the synthetic market. It says so wherever its prices are shown."
        )
    plan = PricePlan(
        account_id,
        SYNTHETIC,
        seed=chance.getrandbits(32),
        origin=_whole_minute(clock.now() - SYNTHETIC_PAST),
        instruments=numbered,
    )
    return _New(plan, plan.from_table())


async def _described(plan: PricePlan, clock: Clock, chance: random.Random, wire: Connect) -> _New | None:
    """Ask an exchange for its instruments; those that it lacks are left out. None when it greets and tells nothing."""
    symbols = {InstrumentId(number): symbol for number, symbol in plan.instruments}
    feed = LiveFeed(plan.exchange, symbols, plan.venue, clock, chance, connect=wire)
    try:
        described = await feed.describe()
    except WorldFailure as failure:
        log.warning("no_instruments", exchange=plan.exchange, failure=str(failure))
        return None
    finally:
        await feed.close()
    kept = tuple((instrument.id, instrument.symbol) for instrument in described)
    return _New(replace(plan, instruments=kept), described) if described else None


async def _find(asked: Wanted | None, wire: Connect, say: Say) -> str | None:
    try:
        return await find_live(SYMBOLS, EXCHANGES, timeout_seconds=FIND_SECONDS, connect=wire)
    except CcxtMissing as missing:
        if asked is not None:
            raise
        say(str(missing))
        return None


@dataclass(frozen=True, slots=True)
class _Parts:
    """What all accounts share while they are put together."""

    books: Driver
    venues: Venues
    clock: Clock
    chance: random.Random
    ids: ClockedIds
    luck: Callable[[], random.Random]
    outside: Outside
    may_send: MaySend


async def _account(
    parts: _Parts,
    plan: PricePlan,
    plans: Mapping[AccountId, PricePlan],
    described: tuple[Instrument, ...] | None,
) -> ServedAccount:
    feed = _feed(parts, plan)
    is_new = described is not None
    if described is None:
        hot = parts.books.hot
        described = tuple(hot.get(keys.instrument(InstrumentId(number))) for number, _symbol in plan.instruments)
    # Under the account's own name for it: the gate refuses prices of any other source.
    facts = replace(feed.facts, name=plan.source)
    hands = parts.venues.of(plan, {instrument.id: instrument for instrument in described}, facts)
    if is_new:
        await _write_first_rows(parts, plan, plans, described, hands.mode)
    ports = Ports(
        desk_code=parts.books.hot.get(keys.meta(DESK_CODE)),
        account_id=plan.account_id,
        clock=parts.clock,
        ids=parts.ids,
        books=parts.books,
        venue=hands.venue,
        board=PriceBoard(facts),
        notifier=parts.outside.notifier,
        fee_ratio=hands.fee_ratio,
        may_send=parts.may_send,
    )
    if hands.fund is not None:
        await hands.fund(ports)
    candles = CandleKeeper(instrument.id for instrument in described)
    attendant = Attendant(ports, hands.venue, feed.describe, parts.luck())
    bots = BotHost(ports, attendant.protector, candles)
    attendant.on_bar_closed(candles, bots.on_bar)
    return ServedAccount(ports, feed, candles, attendant, bots)


def _feed(parts: _Parts, plan: PricePlan) -> PriceFeed:
    if parts.outside.feed is not None:
        return parts.outside.feed(plan)
    symbols = {InstrumentId(number): symbol for number, symbol in plan.instruments}
    if plan.kind == LIVE:
        return LiveFeed(plan.exchange, symbols, plan.venue, parts.clock, parts.luck(), connect=parts.outside.wire)
    if plan.kind == SYNTHETIC:
        return SyntheticFeed(plan.from_table(), plan.seed, plan.origin_at, parts.clock)
    try:
        recording = inspect(Path(plan.file), plan.instruments[0][1])
    except BadRecording as gone:
        return _lost(parts, plan, str(gone))
    if recording.sha256 != plan.sha256:
        return _lost(parts, plan, f"{plan.file} is another recording than the one that this account was made with")
    return ReplayFeed(recording, plan.from_table()[0], parts.clock, plan.origin_at)


def _lost(parts: _Parts, plan: PricePlan, why: str) -> LostFeed:
    log.error("source_lost", account=plan.account_id, why=why)
    facts = SourceFacts(plan.source, frozenset({Fact.PRICE}))
    return LostFeed(facts, f"Replay of {Path(plan.file).name}", why, parts.clock.now())


def _whole_minute(at: datetime) -> str:
    return time_text(at.replace(second=0, microsecond=0))


def new_owner(uid: str) -> User:
    """Draw up whose a new desk is."""
    return User(OWNER, uid, "owner", "admin", approved=True)


async def _write_first_rows(
    parts: _Parts,
    plan: PricePlan,
    plans: Mapping[AccountId, PricePlan],
    instruments: Sequence[Instrument],
    mode: Mode,
) -> None:
    hot, uid, now = parts.books.hot, parts.ids.uuid7, parts.clock.now()
    owner: User = hot.get(keys.user(OWNER)) or new_owner(uid())
    currency = instruments[0].quote
    taken = {hot.get(keys.account(each)).name for each in plans if each != plan.account_id}
    name = plan.account_name if plan.account_name not in taken else f"{plan.account_name} ({plan.account_id})"
    new = NewAccount(
        user=owner,
        account=Account(plan.account_id, uid(), OWNER, name, plan.venue, mode, currency, plan.source, "standard"),
        main=Portfolio(PortfolioId(plan.account_id), uid(), plan.account_id, OWNER, MAIN),
        instruments=instruments,
    )
    code = hot.get(keys.meta(DESK_CODE)) or "".join(parts.chance.choices(_LETTERS, k=4))
    all_plans = plans_text({**plans, plan.account_id: plan})

    def unit(draft: Draft) -> None:
        ledger_books.write_meta(draft, DESK_CODE, code)
        ledger_books.write_meta(draft, SERVED, all_plans)
        open_account(draft, new, now)

    await parts.books.write(unit)
