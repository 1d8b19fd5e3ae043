"""Identities: whose id it is, and how ours are made.

A `client_order_id` is computed from the account, the user and the intent's key, never drawn: two workers, or one worker
before and after a crash, make the *same* id for the same intent, so a second send collides at the venue instead of
doubling the order. Its first four characters name the desk and tell our orders from foreign ones.
"""

import base64
import hashlib
import os
import random
import re
from typing import NewType, Protocol
from uuid import UUID

from plimsoll.model.clock import EPOCH, Clock
from plimsoll.model.errors import Illegal

UserId = NewType("UserId", int)
AccountId = NewType("AccountId", int)
PortfolioId = NewType("PortfolioId", int)
StrategyId = NewType("StrategyId", int)
InstrumentId = NewType("InstrumentId", int)

#: As we name it, on its way to the venue and back.
ClientOrderId = NewType("ClientOrderId", str)
#: As the venue names it.
BrokerOrderId = NewType("BrokerOrderId", str)
#: As the venue names it; unique only within (account, instrument, revision).
BrokerTradeId = NewType("BrokerTradeId", str)
#: As the caller names what he wants; the same key is the same wish.
IntentKey = NewType("IntentKey", str)

DESK_CODE_LENGTH = 4
#: What most venues take (Binance 36, OKX 32, Bybit 36); an adapter with a shorter limit asks for fewer.
CLIENT_ORDER_ID_LENGTH = 32
#: Leaves 60 bits of the digest: one chance in a million of a collision after 1.5 million orders.
SHORTEST_CLIENT_ORDER_ID = 16
#: Holds the digest whole.
LONGEST_CLIENT_ORDER_ID = 56
_DESK_CODE = re.compile(r"[A-Z][A-Z2-7]{3}")


def client_order_id(
    desk_code: str, account: AccountId, user: UserId, intent_key: IntentKey, length: int = CLIENT_ORDER_ID_LENGTH
) -> ClientOrderId:
    """Compute the id of an intent's one order.

    Shapes: `desk_code` 4 characters of A–Z and 2–7; result of `length` characters of the same alphabet
    """
    if not _DESK_CODE.fullmatch(desk_code):
        raise Illegal("desk_code", desk_code, "use four of A-Z and 2-7, the first a letter")
    # A few characters more than the desk code would give two intents the same id before the year is over.
    if not SHORTEST_CLIENT_ORDER_ID <= length <= LONGEST_CLIENT_ORDER_ID:
        raise Illegal("length", length, f"give {SHORTEST_CLIENT_ORDER_ID} to {LONGEST_CLIENT_ORDER_ID} characters")
    digest = hashlib.sha256(f"{account}|{user}|{intent_key}".encode()).digest()
    # Eight characters are five bytes; only those that are needed are encoded.
    needed = digest[: -(-(length - DESK_CODE_LENGTH) // 8) * 5]
    return ClientOrderId((desk_code + base64.b32encode(needed).decode())[:length])


def is_ours(desk_code: str, text: str | None) -> bool:
    """Say whether a client order id carries this desk's prefix."""
    return text is not None and text.startswith(desk_code)


class Ids(Protocol):
    """Where public ids come from."""

    def uuid7(self) -> str:
        """Make a new id whose order is its time's order."""


def _uuid7(milliseconds: int, chance: int) -> str:
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76 | (chance >> 62 & 0xFFF) << 64
    value |= 0b10 << 62 | chance & 0x3FFF_FFFF_FFFF_FFFF
    return str(UUID(int=value))


class ClockedIds:
    """UUIDv7 from a clock and a source of chance (RFC 9562, section 5.7)."""

    def __init__(self, clock: Clock, chance: random.Random) -> None:
        self._clock = clock
        self._chance = chance

    def uuid7(self) -> str:
        passed = self._clock.now() - EPOCH
        milliseconds = (passed.days * 86_400 + passed.seconds) * 1_000 + passed.microseconds // 1_000
        return _uuid7(milliseconds, self._chance.getrandbits(74))


def system_chance() -> random.Random:
    """Give a source of chance seeded by the operating system, for a desk that serves people."""
    return random.Random(os.urandom(32))  # noqa: S311, TID251  sim-ok: seeds public ids of a live desk, no secret
