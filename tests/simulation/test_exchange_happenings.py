"""What happens to an account at the simulated exchange without the desk: margin, funding, interest, busts, by hand."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.simulation.exchange import happenings
from tests.simulation.exchange.floor import KEY, PERP, SPOT, Floor
from tests.simulation.exchange.personality import KIND, Correcting, Personality
from tests.simulation.exchange.stream import Message

D = Decimal


def _ledger(floor: Floor) -> list[tuple[object, object, object]]:
    return [(row["type"], row["amount"], row["pocket"]) for row in floor.all_rows("/ledger")]


# --- liquidation


def test_a_liquidation_counted_by_hand() -> None:
    """Below its maintenance margin everything is closed at the mark, with fees; what is left stays."""
    floor = Floor(deposits="USDT 500")
    floor.price(40_000)
    floor.order("BUY 0.1", PERP)
    floor.order("BUY 0.001 at 39000", SPOT)
    # Bought at 40,000.1 with a fee of 4.00001: 495.99999 are left. At P the equity is 495.99999 + 0.1 P - 4000.01, and
    # 0.0005 P must back the position: it is liquidated below P = 35,216.18.
    floor.price("35216.2", PERP)
    assert floor.positions() == {(PERP, ""): D("0.1")}
    floor.price("35216.1", PERP)
    assert floor.positions() == {}
    assert floor.ask("GET", "/openOrders")["rows"] == []
    # -478.40 realised, 3.52161 as the fee, 17.60805 for the clearance: which takes no more than what is left.
    left = D("495.99999") - D("478.40") - D("3.52161")
    assert _ledger(floor)[1:] == [("LIQUIDATION", f"-{left}000", "futures")]
    assert floor.balance("USDT") == 0
    last = floor.all_rows("/fills")[-1]
    assert (last["madeBy"], last["price"], last["realized"]) == ("liquidation", "35216.1", "-478.40000000")
    assert str(last["clientOrderId"]).startswith("autoclose-")
    floor.exchange.check()


def test_below_zero_the_insurance_fund_pays() -> None:
    """A fall that no margin bears leaves nothing, and nothing is owed; coins are not touched."""
    floor = Floor(deposits="USDT 500 BTC 1")
    floor.price(40_000)
    floor.order("BUY 0.1", PERP)
    floor.price(30_000, PERP)
    # 495.99999 less a loss of 1,000.01 and a fee of 3.
    assert _ledger(floor)[2:] == [("LIQUIDATION", "507.01001000", "futures")]
    assert (floor.balance("USDT"), floor.balance("BTC")) == (D(0), D(1))
    assert floor.positions() == {}
    floor.exchange.check()


def test_a_short_is_liquidated_by_a_rise_and_every_position_with_it() -> None:
    """Margin is crossed: one loser takes the winners with him."""
    floor = Floor(symbols=(SPOT, PERP, "ETH/USDT:USDT"), deposits="USDT 500")
    floor.price(40_000, SPOT, PERP)
    floor.price(3_000, "ETH/USDT:USDT")
    floor.order("SELL 0.1", PERP)
    floor.order("BUY 0.2", "ETH/USDT:USDT")
    floor.price(44_800, PERP)
    assert floor.positions() == {}
    made_by = [row["madeBy"] for row in floor.all_rows("/fills")]
    assert made_by == [None, None, "liquidation", "liquidation"]
    floor.exchange.check()


def test_a_withdrawal_leaves_what_positions_need() -> None:
    """Margin, and losses that are not realised, cannot be withdrawn; nor can gains that are not."""
    floor = Floor(deposits="USDT 1000")
    floor.price(40_000)
    floor.order("BUY 0.1", PERP)
    floor.price(41_000)
    # 995.99999 less a tenth of 4,100; the gain of 100 stays where it is.
    assert floor.exchange.withdraw(KEY, "USDT", D("586")) is None
    floor.price(39_000)
    # 995.99999 less a loss of 100.01 and a tenth of 3,900.
    assert floor.exchange.withdraw(KEY, "USDT", D("505.99")) is None
    assert floor.exchange.withdraw(KEY, "USDT", D("505.98")) == "withdrawal: 505.98 USDT"
    floor.exchange.check()


# --- funding and interest


@pytest.mark.parametrize(("words", "rate", "paid"), [
    ("BUY 0.1", "0.0001", "-0.40000000"),
    ("SELL 0.1", "0.0001", "0.40000000"),
    ("BUY 0.1", "-0.0001", "0.40000000"),
    ("SELL 0.1", "-0.0001", "-0.40000000"),
])  # fmt: skip
def test_longs_pay_shorts_when_the_rate_is_above_zero(words: str, rate: str, paid: str) -> None:
    """Funding is the position's value at the mark times the rate; longs pay it, shorts receive it."""
    floor = Floor()
    floor.price(40_000)
    floor.order(words, PERP)
    house = floor.exchange._house
    happenings.pay_funding(house, house.accounts[KEY], (PERP, ""), D(rate))
    happenings.pay_funding(house, house.accounts[KEY], (SPOT, ""), D(rate))
    assert _ledger(floor)[1:] == [("FUNDING", paid, "futures")]
    assert floor.all_rows("/ledger")[1]["symbol"] == PERP
    floor.exchange.check()


def test_funding_comes_by_the_clock() -> None:
    """Every so often each perpetual pays once, and nothing else does."""
    floor = Floor(replace(KIND, funding_seconds=60.0))
    floor.price(40_000)
    floor.order("BUY 0.1", SPOT)
    floor.order("BUY 0.1", PERP)
    floor.wait(185)
    assert [kind for kind, _, _ in _ledger(floor)[1:]] == ["FUNDING"] * 3
    assert floor.kinds().count("ledger") == 3
    floor.exchange.check()


def test_interest_is_paid_on_what_is_owed() -> None:
    """A wallet below zero costs interest every so often, from the pocket of coins; one above costs nothing."""
    floor = Floor(replace(KIND, interest_seconds=60.0), deposits="USDT 500")
    floor.price(40_000)
    floor.order("BUY 0.1", PERP)
    floor.wait(61)
    assert len(_ledger(floor)) == 1
    floor.price(60_000, PERP)
    house = floor.exchange._house
    happenings.pay_funding(house, house.accounts[KEY], (PERP, ""), D("0.2"))
    owed = -floor.balance("USDT")
    assert owed == D("704.00001")
    floor.wait(60)
    assert _ledger(floor)[2:] == [("INTEREST", "-0.01408000", "spot")]
    floor.exchange.check()


# --- busts and corrections


def _bought(floor: Floor) -> None:
    floor.order("BUY 0.1", SPOT)


def _flipped(floor: Floor) -> None:
    floor.order("BUY 0.1", PERP)
    floor.price(41_000)
    floor.order("SELL 0.15", PERP)


@pytest.mark.parametrize("correcting", Correcting)
@pytest.mark.parametrize("trade", [_bought, _flipped])
def test_a_bust_restores_everything(correcting: Correcting, trade: Callable[[Floor], None]) -> None:
    """After busts of all fills balances and positions are what they were before them, to the last digit."""
    floor = Floor(replace(KIND, correcting=correcting))
    floor.price(40_000)
    before = (floor.balances(), floor.positions())
    trade(floor)
    fills = len(floor.all_rows("/fills"))
    for _ in range(fills):
        told = floor.exchange.bust_last(KEY)
        assert told is not None
        assert told.startswith("bust: ")
        floor.exchange.check()
    assert floor.exchange.bust_last(KEY) is None
    after = ({wallet: total for wallet, total in floor.balances().items() if total}, floor.positions())
    assert after == before
    assert not any(fill.counts for fill in floor.exchange.truth(KEY).fills)
    assert {order.status for order in floor.exchange.truth(KEY).orders} == {"CANCELED"}


def test_a_bust_is_told_by_revision() -> None:
    """The same trade id again, one revision higher, at the original's time and with a number of its own."""
    floor = Floor()
    floor.price(40_000)
    floor.order("BUY 0.1", PERP)
    floor.wait(10)
    floor.exchange.bust_last(KEY)
    fill, bust = floor.all_rows("/fills")
    assert (bust["tradeId"], bust["revision"], bust["effect"]) == (fill["tradeId"], 1, "BUST")
    assert (bust["timeUs"], bust["seq"]) == (fill["timeUs"], 3)
    assert int(str(bust["time"])) - int(str(fill["time"])) == 10_000
    same = ("symbol", "side", "quantity", "price", "fee", "feeAsset", "realized", "orderId")
    assert [bust[name] for name in same] == [fill[name] for name in same]
    assert floor.kinds()[-2:] == ["fill", "order"]


def test_a_bust_is_told_by_a_message_of_its_own() -> None:
    """The message names the trade and repeats it; it has no trade id, no revision and no effect."""
    floor = Floor(replace(KIND, correcting=Correcting.BUST_MESSAGE))
    floor.price(40_000)
    floor.order("BUY 0.1")
    floor.exchange.bust_last(KEY)
    fill, bust = floor.all_rows("/fills")
    assert bust["bust"] == fill["tradeId"]
    assert not {"tradeId", "revision", "effect"} & set(bust)
    assert {name: bust[name] for name in ("quantity", "price", "fee")} == {
        name: fill[name] for name in ("quantity", "price", "fee")
    }
    assert floor.kinds()[-2:] == ["bust", "order"]


@pytest.mark.parametrize("correcting", Correcting)
def test_a_correction_counts_instead_of_its_fill(correcting: Correcting) -> None:
    """What was told otherwise counts: by revision under the same id, or as a bust and a trade of another id."""
    floor = Floor(replace(KIND, correcting=correcting))
    floor.price(40_000)
    floor.order("BUY 0.1")
    for _ in range(5):
        assert str(floor.exchange.correct_last(KEY)).startswith("correction: BUY")
        floor.exchange.check()
    rows = floor.all_rows("/fills")
    if correcting is Correcting.REVISION:
        assert [(row["tradeId"], row["revision"], row["effect"]) for row in rows] == [
            ("1", 0, None), *(("1", revision, "CORRECT") for revision in range(1, 6)),
        ]  # fmt: skip
    else:
        assert [(row.get("bust"), row.get("tradeId")) for row in rows] == [
            (None, "1"), *(pair for number in range(1, 6) for pair in ((str(number), None), (None, str(number + 1)))),
        ]  # fmt: skip
        assert {row["revision"] for row in rows if "bust" not in row} == {0}
    (counts,) = floor.exchange.truth(KEY).effective
    assert floor.balance("BTC") == counts.quantity
    assert floor.balance("USDT") == 10_000 - counts.quantity * counts.price - counts.fee
    (order,) = floor.exchange.truth(KEY).orders
    assert (order.filled, order.status) == (counts.quantity, "CANCELED" if counts.quantity < D("0.1") else "FILLED")


def test_a_bust_gives_a_waiting_order_back_what_it_had_filled() -> None:
    """The last part of an order that still waits is taken back: it waits for that again."""
    floor = Floor(replace(KIND, partial_ratio=1.0), seed=3)
    floor.price(40_000)
    told = floor.order("BUY 0.1 at 40000.01")
    assert told["status"] == "PARTIALLY_FILLED"
    floor.exchange.bust_last(KEY)
    row = floor.ask("GET", "/order", orderId=str(told["orderId"]))
    assert (row["status"], row["filled"]) == ("NEW", "0")
    for _ in range(60):
        floor.price(40_000)
    assert floor.balance("BTC") == D("0.1")
    floor.exchange.check()


def test_coins_that_are_gone_are_not_taken_back() -> None:
    """A purchase whose coins were withdrawn stays; so does what the venue itself did."""
    floor = Floor(deposits="USDT 500")
    floor.price(40_000)
    floor.order("BUY 0.01")
    floor.exchange.withdraw(KEY, "BTC", D("0.01"))
    floor.order("SELL 0.01", PERP)
    floor.price(60_000, PERP)
    before = floor.exchange.truth(KEY)
    assert before.fills[-1].made_by == "liquidation"
    assert floor.exchange.bust_last(KEY) is None
    assert floor.exchange.correct_last(KEY) is None
    assert floor.exchange.truth(KEY) == before


# --- the others


def test_the_venue_closes_a_winner() -> None:
    """A winner is closed at the mark, a half or all of it; a loser is not."""
    for seed in range(8):
        floor = Floor(seed=seed)
        floor.price(40_000)
        floor.order("BUY 0.1", PERP)
        floor.order("BUY 0.01", SPOT)
        floor.price(39_000)
        assert floor.exchange.deleverage(KEY) is None
        floor.price(41_000)
        told = floor.exchange.deleverage(KEY)
        last = floor.all_rows("/fills")[-1]
        assert told == f"ADL: {last['quantity']} of {PERP} closed"
        assert (last["madeBy"], last["price"], last["side"]) == ("adl", "41000.0", "SELL")
        assert floor.positions() in ({}, {(PERP, ""): D("0.05")})
        floor.exchange.check()


@pytest.mark.parametrize("venue", [KIND, replace(KIND, hedging=True)])
def test_somebody_trades_by_hand(venue: Personality) -> None:
    """It is an order of nobody's desk, on either side, and within what the account can pay."""
    names: set[bool] = set()
    for seed in range(30):
        floor = Floor(venue, seed=seed, deposits="USDT 200")
        assert floor.exchange.trade_by_hand(KEY) is None, "there is no price yet"
        floor.price(40_000)
        told = floor.exchange.trade_by_hand(KEY)
        truth = floor.exchange.truth(KEY)
        assert (told is None) == (not truth.orders)
        names |= {order.client_order_id is None for order in truth.orders}
        floor.exchange.check()
    assert names == {True, False}


def test_who_has_nothing_cannot_trade_by_hand() -> None:
    """An empty account does nothing by hand."""
    floor = Floor(deposits="USDT 1")
    floor.price(40_000)
    assert all(floor.exchange.trade_by_hand(KEY) is None for _ in range(20))
    assert floor.exchange.truth(KEY).orders == ()


def test_money_comes_and_goes() -> None:
    """Deposits and withdrawals are movements of the coins' pocket, told by ledger and stream."""
    floor = Floor()
    assert floor.exchange.deposit(KEY, "BTC", D("0.5")) == "deposit: 0.5 BTC"
    assert floor.exchange.withdraw(KEY, "USDT", D(1)) == "withdrawal: 1 USDT"
    assert floor.exchange.withdraw(KEY, "BTC", D(1)) is None
    assert _ledger(floor) == [
        ("DEPOSIT", "10000", "spot"), ("DEPOSIT", "0.5", "spot"), ("WITHDRAWAL", "-1", "spot"),
    ]  # fmt: skip
    told: list[Message] = floor.heard
    assert [(message["e"], message["type"], message["n"]) for message in told] == [
        ("ledger", "DEPOSIT", 2), ("ledger", "WITHDRAWAL", 3),
    ]  # fmt: skip
