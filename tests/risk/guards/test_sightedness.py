"""People hear of blindness that lasts, and of its end only if they heard of its beginning."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from plimsoll.risk.guards.sightedness import TELL_AFTER_SECONDS, Sightedness, Word, looked


def told(looks: str | Sequence[tuple[float, bool]]) -> list[tuple[float, Word]]:
    """Look once a second, `#` being blind, or at these times; give what people were told and when."""
    if isinstance(looks, str):
        looks = [(float(second), one == "#") for second, one in enumerate(looks)]
    sight = Sightedness()
    said: list[tuple[float, Word]] = []
    for at, blind in looks:
        sight, word = looked(sight, at, blind=blind)
        if word is not Word.NOTHING:
            said.append((at, word))
    return said


def test_a_short_doubt_is_told_to_nobody() -> None:
    """C13: not its beginning, and so not its end."""
    assert told("." + "#" * 10 + "." * 60) == []


def test_blindness_is_told_once_when_it_has_lasted_and_once_when_it_is_over() -> None:
    assert told("." + "#" * 40 + "." * 60) == [(11, Word.BLIND), (51, Word.SEES_AGAIN)]


def test_what_is_blind_from_the_first_look_on_is_told_too() -> None:
    assert told("#" * 30) == [(10, Word.BLIND)]


def test_doubts_that_lie_apart_do_not_add_up() -> None:
    assert told(("####" + "." * 11) * 20) == []


def test_moments_of_sight_neither_hide_blindness_nor_end_it() -> None:
    """It is told once, and no end is told while it flickers."""
    assert told("####." * 12) == [(12, Word.BLIND)]
    assert told("#########." * 5 + "." * 20) == [(11, Word.BLIND), (59, Word.SEES_AGAIN)]


def test_another_blindness_after_the_end_of_one_is_told_anew() -> None:
    one = "#" * 15 + "." * 15
    assert [word for _, word in told(one * 3)] == [Word.BLIND, Word.SEES_AGAIN] * 3


def test_looks_that_are_far_apart_count_the_time_between_them() -> None:
    """A guard that waits for a slow venue is as blind as its last look was; sight is proved by looks alone."""
    assert told([(0.0, True), (40.0, True)]) == [(40.0, Word.BLIND)]
    assert told([(0.0, True), (40.0, False), (41.0, True)]) == [(41.0, Word.BLIND)]
    assert told([(0.0, True), (40.0, True), (41.0, False), (90.0, True), (95.0, False)]) == [(40.0, Word.BLIND)]


@given(st.lists(st.tuples(st.integers(min_value=1, max_value=7), st.booleans()), max_size=60))
def test_whatever_was_seen_words_alternate_and_long_blindness_is_always_told(steps: list[tuple[int, bool]]) -> None:
    at, looks = 0.0, []
    for pause, blind in steps:
        at += pause
        looks.append((at, blind))
    said = told(looks)
    assert [word for _, word in said] == [Word.BLIND, Word.SEES_AGAIN] * (len(said) // 2) + [Word.BLIND] * (
        len(said) % 2
    )
    since: float | None = None
    for at, blind in looks:
        since = (at if since is None else since) if blind else None
        if since is not None and at - since >= TELL_AFTER_SECONDS:
            before = [word for when, word in said if when <= at]
            assert before, f"blind from {since} to {at} and nobody knows"
            assert before[-1] is Word.BLIND
