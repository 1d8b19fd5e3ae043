"""What a venue declares about itself."""

from datetime import timedelta

from plimsoll.model.order import OrderType, TimeInForce
from plimsoll.model.venue import DedupeScope, VenueFacts


def test_not_found_means_nothing_before_everything_could_have_arrived() -> None:
    """A request given up on may still arrive, and then stay invisible for a while: both, and a second more."""
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
