"""How often somebody may fail to prove who he is: five times in 15 minutes, then he waits, longer each time.

Rule 1. Failures are counted by where they come from (address; for IPv6 its network of 64 bits) and by the account they
        are aimed at. Names that nobody has are counted like the others: a lock tells nothing.
Rule 2. Nobody is locked out by what others do: from an address where the user has signed in before, only the failures
        of that address count. Sessions, keys and one-time links are never asked about here, so the switches that stop
        trading stay in reach whatever happens at the door.
Rule 3. An attempt under way counts like a failure until it has succeeded: a thousand at once are five.
Rule 4. A success takes back what its own account failed from that address, and nothing else: who has an account of
        his own cannot wash away his guesses at another's.

In memory: a restart forgets it, and takes longer than a guess is worth. What must not enter: waiting, the database.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from plimsoll.model.errors import Wait, WorldFailure

FAILURES = 5
WINDOW = timedelta(minutes=15)
LONGEST_LOCK = timedelta(hours=1)
#: A lock is followed by a longer one, unless so long passed since.
FORGOTTEN_AFTER = timedelta(days=1)
#: So many addresses and accounts are remembered; beyond them the one that failed longest ago is forgotten.
ROOM = 10_000
#: While others of the same account or address are being looked at.
_A_MOMENT = timedelta(seconds=1)
#: Where somebody comes from whose address nobody can tell: one place for all of them.
UNKNOWN = "unknown"


def origin_of(address: str) -> str:
    """Give what stands for the place somebody comes from; what is no address is no word of his either."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(ip_network((found, 64), strict=False))
    return str(found if isinstance(found, IPv4Address) else found.ipv4_mapped)


@dataclass(slots=True)
class _Counted:
    """What is known of one address, or one account."""

    #: When, and who failed there.
    failures: list[tuple[datetime, str]] = field(default_factory=list)
    under_way: int = 0
    locks: int = 0
    locked_until: datetime | None = None


class Throttle:
    """Counts failures by one kind of name."""

    def __init__(self) -> None:
        self._counted: dict[str, _Counted] = {}

    def wait(self, name: str, now: datetime) -> timedelta | None:
        """Say how long to wait before another attempt; None when it may be made now."""
        counted = self._counted.get(name)
        if counted is None:
            return None
        if counted.locked_until is not None and now < counted.locked_until:
            return counted.locked_until - now
        recent = sum(now - when < WINDOW for when, _who in counted.failures)
        return _A_MOMENT if recent + counted.under_way >= FAILURES else None

    def begin(self, name: str) -> None:
        """Count an attempt that is under way; `end` it."""
        counted = self._counted.pop(name, None) or _Counted()
        self._counted[name] = counted  # the last one now
        counted.under_way += 1
        if len(self._counted) > ROOM:
            idle = next((other for other, each in self._counted.items() if not each.under_way), None)
            if idle is not None:
                del self._counted[idle]

    def end(self, name: str, who: str, now: datetime, *, failed: bool | None) -> None:
        """Count how an attempt came out; None when nobody can tell."""
        counted = self._counted[name]
        counted.under_way -= 1
        if failed:
            self._fail(counted, who, now)
        elif failed is False:
            counted.failures = [(when, other) for when, other in counted.failures if other != who]
        if not counted.under_way and not counted.failures and counted.locked_until is None:
            del self._counted[name]

    def _fail(self, counted: _Counted, who: str, now: datetime) -> None:
        counted.failures = [(when, other) for when, other in counted.failures if now - when < WINDOW]
        counted.failures.append((now, who))
        if len(counted.failures) < FAILURES:
            return
        if counted.locked_until is not None and now - counted.locked_until >= FORGOTTEN_AFTER:
            counted.locks = 0
        # The shift is bounded too: after years of locks it would be no number that a time can take.
        counted.locked_until = now + min(LONGEST_LOCK, WINDOW * 2 ** min(counted.locks, 8))
        counted.locks += 1
        counted.failures.clear()


@dataclass(slots=True)
class Attempt:
    """One try to prove who one is."""

    succeeded: bool = False
    #: How long it made everybody wait, where it was one failure too many.
    lock: timedelta | None = None


class Door:
    """Where people prove who they are: addresses and accounts together."""

    def __init__(self) -> None:
        self._origins, self._accounts = Throttle(), Throttle()

    def check_origin(self, origin: str, now: datetime) -> None:
        """Turn away who comes from a place that failed too often, before anything is looked up for him.

        Raises: Wait
        """
        _turn_away(self._origins.wait(origin, now))

    @contextmanager
    def attempt(self, name: str, origin: str, *, at_home: bool, now: Callable[[], datetime]) -> Iterator[Attempt]:
        """Let somebody try; who leaves without having succeeded has failed, also one who hangs up.

        Shapes:  at_home -> the user of this name has signed in from this origin before
        Raises:  Wait
        """
        account = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()  # it may be a password, mistyped
        started = now()
        self.check_origin(origin, started)
        if not at_home:
            _turn_away(self._accounts.wait(account, started))
        self._origins.begin(origin)
        self._accounts.begin(account)
        attempt, failed = Attempt(), True
        try:
            yield attempt
            failed = not attempt.succeeded
        except WorldFailure:  # a database or a processor that could not answer says nothing about the password
            self._end(account, origin, now(), failed=None)
            raise
        except BaseException:
            self._end(account, origin, now(), failed=True)
            raise
        self._end(account, origin, now(), failed=failed)
        if failed:
            attempt.lock = self._origins.wait(origin, now()) or self._accounts.wait(account, now())

    def failed(self, origin: str, now: datetime) -> timedelta | None:
        """Count a failure that was aimed at no account; give the lock that it brought."""
        self._origins.begin(origin)
        self._origins.end(origin, "", now, failed=True)
        return self._origins.wait(origin, now)

    def _end(self, account: str, origin: str, now: datetime, *, failed: bool | None) -> None:
        self._origins.end(origin, account, now, failed=failed)
        self._accounts.end(account, origin, now, failed=failed)


def _turn_away(wait: timedelta | None) -> None:
    if wait is not None:
        raise Wait("too many failed attempts; whoever is signed in stays so", wait)
