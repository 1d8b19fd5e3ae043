"""The simulated exchange itself: what it takes, how it fills, what it refuses, and that its sums are right.

Everything that the world of hours proves rests on this: an exchange that is wrong would prove the desk wrong, or right.
"""

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from plimsoll.market.instruments import instrument_for
from plimsoll.model.ids import InstrumentId
from plimsoll.model.venue import DedupeScope
from tests.simulation.adapter import errors
from tests.simulation.exchange import codes
from tests.simulation.exchange.codes import Refusal
from tests.simulation.exchange.exchange import Exchange
from tests.simulation.exchange.floor import KEY, PERP, SPOT, START, Floor
from tests.simulation.exchange.listing import LISTINGS
from tests.simulation.exchange.personality import KIND, FeeIn, Resuming
from tests.simulation.exchange.stream import Message

D = Decimal


@pytest.fixture
def floor() -> Floor:
    """A kind exchange at 40,000."""
    made = Floor()
    made.price(40_000)
    return made


# --- listings


@pytest.mark.parametrize("symbol", LISTINGS)
def test_a_listing_has_the_rules_that_the_desk_has_for_it(symbol: str) -> None:
    """A listing has the rules that the desk has for it."""
    ours, theirs = instrument_for(symbol, InstrumentId(1), "sim"), LISTINGS[symbol]
    assert (ours.base, ours.quote, ours.tick_size, ours.lot_size) == (
        theirs.base,
        theirs.quote,
        theirs.tick,
        theirs.lot,
    )
    assert (ours.min_notional, ours.max_leverage) == (theirs.min_notional, theirs.max_leverage)
    assert (ours.multiplier, ours.is_derivative) == (theirs.multiplier, theirs.is_perpetual)


# --- filling


def test_a_purchase_on_spot_pays_at_once(floor: Floor) -> None:
    """A market order takes the far side: a tick above the last price, and a thousandth of it as the fee."""
    told = floor.order("BUY 0.1")
    assert (told["status"], told["filled"]) == ("FILLED", "0.1")
    paid = D("4000.001") * D("1.001")
    assert floor.balances() == {("spot", "BTC"): D("0.1"), ("spot", "USDT"): 10_000 - paid.quantize(D("0.00000001"))}


def test_a_limit_waits_for_its_price_and_is_met_there(floor: Floor) -> None:
    """A limit that waited fills at its own price and pays a maker's fee."""
    floor.order("BUY 0.1 at 39000")
    floor.price("39000.01")
    assert floor.balance("BTC") == 0
    floor.price("38500")
    assert floor.balance("BTC") == D("0.1")
    assert floor.balance("USDT") == 10_000 - 3900 - D("1.95")


def test_a_limit_beyond_the_market_takes_the_market(floor: Floor) -> None:
    """A limit that could take does, at the market's price and not at its own."""
    told = floor.order("BUY 0.1 at 41000")
    assert told["status"] == "FILLED"
    assert [fill["price"] for fill in told["fills"]] == ["40000.01"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "edge", "beyond"), [("SELL 0.1 stop 39000", 39001, 39000), ("BUY 0.1 stop 41000", 40999, 41000)]
)
def test_a_stop_is_reached_by_the_last_price(words: str, edge: int, beyond: int) -> None:
    """A stop waits until the last price is there, and then takes the far side."""
    floor = Floor(deposits="USDT 10000 BTC 1")
    floor.price(40_000)
    order = floor.order(words)
    floor.price(edge)
    assert floor.ask("GET", "/order", clientOrderId=str(order["clientOrderId"]))["status"] == "NEW"
    floor.price(beyond)
    assert floor.ask("GET", "/order", clientOrderId=str(order["clientOrderId"]))["status"] == "FILLED"


def test_a_stop_limit_becomes_a_limit(floor: Floor) -> None:
    """A stop-limit whose price the market has passed waits as a limit, and fills there."""
    order = floor.order("BUY 0.1 stop 41000 at 41000")
    floor.price(41_500)
    assert floor.balance("BTC") == 0
    floor.price(40_900)
    assert floor.ask("GET", "/order", orderId=str(order["orderId"]))["status"] == "FILLED"
    assert floor.balance("USDT") == 10_000 - 4100 - D("2.05")


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
def test_what_is_at_once_or_never_ends_unfilled(floor: Floor, tif: str) -> None:
    """What cannot be filled at once ends."""
    told = floor.order("BUY 0.1 at 39000", timeInForce=tif)
    assert (told["status"], told["filled"]) == ("EXPIRED", "0")
    assert floor.ask("GET", "/openOrders")["rows"] == []


def test_one_fill_may_take_only_a_part() -> None:
    """A market order takes the next price too, a limit waits on, IOC ends with what it got, FOK is filled whole."""
    floor = Floor(replace(KIND, partial_ratio=1.0), seed=3)
    floor.price(40_000)
    market, limit = floor.order("BUY 0.05"), floor.order("BUY 0.05 at 40000.01")
    ioc, fok = floor.order("BUY 0.05 at 40100", timeInForce="IOC"), floor.order("BUY 0.05 at 40100", timeInForce="FOK")
    assert [told["status"] for told in (market, limit, ioc, fok)] == [
        "PARTIALLY_FILLED", "PARTIALLY_FILLED", "EXPIRED", "FILLED",
    ]  # fmt: skip
    for _ in range(60):
        floor.price(40_000)
    assert floor.ask("GET", "/openOrders")["rows"] == []
    for told in (market, limit):
        row = floor.ask("GET", "/order", orderId=str(told["orderId"]))
        assert (row["status"], row["filled"]) == ("FILLED", "0.05000")
    assert floor.balance("BTC") == D("0.15") + D(str(ioc["filled"]))
    floor.exchange.check()


def test_a_canceled_order_keeps_what_it_filled(floor: Floor) -> None:
    """A cancel answers how the order stands; a second one knows no such order."""
    order = floor.order("BUY 0.1 at 39000")
    assert floor.cancel(order["clientOrderId"])["status"] == "CANCELED"
    with pytest.raises(Refusal, match="-2011"):
        floor.cancel(order["clientOrderId"])
    floor.price(38_000)
    assert floor.balances() == {("spot", "USDT"): D(10_000)}


def test_a_position_flips_and_is_paid_for_what_it_closes(floor: Floor) -> None:
    """A perpetual pays what was realised, and nothing for what it opens."""
    floor.order("BUY 0.1", PERP)
    floor.price(41_000)
    told = floor.order("SELL 0.25", PERP)
    # Bought at 40,000.1, sold at 40,999.9; fees of a thousandth of either value.
    assert [fill["realized"] for fill in told["fills"]] == ["99.98000000"]  # type: ignore[attr-defined]
    assert floor.positions() == {(PERP, ""): D("-0.15")}
    assert floor.balances()["futures", "USDT"] == D("99.98") - D("4.00001") - D("10.249975")
    account = floor.ask("GET", "/account")
    assert [row["entryPrice"] for row in account["positions"]] == ["40999.90000000"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("style", "spent"),
    [
        (FeeIn.QUOTE, {"USDT": D("4.000001"), "BTC": D(0), "BNB": D(0)}),
        (FeeIn.RECEIVED, {"USDT": D(0), "BTC": D("0.0001"), "BNB": D(0)}),
        # Three quarters of 4.000001, at 300.
        (FeeIn.THIRD, {"USDT": D(0), "BTC": D(0), "BNB": D("0.01")}),
    ],
)
def test_the_fee_is_taken_in_an_asset(style: FeeIn, spent: dict[str, D]) -> None:
    """The fee of a purchase is taken in the quote asset, of what was bought, or in a third asset at a discount."""
    floor = Floor(replace(KIND, fee_in=style), deposits="USDT 10000 BNB 1")
    floor.price(40_000)
    floor.order("BUY 0.1")
    missing = {"USDT": 10_000 - D("4000.001"), "BTC": D("0.1"), "BNB": D(1)}
    assert {asset: was - floor.balance(asset) for asset, was in missing.items()} == spent


def test_who_has_none_of_the_third_asset_pays_as_everybody() -> None:
    """Without the third asset the fee is taken in the quote asset."""
    floor = Floor(replace(KIND, fee_in=FeeIn.THIRD))
    floor.price(40_000)
    assert [fill["feeAsset"] for fill in floor.order("BUY 0.1")["fills"]] == ["USDT"]  # type: ignore[attr-defined]


# --- refusing


@pytest.mark.parametrize(
    ("words", "symbol", "more", "code"),
    [
        ("BUY 1", SPOT, {}, codes.INSUFFICIENT),
        ("SELL 0.1", SPOT, {}, codes.INSUFFICIENT),
        ("BUY 3", PERP, {}, codes.INSUFFICIENT),
        ("BUY 0.000001", SPOT, {}, codes.FILTER),
        ("BUY 0.0001", SPOT, {}, codes.FILTER),
        ("BUY 0.1 at 39000.001", SPOT, {}, codes.FILTER),
        ("BUY 0.1 stop 41000.005", SPOT, {}, codes.FILTER),
        ("BUY 0", SPOT, {}, codes.FILTER),
        ("BUY NaN", SPOT, {}, codes.FILTER),
        ("BUY -1", SPOT, {}, codes.FILTER),
        ("BUY 1e-2", SPOT, {}, codes.FILTER),
        ("HOLD 0.1", SPOT, {}, codes.FILTER),
        ("BUY 0.1", "DOGE/USDT", {}, codes.FILTER),
        ("BUY 0.1", SPOT, {"timeInForce": "DAY"}, codes.FILTER),
        ("BUY 0.1", SPOT, {"reduceOnly": "perhaps"}, codes.FILTER),
        ("BUY 0.1", PERP, {"positionSide": "LONG"}, codes.FILTER),
        ("BUY 0.1", SPOT, {"clientOrderId": "what is this"}, codes.FILTER),
        ("BUY 0.1", PERP, {"reduceOnly": "true"}, codes.REDUCE_ONLY),
        ("BUY 0.1", SPOT, {"reduceOnly": "true"}, codes.REDUCE_ONLY),
        ("BUY 0.1", SPOT, {"timestamp": "1640995194999"}, codes.OUTSIDE_RECV_WINDOW),
        ("BUY 0.1", SPOT, {"timestamp": "1640995201001"}, codes.OUTSIDE_RECV_WINDOW),
        ("BUY 0.1", SPOT, {"timestamp": "1640995199000", "recvWindow": "999"}, codes.OUTSIDE_RECV_WINDOW),
        ("BUY 0.1", SPOT, {"timestamp": "1640995194000", "recvWindow": "60000"}, codes.OUTSIDE_RECV_WINDOW),
    ],
)
def test_an_order_is_refused_and_nothing_changes(
    floor: Floor, words: str, symbol: str, more: dict[str, str], code: int
) -> None:
    """What does not fit is refused with its code, and nothing of the account changes."""
    assert floor.no(words, symbol, **more) == code


def test_the_adapter_believes_what_the_exchange_documents() -> None:
    """The codes that our adapter takes for a no are those that the exchange documents as one, and no others."""
    assert set(errors.DEFINITIVE) == codes.DEFINITIVE


def test_nothing_is_taken_before_the_first_price() -> None:
    """A market without a price takes no order."""
    assert Floor().no("BUY 0.1") == codes.FILTER


def test_a_stranger_is_refused(floor: Floor) -> None:
    """Another key has no account, no stream, and learns nothing."""
    with pytest.raises(Refusal, match="-2015"):
        floor.exchange.call("stranger", "GET", "/account", {})
    with pytest.raises(Refusal, match="-2015"):
        floor.exchange.subscribe("stranger", lambda _message: None)
    with pytest.raises(Refusal, match="404"):
        floor.ask("GET", "/secrets")


@pytest.mark.parametrize(
    ("scope", "while_open", "after"),
    [
        (DedupeScope.FOREVER, codes.DUPLICATE_CLIENT_ID, codes.DUPLICATE_CLIENT_ID),
        (DedupeScope.OPEN, codes.DUPLICATE_CLIENT_ID, None),
        (DedupeScope.NONE, None, None),
    ],
)
def test_an_id_is_refused_for_as_long_as_the_venue_says(
    scope: DedupeScope, while_open: int | None, after: int | None
) -> None:
    """The same client order id again is a duplicate for ever, while the first is open, or another order."""
    floor = Floor(replace(KIND, dedupe=scope))
    floor.price(40_000)

    def again() -> int | None:
        try:
            floor.order("BUY 0.01 at 39000", clientOrderId="twice")
        except Refusal as refusal:
            return refusal.code
        return None

    assert again() is None
    assert again() == while_open
    for _ in range(2 if while_open is None else 1):
        floor.cancel("twice")
    assert again() == after
    taken = [while_open, after].count(None) + 1
    assert floor.exchange.truth(KEY).accepted["twice"] == taken


def test_a_venue_without_a_window_takes_what_comes_late() -> None:
    """A venue without a receive window takes an order however old its timestamp is."""
    floor = Floor(replace(KIND, recv_window_seconds=None))
    floor.price(40_000)
    assert floor.order("BUY 0.1", timestamp="1")["status"] == "FILLED"


def test_an_order_must_say_when_it_was_sent(floor: Floor) -> None:
    """Without a timestamp nothing is sold; questions need none."""
    params = {"symbol": SPOT, "side": "BUY", "type": "MARKET", "quantity": "0.1"}
    with pytest.raises(Refusal, match="-1021"):
        floor.exchange.call(KEY, "POST", "/order", params)
    assert floor.ask("GET", "/time")["timeUs"] == 1640995200000000


def test_money_that_waits_in_an_order_is_not_spent_twice(floor: Floor) -> None:
    """What an order waits with can neither be spent, nor sold, nor withdrawn; a cancel frees it."""
    order = floor.order("BUY 0.2 at 39000")
    assert floor.no("BUY 0.1") == codes.INSUFFICIENT
    assert floor.exchange.withdraw(KEY, "USDT", D(3000)) is None
    floor.cancel(order["clientOrderId"])
    floor.order("BUY 0.1")
    floor.order("SELL 0.06 at 50000")
    assert floor.no("SELL 0.05") == codes.INSUFFICIENT
    assert floor.exchange.withdraw(KEY, "BTC", D("0.05")) is None
    assert floor.exchange.withdraw(KEY, "BTC", D("0.04")) == "withdrawal: 0.04 BTC"


def test_what_a_wallet_no_longer_covers_ends_unfilled(floor: Floor) -> None:
    """A resting purchase whose money was lost elsewhere ends when its price comes."""
    floor.ask("POST", "/leverage", symbol=PERP, leverage="50")
    order = floor.order("BUY 0.2 at 39000")
    floor.order("BUY 1", PERP)
    floor.price(38_000, PERP)
    floor.price(38_500, SPOT)
    row = floor.ask("GET", "/order", orderId=str(order["orderId"]))
    assert (row["status"], row["filled"], row["reason"]) == ("EXPIRED", "0", "the balance no longer covers it")


# --- reducing, legs


def test_what_only_reduces_never_opens(floor: Floor) -> None:
    """A reduce-only order larger than the position closes it and ends; one that waits for too long ends, too."""
    floor.order("BUY 0.1", PERP)
    waiting = floor.order("SELL 0.1 at 41000", PERP, reduceOnly="true")
    told = floor.order("SELL 0.3", PERP, reduceOnly="true")
    assert (told["status"], told["filled"]) == ("EXPIRED", "0.1")
    floor.price(41_000)
    assert floor.ask("GET", "/order", orderId=str(waiting["orderId"]))["status"] == "EXPIRED"
    assert floor.positions() == {}


def test_a_venue_that_knows_no_reduce_only_refuses_the_flag() -> None:
    """Where reduce-only is not offered, asking for it is refused."""
    floor = Floor(replace(KIND, reduce_only=False))
    floor.price(40_000)
    floor.order("BUY 0.1", PERP)
    assert floor.no("SELL 0.1", PERP, reduceOnly="true") == codes.FILTER


def test_a_hedging_account_has_two_legs() -> None:
    """A long and a short lie beside each other; a leg is closed by its own orders, and never crossed."""
    floor = Floor(replace(KIND, hedging=True))
    floor.price(40_000)
    assert floor.no("BUY 0.1", PERP) == codes.FILTER
    floor.order("BUY 0.1", PERP, positionSide="LONG")
    floor.order("SELL 0.05", PERP, positionSide="SHORT")
    assert floor.positions() == {(PERP, "LONG"): D("0.1"), (PERP, "SHORT"): D("-0.05")}
    assert floor.no("SELL 0.2", PERP, positionSide="LONG") == codes.REDUCE_ONLY
    assert floor.no("BUY 0.1", SPOT, positionSide="LONG") == codes.FILTER
    floor.order("SELL 0.1", PERP, positionSide="LONG")
    floor.order("BUY 0.05", PERP, positionSide="SHORT")
    assert floor.positions() == {}
    floor.exchange.check()


# --- the stream


def test_the_stream_counts_without_a_gap_and_beats(floor: Floor) -> None:
    """Every message has the next number; heartbeats carry the last one and do not count."""
    floor.order("BUY 0.1")
    floor.wait(11)
    assert floor.kinds() == ["order", "fill", "order", "heartbeat", "heartbeat"]
    # The deposit was the first message; nobody listened yet.
    assert [message["n"] for message in floor.heard] == [2, 3, 4, 4, 4]


def test_a_stream_that_resumes_repeats_what_was_missed() -> None:
    """Who names a number hears everything behind it, in order, and then what is new."""
    floor = Floor(replace(KIND, resuming=Resuming.SINCE))
    floor.price(40_000)
    floor.stop()
    floor.order("BUY 0.1")
    heard: list[Message] = []
    floor.exchange.subscribe(KEY, heard.append, since=1)
    floor.order("BUY 0.1")
    assert [message["n"] for message in heard] == [2, 3, 4, 5, 6, 7]
    assert floor.heard == []


def test_a_stream_that_does_not_resume_begins_at_now(floor: Floor) -> None:
    """Elsewhere a number is of no use: what was missed is in the histories."""
    floor.order("BUY 0.1")
    heard: list[Message] = []
    stop = floor.exchange.subscribe(KEY, heard.append, since=0)
    assert heard == []
    stop()
    stop()
    floor.order("BUY 0.1")
    assert heard == []


def test_a_stream_is_cut_when_it_is_old() -> None:
    """The venue closes what was open for so long, and says so once."""
    floor = Floor(replace(KIND, cut_after_seconds=12.0))
    floor.wait(30)
    assert floor.kinds() == ["heartbeat", "heartbeat", "closed"]


def test_a_stream_need_not_repeat_what_the_answer_told() -> None:
    """The order and its fills were in the answer; what happens later is in the stream."""
    floor = Floor(replace(KIND, stream_repeats=False))
    floor.price(40_000)
    floor.order("BUY 0.1")
    order = floor.order("BUY 0.1 at 39000")
    assert floor.heard == []
    floor.price(39_000)
    assert floor.kinds() == ["fill", "order"]
    assert {message["orderId"] for message in floor.heard} == {order["orderId"]}


@pytest.mark.parametrize("repeats", [True, False])
def test_a_bare_answer_leaves_the_fills_to_the_stream(repeats: bool) -> None:
    """A bare answer says that the order was taken; the fills come by the stream in any case."""
    floor = Floor(replace(KIND, bare_answers=True, stream_repeats=repeats))
    floor.price(40_000)
    told = floor.order("BUY 0.1")
    assert (told["status"], told["filled"], "fills" in told) == ("NEW", "0", False)
    assert floor.kinds() == (["order"] if repeats else []) + ["fill", "order"]


# --- prices


def test_the_market_tells_its_prices(floor: Floor) -> None:
    """Prices are on the grid, a tick apart, until nobody listens."""
    heard: list[Message] = []
    stop = floor.exchange.subscribe_prices(heard.append)
    floor.price("40000.019", SPOT)
    stop()
    stop()
    floor.price(41_000)
    assert [(row["bid"], row["ask"], row["last"]) for row in heard] == [("40000.00", "40000.02", "40000.01")]


def test_equity_is_told_when_everything_has_a_price() -> None:
    """Coins count at the last price; while one has none, nobody says what the account is worth."""
    floor = Floor(deposits="USDT 10000 BTC 1")
    assert floor.ask("GET", "/account")["equity"] is None
    floor.price(40_000)
    floor.order("BUY 0.1", PERP)
    floor.price(41_000)
    equity = D(10_000) + 41_000 - D("4.00001") + D("0.1") * (41_000 - D("40000.1"))
    assert D(str(floor.ask("GET", "/account")["equity"])) == equity


def test_an_order_needs_no_id_of_its_own(floor: Floor) -> None:
    """Without a client order id an order is taken and known by the exchange's own id; one may follow another."""
    params = {"symbol": SPOT, "side": "BUY", "type": "MARKET", "quantity": "0.01", "timestamp": "1640995200000"}
    told = [floor.ask("POST", "/order", **params) for _ in range(2)]
    assert [(row["clientOrderId"], row["orderId"]) for row in told] == [(None, "1"), (None, "2")]
    assert floor.ask("GET", "/order", orderId="1")["status"] == "FILLED"
    assert not floor.exchange.truth(KEY).accepted


def test_accounts_do_not_touch_each_other() -> None:
    """What one trader does changes nothing of another's account, and is told to nobody else."""
    floor = Floor()
    floor.exchange.open("neighbour", {"USDT": D(50_000)})
    before = floor.exchange.truth("neighbour")
    heard: list[Message] = []
    floor.exchange.subscribe("neighbour", heard.append)
    floor.price(40_000)
    floor.order("BUY 0.1 at 39000")
    floor.price(39_000)
    assert floor.exchange.truth("neighbour") == before
    assert heard == []


def test_an_exchange_begins_at_its_own_clock() -> None:
    """The name is the personality's, the time is what was passed in."""
    exchange = Exchange(replace(KIND, name="deribit"), [LISTINGS[SPOT]], lambda: START, random.Random(1))
    assert exchange.name == "deribit"
