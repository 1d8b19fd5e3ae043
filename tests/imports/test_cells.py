"""Numbers, times, assets and pairs as statements write them."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.imports.cells import (
    asset,
    digits_or_zero,
    grouped_number,
    moment,
    number,
    number_and_unit,
    order_shown,
    price_of,
    priced_in,
    printable,
    split_pair,
)
from plimsoll.imports.statement import Complaint, zone_named
from plimsoll.model.errors import Illegal
from plimsoll.model.money import decimal_text

D = Decimal
NOON = datetime(2022, 1, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1", "1"), ("-1.50", "-1.5"), ("+2", "2"), ("5.", "5"), (".5", "0.5"), ("007", "7")),
        *(("1e-05", "0.00001"), ("1.5E3", "1500"), ("2.0e+2", "200"), ("0e-30", "0"), ("-0", "0")),
        ("1.100000000000000000000", "1.1"),
    ],
)
def test_a_number_is_what_is_written(text: str, value: str) -> None:
    assert decimal_text(number(text, "price")) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "1 ", "1,5", "1_000", "NaN", "-inf", "0x10", "1e", "e5", "--1", "1.2.3", "٣", "1e-19", "1e20"),
        *("123456789012345678901", "0.0000000000000000001", "1e99999999", "1e-999", "9" * 70),
    ],
)
def test_what_is_no_amount_is_refused_by_its_column(text: str) -> None:
    with pytest.raises(Illegal) as refused:
        number(text, "price")
    assert refused.value.field == "price"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**19), max_value=10**19, places=18))
def test_every_number_that_the_book_takes_comes_through_exactly_in_both_notations(value: Decimal) -> None:
    assert number(decimal_text(value), "price") == value == number(f"{value:E}", "price")


def test_thousands_are_set_apart_only_where_a_format_does_so() -> None:
    assert grouped_number("-1,234,567.89", "amount") == D("-1234567.89")
    assert grouped_number("12.5", "amount") == D("12.5")
    for wrong in ("1,23", "1,2345", "1,5", ",123", "1.234,5"):
        with pytest.raises(Illegal, match="write a plain decimal number"):
            grouped_number(wrong, "amount")


def test_an_amount_with_its_asset_behind_it() -> None:
    assert number_and_unit("1,000.5 USDT", "amount") == (D("1000.5"), "USDT")
    assert number_and_unit("0.1bnb", "amount") == (D("0.1"), "BNB")
    for wrong in ("USDT", "5", "5 US DT"):
        with pytest.raises(Illegal):
            number_and_unit(wrong, "amount")


def test_a_price_is_what_was_paid_by_what_it_bought() -> None:
    assert price_of(D("-1"), D(3), "amount") == D("0.333333333333333333")
    with pytest.raises(Illegal, match="a quantity that is not 0"):
        price_of(D(1), D(0), "amount")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2022-01-21T12:00:00Z",
            "2022-01-21T12:00:00.000000Z",
            "2022-01-21 12:00:00+00:00",
            "2022-01-21T13:00:00+01:00",
        ),
        *("2022-01-21 12:00:00", "2022-01-21 12:00", "2022-01-21 12:00:00 UTC", "2022-01-21 04:00:00-0800"),
        *("2022-01-21 04:00:00 -0800", "2022-01-21 13:00:00 +01", "2022.01.21 12:00:00", "2022/1/21 12:00:00"),
        *(
            "20220121;120000",
            "20220121 120000",
            "20220121,120000",
            "2022-01-21, 12:00:00",
            "2022-01-21 12:00:00.0000000",
        ),
        *("1642766400", "1642766400.000", "1642766400000", "1642766400000000", "1/21/2022 12:00", "21/1/2022 12:00:00"),
    ],
)
def test_a_time_is_the_same_moment_however_it_is_written(text: str) -> None:
    assert moment(text, "time") == NOON
    assert moment(text, "time").tzinfo is UTC


def test_parts_of_a_second_are_kept_to_the_millionth() -> None:
    assert moment("2022-01-21T12:00:00.123456789Z", "time").microsecond == 123456
    assert moment("2022-01-21 12:00:00.1234", "time").microsecond == 123400
    assert moment("1642766400.5", "time").microsecond == 500000
    assert moment("1642766400000.25", "time").microsecond == 250


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "12:00", "2022-01", "2022-02-30", "2022-01-21T25:00:00Z", "2022-01-21T12:00:00+99:99", "1642"),
        *(
            "2022121",
            "22-01-21",
            "2022-01/21",
            "32/13/2022",
            "13/13/2022 10:00",
            "0001-01-01T00:00:00+12:00",
        ),
        *("9999-12-31T23:59:59-12:00", "2022-01-21T12:00:00 +99", "2022-01-21T12:00:00Zulu", "1.5e9", "-1642766400"),
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Illegal, match="time = "):
        moment(text, "time")


def test_a_day_that_may_be_two_is_refused_until_somebody_says_which() -> None:
    with pytest.raises(Illegal, match="this may be either day; say --dates mdy or --dates dmy"):
        moment("5/1/2022 14:00", "time")
    assert moment("5/1/2022 14:00", "time", dates="mdy").month == 5
    assert moment("5/1/2022 14:00", "time", dates="dmy").month == 1
    assert moment("5/5/2022", "time") == datetime(2022, 5, 5, tzinfo=UTC)
    assert (order_shown(["5/1/2022", "5/13/2022"]), order_shown(["13/5/2022"]), order_shown(["x", "5/1/2022"])) == (
        *("mdy", "dmy", None),
    )


def test_an_hour_that_happens_twice_is_taken_the_first_time() -> None:
    zone = zone_named("America/New_York")
    assert moment("2022-11-06 01:30:00", "time", zone) == datetime(2022, 11, 6, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("BTCUSDT", ("BTC", "USDT")), ("BTCTUSD", ("BTC", "TUSD")), ("ethbtc", ("ETH", "BTC"))),
        *(("A_B", ("A", "B")), ("A-B", ("A", "B")), ("A/B", ("A", "B")), ("USDCUSDT", ("USDC", "USDT"))),
    ],
)
def test_a_pair_is_read_in_one_word_or_two(text: str, expected: tuple[str, str]) -> None:
    assert split_pair(text, "pair") == expected


@pytest.mark.parametrize("text", ["", "USDT", "FOOBAR", "A B", "/USDT", "BTC-"])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(Illegal):
        split_pair(text, "pair")


def test_of_two_assets_one_is_the_price() -> None:
    pairs = [("BTC", "USD"), ("USD", "EUR"), ("USDT", "USD"), ("ETH", "BTC"), ("BTC", "USDC"), ("JPY", "EUR")]
    assert [priced_in(one, other) for one, other in pairs] == ["USD", "USD", "USD", "BTC", "USDC", "JPY"]
    assert [priced_in(other, one) for one, other in pairs] == ["USD", "USD", "USD", "BTC", "USDC", "JPY"]
    assert priced_in("FOO", "BAR") == "BAR"


@pytest.mark.parametrize("read", [asset, printable])
def test_what_a_page_cannot_show_is_no_word(read: Callable[[str, str], str]) -> None:
    with pytest.raises(Illegal):
        read("BT\x1bC", "asset")
    with pytest.raises(Illegal):
        read("x" * 1001, "asset")


def test_an_id_orders_what_happened_at_once_only_where_it_is_a_number() -> None:
    assert [digits_or_zero(text) for text in ("17", "", "a1", "9" * 18, "9" * 19, "-1", "٣")] == [
        17,
        0,
        0,
        10**18 - 1,
        0,
        0,
        0,
    ]


def test_a_complaint_is_one_short_printable_sentence() -> None:
    assert str(Complaint(7, "price", "abc", "write a number")) == "line 7, column price: 'abc': write a number"
    assert str(Complaint(0, "", "\x1b[2J" + "x" * 500, "no")) == "the file: '\\x1b[2J" + "x" * 76 + "…': no"
