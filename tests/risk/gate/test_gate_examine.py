"""What a preview asks of the gate: every control's finding, and the largest size that would pass."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plimsoll.model.account import TradingState
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.order import Intent, OrderType, Side
from plimsoll.risk.gate.controls import CONTROLS
from plimsoll.risk.gate.examine import examine, largest_that_passes
from plimsoll.risk.gate.snapshot import Snapshot
from plimsoll.risk.gate.verdict import Approved, Outcome, Refused, judge
from plimsoll.risk.limits import CAUTIOUS, STANDARD, Limits
from tests.builders.gate import (
    INVERSE,
    NOON,
    PERPETUAL,
    QUOTE,
    SPOT,
    D,
    approved,
    control,
    intent,
    proposal,
    refusing,
    snapshot,
    verdict,
)

BIND_CLOSES = {5, 8, 9, 10, 34, 36}


def largest(wish: Intent, facts: Snapshot, limits: Limits = STANDARD) -> Decimal | None:
    return largest_that_passes(proposal(wish, facts, limits), facts, limits, CONTROLS)


def outcomes(wish: Intent, facts: Snapshot) -> dict[int, Outcome]:
    _verdict, findings = examine(proposal(wish, facts), facts, STANDARD, CONTROLS)
    assert [item.control for item in findings] == list(CONTROLS)
    return {item.control.number: item.finding.outcome for item in findings}


# Every finding --------------------------------------------------------------------------------------------------------


def test_a_healthy_order_is_told_what_passed_and_what_does_not_concern_it() -> None:
    said = outcomes(intent(), snapshot())
    assert {number for number, outcome in said.items() if outcome is not Outcome.PASS} == {31, 32}
    assert said[31] is said[32] is Outcome.NOT_APPLICABLE


def test_every_no_is_told_beside_every_yes() -> None:
    said = outcomes(intent(), snapshot(state=TradingState.HALTED, drawdown=D("0.3")))
    assert {number for number, outcome in said.items() if outcome is Outcome.REFUSE} == {1, 38}
    assert said[9] is Outcome.PASS


def test_a_close_is_told_which_rules_do_not_bind_it() -> None:
    facts = snapshot(instrument=PERPETUAL, position_quantity=D(1), state=TradingState.HALTED)
    said = outcomes(intent(side=Side.SELL, quantity=D(1), reduce_only=True), facts)
    assert {number for number, outcome in said.items() if outcome is Outcome.PASS} == BIND_CLOSES
    assert {number for number, outcome in said.items() if outcome is Outcome.NOT_APPLICABLE} == {
        item.number for item in CONTROLS
    } - BIND_CLOSES


def test_where_a_smaller_size_was_approved_the_findings_are_of_the_size_asked_for() -> None:
    """They say why it became smaller."""
    wish = intent(quantity=D(1), allow_smaller=True)
    facts = snapshot("cautious", cash=D(100_000), equity=D(10_000))
    answer, findings = examine(proposal(wish, facts, CAUTIOUS), facts, CAUTIOUS, CONTROLS)
    assert approved(answer).terms.quantity == D("0.04999")
    assert {item.control.number for item in findings if item.finding.outcome is Outcome.REFUSE} == {22, 27, 28}


# The largest size -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "facts", "size"),
    [
        # 9,900 of cash beside the buffer, at 10,001 × 1.01 × 1.001 a coin, however much or little was asked for
        ({"quantity": D("0.05")}, {}, "0.97912"),
        ({"quantity": D(50)}, {}, "0.97912"),
        ({"quantity": D("0.00001")}, {}, "0.97912"),
        ({"quote_value": D(20)}, {}, "0.97912"),
        ({"quote_value": D("0.01")}, {}, "0.97912"),
        # Order by 4 × equity, load by 75 % of 5 × equity: 37,500 at 10,001
        ({"quantity": D("0.1")}, {"instrument": PERPETUAL, "leverage": D(5)}, "3.749"),
        ({"quantity": D("0.1")}, {"instrument": PERPETUAL, "leverage": D(5), "gross_value": D(30_000)}, "0.749"),
        # Sold from a holding it is a close, as large as the holding; coins that are no position can be sold as well.
        ({"side": Side.SELL}, {"coins": D("0.5"), "position_quantity": D("0.5")}, "0.5"),
        ({"side": Side.SELL}, {"coins": D("0.5"), "position_quantity": D("0.3")}, "0.5"),
        ({"side": Side.SELL}, {"coins": D("0.5")}, "0.5"),
        # Only what is left to close, whatever room there is to open
        (
            {"side": Side.SELL, "reduce_only": True, "quantity": D("0.1")},
            {"instrument": PERPETUAL, "position_quantity": D("0.4"), "closing_quantity": D("0.1")},
            "0.3",
        ),
        ({"quantity": D(1_000)}, {"instrument": INVERSE, "cash_rate": D(10_000)}, "19566"),
    ],
)
def test_the_largest_size_by_hand(wish: dict[str, Any], facts: dict[str, Any], size: str) -> None:
    """Standard, 10,000 of equity unless said otherwise."""
    assert largest(intent(**wish), snapshot(**facts)) == D(size)


@pytest.mark.parametrize(
    ("wish", "facts"),
    [
        ({}, {"state": TradingState.HALTED}),
        ({}, {"equity": None}),
        ({}, {"quote": None}),
        ({}, {"instrument": None}),
        ({}, {"cash": D(0)}),
        ({}, {"cash": D(105)}),  # less than the least order costs beside the buffer
        ({}, {"cash_bound": None}),
        ({"type": OrderType.LIMIT, "price": D(20_000)}, {}),
        ({"side": Side.SELL}, {}),
        ({"side": Side.SELL, "reduce_only": True}, {"instrument": PERPETUAL, "position_quantity": D(-1)}),
        ({"side": Side.SELL, "reduce_only": True}, {"instrument": PERPETUAL}),
        ({"side": Side.SELL, "reduce_only": True}, {"instrument": PERPETUAL, "position_quantity": D("NaN")}),
    ],
)
def test_where_no_size_passes_none_is_named(wish: dict[str, Any], facts: dict[str, Any]) -> None:
    assert largest(intent(**wish), snapshot(**facts)) is None


def test_a_list_that_bounds_no_size_names_none() -> None:
    facts = snapshot()
    assert largest_that_passes(proposal(intent(), facts), facts, STANDARD, (control(1), control(9))) is None


def test_a_coin_of_many_lots_is_counted_to_the_lot() -> None:
    """A lot is worth 1e-8: what it costs has ten digits, and a thousand of cash buys hundreds of milliards of lots."""
    pepe = Instrument(
        SPOT.id,
        "PEPE/USDT",
        "paper",
        AssetType.CRYPTO,
        "PEPE",
        "USDT",
        "USDT",
        D("0.00000001"),
        D(1),
        min_notional=D(5),
    )
    price = D("0.0000000123456789")
    quote = replace(QUOTE, bid=price, ask=price, last=price)
    facts = snapshot(instrument=pepe, quote=quote, fee_ratio=D("0.00075"))
    size = largest(intent(quantity=D(1)), facts)
    assert size is not None
    approved(verdict(intent(quantity=size), facts))
    assert refusing(verdict(intent(quantity=size + 2), facts)) == {34}


def amounts(low: str, high: str, places: int = 4) -> st.SearchStrategy[Decimal]:
    return st.decimals(D(low), D(high), places=places)


@st.composite
def accounts(draw: st.DrawFn) -> Snapshot:
    """An account that may trade, with more or less room in every direction."""
    instrument = draw(st.sampled_from([SPOT, PERPETUAL, INVERSE]))
    position, other = draw(amounts("-2000", "2000")), draw(amounts("0", "9000"))
    bid = draw(amounts("9900", "10100", 1))
    return snapshot(
        instrument=instrument,
        quote=replace(QUOTE, at=NOON, bid=bid, ask=bid + draw(amounts("0", "20", 1)), last=bid),
        equity=draw(amounts("1000", "50000")),
        cash_rate=D(10_000) if instrument.inverse else D(1),
        cash=draw(amounts("0", "5" if instrument.inverse else "50000")),
        coins=draw(amounts("0", "5", 5)),
        reserved_cash=draw(amounts("0", "0.1" if instrument.inverse else "3000")),
        reserved_coins=draw(amounts("0", "0.1", 5)),
        margin_used=draw(amounts("0", "2000")),
        position_quantity=draw(amounts("-2", "2", 3)),
        closing_quantity=draw(amounts("0", "1", 3)),
        selling_quantity=draw(amounts("0", "1", 3)),
        position_value=position,
        gross_value=abs(position) + other,
        net_value=position + draw(st.sampled_from([-1, 1])) * other,
        leverage=draw(st.none() | st.sampled_from([D(1), D(3), D(5)])),
    )


@st.composite
def wishes(draw: st.DrawFn, /, instrument: Instrument) -> Intent:
    said: dict[str, Any] = {"side": draw(st.sampled_from(Side)), "allow_smaller": draw(st.booleans())}
    if draw(st.booleans()):
        said |= {"type": OrderType.LIMIT, "price": draw(st.integers(19_500, 20_500)) * D("0.5")}
    if draw(st.booleans()):
        return intent(**said, quote_value=draw(amounts("1", "60000", 2)))
    lots = draw(st.integers(1, 60_000 if instrument.inverse else int(6 / instrument.lot_size)))
    return intent(**said, quantity=lots * instrument.lot_size, reduce_only=draw(st.booleans()))


@given(st.data(), accounts(), st.sampled_from([CAUTIOUS, STANDARD]))
def test_the_findings_are_those_of_the_verdict(data: st.DataObject, facts: Snapshot, limits: Limits) -> None:
    """One gate: what is refused in the list is refused in the verdict, and the other way round."""
    assert facts.instrument is not None
    asked = proposal(data.draw(wishes(facts.instrument)), facts, limits)
    answer, findings = examine(asked, facts, limits, CONTROLS)
    assert answer == judge(asked, facts, limits, CONTROLS)
    said = tuple(item for item in findings if item.finding.outcome is Outcome.REFUSE)
    if isinstance(answer, Refused):
        assert said == answer.reasons
    else:
        assert bool(said) == (answer.reduced_from is not None)


@given(st.data(), accounts(), st.sampled_from([CAUTIOUS, STANDARD]))
def test_the_largest_size_passes_and_the_next_one_does_not(
    data: st.DataObject, facts: Snapshot, limits: Limits
) -> None:
    """And whatever passes is no larger."""
    instrument = facts.instrument
    assert instrument is not None
    wish = data.draw(wishes(instrument))
    wish = replace(wish, allow_smaller=False)
    size = largest(wish, facts, limits)
    answer = verdict(wish, facts, limits)
    if isinstance(answer, Approved):
        assert size is not None
        assert answer.terms.quantity is not None
        # A quote value is measured as it was asked for; the lots that it buys are worth a little less.
        assert answer.terms.quantity <= size
    if size is None:
        return  # the next test looks at these
    approved(verdict(replace(wish, terms=wish.terms.sized(size)), facts, limits))
    for more in (2, 3, 10, 1_000):
        larger = replace(wish, terms=wish.terms.sized(size + more * instrument.lot_size))
        assert isinstance(verdict(larger, facts, limits), Refused)


@given(st.data(), accounts(), st.sampled_from([CAUTIOUS, STANDARD]))
def test_where_none_is_named_no_size_passes(data: st.DataObject, facts: Snapshot, limits: Limits) -> None:
    instrument = facts.instrument
    assert instrument is not None
    wish = replace(data.draw(wishes(instrument)), allow_smaller=False)
    assume(largest(wish, facts, limits) is None)
    lots = data.draw(st.integers(1, 60_000 if instrument.inverse else int(6 / instrument.lot_size)))
    other = replace(wish, terms=wish.terms.sized(lots * instrument.lot_size))
    assert isinstance(verdict(other, facts, limits), Refused)
