"""The log of a mount in the background: there only when there is something to say.

It is ``STORE/tmp/mount-<mount point>.log``. A mount that may not write to its store has one in the directory for
temporary files. Each process that logs there holds a shared lock on it; who removes it must be alone.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile

from sessionfs.store.layout import Layout


def path_for(store_path: str, mountpoint: str) -> str:
    """Return where the mount of the store on *mountpoint* logs to."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", mountpoint).strip("-")[-150:]
    return f"{Layout(store_path).staging}/mount-{name}.log"


def open_log(store_path: str, mountpoint: str, *, read_only: bool) -> tuple[int, str]:
    """Open a mount's log for appending, and return its descriptor and its path.

    Args:
        read_only: The store may not be written.
    """
    if read_only:
        fd, path = tempfile.mkstemp(prefix="sessionfs-mount-", suffix=".log")
        fcntl.flock(fd, fcntl.LOCK_SH)
        return fd, path
    path = path_for(store_path, mountpoint)
    while True:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_SH)
        if os.fstat(fd).st_nlink:
            return fd, path
        os.close(fd)  # it was removed between the two


def says_something(path: str) -> bool:
    """Say whether there is a log at *path*, with something in it."""
    try:
        return os.path.getsize(path) > 0
    except FileNotFoundError:
        return False


def remove_if_empty(path: str) -> str | None:
    """Remove the log at *path* if it says nothing and nobody logs to it; return *path* if it says something."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return remove_if_empty_fd(fd, path)
    finally:
        os.close(fd)


def remove_if_empty_fd(fd: int, path: str) -> str | None:
    """As :func:`remove_if_empty`, for the process that has the log open as *fd*."""
    if os.fstat(fd).st_size:
        return path
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None  # another mount on the same directory uses it
    if os.fstat(fd).st_nlink:
        os.unlink(path)
    return None
