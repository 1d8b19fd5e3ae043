"""How freqtrade counts a trade: what is a fill, what a fee, what interest is charged for, and what is not yet told."""

from pathlib import Path

import pytest

from plimsoll.imports.freqtrade import FreqtradeStatement, open_freqtrade
from plimsoll.imports.statement import Complaint, Options, ToldLine
from plimsoll.imports.theirs import compare, net_of
from plimsoll.model.cash import CashKind
from plimsoll.model.order import Side
from tests.builders.ledger import D
from tests.imports.freqtrade_made import CLOSED, SINCE, MadeDatabase
from tests.imports.told_nets import positions_by_leg, told_of


@pytest.fixture
def made(tmp_path: Path) -> MadeDatabase:
    return MadeDatabase(tmp_path / "tradesv3.sqlite")


def opened(made: MadeDatabase) -> FreqtradeStatement:
    return open_freqtrade(made.path, Options())


def net(made: MadeDatabase) -> dict[str, object]:
    positions = positions_by_leg(told_of(opened(made).read()))
    return {leg: net_of(position, "USDT") for leg, position in positions.items()}


def amounts(made: MadeDatabase, kind: CashKind) -> list[tuple[str, object]]:
    return [(told.reference, told.amount) for told in told_of(opened(made).read()) if told.kind is kind]


def test_an_order_that_is_still_open_is_no_fill_however_much_of_it_was_filled(made: MadeDatabase) -> None:
    """It will change, and a later import tells it; a cancelled one that was filled in part is settled."""
    made.trade(1, is_open=1).order(1, "a", "buy", 30.0, 2.0).order(1, "b", "sell", 10.0, 2.2, ft_is_open=1)
    made.order(1, "c", "sell", 5.0, 2.2, status="canceled").order(1, "d", "sell", 0.0, 2.2).order(
        1, "e", "sell", 1, 2.2
    )
    made.change("UPDATE orders SET filled = NULL WHERE order_id = 'e'")
    told = told_of(opened(made).read())
    assert [each.reference for each in told] == [f"ft:1{SINCE}:a", f"ft:1{SINCE}:c"]
    assert positions_by_leg(told)[f"ft-1{SINCE}"].quantity == 25


def test_a_stop_on_the_exchange_is_an_exit(made: MadeDatabase) -> None:
    """Of a short it buys; its price may stand in one column only."""
    made.trade(1, is_short=1, close_profit_abs=-6.315).order(1, "a", "sell", 30.0, 2.0)
    made.order(1, "b", "stoploss", 30.0, 0.0, average=None, stop_price=2.2, order_filled_date=CLOSED)
    _, stop = told_of(opened(made).read())
    assert (stop.side, stop.price) == (Side.BUY, D("2.2"))
    assert net(made) == {f"ft-1{SINCE}": D("-6.315")}


def test_coins_that_the_exchange_took_as_its_fee_are_off_the_amount(made: MadeDatabase) -> None:
    """freqtrade counts the rate on what was left; so the net is its profit, and the coins are those that are there."""
    made.trade(1, close_profit_abs=0.958041, fee_open=0.001, fee_close=0.001, fee_open_currency="ADA")
    made.order(1, "a", "buy", 10.0, 2.0, ft_fee_base=0.01).order(1, "b", "sell", 9.99, 2.1, order_filled_date=CLOSED)
    entry, _ = told_of(opened(made).read())
    assert (entry.quantity, entry.fee, entry.fee_asset) == (D("9.99"), D("0.01998"), "USDT")
    assert entry.note == "entry; the exchange took 0.01 coins as its fee"
    # 9.99 × 2.1 × 0.999 − 9.99 × 2 × 1.001
    assert net(made) == {f"ft-1{SINCE}": D("0.958041")}


def test_a_fee_in_another_coin_is_counted_in_quote_and_its_coin_is_kept(made: MadeDatabase) -> None:
    """As freqtrade counts it; which coin it was stands in the note."""
    made.round_trip(1, fee_open_currency="BNB", fee_close_currency="USDT", enter_tag="dip", exit_reason="roi")
    entry, exit_ = told_of(opened(made).read())
    assert (entry.note, entry.fee_asset) == ("entry dip; the exchange took its fee in BNB", "USDT")
    assert exit_.note == "exit roi"


def test_only_the_last_exit_of_a_closed_trade_has_the_reason_of_the_trade(made: MadeDatabase) -> None:
    """What freqtrade writes over later would make the next import contradict this one."""
    made.trade(1, is_open=1, exit_reason="partial_exit").order(1, "a", "buy", 30.0, 2.0)
    made.order(1, "b", "sell", 10.0, 2.2).order(1, "c", "sell", 10.0, 2.2, ft_order_tag="half")
    before = told_of(opened(made).read())
    assert [told.note for told in before] == ["entry", "exit", "exit half"]
    made.change("UPDATE trades SET is_open = 0, exit_reason = 'stop_loss', close_profit_abs = 1.0")
    made.order(1, "d", "sell", 10.0, 2.1, order_filled_date=CLOSED)
    after = told_of(opened(made).read())
    assert after[:3] == before
    assert after[3].note == "exit stop_loss"


def test_funding_stands_where_its_order_was_filled_and_the_rest_where_the_trade_was_closed(made: MadeDatabase) -> None:
    """An older freqtrade kept one sum; dust of adding up floats is nobody's payment."""
    futures = {"trading_mode": "FUTURES", "pair": "ADA/USDT:USDT"}
    made.round_trip(1, funding_fees=-0.75, **futures).round_trip(2, funding_fees=0.1 + 0.2, **futures)
    made.round_trip(3, funding_fees=1.5, is_open=1, **futures).round_trip(4, funding_fees=1.5)
    made.change("UPDATE orders SET funding_fee = -0.5 WHERE order_id = '1-buy'")
    made.change("UPDATE orders SET funding_fee = 0.1 WHERE order_id = '2-buy'")
    made.change("UPDATE orders SET funding_fee = 0.2 WHERE order_id IN ('2-sell', '4-sell')")
    assert amounts(made, CashKind.FUNDING) == [
        *((f"ft:1{SINCE}:1-buy:funding", D("-0.5")), (f"ft:1{SINCE}:funding", D("-0.25"))),
        *((f"ft:2{SINCE}:2-buy:funding", D("0.1")), (f"ft:2{SINCE}:2-sell:funding", D("0.2"))),
    ]
    (rest,) = (told for told in told_of(opened(made).read()) if told.reference == f"ft:1{SINCE}:funding")
    assert (rest.at.minute, rest.lines, rest.symbol, rest.leg) == (10, (1,), "ADA/USDT:USDT", f"ft-1{SINCE}")
    assert net(made)[f"ft-1{SINCE}"] == D("4.935")


def test_funding_of_a_trade_of_which_nothing_was_filled_is_named_and_not_told(made: MadeDatabase) -> None:
    """There is no position that it could be of; the trades beside it are told."""
    futures = {"trading_mode": "FUTURES", "pair": "ADA/USDT:USDT"}
    made.trade(7, funding_fees=0.5, **futures).order(7, "a", "buy", 0.0, 2.0, status="canceled").round_trip(8)
    complaint, *told = opened(made).read()
    assert isinstance(complaint, Complaint)
    assert (complaint.line, complaint.column, complaint.value) == (7, "funding_fees", "0.5")
    assert "in freqtrade's trade 7" in complaint.remedy
    assert [line.told.leg for line in told if isinstance(line, ToldLine)] == [f"ft-8{SINCE}", f"ft-8{SINCE}"]


@pytest.mark.parametrize(
    ("exchange", "until", "interest"),
    [
        # 40 USDT of 60 are borrowed; the rate is 0.0005 of it.
        ("binance", "2024-03-05 12:00:00", "0"),  # not even an hour was begun
        ("binance", "2024-03-05 13:00:00", "0.000833333333333333"),
        ("binance", "2024-03-05 13:00:01", "0.001666666666666667"),
        ("ftx", "2024-03-06 12:00:00", "0.02"),
        ("kraken", "2024-03-05 12:00:00", "0.02"),
        ("kraken", "2024-03-05 16:00:00", "0.04"),
        ("kraken", "2024-03-05 16:00:01", "0.06"),
    ],
)
def test_interest_is_charged_for_every_period_that_was_begun(
    made: MadeDatabase, exchange: str, until: str, interest: str
) -> None:
    """Hours of a daily rate at binance, opening and four hours each at kraken."""
    made.round_trip(
        1, exchange=exchange, trading_mode="MARGIN", leverage=3.0, interest_rate=0.0005, close_date=f"{until}.000000"
    )
    owed = D(interest)
    assert amounts(made, CashKind.INTEREST) == ([(f"ft:1{SINCE}:1-sell:interest", -owed)] if owed else [])
    assert net(made) == {f"ft-1{SINCE}": D("5.685") - owed}


def test_nothing_borrowed_and_nothing_closed_pay_no_interest(made: MadeDatabase) -> None:
    """A long without leverage borrows nothing; what an open trade owes is told when it is closed."""
    made.round_trip(1, trading_mode="MARGIN", interest_rate=0.0005)
    made.round_trip(2, trading_mode="MARGIN", interest_rate=0.0005, is_short=1, is_open=1)
    made.round_trip(3, interest_rate=0.0005, leverage=3.0).round_trip(4, trading_mode="MARGIN", leverage=3.0)
    assert amounts(made, CashKind.INTEREST) == []


def test_the_size_of_a_contract_changes_nothing(made: MadeDatabase) -> None:
    """freqtrade turns contracts into coins before it stores them."""
    made.round_trip(1, trading_mode="FUTURES", pair="ADA/USDT:USDT", contract_size=10.0)
    assert {told.multiplier for told in told_of(opened(made).read())} == {D(1)}
    assert net(made) == {f"ft-1{SINCE}": D("5.685")}


def test_a_short_that_is_enlarged_and_closed_in_parts_makes_what_freqtrade_says(made: MadeDatabase) -> None:
    """Every part was rounded to eight places, and so much apart the two may be."""
    made.trade(1, is_short=1, close_profit_abs=11.1185, leverage=5.0, trading_mode="FUTURES", pair="ADA/USDT:USDT")
    made.order(1, "a", "sell", 10.0, 2.0).order(1, "b", "sell", 20.0, 2.1)
    for name, filled, price in (("c", 7.0, 1.9), ("d", 11.0, 1.7), ("e", 12.0, 1.55)):
        made.order(1, name, "buy", filled, price, order_filled_date=CLOSED)
    # 62 − 50.6 = 11.4, less a quarter of a percent of 62 and of 50.6
    assert net(made) == {f"ft-1{SINCE}": D("11.1185")}
    (theirs,) = opened(made).theirs()
    assert theirs.tolerance == D("0.000000015")


def test_a_closed_trade_without_any_fill_made_nothing(made: MadeDatabase) -> None:
    """If freqtrade says otherwise, it is named."""
    made.trade(1, close_profit_abs=0.0).order(1, "a", "buy", 0.0, 2.0).trade(2).order(2, "b", "buy", 0.0, 2.0)
    made.trade(3, is_short=1).order(3, "c", "sell", 3.0, 2.0)
    statement = opened(made)
    positions = positions_by_leg(told_of(statement.read()))
    ours = {leg: net_of(position, "USDT") for leg, position in positions.items()}
    report = compare(statement.theirs(), ours, 1, statement.sha256)
    assert [profit.ours for profit in report.profits] == [D(0), D(0), D("-0.015")]
    assert [str(flagged.profit.id) + ": " + flagged.why for flagged in report.flagged] == [
        "2: the stored profit is 5.685 above what its own fills make; none of its orders was filled",
        "3: the stored profit is 5.7 above what its own fills make; its orders leave 3 ADA not bought back",
    ]
