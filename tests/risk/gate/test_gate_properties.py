"""What holds for every order and every account: the properties that the rule book names, searched for exceptions."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from plimsoll.model import money
from plimsoll.model.account import TradingState
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, OrderType, Side
from plimsoll.risk.gate.snapshot import Snapshot
from plimsoll.risk.gate.verdict import Approved, Control, Outcome, Refused, judge
from plimsoll.risk.limits import CAUTIOUS, STANDARD, Limits
from plimsoll.risk.valuation import Bound
from tests.builders.gate import (
    CLIENT_ORDER_ID,
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

SANITY_AND_REPEAT = {9, 10, 11, 13, 45}
INSTRUMENTS = st.sampled_from([SPOT, PERPETUAL, INVERSE])
PROFILES = st.sampled_from([CAUTIOUS, STANDARD])


def amounts(low: str, high: str, places: int = 4) -> st.SearchStrategy[Decimal]:
    return st.decimals(D(low), D(high), places=places, allow_nan=False, allow_infinity=False)


def maybe(known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly known; sometimes missing, not a number or endless."""
    return st.integers(0, 19).flatmap(lambda n: st.sampled_from([None, D("NaN"), D("Infinity")]) if n == 0 else known)


def bound(*, healthy: bool) -> st.SearchStrategy[Bound | None]:
    """What open derivatives make of an asset; sometimes one has no price."""
    few, some = amounts("0", "0.5"), amounts("0", "300" if healthy else "3000")
    known = st.builds(Bound, margin=few | some, profit=few | some, loss=few | some)
    return known if healthy else st.none() | known


@st.composite
def facts(draw: st.DrawFn, *, healthy: bool = False) -> Snapshot:
    """An account in some state, or a healthy one; sums agree with their parts as the ledger makes them."""
    told = (lambda strategy: strategy) if healthy else maybe
    instrument = draw(INSTRUMENTS)
    position = draw(amounts("-1500", "1500") if healthy else amounts("-20000", "20000"))
    pending = draw(amounts("-500", "500") if healthy else amounts("-5000", "5000"))
    other = draw(amounts("0", "5000") if healthy else amounts("0", "20000"))
    quote_at = NOON - timedelta(seconds=draw(st.integers(0, 5 if healthy else 12)))
    bid = draw(amounts("9950", "10050", 1) if healthy else amounts("9000", "11000", 1))
    return snapshot(
        instrument=instrument,
        quote=replace(QUOTE, at=quote_at, bid=bid, ask=bid + draw(amounts("0", "40", 1)), last=bid),
        equity=draw(told(amounts("5000", "50000") if healthy else amounts("50", "50000"))),
        cash_rate=draw(told(st.just(D(10_000)) if instrument.inverse else amounts("0.5", "2"))),
        cash=draw(amounts("5000" if healthy else "-100", "50000")),
        coins=draw(amounts("0", "5", 5)),
        reserved_cash=draw(amounts("0", "0.1" if healthy else "5"))
        if instrument.inverse
        else draw(amounts("0", "3000")),
        reserved_coins=draw(amounts("0", "1", 5)),
        margin_used=draw(told(amounts("0", "1000" if healthy else "9000"))),
        cash_bound=draw(bound(healthy=healthy)),
        coins_bound=draw(bound(healthy=healthy)),
        position_quantity=draw(amounts("-2", "2", 3)),
        closing_quantity=draw(amounts("0", "1", 3)),
        selling_quantity=draw(amounts("0", "1", 3)),
        position_value=draw(told(st.just(position))),
        pending_value=draw(told(st.just(pending))),
        gross_value=draw(told(st.just(abs(position) + abs(pending) + other))),
        net_value=draw(told(st.just(position + pending + draw(st.sampled_from([-1, 1])) * other))),
        leverage=draw(st.none() | st.sampled_from([D(1), D(2)] if healthy else [D(1), D(2), D(3), D(5), D(6)])),
        fee_ratio=draw(st.sampled_from([D(0), D("0.001"), D("0.00055"), D("-0.0001")])),
        drawdown=draw(told(amounts("0", "0.14" if healthy else "0.25"))),
        last_same_at=None if healthy else draw(st.none() | st.just(NOON - timedelta(seconds=1))),
        state=TradingState.ACTIVE if healthy else draw(st.sampled_from([TradingState.ACTIVE, TradingState.HALTED])),
    )


@st.composite
def wishes(draw: st.DrawFn, /, instrument: Instrument, **said: Any) -> Intent:
    """An order of any size, of a kind and price that may make sense."""
    kind = draw(st.sampled_from([OrderType.LIMIT, OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT]))
    if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        said["price"] = draw(st.integers(19_500, 20_500)) * D("0.5")
    said.setdefault("side", draw(st.sampled_from(Side)))
    if kind in (OrderType.STOP, OrderType.STOP_LIMIT):
        away = draw(st.integers(-50, 300)) * D("0.5")
        said["stop_price"] = D(10_100) + away if said["side"] is Side.BUY else D(9_900) - away
    if "quantity" not in said and "quote_value" not in said:
        if not said.get("reduce_only") and draw(st.booleans()):
            said["quote_value"] = draw(amounts("20", "60000", 2))
        else:
            said["quantity"] = draw(sizes(instrument))
    return intent(type=kind, **said)


def sizes(instrument: Instrument) -> st.SearchStrategy[Decimal]:
    most = 60_000 if instrument.inverse else int(6 / instrument.lot_size)
    return st.integers(1, most).map(lambda lots: lots * instrument.lot_size)


def bigger(wish: Intent, quantity: Decimal) -> Intent:
    return replace(wish, terms=wish.terms.sized(quantity))


@given(st.data(), facts(), PROFILES)
def test_a_bigger_opening_order_never_passes_where_a_smaller_did_not(
    data: st.DataObject, account: Snapshot, limits: Limits
) -> None:
    """Monotone in size, among orders that pass sanity and are no repeats."""
    assert account.instrument is not None
    wish = data.draw(wishes(account.instrument, quantity=data.draw(sizes(account.instrument))))
    larger = bigger(wish, proposal(wish, account).quantity + data.draw(sizes(account.instrument)))
    assume(not proposal(wish, account).closes and not proposal(larger, account).closes)
    small, large = verdict(wish, account, limits), verdict(larger, account, limits)
    assume(not refusing(small) & SANITY_AND_REPEAT)
    assert refusing(small) - {10} <= refusing(large)


LOOSER = ("max_order_ratio", "max_position_ratio", "max_gross_ratio", "max_net_ratio", "max_load_ratio")
TIGHTER_WHEN_LARGER = ("cash_buffer_ratio", "min_equity", "min_order_value", "market_slack_ratio")


@given(st.data(), facts(), st.sampled_from([*LOOSER, *TIGHTER_WHEN_LARGER, "leverage_cap", "max_price_age"]))
def test_a_tighter_limit_never_approves_what_a_wider_one_refused(
    data: st.DataObject, account: Snapshot, name: str
) -> None:
    """Monotone in every limit."""
    assert account.instrument is not None
    wish = data.draw(wishes(account.instrument, allow_smaller=False))
    if name == "leverage_cap":
        tighter = STANDARD.widened(leverage_cap=data.draw(amounts("2", "5", 1)))
    elif name == "max_price_age":
        tighter = STANDARD.widened(max_price_age=timedelta(seconds=data.draw(st.integers(0, 5))))
    else:
        factor = data.draw(amounts("0", "1", 2) if name in LOOSER else amounts("1", "4", 2))
        tighter = STANDARD.widened(**{name: getattr(STANDARD, name) * factor})
    assert refusing(verdict(wish, account, STANDARD)) <= refusing(verdict(wish, account, tighter))


@given(st.data(), facts(), PROFILES)
def test_same_inputs_give_the_same_verdict(data: st.DataObject, account: Snapshot, limits: Limits) -> None:
    """Replayable: a verdict is a function of what it was made of."""
    assert account.instrument is not None
    wish = data.draw(wishes(account.instrument, allow_smaller=data.draw(st.booleans())))
    # A NaN is unlike itself, so the account is not compared, only what was said of it.
    assert repr(verdict(wish, account, limits)) == repr(verdict(wish, account, limits))


@given(st.data(), facts(), PROFILES)
def test_a_close_is_refused_only_by_what_makes_it_a_close(
    data: st.DataObject, account: Snapshot, limits: Limits
) -> None:
    """I14: closing is sacred. If it really reduces, in whole lots, it passes, whatever the account looks like."""
    assert account.instrument is not None
    wish = data.draw(wishes(account.instrument, reduce_only=True, quantity=data.draw(sizes(account.instrument))))
    reduces = (account.position_quantity > 0) == (wish.terms.side is Side.SELL) and account.position_quantity != 0
    left = abs(account.position_quantity) - account.closing_quantity
    if account.instrument is SPOT and wish.terms.side is Side.SELL and wish.terms.type is not OrderType.MARKET:
        # It waits where no venue knows a flag: every live sale counts, and the coins must be there.
        free = account.coins - account.reserved_coins
        left = min(left, abs(account.position_quantity) - account.selling_quantity, free)
    really = reduces and proposal(wish, account).quantity <= left
    assert refusing(verdict(wish, account, limits)) == (set() if really else {36})


@given(st.data(), facts(healthy=True), PROFILES)
def test_a_reduced_order_passes_everything_and_never_exceeds_the_request(
    data: st.DataObject, account: Snapshot, limits: Limits
) -> None:
    """What comes out smaller would have been approved as it is, had it been asked for."""
    assert account.instrument is not None
    wish = data.draw(wishes(account.instrument, allow_smaller=True))
    answer = verdict(wish, account, limits)
    assume(isinstance(answer, Approved) and answer.reduced_from is not None)
    reduced = approved(answer)
    quantity = reduced.terms.quantity
    assert quantity is not None
    assert reduced.reduced_from is not None
    assert 0 < quantity < reduced.reduced_from == proposal(wish, account).quantity
    assert money.is_multiple(quantity, account.instrument.lot_size)
    again = approved(verdict(bigger(wish, quantity), account, limits))
    assert (again.terms, again.reserved, again.reduced_from) == (reduced.terms, reduced.reserved, None)


@given(st.data(), facts(healthy=True), PROFILES, st.sampled_from([22, 27, 28, 32, 34]))
def test_the_largest_value_is_the_largest_that_the_control_lets_pass(
    data: st.DataObject, account: Snapshot, limits: Limits, number: int
) -> None:
    """The closed form agrees with the judgement: cut to whole lots it passes, one lot more than it allows does not."""
    only: tuple[Control, ...] = (control(number),)
    instrument = account.instrument
    assert instrument is not None
    wish = data.draw(wishes(instrument, allow_smaller=True, quantity=data.draw(sizes(instrument))))
    asked = proposal(wish, account, limits)
    assume(not asked.closes and asked.value)
    answer = judge(asked, account, limits, only)
    if isinstance(answer, Refused):  # then not even one lot passes
        assert isinstance(verdict(bigger(wish, instrument.lot_size), account, limits, only), Refused)
    elif answer.reduced_from is not None:
        assert answer.terms.quantity is not None
        two_more = answer.terms.quantity + 2 * instrument.lot_size
        assert isinstance(verdict(replace(bigger(wish, two_more), allow_smaller=False), account, limits, only), Refused)


@given(st.data(), facts(healthy=True), amounts("0", "1", 3), amounts("0", "1", 3))
def test_what_is_reserved_covers_every_fill_the_order_can_have(
    data: st.DataObject, account: Snapshot, where: Decimal, part: Decimal
) -> None:
    """I12: reservations ≥ worst-case cost, from the order's own limit to the market, and 1 % beyond."""
    instrument, quote = account.instrument, account.quote
    assert instrument is not None
    assert quote is not None
    account = replace(account, cash=D(10**9), equity=D(10**9), coins=D(10**9), drawdown=D(0), last_same_at=None)
    wish = data.draw(wishes(instrument, quantity=data.draw(sizes(instrument))))
    answer = verdict(wish, account, STANDARD)
    assume(isinstance(answer, Approved) and not proposal(wish, account).closes)
    order = approved(answer)
    quantity = order.terms.quantity
    assert quantity is not None
    if order.reserved_asset == instrument.base and not instrument.is_derivative:
        assert order.reserved == quantity
        return
    # A buy fills between the market and its limit, a sale between its limit and the market, wherever those stand.
    near, far = (quote.ask, order.terms.price or order.terms.stop_price or quote.ask)
    if order.terms.side is Side.SELL:
        near, far = (quote.bid, order.terms.price or order.terms.stop_price or quote.bid)
    buys_up = order.terms.side is Side.BUY and far > near
    sells_down = order.terms.side is Side.SELL and far < near
    price = near + (far - near) * where if buys_up or sells_down else far
    slip = 1 + STANDARD.market_slack_ratio * part
    if order.terms.type in (OrderType.MARKET, OrderType.STOP):
        price = money.settle_quotient(price, slip) if instrument.inverse else price * slip
    notional = instrument.notional(quantity, price)
    cost = money.settle_quotient(notional, order.leverage) + money.settle_product(
        notional, max(account.fee_ratio, D(0))
    )
    # An inverse value passes through a quotient: its last digit is not the reservation's.
    assert order.reserved >= cost - (D("1E-15") if instrument.inverse else 0)


@given(st.data(), facts(healthy=True), st.integers(1, 6))
def test_orders_approved_one_after_the_other_cannot_break_a_limit_together(
    data: st.DataObject, account: Snapshot, count: int
) -> None:
    """I13: each approval counts what the earlier ones hold, on its own side, as if all of it filled."""
    instrument = account.instrument
    assert instrument is not None
    side = data.draw(st.sampled_from(Side))
    account = replace(account, last_same_at=None)
    start = account
    for _ in range(count):
        wish = data.draw(wishes(instrument, side=side, allow_smaller=True, quantity=data.draw(sizes(instrument))))
        asked = proposal(wish, account)
        assume(not asked.closes)
        answer = judge(asked, account, STANDARD, tuple(control(number) for number in (27, 28, 32, 34)))
        if isinstance(answer, Refused):
            continue
        value = proposal(bigger(wish, answer.terms.quantity or D(0)), account).value
        assert value is not None
        assert account.gross_value is not None
        assert account.pending_value is not None
        assert account.net_value is not None
        coins = answer.reserved_asset != instrument.cash_asset
        account = replace(
            account,
            pending_value=account.pending_value + side.sign * value,
            gross_value=account.gross_value + value,
            net_value=account.net_value + side.sign * value,
            reserved_cash=account.reserved_cash + (0 if coins else answer.reserved),
            reserved_coins=account.reserved_coins + (answer.reserved if coins else 0),
        )
    if account is start:
        return
    equity, gross, rate = account.equity, account.gross_value, account.cash_rate
    position, pending, margin = account.position_value, account.pending_value, account.margin_used
    assert equity is not None
    assert gross is not None
    assert rate is not None
    assert position is not None
    assert pending is not None
    assert margin is not None
    assert side.sign * (position + pending) <= equity * STANDARD.max_position_ratio
    assert gross <= equity * STANDARD.max_gross_ratio
    if account.has_load:
        assert gross <= equity * STANDARD.leverage_cap * STANDARD.max_load_ratio
    if instrument.is_derivative:
        assert equity - margin - account.reserved_cash * rate >= 0
    elif side is Side.BUY:
        assert account.cash - account.reserved_cash >= 0
    else:
        assert account.coins - account.reserved_coins >= 0


@given(st.data(), facts(), PROFILES)
def test_a_verdict_is_complete(data: st.DataObject, account: Snapshot, limits: Limits) -> None:
    """Explainable: approved means that nothing refused; refused means that every reason can be read."""
    assert account.instrument is not None
    answer = verdict(data.draw(wishes(account.instrument)), account, limits)
    assert answer.client_order_id == CLIENT_ORDER_ID
    assert all(item.finding.outcome is not Outcome.PASS for item in answer.remarks)
    if isinstance(answer, Approved):
        assert all(item.finding.outcome is not Outcome.REFUSE for item in answer.remarks)
        return
    assert answer.reasons
    for item in answer.reasons:
        assert item.finding.refusal is not None
        assert item.finding.refusal.remedy
