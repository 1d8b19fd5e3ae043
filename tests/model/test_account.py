"""What may still be sent: of several states the strictest rules."""

from plimsoll.model.account import TradingState

S = TradingState
ORDER = [S.ACTIVE, S.REDUCE_ONLY, S.CANCEL_ONLY, S.HALTED]


def test_the_states_from_free_to_strict() -> None:
    """The rank is said once, by hand: a new state must find its place here."""
    assert sorted(S, key=lambda state: state.strictness) == ORDER
