"""Passwords hashed with argon2id, slowly on purpose and away from the event loop.

Rule 1. A check costs the same whether there is a password to compare with or not.
Rule 2. Few at once: each takes tens of megabytes and a processor, which the desk needs for orders. Who would have to
        wait long is told to come back; a caller who went away still holds his place until his hash is done.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import HashingError, InvalidHashError, VerificationError, VerifyMismatchError

from plimsoll.model.errors import TryAgain, Wait
from plimsoll.people.passwords import normal
from plimsoll.people.tokens import SecretSource
from plimsoll.runtime.logging import logger

T = TypeVar("T")

log = logger("people")

AT_ONCE = 2
MOST_WAITING = 16
_SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Strength:
    """What one hash costs."""

    memory_kib: int
    passes: int


#: More than OWASP's least (19,456 KiB in two passes): about 70 ms of one processor on a small server.
STRENGTH = Strength(memory_kib=32_768, passes=3)


class Hasher:
    """Makes and checks hashes of passwords."""

    def __init__(self, secrets: SecretSource, strength: Strength) -> None:
        self._secrets = secrets
        self._argon2 = PasswordHasher(time_cost=strength.passes, memory_cost=strength.memory_kib, parallelism=1)
        # Of these parameters, with a digest that nothing leads to: what a visitor without a password is compared with.
        cost = f"m={strength.memory_kib},t={strength.passes},p=1"
        self._nobody = f"$argon2id$v=19${cost}${'A' * 22}${'A' * 43}"
        self._slots = asyncio.Semaphore(AT_ONCE)
        #: Those that have a slot or wait for one.
        self._running: set[asyncio.Task[object]] = set()

    async def hash(self, password: str) -> str:
        """Hash a password with a salt of its own.

        Raises: Wait, TryAgain
        """
        salt = hashlib.sha256(self._secrets.token().encode()).digest()[:_SALT_BYTES]
        return await self._run(lambda: self._argon2.hash(normal(password), salt=salt))

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Say whether a password is the one that was hashed; None costs the same and matches nothing.

        Raises: Wait, TryAgain
        """
        return await self._run(lambda: self._compare(hashed or self._nobody, password))

    def is_outdated(self, hashed: str) -> bool:
        """Say whether a hash was made with other parameters than ours."""
        return self._argon2.check_needs_rehash(hashed)

    def _compare(self, hashed: str, password: str) -> bool:
        try:
            return self._argon2.verify(hashed, normal(password))
        except VerifyMismatchError:
            return False
        except InvalidHashError:
            log.error("password_unreadable", remedy="give the user a new one-time link")
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if len(self._running) >= AT_ONCE + MOST_WAITING:
            raise Wait("too many people sign in at once", timedelta(seconds=1))
        task = asyncio.get_running_loop().create_task(self._in_turn(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # What if the caller hangs up? The thread cannot be stopped; a slot that were free at once would let an
        # impatient visitor start as many as he likes.
        return await asyncio.shield(task)

    async def _in_turn(self, work: Callable[[], T]) -> T:
        async with self._slots:
            try:
                return await asyncio.get_running_loop().run_in_executor(None, work)
            except (HashingError, VerificationError) as failure:  # no memory left, most of all
                raise TryAgain(f"the password cannot be checked now: {failure}") from failure
