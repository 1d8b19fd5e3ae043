"""The catalogue of brokers in the book: what the release ships, as admins have changed it.

Rule 1. A release brings its definitions, and brings them up to date where nobody touched them (version 0). What an
        admin changed, added or took out is his, and stays as he left it.
Rule 2. A slug means one broker for ever: it is not given a second time, and a definition is taken out of the list, not
        out of the book, since accounts point at it by its slug.
Rule 3. A definition with accounts that live cannot be taken out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import orjson

from plimsoll.ledger import keys
from plimsoll.ledger.cells import number_or_none, number_or_null, text_or_null, time_or_none
from plimsoll.ledger.log import json_text
from plimsoll.model.broker import Broker, BrokerKind, CredentialField, FieldKind, RateLimit
from plimsoll.model.errors import CommandRefused, Refusal
from plimsoll.model.instrument import AssetType
from plimsoll.model.money import decimal_text
from plimsoll.model.order import OrderType
from plimsoll.store.draft import Draft, Row
from plimsoll.store.hot import Memory

#: Under this one the catalogue stands together in memory.
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Listed:
    """A definition with its place in the catalogue."""

    id: int
    broker: Broker
    #: Counts changes by people; 0 is as the release brought it.
    version: int = 0
    deleted_at: datetime | None = None


def listed(memory: Memory) -> list[Listed]:
    """List what can be connected, in the order it came."""
    found: list[Listed] = memory.shelf(keys.BROKER, _ALL)
    return [one for one in sorted(found, key=lambda one: one.id) if one.deleted_at is None]


def write_release(draft: Draft, shipped: Iterable[Broker]) -> None:
    """Bring the catalogue to what this release ships; what people touched is left alone."""
    for broker in shipped:
        known: Listed | None = draft.get(keys.broker(broker.slug))
        if known is None:
            _write(draft, Listed(draft.next_id("brokers"), broker))
        elif known.version == 0 and known.broker != broker:
            _write(draft, replace(known, broker=broker))


def is_behind(memory: Memory, shipped: Iterable[Broker]) -> bool:
    """Say whether `write_release` would have anything to write."""
    known: dict[str, Listed] = {one.broker.slug: one for one in memory.shelf(keys.BROKER, _ALL)}
    return any(
        broker.slug not in known or (known[broker.slug].version == 0 and known[broker.slug].broker != broker)
        for broker in shipped
    )


def add(draft: Draft, broker: Broker) -> Listed:
    """Add a definition of an admin's.

    Raises: CommandRefused for a slug that was ever given
    """
    known: Listed | None = draft.get(keys.broker(broker.slug))
    if known is not None:
        state = "" if known.deleted_at is None else " and was taken out"
        raise CommandRefused(
            Refusal("broker_exists", f"the catalogue has this slug{state}", broker.slug, remedy="choose another slug")
        )
    added = Listed(draft.next_id("brokers"), broker, version=1)
    _write(draft, added)
    return added


def change(draft: Draft, broker: Broker) -> Listed:
    """Put another definition in the place of the one with this slug; no release touches it from then on.

    Raises: CommandRefused for a slug that is not listed
    """
    changed = replace(_listed(draft, broker.slug), broker=broker)
    changed = replace(changed, version=changed.version + 1)
    _write(draft, changed)
    return changed


def remove(draft: Draft, slug: str, now: datetime) -> Listed:
    """Take a definition out of the list.

    Raises: CommandRefused for a slug that is not listed, or that accounts live by
    """
    known = _listed(draft, slug)
    # Every paper account is the paper broker's, whatever its venue calls itself to keep its instruments apart.
    living = draft.find_with_group("paper_accounts") if known.broker.kind is BrokerKind.PAPER else []
    living = living or draft.find_with_group("accounts_at_broker", slug)
    if living:
        raise CommandRefused(
            Refusal("broker_in_use", "accounts live by this definition", slug, remedy="delete its accounts first")
        )
    removed = replace(known, version=known.version + 1, deleted_at=now)
    _write(draft, removed)
    return removed


def _listed(draft: Draft, slug: str) -> Listed:
    known: Listed | None = draft.get(keys.broker(slug))
    if known is None or known.deleted_at is not None:
        raise CommandRefused(Refusal("broker_unknown", "the catalogue has no such broker", slug))
    return known


def _write(draft: Draft, one: Listed) -> None:
    broker = one.broker
    draft.put(keys.broker(broker.slug), one)
    cells = (
        one.id,
        broker.slug,
        broker.name,
        broker.kind,
        json_text(_definition(broker)),
        one.version,
        text_or_null(one.deleted_at),
    )
    draft.replace("brokers", one.id, cells)


def _definition(broker: Broker) -> dict[str, object]:
    return {
        "markets": sorted(broker.markets),
        "order_types": sorted(broker.order_types),
        "spot": broker.spot,
        "margin": broker.margin,
        "futures": broker.futures,
        "leverage_min": decimal_text(broker.leverage_min),
        "leverage_max": decimal_text(broker.leverage_max),
        "maker_fee_ratio": number_or_null(broker.maker_fee_ratio),
        "taker_fee_ratio": number_or_null(broker.taker_fee_ratio),
        "rate_limits": [{"what": one.what, "count": one.count, "seconds": one.seconds} for one in broker.rate_limits],
        "credential_fields": [_field(field) for field in broker.credential_fields],
    }


def _field(field: CredentialField) -> dict[str, object]:
    return {
        "name": field.name,
        "label": field.label,
        "kind": field.kind,
        "required": field.required,
        "secret": field.secret,
        "regex": field.regex,
        "help": field.help,
    }


def from_row(row: Row) -> Listed:
    """Read a definition back."""
    number, slug, name, kind, definition, version, deleted_at = row
    said = orjson.loads(str(definition))
    broker = Broker(
        str(slug),
        str(name),
        BrokerKind(str(kind)),
        frozenset(map(AssetType, said["markets"])),
        frozenset(map(OrderType, said["order_types"])),
        said["spot"],
        said["margin"],
        said["futures"],
        Decimal(said["leverage_min"]),
        Decimal(said["leverage_max"]),
        number_or_none(said["maker_fee_ratio"]),
        number_or_none(said["taker_fee_ratio"]),
        tuple(RateLimit(**limit) for limit in said["rate_limits"]),
        tuple(CredentialField(**{**field, "kind": FieldKind(field["kind"])}) for field in said["credential_fields"]),
    )
    return Listed(int(number or 0), broker, int(version or 0), time_or_none(deleted_at))
