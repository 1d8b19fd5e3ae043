"""The four families: refusals are values, failures say what to do next, unknown is neither, bugs stop the work."""

from datetime import timedelta

import pytest

from plimsoll.model.errors import (
    CallHuman,
    CommandRefused,
    GiveUp,
    Illegal,
    InvariantBroken,
    PlimsollError,
    Refusal,
    TryAgain,
    UnknownOutcome,
    Wait,
    WorldFailure,
    invariant,
)
from plimsoll.model.order import IllegalTransition


def test_a_refusal_reads_as_code_and_sentence() -> None:
    """What a person sees first in a chat."""
    assert str(Refusal("too_large", "the order is worth too much")) == "too_large: the order is worth too much"


def test_an_illegal_value_names_field_value_and_remedy() -> None:
    """And tells the same as a refusal, for an answer that collects them."""
    illegal = Illegal("price", "1e-7", "write a plain decimal number")
    assert str(illegal) == "price = '1e-7': write a plain decimal number"
    assert illegal.refusal() == Refusal(
        "illegal_price", str(illegal), observed="1e-7", remedy="write a plain decimal number"
    )


def test_a_refused_command_carries_all_its_reasons() -> None:
    """Collected, not only the first."""
    one, other = Refusal("too_large", "too large"), Refusal("stale_price", "the price is old")
    refused = CommandRefused(one, other)
    assert refused.refusals == (one, other)
    assert str(refused) == "too_large: too large; stale_price: the price is old"


def test_the_world_failure_that_asks_for_patience_says_how_long() -> None:
    """The caller waits for what was asked, not for a guess."""
    assert Wait("busy", timedelta(seconds=3)).retry_after == timedelta(seconds=3)
    assert str(Wait("busy", timedelta(seconds=3))) == "busy"


@pytest.mark.parametrize("failure", [TryAgain, Wait, GiveUp, CallHuman])
def test_failures_of_the_world_are_one_family(failure: type[Exception]) -> None:
    """Whoever treats them alike catches `WorldFailure`."""
    assert issubclass(failure, WorldFailure)


@pytest.mark.parametrize("other", [UnknownOutcome, InvariantBroken, Illegal, CommandRefused, IllegalTransition])
def test_the_families_are_never_mixed(other: type[Exception]) -> None:
    """A handler that retries failures of the world must not catch an unknown outcome: it would double the order."""
    assert not issubclass(other, WorldFailure)
    assert issubclass(other, PlimsollError)


def test_an_unknown_outcome_is_nothing_but_unknown() -> None:
    """No success, no failure, no refusal."""
    assert UnknownOutcome.__bases__ == (PlimsollError,)


def test_an_invariant_stops_the_work_with_its_promise() -> None:
    """Told as the positive sentence that does not hold; it is an AssertionError to test runners, too."""
    invariant(True, "a ship has a hull")
    with pytest.raises(InvariantBroken, match=r"^Invariant: a ship floats$"):
        invariant(False, "a ship floats")
    assert issubclass(InvariantBroken, AssertionError)
