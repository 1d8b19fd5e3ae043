"""Whether an API key may be made or revoked: every reason against it, decided from values.

Rule 1. A key is given no right, no portfolio and no day that its maker does not have himself.
Rule 2. Another's portfolio or key answers exactly like one that does not exist.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from plimsoll.model.account import Portfolio
from plimsoll.model.errors import Refusal
from plimsoll.model.ids import PortfolioId
from plimsoll.people.actor import Actor, Right, Via

MOST_DAYS = 90
LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What somebody wants a key to be."""

    name: str
    rights: frozenset[Right]
    days: int
    #: None for all.
    portfolios: frozenset[PortfolioId] | None

    def expires_at(self, now: datetime) -> datetime:
        return now + timedelta(days=self.days)


def key_refusals(
    actor: Actor,
    wish: KeyWish,
    found: Collection[Portfolio],
    maker_expires_at: datetime | None,
    now: datetime,
) -> tuple[Refusal, ...]:
    """List what stands against a key.

    Shapes: found -> those of the wished portfolios that exist; maker_expires_at -> None where a session makes it
    """
    if not actor.may(Right.ADMIN):
        return (right_missing(Right.ADMIN),)
    found_ids = {portfolio.id for portfolio in found if actor.owns(portfolio)}
    return (
        *_wrong_shape(wish),
        *(right_missing(right) for right in Right if right in wish.rights and right not in actor.rights),
        *_foreign_portfolios(actor, wish, found_ids),
        *_outlives(wish, maker_expires_at, now),
    )


def right_missing(right: Right) -> Refusal:
    """Say that somebody lacks a right."""
    return Refusal(
        "right_missing", f"this needs the right `{right}`", observed=str(right), remedy="ask somebody who holds it"
    )


def key_unknown(uid: str) -> Refusal:
    """Say that there is no such key; for whoever asks for another's, too."""
    return Refusal("key_unknown", "there is no such key", observed=uid, remedy="the list of keys names yours")


def may_revoke(actor: Actor, uid: str) -> bool:
    """Say whether somebody may end one of his own keys: a person, a key that keeps keys, and every key itself."""
    return actor.via is Via.SESSION or actor.may(Right.ADMIN) or actor.token_uid == uid


def _wrong_shape(wish: KeyWish) -> Sequence[Refusal]:
    found = []
    if not 1 <= len(wish.name) <= LONGEST_NAME or not wish.name.isprintable() or wish.name != wish.name.strip():
        found.append(
            Refusal(
                "illegal_name",
                "a key has a name",
                observed=repr(wish.name[: LONGEST_NAME + 1]),
                limit=f"1 to {LONGEST_NAME} printable characters",
                remedy="say what the key is for",
            )
        )
    if not wish.rights:
        found.append(
            Refusal("illegal_rights", "a key without rights is of no use", remedy=f"name some of {', '.join(Right)}")
        )
    if not 1 <= wish.days <= MOST_DAYS:
        found.append(
            Refusal(
                "illegal_days",
                f"a key is valid for at most {MOST_DAYS} days",
                observed=str(wish.days),
                limit=f"1 to {MOST_DAYS}",
                remedy="make another key before this one ends",
            )
        )
    return found


def _foreign_portfolios(actor: Actor, wish: KeyWish, found_ids: Collection[PortfolioId]) -> Sequence[Refusal]:
    if wish.portfolios is None:
        if actor.portfolios is None:
            return ()
        return (Refusal("portfolios_needed", "this key may touch some portfolios only", remedy="name some of them"),)
    if not wish.portfolios:
        return (
            Refusal("illegal_portfolios", "a key for no portfolio is of no use", remedy="name one, or null for all"),
        )
    unknown = [portfolio_id for portfolio_id in sorted(wish.portfolios) if portfolio_id not in found_ids]
    return tuple(
        Refusal(
            "portfolio_unknown",
            "there is no such portfolio",
            observed=str(portfolio_id),
            remedy="the list of portfolios names yours",
        )
        for portfolio_id in unknown
    )


def _outlives(wish: KeyWish, maker_expires_at: datetime | None, now: datetime) -> Sequence[Refusal]:
    if maker_expires_at is None or not 1 <= wish.days <= MOST_DAYS or wish.expires_at(now) <= maker_expires_at:
        return ()
    return (
        Refusal(
            "key_outlives_maker",
            "a key that was made by a key ends no later than that",
            observed=f"{wish.days} days",
            limit=f"{(maker_expires_at - now).days} days",
            remedy="ask for fewer days, or make it while signed in",
        ),
    )
