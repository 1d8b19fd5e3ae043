"""Tokens: secrets of 256 bits that stand for somebody, known by their hash.

A plain SHA-256 is enough here, other than for passwords: nobody can guess 256 bits drawn by the operating system, so
there is nothing for a slow hash to slow down. Looking a token up by its hash takes as long for a right one as for a
wrong one.
"""

import hashlib
import secrets  # noqa: TID251  sim-ok: the people room's source of secrets; tests and simulations pass a seeded one
from typing import Protocol

#: What an API key begins with, so that scanners find one that was published by mistake.
KEY_PREFIX = "plim_"
#: How much of a key is shown in lists: the prefix and six characters, which leave more than 200 bits untold.
_SHOWN = len(KEY_PREFIX) + 6
#: Longer than any of ours: nothing that long is worth hashing.
_LONGEST = 200
_BYTES = 32


class SecretSource(Protocol):
    """Where secrets come from."""

    def token(self) -> str:
        """Draw 256 bits, written with letters, digits, `-` and `_`."""


class SystemSecrets:
    """Secrets drawn by the operating system."""

    def token(self) -> str:
        return secrets.token_urlsafe(_BYTES)


def token_hash(token: str) -> str:
    """Give what a token is looked up by."""
    return hashlib.sha256(token.encode()).hexdigest()


def may_be_ours(token: str) -> bool:
    """Say whether a text is worth looking up."""
    return token.isascii() and 0 < len(token) <= _LONGEST


def shown(secret: str) -> str:
    """Give the part of a key's secret by which a person tells his keys apart."""
    return secret[:_SHOWN]
