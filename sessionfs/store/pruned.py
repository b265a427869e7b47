"""Tombstones: records that say which objects a session names and no longer has.

``session.pruned`` has in its data the ``oids``, and the ``reason``: ``retention`` for old versions that were given up,
``lost`` for what was damaged beyond repair. The records that name the objects stay as they are, so the chain of the
log proves what it always proved. An object that a later record names again is no longer pruned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from sessionfs.oid import ObjectId

TYPE = "session.pruned"

# So many oids fit into one record.
MAX_OIDS = 800

_MARK = b'"type":"session.pruned"'
_OID = re.compile(rb"[0-9a-f]{64}")


class Pruned(msgspec.Struct, kw_only=True):
    """The data of one tombstone."""

    oids: list[ObjectId]
    reason: str


def pruned_oids(lines: Iterable[bytes]) -> set[ObjectId]:
    """Return the objects that a log says are gone.

    Args:
        lines: All of it, in order.
    """
    found: set[bytes] = set()
    for line in lines:
        if _MARK in line:
            found.update(_OID.findall(line))
        elif found:
            found.difference_update(_OID.findall(line))
    return {ObjectId(oid.decode()) for oid in found}


def tombstones(oids: Iterable[ObjectId], reason: str) -> Iterator[Pruned]:
    """Yield what says that *oids* are gone, in records that are not too long."""
    listed = sorted(oids)
    for start in range(0, len(listed), MAX_OIDS):
        yield Pruned(oids=listed[start : start + MAX_OIDS], reason=reason)
