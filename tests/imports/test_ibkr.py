"""Interactive Brokers: nothing doubled, nothing dropped, and no contract taken for one piece."""

from collections.abc import Iterator
from decimal import Decimal, localcontext
from pathlib import Path

import pytest

from plimsoll.imports.reading import Options
from plimsoll.model.cash import CashKind
from plimsoll.model.money import EXACT
from plimsoll.model.order import Side
from tests.builders.statements import Read, read, written

D = Decimal
TRADES = (
    "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,"
    "Comm/Fee,Basis,Realized P/L,MTM P/L,Code"
)
OPTION = "Equity and Index Options,USD,AAPL 19JUN20 400 C"
ACTIONS = (
    "Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Value,"
    "Realized P/L,Code"
)
TRANSFERS = (
    "Transfers,Header,Asset Category,Currency,Symbol,Date,Type,Direction,Xfer Company,Xfer Account,Qty,Xfer Price,"
    "Market Value,Realized P/L,Cash Amount,Code"
)
FLEX = "CurrencyPrimary,Symbol,DateTime,Quantity,TradePrice,Buy/Sell,TradeID,AssetClass"


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    """Reckon as the program does, where rounding that nobody asked for is an error."""
    with localcontext(EXACT):
        yield


def activity(folder: Path, *lines: str) -> Read:
    return read(written(folder, "\n".join(["Statement,Header,Field Name,Field Value", *lines])), Options())


def trade(how: str, what: str, second: int, *numbers: str, code: str = "") -> str:
    quantity, price, proceeds = numbers
    at = f'"2020-06-10, 10:30:{second:02}"'
    return f'Trades,Data,{how},{what},{at},"{quantity}",{price},{price},"{proceeds}",-1,0,0,0,{code}'


def flex(folder: Path, header: str, *lines: str) -> Read:
    return read(written(folder, "\n".join([f"{FLEX}{header}", *lines])), Options())


# --- orders and their executions


def test_executions_are_told_instead_of_the_order_that_repeats_them(tmp_path: Path) -> None:
    found = activity(
        tmp_path,
        TRADES,
        trade("Order", "Stocks,USD,AAPL", 0, "10", "150.25", "-1502.5"),
        trade("Trade", "Stocks,USD,AAPL", 1, "6", "150.25", "-901.5"),
        trade("Trade", "Stocks,USD,AAPL", 2, "4", "150.25", "-601"),
        trade("ClosedLot", "Stocks,USD,AAPL", 2, "4", "150.25", "-601"),
        trade("Order", "Stocks,USD,VTI", 3, "1,700", "200", "-340,000"),
        "Trades,SubTotal,,Stocks,USD,AAPL,,10,,,-1502.5,-1,1503.5,0,0,",
        "Trades,Total,,Stocks,USD,,,,,,-1502.5,-1,1503.5,0,0,",
    )
    assert found.complaints == []
    assert [(told.symbol, told.quantity) for told in found.told] == [
        *(("AAPL/USD", D(6)), ("AAPL/USD", D(4)), ("VTI/USD", D(1700))),
    ]


def test_orders_of_more_than_was_executed_are_complained_about(tmp_path: Path) -> None:
    found = activity(
        tmp_path,
        TRADES,
        trade("Order", "Stocks,USD,AAPL", 0, "10", "150", "-1500"),
        trade("Trade", "Stocks,USD,AAPL", 1, "6", "150", "-900"),
    )
    assert [told.quantity for told in found.told] == [D(6)]
    assert found.sentences == [
        "line 3, column Quantity: '10': orders come to 10 and their executions to 6; ask for all of one of them"
    ]


def test_a_quantity_that_is_no_number_is_complained_about_once(tmp_path: Path) -> None:
    found = activity(tmp_path, TRADES, trade("Order", "Stocks,USD,AAPL", 0, "ten", "150", "-1500"))
    assert (found.told, [complaint.column for complaint in found.complaints]) == ([], ["Quantity"])


# --- what one contract stands for


@pytest.mark.parametrize(
    ("what", "numbers", "multiplier"),
    [
        (OPTION, ("1", "4", "-400"), D(100)),
        (OPTION, ("-2", "0.01", "2"), D(100)),
        ("Futures,USD,ESU0", ("1", "3000.25", "-150,012.5"), D(50)),
        ("Futures,USD,MBTF1", ("-3", "30000", "9000"), D("0.1")),
        ("CFDs,USD,IBUS500", ("2", "3000.5", "-6001"), D(1)),
        ("Warrants,EUR,DAX C", ("100", "1.5", "-1.5"), D("0.01")),
    ],
)
def test_a_multiplier_that_nobody_says_follows_from_the_proceeds(
    tmp_path: Path, what: str, numbers: tuple[str, ...], multiplier: Decimal
) -> None:
    found = activity(tmp_path, TRADES, trade("Order", what, 0, *numbers))
    assert (found.sentences, [told.multiplier for told in found.told]) == ([], [multiplier])


@pytest.mark.parametrize(
    ("quantity", "price", "proceeds"),
    [
        ("1", "3000", "-400"),  # no multiplier makes this
        ("1", "0.00333", "-0.33"),  # 99 makes it as well as 100
        ("1", "4", "400"),  # bought, and money came
        ("1", "4", ""),
        ("1", "4", "0"),
        ("1e-18", "1e-18", "-1"),
    ],
)
def test_a_contract_that_nothing_tells_the_size_of_is_refused(
    tmp_path: Path, quantity: str, price: str, proceeds: str
) -> None:
    found = activity(tmp_path, TRADES, trade("Order", "Futures,USD,ESU0", 0, quantity, price, proceeds))
    assert (found.told, [complaint.column for complaint in found.complaints]) == ([], ["multiplier"])
    assert "nothing says what one contract stands for; ask for a statement with the multiplier" in found.sentences[0]


def test_futures_have_a_notional_value_for_proceeds(tmp_path: Path) -> None:
    header = TRADES.replace("Proceeds", "Notional Value")
    found = activity(tmp_path, header, trade("Order", "Futures,USD,MESU6", 0, "1", "7644", "-38220"))
    assert [told.multiplier for told in found.told] == [D(5)]


def test_a_stock_of_the_same_name_says_nothing_about_the_contract(tmp_path: Path) -> None:
    found = activity(
        tmp_path,
        TRADES,
        trade("Order", "CFDs,USD,AAPL", 0, "1", "150", ""),
        trade("Order", "Futures,USD,CL", 0, "1", "40", "-40,000"),
        "Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Multiplier",
        "Financial Instrument Information,Data,Stocks,AAPL,APPLE INC,1,1",
        'Financial Instrument Information,Data,Futures,"CLF1, CL",CRUDE,1,"1,000"',
    )
    assert [(told.symbol, told.multiplier) for told in found.told] == [("CL/USD:USD", D(1000))]
    assert [(complaint.line, complaint.column) for complaint in found.complaints] == [(3, "multiplier")]


def test_proceeds_that_are_not_quantity_by_price_are_complained_about(tmp_path: Path) -> None:
    found = activity(
        tmp_path,
        TRADES,
        trade("Order", "Stocks,USD,AAPL", 0, "10", "150", "-1600"),
        trade("Order", "Stocks,USD,AAPL", 1, "10", "150.001", "-1500"),
        trade("Order", "Stocks,USD,AAPL", 2, "1000000", "150.0001", "-150,000,000"),
    )
    assert [told.lines for told in found.told] == [(4,), (5,)]
    assert found.sentences == [
        "line 3, column Proceeds: '-1600': quantity, price and a multiplier of 1 make -1500",
    ]


def test_more_than_anybody_has_is_a_complaint_and_no_crash(tmp_path: Path) -> None:
    much = "9" * 20
    found = activity(tmp_path, TRADES, trade("Order", "Futures,USD,ESU0", 0, much, much, "-1"))
    assert [complaint.column for complaint in found.complaints] == ["multiplier"]
    line = f"USD,ES,20220121;070000,{much},{much},BUY,7,FUT,{much}"
    assert flex(tmp_path, ",Multiplier", line).sentences == [
        f"line 2, column Quantity: '{much}': quantity by price is more than anybody's; is a column missing?"
    ]


def test_a_flex_query_without_multipliers_has_them_from_its_proceeds_or_is_refused(tmp_path: Path) -> None:
    sold = "USD,AAPL  230120C00150000,20220121;070000,-1,2.5,SELL,7,OPT"
    [told] = flex(tmp_path, ",Proceeds", f"{sold},250").told
    assert (told.multiplier, told.side) == (D(100), Side.SELL)
    found = flex(tmp_path, "", sold)
    assert (found.told, [complaint.column for complaint in found.complaints]) == ([], ["multiplier"])
    assert flex(tmp_path, ",Multiplier", f"{sold},0").sentences[0].startswith("line 2, column Multiplier: ''")
    wrong = flex(tmp_path, ",Multiplier,Proceeds", f"{sold},10,250")
    assert wrong.sentences == ["line 2, column Proceeds: '250': quantity, price and a multiplier of 10 make 25"]


# --- what ends at a price of 0


@pytest.mark.parametrize(
    ("code", "words"),
    [("C;Ep", "this expired, and no"), ("A;C", "this was assigned, and no"), ("Ex", "this was exercised"), ("", "no ")],
)
def test_an_option_that_ends_at_0_is_refused_with_a_way_to_write_it(tmp_path: Path, code: str, words: str) -> None:
    found = activity(tmp_path, TRADES, trade("Order", OPTION, 0, "-1", "0", "0", code=code))
    assert (found.told, found.complaints[0].column) == ([], "T. Price")
    assert found.complaints[0].remedy.startswith(words)
    assert "trade has a price of 0: leave the line out with --skip-bad-lines" in found.complaints[0].remedy
    header, line = ",Multiplier,Notes/Codes", f"USD,AAPL C,20220121;070000,-1,0,SELL,7,OPT,100,{code}"
    assert flex(tmp_path, header, line).complaints[0].remedy == found.complaints[0].remedy


def test_what_the_refusal_says_to_write_instead_comes_to_nothing_after_fees(tmp_path: Path) -> None:
    row = trade("Order", OPTION, 0, "-1", "0.01", "1", code="C;Ep")
    [told] = activity(tmp_path, TRADES, row).told
    assert told.quantity * told.price * told.multiplier - told.fee == 0


# --- sections that move pieces


def action(text: str, quantity: str = "30", rest: str = "0,0,0,", category: str = "Stocks") -> str:
    return f'Corporate Actions,Data,{category},USD,2020-08-31,"2020-08-28, 20:25:00","{text}",{quantity},{rest}'


def test_a_split_is_told_once_though_two_rows_may_say_it(tmp_path: Path) -> None:
    found = activity(
        tmp_path,
        ACTIONS,
        action("AAPL(US0378331005) Split 4 for 1 (AAPL, APPLE INC, US0378331005)"),
        action("GE(US3696041033) Split 1 for 8 (GE.OLD, GENERAL ELECTRIC CO, US3696041033)", "-80"),
        action("GE(US3696041033) Split 1 for 8 (GE, GENERAL ELECTRIC CO, US3696043013)", "10"),
        action("T(US1) split 3 for 2"),
        "Corporate Actions,Data,Total,,,,,,0,0,0,",
    )
    assert found.sentences == []
    assert [(told.kind, told.symbol, told.quantity, told.per) for told in found.told] == [
        (CashKind.SPLIT, "AAPL/USD", D(4), D(1)),
        (CashKind.SPLIT, "GE/USD", D(1), D(8)),
        (CashKind.SPLIT, "T/USD", D(3), D(2)),
    ]
    assert found.told[0].at.isoformat() == "2020-08-29T00:25:00+00:00"


@pytest.mark.parametrize(
    "row",
    [
        action("WBD(US9344231041) Spinoff  1 for 10 (VNT, VONTIER CORP, US92917K1043)"),
        action("AAPL(US0378331005) Split 4 for 1 (AAPL, APPLE INC, US0378331005)", rest="12.5,0,0,"),
        action("AAPL(US0378331005) Split 4 for 1 (AAPL, APPLE INC, US0378331005)", rest="0,0,3,"),
        action("AAPL(US0378331005) Split 4 for 1 (AAPL, APPLE INC, US0378331005)", rest="0,0,0,Ca"),
        action("AAPL(US0378331005) Split 4 for 1 (PEAR, PEAR INC, US0378331005)"),
        action("AAPL(US0378331005) Split 4 for 1 (AAPL C, APPLE, US1)", category="Equity and Index Options"),
    ],
)
def test_whatever_else_became_of_shares_is_complained_about(tmp_path: Path, row: str) -> None:
    found = activity(tmp_path, ACTIONS, row)
    assert (found.told, found.complaints[0].column) == ([], "Description")
    assert found.complaints[0].remedy == (
        "section 'Corporate Actions' is not read: write it in the plain form (--venue ibkr), and import"
        " without it with --skip-bad-lines"
    )


def test_pieces_that_came_from_elsewhere_are_complained_about(tmp_path: Path) -> None:
    found = activity(
        tmp_path,
        TRANSFERS,
        'Transfers,Data,Stocks,USD,MSFT,2020-01-02,ACATS,In,--,U1,50,--,"11,489.50",0,0,',
        "Transfers,Data,Total,,,,,,,,,,11489.5,0,0,",
        "Deposits & Withdrawals,Header,Currency,Symbol,Settle Date,Description,Quantity,Amount",
        "Deposits & Withdrawals,Data,USD,MSFT,2020-01-02,In kind,5,100",
        "Deposits & Withdrawals,Data,USD,,2020-01-02,Wire,,100",
        "Grant Activity,Header,Symbol,Report Date,Description,Award Date,Vesting Date,Quantity",
        "Grant Activity,Data,IBKR,2020-01-02,Award,2020-01-02,2021-01-02,3",
        "Codes,Header",
        "Codes,Data",
        "Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity",
        "Open Positions,Data,Summary,Stocks,USD,MSFT,50",
    )
    assert [(told.kind, told.amount) for told in found.told] == [(CashKind.DEPOSIT, D(100))]
    assert [(complaint.line, complaint.value) for complaint in found.complaints] == [
        *((3, "MSFT"), (6, "In kind"), (9, "Award")),
    ]
    assert "section 'Transfers' is not read" in found.sentences[0]


def test_a_purchase_stands_before_its_sale_of_the_same_moment(tmp_path: Path) -> None:
    found = activity(
        tmp_path,
        TRADES,
        trade("Order", "Stocks,USD,AAPL", 0, "-10", "151", "1510"),
        trade("Order", "Stocks,USD,AAPL", 0, "10", "150", "-1500"),
    )
    assert [told.side for told in sorted(found.told, key=lambda told: told.order)] == [Side.BUY, Side.SELL]
