"""The storages of one process: one for each database, and told of forks and of the end."""

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import cache
from typing import Protocol, TypeVar


class Forked(Protocol):
    """What has events, connections and a thread of one process."""

    def flush(self) -> None:
        """Stores what waits."""

    def flush_at_last(self) -> None:
        """Stores what waits, and says so when it cannot."""

    def begin_anew(self) -> None:
        """Leaves to the parent what is the parent's."""


Kept = TypeVar("Kept", bound=Forked)


def look_after(storage: Forked) -> None:
    """Has a storage told of forks and of the end of the process, as long as it is there."""
    _storages().add(storage)


def the_one_for(key: Hashable, make: Callable[[], Kept]) -> Kept:
    """Returns what this process has for a key, and makes and looks after it where it has none.

    Args:
        key: Says what it is for.
        make: Makes it.
    """
    return _storages().the_one_for(key, make)


class _Storages:
    """All storages of this process; it holds none of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: weakref.WeakSet[Forked] = weakref.WeakSet()
        self._by_key: weakref.WeakValueDictionary[Hashable, Forked] = weakref.WeakValueDictionary()

    def add(self, storage: Forked) -> None:
        with self._lock:
            self._known.add(storage)

    def the_one_for(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        with self._lock:
            found = self._by_key.get(key)
            if found is None:
                found = self._by_key[key] = make()
                self._known.add(found)
        # A key has what was made for it.
        return found  # type: ignore[return-value]

    def at_exit(self) -> None:
        for storage in self._all():
            storage.flush_at_last()

    def before_fork(self) -> None:
        # What cannot be stored now keeps nobody from forking; the parent still has it.
        for storage in self._all():
            with suppress(Exception):
                storage.flush()
        self._lock.acquire()

    def after_fork(self) -> None:
        self._lock.release()

    def in_fork(self) -> None:
        self._lock.release()
        for storage in self._all():
            storage.begin_anew()

    def _all(self) -> list[Forked]:
        with self._lock:
            return list(self._known)


@cache
def _storages() -> _Storages:
    # Python takes such wishes once for a process, and none of them back.
    storages = _Storages()
    os.register_at_fork(
        before=storages.before_fork,
        after_in_parent=storages.after_fork,
        after_in_child=storages.in_fork,
    )
    atexit.register(storages.at_exit)
    return storages
