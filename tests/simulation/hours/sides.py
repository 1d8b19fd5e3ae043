"""One account of the desk and the venue that it trades at: what prices do there, and what others do to the account.

What must not enter: the way between the two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from plimsoll.model.ids import AccountId
from plimsoll.runtime.virtual_loop import VirtualClock
from tests.simulation.exchange.exchange import Exchange
from tests.simulation.exchange.listing import LISTINGS
from tests.simulation.exchange.personality import FeeIn, Personality
from tests.simulation.hours.market import Prices
from tests.simulation.hours.tape import Struck, Tape
from tests.simulation.hours.template import CURRENCY, Market
from tests.simulation.hours.weather import Fault
from tests.simulation.network import Address

#: Of the asset that fees are taken in, where a venue has one of its own: enough for hours, and it may run out.
_FOR_FEES = Decimal(50)


@dataclass(frozen=True, slots=True)
class Side:
    """One account at its venue."""

    market: Market
    #: The account's name there.
    key: str
    exchange: Exchange
    prices: Prices
    #: What the exchange remembers of where the desk asks from.
    address: Address

    @property
    def account_id(self) -> AccountId:
        return AccountId(self.market.number)

    def happen(self, struck: Struck) -> str:
        """Let somebody do something there, and say it in a sentence."""
        return _DONE_THERE[struck.fault](self, struck.amount) or f"{struck.fault}: there was nothing to do it to"


def side_of(market: Market, personality: Personality, tape: Tape, clock: VirtualClock) -> Side:
    """Open an account at a venue of its own, whose market has prices."""
    listings = [LISTINGS[symbol] for symbol in market.symbols]
    exchange = Exchange(personality, listings, clock.now, tape.chance(f"exchange {market.venue}"))
    key = f"venue-key-of-{market.venue}-{tape.seed}"
    ticks = {instrument.symbol: instrument.tick_size for instrument in market.instruments}
    prices = Prices(ticks, exchange.trade_at, tape.chance(f"prices {market.venue}"))
    prices.show()
    fees = {personality.third: _FOR_FEES} if personality.fee_in is FeeIn.THIRD else {}
    exchange.open(key, {CURRENCY: Decimal(market.deposit), **fees})
    return Side(market, key, exchange, prices, Address())


def _money(amount: float) -> Decimal:
    return Decimal(f"{amount:.2f}")


_DONE_THERE: Mapping[Fault, Callable[[Side, float], str | None]] = {
    Fault.BY_HAND: lambda side, _many: side.exchange.trade_by_hand(side.key),
    Fault.BUST: lambda side, _many: side.exchange.bust_last(side.key),
    Fault.CORRECTION: lambda side, _many: side.exchange.correct_last(side.key),
    Fault.ADL: lambda side, _many: side.exchange.deleverage(side.key),
    Fault.GAP: lambda side, many: side.prices.gap(many),
    Fault.DEPOSIT: lambda side, many: side.exchange.deposit(side.key, CURRENCY, _money(many)),
    Fault.WITHDRAWAL: lambda side, many: side.exchange.withdraw(side.key, CURRENCY, _money(many)),
}
#: What happens at a venue, whoever is the desk just then.
THERE = frozenset(_DONE_THERE)
