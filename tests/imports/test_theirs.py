"""Their profits beside ours: the same to the eighth place, or named with both numbers and a reason."""

from plimsoll.imports.theirs import Theirs, compare
from tests.builders.ledger import D


def test_a_difference_of_one_in_the_eighth_place_is_none_and_of_more_is_named() -> None:
    """The stored number is shown as it is; neither side is corrected."""
    theirs = [Theirs(1, D("1.00000001"), False, "a"), Theirs(2, D("0.99999998"), False, "b", "as it says")]
    report = compare(theirs, {"a": D(1), "b": D(1)}, 4, "00")
    assert [profit.ours for profit in report.profits] == [D(1), D(1)]
    assert [flagged.as_json() for flagged in report.flagged] == [
        {
            "id": 2,
            "theirs": "0.99999998",
            "ours": "1",
            "why": "the stored profit is 0.00000002 below what its own fills make; as it says",
        }
    ]


def test_open_trades_are_not_compared_and_a_missing_number_contradicts_nothing() -> None:
    """Unknown is None, never zero."""
    report = compare([Theirs("x", None, True, "a"), Theirs("y", None, False, "b")], {"a": D(5), "b": D(5)}, 0, "00")
    assert [profit.as_json() for profit in report.profits] == [{"id": "y", "theirs": None, "ours": "5"}]
    assert report.flagged == ()


def test_a_difference_without_a_note_is_told_without_one() -> None:
    """A leg that no position has made nothing."""
    (flagged,) = compare([Theirs(1, D(2), False, "a")], {}, 0, "00").flagged
    assert flagged.why == "the stored profit is 2 above what its own fills make"


def test_who_rounded_often_may_be_off_by_as_many_halves_of_a_last_place() -> None:
    """Each part of a trade that was closed was rounded to eight places."""
    assert [Theirs(1, None, False, "a", roundings=times).tolerance for times in (1, 2, 3, 10)] == [
        *(D("0.00000001"), D("0.00000001")),
        *(D("0.000000015"), D("0.00000005")),
    ]
