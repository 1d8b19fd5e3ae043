"""What every venue does, and how it says that it did not.

The answer to an order has three shapes and no fourth: it was taken (`Placed`), it was certainly not taken
(`OrderRejected`, or a `WorldFailure` before anything left), or nobody knows (`UnknownOutcome`). An answer that an
adapter does not recognise is the third, never the second.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from plimsoll.model.errors import GiveUp
from plimsoll.model.ids import AccountId, ClientOrderId, InstrumentId
from plimsoll.model.quote import Bar, Quote
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import MovementPage, TradePage, VenueAccount, VenueEvent, VenueFacts, VenueOrder
from plimsoll.risk.gate.verdict import Approved


class OrderRejected(GiveUp):
    """The venue said no in words that it documents as final; nothing rests and nothing was filled."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence


class OrderNotFound(GiveUp):
    """The venue does not know the order, as far as it can see now. Not evidence before its settle window has passed."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The venue has the order. Fills that happened at once come along; the stream may repeat them."""

    order: VenueOrder
    trades: tuple[TradeReport, ...] = ()


Hear = Callable[[tuple[VenueEvent, ...]], None]


class Venue(Protocol):
    """One broker or exchange, for one or more accounts."""

    @property
    def facts(self) -> VenueFacts:
        """What the venue declares about itself."""

    async def place(self, approved: Approved) -> Placed:
        """Send an order.

        Raises: OrderRejected, UnknownOutcome, WorldFailure (certainly not sent)
        """

    async def cancel(self, account_id: AccountId, client_order_id: ClientOrderId) -> VenueOrder:
        """Take an order back; give it as it stands afterwards, which may be filled.

        Raises: OrderNotFound, UnknownOutcome, WorldFailure
        """

    async def order(self, account_id: AccountId, client_order_id: ClientOrderId) -> VenueOrder:
        """Look an order up by our id, closed ones included as far as the venue's history goes.

        Raises: OrderNotFound, WorldFailure
        """

    async def open_orders(self, account_id: AccountId) -> tuple[VenueOrder, ...]:
        """List what waits. An empty answer means that nothing waits; a failure raises.

        Raises: WorldFailure
        """

    async def trades_since(self, account_id: AccountId, cursor: int) -> TradePage:
        """Give the account's fills after a cursor, in the venue's order; 0 is the beginning.

        Raises: WorldFailure
        """

    async def movements_since(self, account_id: AccountId, cursor: int) -> MovementPage:
        """Give what moved without a trade after a cursor; asked only where the facts say that the venue tells it.

        Raises: WorldFailure
        """

    async def account(self, account_id: AccountId) -> VenueAccount:
        """Give balances and positions of one moment.

        Raises: WorldFailure
        """

    async def equity(self, account_id: AccountId) -> Decimal | None:
        """Give what the account is worth by the venue's own count; None where it does not tell.

        Raises: WorldFailure
        """

    def listen(self, account_id: AccountId, hear: Hear) -> None:
        """Tell `hear` of everything that happens to the account from now on, and of every gap in that.

        It is called on the event loop, after the venue has made the news durable, and may repeat itself.
        """


class ShownVenue(Venue, Protocol):
    """A venue without a market of its own: it is shown prices from outside, and fills what waited for them."""

    def wants(self, instrument_id: InstrumentId) -> bool:
        """Say whether anybody waits for this instrument's prices."""

    def see(self, quote: Quote) -> None:
        """Take note of a quote while nobody waits."""

    async def on_quote(self, quote: Quote) -> None:
        """Show a quote to whoever waits.

        Raises: WorldFailure, UnknownOutcome
        """

    async def on_bar(self, bar: Bar) -> None:
        """Show a closed bar's high and low to whoever waited when it began.

        Raises: WorldFailure, UnknownOutcome
        """
