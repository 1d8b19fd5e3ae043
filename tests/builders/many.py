"""Many people at one desk: each with an account of three portfolios, and the units by which they all trade at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from plimsoll.ledger import accounts, orders, verdicts
from plimsoll.ledger.book_trade import Booking, book_trades
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.account import Account, Mode, Portfolio, User
from plimsoll.model.ids import (
    AccountId,
    BrokerTradeId,
    IntentKey,
    PortfolioId,
    UserId,
    client_order_id,
)
from plimsoll.model.order import Intent, Order, OrderEvent, OrderState, OrderTerms, OrderType, Side
from plimsoll.model.trade import TradeReport
from plimsoll.risk.gate.verdict import Approved
from plimsoll.store.draft import Draft
from plimsoll.store.scribe import Unit
from tests.builders.ledger import INSTRUMENTS, NOON

PORTFOLIO_NAMES = ("main", "swing", "scalp")


@dataclass(frozen=True, slots=True)
class Person:
    """A user with an account and its portfolios."""

    user: User
    account: Account
    portfolios: tuple[Portfolio, ...]

    def open(self, draft: Draft) -> None:
        """Write the person's first rows, and the instruments that all share."""
        accounts.write_user(draft, self.user)
        accounts.write_account(draft, self.account)
        for portfolio in self.portfolios:
            accounts.write_portfolio(draft, portfolio)
        for instrument in INSTRUMENTS:
            accounts.write_instrument(draft, instrument, NOON)
        note = Note(self.account.id, f"user:{self.user.id}", "CREATE", "ACCOUNT", self.account.uid, NOON, {})
        write_note(draft, note)


def people(count: int) -> Iterator[Person]:
    """Make so many people; the n-th has the user and account n."""
    for number in range(1, count + 1):
        user = User(UserId(number), f"u-{number}", f"person {number}", "trader", approved=True)
        account = Account(
            AccountId(number), f"a-{number}", user.id, "practice", "paper", Mode.PAPER, "USDT", "replay", "standard"
        )
        first = (number - 1) * len(PORTFOLIO_NAMES) + 1
        portfolios = tuple(
            Portfolio(PortfolioId(first + place), f"p-{first + place}", account.id, user.id, name)
            for place, name in enumerate(PORTFOLIO_NAMES)
        )
        yield Person(user, account, portfolios)


def story(person: Person, portfolio: Portfolio, number: int) -> tuple[Unit, Unit, Unit]:
    """Give the three units of one order: written with its verdict, acknowledged, filled."""
    instrument = INSTRUMENTS[number % len(INSTRUMENTS)]
    side = Side.SELL if number % 3 == 2 else Side.BUY
    terms = OrderTerms(instrument.id, side, OrderType.LIMIT, quantity=Decimal("0.5"), price=Decimal(100 + number))
    key = IntentKey(f"api:{portfolio.id}:{number}")
    name = client_order_id("DESK", person.account.id, person.user.id, key)
    intent = Intent(key, person.account.id, portfolio.id, person.user.id, terms, "api", NOON)
    approved = Approved(
        account_id=person.account.id,
        client_order_id=name,
        instrument=instrument,
        intent=intent,
        terms=terms,
        leverage=Decimal(1),
        reserved=Decimal(50),
        reserved_asset=instrument.cash_asset,
        reduced_from=None,
        limits_version=1,
        value=Decimal(50),
        closes=False,
        remarks=(),
    )

    def note(draft: Draft, order: Order, action: str) -> None:
        told = {"state": str(order.state), "terms": orders.terms_text(order)}
        write_note(draft, Note(person.account.id, "api", action, "ORDER", order.client_order_id, NOON, told))

    def write(draft: Draft) -> None:
        verdicts.write(draft, approved, verdicts.body_hash(intent), "0" * 64, NOON)
        order = Order(
            id=draft.next_id("orders"),
            uid=f"o-{portfolio.id}-{number}",
            client_order_id=name,
            intent=intent,
            terms=terms,
            state=OrderState.PENDING,
            placed_at=NOON,
            updated_at=NOON,
            reserved=approved.reserved,
            reserved_asset=approved.reserved_asset,
            value=approved.value,
        )
        orders.write_new(draft, order)
        note(draft, order, "CREATE")

    def acknowledge(draft: Draft) -> None:
        known = orders.find(draft, person.account.id, name)
        assert known is not None
        heard = known.after(OrderEvent.ACKNOWLEDGED, NOON)
        orders.write(draft, heard)
        note(draft, heard, "UPDATE")

    def fill(draft: Draft) -> list[Booking]:
        report = TradeReport(
            person.account.id,
            instrument.id,
            BrokerTradeId(f"{portfolio.id}-{number}"),
            side,
            Decimal("0.5"),
            Decimal(100 + number),
            fee=Decimal("0.05"),
            fee_currency="USDT",
            exec_time=NOON + timedelta(seconds=number),
            sequence=number,
            client_order_id=name,
        )
        return book_trades(draft, [report], NOON, "venue:paper")

    return write, acknowledge, fill
