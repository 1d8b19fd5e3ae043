"""What is measured: an account with a perpetual, and reports of fills that its own orders cause."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from plimsoll.desk.open_account import NewAccount, open_account
from plimsoll.ledger import orders
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.account import Account, Mode, Portfolio, User
from plimsoll.model.ids import (
    AccountId,
    BrokerOrderId,
    BrokerTradeId,
    ClientOrderId,
    InstrumentId,
    IntentKey,
    PortfolioId,
    UserId,
)
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.order import Intent, Order, OrderState, OrderTerms, OrderType, Side
from plimsoll.model.trade import TradeReport
from plimsoll.store.draft import Draft

START = datetime(2026, 1, 2, 9, 30, tzinfo=UTC)
USER, ACCOUNT, PORTFOLIO = UserId(1), AccountId(1), PortfolioId(1)

PERPETUAL = Instrument(
    InstrumentId(1),
    "BTC/USDT:USDT",
    "paper",
    AssetType.PERPETUAL,
    "BTC",
    "USDT",
    "USDT",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
    max_leverage=Decimal(5),
)


def open_benchmark_account(draft: Draft) -> None:
    """Write the first rows of the account."""
    new = NewAccount(
        user=User(USER, "u-1", "owner", "admin", approved=True),
        account=Account(ACCOUNT, "a-1", USER, "bench", "paper", Mode.PAPER, "USDT", "bench", "standard"),
        main=Portfolio(PORTFOLIO, "p-1", ACCOUNT, USER, "main"),
        instruments=(PERPETUAL,),
    )
    open_account(draft, new, START)


def side_of(number: int) -> Side:
    """Buy two, sell one: the position grows, shrinks, and is never flat for long."""
    return Side.SELL if number % 3 == 2 else Side.BUY


def write_order(draft: Draft, number: int) -> None:
    """Write a live order that the fill of the same number completes."""
    terms = OrderTerms(PERPETUAL.id, side_of(number), OrderType.MARKET, quantity=Decimal("0.01"))
    intent = Intent(IntentKey(f"bench:{number}"), ACCOUNT, PORTFOLIO, USER, terms, "api", START)
    order = Order(
        id=draft.next_id("orders"),
        uid=f"o-{number}",
        client_order_id=ClientOrderId(f"BNCH{number:012d}"),
        intent=intent,
        terms=terms,
        state=OrderState.NEW,
        placed_at=START,
        updated_at=START,
        reserved=Decimal("252.5"),
        reserved_asset="USDT",
        value=Decimal(500),
    )
    orders.write(draft, order)
    write_note(draft, Note(ACCOUNT, "api", "CREATE", "ORDER", order.client_order_id, START, {}))


def report(number: int) -> TradeReport:
    """Make the fill of an order, priced a little differently each time."""
    price = Decimal(50_000 + number % 997) + Decimal(number % 10) / 10
    return TradeReport(
        ACCOUNT,
        PERPETUAL.id,
        BrokerTradeId(f"T-{number}"),
        side_of(number),
        Decimal("0.01"),
        price,
        fee=price * Decimal("0.00001"),
        fee_currency="USDT",
        exec_time=START + timedelta(milliseconds=number),
        sequence=number,
        broker_order_id=BrokerOrderId(f"B-{number}"),
        client_order_id=ClientOrderId(f"BNCH{number:012d}"),
    )
