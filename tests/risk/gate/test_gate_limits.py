"""Limits are data: two profiles, numbers that mean something, and wider ones only as a later version."""

from datetime import timedelta
from typing import Any

import pytest

from plimsoll.model.errors import Illegal
from plimsoll.model.instrument import AssetType
from plimsoll.risk.limits import CAUTIOUS, PROFILES, STANDARD, metadata_age_limit, price_age_limit
from tests.builders.gate import D


def test_the_profiles_are_known_by_their_names() -> None:
    """Live accounts get cautious, paper accounts standard."""
    assert PROFILES == {"cautious": CAUTIOUS, "standard": STANDARD}


def test_cautious_is_nowhere_wider_than_standard() -> None:
    """What is called cautious is."""
    for name in ("max_order_ratio", "max_position_ratio", "max_gross_ratio", "max_net_ratio", "leverage_cap"):
        assert getattr(CAUTIOUS, name) < getattr(STANDARD, name)


def test_a_changed_limit_makes_a_new_version() -> None:
    """The verdict stores the version: a verdict never names limits it was not made with."""
    wider = CAUTIOUS.widened(max_order_ratio=D(2), max_order_value=None)
    assert (wider.profile, wider.version, wider.max_order_ratio, wider.max_order_value) == ("cautious", 2, D(2), None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("leverage_cap", D("5.1")),
        ("leverage_cap", D("0.5")),
        ("unset_leverage", D("0.5")),
        ("max_order_ratio", D("NaN")),
        ("max_order_ratio", D("Infinity")),
        ("collar_fx_ratio", D(-1)),
        ("repeat_window", timedelta(seconds=-1)),
        ("max_order_ratio", None),
        ("no_such_limit", D(1)),
        ("version", D(9)),
        ("profile", None),
    ],
)
def test_a_limit_that_means_nothing_is_refused(field: str, value: Any) -> None:
    """NaN compares false with everything: as a limit it would be no limit."""
    with pytest.raises(Illegal):
        CAUTIOUS.widened(**{field: value})


@pytest.mark.parametrize(
    ("asset_type", "interval", "seconds"),
    [
        (AssetType.CRYPTO, None, 5),
        (AssetType.ETF, None, 15),
        (AssetType.CRYPTO, 60, 90),
        (AssetType.EQUITY, 60, 90),
        (AssetType.CRYPTO, 1, 5),
    ],
)
def test_a_price_may_be_as_old_as_its_class_or_its_feed_allows(
    asset_type: AssetType, interval: int | None, seconds: int
) -> None:
    """max(class limit, 1.5 × the declared interval)."""
    declared = None if interval is None else timedelta(seconds=interval)
    assert price_age_limit(CAUTIOUS, asset_type, declared) == timedelta(seconds=seconds)


def test_rules_of_shares_age_slower() -> None:
    """An hour for what trades round the clock, a day for shares."""
    assert metadata_age_limit(CAUTIOUS, AssetType.CRYPTO) == timedelta(hours=1)
    assert metadata_age_limit(CAUTIOUS, AssetType.EQUITY) == timedelta(hours=24)
