"""The plain form: every column, every kind, and every way to write it wrong."""

import random
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.imports.reading import NotReadable, Options, open_statement
from plimsoll.imports.statement import COMPLAINT_LIMIT
from plimsoll.model.cash import EVENT_KINDS, CashKind
from plimsoll.model.order import Side
from tests.builders.statements import Read, facts_of, read, written

D = Decimal
HEADER = "time,symbol,side,quantity,price,fee,fee_asset,trade_id,order_id,kind"
FILL = "2022-01-21T10:05:00Z,BTC/USDT,buy,0.5,38000.10,0.0005,BTC,17,9001,"


def plain(folder: Path, *lines: str, header: str = HEADER, options: Options | None = None) -> Read:
    return read(written(folder, "\n".join([header, *lines])), options)


def test_a_fill_is_told_as_it_is_written(tmp_path: Path) -> None:
    found = plain(tmp_path, FILL)
    [told] = found.told
    assert (found.format, found.complaints, found.raws) == ("plain", [], [FILL])
    assert (told.lines, told.kind, told.at) == ((2,), CashKind.TRADE, datetime(2022, 1, 21, 10, 5, tzinfo=UTC))
    assert (told.symbol, told.side, told.quantity, told.price) == ("BTC/USDT", Side.BUY, D("0.5"), D("38000.1"))
    assert (told.fee, told.fee_asset, told.reference, told.order_id) == (D("0.0005"), "BTC", "17", "9001")
    assert (told.sequence, told.multiplier, told.inverse, told.triggered_by) == (17, D(1), False, "import")
    assert (told.strategy, told.leg, told.realized, told.venue, told.note) == ("", "", None, "", "")


def test_columns_stand_in_any_order_and_case_and_may_be_missing(tmp_path: Path) -> None:
    header = "PRICE, Quantity ,Side,symbol,TIME"
    [told] = plain(tmp_path, "38000.10, 0.5 , BUY ,btc-usdt,2022-01-21 10:05:00", header=header).told
    assert (told.symbol, told.side, told.quantity, told.price) == ("BTC/USDT", Side.BUY, D("0.5"), D("38000.1"))
    assert (told.fee, told.fee_asset, told.sequence, len(told.reference)) == (D(0), "", 0, 32)


def test_every_column_that_may_be_there_is_told(tmp_path: Path) -> None:
    header = f"{HEADER},multiplier,inverse,strategy,triggered_by,leg,realized,note,sequence,venue"
    line = "2022-01-21T10:05:00Z,BTC/USD:BTC,s,100,38000,-0.1,,x,,fill,10,yes,grid,bot:7,a,-0.5,hedge,4,bybit"
    [told] = plain(tmp_path, line, header=header).told
    assert (told.symbol, told.side, told.multiplier, told.inverse) == ("BTC/USD:BTC", Side.SELL, D(10), True)
    # A rebate is a fee below zero; without a word about its asset it is in what the instrument pays in.
    assert (told.fee, told.fee_asset, told.realized, told.sequence) == (D("-0.1"), "BTC", D("-0.5"), 4)
    assert (told.strategy, told.triggered_by, told.leg, told.note, told.venue) == (
        *("grid", "bot:7", "a", "hedge", "bybit"),
    )


@pytest.mark.parametrize(
    ("symbol", "multiplier", "inverse", "expected"),
    [
        ("BTC/USDT", "", "", ("BTC/USDT", D(1), False)),
        ("BTC/USDT", "1", "false", ("BTC/USDT", D(1), False)),
        ("BTC/USDT", "0.01", "", ("BTC/USDT:USDT", D("0.01"), False)),
        ("BTC/USD", "100", "true", ("BTC/USD:BTC", D(100), True)),
        ("BTC/USD:BTC", "", "", ("BTC/USD:BTC", D(1), True)),
        ("BTC/USD:BTC", "", "no", ("BTC/USD:BTC", D(1), False)),
        ("BTC/USD:USD", "50", "", ("BTC/USD:USD", D(50), False)),
        ("BRK-B/USD", "", "", ("BRK-B/USD", D(1), False)),
    ],
)
def test_a_multiplier_or_inverse_makes_a_derivative(
    tmp_path: Path, symbol: str, multiplier: str, inverse: str, expected: tuple[str, Decimal, bool]
) -> None:
    line = f"2022-01-21T10:05:00Z,{symbol},buy,1,10,,,1,,,{multiplier},{inverse}"
    [told] = plain(tmp_path, line, header=f"{HEADER},multiplier,inverse").told
    assert (told.symbol, told.multiplier, told.inverse) == expected


def test_a_symbol_of_one_word_is_priced_in_the_currency_that_is_named(tmp_path: Path) -> None:
    line = "2022-01-21T10:05:00Z,AAPL,buy,3,160,1,,5,,"
    assert plain(tmp_path, line).sentences == [
        "line 2, column symbol: 'AAPL': write it BASE/QUOTE, such as BTC/USDT, or say what it is priced in (--currency)"
    ]
    [told] = plain(tmp_path, line, options=Options(currency="usd")).told
    assert (told.symbol, told.fee_asset) == ("AAPL/USD", "USD")


# --- movements


@pytest.mark.parametrize(
    ("line", "kind", "asset", "amount"),
    [
        ("USDT,,1000,,,,d1,,deposit", CashKind.DEPOSIT, "USDT", 1000),
        ("USDT,,-1000,,,,d1,,Deposit", CashKind.DEPOSIT, "USDT", 1000),
        ("USDT,,5,,,,w1,,withdrawal", CashKind.WITHDRAWAL, "USDT", -5),
        ("USDT,,-5,,,,w1,,WITHDRAWAL", CashKind.WITHDRAWAL, "USDT", -5),
        ("usdt,,7,,,,b1,,borrow", CashKind.BORROW, "USDT", 7),
        ("USDT,,7,,,,r1,,repay", CashKind.REPAY, "USDT", -7),
        ("USDT,,-7,,,,t1,,transfer", CashKind.TRANSFER, "USDT", -7),
        (",,-7,,,USDT,i1,,interest", CashKind.INTEREST, "USDT", -7),
        ("USDT,,2,,,,f1,,fee", CashKind.ADJUSTMENT, "USDT", -2),
    ],
)
def test_money_moves_the_way_its_kind_says(tmp_path: Path, line: str, kind: CashKind, asset: str, amount: int) -> None:
    [told] = plain(tmp_path, f"2022-01-21T10:05:00Z,{line}").told
    assert (told.kind, told.asset, told.amount, told.symbol, told.pocket) == (kind, asset, D(amount), "", "spot")


@pytest.mark.parametrize("word", sorted(kind.value.lower() for kind in EVENT_KINDS - {CashKind.SPLIT}))
def test_every_kind_of_movement_can_be_written(tmp_path: Path, word: str) -> None:
    header = "time,symbol,asset,quantity,kind,note,pocket"
    [told] = plain(tmp_path, f"1642759500,,USD,3,{word},why,Futures", header=header).told
    assert (told.kind.value.lower(), told.asset, told.note, told.pocket) == (word, "USD", "why", "futures")


def test_funding_belongs_to_its_position_and_is_paid_in_its_cash(tmp_path: Path) -> None:
    [told] = plain(tmp_path, "2022-01-21T08:00:00Z,BTC/USDT:USDT,,-1.25,,,,f1,,funding").told
    assert (told.kind, told.symbol, told.asset, told.amount) == (CashKind.FUNDING, "BTC/USDT:USDT", "USDT", D("-1.25"))


def test_a_dividend_of_one_word_belongs_to_it_where_the_asset_is_named_beside_it(tmp_path: Path) -> None:
    header = "time,symbol,asset,quantity,kind"
    usd = Options(currency="USD")
    [told] = plain(tmp_path, "2022-02-10T00:00:00Z,AAPL,USD,12.5,dividend", header=header, options=usd).told
    assert (told.symbol, told.asset, told.amount) == ("AAPL/USD", "USD", D("12.5"))


@pytest.mark.parametrize(
    ("rest", "asset", "symbol", "cost"),
    [
        ("BTC/EUR,,2,30000,,", "BTC", "BTC/EUR", D(60000)),
        ("BTC/EUR,,2,,60000.5,", "BTC", "BTC/EUR", D("60000.5")),
        ("BTC/EUR,,2,,,", "BTC", "BTC/EUR", None),
        ("BTC/EUR,,2,,,EUR", "EUR", "", None),
    ],
)
def test_coins_that_are_put_in_are_those_of_their_symbol_with_their_cost_or_none(
    tmp_path: Path, rest: str, asset: str, symbol: str, cost: Decimal | None
) -> None:
    header = "time,symbol,side,quantity,price,cost,asset,kind"
    [told] = plain(tmp_path, f"2022-01-21T08:00:00Z,{rest},deposit", header=header).told
    assert (told.asset, told.symbol, told.amount, told.cost) == (asset, symbol, D(2), cost)


def test_a_split_says_how_many_become_of_how_many(tmp_path: Path) -> None:
    header = "time,symbol,quantity,per,kind"
    [told] = plain(tmp_path, "2022-06-06,AMZN/USD,20,1,split", header=header).told
    assert (told.kind, told.symbol, told.quantity, told.per) == (CashKind.SPLIT, "AMZN/USD", D(20), D(1))
    assert plain(tmp_path, "2022-06-06,AMZN/USD,20,,split", header=header).sentences == [
        "line 2, column per: '': a split says how many (quantity) become of how many (per), as 2 per 1"
    ]


# --- what a movement cost, and what a line has no use for


@pytest.mark.parametrize(
    ("line", "moved", "fee"),
    [
        ("BTC,,1,,0.0005,,w1,,withdrawal", ("BTC", "", "-1"), ("BTC", "", "-0.0005")),
        ("USDT,,1000,,2,BNB,d1,,deposit", ("USDT", "", "1000"), ("BNB", "", "-2")),
        ("USDT,,1000,,-2,,d1,,deposit", ("USDT", "", "1000"), ("USDT", "", "2")),
        ("BTC/EUR,,1,30000,0.001,BTC,d1,,deposit", ("BTC", "BTC/EUR", "1"), ("BTC", "", "-0.001")),
        ("A/USDT:USDT,,-5,,0.1,,f1,,funding", ("USDT", "A/USDT:USDT", "-5"), ("USDT", "A/USDT:USDT", "-0.1")),
        # The asset beside a fee is the fee's, and not what the funding was paid in.
        ("A/USDT:USDT,,-5,,0.1,BNB,f1,,funding", ("USDT", "A/USDT:USDT", "-5"), ("BNB", "A/USDT:USDT", "-0.1")),
    ],
)
def test_the_fee_of_a_movement_is_a_movement_of_its_own(
    tmp_path: Path, line: str, moved: tuple[str, str, str], fee: tuple[str, str, str]
) -> None:
    found = plain(tmp_path, f"2022-01-21T10:05:00Z,{line}")
    told, paid = found.told
    assert (told.asset, told.symbol, told.amount) == (moved[0], moved[1], D(moved[2]))
    assert (paid.asset, paid.symbol, paid.amount, paid.cost) == (fee[0], fee[1], D(fee[2]), None)
    assert (paid.kind, paid.reference) == (CashKind.ADJUSTMENT, f"{told.reference}:fee")
    assert (paid.note, paid.lines, found.raws[0]) == (f"fee of {told.kind.value.lower()}", told.lines, found.raws[1])


def test_a_fee_of_nothing_is_none_and_two_that_differ_are_two_lines(tmp_path: Path) -> None:
    [told] = plain(tmp_path, "2022-01-21,,,-7,,0,USDT,i1,,interest").told
    assert (told.asset, told.amount) == ("USDT", D(-7))
    lines = [f"2022-01-21,USDT,,-7,,{fee},,,,withdrawal" for fee in (1, 2)]
    names = {told.reference for told in plain(tmp_path, *lines).told}
    assert names == {told.reference for told in plain(tmp_path, *reversed(lines)).told}
    assert (len(names), any(name.endswith("-2") for name in names)) == (4, False)


USELESS = "a line of kind {} has no use for this"


@pytest.mark.parametrize(
    ("cells", "column", "remedy"),
    [
        ({"symbol": "USDT", "kind": "deposit", "side": "sell"}, "side", USELESS.format("deposit")),
        ({"symbol": "USDT", "kind": "withdrawal", "price": "3"}, "price", USELESS.format("withdrawal")),
        ({"symbol": "BTC/EUR", "kind": "withdrawal", "cost": "3"}, "cost", "only a deposit of coins has one"),
        ({"symbol": "BTC", "kind": "deposit", "price": "3"}, "price", "whose symbol is BASE/QUOTE"),
        ({"symbol": "A/B", "kind": "funding", "price": "3"}, "price", USELESS.format("funding")),
        ({"symbol": "A/B", "kind": "funding", "realized": "3"}, "realized", USELESS.format("funding")),
        ({"symbol": "USDT", "kind": "deposit", "per": "1"}, "per", USELESS.format("deposit")),
        ({"symbol": "USDT", "kind": "fee", "fee": "1"}, "fee", "a fee is the quantity of its line"),
        ({"symbol": "A/B", "kind": "deposit", "fee": "1"}, "fee_asset", "say whether the fee was paid in A or in B"),
        ({"symbol": "A/B", "kind": "deposit", "price": "3", "cost": "5"}, "cost", "quantity by price is 6; leave one"),
        ({"fee": "1", "fee_asset": "USDT", "kind": "deposit"}, "asset", "name the asset that moved"),
        ({"symbol": "A/B", "kind": "split", "per": "1", "side": "buy"}, "side", USELESS.format("split")),
        ({"symbol": "A/B", "kind": "split", "per": "1", "price": "2"}, "price", USELESS.format("split")),
        ({"symbol": "A/B", "kind": "split", "per": "1", "fee": "2"}, "fee", USELESS.format("split")),
        ({"symbol": "A/B", "side": "buy", "price": "2", "per": "1"}, "per", USELESS.format("fill")),
        ({"symbol": "A/B", "side": "buy", "price": "2", "cost": "1"}, "cost", USELESS.format("fill")),
        ({"symbol": "A/B", "side": "buy", "price": "2", "asset": "A"}, "asset", USELESS.format("fill")),
    ],
)
def test_a_cell_that_its_kind_has_no_use_for_is_refused_by_its_column(
    tmp_path: Path, cells: dict[str, str], column: str, remedy: str
) -> None:
    names = "symbol,side,price,fee,fee_asset,kind,asset,cost,per,realized"
    line = ",".join(cells.get(name, "") for name in names.split(","))
    found = plain(tmp_path, f"2022-01-21,2,{line}", header=f"time,quantity,{names}")
    assert (found.told, [complaint.column for complaint in found.complaints]) == ([], [column])
    assert remedy in found.complaints[0].remedy


def test_noughts_where_programs_write_them_say_nothing(tmp_path: Path) -> None:
    header = "time,symbol,quantity,price,fee,cost,per,realized,kind,side"
    found = plain(
        tmp_path,
        "2022-01-21,USDT,5,0,0.00,0,0,-0.0,withdrawal,",
        "2022-01-21,A/B,2,4,0,0,0,0,,buy",
        "2022-01-21,A/B,2,0,0,0,1,0,split,",
        "2022-01-21,A/B,2,4,0,8,,,deposit,",
        header=header,
    )
    assert (found.sentences, [told.cost for told in found.told]) == ([], [None, None, None, D(8)])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_what_is_bought_stands_before_what_is_sold_at_the_same_moment_without_ids(tmp_path: Path, size: int) -> None:
    lines = [f"2022-01-21,A/B,{side},{size},10,,,,," for side in ("sell", "buy")]
    lines += [f"2022-01-21,A,,{size},,,,,,{kind}" for kind in ("withdrawal", "deposit")]
    told = sorted(plain(tmp_path, *lines).told, key=lambda told: told.order)
    assert [each.sequence for each in told] == [0, 0, 1, 1]
    assert {each.side for each in told[2:]} == {Side.SELL, None}
    # An id or a sequence says it better.
    lines = ["2022-01-21,A/B,sell,1,10,,,7,,", "2022-01-21,A/B,sell,1,10,,,x,,"]
    assert [each.sequence for each in plain(tmp_path, *lines).told] == [7, 0]


# --- what names a line that has no id


def test_lines_without_ids_are_named_by_what_they_say_and_twins_are_counted(tmp_path: Path) -> None:
    one = "2022-01-21T10:05:00Z,BTC/USDT,buy,0.5,38000,,,,,"
    same = "2022-01-21T11:05:00+01:00,btc/usdt,B,0.50,38000.0,0,,,,trade"
    other = "2022-01-21T10:05:00Z,BTC/USDT,buy,0.5,38001,,,,,"
    found = plain(tmp_path, one, other, same, same)
    names = [told.reference for told in found.told]
    assert (names[2], names[3]) == (f"{names[0]}-2", f"{names[0]}-3")
    assert len(set(names)) == 4
    again = plain(tmp_path, same, one, other, one)
    assert sorted(facts_of(told) for told in again.told) == sorted(facts_of(told) for told in found.told)


def test_a_longer_export_names_the_same_lines_the_same(tmp_path: Path) -> None:
    lines = [f"2022-01-21T10:05:{second:02}Z,BTC/USDT,buy,0.5,{38000 + second % 3},,,,," for second in range(40)]
    shorter = {told.key for told in plain(tmp_path, *lines[:20]).told}
    random.Random(3).shuffle(lines)
    assert shorter < {told.key for told in plain(tmp_path, *lines).told}


# --- what is wrong


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("yesterday,A/B,buy,1,2,,,,,", "line 2, column time: 'yesterday': write it as 2022-01-21T10:05:00Z"),
        ("5/1/2022 14:00,A/B,buy,1,2,,,,,", "line 2, column time: '5/1/2022 14:00': this may be either day"),
        ("2022-02-30T00:00:00Z,A/B,buy,1,2,,,,,", "line 2, column time: '2022-02-30T00:00:00Z': write it as"),
        ("2022-01-21,A/B,hold,1,2,,,,,", "line 2, column side: 'hold': write buy or sell"),
        ("2022-01-21,A/B,buy,abc,2,,,,,", "line 2, column quantity: 'abc': write a plain decimal number"),
        ('2022-01-21,A/B,buy,"1,5",2,,,,,', "line 2, column quantity: '1,5': write a plain decimal number"),
        ("2022-01-21,A/B,buy,NaN,2,,,,,", "line 2, column quantity: 'NaN': write a plain decimal number"),
        ("2022-01-21,A/B,buy,1,inf,,,,,", "line 2, column price: 'inf': write a plain decimal number"),
        ("2022-01-21,A/B,buy,,2,,,,,", "line 2, column quantity: '': write a plain decimal number"),
        (
            "2022-01-21,A/B,buy,1e-19,2,,,,,",
            "line 2, column quantity: '0.0000000000000000001': use at most 18 decimal places",
        ),
        (
            "2022-01-21,A/B,buy,1,1e30,,,,,",
            "line 2, column price: '1000000000000000000000000000000': use at most 20 digits before the point",
        ),
        ("2022-01-21,A/B,buy,1,1e999,,,,,", "line 2, column price: '1e999': write a plain decimal number"),
        ("2022-01-21,A/B,buy,-1,2,,,,,", "line 2, column quantity: '-1': a fill has a quantity above 0"),
        ("2022-01-21,A/B,buy,1,0,,,,,", "line 2, column price: '0': a fill has a price above 0"),
        ("2022-01-21,A/B,buy,1,2,x,,,,", "line 2, column fee: 'x': write a plain decimal number"),
        ("2022-01-21,A/B,buy,1,2,1,B C,,,", "line 2, column fee_asset: 'B C': name an asset"),
        ("2022-01-21,A/A,buy,1,2,,,,,", "line 2, column symbol: 'A/A': a pair is of two assets"),
        ("2022-01-21,/B,buy,1,2,,,,,", "line 2, column symbol: '/B': write it BASE/QUOTE"),
        ("2022-01-21,A/B:,buy,1,2,,,,,", "line 2, column symbol: '': name an asset"),
        ("2022-01-21,A,,1,2,,,,,gift", "line 2, column kind: 'gift': leave it empty for a fill, or write fee,"),
        ("2022-01-21,A,,0,,,,,,deposit", "line 2, column quantity: '0': a movement names its asset, and an amount"),
        ("2022-01-21,,,1,,,,,,deposit", "line 2, column asset: '': name the asset that moved"),
        (
            "2022-01-21,A/B,buy,1,2",
            "line 2: '2022-01-21,A/B,buy,1,2': 5 cells where the header has 10; was the file cut",
        ),
        ("2022-01-21,A/B,buy,1,234.5,1,,,,,", "11 cells where the header has 10; put quotes around a value"),
    ],
)
def test_what_is_wrong_is_told_by_line_column_value_and_remedy(tmp_path: Path, line: str, sentence: str) -> None:
    found = plain(tmp_path, line)
    assert found.told == []
    assert sentence in found.sentences[0]


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("inverse", "maybe", "column inverse: 'maybe': write true or false"),
        ("multiplier", "0", "column multiplier: '0': give a multiplier above 0"),
        ("sequence", "-1", "column sequence: '-1': write a whole number of at most 18 digits"),
        ("sequence", "1" * 19, "write a whole number of at most 18 digits"),
        ("note", "\x07", "column note: '\\x07': use printable characters"),
        ("strategy", '"a\nb"', "use printable characters"),
    ],
)
def test_the_further_columns_are_checked_as_well(tmp_path: Path, column: str, value: str, sentence: str) -> None:
    found = plain(tmp_path, f"{FILL},{value}", header=f"{HEADER},{column}")
    assert (found.told, len(found.complaints)) == ([], 1)
    assert sentence in found.sentences[0]


def test_an_id_of_bare_control_characters_is_refused_even_with_a_quoted_line_end_beside_it(tmp_path: Path) -> None:
    found = plain(tmp_path, FILL + ',"first\tsecond"', header=f"{HEADER},note")
    assert found.sentences == ["line 2, column note: 'first\\tsecond': use printable characters"]


def test_all_that_is_wrong_is_told_at_once_and_the_rest_with_it(tmp_path: Path) -> None:
    found = plain(
        tmp_path, FILL, FILL.replace("0.5,", "x,"), "", FILL.replace(",17,", ",18,"), FILL.replace("buy", "?")
    )
    assert [complaint.line for complaint in found.complaints] == [3, 6]
    assert [told.lines for told in found.told] == [(2,), (5,)]


def test_reading_stops_after_a_thousand_complaints(tmp_path: Path) -> None:
    found = plain(tmp_path, *[FILL.replace("buy", "?")] * (COMPLAINT_LIMIT + 5), FILL)
    assert (len(found.complaints), found.told) == (COMPLAINT_LIMIT, [])


def test_a_column_that_nobody_knows_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="nobody knows the column 'fees'; leave it out, or name it as one of time, "):
        plain(tmp_path, FILL + ",1", header=f"{HEADER},fees")


def test_a_zone_is_that_of_times_which_name_none(tmp_path: Path) -> None:
    lines = ["2022-01-21T10:05:00,A/B,buy,1,2,,,,,", "2022-01-21T10:05:00Z,A/B,buy,1,2,,,,,"]
    found = plain(tmp_path, *lines, options=Options(zone="America/New_York"))
    assert [told.at.hour for told in found.told] == [15, 10]


def test_a_file_that_is_written_to_while_it_is_read_is_no_statement(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEADER}\n{FILL}\n")
    statement = open_statement(path, Options())
    with path.open("a") as file:
        file.write(FILL.replace(",17,", ",18,") + "\n")
    *_, last = statement.read()
    assert str(last) == f"the file: '{path.name}': the file was written to while it was read; import it again"


def test_what_programs_write_beside_money_says_nothing(tmp_path: Path) -> None:
    """A price of 1, noughts, an adjustment without a reason; what a contract pays is of its own pocket."""
    (told,) = plain(tmp_path, "2022-01-21,USDT,,1000,1.0,0,,,,deposit").told
    assert told.amount == 1000
    assert told.cost is None
    (told,) = plain(tmp_path, "2022-01-21,USDT,,-3,,,,,,adjustment").told
    assert told.note == "the statement says so"
    (told,) = plain(tmp_path, "2022-01-21,BTC/USDT:USDT,,-3,,,,,,funding").told
    assert (told.pocket, told.symbol) == ("futures", "BTC/USDT:USDT")
