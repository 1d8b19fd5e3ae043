"""What readers are told: typed, of one moment, and equal to what the books hold."""

from decimal import Decimal

from plimsoll.ledger import accounts, guarding, views
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.views import BalanceView, Counters, EquityPoint, GuardView, HaltView, OrderView, PositionView
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.order import OrderEvent, Side
from plimsoll.risk.guards.drawdown import Episode, GuardStatus
from plimsoll.risk.guards.reading import Reading
from plimsoll.store.draft import Draft
from tests.builders.ledger import (
    ACCOUNT,
    NOON,
    PERPETUAL,
    SPOT,
    Books,
    books_in_memory,
    buy,
    client_order_id,
    paying,
    refusing,
    sell,
)

D = Decimal


def a_day() -> Books:
    """Money in, orders half filled, cancelled and refused, a perpetual opened and closed, a guard that warned."""
    books = books_in_memory().open()
    books.write(paying("1000", "d-1"))
    order = books.place("a", SPOT, Side.BUY, "3", reserved="300")
    books.book(buy(SPOT, "1", "110", 1, fee=D("0.11"), client_order_id=order.client_order_id))
    books.hear(books.place("b", SPOT, Side.SELL, "1"), OrderEvent.CANCELED)
    books.write(refusing("r"))
    books.book(
        buy(PERPETUAL, "2", "100", 2, fee=D("0.2")), sell(PERPETUAL, "2", "90", 3, fee=D("0.001"), fee_currency="BNB")
    )
    books.write(guarding_day)
    return books


def guarding_day(draft: Draft) -> None:
    for halt in (
        Halt(Scope.ACCOUNT, ACCOUNT.id, "guard:drawdown", TradingState.REDUCE_ONLY, "15 % down", latched=True),
        Halt(Scope.DESK, 0, "manual", TradingState.ACTIVE, "lifted"),
    ):
        accounts.write_halt(draft, halt, NOON)
    warned = Episode(1, GuardStatus.WARNED, "warning", NOON, NOON, drawdown=D("0.16"), equity=D(840))
    guarding.write_episode(draft, ACCOUNT.id, guarding.DRAWDOWN, warned, D("0.15"))
    for equity in ("1000", "840"):
        guarding.write_snapshot(draft, ACCOUNT.id, Reading(NOON, D(equity), D(equity) / 1000, D(1), confirmed=True))
    write_note(draft, Note(ACCOUNT.id, "guard:drawdown", "UPDATE", "GUARD", "1", NOON, {}))


def test_status_tells_everything_that_stands() -> None:
    """Portfolios with their cash, positions with average and profit, live orders, halts in force, guards."""
    told = views.status(a_day().engine)
    (portfolio,) = told.portfolios
    assert (portfolio.name, portfolio.account, portfolio.user, portfolio.mode) == ("main", "practice", "Ada", "PAPER")
    assert portfolio.balances == (
        BalanceView("futures", "BNB", D("-0.001")),
        BalanceView("futures", "USDT", D("-20.2")),
        BalanceView("spot", "BTC", D(1)),
        BalanceView("spot", "USDT", D("889.89")),
    )
    held, closed = told.positions
    assert held == PositionView(
        account="practice",
        portfolio="main",
        symbol="BTC/USDT",
        strategy_id=0,
        quantity=D(1),
        avg_price=D(110),
        cost=D(110),
        realized_pnl=D(0),
        fees=(("USDT", D("0.11")),),
        opened_at=held.opened_at,
    )
    assert (closed.symbol, closed.quantity, closed.realized_pnl) == ("BTC/USDT:USDT", D(0), D(-20))
    assert closed.fees == (("BNB", D("0.001")), ("USDT", D("0.2")))
    assert told.orders == (
        OrderView(
            account="practice",
            portfolio="main",
            symbol="BTC/USDT",
            client_order_id=client_order_id("a"),
            side="BUY",
            type="LIMIT",
            quantity=D(3),
            filled_quantity=D(1),
            price=D(100),
            stop_price=None,
            reduce_only=False,
            state="PARTIALLY_FILLED",
            reason="",
            triggered_by="manual",
            placed_at=NOON,
        ),
    )
    halt = HaltView("ACCOUNT", 1, "guard:drawdown", "REDUCE_ONLY", "15 % down", latched=True, since=NOON)
    assert told.halts == (halt,)
    guard = GuardView(
        account="practice",
        kind="drawdown",
        number=1,
        status="WARNED",
        action="warning",
        drawdown=D("0.16"),
        equity=D(840),
        threshold=D("0.15"),
        opened_at=NOON,
        deadline=None,
        since=NOON,
        closed_count=0,
        loss=D(0),
    )
    assert told.guards == (guard,)


def test_the_equity_curve_is_in_the_order_of_its_readings() -> None:
    """Even of one instant."""
    curve = views.equity_curve(a_day().engine, ACCOUNT.id)
    assert curve == (
        EquityPoint(NOON, D(1000), D(1), D(1), D(0)),
        EquityPoint(NOON, D(840), D("0.84"), D(1), D("0.16")),
    )


def test_counters_count_and_sum_in_decimals() -> None:
    assert views.counters(a_day().engine) == Counters(2, 1, 3, (("BNB", D("0.001")), ("USDT", D("0.31"))))


def test_an_empty_desk_has_nothing_to_tell() -> None:
    engine = books_in_memory().engine
    assert views.status(engine) == views.Status((), (), (), (), ())
    assert views.counters(engine) == Counters(0, 0, 0, ())
    assert views.equity_curve(engine, ACCOUNT.id) == ()
