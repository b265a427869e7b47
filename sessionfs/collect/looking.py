"""Looking at files of the working directory: what they are, and whether somebody still writes to them."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from collections.abc import Iterator

from sessionfs.collect.mirror import Found

_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}

_F_SETSIG = 10  # linux/fcntl.h; Python has no name for it

# What says that a lease cannot be had here, rather than that somebody writes.
_NO_LEASES = frozenset({errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})


# What says that nothing is there, or something else than was expected: above it, too.
SOMETHING_ELSE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})


_HAS_PROC = os.path.exists("/proc/self/fd")


def look(path: str) -> Found | None:
    """Return what is at *path*; None when there is nothing, or something that is not collected (a fifo, a socket, …).

    Raises:
        OSError: It cannot be looked at.
    """
    try:
        return found_in(os.lstat(path))
    except OSError as failure:
        if failure.errno in SOMETHING_ELSE:
            return None
        raise


def found_in(status: os.stat_result) -> Found | None:
    """Return what *status* says; None when it is about something that is not collected."""
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        return None
    mode = stat.S_IMODE(status.st_mode)
    if kind == "directory":  # its length and times change with what is in it
        return Found(kind, status.st_ino, 0, 0, 0, mode)
    return Found(kind, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, mode)


def open_in_place(path: str, flags: int) -> int:
    """Open exactly *path*, which is absolute: no symbolic link is followed, at its end or on the way.

    A directory may become a link to another one at any moment; nothing outside of what is collected is read by that.

    Raises:
        FileNotFoundError: It is not there, or only by way of a link.
        OSError: It cannot be opened.
    """
    # Without waiting: what is a fifo by now would wait for a writer.
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if _HAS_PROC and os.readlink(f"/proc/self/fd/{fd}") != path:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_link(path: str) -> str:
    """Return the target of the symbolic link *path*, which is absolute; see :func:`open_in_place`.

    Raises:
        OSError: There is none.
    """
    parent, _, name = path.rpartition("/")
    fd = open_in_place(parent or "/", os.O_PATH | os.O_DIRECTORY)
    try:
        return os.readlink(name, dir_fd=fd)
    finally:
        os.close(fd)


def list_directory(path: str) -> Iterator[tuple[str, Found | None]]:
    """Yield the names in a directory and what they are; what has gone meanwhile is left out.

    Raises:
        OSError: The directory cannot be read.
    """
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                yield entry.name, found_in(entry.stat(follow_symlinks=False))
            except FileNotFoundError:
                continue


def is_open_for_writing(fd: int) -> bool | None:
    """Say whether some process has the file open for writing; None when the system does not tell (only its owner).

    A read lease (fcntl(2)) is granted exactly when nobody has. It is given back at once; who opens the file between the
    two waits for these microseconds.
    """
    try:
        # A lease that is broken is told by a signal: by default one that ends the process, so another, which does not.
        fcntl.fcntl(fd, _F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as failure:
        if failure.errno == errno.EAGAIN:
            return True
        if failure.errno in _NO_LEASES:
            return None
        raise
    return False
