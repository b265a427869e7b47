"""inotify(7), by watchdog's binding of its system calls: what is told of a directory, as values.

watchdog's observers are not used: they hand each event through three threads, which is felt where a program watches
what it does itself (a mount took 340 us instead of 215 to make a file), and they pair and drop events by timers of
their own. Importing this fails where the C library has no inotify; see :mod:`sessionfs.watch.notification`.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from watchdog.observers.inotify_c import InotifyConstants as Constants
from watchdog.observers.inotify_c import inotify_add_watch, inotify_init, inotify_rm_watch

__all__ = ["Constants", "Inotify", "Told", "parse_events"]

_HEADER = struct.Struct("iIII")  # watch, mask, cookie, length of the name with its NULs
_BUFFER_BYTES = 64 << 10


class Told(NamedTuple):
    """One event of the kernel's.

    Attributes:
        watch: The number of the watch; -1 for the queue as a whole.
        mask: What happened: bits of :class:`Constants`.
        cookie: Joins the two halves of a rename; else 0.
        name: What it happened to in the directory; "" for the directory itself.
    """

    watch: int
    mask: int
    cookie: int
    name: str

    @property
    def is_overflow(self) -> bool:
        """Whether events were lost before this one: anything may have happened."""
        return bool(self.mask & Constants.IN_Q_OVERFLOW)


class Inotify:
    """One queue of the kernel's. Not thread-safe."""

    def __init__(self) -> None:
        """Make it.

        Raises:
            OSError: This user has too many (EMFILE, ``fs.inotify.max_user_instances``), or the process too many files.
        """
        self.fd = inotify_init()
        if self.fd < 0:
            raise _failure("inotify")
        os.set_blocking(self.fd, False)
        os.set_inheritable(self.fd, False)

    def add(self, path: str, mask: int) -> int:
        """Watch *path* and return the watch's number, which is the same for the same inode.

        Raises:
            OSError: There is no such thing, it may not be read, or this user watches too much already (ENOSPC,
                ``fs.inotify.max_user_watches``).
        """
        watch = inotify_add_watch(self.fd, os.fsencode(path), mask)
        if watch < 0:
            raise _failure(path)
        return int(watch)

    def remove(self, watch: int) -> None:
        """Watch no more; nothing happens if what was watched has gone already."""
        inotify_rm_watch(self.fd, watch)  # type: ignore[arg-type]

    def read(self) -> list[Told]:
        """Return what has been told since the last call; equal events that follow each other are merged by the kernel.

        Never waits: the descriptor is readable when there is something.
        """
        try:
            data = os.read(self.fd, _BUFFER_BYTES)
        except BlockingIOError:
            return []
        return list(parse_events(data))

    def close(self) -> None:
        """Let go of it, and of all its watches."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        if getattr(self, "fd", -1) >= 0:
            self.close()


def parse_events(data: bytes) -> Iterator[Told]:
    """Yield the events in what the kernel gave."""
    offset = 0
    while offset < len(data):
        watch, mask, cookie, length = _HEADER.unpack_from(data, offset)
        offset += _HEADER.size
        name = os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
        yield Told(watch, mask, cookie, name)
        offset += length


def _failure(path: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)
