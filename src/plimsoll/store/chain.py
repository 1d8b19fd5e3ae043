"""The chain: a link over everything a unit wrote and the link before it, with a key that the database does not hold.

link = HMAC-SHA256(key, previous link ‖ canonical bytes). Without the key nobody can make a link that fits, so an edit,
a deletion, an insertion or a reordering breaks the chain at its place. A cut tail is seen by the stamp outside.
"""

import hmac
from collections.abc import Sequence

import orjson

from plimsoll.store.draft import Cell

GENESIS = "0" * 64


def canonical_bytes(tables: Sequence[tuple[str, Sequence[Sequence[Cell]]]]) -> bytes:
    """Write rows so that equal rows are equal bytes: tables in a fixed order, cells as stored."""
    return orjson.dumps(tables)


def link(key: bytes, previous: str, content: bytes) -> str:
    """Compute the link of a unit."""
    return hmac.digest(key, previous.encode() + content, "sha256").hex()
