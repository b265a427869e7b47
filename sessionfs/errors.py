"""The five kinds of error, and one more for what this build cannot do.

Leaf classes live beside the code that raises them and derive from exactly one kind; a face maps kinds once (the
command line to exit codes, the mount to ``errno``). A leaf sets ``errno`` when POSIX names a better one than its
kind's.

A message says what was asked, what is so, and what to do.
"""

from __future__ import annotations

import errno as _errno


class Error(Exception):
    """What every error of sessionfs derives from; raised only as one of the kinds below."""

    errno: int = _errno.EIO

    def __str__(self) -> str:
        # Leaves that are also KeyError would otherwise show the message's repr.
        return str(self.args[0]) if self.args else type(self).__name__


class InvalidInput(Error):
    """The request is malformed: the caller must change it."""

    errno = _errno.EINVAL


class NotFound(Error):
    """The request is well-formed; what it names is not here."""

    errno = _errno.ENOENT


class Denied(Error):
    """Not allowed: permission, a veto, a read-only state."""

    errno = _errno.EACCES


class Conflict(Error):
    """Somebody moved it first, it already exists, or a limit is reached."""

    errno = _errno.EEXIST


class Corrupt(Error):
    """The disk broke its promise: bytes are not what was written."""

    errno = _errno.EIO


class Unsupported(Error):
    """A newer format, or a machine without what the request needs."""

    errno = _errno.EOPNOTSUPP


class NoSpace(Conflict):
    """The disk or a quota is full; nothing was half written."""

    errno = _errno.ENOSPC


class ReadOnlyStore(Denied):
    """The store cannot be written: a read-only filesystem or missing permission."""

    errno = _errno.EROFS


class BadPath(InvalidInput):
    """A path that the filesystem cannot have."""

    errno = _errno.ENAMETOOLONG


class DiskFault(Corrupt):
    """The disk refused a read or a write (EIO and its kin)."""


_KIND_OF_ERRNO: dict[int, type[Error]] = {
    _errno.ENOSPC: NoSpace,
    _errno.EDQUOT: NoSpace,
    _errno.EFBIG: NoSpace,
    _errno.EROFS: ReadOnlyStore,
    _errno.EACCES: ReadOnlyStore,
    _errno.EPERM: ReadOnlyStore,
    _errno.ENAMETOOLONG: BadPath,
    _errno.ELOOP: BadPath,
    _errno.ENOTDIR: BadPath,
}

_ADVICE: dict[type[Error], str] = {
    NoSpace: "free space and try again; nothing was half written",
    ReadOnlyStore: "check the filesystem and the store's permissions; nothing was changed",
    BadPath: "name another path",
    DiskFault: "check the disk; what was asked may not have been done",
}


def from_os_error(failure: OSError, doing: str) -> Error:
    """Return the error of ours that says *failure*, which happened while *doing* something.

    Raise it ``from failure``, so that the system's own words stay visible.
    """
    kind = _KIND_OF_ERRNO.get(failure.errno or 0, DiskFault)
    return kind(f"could not {doing}: {failure.strerror or failure}; {_ADVICE[kind]}")
