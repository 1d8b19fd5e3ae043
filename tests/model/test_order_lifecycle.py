"""The life of an order: the table, the ranks, late fills, and a reservation that is released exactly once."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from plimsoll.model.errors import Illegal
from plimsoll.model.ids import ClientOrderId, IntentKey, UserId
from plimsoll.model.order import (
    TRANSITIONS,
    IllegalTransition,
    Intent,
    Order,
    OrderEvent,
    OrderState,
    OrderTerms,
    OrderType,
    Side,
    next_state,
)
from tests.model.words import ACCOUNT, INSTRUMENT, NOON, PORTFOLIO, moment
from tools.order_diagram import page

D = Decimal
S, E = OrderState, OrderEvent
FILLS = (E.PART_FILLED, E.WHOLLY_FILLED)
NEWS = [event for event in E if event not in FILLS]
CLOSED = (S.FILLED, S.CANCELED, S.REJECTED, S.EXPIRED)
RANK = {S.PENDING: 0, S.UNKNOWN: 0, S.NEW: 1, S.PARTIALLY_FILLED: 2} | dict.fromkeys(CLOSED, 3)


def order(state: OrderState = S.PENDING, *, quantity: str = "10", filled: str = "0", reserved: str = "1000") -> Order:
    """Make an order of the book in some state."""
    terms = OrderTerms(INSTRUMENT, Side.BUY, OrderType.MARKET, quantity=D(quantity))
    return Order(
        id=1,
        uid="01",
        client_order_id=ClientOrderId("DESKAAAA"),
        intent=Intent(IntentKey("k"), ACCOUNT, PORTFOLIO, UserId(1), terms, "manual", NOON),
        terms=terms,
        state=state,
        placed_at=NOON,
        updated_at=NOON,
        filled_quantity=D(filled),
        reserved=D(reserved),
    )


# ------------------------------------------------------------------------------------------------ the table


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("event", E)
def test_every_state_hears_every_event_but_one(state: OrderState, event: OrderEvent) -> None:
    """The table is total; only a filled order cannot hear that it was rejected."""
    if (state, event) == (S.FILLED, E.REJECTED):
        with pytest.raises(IllegalTransition, match="FILLED cannot hear REJECTED") as refused:
            next_state(state, event)
        assert (refused.value.state, refused.value.event) == (state, event)
    else:
        assert next_state(state, event) is TRANSITIONS[state, event]


@pytest.mark.parametrize(("cell", "after"), TRANSITIONS.items(), ids=str)
def test_no_cell_goes_down(cell: tuple[OrderState, OrderEvent], after: OrderState) -> None:
    """A move goes up in rank; sideways only to FILLED, when late fills complete a closed order, or into UNKNOWN."""
    before, event = cell
    if after is before:
        return
    if RANK[after] == RANK[before]:
        assert (before in CLOSED and event is E.WHOLLY_FILLED and after is S.FILLED) or (
            before is S.PENDING and event is E.OUTCOME_LOST and after is S.UNKNOWN
        )
    else:
        assert RANK[after] > RANK[before]


@pytest.mark.parametrize("state", S)
def test_final_is_what_has_the_highest_rank(state: OrderState) -> None:
    """An UNKNOWN order is not final: it may be alive at the venue."""
    assert state.is_final is (state in CLOSED)


@pytest.mark.parametrize("event", E)
def test_only_evidence_ends_unknown(event: OrderEvent) -> None:
    """A second lost outcome leaves it UNKNOWN; everything else is evidence from the venue or a person."""
    assert (next_state(S.UNKNOWN, event) is S.UNKNOWN) is (event is E.OUTCOME_LOST)


@pytest.mark.parametrize("state", [state for state in S if state is not S.PENDING])
def test_nothing_becomes_pending_again(state: OrderState) -> None:
    """What may have been sent is never again what was not sent."""
    assert all(after is not S.PENDING for after in TRANSITIONS.values())
    assert next_state(state, E.ACKNOWLEDGED) is not S.PENDING


def test_the_page_shows_the_table() -> None:
    """docs/order-lifecycle.md is derived: run tools/order_diagram.py after a change."""
    root = Path(__file__).resolve().parents[2]
    assert (root / "docs" / "order-lifecycle.md").read_text(encoding="utf-8") == page()


# ------------------------------------------------------------------------------------------------ one order


def test_news_moves_the_order_and_says_why() -> None:
    """A cancel ends the order, with its reason and its time, and gives the whole reservation back."""
    canceled = order(S.NEW).after(E.CANCELED, moment(5), reason="by a person")
    assert canceled == replace(
        order(S.NEW), state=S.CANCELED, updated_at=moment(5), reason="by a person", reserved=D(0)
    )


def test_an_open_order_keeps_its_reservation() -> None:
    """Acknowledged or of unknown fate, the money is still spoken for."""
    assert order().after(E.ACKNOWLEDGED, moment(1)).reserved == D(1000)
    assert order().after(E.OUTCOME_LOST, moment(1), reason="timed out").reserved == D(1000)


def test_late_news_changes_nothing() -> None:
    """An acknowledgement after the cancel is not even a change of the time."""
    canceled = order(S.CANCELED, reserved="0")
    assert canceled.after(E.ACKNOWLEDGED, moment(9)) is canceled


def test_after_a_refused_event_nothing_changed() -> None:
    """The contradiction is told, with the record as it was."""
    filled = order(S.FILLED, filled="10", reserved="0")
    before = replace(filled)
    with pytest.raises(IllegalTransition):
        filled.after(E.REJECTED, moment(1), reason="no")
    assert filled == before


def test_a_fill_uses_its_share_of_the_reservation() -> None:
    """Three of ten filled: seven tenths stay reserved."""
    filled = order(S.NEW).filled(D(3), moment(1))
    assert filled == replace(
        order(S.NEW), state=S.PARTIALLY_FILLED, filled_quantity=D(3), updated_at=moment(1), reserved=D(700)
    )
    assert filled.remaining == D(7)
    assert filled.filled(D(2), moment(2)).reserved == D(500)


def test_the_last_fill_gives_the_rest_back() -> None:
    """What the fills did not use is free when nothing is left to fill."""
    whole = order(S.NEW).filled(D(3), moment(1)).filled(D(7), moment(2))
    assert (whole.state, whole.filled_quantity, whole.remaining, whole.reserved) == (S.FILLED, D(10), D(0), D(0))


def test_an_overfill_is_counted_and_nothing_remains() -> None:
    """The venue filled more than was asked: the record says so, and `remaining` is not negative."""
    over = order(S.PARTIALLY_FILLED, filled="9").filled(D(3), moment(1))
    assert (over.state, over.filled_quantity, over.remaining, over.reserved) == (S.FILLED, D(12), D(0), D(0))
    assert over.filled(D(1), moment(2)).filled_quantity == D(13)


@pytest.mark.parametrize("closed", [S.CANCELED, S.REJECTED, S.EXPIRED])
def test_a_late_fill_on_a_closed_order_is_booked_and_it_stays_closed(closed: OrderState) -> None:
    """Cancel and fill crossed on the wire: the quantity counts, the state stays as it is closed."""
    late = replace(order(closed, filled="2", reserved="0"), reason="by a person").filled(D(3), moment(8))
    assert (late.state, late.filled_quantity, late.reserved, late.reason) == (closed, D(5), D(0), "by a person")


@pytest.mark.parametrize("closed", [S.CANCELED, S.REJECTED, S.EXPIRED])
def test_late_fills_that_reach_the_quantity_make_it_filled(closed: OrderState) -> None:
    """The cancel came too late after all; its reason is no longer true."""
    late = replace(order(closed, filled="7", reserved="0"), reason="by a person").filled(D(3), moment(8))
    assert (late.state, late.filled_quantity, late.reason) == (S.FILLED, D(10), "")


def test_a_fill_ends_the_doubt() -> None:
    """An UNKNOWN order that fills is known again, and "timed out" is no longer said of it."""
    doubtful = order().after(E.OUTCOME_LOST, moment(1), reason="timed out")
    assert (doubtful.state, doubtful.reason) == (S.UNKNOWN, "timed out")
    known = doubtful.filled(D(4), moment(2))
    assert (known.state, known.reason, known.reserved) == (S.PARTIALLY_FILLED, "", D(600))


def test_an_order_by_value_has_no_quantity_yet() -> None:
    """Before the gate sized it, nothing can remain of it."""
    unsized = OrderTerms(INSTRUMENT, Side.BUY, OrderType.MARKET, quote_value=D(500))
    assert replace(order(), terms=unsized).quantity == 0
    assert replace(order(), terms=unsized.sized(D(2))).quantity == 2


class Life(RuleBasedStateMachine):
    """An order that hears anything in any order: fills, late news, contradictions, doubles."""

    def __init__(self) -> None:
        super().__init__()
        self.order = order(quantity="7", reserved="1000.000000000000000001")
        self.released: list[Decimal] = []
        self.fills: list[Decimal] = []
        self.number = 0

    def _become(self, after: Order) -> None:
        before = self.order
        assert RANK[after.state] >= RANK[before.state]
        if before.state in CLOSED:
            assert after.state in (before.state, S.FILLED)
            assert after.reserved == 0
        self.released.append(before.reserved - after.reserved)
        self.order = after

    @rule(quantity=st.integers(1, 10**6).map(lambda thousandths: D(thousandths).scaleb(-5)))
    def fill(self, quantity: Decimal) -> None:
        self.number += 1
        self.fills.append(quantity)
        self._become(self.order.filled(quantity, moment(self.number)))

    @precondition(lambda self: self.order.remaining > 0)
    @rule()
    def fill_the_rest(self) -> None:
        self.fill(self.order.remaining)

    @rule(event=st.sampled_from(NEWS))
    def hear(self, event: OrderEvent) -> None:
        before = self.order
        self.number += 1
        try:
            self._become(before.after(event, moment(self.number), reason="as told"))
        except IllegalTransition:
            assert (before.state, event) == (S.FILLED, E.REJECTED)
            assert self.order is before

    @invariant()
    def what_is_filled_is_the_sum_of_its_fills(self) -> None:
        assert self.order.filled_quantity == sum(self.fills, D(0))
        assert self.order.remaining >= 0
        assert (self.order.state is S.FILLED) == (self.order.filled_quantity >= self.order.quantity)

    @invariant()
    def the_reservation_is_released_exactly_once(self) -> None:
        assert all(part >= 0 for part in self.released)
        assert sum(self.released, D(0)) + self.order.reserved == D("1000.000000000000000001")
        assert (self.order.reserved == 0) == self.order.state.is_final


TestLife = Life.TestCase


# ------------------------------------------------------------------------------------------------ terms


def test_a_side_has_a_sign_and_an_opposite() -> None:
    """A buy adds, a sale takes away."""
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert (Side.BUY.opposite, Side.SELL.opposite) == (Side.SELL, Side.BUY)


NEEDS_PRICE = (OrderType.LIMIT, OrderType.STOP_LIMIT)
NEEDS_STOP = (OrderType.STOP, OrderType.STOP_LIMIT)


@given(
    kind=st.sampled_from(OrderType),
    quantity=st.sampled_from([None, D(1)]),
    value=st.sampled_from([None, D(100)]),
    price=st.sampled_from([None, D(99)]),
    stop=st.sampled_from([None, D(98)]),
)
def test_terms_say_all_that_their_type_needs_and_no_more(
    kind: OrderType, quantity: Decimal | None, value: Decimal | None, price: Decimal | None, stop: Decimal | None
) -> None:
    """One size, a price exactly where the type has one, a stop price exactly where the type has one."""
    legal = (
        ((quantity is None) != (value is None))
        and ((price is not None) == (kind in NEEDS_PRICE))
        and ((stop is not None) == (kind in NEEDS_STOP))
    )
    try:
        OrderTerms(INSTRUMENT, Side.BUY, kind, quantity, value, price, stop)
    except Illegal:
        assert not legal
    else:
        assert legal


@pytest.mark.parametrize(
    ("kind", "price", "stop", "said"),
    [
        (OrderType.LIMIT, None, None, "a LIMIT order needs price"),
        (OrderType.MARKET, D(1), None, "a MARKET order has no price"),
        (OrderType.STOP, None, None, "a STOP order needs stop price"),
        (OrderType.LIMIT, D(1), D(1), "a LIMIT order has no stop price"),
    ],
)
def test_illegal_terms_say_what_is_wrong(
    kind: OrderType, price: Decimal | None, stop: Decimal | None, said: str
) -> None:
    """The remedy can be read aloud."""
    with pytest.raises(Illegal, match=said):
        OrderTerms(INSTRUMENT, Side.SELL, kind, D(1), None, price, stop)
