"""Between the look whether an object is there and the record that names it, nobody may delete it.

Who names objects in a record holds a lock together with all others who do (1 us); who deletes takes it alone. So a
process that was stopped for a month between putting content and recording it finds the content deleted, and says so,
instead of recording what is gone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from types import TracebackType

from sessionfs.durable import Disk
from sessionfs.errors import Conflict, from_os_error
from sessionfs.locks import renew_in_children
from sessionfs.oid import ObjectId


class ObjectGone(Conflict):
    """An object that is to be named is not in the store."""


class Holding:
    """The lock, as one process holds it. Thread-safe; may be held many times at once."""

    def __init__(self, disk: Disk, path: str | None) -> None:
        """Prepare the lock on the file at *path*; None for none."""
        self._disk = disk
        self._path = path
        self._fd: int | None = None
        self._count = 0
        self._lock = threading.Lock()
        renew_in_children(self)

    def begin(self) -> None:
        """Take the lock together with others.

        Raises:
            LockHeld: Somebody has been deleting for too long.
        """
        with self._lock:
            if self._count == 0 and self._path is not None:
                self._disk.lock_shared(self._descriptor(self._path), self._path)
            self._count += 1

    def end(self) -> None:
        """Give it back."""
        with self._lock:
            self._count -= 1
            if self._count == 0 and self._fd is not None:
                self._disk.unlock(self._fd)

    def rest(self) -> None:
        """Let go of the descriptor, if nobody holds the lock; the next use opens it again."""
        with self._lock:
            if self._count == 0 and self._fd is not None:
                self._disk.close(self._fd)
                self._fd = None

    def __del__(self) -> None:
        if self._fd is not None:
            self._disk.close(self._fd)

    def _descriptor(self, path: str) -> int:
        if self._fd is None:
            flags = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC  # whoever made it: reading is enough for a lock
            try:
                self._fd = self._disk.open(path, flags)
            except FileNotFoundError:  # a copy of a store may lack empty directories
                self._disk.mkdir(os.path.dirname(path))
                self._fd = self._disk.open(path, flags)
            except OSError as failure:
                raise from_os_error(failure, f"open {path}") from failure
        return self._fd

    def renew(self) -> None:
        """Begin anew in a forked child, whose descriptor shares its parent's lock."""
        fd, self._fd, self._count, self._lock = self._fd, None, 0, threading.Lock()
        if fd is not None:
            self._disk.close(fd)


class Held:
    """A context in which objects are in their place, and nobody deletes them."""

    __slots__ = ("_holding", "_make_sure", "_oids")

    def __init__(self, holding: Holding, oids: Iterable[ObjectId], make_sure: Callable[[ObjectId], None]) -> None:
        """Prepare it.

        Args:
            make_sure: Raises if an object is not in its place; called with the lock held.
        """
        self._holding = holding
        self._oids = oids
        self._make_sure = make_sure

    def __enter__(self) -> None:
        self._holding.begin()
        try:
            for oid in self._oids:
                self._make_sure(oid)
        except BaseException:
            self._holding.end()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holding.end()
