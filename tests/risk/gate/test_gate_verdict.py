"""The verdict: every reason at once, closes bound by little, a smaller size where only size was in the way."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plimsoll.model.account import TradingState
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import LONG, SHORT, OrderType, Side
from plimsoll.model.quote import Fact
from plimsoll.risk.gate.controls import CONTROLS
from plimsoll.risk.gate.snapshot import Proposal, Snapshot
from plimsoll.risk.gate.verdict import (
    PASS,
    Approved,
    Control,
    Finding,
    Outcome,
    Refused,
    chosen_leverage,
    judge,
    reservation,
    undeclared,
)
from plimsoll.risk.limits import CAUTIOUS, STANDARD, Limits
from tests.builders.gate import (
    BARS,
    CLIENT_ORDER_ID,
    INVERSE,
    PERPETUAL,
    QUOTE,
    SPOT,
    VENUE,
    D,
    approved,
    ask,
    control,
    intent,
    proposal,
    refusing,
    snapshot,
    verdict,
)

SOURCE = Path(__file__).resolve().parents[3] / "src" / "plimsoll"
HALTED = snapshot(state=TradingState.HALTED)
#: GATE.md, "what binds a close"; 4 comes with several processes, and 34 only remarks where a close opens at the venue.
BIND_CLOSES = {5, 8, 9, 10, 34, 36}
ISSUE = {1, 2, 5, 8, 9, 10, 11, 13, 15, 16, 18, 22, 27, 28, 31, 32, 34, 36, 38, 45, 50, 51}


# --- the list


def test_the_list_holds_each_control_once_in_the_order_of_the_rule_book() -> None:
    """Numbers rise: states, identity, sanity, price, size, exposure, loss, rate, integrity."""
    numbers = [item.number for item in CONTROLS]
    assert numbers == sorted(ISSUE)


def test_a_control_is_in_the_file_that_its_number_names() -> None:
    """`cNN_words.py` holds control NN, and every such file is in the list."""
    files = sorted((SOURCE / "risk" / "gate" / "controls").glob("c[0-9][0-9]_*.py"))
    assert [int(file.name[1:3]) for file in files] == [item.number for item in CONTROLS]
    assert [item.judge.__module__.rsplit(".", 1)[1] for item in CONTROLS] == [file.stem for file in files]


def test_closes_are_bound_by_the_few_controls_that_the_rule_book_names() -> None:
    """Nothing joins this set by accident."""
    assert {item.number for item in CONTROLS if item.binds_close} == BIND_CLOSES


def test_only_size_controls_offer_a_size() -> None:
    """A size cannot cure anything else."""
    assert {item.number for item in CONTROLS if item.largest_value} == {22, 27, 28, 32, 34}


# --- who may make an Approved


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in tree.body:
        yield (node.name if isinstance(node, ast.FunctionDef | ast.ClassDef) else "", node)


def _calls(node: ast.AST, name: str) -> bool:
    return any(
        isinstance(each, ast.Call) and name in (getattr(each.func, "id", None), getattr(each.func, "attr", None))
        for each in ast.walk(node)
    )


def _callers(name: str) -> set[tuple[str, str]]:
    found = set()
    for file in SOURCE.rglob("*.py"):
        for function, node in _functions(ast.parse(file.read_text(encoding="utf-8"))):
            if _calls(node, name):
                found.add((file.relative_to(SOURCE).as_posix(), function))
    return found


def test_only_the_verdict_makes_an_approved_order() -> None:
    """Law 1: a venue takes nothing else, so nobody else may construct it, directly or through its one helper."""
    assert _callers("Approved") == {("risk/gate/verdict.py", "_approve")}
    assert _callers("_approve") == {("risk/gate/verdict.py", "judge")}


# --- putting answers together


def test_a_healthy_order_is_approved_with_what_it_holds_back() -> None:
    """0.05 × 10,001 × 1.01 = 505.0505, and a tenth of a percent of fee."""
    answer = approved(verdict(intent(), snapshot()))
    assert answer.client_order_id == CLIENT_ORDER_ID
    assert answer.terms == intent().terms
    assert (answer.reserved, answer.reserved_asset) == (D("505.5555505"), "USDT")
    assert (answer.leverage, answer.reduced_from, answer.limits_version) == (D(1), None, 1)
    assert [(item.control.number, item.finding.outcome) for item in answer.remarks] == [
        (31, Outcome.NOT_APPLICABLE),
        (32, Outcome.NOT_APPLICABLE),
    ]


def test_a_refusal_tells_every_reason_at_once() -> None:
    """Halted, not reconciled, blind and repeated: four sentences, not one."""
    facts = snapshot(state=TradingState.HALTED, reconciled=False, drawdown=None, last_same_at=snapshot().now)
    answer = verdict(intent(), facts, CAUTIOUS)
    assert isinstance(answer, Refused)
    assert [item.control.number for item in answer.reasons] == [1, 2, 22, 38, 45]
    assert (answer.profile, answer.limits_version) == ("cautious", 1)
    assert {item.control.number for item in answer.remarks} == {1, 2, 22, 31, 32, 38, 45}


def test_an_order_about_which_nothing_is_known_is_refused_and_nothing_breaks() -> None:
    """No user, account, portfolio, instrument, price, value or equity: a refusal, not an exception."""
    facts = snapshot(
        user=None, account=None, portfolio=None, instrument=None, quote=None, equity=None, cash_rate=None,
        gross_value=None, net_value=None, position_value=None, pending_value=None, margin_used=None, drawdown=None,
    )  # fmt: skip
    assert refusing(verdict(intent(), facts)) == {5, 10, 11, 15, 16, 18, 22, 27, 28, 31, 34, 38}


@pytest.mark.parametrize("size", ["NaN", "Infinity", "-Infinity", "-1", "0", "1E+30", "1E+70", "1E-30"])
@pytest.mark.parametrize("field", ["quantity", "quote_value"])
@pytest.mark.parametrize("instrument", [SPOT, PERPETUAL, INVERSE])
def test_a_size_that_is_no_size_is_refused_whatever_it_looks_like(size: str, field: str, instrument: object) -> None:
    """Control 9 names it; nothing on the way to it breaks."""
    facts = snapshot(instrument=instrument)
    for side in Side:
        assert 9 in refusing(verdict(intent(side=side, **{field: D(size)}), facts))
        assert 9 in refusing(verdict(intent(side=side, reduce_only=True, **{field: D(size)}), facts))


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-1", "0", "1E+30", "1E-30"])
def test_a_price_that_is_no_price_is_refused_whatever_it_looks_like(price: str) -> None:
    """The same for limit and trigger, sized by quantity or by value."""
    for instrument in (SPOT, PERPETUAL, INVERSE):
        facts = snapshot(instrument=instrument)
        for size in ({"quantity": D(1)}, {"quote_value": D(100)}):
            limit = intent(type=OrderType.LIMIT, price=D(price), **size)
            stop = intent(type=OrderType.STOP_LIMIT, price=D(10_000), stop_price=D(price), **size)
            assert 9 in refusing(verdict(limit, facts))
            assert 9 in refusing(verdict(stop, facts))


def test_a_control_that_arithmetic_fails_in_cannot_evaluate() -> None:
    """An exception there would hide the other reasons and tell nobody why."""

    def overflow(_proposal: Proposal, _snapshot: Snapshot, _limits: Limits) -> Finding:
        Decimal(1) / Decimal(0)
        return PASS

    answer = verdict(intent(), snapshot(), controls=(*CONTROLS, Control(99, "broken", overflow)))
    assert isinstance(answer, Refused)
    assert [item.finding.refusal.code for item in answer.reasons if item.finding.refusal] == ["cannot_evaluate"]


def test_a_list_that_would_approve_an_unknown_instrument_is_a_bug() -> None:
    """Without control 11 there is no order to approve: the gate stops instead."""
    with pytest.raises(LookupError, match="nobody knows"):
        verdict(intent(), snapshot(instrument=None), controls=())


def test_the_rule_of_undeclared_facts_looks_at_the_account() -> None:
    """Declared: look yourself. Undeclared: not applicable on paper, a no with real money."""
    assert undeclared(snapshot(), Fact.SPREAD) is None
    paper = undeclared(snapshot(source=BARS), Fact.SPREAD)
    live = undeclared(snapshot("cautious", source=BARS), Fact.SPREAD)
    assert paper is not None
    assert paper.outcome is Outcome.NOT_APPLICABLE
    assert live is not None
    assert live.outcome is Outcome.REFUSE


def test_what_does_not_apply_on_paper_is_listed_in_the_verdict() -> None:
    """A replay of minutes knows no spread: the approval says so."""
    answer = approved(verdict(intent(), snapshot(source=BARS)))
    assert 18 in {item.control.number for item in answer.remarks}


# --- closes


def test_a_close_passes_everything_that_stops_an_opening_order() -> None:
    """Halted, unreconciled, blind, stale, broke, repeated, late: the position can still be closed."""
    facts = snapshot(
        state=TradingState.HALTED, reconciled=False, unknown_orders=3, metadata_age=None, quote=None, equity=None,
        cash_rate=None, cash=D(-1), gross_value=None, net_value=None, margin_used=None, drawdown=None,
        position_value=None, pending_value=None, parity_difference=7, last_same_at=snapshot().now,
        instrument=replace(PERPETUAL, tradable=False, min_quantity=D(1)), position_quantity=D("0.05"), leverage=D(50),
    )  # fmt: skip
    old = replace(intent(side=Side.SELL, reduce_only=True), made_at=intent().made_at.replace(year=2020))
    answer = approved(verdict(old, facts, CAUTIOUS))
    assert (answer.reserved, answer.remarks) == (D(0), ())


def test_a_spot_sale_of_held_coins_is_a_close_and_reserves_the_coins() -> None:
    """The venue cannot flip it, so the flag is not needed."""
    facts = snapshot(state=TradingState.HALTED, position_quantity=D("0.05"), coins=D("0.05"))
    answer = approved(verdict(intent(side=Side.SELL), facts))
    assert (answer.reserved, answer.reserved_asset) == (D("0.05"), "BTC")


@pytest.mark.parametrize(
    ("held", "closing"), [("0.04", "0"), ("0.06", "0.02"), ("NaN", "0"), ("0.05", "NaN"), ("-1", "0")]
)
def test_a_spot_sale_of_more_than_is_held_is_no_close(held: str, closing: str) -> None:
    """What is beyond the position opens, and is judged so."""
    facts = snapshot(position_quantity=D(held), closing_quantity=D(closing), state=TradingState.HALTED, coins=D(1))
    assert refusing(verdict(intent(side=Side.SELL), facts)) == {1}


@pytest.mark.parametrize("said", [{}, {"type": OrderType.LIMIT, "price": D(10_000)}])
@pytest.mark.parametrize(
    "spoiled",
    [
        {"coins": D("0.04")},  # a fee took some of the coins
        {"coins": D("0.1"), "reserved_coins": D("0.06")},  # others wait to sell them
        {"coins": D(1), "selling_quantity": D("0.01")},  # a waiting sale of this position and this one: both may fill
        {"coins": D("NaN")},
        {"reserved_coins": D("NaN")},
        {"selling_quantity": D("NaN")},
        {"selling_quantity": D(-1)},
    ],
)
def test_a_spot_sale_beside_waiting_sales_of_the_same_coins_is_no_close(
    said: dict[str, Any], spoiled: dict[str, Any]
) -> None:
    """Two sales of a tenth against a tenth were both closes, and made a short position of somebody else's coins."""
    facts = replace(snapshot(position_quantity=D("0.05"), coins=D("0.05"), state=TradingState.REDUCE_ONLY), **spoiled)
    assert 1 in refusing(verdict(intent(side=Side.SELL, **said), facts))


def test_a_flag_does_not_let_a_second_spot_sale_wait_beside_the_first() -> None:
    """The venues of spot know no such flag."""
    facts = snapshot(position_quantity=D("0.05"), coins=D(1), selling_quantity=D("0.02"))
    wish = intent(side=Side.SELL, reduce_only=True, type=OrderType.LIMIT, price=D(10_000))
    assert refusing(verdict(wish, facts)) == {36}


@pytest.mark.parametrize("meant", [{"reduce_only": True}, {"closes_leg": True}])
def test_waiting_protection_does_not_stand_in_the_way_of_a_spot_close_at_the_market(meant: dict[str, bool]) -> None:
    """It locks the coins, so it is taken back first; where that failed, the venue decides, and not our book."""
    facts = snapshot(
        position_quantity=D("0.05"), coins=D("0.05"), reserved_coins=D("0.05"), selling_quantity=D("0.05"),
        state=TradingState.REDUCE_ONLY,
    )  # fmt: skip
    assert approved(verdict(intent(side=Side.SELL, **meant), facts)).closes


def test_a_leg_that_opens_at_the_venue_is_closed_and_its_margin_is_shown() -> None:
    """Long 0.05 here, short more elsewhere: the venue nets them, so its flag would reject this close for ever."""
    facts = snapshot(instrument=PERPETUAL, position_quantity=D("0.05"), state=TradingState.HALTED, margin_used=D(9_999))
    answer = approved(verdict(intent(side=Side.SELL, closes_leg=True), facts))
    assert (answer.closes, answer.reserved, answer.terms.reduce_only) == (True, D(0), False)
    (remark,) = answer.remarks
    assert (remark.control.number, remark.finding.outcome) == (34, Outcome.WARN)


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        ({}, ("253.005", "9900", False)),  # 0.05 × 10,000 × 1.01 / 2 + the fee of 0.1 %, less the buffer of 1 %
        ({"margin_used": D(9_700)}, ("253.005", "200", True)),
        ({"equity": None}, ("its margin is not known", "", True)),
        ({"quote": None}, ("its margin is not known", "", True)),
    ],
)
def test_the_remark_on_a_leg_says_what_it_takes_and_whether_the_venue_may_refuse(
    spoiled: dict[str, Any], said: tuple[str, str, bool]
) -> None:
    bid = replace(QUOTE, bid=D(9_990), ask=D(10_000))
    facts = replace(snapshot(instrument=PERPETUAL, position_quantity=D("-0.05"), quote=bid, leverage=D(2)), **spoiled)
    refusal = ask(34, intent(closes_leg=True), facts).refusal
    assert refusal is not None
    observed, limit, risky = said
    assert (refusal.observed, refusal.limit, bool(refusal.remedy)) == (observed, limit, risky)


@pytest.mark.parametrize(
    ("position", "closing"), [("0.04", "0"), ("0.06", "0.02"), ("-0.05", "0"), ("0", "0"), ("NaN", "0"), ("0.05", "-1")]
)
def test_a_leg_that_is_not_there_is_not_closed(position: str, closing: str) -> None:
    """The word of its maker opens nothing: it must take from its own position."""
    facts = snapshot(instrument=PERPETUAL, position_quantity=D(position), closing_quantity=D(closing))
    assert refusing(verdict(intent(side=Side.SELL, closes_leg=True), facts)) == {36}


OPENS: dict[str, Any] = {}
REDUCES, CLOSES = {"reduce_only": True}, {"closes_leg": True}


@pytest.mark.parametrize(
    ("side", "said", "leg"),
    [
        (Side.BUY, OPENS, LONG),
        (Side.SELL, OPENS, SHORT),
        (Side.SELL, REDUCES, LONG),
        (Side.BUY, REDUCES, SHORT),
        (Side.SELL, CLOSES, LONG),
        (Side.BUY, CLOSES, SHORT),
        # What a close names is its leg, whatever else it says: bought back is what was sold of it by hand.
        (Side.BUY, {"leg": LONG, "closes_leg": True}, LONG),
        (Side.SELL, {"leg": "4711", "reduce_only": True}, "4711"),
    ],
)
def test_where_long_and_short_stand_beside_each_other_every_order_is_of_one(
    side: Side, said: dict[str, Any], leg: str
) -> None:
    """B13; as it was told, or by its side and what it is for."""
    held = D(0) if said is OPENS else D("-0.05") * side.sign
    facts = snapshot(instrument=PERPETUAL, venue=replace(VENUE, hedging=True), position_quantity=held)
    assert approved(verdict(intent(side=side, **said), facts)).leg == leg


@pytest.mark.parametrize(
    ("instrument", "hedging"), [(SPOT, True), (SPOT, False), (PERPETUAL, False), (INVERSE, False), (None, True)]
)
def test_elsewhere_no_order_has_a_leg(instrument: Instrument | None, hedging: bool) -> None:
    facts = snapshot(instrument=instrument, venue=replace(VENUE, hedging=hedging))
    for side in Side:
        for said in (OPENS, REDUCES):
            assert proposal(intent(side=side, **said), facts).leg == ""


def test_a_smaller_size_is_of_the_same_leg() -> None:
    facts = snapshot(instrument=PERPETUAL, venue=replace(VENUE, hedging=True))
    answer = approved(verdict(intent(side=Side.SELL, quantity=D(50), allow_smaller=True), facts))
    assert answer.reduced_from == D(50)
    assert answer.leg == SHORT


def test_a_reduce_only_spot_buy_without_a_price_still_closes() -> None:
    """Covering what was borrowed cannot wait for a price; nothing can be held back for it."""
    facts = snapshot(quote=None, position_quantity=D("-0.05"))
    assert approved(verdict(intent(reduce_only=True), facts)).reserved == D(0)


# --- size


def test_without_being_asked_the_gate_makes_nothing_smaller() -> None:
    """A person is told the largest size in the preview; it is not chosen for them."""
    assert refusing(verdict(intent(quantity=D("0.1")), snapshot("cautious"), CAUTIOUS)) == {22}


def test_a_bot_gets_the_largest_size_that_passes_and_the_reasons() -> None:
    """5 % of 10,000 at 10,001 is 0.049995… coins, in whole lots 0.04999."""
    wish = intent(quantity=D("0.1"), allow_smaller=True)
    answer = approved(verdict(wish, snapshot("cautious"), CAUTIOUS))
    assert (answer.terms.quantity, answer.reduced_from) == (D("0.04999"), D("0.1"))
    assert [item.control.number for item in answer.remarks if item.finding.outcome is Outcome.REFUSE] == [22]


def test_the_smallest_of_several_rooms_rules() -> None:
    """Order 500, position 100, cash plenty: the position decides."""
    facts = snapshot("cautious", position_value=D(1_900))
    answer = approved(verdict(intent(quantity=D("0.1"), allow_smaller=True), facts, CAUTIOUS))
    assert answer.terms.quantity == D("0.00999")


@pytest.mark.parametrize(
    "spoiled",
    [
        {"state": TradingState.HALTED},  # size is not the only thing in the way
        {"equity": None},  # the room is unknown
        {"position_value": D(2_000)},  # there is no room
        {"position_value": D("1999.95")},  # there is room for less than a lot
        {"position_value": D(1_991)},  # what is left is below the minimum
        {"instrument": None},
        {"quote": None},
    ],
)
def test_a_smaller_size_is_no_way_round_another_reason(spoiled: dict[str, object]) -> None:
    """Where shrinking cannot cure it, the whole order is refused at the size that was asked for."""
    wish = intent(quantity=D("0.1"), allow_smaller=True)
    answer = verdict(wish, snapshot("cautious", **spoiled), CAUTIOUS)
    assert isinstance(answer, Refused)
    assert answer.intent is wish


def test_the_last_digit_of_a_quotient_costs_at_most_one_lot() -> None:
    """A room that is a hair too small for the rounded size is tried one lot lower, and judged again."""

    def above(limit: str) -> Control:
        def judge_(each: Proposal, _snapshot: Snapshot, _limits: Limits) -> Finding:
            return (
                PASS
                if each.quantity <= D(limit)
                else control(1).judge(each, snapshot(state=TradingState.HALTED), STANDARD)
            )

        return Control(98, "rounded up", judge_, largest_value=lambda *_: D("400.04"))

    wish = intent(quantity=D("0.1"), allow_smaller=True)
    answer = approved(verdict(wish, snapshot(), controls=(*CONTROLS, above("0.03999"))))
    assert answer.terms.quantity == D("0.03999")
    assert isinstance(verdict(wish, snapshot(), controls=(*CONTROLS, above("0.03998"))), Refused)


def test_what_was_made_smaller_is_smaller() -> None:
    """A control that offers the very size it refused gets one lot less, never the same size under another name."""
    stubborn = Control(
        97,
        "stubborn",
        lambda each, _snapshot, _limits: PASS if each.value != D(1_000) else ask(1, each.intent, HALTED),
        largest_value=lambda *_: D(1_000),
    )
    wish = intent(quote_value=D(1_000), allow_smaller=True)
    answer = approved(verdict(wish, snapshot(), controls=(*CONTROLS, stubborn)))
    assert (answer.terms.quantity, answer.reduced_from) == (D("0.09998"), D("0.09999"))


@pytest.mark.parametrize(
    ("number", "side", "spoiled", "largest"),
    [
        (22, Side.BUY, {}, "500"),  # 5 % of 10,000
        (22, Side.BUY, {"equity": D(90_000)}, "750"),  # the ceiling
        (27, Side.BUY, {"position_value": D(300), "pending_value": D(200)}, "1500"),  # 2,000 - 500
        (27, Side.SELL, {"position_value": D(300), "pending_value": D(-200)}, "2100"),  # down to -2,000
        (28, Side.BUY, {"gross_value": D(15_000), "net_value": D(2_000)}, "5000"),  # gross rules: 20,000 - 15,000
        (28, Side.BUY, {"gross_value": D(3_000), "net_value": D(2_000)}, "8000"),  # net rules: 10,000 - 2,000
        (28, Side.SELL, {"gross_value": D(3_000), "net_value": D(2_000)}, "12000"),
        (28, Side.SELL, {"gross_value": D(3_000), "net_value": D(-2_000)}, "8000"),
        (32, Side.BUY, {"gross_value": D(14_000)}, "1000"),  # 75 % of 10,000 × 2
        (34, Side.BUY, {"equity": D(100), "margin_used": D(99)}, "0"),  # the buffer is all that is left
    ],
)
def test_the_room_a_size_control_leaves_by_hand(
    number: int, side: Side, spoiled: dict[str, object], largest: str
) -> None:
    """Cautious, 10,000 of equity unless said otherwise."""
    facts = snapshot("cautious", instrument=PERPETUAL, **spoiled)
    largest_value = control(number).largest_value
    assert largest_value is not None
    assert largest_value(proposal(intent(side=side), facts, CAUTIOUS), facts, CAUTIOUS) == D(largest)


@pytest.mark.parametrize("number", [22, 27, 28, 32, 34])
def test_a_size_control_that_cannot_tell_offers_no_size(number: int) -> None:
    """Unknown is not unlimited."""
    largest_value = control(number).largest_value
    assert largest_value is not None
    for equity in (None, D("NaN"), D("Infinity")):
        facts = snapshot(instrument=PERPETUAL, equity=equity)
        assert largest_value(proposal(intent(), facts), facts, STANDARD) is None


@pytest.mark.parametrize("number", [22, 27, 28, 32, 34])
def test_where_the_order_fits_the_largest_value_is_no_smaller(number: int) -> None:
    """A control that lets an order pass never asks for less of it."""
    largest_value, facts = control(number).largest_value, snapshot(instrument=PERPETUAL)
    asked = proposal(intent(), facts)
    assert largest_value is not None
    largest = largest_value(asked, facts, STANDARD)
    assert largest is not None
    assert asked.value is not None
    assert largest >= asked.value


def test_a_size_control_that_refuses_without_a_size_ends_the_search() -> None:
    """An order whose quote value is unknown has nothing to shrink from."""
    facts = snapshot("cautious", cash_rate=None)
    assert isinstance(verdict(intent(allow_smaller=True), facts, CAUTIOUS, (control(22),)), Refused)


# --- value, leverage, reservation


def test_a_quote_value_becomes_whole_lots_and_keeps_the_value_asked_for() -> None:
    """1,000 USDT at 10,001 buys 0.09999 coins; limits see 1,000, the reservation what is really bought."""
    made = proposal(intent(quote_value=D(1_000)), snapshot())
    assert (made.quantity, made.value) == (D("0.09999"), D(1_000))
    assert made.worst_cost == D("0.09999") * D("10001") * D("1.01")


def test_an_inverse_contract_counts_quote_units_and_pays_in_coins() -> None:
    """1,000.5 USD are 1,000 contracts of one dollar, worth 1,000.5 / 10,001 coins at the ask."""
    facts = snapshot(instrument=INVERSE, cash_rate=D(10_001))
    made = proposal(intent(quote_value=D("1000.5")), facts)
    assert made.quantity == D(1_000)
    assert made.value is not None
    assert abs(made.value - D("1000.5")) < D("1E-12")


def test_a_value_without_a_rate_is_unknown_but_still_has_a_size() -> None:
    """A close sized by value needs a price and no rate."""
    made = proposal(intent(quote_value=D(1_000)), snapshot(cash_rate=None))
    assert (made.quantity, made.value) == (D("0.09999"), None)


@pytest.mark.parametrize(
    ("instrument", "chosen", "limits", "expected"),
    [
        (SPOT, None, STANDARD, "1"),
        (SPOT, "3", STANDARD, "1"),
        (PERPETUAL, None, STANDARD, "2"),
        (PERPETUAL, "3", STANDARD, "3"),
        (PERPETUAL, None, STANDARD.widened(leverage_cap=D(1)), "1"),
        (replace(PERPETUAL, max_leverage=D(1)), None, STANDARD, "1"),
        (None, "3", STANDARD, "1"),
    ],
)
def test_margin_is_divided_by_the_leverage_chosen_for_the_symbol(
    instrument: object, chosen: str | None, limits: Limits, expected: str
) -> None:
    """Unset means the profile's, under the cap; spot is paid in full."""
    leverage = None if chosen is None else D(chosen)
    assert chosen_leverage(snapshot(instrument=instrument, leverage=leverage), limits) == D(expected)


@pytest.mark.parametrize(
    ("instrument", "side", "terms", "price"),
    [
        # a short filled at the bid is larger than its limit below the bid says
        (PERPETUAL, Side.SELL, {"type": OrderType.LIMIT, "price": D(9_800)}, "9999"),
        (PERPETUAL, Side.SELL, {"type": OrderType.LIMIT, "price": D(10_200)}, "10200"),
        (PERPETUAL, Side.SELL, {"type": OrderType.STOP_LIMIT, "stop_price": D(9_990), "price": D(9_800)}, "9999"),
        (PERPETUAL, Side.BUY, {"type": OrderType.LIMIT, "price": D(10_200)}, "10200"),
        (PERPETUAL, Side.BUY, {"type": OrderType.STOP, "stop_price": D(10_300)}, "10300"),
        # inverse: dearest where the price is lowest
        (INVERSE, Side.BUY, {"type": OrderType.LIMIT, "price": D(10_200)}, "10001"),
        (INVERSE, Side.SELL, {"type": OrderType.LIMIT, "price": D(9_800)}, "9800"),
    ],
)
def test_an_order_is_reserved_at_the_dearest_price_it_can_fill_at(
    instrument: object, side: Side, terms: dict[str, object], price: str
) -> None:
    """I12: what is held back covers the worst fill, with 1 % on top."""
    facts = snapshot(instrument=instrument)
    assert facts.instrument is not None
    made = proposal(intent(side=side, quantity=D(100), **terms), facts)
    covered = facts.instrument.notional(D(100), D(price)) * D("1.01")
    assert made.worst_cost is not None
    assert abs(made.worst_cost - covered) <= D("1E-18")


def test_a_limit_far_from_any_quote_is_valued_without_one() -> None:
    """The limit itself is a price; that no market is seen is for control 15 to refuse."""
    made = proposal(
        intent(side=Side.SELL, type=OrderType.LIMIT, price=D(9_800)), snapshot(instrument=PERPETUAL, quote=None)
    )
    assert made.worst_cost == D("0.05") * 9_800 * D("1.01")


def test_a_rebate_is_not_counted_on() -> None:
    """A venue that pays for taking may stop before the fill."""
    facts = snapshot(fee_ratio=D("-0.01"))
    made = proposal(intent(), facts)
    assert reservation(made, facts, SPOT, D(1)) == (made.worst_cost, "USDT")


def test_same_inputs_same_verdict() -> None:
    """A verdict can be replayed from what it was made of."""
    facts = snapshot("cautious", position_value=D(1_900))
    for wish in (intent(), intent(quantity=D(3)), intent(quantity=D(3), allow_smaller=True)):
        assert verdict(wish, facts, CAUTIOUS) == verdict(wish, facts, CAUTIOUS)


def test_the_quote_is_taken_from_the_side_that_the_order_would_hit() -> None:
    """A buy pays the ask, a sale gets the bid."""
    assert proposal(intent(), snapshot()).reference == QUOTE.ask
    assert proposal(intent(side=Side.SELL), snapshot()).reference == QUOTE.bid


def test_judging_is_the_only_way_to_a_venue_and_returns_one_of_two() -> None:
    """There is no third answer."""
    made = proposal(intent(), snapshot())
    assert isinstance(judge(made, snapshot(), STANDARD, CONTROLS), Approved)
    assert isinstance(judge(made, snapshot(reconciled=False), STANDARD, CONTROLS), Refused)
