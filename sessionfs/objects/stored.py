"""What the database says about its objects."""

from __future__ import annotations

import errno
from typing import NamedTuple

from sessionfs.errors import Corrupt, NotFound
from sessionfs.oid import ObjectId


class NoSuchObject(NotFound):
    """No object has this id, or none of this kind."""


class GivenUp(NoSuchObject):
    """The object was given up, or lost, and some session says so."""

    errno = errno.ENODATA


class DamagedObject(Corrupt):
    """An object's bytes are not what its name says."""


class Stored(NamedTuple):
    """Where content ended up.

    ``stored_size`` is what the content has cost: the bytes of its file; for content in pieces the bytes of the list,
    and of what had to be written beside it. Of content that was there already in pieces, it is the bytes of the list.
    """

    oid: ObjectId
    size: int  # bytes of content
    stored_size: int
    compression: str  # "none", "lz4" or "chunks"


class Place(NamedTuple):
    """Where the bytes of an object lie."""

    path: str
    start: int | None  # in a pack; None for a file of its own
    length: int

    def __str__(self) -> str:
        return self.path if self.start is None else f"{self.path} at {self.start}"


class ObjectFile(NamedTuple):
    """One object as it lies on the disk, as :meth:`ObjectDatabase.list` finds it: a file, or a part of a pack."""

    oid: ObjectId
    kind: str  # "blob", "tree" or "snapshot"
    compression: str
    path: str
    stored_size: int
    start: int | None = None  # where in the pack it begins; None for a file of its own

    @property
    def place(self) -> Place:
        """Where its bytes lie."""
        return Place(self.path, self.start, self.stored_size)
