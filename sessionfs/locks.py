"""File locks between processes and threads.

``flock`` belongs to the open file description: it dies with its process, is not dropped when some other descriptor
of the file is closed (POSIX ``fcntl`` locks are), and two descriptors exclude each other even within one process.
A waiter waits with a bound and then says who holds the lock.

A forked child shares its parent's descriptions, and so its locks, and finds locks of threads held by threads that it
does not have: what holds either is renewed in it (:func:`renew_in_children`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
import weakref
from typing import Protocol

from sessionfs.errors import Conflict, Unsupported

# A holder appends one record or writes one snapshot: microseconds to a second. Half a minute means it is stopped.
WAIT_SECONDS = 30.0

_FIRST_PAUSE_SECONDS = 0.000_05
_LONGEST_PAUSE_SECONDS = 0.002

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


class NoLocks(Unsupported):
    """The filesystem has no locks."""


class LockHeld(Conflict):
    """Another process kept the lock for longer than one waits."""

    errno = errno.EBUSY


def acquire(fd: int, what: str, *, wait_seconds: float = WAIT_SECONDS) -> None:
    """Take the exclusive lock on *fd*.

    Args:
        what: What the lock guards, for the message.

    Raises:
        LockHeld: Not had after *wait_seconds*; the message names the holder's pid where the system tells it.
    """
    _wait(fd, what, wait_seconds, fcntl.LOCK_EX)


def _wait(fd: int, what: str, wait_seconds: float, kind: int) -> None:
    if _try(fd, kind):
        return
    deadline = time.monotonic() + wait_seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        time.sleep(pause)
        if _try(fd, kind):
            return
        if time.monotonic() > deadline:
            break
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
    pid = holder(fd)
    by = f"process {pid}" if pid is not None else "another process"
    raise LockHeld(
        f"{what} is locked: {by} has held it for {wait_seconds:g} s; see whether it is stopped, then try again"
    )


def try_acquire(fd: int) -> bool:
    """Take the exclusive lock on *fd* if nobody has it; whether it was taken.

    Raises:
        NoLocks: There are none on its filesystem.
    """
    return _try(fd, fcntl.LOCK_EX)


def _try(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as failure:
        if failure.errno not in _NO_LOCKS:
            raise
        raise NoLocks(
            f"locks (flock) do not work on the store's filesystem: {failure.strerror}; they keep two writers apart, so "
            "the store can only be read there"
        ) from failure
    return True


def acquire_shared(fd: int, what: str, *, wait_seconds: float = WAIT_SECONDS) -> None:
    """Take the lock on *fd* together with all others who take it so; otherwise as :func:`acquire`."""
    _wait(fd, what, wait_seconds, fcntl.LOCK_SH)


def release(fd: int) -> None:
    """Give the lock on *fd* back."""
    fcntl.flock(fd, fcntl.LOCK_UN)


def holder(fd: int) -> int | None:
    """Return the pid that holds a lock on *fd*'s file, if the system tells (Linux: /proc/locks)."""
    status = os.fstat(fd)
    inode = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii") as table:
            for line in table:
                fields = line.split()
                if "FLOCK" in fields and "->" not in fields and fields[-3] == inode:
                    return int(fields[-4])
    except (OSError, ValueError, IndexError):
        return None
    return None


class Renewed(Protocol):
    """What begins anew in a forked child."""

    def renew(self) -> None:
        """Let go of what belongs to the parent, and make new locks; no other thread is there."""


def renew_in_children(thing: Renewed) -> None:
    """Call ``renew`` of *thing*, as long as there is one, in each child that this process forks."""
    _renewed.add(thing)


def _renew_all() -> None:
    for thing in list(_renewed):
        thing.renew()


_renewed: weakref.WeakSet[Renewed] = weakref.WeakSet()

os.register_at_fork(after_in_child=_renew_all)
