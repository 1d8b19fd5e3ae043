"""The paper venue of a served desk's accounts: one set of books for all of them, beside the desk's own."""

import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial

from plimsoll.bootstrap.outside import Hands
from plimsoll.bootstrap.sources import PricePlan
from plimsoll.desk.open_account import deposit
from plimsoll.desk.ports import Ports
from plimsoll.ledger import keys
from plimsoll.model.cash import SPOT
from plimsoll.model.clock import Clock
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import SourceFacts
from plimsoll.store.drivers import Driver
from plimsoll.venues.paper.rules import PaperRules
from plimsoll.venues.paper.venue import PaperVenue

#: What a new paper account has, in its own currency; spot and perpetuals are traded from the same pocket.
DEPOSIT = Decimal(10_000)
_DEPOSIT_REFERENCE = "initial"


class PaperVenues:
    """Gives every account the paper venue of its prices."""

    def __init__(self, books: Driver, clock: Clock, luck: Callable[[], random.Random], owner: str) -> None:
        self._books = books
        self._clock = clock
        self._luck = luck
        self._owner = owner

    def of(self, plan: PricePlan, instruments: Mapping[InstrumentId, Instrument], facts: SourceFacts) -> Hands:
        """Give an account its venue."""
        rules = PaperRules()
        venue = PaperVenue(self._books, instruments, self._clock, self._luck(), rules, facts, plan.venue)
        currency = next(iter(instruments.values())).quote
        fund = partial(_bring_money_in, venue, currency, self._owner)
        return Hands(venue, rules.taker_fee_ratio, fund=fund)

    async def close(self) -> None:
        """Write what waits, and release the books."""
        await self._books.close()


async def _bring_money_in(venue: PaperVenue, currency: str, owner: str, ports: Ports) -> None:
    if ports.books.hot.get(keys.nav(ports.account_id)) is not None:
        return
    # The venue first: money that it has and the book does not is found by the comparison, and this is done again.
    await venue.open_account(ports.account_id, currency)
    await venue.deposit(ports.account_id, currency, DEPOSIT, reference=_DEPOSIT_REFERENCE, pocket=SPOT)
    await deposit(ports, DEPOSIT, pocket=SPOT, reference=_DEPOSIT_REFERENCE, actor=owner)
