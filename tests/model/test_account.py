"""What may still be sent: of several states the strictest rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.account import TradingState, strictest

S = TradingState
ORDER = [S.ACTIVE, S.REDUCE_ONLY, S.CANCEL_ONLY, S.HALTED]


def test_the_states_from_free_to_strict() -> None:
    """The rank is said once, by hand: a new state must find its place here."""
    assert sorted(S, key=lambda state: state.strictness) == ORDER


@given(st.lists(st.sampled_from(S)))
def test_the_strictest_rules(states: list[TradingState]) -> None:
    """As strict as each of them, and one of them; ACTIVE when nobody objects."""
    ruling = strictest(*states)
    assert ruling is (max(states, key=ORDER.index) if states else S.ACTIVE)


@pytest.mark.parametrize("state", S)
def test_active_never_loosens(state: TradingState) -> None:
    """Somebody's consent lifts nobody's halt."""
    assert strictest(S.ACTIVE, state) is strictest(state, S.ACTIVE) is state
