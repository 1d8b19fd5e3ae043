"""Control 50 at the wire: what leaves is what was approved, field by field."""

from dataclasses import replace
from typing import Any

import pytest

from plimsoll.model.ids import ClientOrderId, InstrumentId
from plimsoll.model.order import LONG, SHORT, OrderTerms, OrderType, Side, TimeInForce
from plimsoll.risk.gate.parity import compare_with_wire
from tests.builders.gate import CLIENT_ORDER_ID, D, approved, intent, snapshot, verdict

APPROVED = approved(verdict(intent(type=OrderType.STOP_LIMIT, stop_price=D(10_100), price=D(10_110)), snapshot()))


def test_the_approved_order_itself_may_leave() -> None:
    """Equal terms, equal id: no difference, however the number is written."""
    assert compare_with_wire(APPROVED, APPROVED.terms, CLIENT_ORDER_ID, "") is None
    assert compare_with_wire(APPROVED, replace(APPROVED.terms, quantity=D("0.0500")), CLIENT_ORDER_ID, "") is None


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("instrument_id", {"instrument_id": InstrumentId(2)}),
    ("side", {"side": Side.SELL}),
    ("type", {"type": OrderType.LIMIT, "stop_price": None}),
    ("quantity", {"quantity": D("0.5")}),
    ("quantity", {"quantity": None, "quote_value": D("0.05")}),
    ("price", {"price": D("10110.01")}),
    ("stop_price", {"stop_price": D(10_101)}),
    ("time_in_force", {"time_in_force": TimeInForce.IOC}),
    ("reduce_only", {"reduce_only": True}),
    ("post_only", {"post_only": True}),
]


@pytest.mark.parametrize(("field", "changed"), CHANGES)
def test_any_change_on_the_way_is_named(field: str, changed: dict[str, Any]) -> None:
    """The first field that differs, what would leave, and what was approved."""
    refusal = compare_with_wire(APPROVED, replace(APPROVED.terms, **changed), CLIENT_ORDER_ID, "")
    assert refusal is not None
    assert refusal.code == "parity_broken"
    assert refusal.sentence.endswith(f" in {field}")
    assert refusal.observed != refusal.limit


def test_another_orders_id_is_a_difference() -> None:
    """The same terms under another name are another order."""
    refusal = compare_with_wire(APPROVED, APPROVED.terms, ClientOrderId("DESKZ"), "")
    assert refusal is not None
    assert (refusal.observed, refusal.limit) == ("DESKZ", CLIENT_ORDER_ID)


def test_an_order_does_not_leave_for_another_leg() -> None:
    """The sale that closes the long leg would open the short one."""
    refusal = compare_with_wire(replace(APPROVED, leg=LONG), APPROVED.terms, CLIENT_ORDER_ID, SHORT)
    assert refusal is not None
    assert (refusal.code, refusal.observed, refusal.limit) == ("parity_broken", SHORT, LONG)


def test_no_field_of_an_order_escapes_the_comparison() -> None:
    """A field added to the terms needs a line in the table above."""
    assert {name for _, changed in CHANGES for name in changed} == set(OrderTerms.__dataclass_fields__)
