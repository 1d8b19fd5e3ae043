"""Strategies: rules and parameters under a name, in versions, so that it can be said for ever what a bot traded by.

Rule 1. A version never changes. Other rules or parameters under the same name are the next version.
Rule 2. The same rules and parameters are the same version, however often they are asked for.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from plimsoll.ledger import keys
from plimsoll.ledger.cells import text_or_null, time_or_none
from plimsoll.ledger.log import json_text
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.ids import UserId
from plimsoll.store.draft import Draft, Row


@dataclass(frozen=True, slots=True)
class StrategyVersion:
    """One version of a user's strategy."""

    id: int
    uid: str
    user_id: UserId
    name: str
    #: Counts from 1 under each name.
    version: int
    #: The rules: a built-in strategy, or one that was found.
    kind: str
    params: tuple[tuple[str, str], ...]
    made_at: datetime
    deleted_at: datetime | None = None


def version_for(  # noqa: PLR0917  what makes a version what it is
    draft: Draft, user_id: UserId, name: str, kind: str, params: Mapping[str, str], uid: str, now: datetime
) -> StrategyVersion:
    """Give the version of these rules and parameters; the next one where the user has none such under the name.

    Shapes: `uid` -> of the new one, if one has to be made
    """
    wanted = tuple(sorted(params.items()))
    versions: list[StrategyVersion] = draft.shelf(keys.STRATEGY, (user_id, name))
    for known in versions:
        if (known.kind, known.params) == (kind, wanted) and known.deleted_at is None:
            return known
    number = 1 + max((known.version for known in versions), default=0)
    made = StrategyVersion(draft.next_id("strategies"), uid, user_id, name, number, kind, wanted, now)
    draft.put(keys.strategy(user_id, name, number), made)
    cells = (
        made.id,
        made.uid,
        made.user_id,
        made.name,
        made.version,
        made.kind,
        json_text(dict(made.params)),
        time_text(made.made_at),
        text_or_null(made.deleted_at),
    )
    draft.replace("strategies", made.id, cells)
    return made


def from_row(row: Row) -> StrategyVersion:
    """Read a version back."""
    number, uid, user, name, version, kind, params, made_at, deleted_at = row
    return StrategyVersion(
        int(number or 0),
        str(uid),
        UserId(int(user or 0)),
        str(name),
        int(version or 0),
        str(kind),
        tuple(sorted(json.loads(str(params)).items())),
        parse_time(str(made_at)),
        time_or_none(deleted_at),
    )
