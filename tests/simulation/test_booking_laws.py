"""Any order and any repetition of the same fills makes the same books (I17)."""

import pytest

from tests.simulation.laws import any_order_any_repetition


@pytest.mark.parametrize("seed", range(6))
def test_order_and_repetition_of_fills_do_not_matter(seed: int) -> None:
    """Shuffled, doubled and in other pieces: one digest."""
    any_order_any_repetition(seed)
