"""A file that gets its name when it is whole, and leaves what was there until then."""

from __future__ import annotations

import contextlib
import os
import secrets

from sessionfs.errors import Conflict


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
        self.file.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._temporary)


def named(failure: OSError, path: str) -> OSError:
    """Return *failure* as one of what was asked for, and not of the name that it has meanwhile."""
    return OSError(failure.errno, failure.strerror, path)


def temporary_name(name: str) -> str:
    """Return what *name* is called until it is whole: hidden, and plainly a part."""
    return f".{name[:60]}.{secrets.token_hex(6)}.part"
