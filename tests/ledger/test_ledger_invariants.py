"""The laws of the book by name, on fills drawn at random, in any order, any grouping and any number of times."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.ledger import digest as digests
from plimsoll.ledger import trades
from plimsoll.ledger.book_trade import Booking
from plimsoll.ledger.keys import POSITION
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.model.trade import TradeReport
from plimsoll.store.draft import Draft
from tests.builders.folding import fold_balances, fold_positions
from tests.builders.ledger import (
    ACCOUNT,
    INSTRUMENTS,
    INVERSE,
    MAIN,
    PERPETUAL,
    SPOT,
    Books,
    assert_hot_equals_database,
    booked_in_groups,
    books_in_memory,
    client_order_id,
    fill,
)

D = Decimal
EXAMPLES = settings(max_examples=60)

quantities = st.integers(1, 4_000).map(lambda steps: D(steps) / 1_000)
prices = st.integers(1, 2_000_000).map(lambda ticks: D(ticks) / 100)
fees = st.integers(-300, 900).map(lambda parts: D(parts) / 1_000)
amounts = st.integers(-10_000, 10_000).map(lambda cents: D(cents) / 100)


@st.composite
def fills(draw: st.DrawFn) -> list[TradeReport]:
    """Draw fills of one instrument as its venue would tell them; some say what they paid, some do not."""
    instrument: Instrument = draw(st.sampled_from(INSTRUMENTS))
    told: list[TradeReport] = []
    for number in range(1, draw(st.integers(1, 9)) + 1):
        said = {
            "fee": draw(fees),
            "fee_currency": draw(st.sampled_from([instrument.cash_asset, instrument.base, "BNB"])),
            "realized_cash": draw(st.none() | amounts) if instrument.is_derivative else None,
            "client_order_id": draw(st.sampled_from([None, client_order_id("k")])),
        }
        report = fill(instrument, draw(st.sampled_from(list(Side))), draw(quantities), draw(prices), number, **said)
        # Fills of the same instant: the venue's sequence tells their order, then its id.
        same_instant: bool = draw(st.booleans())
        told.append(replace(report, exec_time=told[-1].exec_time) if told and same_instant else report)
    return told


def booked(reports: Sequence[TradeReport], groups: Sequence[int] = ()) -> Books:
    """Book reports in groups of the given sizes; the rest one by one."""
    books = books_in_memory().open()
    books.place("k", INSTRUMENTS[int(reports[0].instrument_id) - 1], Side.BUY, "10")
    start = 0
    for size in (*groups, *[1] * len(reports)):
        booked_in_groups(books, [reports[start : start + size]])
        start += size
    return books


def digest_of(books: Books) -> str:
    assert_hot_equals_database(books)
    return digests.digest(books.engine)


@EXAMPLES
@given(fills(), st.data())
def test_i17_permutation_law_any_order_and_number_of_times_gives_the_same_digest(
    told: list[TradeReport], data: st.DataObject
) -> None:
    """Shuffled, doubled, in groups of any size: the same books, to the last digit."""
    shuffled = data.draw(st.permutations([*told, *data.draw(st.lists(st.sampled_from(told), max_size=4))]))
    groups = data.draw(st.lists(st.integers(1, 5), max_size=4))
    assert digest_of(booked(shuffled, groups)) == digest_of(booked(told))


@EXAMPLES
@given(fills(), st.data())
def test_i17_holds_within_one_unit(told: list[TradeReport], data: st.DataObject) -> None:
    """A page of history, backwards, in one unit."""
    page = data.draw(st.permutations(told))
    books = booked(told[:1])
    books.book(*page)
    assert digest_of(books) == digest_of(booked(told))


@EXAMPLES
@given(fills(), st.integers(0, 2**32))
def test_i3_each_fill_is_booked_exactly_once(told: list[TradeReport], seed: int) -> None:
    """However often it comes."""
    often = [report for report in told for _ in range(3)]
    random.Random(seed).shuffle(often)
    books = booked(often)
    assert books.book(*told) == [Booking.REPEATED] * len(told)
    with books.engine.connect() as connection:
        (count,) = connection.exec_driver_sql("SELECT count(*) FROM trades").one()
    assert count == len(told)


@EXAMPLES
@given(fills(), st.integers(0, 2**32))
def test_i9_orders_positions_and_balances_equal_their_facts(told: list[TradeReport], seed: int) -> None:
    """order.filled = Σ its fills; position = fold(trades); bit for bit."""
    shuffled = list(told)
    random.Random(seed).shuffle(shuffled)
    books = booked(shuffled)

    def look(draft: Draft) -> None:
        instrument = INSTRUMENTS[int(told[0].instrument_id) - 1]
        where = (ACCOUNT.id, instrument.id, ACCOUNT.id, MAIN.id, instrument.id, 0)
        facts = [trades.from_row(row) for row in draft.find("trades_of_position", *where)]
        (position,) = draft.shelf(POSITION, ACCOUNT.id)
        assert fold_positions(facts, {instrument.id: instrument}) == {(ACCOUNT.id, position.key): position}
        (row,) = draft.find("order_by_client_id", ACCOUNT.id, client_order_id("k"))
        # A sale that names the order, which buys, is not its fill.
        mine = [report.quantity for report in told if report.client_order_id is not None and report.side is Side.BUY]
        assert D(str(row[25])) == sum(mine, D(0))

    books.write(look)


@EXAMPLES
@given(fills(), st.integers(0, 2**32))
def test_i10_a_balance_is_the_sum_of_its_lines(told: list[TradeReport], seed: int) -> None:
    """And each fill's fee and coins are in them exactly once."""
    shuffled = list(told)
    random.Random(seed).shuffle(shuffled)
    books = booked(shuffled)
    from plimsoll.ledger import cash

    with books.engine.connect() as connection:
        lines = [cash.from_row(tuple(row)) for row in connection.exec_driver_sql("SELECT * FROM cash_lines")]
    for (_account, _portfolio, pocket, asset), amount in fold_balances(lines).items():
        assert books.balance(pocket, asset) == amount
    paid: defaultdict[str, Decimal] = defaultdict(lambda: D(0))
    for report in told:
        paid[report.fee_currency] -= report.fee
    told_fees = {asset: amount for asset, amount in paid.items() if amount}
    fee_lines = [line for line in lines if line.kind == "FEE"]
    sums: defaultdict[str, Decimal] = defaultdict(lambda: D(0))
    for line in fee_lines:
        sums[line.asset] += line.amount
    assert {asset: amount for asset, amount in sums.items() if amount} == told_fees


def test_the_digest_sees_every_change_of_a_fact() -> None:
    """A hash that never differed would make the law above true of anything."""
    told = [
        fill(PERPETUAL, Side.BUY, "1", "100", 1, fee=D("0.1")),
        fill(PERPETUAL, Side.SELL, "1", "110", 2, fee=D("0.1")),
    ]
    changes: list[list[TradeReport]] = [
        told,
        told[:1],
        [told[0], replace(told[1], price=D("110.01"))],
        [told[0], replace(told[1], quantity=D("0.999"))],
        [told[0], replace(told[1], fee=D("0.11"))],
        [told[0], replace(told[1], fee_currency="BNB")],
        [told[0], replace(told[1], realized_cash=D("9.99"))],
        [replace(told[0], client_order_id=client_order_id("k")), told[1]],
        [replace(report, instrument_id=INVERSE.id) for report in told],
        [replace(report, instrument_id=SPOT.id) for report in told],
    ]
    assert len({digest_of(booked(facts)) for facts in changes}) == len(changes)
