"""The hot state: what the owner of the books holds in memory, equal to the database after every commit.

Keys are tuples: the noun, its owner, then whatever makes it unique. Values are frozen. Keys of one noun and owner stand
on one *shelf* and can be listed, in the order they first came.
"""

import threading  # noqa: TID251  sim-ok: a lock between the scribe's thread and its readers; no thread is started here
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Protocol

HotKey = tuple[Hashable, ...]
_EMPTY: Mapping[HotKey, Any] = {}


class Memory(Protocol):
    """The hot state to read from: as published, or as a unit sees it."""

    def get(self, key: HotKey) -> Any:
        """Give a value, or None."""

    def shelf(self, noun: str, owner: Hashable) -> list[Any]:
        """List the values of one noun and owner, in the order they first came."""


class Layer:
    """Values by key, with shelves. Setting None hides a key."""

    def __init__(self) -> None:
        self.values: dict[HotKey, Any] = {}
        self._shelves: dict[HotKey, dict[HotKey, Any]] = {}

    def update(self, changes: Mapping[HotKey, Any]) -> None:
        """Lay changes over what is here."""
        for key, value in changes.items():
            self.put(key, value)

    def put(self, key: HotKey, value: Any) -> None:
        """Lay one change over what is here."""
        self.values[key] = value
        name = key[:2]
        shelf = self._shelves.get(name)
        if shelf is None:
            self._shelves[name] = {key: value}
        else:
            shelf[key] = value

    def shelf(self, noun: str, owner: Hashable) -> Mapping[HotKey, Any]:
        """Give everything of one noun and owner."""
        return self._shelves.get((noun, owner), _EMPTY)

    def remove(self, keys: Iterable[HotKey]) -> None:
        """Forget keys."""
        for key in keys:
            self.values.pop(key, None)
            shelf = self._shelves.get(key[:2])
            if shelf is not None:
                shelf.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self.values.clear()
        self._shelves.clear()


class HotState:
    """The published state. Only the scribe changes it, and only after the commit."""

    def __init__(self, values: Mapping[HotKey, Any]) -> None:
        self._layer = Layer()
        self._layer.update(values)
        #: Hold it to read several keys of one moment.
        self.lock = threading.RLock()
        #: Counts publications: what was read at one version need not be read again.
        self.version = 0

    def get(self, key: HotKey) -> Any:
        """Give a value, or None."""
        return self._layer.values.get(key)

    def by_key(self, noun: str, owner: Hashable) -> Mapping[HotKey, Any]:
        """Give everything of one noun and owner; to be read in the scribe's thread or while holding `lock`."""
        return self._layer.shelf(noun, owner)

    def shelf(self, noun: str, owner: Hashable) -> list[Any]:
        """Copy the values of one noun and owner, in the order they first came."""
        with self.lock:
            return list(self._layer.shelf(noun, owner).values())

    def publish(self, changes: Mapping[HotKey, Any]) -> None:
        """Make committed changes visible; None removes a key."""
        with self.lock:
            self.version += 1
            self._layer.update(changes)
            self._layer.remove([key for key, value in changes.items() if value is None])

    def replace(self, values: Mapping[HotKey, Any]) -> None:
        """Forget everything and take what the database says."""
        with self.lock:
            self.version += 1
            self._layer.clear()
            self._layer.update(values)

    def snapshot(self) -> dict[HotKey, Any]:
        """Copy everything, for comparison with the database."""
        with self.lock:
            return dict(self._layer.values)
