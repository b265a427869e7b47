"""While a store is copied, nobody takes objects away from it, or puts them elsewhere.

gc and repack hold their lock alone; those who copy hold it together. So what was there when a copy began is where it
was until the copy has it, and what a copy has put somewhere is there until a record names it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from sessionfs.durable.publish import make_directory
from sessionfs.errors import from_os_error
from sessionfs.store.store import Store


@contextlib.contextmanager
def leased(store: Store) -> Iterator[None]:
    """Keep gc and repack away from *store*.

    Where this process may not write, and there is no lock yet, nobody has ever collected: there is nothing to hold. Nor
    is there where locks do not hold.

    Raises:
        LockHeld: One of them has been at work for too long.
    """
    fd = _open(store)
    try:
        if fd is not None:
            _lock(store, fd)
        yield
    finally:
        if fd is not None:
            store.disk.close(fd)


def _lock(store: Store, fd: int) -> None:
    try:
        store.disk.lock_shared(fd, f"the store {store.path}, by gc or repack,")
    except OSError as failure:
        if failure.errno != errno.EROFS:  # what a disk says that must not be written to
            raise from_os_error(failure, f"lock {store.layout.collecting_lock}") from failure


def _open(store: Store) -> int | None:
    path = store.layout.collecting_lock
    with contextlib.suppress(FileNotFoundError, PermissionError):
        return store.disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        make_directory(store.disk, store.unsynced, store.config.mode, store.layout.locks)
        return store.disk.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC)
    except OSError as failure:
        if failure.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return None
        raise from_os_error(failure, f"open {path}") from failure
