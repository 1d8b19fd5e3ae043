"""The folder of a desk that was set up once: two people with an account and a key each, and nothing traded yet.

Made once in a process and market, through the product's own ways, and copied for each run: a start in the simulation
makes no tables and hashes no password.
"""

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from plimsoll.bootstrap import DataDirectory, open_books
from plimsoll.bootstrap.served import DESK_CODE as DESK_CODE_NAME
from plimsoll.bootstrap.served import SERVED
from plimsoll.bootstrap.sources import LIVE, PricePlan, plans_text
from plimsoll.desk.keep_catalogue import bring_catalogue
from plimsoll.desk.open_account import NewAccount, open_account
from plimsoll.ledger import books as ledger_books
from plimsoll.ledger.accounts import MAIN
from plimsoll.ledger.database import create_from_template
from plimsoll.market.instruments import instrument_for
from plimsoll.model.account import Account, Mode, Portfolio, User
from plimsoll.model.ids import AccountId, ClockedIds, InstrumentId, PortfolioId, UserId
from plimsoll.model.instrument import Instrument
from plimsoll.people.actor import Right
from plimsoll.people.hashing import Strength
from plimsoll.people.people import People
from plimsoll.runtime.virtual_loop import VirtualClock, run_virtual
from plimsoll.store.draft import Draft
from plimsoll.store.drivers import LoopDriver
from plimsoll.venues.catalogue import CATALOGUE
from tests.simulation.world import START

#: What the client ids of this desk begin with.
DESK_CODE = "SIMS"
PASSWORD = "four words nobody guesses"
_QUICK = Strength(memory_kib=8, passes=1)
_CHAIN_KEY = "5a" * 32
#: Desks are older than the worlds they are put into, by more than any clock is off; not by so much that people who
#: have not come back since would have been signed out.
_BEFORE = timedelta(minutes=10)
CURRENCY = "USDT"


@dataclass(frozen=True, slots=True)
class Market:
    """One account: whose it is, where it trades and what."""

    number: int
    person: str
    symbols: tuple[str, ...]
    mode: Mode = Mode.PAPER
    profile: str = "standard"
    #: What the account begins with at its venue.
    deposit: str = "10000"

    @property
    def venue(self) -> str:
        return f"sim-{self.number}"

    @property
    def account(self) -> Account:
        number = self.number
        name = f"{self.person}'s"
        return Account(
            AccountId(number),
            f"account-{number}",
            UserId(number),
            name,
            self.venue,
            self.mode,
            CURRENCY,
            self.plan.source,
            self.profile,
        )

    @property
    def plan(self) -> PricePlan:
        numbered = tuple((instrument.id, instrument.symbol) for instrument in self.instruments)
        return PricePlan(AccountId(self.number), LIVE, exchange=self.venue, instruments=numbered)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return tuple(
            instrument_for(symbol, InstrumentId(10 * self.number + place), self.venue)
            for place, symbol in enumerate(self.symbols, start=1)
        )


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account: signed in with a browser, and with a key for his programs."""

    session: str
    key: str


@dataclass(frozen=True, slots=True)
class Template:
    """The files of a desk, and how its people come in, in the order of their accounts."""

    files: tuple[tuple[str, bytes], ...]
    people: tuple["Person", ...]

    def lay_out(self, folder: Path) -> DataDirectory:
        """Put the files of a fresh desk into a folder."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in self.files:
            (folder / name).write_bytes(content)
        return DataDirectory(folder)


class SeededSecrets:
    """Secrets that are the same in every run."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def token(self) -> str:
        return base64.urlsafe_b64encode(self._chance.randbytes(32)).rstrip(b"=").decode()


@cache
def template(markets: tuple[Market, ...]) -> Template:
    """Give the files of a desk with these accounts, made once in this process."""
    with TemporaryDirectory() as folder:
        directory = DataDirectory(Path(folder))
        directory.chain_key_file.write_text(_CHAIN_KEY)
        directory.chain_key_file.chmod(0o600)
        create_from_template(directory.database)

        async def main(clock: VirtualClock) -> tuple[Person, ...]:
            return await _set_up(directory, clock, markets)

        people = run_virtual(main, start=START - _BEFORE)
        files = tuple((path.name, path.read_bytes()) for path in sorted(directory.path.iterdir()))
        return Template(files, people)


def _fail(error: BaseException) -> None:
    raise error


async def _set_up(directory: DataDirectory, clock: VirtualClock, markets: Sequence[Market]) -> tuple[Person, ...]:
    books = LoopDriver(open_books(directory), on_failure=_fail)
    chance = random.Random("template")
    people = People(books, clock, ClockedIds(clock, chance), SeededSecrets(chance), strength=_QUICK)
    await bring_catalogue(books, CATALOGUE, clock)
    plans = plans_text({AccountId(market.number): market.plan for market in markets})

    def begin(draft: Draft) -> None:
        ledger_books.write_meta(draft, DESK_CODE_NAME, DESK_CODE)
        ledger_books.write_meta(draft, SERVED, plans)

    await books.write(begin)
    for market in markets:
        await books.write(partial(_open, _new_account(market), clock.now()))
    made = [await _person(people, UserId(market.number)) for market in markets]
    await books.close()
    return tuple(made)


def _open(new: NewAccount, now: datetime, draft: Draft) -> None:
    open_account(draft, new, now)


def _new_account(market: Market) -> NewAccount:
    number, account = market.number, market.account
    user = User(account.user_id, f"user-{number}", market.person, "admin", approved=True)
    main = Portfolio(PortfolioId(number), f"portfolio-{number}", account.id, user.id, MAIN)
    return NewAccount(user, account, main, market.instruments)


async def _person(people: People, user: UserId) -> Person:
    link = await people.new_link(user, "cli")
    session = await people.redeem_link(link, PASSWORD, "127.0.0.1")
    actor = people.session(session)
    assert actor is not None, "Invariant: who has redeemed his link is signed in."
    _record, key = await people.make_key(actor, "program", tuple(Right), 90, None)
    return Person(session, key)
