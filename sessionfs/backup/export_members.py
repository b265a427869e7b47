"""What an export is made of, one member after the other, and what takes them: a directory or an archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class Writer(Protocol):
    """Where content goes."""

    def write(self, data: bytes, /) -> object:
        """Take all of *data*."""


Content = Callable[[Writer], object]
"""Writes the content of a file, in pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One name of an export.

    Attributes:
        path: From the export's top; names as ``os.fsdecode`` gives them.
        kind: As of artifacts.
        mode: Permission bits.
        mtime_ns, atime_ns: Nanoseconds since the epoch; an atime only where somebody set it.
        size: Bytes of content.
        target: Of a symbolic link.
        rdev: Of a device.
        link: The member that this is another name of, by its path; then the rest is that one's.
        xattrs: As the mount shows them.
    """

    path: str
    kind: str
    mode: int
    mtime_ns: int
    uid: int = 0
    gid: int = 0
    atime_ns: int | None = None
    size: int = 0
    target: str = ""
    rdev: int = 0
    link: str | None = None
    xattrs: dict[bytes, bytes] = field(default_factory=dict)


class Target(Protocol):
    """What an export is written to.

    After :meth:`finish` it is there, whole; after :meth:`abandon`, or a crash, nothing has its name.
    """

    lost_xattr_count: int
    """How many extended attributes it could not take; the sidecar has them all."""

    def holds(self, kind: str) -> bool:
        """Say whether artifacts of *kind* can be there."""

    def add(self, member: Member, content: Content | None = None) -> None:
        """Take a member; directories come before what is in them.

        Args:
            content: Of a file.
        """

    def finish(self) -> None:
        """Complete it."""

    def abandon(self) -> None:
        """Remove what was written."""
