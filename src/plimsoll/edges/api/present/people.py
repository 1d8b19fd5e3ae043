"""People and keys as they are shown: never a secret, never a hash."""

from collections.abc import Callable, Sequence
from typing import Literal

from plimsoll.edges.api.schemas import Key, Me
from plimsoll.ledger.people import KeyRecord
from plimsoll.model.account import Portfolio
from plimsoll.people.actor import Actor, Right


def me(actor: Actor) -> Me:
    """Tell who somebody is; of his rights those that he can use now."""
    return Me(
        user=actor.user.uid, name=actor.user.name, role=actor.user.role, via=actor.via.value, rights=_named(actor.may)
    )


def key(record: KeyRecord, mine: Sequence[Portfolio]) -> Key:
    """Show a key by how it begins."""
    portfolios = None
    if record.portfolios is not None:
        portfolios = [portfolio.uid for portfolio in mine if portfolio.id in record.portfolios]
    return Key(
        id=record.uid,
        name=record.name,
        prefix=record.prefix,
        rights=_named(record.rights.__contains__),
        portfolios=portfolios,
        created_at=record.created_at,
        expires_at=record.expires_at,
        last_used_at=record.last_used_at,
    )


def _named(has: Callable[[Right], bool]) -> list[Literal["read", "trade", "admin"]]:
    # The contract's literals are these members' values.
    return [right.value for right in Right if has(right)]
