"""Exact numbers: what is refused at the door, what text they become, and the only place that rounds."""

import decimal
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model import money
from plimsoll.model.errors import Illegal
from plimsoll.model.money import Money, decimal_text, parse_decimal, settle, settle_product, settle_quotient

D = Decimal
TIE = D("0.0000000000000000005")  # half of the last place
LAST = D("0.000000000000000001")

GOOD = [
    ("0", "0"),
    ("-0", "0"),
    ("-0.00", "0"),
    ("1.50", "1.5"),
    ("100", "100"),
    ("-42.000", "-42"),
    ("007", "7"),
    ("0.000000000000000001", "0.000000000000000001"),
    ("1.0000000000000000000000", "1"),  # zeros beyond the last place are no digits
    ("99999999999999999999.999999999999999999", "99999999999999999999.999999999999999999"),
    ("-99999999999999999999", "-99999999999999999999"),
]


@pytest.mark.parametrize(("text", "canonical"), GOOD)
def test_a_plain_number_is_read_and_written_canonically(text: str, canonical: str) -> None:
    """What passes the door has one text, whatever zeros it came with."""
    assert decimal_text(parse_decimal(text, "price")) == canonical


BAD: list[object] = [
    *("", " ", "1 ", " 1", "1\n", "+1", ".5", "5.", "1e-7", "1E5", "NaN", "sNaN", "Infinity", "-inf", "0x10"),
    *("1,000", "1_000", "--1", "1.2.3", "null", "١٢", "٣", "1.٣", "１", "²"),
    *(None, 1, 1.5, True, D("1.5"), b"1", ["1"]),
    "100000000000000000000",  # 21 digits before the point
    "-100000000000000000000",
    "0.0000000000000000001",  # 19 places
    "1.0000000000000000001",
    "1." + "0" * 60 + "1",  # more digits than the context holds: rounding it first would hide the last one
    "9" * 65,
    "0." + "1" * 65,
]


@pytest.mark.parametrize("offered", BAD, ids=repr)
def test_anything_else_is_refused_by_name(offered: object) -> None:
    """The door names the field and keeps what was offered."""
    with pytest.raises(Illegal, match="price") as refused:
        parse_decimal(offered, "price")
    assert refused.value.field == "price"
    assert refused.value.refusal().code == "illegal_price"


@pytest.mark.parametrize("value", [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity"), D("1E+20"), D("1E-19")], ids=str)
def test_a_decimal_that_does_not_fit_the_books_is_refused(value: Decimal) -> None:
    """A Decimal made elsewhere passes the same door."""
    with pytest.raises(Illegal, match="fee"):
        money.check_digits(value, "fee")


@pytest.mark.parametrize("value", [D("0E+50"), D("0E-50"), D("1E+19"), D("1E-18"), D("10E-19"), D("-5")], ids=str)
def test_the_door_counts_digits_not_the_way_they_are_written(value: Decimal) -> None:
    """An exponent is no offence as long as the number itself fits."""
    assert money.check_digits(value, "fee") is value


#: Everything that fits NUMERIC(38, 18), from one unit in the last place to 20 digits before the point.
fitting = st.integers(-(10**38) + 1, 10**38 - 1).map(lambda units: D(units).scaleb(-18))


@given(fitting)
def test_text_gives_the_number_back(value: Decimal) -> None:
    """Nothing is lost between a number and its text, from 1e-18 to just below 1e20."""
    text = decimal_text(value)
    assert parse_decimal(text, "amount") == value
    assert decimal_text(parse_decimal(text, "amount")) == text
    assert "E" not in text
    assert text != "-0"
    assert not ("." in text and text.endswith(("0", ".")))


@given(fitting, st.integers(0, 12))
def test_equal_numbers_are_equal_text(value: Decimal, zeros: int) -> None:
    """Trailing zeros and exponents do not show."""
    assert decimal_text(value.normalize()) == decimal_text(value)
    assert decimal_text(value * D(1).scaleb(-zeros) * 10**zeros) == decimal_text(value)


@pytest.mark.parametrize(
    ("value", "settled"),
    [
        (TIE, D(0)),
        (3 * TIE, 2 * LAST),
        (5 * TIE, 2 * LAST),
        (-TIE, D(0)),
        (-3 * TIE, -2 * LAST),
        (TIE + D("1E-40"), LAST),
        (3 * TIE - D("1E-40"), LAST),
        (D("1.5"), D("1.5")),
        (D("1E+19"), D("1E+19")),
        (D("12345678901234567890.1234567890123456785"), D("12345678901234567890.123456789012345678")),
    ],
)
def test_settling_rounds_half_to_even(value: Decimal, settled: Decimal) -> None:
    """The 18th place is rounded to the nearer, a tie to the even one."""
    assert settle(value) == settled


def test_what_cannot_be_settled_fails_instead_of_losing_digits() -> None:
    """A number too large for the context is an error, never a rounded one."""
    with pytest.raises(decimal.InvalidOperation):
        settle(D("1E+43"))


def nearest(exact: Fraction) -> Decimal:
    """Round as the rule says, in whole numbers only: another arithmetic than the one under test."""
    units = exact * 10**18
    return D(round(units)).scaleb(-18)  # `round` of a Fraction is half to even


amounts = st.integers(-(10**24), 10**24).map(lambda units: D(units).scaleb(-8))
units = st.integers(1, 10**24).map(lambda many: D(many).scaleb(-18))


@given(amounts, amounts, units)
def test_a_product_is_rounded_once(first: Decimal, second: Decimal, third: Decimal) -> None:
    """A product of three is the exact one, rounded at the end."""
    exact = Fraction(first) * Fraction(second) * Fraction(third)
    if abs(exact) < 10**20:
        assert settle_product(first, second, third) == nearest(exact)


def test_a_little_more_than_a_tie_is_no_tie() -> None:
    """A trace beyond the 60th digit still decides: rounding twice would see a tie and go to the even."""
    tie_and_a_trace = D("500000000000" + "0000000000000000005" + "0" * 19 + "." + "0" * 17 + "1")  # · 10^-38
    up = D("500000000000.000000000000000001")
    assert settle_quotient(tie_and_a_trace, D("1E+38")) == up
    assert settle_product(tie_and_a_trace, D("1E-38")) == up
    assert money.settle_share(tie_and_a_trace, D(1), D("1E+38")) == up


@given(amounts, units)
def test_a_quotient_is_the_nearest_one(numerator: Decimal, denominator: Decimal) -> None:
    """Division leaves less than half of the last place."""
    exact = Fraction(numerator) / Fraction(denominator)
    if abs(exact) < 10**20:
        assert settle_quotient(numerator, denominator) == nearest(exact)


def test_dividing_by_zero_is_an_error() -> None:
    """Unknown is not zero, and infinite is not a price."""
    with pytest.raises(decimal.DivisionByZero):
        settle_quotient(D(1), D(0))
    with pytest.raises(decimal.InvalidOperation):
        settle_quotient(D(0), D(0))


@given(amounts, units, units)
def test_a_share_and_its_rest_are_the_whole(whole: Decimal, one: Decimal, other: Decimal) -> None:
    """What a share leaves over stays with the rest; nothing is rounded away twice."""
    part, of = min(one, other), max(one, other)
    share = money.settle_share(whole, part, of)
    assert share == nearest(Fraction(whole) * Fraction(part) / Fraction(of))
    assert share + (whole - share) == whole
    assert abs(share) <= abs(whole)


def test_the_whole_share_is_the_whole_even_beyond_the_last_place() -> None:
    """All of it is all of it: a full close releases the cost itself, not a rounded copy."""
    assert money.settle_share(TIE, D(3), D(3)) == TIE


@pytest.mark.parametrize(
    ("value", "step", "down", "whole"),
    [
        ("1.2345", "0.001", "1.234", False),
        ("-1.2345", "0.001", "-1.234", False),
        ("1.234", "0.001", "1.234", True),
        ("0.0009", "0.001", "0", False),
        ("7", "5", "5", False),
        ("10", "2.5", "10", True),
    ],
)
def test_rounding_down_goes_towards_zero_in_whole_steps(value: str, step: str, down: str, whole: bool) -> None:
    """A size is never made larger than what was asked."""
    assert money.round_down(D(value), D(step)) == D(down)
    assert money.is_multiple(D(value), D(step)) is whole


def lose_a_digit() -> Decimal:
    """Do what exact arithmetic forbids."""
    return D(1) / D(3)


def compare_with_float() -> bool:
    """Do what the float trap forbids."""
    return D(1) < 0.5


def test_losing_a_digit_is_an_error_in_this_thread() -> None:
    """Outside `settle…` a division that does not come out even fails, and so does a float."""
    with pytest.raises(decimal.Inexact):
        lose_a_digit()
    with pytest.raises(decimal.FloatOperation):
        compare_with_float()
    with pytest.raises(decimal.FloatOperation):
        D(0.1)


def test_losing_a_digit_is_an_error_in_a_new_thread() -> None:
    """A thread started after installation inherits the traps without doing anything."""
    seen: list[BaseException] = []

    def work() -> None:
        for forbidden in (lose_a_digit, compare_with_float):
            try:
                forbidden()
            except ArithmeticError as trapped:
                seen.append(trapped)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [type(trapped) for trapped in seen] == [decimal.Inexact, decimal.FloatOperation]


def test_losing_a_digit_is_an_error_in_an_executor() -> None:
    """`run_in_executor` lands in such a thread."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        with pytest.raises(decimal.Inexact):
            executor.submit(lose_a_digit).result()
        assert executor.submit(lambda: decimal.getcontext().prec).result() == 60


def test_installing_twice_changes_nothing() -> None:
    """Each thread of ours may install; the second time is as the first."""
    before = decimal.getcontext().copy()
    money.install_exact_arithmetic()
    assert decimal.getcontext().traps == before.traps
    assert (decimal.getcontext().prec, decimal.DefaultContext.prec) == (60, 60)


def test_installing_repairs_a_thread_that_began_with_other_arithmetic() -> None:
    """A context that rounds silently is replaced, not amended."""
    with decimal.localcontext(decimal.Context(prec=5, traps=[])):
        assert lose_a_digit() == D("0.33333")
        money.install_exact_arithmetic()
        with pytest.raises(decimal.Inexact):
            lose_a_digit()


def test_money_adds_within_one_currency() -> None:
    """Amounts of one currency add up, and read aloud with their name."""
    five, three = Money(D("5.50"), "USDT"), Money(D(3), "USDT")
    assert five + three == Money(D("8.5"), "USDT")
    assert five - three == Money(D("2.5"), "USDT")
    assert -five == Money(D("-5.5"), "USDT")
    assert str(five) == "5.5 USDT"


def test_money_of_two_currencies_does_not_add() -> None:
    """Adding dollars to coins is a mistake, not a conversion."""
    with pytest.raises(Illegal, match="convert to USDT first"):
        Money(D(1), "USDT") + Money(D(1), "BTC")
    with pytest.raises(Illegal, match="convert to BTC first"):
        Money(D(1), "BTC") - Money(D(1), "USDT")


@pytest.mark.parametrize(
    ("amount", "currency", "field"), [(1.5, "USDT", "amount"), (D("NaN"), "USDT", "amount"), (D(1), "", "currency")]
)
def test_money_is_legal_on_construction(amount: Decimal, currency: str, field: str) -> None:
    """No float, no NaN, no nameless amount."""
    with pytest.raises(Illegal) as refused:
        Money(amount, currency)
    assert refused.value.field == field
