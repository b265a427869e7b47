"""A file that gets its name when it is whole, and leaves what was there until then."""

from __future__ import annotations

import contextlib
import os
import secrets

from sessionfs.errors import Conflict

# Of a name's bytes: with what is around them they fit where names are encrypted and have at most 143 (eCryptfs), too.
_SHOWN_BYTES = 60


class DestinationTaken(Conflict):
    """Something is where the result would go."""


class WholeFile:
    """A new file for writing; :meth:`finish` gives it its name, :meth:`abandon` removes it."""

    def __init__(self, path: str) -> None:
        """Begin it, beside where it will be.

        Raises:
            DestinationTaken: A directory is there.
            OSError: It cannot be made there.
        """
        if os.path.isdir(path):
            raise DestinationTaken(f"{path} is a directory, so it cannot become a file; name a file")
        directory, name = os.path.split(path)
        self._path = path
        self._temporary = os.path.join(directory, temporary_name(name))
        try:
            self.file = open(self._temporary, "xb")  # noqa: SIM115 (closed by finish and abandon)
        except OSError as failure:
            raise named(failure, path) from None

    def finish(self) -> None:
        """Give it its name.

        Durability:
            Survives a power cut.
        """
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self._temporary, self._path)
        directory = os.open(os.path.dirname(self._path) or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def abandon(self) -> None:
        """Remove it."""
        with contextlib.suppress(OSError):  # the disk is full still, of what nobody wants any more
            self.file.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._temporary)


def named(failure: OSError, path: str) -> OSError:
    """Return *failure* as one of what was asked for, and not of the name that it has meanwhile."""
    return OSError(failure.errno, failure.strerror, path)


def open_private(path: str, flags: int) -> int:
    """Open a new file that nobody else can read before it has its own mode."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def temporary_name(name: str) -> str:
    """Return what *name* is called until it is whole: hidden, and plainly a part; where *name* fits, so does this."""
    return f".{cut_name(name, _SHOWN_BYTES)}.{secrets.token_hex(6)}.part"


def cut_name(name: str, max_bytes: int) -> str:
    """Return *name*, or as many of its characters as *max_bytes* hold: what a directory limits are bytes."""
    raw = os.fsencode(name)
    return name if len(raw) <= max_bytes else raw[:max_bytes].decode("utf-8", "ignore")
