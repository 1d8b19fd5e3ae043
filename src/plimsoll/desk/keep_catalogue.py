"""The catalogue of brokers: brought by the release, kept by admins."""

from collections.abc import Callable, Sequence
from datetime import datetime

from plimsoll.ledger import brokers
from plimsoll.ledger.brokers import Listed
from plimsoll.ledger.follow import DESK
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.broker import Broker
from plimsoll.model.clock import Clock
from plimsoll.people.actor import Actor
from plimsoll.store.draft import Draft
from plimsoll.store.drivers import Driver


async def bring_catalogue(books: Driver, shipped: Sequence[Broker], clock: Clock) -> None:
    """Bring the catalogue to what this release ships; nothing is written where nothing is new.

    Raises: StoreFailed, CommitUnclear
    """
    if not brokers.is_behind(books.hot, shipped):
        return

    def unit(draft: Draft) -> None:
        brokers.write_release(draft, shipped)
        details = {"count": str(len(shipped))}
        write_note(draft, Note(DESK, "desk", "UPDATE", "BROKER", "catalogue", clock.now(), details))

    await books.write(unit)


async def add_broker(books: Driver, broker: Broker, actor: Actor, clock: Clock) -> Listed:
    """Add a definition.

    Raises: CommandRefused for a slug that was ever given; StoreFailed, CommitUnclear
    """
    return await _change(books, "CREATE", broker.slug, actor, clock, lambda draft, _now: brokers.add(draft, broker))


async def change_broker(books: Driver, broker: Broker, actor: Actor, clock: Clock) -> Listed:
    """Put another definition in the place of the one with this slug.

    Raises: CommandRefused for a slug that is not listed; StoreFailed, CommitUnclear
    """
    return await _change(books, "UPDATE", broker.slug, actor, clock, lambda draft, _now: brokers.change(draft, broker))


async def remove_broker(books: Driver, slug: str, actor: Actor, clock: Clock) -> Listed:
    """Take a definition out of the list.

    Raises: CommandRefused for a slug that is not listed, or that accounts live by; StoreFailed, CommitUnclear
    """
    return await _change(books, "DELETE", slug, actor, clock, lambda draft, now: brokers.remove(draft, slug, now))


async def _change(  # noqa: PLR0917  who does what to which
    books: Driver, action: str, slug: str, actor: Actor, clock: Clock, change: Callable[[Draft, datetime], Listed]
) -> Listed:
    def unit(draft: Draft) -> Listed:
        now = clock.now()
        changed = change(draft, now)
        details = {"name": changed.broker.name, "version": str(changed.version)}
        write_note(draft, Note(DESK, actor.name, action, "BROKER", slug, now, details))
        return changed

    written: Listed = await books.write(unit)
    return written
