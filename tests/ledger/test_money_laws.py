"""The laws of the money over everything that can happen to it, named as the invariants: I3, I4, I9, I10, I17."""

import os
import random
from collections import Counter, defaultdict
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.ledger import orders, positions
from plimsoll.ledger.book_trade import Booking
from plimsoll.ledger.digest import canonical
from plimsoll.model.cash import CashKind
from plimsoll.model.entry import EntryKind
from plimsoll.model.order import Order, Side
from plimsoll.model.position import Position
from plimsoll.model.trade import LateFee, Trade, effective_trade, home_of, signed_notional
from plimsoll.store.draft import Draft
from tests.builders.happenings import OTHER, TRADED, Fact, days_of_facts, facts_of, order_key, telling, told
from tests.builders.happenings import told_in_groups as told_in
from tests.builders.ledger import ACCOUNT, MAIN, Books, assert_hot_equals_database, client_order_id

D = Decimal
#: A few with every change, ten thousand of each law at night.
EXAMPLES = settings(max_examples=10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 25)
SEEDS = st.integers(0, 2**32)


def said(books: Books) -> dict[str, list[str]]:
    with books.engine.connect() as connection:
        return canonical(connection)


def shuffled(facts: list[Fact], seed: int) -> list[Fact]:
    mixed = list(facts)
    random.Random(seed).shuffle(mixed)
    return mixed


def is_blank(position: Position) -> bool:
    """Say whether nothing happened to a position any more."""
    return position.folded_to is None and not position.fees and not position.flows


@EXAMPLES
@given(days_of_facts(), SEEDS)
def test_i17_any_order_and_number_of_times_gives_the_same_books(facts: list[Fact], seed: int) -> None:
    """Fills, revisions, late fees, flows, coins and splits; each told up to three times, grouped as it comes."""
    chance = random.Random(seed)
    often = shuffled([fact for fact in facts for _ in range(chance.randint(1, 3))], seed)
    groups = []
    while often:
        size = chance.randint(1, 5)
        groups.append(often[:size])
        often = often[size:]
    assert said(told_in(groups)) == said(told(facts))


@EXAMPLES
@given(days_of_facts(), SEEDS)
def test_i3_each_fact_is_booked_exactly_once(facts: list[Fact], seed: int) -> None:
    """Told again, in another order, nothing changes and nothing new is written."""
    books = told(shuffled(facts, seed))
    before, written = said(books), facts_of(books)
    again = [books.write(telling(fact)) for fact in shuffled(facts, seed + 1)]
    assert set(again) == {Booking.REPEATED}
    assert facts_of(books) == written
    assert said(books) == before
    keys = Counter(trade.key for trade in written.trades)
    assert set(keys.values()) <= {1}


@EXAMPLES
@given(days_of_facts(), SEEDS)
def test_i9_orders_positions_and_memory_equal_the_facts(facts: list[Fact], seed: int) -> None:
    """order.filled = Σ its effective fills; position = fold of all that happened to it, bit for bit."""
    books = told(shuffled(facts, seed))
    assert_hot_equals_database(books)
    written = facts_of(books)
    stored: list[Position] = books.write(lambda draft: positions.of_account(draft, ACCOUNT.id))
    assert {(ACCOUNT.id, position.key): position for position in stored if not is_blank(position)} == {
        place: position for place, position in written.positions().items() if not is_blank(position)
    }
    filled = filled_by_order(written.trades)
    for portfolio in (MAIN, OTHER):
        for instrument in TRADED:
            for side in Side:
                order = order_of(books, order_key(portfolio, instrument, side))
                assert order.filled_quantity == filled[portfolio.id, instrument.id, side]


def order_of(books: Books, key: str) -> Order:
    found: Order | None = books.write(lambda draft: orders.find(draft, ACCOUNT.id, client_order_id(key)))
    assert found is not None
    return found


def effective(trades: list[Trade]) -> list[Trade]:
    by_id: defaultdict[object, list[Trade]] = defaultdict(list)
    for trade in trades:
        by_id[trade.report.instrument_id, trade.report.broker_trade_id].append(trade)
    return [counted for reports in by_id.values() if (counted := effective_trade(reports)) is not None]


def filled_by_order(trades: list[Trade]) -> defaultdict[object, Decimal]:
    """Sum what counts, by the order that any report of a trade names; a sale is no fill of an order to buy."""
    by_id: defaultdict[object, list[Trade]] = defaultdict(list)
    for trade in trades:
        by_id[trade.report.instrument_id, trade.report.broker_trade_id].append(trade)
    filled: defaultdict[object, Decimal] = defaultdict(lambda: D(0))
    for reports in by_id.values():
        ours, counted = home_of(reports), effective_trade(reports)
        if counted is not None and ours.triggered_by == "manual" and ours.report.side is counted.report.side:
            filled[counted.portfolio_id, counted.report.instrument_id, counted.report.side] += counted.report.quantity
    return filled


@EXAMPLES
@given(days_of_facts(), SEEDS)
def test_i4_an_order_filled_beyond_its_quantity_is_told(facts: list[Fact], seed: int) -> None:
    """It is booked all the same; and what was taken back is no longer too much."""

    def overfilled(draft: Draft) -> list[str]:
        return [
            key for key in keys if (order := orders.find(draft, ACCOUNT.id, client_order_id(key))) and beyond(order)
        ]

    keys = [
        order_key(portfolio, instrument, side) for portfolio in (MAIN, OTHER) for instrument in TRADED for side in Side
    ]
    books = told_in([[fact] for fact in shuffled(facts, seed)], size="3")
    with books.engine.connect() as connection:
        incidents = "".join(row[0] for row in connection.exec_driver_sql("SELECT details_json FROM events"))
    for key in books.write(overfilled):
        assert f"order {client_order_id(key)} was filled beyond its quantity" in incidents


def beyond(order: Order) -> bool:
    return order.filled_quantity > order.quantity


@EXAMPLES
@given(days_of_facts(), SEEDS)
def test_i10_a_balance_is_the_sum_of_its_lines(facts: list[Fact], seed: int) -> None:
    """Every fee is in them once, in its own asset; a loan is the other side of what was borrowed."""
    books = told(shuffled(facts, seed))
    written = facts_of(books)
    stored = {
        (ACCOUNT.id, one.portfolio_id, one.pocket, one.asset): one.amount
        for one in books.scribe.hot.by_key("balance", ACCOUNT.id).values()
        if one.amount
    }
    assert stored == written.balances()
    paid: defaultdict[str, Decimal] = defaultdict(lambda: D(0))
    for trade in effective(written.trades):
        paid[trade.report.fee_currency] -= trade.report.fee
    for fact in facts:
        if isinstance(fact, LateFee):
            paid[fact.currency] -= fact.fee
    lines: defaultdict[str, Decimal] = defaultdict(lambda: D(0))
    for line in written.lines:
        if line.kind is CashKind.FEE:
            lines[line.asset] += line.amount
    assert {asset: amount for asset, amount in lines.items() if amount} == {a: n for a, n in paid.items() if n}


@EXAMPLES
@given(days_of_facts(), SEEDS)
def test_cost_is_conserved_to_the_last_digit(facts: list[Fact], seed: int) -> None:
    """Realised + proceeds at unknown cost − cost − fee cost = Σ signed notional − costs that came + costs that went.

    What went out without a settled cost took its share: that is the one number which nobody told, so the law is
    checked where there is none of it.
    """
    books = told(shuffled(facts, seed))
    written = facts_of(books)
    for (_account, (portfolio, instrument_id, strategy, leg)), position in written.positions().items():
        its = [
            entry
            for entry in written.entries
            if (entry.portfolio_id, entry.instrument_id, entry.leg) == (portfolio, instrument_id, leg)
        ]
        if any(entry.kind is EntryKind.OUT and entry.cost is None for entry in its):
            continue
        instrument = TRADED[int(instrument_id) - 1]
        moved = sum(
            (
                signed_notional(instrument, trade.report.side, trade.notional)
                for trade in effective(written.trades)
                if (trade.portfolio_id, trade.report.instrument_id, trade.report.leg) == (portfolio, instrument_id, leg)
            ),
            D(0),
        )
        came = sum((entry.cost or D(0) for entry in its if entry.kind is EntryKind.IN), D(0))
        went = sum((entry.cost or D(0) for entry in its if entry.kind is EntryKind.OUT), D(0))
        kept = position.realized_pnl + position.uncosted_proceeds - position.cost - position.fee_cost
        assert kept == moved - came + went
        assert strategy == 0
        if position.is_flat:
            assert (position.cost, position.uncosted) == (D(0), D(0))
