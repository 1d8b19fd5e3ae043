"""What a replay is: its inputs, by which the same command finds its own data again, and its first rows."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from plimsoll.desk.open_account import NewAccount, deposit, open_account
from plimsoll.desk.ports import Ports
from plimsoll.ledger import books, keys
from plimsoll.ledger.accounts import MAIN
from plimsoll.ledger.bots import BotRecord
from plimsoll.ledger.log import json_text
from plimsoll.model.account import Account, Mode, Portfolio, User
from plimsoll.model.cash import pocket_of
from plimsoll.model.clock import parse_time
from plimsoll.model.errors import CommandRefused, Refusal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, UserId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Fact, SourceFacts
from plimsoll.store.draft import Draft
from plimsoll.venues.protocol import ShownVenue

PLAN = "replay_plan"
DEPOSIT = "initial"

DESK_CODE = "PLIM"
USER = UserId(1)
ACCOUNT = AccountId(1)
PORTFOLIO = PortfolioId(1)
INSTRUMENT = InstrumentId(1)
BOT = 1


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """Everything that decides how a replay ends."""

    symbol: str
    #: `sha256:…` of the recording, or what the synthetic market is made of.
    source: str
    deposit: str
    strategy: str
    params: tuple[tuple[str, str], ...]
    leverage: str
    resume_after_minutes: int | None
    seed: int
    #: What the source promised, so that a command may open the desk again without the recording.
    prices: str = "replay"
    declares: tuple[str, ...] = (Fact.PRICE,)
    interval_seconds: str = "60"
    #: Start of the first bar.
    first: str = ""
    #: The instrument's price step, which may come from the recording.
    tick: str = "0.01"

    @property
    def facts(self) -> SourceFacts:
        """Say again what the source promised."""
        microseconds = int(Decimal(self.interval_seconds) * 1_000_000)
        declared = frozenset(Fact(name) for name in self.declares)
        return SourceFacts(self.prices, declared, timedelta(microseconds=microseconds))

    @property
    def start(self) -> datetime:
        """Give the time at which the replay's clock began."""
        return parse_time(self.first)

    def text(self) -> str:
        """Write the plan so that equal plans are equal text."""
        return json_text(asdict(self))


def plan_of(text: str) -> ReplayPlan:
    """Read what `ReplayPlan.text` wrote."""
    told = json.loads(text)
    params = tuple((str(name), str(value)) for name, value in told.pop("params"))
    return ReplayPlan(**{**told, "params": params, "declares": tuple(told["declares"])})


class AccountDoors(ShownVenue, Protocol):
    """A venue that also opens accounts and takes money in."""

    async def open_account(self, account_id: AccountId, currency: str) -> None:
        """Open an account that is valued in a currency."""

    async def deposit(self, account_id: AccountId, asset: str, amount: Decimal, *, reference: str, pocket: str) -> None:
        """Bring money in; a reference counts once."""

    async def set_leverage(self, account_id: AccountId, instrument_id: InstrumentId, leverage: Decimal) -> None:
        """Choose a symbol's leverage."""


async def set_up(ports: Ports, venue: AccountDoors, plan: ReplayPlan, instrument: Instrument, now: datetime) -> None:
    """Write the first rows and bring the money in, or find them there.

    Every step may be done again, so a kill between two of them costs nothing.

    Refuses: a data directory that holds another replay, or a desk that is none
    """
    held: str | None = ports.books.hot.get(keys.meta(PLAN))
    if held is None and ports.books.hot.get(keys.account(ACCOUNT)) is not None:
        raise other_inputs("a desk that is no replay", plan)
    if held is not None and held != plan.text():
        raise other_inputs(held, plan)
    if held is None:
        new = _first_rows(ports, plan, instrument)
        await ports.books.write(lambda draft: _write_first(draft, new, plan, now))
    amount, pocket = Decimal(plan.deposit), pocket_of(instrument)
    await venue.open_account(ACCOUNT, instrument.quote)
    if instrument.is_derivative and ports.books.hot.get(keys.nav(ACCOUNT)) is None:
        await venue.set_leverage(ACCOUNT, instrument.id, Decimal(plan.leverage))
    # The venue first: money that it has and the book does not is found by the comparison, and this is done again.
    await venue.deposit(ACCOUNT, instrument.quote, amount, reference=DEPOSIT, pocket=pocket)
    if ports.books.hot.get(keys.nav(ACCOUNT)) is None:
        await deposit(ports, amount, pocket=pocket, reference=DEPOSIT, actor=f"user:{USER}")


def other_inputs(held: str, plan: ReplayPlan) -> CommandRefused:
    """Say that a data directory belongs to other inputs than these."""
    return CommandRefused(
        Refusal(
            "other_inputs",
            "this data directory belongs to a replay of other inputs; nothing was written",
            observed=plan.text(),
            limit=held,
            remedy="give the same file and options to go on with it, or another --data for a new one",
        )
    )


def _first_rows(ports: Ports, plan: ReplayPlan, instrument: Instrument) -> NewAccount:
    uid = ports.ids.uuid7
    bot = BotRecord(BOT, PORTFOLIO, instrument.id, plan.strategy, plan.strategy, "RUNNING", plan.params)
    return NewAccount(
        user=User(USER, uid(), "owner", "admin", approved=True),
        account=Account(
            ACCOUNT,
            uid(),
            USER,
            "replay",
            instrument.venue,
            Mode.PAPER,
            instrument.quote,
            ports.board.facts.name,
            "standard",
        ),
        main=Portfolio(PORTFOLIO, uid(), ACCOUNT, USER, MAIN),
        instruments=(instrument,),
        leverages=((instrument.id, Decimal(plan.leverage)),) if instrument.is_derivative else (),
        bots=(bot,),
    )


def _write_first(draft: Draft, new: NewAccount, plan: ReplayPlan, now: datetime) -> None:
    books.write_meta(draft, PLAN, plan.text())
    open_account(draft, new, now)
