"""What is told to those who follow."""

from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId
from tests.model.words import NOON


def test_two_events_do_not_share_their_details() -> None:
    """Each carries its own; an event of the desk has account 0."""
    one, other = (Event(EventKind.HALT_CHANGED, AccountId(0), NOON) for _ in range(2))
    assert one == other
    assert one.details == {}
    assert one.details is not other.details


def test_every_kind_is_its_own_name() -> None:
    """Followers match on the text; a kind that is renamed in one place only would never be heard."""
    assert all(kind.value == kind.name for kind in EventKind)
