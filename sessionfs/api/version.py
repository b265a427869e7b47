"""One version of an artifact's content, as Python sees it."""

from __future__ import annotations

from datetime import datetime
from typing import BinaryIO

import msgspec

from sessionfs.clock import format_time, to_datetime
from sessionfs.objects import ObjectDatabase
from sessionfs.oid import ObjectId
from sessionfs.store.session import Session
from sessionfs.travel.versions import versions_of


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an artifact's content."""

    number: int
    id: str  # "<session>:<seq>" of the record that stored it
    oid: ObjectId | None
    size: int
    time_ns: int  # when it was stored
    mtime_ns: int
    actor: str
    objects: ObjectDatabase

    @property
    def time(self) -> datetime:
        """When it was stored."""
        return to_datetime(self.time_ns)

    def read_bytes(self) -> bytes:
        """Return the whole content, checked against its hash."""
        return b"" if self.oid is None else self.objects.read(self.oid)

    def copy_to(self, target: BinaryIO) -> int:
        """Write the content to *target*, checked against its hash, and return its length in bytes."""
        return 0 if self.oid is None else self.objects.copy_out(self.oid, target)

    def to_dict(self) -> dict[str, object]:
        """Return it JSON-ready."""
        return {
            "number": self.number,
            "id": self.id,
            "oid": self.oid,
            "size": self.size,
            "time": format_time(self.time_ns),
            "mtime": format_time(self.mtime_ns),
            "actor": self.actor,
        }

    def __repr__(self) -> str:
        return f"<sessionfs.Version {self.number} {self.id}>"


def list_versions(session: Session, path: str) -> list[Version]:
    """Return the versions of the file at *path*, the oldest first."""
    index = versions_of(session)
    found = []
    for version in index.versions(path):
        content = index.content(session, version)
        found.append(
            Version(
                number=version.number,
                id=version.id,
                oid=content.oid,
                size=content.size,
                time_ns=content.time_ns,
                mtime_ns=content.mtime_ns,
                actor=content.actor,
                objects=session.objects,
            )
        )
    return found
