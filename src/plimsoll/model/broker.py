"""What can be connected: a broker's definition, as the catalogue has it and an admin may change it.

A definition says what a broker offers and what it needs to be let in. It holds no credentials of anybody.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from plimsoll.model.errors import Illegal
from plimsoll.model.instrument import AssetType
from plimsoll.model.order import OrderType

_SLUG = re.compile(r"[a-z0-9-]{1,60}")


class BrokerKind(StrEnum):
    """Which kind of adapter speaks to it."""

    PAPER = "paper"
    CRYPTO = "crypto"
    BROKER = "broker"
    MT5 = "mt5"


class FieldKind(StrEnum):
    """How a credential is entered."""

    TEXT = "text"
    NUMBER = "number"
    PASSWORD = "password"  # noqa: S105  how it is typed, and nobody's
    #: Several lines, such as a private key.
    MULTILINE = "multiline"


@dataclass(frozen=True, slots=True)
class CredentialField:
    """Something that a broker asks for."""

    name: str
    label: str
    kind: FieldKind
    required: bool
    #: Encrypted at rest, and never shown again.
    secret: bool
    #: What the whole of it must match.
    regex: str
    help: str

    def __post_init__(self) -> None:
        try:
            re.compile(self.regex)
        except re.error as broken:
            raise Illegal("regex", self.regex, f"give a regular expression: {broken}") from broken


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many requests within so many seconds."""

    what: str
    count: int
    seconds: int

    def __post_init__(self) -> None:
        for name, value in (("count", self.count), ("seconds", self.seconds)):
            if value <= 0:
                raise Illegal(name, value, "give a number above zero")


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker's definition."""

    slug: str
    name: str
    kind: BrokerKind
    markets: frozenset[AssetType]
    order_types: frozenset[OrderType]
    spot: bool
    margin: bool
    futures: bool
    #: Of what the broker itself allows; the desk's own cap is lower.
    leverage_min: Decimal
    leverage_max: Decimal
    #: Ratio of the value of a trade, before any discount; None where it is no ratio, or none that holds for everybody.
    maker_fee_ratio: Decimal | None
    taker_fee_ratio: Decimal | None
    rate_limits: tuple[RateLimit, ...]
    credential_fields: tuple[CredentialField, ...]

    def __post_init__(self) -> None:
        if not _SLUG.fullmatch(self.slug):
            raise Illegal("slug", self.slug, "use 1 to 60 of a-z, 0-9 and -")
        if not self.name.strip() or not self.name.isprintable():
            raise Illegal("name", self.name, "give a printable name")
        bounds = (self.leverage_min, self.leverage_max)
        if not all(bound.is_finite() for bound in bounds) or not 1 <= self.leverage_min <= self.leverage_max:
            raise Illegal("leverage_max", self.leverage_max, "give 1 ≤ leverage_min ≤ leverage_max")
        for name, fee in (("maker_fee_ratio", self.maker_fee_ratio), ("taker_fee_ratio", self.taker_fee_ratio)):
            # A maker may be paid for what he brings.
            if fee is not None and (not fee.is_finite() or not -1 < fee < 1):
                raise Illegal(name, fee, "give a ratio of the value, such as 0.001 for 0.1 %")
        names = [field.name for field in self.credential_fields]
        if len(set(names)) < len(names):
            raise Illegal("credential_fields", names, "name each field once")
