"""Fill sequences whose results other projects assert, through the booking unit: also doubled, and shuffled.

`tests/model` compares every asserted number with the fold itself. Here the same sequences go through the books, and
what is stored must be that fold: whatever order the fills came in, and however often.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plimsoll.ledger.digest import digest
from plimsoll.ledger.fold import fold_position, position_of
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.model.trade import Trade, TradeReport
from tests.builders.ledger import (
    INVERSE,
    MAIN,
    PERPETUAL,
    SPOT,
    Books,
    assert_hot_equals_database,
    booked_in_groups,
    books_in_memory,
    fill,
)

D = Decimal
AVERAGE_COST_CASES = 24
#: Fills as the venue of a case tells them, in its order.
Case = Mapping[str, Any]


@pytest.fixture(scope="module")
def cases(test_data: Path) -> list[Case]:
    """Read the average-cost cases, numbers as the text they were asserted in."""
    told = (test_data / "pnl_cases" / "fill_sequences.json").read_text(encoding="utf-8")
    everything = json.loads(told, parse_float=str, parse_int=str)["cases"]
    return [case for case in everything if "average" in case["lot_method"]]


def instruments_of(case: Case) -> list[Instrument]:
    """A linear case holds on spot and on a perpetual alike; a fee in coins only where coins are held."""
    if case["instrument_type"] == "inverse":
        return [INVERSE]
    return [SPOT] if '"base"' in json.dumps(case) else [SPOT, PERPETUAL]


def reports_of(case: Case, instrument: Instrument) -> list[TradeReport]:
    reports = []
    for number, step in enumerate(case["steps"], start=1):
        told = step["fill"]
        asset = instrument.base if told["fee_ccy"] == "base" else instrument.cash_asset
        reports.append(
            fill(
                instrument,
                Side(told["side"].upper()),
                told["qty"],
                told["price"],
                number,
                fee=D(told["fee"]),
                fee_currency=asset,
            )
        )
    return reports


def booked(reports: Sequence[TradeReport], size: int = 1) -> Books:
    books = books_in_memory().open()
    booked_in_groups(books, [reports[start : start + size] for start in range(0, len(reports), size)])
    assert_hot_equals_database(books)
    return books


def test_every_case_through_the_books_in_order_doubled_and_shuffled(cases: list[Case]) -> None:
    """The stored position is the fold; profit less fees is the cash that moved; any order gives the same digest."""
    assert len(cases) == AVERAGE_COST_CASES
    compared = 0
    for case in cases:
        for instrument in instruments_of(case):
            reports = reports_of(case, instrument)
            books = booked(reports)
            trades = [
                Trade(report, MAIN.id, None, "external", instrument.notional(report.quantity, report.price))
                for report in reports
            ]
            folded, _ = fold_position(position_of(trades[0]), trades, instrument)
            position = books.position(instrument)
            assert position == folded, case["id"]
            fees = folded.fee_in(instrument.cash_asset)
            if instrument.is_derivative:
                assert books.balance("futures", instrument.settle) == folded.realized_pnl - fees, case["id"]
            else:
                assert books.balance("spot", instrument.quote) == folded.realized_pnl - (
                    folded.cost + folded.fee_cost + fees
                ), case["id"]
            final = case.get("expect_final", {})
            if "qty" in final:
                assert position is not None
                assert position.quantity == D(final["qty"]), case["id"]
                compared += 1
            wanted = digest(books.engine)
            for seed in range(3):
                shuffled = [*reports, *reports]
                random.Random(seed).shuffle(shuffled)
                assert digest(booked(shuffled, seed + 1).engine) == wanted, f"{case['id']}, seed {seed}"
    assert compared > 10


def test_a_lost_fill_would_be_seen(cases: list[Case]) -> None:
    """The comparison can fail: without its first or last fill, or with another fee, a case has another digest."""
    for case in cases:
        reports = reports_of(case, instruments_of(case)[0])
        others = [reports[1:], reports[:-1], [*reports[:-1], replace(reports[-1], fee=D(77))]]
        wanted = digest(booked(reports).engine)
        assert all(digest(booked(other).engine) != wanted for other in others), case["id"]
