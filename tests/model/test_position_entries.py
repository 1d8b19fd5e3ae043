"""Coins that come, go or pay a fee, and splits: what each does to quantity, cost and profit, to the last digit."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.position import (
    NOTHING,
    Amounts,
    Position,
    came_in,
    paid_in_coins,
    plus_fee,
    plus_flow,
    share_of,
    split,
    traded,
    went_out,
)
from tests.model.words import SPOT

D = Decimal
AT = datetime(2022, 1, 1, tzinfo=UTC)
EMPTY = Position(AccountId(1), PortfolioId(1), InstrumentId(1))


def entry(kind: EntryKind, quantity: str, *, cost: str | None = None, per: str | None = None, name: str = "e") -> Entry:
    return Entry(
        AccountId(1),
        PortfolioId(1),
        InstrumentId(1),
        None,
        "",
        kind,
        D(quantity),
        name,
        AT,
        per=None if per is None else D(per),
        cost=None if cost is None else D(cost),
    )


def held(quantity: str, cost: str, *, uncosted: str = "0") -> Amounts:
    return D(quantity), D(cost), D(0), D(0), D(uncosted), D(0)


def kept(amounts: Amounts) -> Decimal:
    """Give what conservation speaks of: realised + proceeds at unknown cost − cost − cost of fees."""
    _, cost, realized, fee_cost, _, proceeds = amounts
    return realized + proceeds - cost - fee_cost


def test_coins_come_in_at_what_they_had_cost_or_at_a_cost_that_nobody_knows() -> None:
    known = EMPTY.after_entry(entry(EntryKind.IN, "1", cost="80"))
    assert (known.quantity, known.cost, known.opened_at) == (D(1), D(80), AT)
    mixed = known.after_entry(entry(EntryKind.IN, "3"))
    assert (mixed.quantity, mixed.cost, mixed.uncosted) == (D(4), D(80), D(3))
    assert mixed.avg_price(SPOT) == D(80)
    assert mixed.unrealized_pnl(SPOT, D(100)) == D(20)
    assert EMPTY.after_entry(entry(EntryKind.IN, "3")).avg_price(SPOT) == 0
    assert EMPTY.after_entry(entry(EntryKind.IN, "3")).unrealized_pnl(SPOT, D(100)) == 0


def test_a_sale_from_a_mix_splits_quantity_and_proceeds_by_share() -> None:
    after = traded(held("4", "90", uncosted="1"), D(-2), D(240))
    # Half of each goes: 1.5 known coins that had cost 45 bring 180, 0.5 others bring 60 that nobody earned.
    assert after == (D(2), D(45), D(135), D(0), D("0.5"), D(60))


def test_a_sale_beyond_a_mix_closes_all_of_it_and_opens_the_rest() -> None:
    after = traded(held("4", "90", uncosted="1"), D(-5), D(500))
    assert after == (D(-1), D(-100), D(210), D(0), D(0), D(100))


def test_selling_all_of_what_nobody_knows_the_cost_of_earns_nothing() -> None:
    assert traded(held("2", "0", uncosted="2"), D(-2), D(240)) == (D(0), D(0), D(0), D(0), D(0), D(240))
    assert traded(held("2", "0", uncosted="2"), D(-1), D(120)) == (D(1), D(0), D(0), D(0), D(1), D(120))


def test_coins_that_come_in_cover_what_was_sold_short() -> None:
    short = held("-2", "-200")
    assert came_in(short, D(1), D(80)) == (D(-1), D(-100), D(20), D(0), D(0), D(0))
    assert came_in(short, D(1), None) == (D(-1), D(-100), D(0), D(0), D(0), D(100))
    assert came_in(short, D(3), None) == (D(1), D(0), D(0), D(0), D(1), D(200))


def test_coins_go_with_their_share_of_the_cost_and_earn_nothing() -> None:
    assert went_out(held("4", "90", uncosted="1"), D(2), None) == (D(2), D(45), D(0), D(0), D("0.5"), D(0))
    gone = EMPTY.after_entry(entry(EntryKind.IN, "4", cost="80")).after_entry(entry(EntryKind.OUT, "1"))
    assert (gone.quantity, gone.cost, gone.realized_pnl) == (D(3), D(60), D(0))


def test_coins_handed_on_at_a_settled_cost_leave_the_difference_where_they_were() -> None:
    assert went_out(held("4", "80"), D(1), D(25)) == (D(3), D(60), D(5), D(0), D(0), D(0))


def test_what_a_position_does_not_hold_does_not_leave_it() -> None:
    assert went_out(held("1", "20"), D(5), None) == NOTHING
    assert went_out(held("-1", "-20"), D(5), None) == held("-1", "-20")
    assert went_out(NOTHING, D(5), D(7)) == (D(0), D(0), D(7), D(0), D(0), D(0))


def test_a_late_fee_in_coins_takes_their_cost_with_it() -> None:
    after = EMPTY.after_entry(entry(EntryKind.IN, "10", cost="1000")).after_entry(entry(EntryKind.FEE, "0.5"))
    assert (after.quantity, after.cost, after.fee_cost) == (D("9.5"), D(950), D(50))
    assert paid_in_coins(held("2", "10", uncosted="1"), D(1)) == (D(1), D(5), D(0), D(5), D("0.5"), D(0))
    assert paid_in_coins(held("2", "10"), D(3)) == (D(0), D(0), D(0), D(10), D(0), D(0))
    for nothing_to_take in (held("0", "0"), held("-1", "-5")):
        assert paid_in_coins(nothing_to_take, D(1)) == nothing_to_take
    assert paid_in_coins(held("2", "10"), D(-1)) == held("2", "10")


def test_a_split_changes_the_pieces_and_no_cost() -> None:
    after = EMPTY.after_entry(entry(EntryKind.IN, "3", cost="300")).after_entry(entry(EntryKind.SPLIT, "4", per="1"))
    assert (after.quantity, after.cost, after.avg_price(SPOT)) == (D(12), D(300), D(25))
    assert split(held("30", "9", uncosted="10"), D(1), D(10)) == held("3", "9", uncosted="1")
    assert split(held("-4", "-8"), D(3), D(1)) == held("-12", "-8")


def test_a_split_that_leaves_less_than_the_last_place_leaves_nothing() -> None:
    """Flat means cost 0: what the rest had cost is lost."""
    assert split(held("0.000000000000000001", "5"), D(1), D(10)) == (D(0), D(0), D(-5), D(0), D(0), D(0))


def test_what_is_known_of_a_mix_runs_out_with_its_cost() -> None:
    """Rounding may give the last known coin away; its cost goes with the rest, not into nowhere."""
    almost = held("3", "6", uncosted="2.999999999999999999")
    released, unknown = share_of(almost, D(1))
    assert (released, unknown) == (D(0), D(1))
    only_unknown = held("3", "6", uncosted="3")
    assert share_of(only_unknown, D(1)) == (D(0), D(1))
    assert share_of(only_unknown, D(3)) == (D(6), D(3))


_AMOUNTS = st.integers(1, 10**21).map(lambda number: Decimal(number).scaleb(-18))
_STEP = st.one_of(
    st.tuples(st.just("trade"), _AMOUNTS, _AMOUNTS, st.booleans()),
    st.tuples(st.just("in"), _AMOUNTS, st.none() | _AMOUNTS, st.just(True)),
    st.tuples(st.just("out"), _AMOUNTS, st.none() | _AMOUNTS, st.just(True)),
    st.tuples(st.just("fee"), _AMOUNTS, st.none(), st.just(True)),
    st.tuples(st.just("split"), _AMOUNTS, _AMOUNTS, st.just(True)),
)


@given(st.lists(_STEP, max_size=12))
def test_cost_is_conserved_and_flat_is_flat(steps: list[tuple[str, Decimal, Decimal | None, bool]]) -> None:
    amounts, told = NOTHING, Decimal(0)
    for word, quantity, money, is_sale in steps:
        before = amounts
        if word == "trade" and money is not None:
            amounts = traded(amounts, -quantity if is_sale else quantity, money if is_sale else -money)
            told += money if is_sale else -money
        elif word == "in":
            amounts = came_in(amounts, quantity, money)
            told -= money or 0
        elif word == "out":
            amounts = went_out(amounts, quantity, money)
            told += (before[1] - amounts[1]) if money is None else money
        elif word == "fee":
            amounts = paid_in_coins(amounts, quantity)
        elif money is not None:
            amounts = split(amounts, quantity, money)
        assert kept(amounts) == told
        assert 0 <= amounts[4] <= max(amounts[0], Decimal(0))
        if amounts[0] == 0:
            assert (amounts[1], amounts[4]) == (D(0), D(0))


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "-1"}, "quantity"),
        ({"quantity": "0.0000000000000000001"}, "quantity"),
        ({"quantity": "1", "per": "1"}, "per"),
        ({"quantity": "1", "cost": "-1"}, "cost"),
        ({"quantity": "1", "cost": "NaN"}, "cost"),
        ({"kind": EntryKind.SPLIT, "quantity": "1"}, "per"),
        ({"kind": EntryKind.SPLIT, "quantity": "1", "per": "0"}, "per"),
        ({"kind": EntryKind.SPLIT, "quantity": "1", "per": "2", "cost": "1"}, "cost"),
        ({"kind": EntryKind.FEE, "quantity": "1", "cost": "1"}, "cost"),
    ],
)
def test_an_entry_that_cannot_be_is_refused_by_name(said: dict[str, str], field: str) -> None:
    plain = {"kind": EntryKind.IN, **said}
    with pytest.raises(Illegal) as refused:
        entry(plain.pop("kind"), plain.pop("quantity"), **plain)  # type: ignore[arg-type]
    assert refused.value.field == field


def test_entries_of_one_moment_stand_before_the_trades_of_it_and_in_one_order() -> None:
    """Whatever came first, the same moment and name are folded alike."""
    of_each = [entry(EntryKind.SPLIT, "2", per="1"), *(entry(kind, "1") for kind in (EntryKind.OUT, EntryKind.FEE))]
    ranks = [one.fold_key[3] for one in [entry(EntryKind.IN, "1"), *of_each]]
    assert len(set(ranks)) == len(EntryKind)
    assert max(ranks) < 0
    assert entry(EntryKind.IN, "1").key != entry(EntryKind.OUT, "1").key
    assert entry(EntryKind.IN, "1").key != entry(EntryKind.IN, "1", name="f").key


def test_what_comes_to_nothing_is_left_out_of_the_sums() -> None:
    assert plus_fee((("BNB", D(1)),), "BNB", D(-1)) == ()
    assert plus_fee((("BNB", D(1)),), "BNB", D(1)) == (("BNB", D(2)),)
    assert plus_fee((("BNB", D(1)), ("USDT", D(2))), "BNB", D(-1)) == (("USDT", D(2)),)
    flows = plus_flow((), "FUNDING", "USDT", D(1))
    assert plus_flow(flows, "DIVIDEND", "USD", D(2)) == (("DIVIDEND", "USD", D(2)), ("FUNDING", "USDT", D(1)))
    assert plus_flow(flows, "FUNDING", "USDT", D(-1)) == ()
