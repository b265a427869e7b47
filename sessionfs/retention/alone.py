"""The lock of those who take objects away, or put them elsewhere: gc and repack, one at a time.

Who copies a store (:mod:`sessionfs.backup.lease`), or takes something out of its trash, holds it together with others
who do; so nothing that they have seen goes away under them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from sessionfs.durable.publish import make_directory
from sessionfs.errors import from_os_error
from sessionfs.store.store import Store


@contextlib.contextmanager
def alone(store: Store) -> Iterator[None]:
    """Hold it alone.

    Raises:
        LockHeld: Somebody has held it for too long.
    """
    with _held(store, store.disk.lock, f"the store {store.path}, for gc and repack,"):
        yield


@contextlib.contextmanager
def without_gc(store: Store) -> Iterator[None]:
    """Hold it together with others; raises as :func:`alone`."""
    with _held(store, store.disk.lock_shared, f"the store {store.path}, by gc or repack,"):
        yield


@contextlib.contextmanager
def _held(store: Store, lock: Callable[[int, str], None], what: str) -> Iterator[None]:
    path = store.layout.collecting_lock
    try:
        make_directory(store.disk, store.unsynced, store.config.mode, store.layout.locks)
        fd = store.disk.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC)
    except OSError as failure:
        raise from_os_error(failure, f"open {path}") from failure
    try:
        lock(fd, what)
        yield
    finally:
        store.disk.close(fd)
