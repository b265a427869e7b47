"""Tombstones: records that say which objects a session names and no longer has.

``session.pruned`` has in its data the ``oids``, and the ``reason``: ``retention`` for old versions that were given up,
``lost`` for what was damaged beyond repair. The records that name the objects stay as they are, so the chain of the
log proves what it always proved. An object that a later record stores again is no longer pruned.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from sessionfs.durable import Disk
from sessionfs.errors import NotFound
from sessionfs.locks import renew_in_children
from sessionfs.log.damage import CorruptLog
from sessionfs.log.framing import written_chain, written_type
from sessionfs.log.lines import read_lines
from sessionfs.oid import ObjectId
from sessionfs.store.layout import Layout

if TYPE_CHECKING:
    from sessionfs.log import Position
    from sessionfs.store.session import Session

TYPE = "session.pruned"

RETENTION = "retention"
LOST = "lost"

# Whose data name objects that must be there. What callers record names only its own data.
NAMING = frozenset(
    {"artifact.stored", "state.changed", "session.saved", "session.suspended", "session.completed", "session.failed"}
    | {"session.archived", "session.restored"}
)

# So many oids fit into one record.
MAX_OIDS = 800

_MARK = TYPE.encode()
_OID = re.compile(rb"[0-9a-f]{64}")


class Pruned(msgspec.Struct, kw_only=True):
    """The data of one tombstone."""

    oids: list[ObjectId]
    reason: str


def pruned_oids(
    lines: Iterable[bytes], before: Iterable[ObjectId] = (), *, in_doubt_kept: bool = False
) -> set[ObjectId]:
    """Return the objects that a log says are gone.

    Args:
        lines: All of it, in order.
        before: Those that were gone before its first line.
        in_doubt_kept: Without those that any later record names, as a caller's own may: for who is about to delete
            what nothing needs.
    """
    found = {oid.encode() for oid in before}
    for line in lines:
        if _is_tombstone(line):
            found.update(_OID.findall(line))
        elif found and (in_doubt_kept or written_type(line) in NAMING):
            found.difference_update(_OID.findall(line))
    return {ObjectId(oid.decode()) for oid in found}


def pruned_from(session: Session, start: Position) -> set[ObjectId]:
    """Return the objects that the log of *session* says are gone in records from *start* on, as far as it is whole."""

    def lines() -> Iterator[bytes]:
        with contextlib.suppress(CorruptLog):
            for line, _ in session.log.lines(start):
                yield line

    return pruned_oids(lines())


def _is_tombstone(line: bytes) -> bool:
    return _MARK in line and written_type(line) == TYPE  # callers' events may have the word in their data


class GivenUp:
    """What all sessions of a store say of objects that they gave up: for who asks for one that is missing.

    Reads all logs the first time, and then what was appended. Thread-safe.
    """

    def __init__(self, disk: Disk, layout: Layout) -> None:
        self._disk = disk
        self._layout = layout
        self._reasons: dict[ObjectId, str] = {}
        self._read: dict[str, tuple[int, int, str]] = {}  # number, offset and chain from which to go on, by session
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._lock = threading.Lock()

    def reason(self, oid: ObjectId) -> str | None:
        """Return who gave *oid* up, when and why, for people; None when nobody did."""
        with self._lock:
            for session_id in self._disk.listdir(self._layout.sessions):
                with contextlib.suppress(NotFound, CorruptLog):
                    self._read_on(session_id)
            return self._reasons.get(oid)

    def _read_on(self, session_id: str) -> None:
        seq, offset, chain = self._read.get(session_id, (0, 0, session_id))
        path = self._layout.log(session_id)
        size = self._disk.size_at(path) or 0
        if size == offset:
            return
        if size < offset:  # another one is there now
            seq, offset, chain = 0, 0, session_id
        for line in read_lines(self._disk, path, chain, seq=seq, offset=offset):
            if _is_tombstone(line):
                self._take(session_id, line)
            seq, offset, chain = seq + 1, offset + len(line), written_chain(line[:-1])
        self._read[session_id] = seq, offset, chain

    def _take(self, session_id: str, line: bytes) -> None:
        record = msgspec.json.decode(line, type=_Tombstone)
        why = "by retention" if record.data.reason == RETENTION else "as lost beyond repair"
        reason = f"session {session_id} gave it up {why} on {record.time[:10]}, in its record {record.seq}"
        self._reasons.update(dict.fromkeys(record.data.oids, reason))


class _Tombstone(msgspec.Struct):
    seq: int
    time: str
    data: Pruned


def tombstones(oids: Iterable[ObjectId], reason: str) -> Iterator[Pruned]:
    """Yield what says that *oids* are gone, in records that are not too long."""
    listed = sorted(oids)
    for start in range(0, len(listed), MAX_OIDS):
        yield Pruned(oids=listed[start : start + MAX_OIDS], reason=reason)
