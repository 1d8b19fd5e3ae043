"""What a venue declares about itself."""

from dataclasses import replace
from datetime import timedelta

import pytest

from plimsoll.model.order import OrderType, TimeInForce
from plimsoll.model.venue import DedupeScope, MovementPage, TradePage, VenueFacts


def test_not_found_means_nothing_before_everything_could_have_arrived() -> None:
    """A request given up on may still arrive, and then stay invisible for a while, and so its fills: and a second."""
    facts = VenueFacts(
        name="paper",
        dedupe_scope=DedupeScope.FOREVER,
        late_arrival_bound=timedelta(seconds=5),
        lookup_lag=timedelta(milliseconds=500),
        reduce_only=True,
        order_types=frozenset(OrderType),
        times_in_force=frozenset(TimeInForce),
    )
    assert facts.settle_window == timedelta(seconds=6, milliseconds=500)
    assert replace(facts, history_lag=timedelta(seconds=20)).settle_window == timedelta(seconds=26, milliseconds=500)


@pytest.mark.parametrize("page", [TradePage, MovementPage])
def test_a_page_is_remembered_only_as_far_as_nothing_can_be_added(page: type[TradePage | MovementPage]) -> None:
    """A history that lags is asked again from where it vouches for; one that does not, from its cursor."""
    assert page((), 9, complete=True).kept == 9
    assert page((), 9, complete=True, settled=4).kept == 4
    assert page((), 9, complete=True, settled=12).kept == 9
