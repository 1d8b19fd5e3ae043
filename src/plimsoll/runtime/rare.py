"""Paths of our own code that are walked on rare days only, and that a simulation makes common.

A group that is refused, memory that is read back, a follower who is too slow: code for such days is right only if
somebody walks it. At a *site* the code asks `strikes` whether it shall act today as it does on such a day.

Rule 1. In production the answer is always no, and costs one call.
Rule 2. A rare path does what the code does anyway on some day, with nothing lost and nothing false: whoever asks gets
        an answer that he could have got on such a day, and has to bear it.
Rule 3. No site is a fault of the world. Disks, networks and venues fail outside of us, where a simulation makes them.
Rule 4. A simulation puts its own `strikes` here, drawn from its seed, and takes it away at its end.

What must not enter: chance, and any decision of what is struck.
"""

from collections.abc import Callable
from enum import StrEnum


class Site(StrEnum):
    """Where a rare path begins, and on which day it is walked without us."""

    #: Nobody else waits: a group is one unit.
    GROUP_OF_ONE = "group-of-one"
    #: The rows of a group are written before it is whole, as for a unit that refolds.
    ROWS_WRITTEN_EARLY = "rows-written-early"
    #: The database refused a row: the group is undone, and each of its units runs again, alone.
    GROUP_REFUSED = "group-refused"
    #: Somebody else changed a halt or a policy: the group is dropped, all is read back, and its units run again.
    CONTROL_MOVED = "control-moved"
    #: The connection was lost: it is opened anew, and all is read back before the next group.
    CONNECTION_LOST = "connection-lost"
    #: The commit happened and did not answer: the database is asked whether it did.
    COMMIT_UNANSWERED = "commit-unanswered"
    #: More events came than memory holds: who follows reads them from the database.
    EVENTS_FORGOTTEN = "events-forgotten"
    #: Something may have come late: the position is folded anew from all that happened to it.
    POSITION_REFOLDED = "position-refolded"
    #: The books moved on since they were read for a valuation: they are read again.
    VIEW_OUTDATED = "view-outdated"
    #: A machine slept between verdict and sending: an opening order is not sent.
    VERDICT_TOO_OLD = "verdict-too-old"
    #: A follower gets what he is due in many small parts.
    ONE_EVENT_AT_ONCE = "one-event-at-once"
    #: What a follower missed is kept no longer: he has to read everything again.
    FOLLOWER_LEFT_BEHIND = "follower-left-behind"


def never(_site: Site) -> bool:
    """Say no."""
    return False


#: Says whether a site acts today as on a rare day.
strikes: Callable[[Site], bool] = never
