"""A served desk that is killed in the middle of its orders: nothing acknowledged is lost, nothing is doubled."""

from pathlib import Path

from tests.edges.killing import kill_often


def test_a_desk_that_is_killed_under_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The short form; `python -m tests.edges.killing --rounds 200` is the long one."""
    acknowledged, orders, trades = kill_often(tmp_path, rounds=3, seed=1)
    assert orders >= acknowledged > 0
    assert trades > 0
