"""Days drawn from a seed keep every law, and the same seed is the same day."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.random_days import day

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("seed", range(1, 25))
def test_a_drawn_day_keeps_every_law(seed: int) -> None:
    """Orders, cancels, closes, prices and faults in any order."""
    failure = day(seed).failure
    assert failure is None, f"seed {seed}: {failure}"


def test_the_same_seed_is_the_same_day_in_another_process() -> None:
    """Ids, times, rows and the order of effects hang on the seed alone, not on Python's hash seed."""
    told = subprocess.run(
        [sys.executable, "-c", "from tests.simulation.random_days import day; print(day(3).digest, day(6).digest)"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [day(3).digest, day(6).digest]


def test_another_seed_is_another_day() -> None:
    """The digest sees what happened."""
    assert day(1).digest != day(2).digest
