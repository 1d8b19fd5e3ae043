"""When tokens were last used, and what of that is worth a row: every request uses one, and none may cost a commit.

In memory, by the token's public id, bounded. What is lost with the process is a minute.
"""

from collections.abc import Collection, Hashable
from datetime import datetime, timedelta

WRITTEN_EVERY = timedelta(minutes=1)
TOLD_EVERY = timedelta(hours=1)
#: So many keys and places of theirs are told in an hour: more than anybody has.
MOST_USES_TOLD = 10_000
#: So many keys that are none are told in an hour, whoever tries them: anybody may, and each is a row for ever.
MOST_REFUSALS_TOLD = 100


class Uses:
    """The last use of each token."""

    def __init__(self) -> None:
        #: By public id; what was not used since the start is not here.
        self.last: dict[str, datetime] = {}
        self._written: dict[str, datetime] = {}

    def use(self, uid: str, written_at: datetime | None, now: datetime) -> bool:
        """Note a use; say whether it is time to write it.

        Shapes: written_at -> what its row says
        """
        self.last[uid] = now
        last = self._written.get(uid, written_at)
        if last is not None and now - last < WRITTEN_EVERY:
            return False
        self._written[uid] = now
        return True

    def keep(self, uids: Collection[str]) -> None:
        """Forget all others."""
        self.last = {uid: when for uid, when in self.last.items() if uid in uids}
        self._written = {uid: when for uid, when in self._written.items() if uid in uids}


class Seldom:
    """Lets the same thing be told once an hour, and so many different things; a flood of others is not told.

    What anybody can bring about and what only holders of keys can have one of their own each: a flood of the first
    must not silence the second.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._told: dict[Hashable, datetime] = {}

    def is_due(self, what: Hashable, now: datetime) -> bool:
        """Say whether something is to be told now; it then was."""
        last = self._told.get(what)
        if last is not None and now - last < TOLD_EVERY:
            return False
        if len(self._told) >= self._most:
            self._told = {each: when for each, when in self._told.items() if now - when < TOLD_EVERY}
            if len(self._told) >= self._most:
                return False
        self._told[what] = now
        return True
