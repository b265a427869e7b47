"""Whether a log is whole: the evidence that nothing in it was changed, left out, swapped or added.

Each record's chain is a hash of all records before it and of itself. A log whose chains all follow from each other is
what was written, up to somebody who computed them all anew; a chain that was noted elsewhere earlier (a *head*) shows
that nothing up to it was.
"""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from sessionfs.durable import Disk
from sessionfs.errors import Corrupt, InvalidInput
from sessionfs.locks import NoLocks
from sessionfs.log import CorruptLog
from sessionfs.log.framing import is_followed
from sessionfs.log.lines import opened
from sessionfs.log.pages import Line, read_on, start_of
from sessionfs.log.record import parse_line
from sessionfs.objects import NoSuchObject
from sessionfs.sessions import check_id
from sessionfs.store.session import NoSuchSession
from sessionfs.store.store import Store

_CHAIN = re.compile(r"[0-9a-f]{32}")


class BadHead(InvalidInput):
    """The text is no head of a log."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a log was found to be."""

    session: str
    count: int  # of good records, from the first on
    chain: str | None  # of the last of them
    fault: str | None = None  # what is wrong, if anything
    head_seq: int | None = None  # the record whose chain is the head that was asked for

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault is None

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "session": self.session,
            "whole": self.is_whole,
            "count": self.count,
            "chain": self.chain,
            "head_seq": self.head_seq,
            "fault": self.fault,
        }


def verify(store: Store, session_id: str, *, head: str | None = None) -> Verdict:
    """Read the whole log of a session and say whether it is what was written.

    Args:
        head: A chain that was the last one once; every record up to it must be as it was then.

    Raises:
        NoSuchSession: There is none.
        BadHead: *head* is no chain.
        LockHeld: Its end is no whole record, and a writer that may be at work there kept the lock too long.

    Concurrency:
        Takes the log's lock, shared, only when its end is no whole record: the middle of an append looks like that.
    """
    if head is not None and _CHAIN.fullmatch(head) is None:
        raise BadHead(f"{head!r} is no head of a log: 32 hex digits are needed, as sessionfs log-head prints them")
    path = store.layout.log(check_id(session_id))
    size = store.disk.size_at(path)
    if not size:
        raise NoSuchSession(f"there is no session {session_id!r} in this store")
    reading = _Reading(store, path, session_id, head)
    reading.read_to(size)
    if reading.fault_at_end is not None:
        # Perhaps that was the middle of somebody's append.
        with _nobody_appends(store.disk, path) as size:
            reading.read_to(size)
    return reading.verdict()


class _Reading:
    """What has been read of a log, up to ``place``."""

    def __init__(self, store: Store, path: str, session_id: str, head: str | None) -> None:
        self.fault_at_end: str | None = None  # why it is not read further
        self._store = store
        self._path = path
        self._session_id = session_id
        self._head = head
        self._head_seq: int | None = None
        self._fault: str | None = None  # of a record that is linked
        self._place = start_of(session_id)
        self._is_open = False  # the last record was appended together with others that follow it

    def read_to(self, size: int) -> None:
        """Go on to the offset *size*."""
        self.fault_at_end = None
        try:
            for line in read_on(self._store.disk, self._path, self._place, size):
                self._place, self._is_open = line.after, is_followed(line.text[:-1])
                self._fault = self._fault or _fault_of(self._store, line)
                if self._place.chain == self._head:
                    self._head_seq = line.place.seq
        except CorruptLog as failure:
            self.fault_at_end = (
                f"what stands at byte {failure.offset} is not record {failure.seq} as it was written: "
                f"{size - failure.offset} bytes from there on prove nothing; see sessionfs fsck"
            )
            return
        if self._is_open:
            self.fault_at_end = (
                "the last records were appended together with others that are missing; the next writer sets them aside"
            )

    def verdict(self) -> Verdict:
        """Return what was found."""
        fault = self._fault or self.fault_at_end
        if fault is None and self._head is not None and self._head_seq is None:
            fault = f"no record has the chain {self._head}: records were cut off or rewritten since it was noted"
        place = self._place
        return Verdict(
            session=self._session_id,
            count=place.seq,
            chain=place.chain if place.seq else None,
            fault=fault,
            head_seq=self._head_seq,
        )


@contextlib.contextmanager
def _nobody_appends(disk: Disk, path: str) -> Iterator[int]:
    """Keep writers from a log, and give how long it is meanwhile, in bytes.

    Where nothing can be locked, nobody writes either.

    Raises:
        LockHeld: A writer kept the lock too long.
        NoSuchLog: The log has gone.
    """
    with opened(disk, path) as fd:
        try:
            disk.lock_shared(fd, path)
        except NoLocks:
            pass
        except OSError as failure:
            if failure.errno != errno.EROFS:
                raise
        yield disk.size(fd)  # closing it gives the lock back


def _fault_of(store: Store, line: Line) -> str | None:
    """Return what is wrong with what a linked line says; data that lie in an object belong to the log too."""
    record = parse_line(line.text[:-1])
    if record is None:
        return f"line {line.place.seq}, at byte {line.place.offset}, is no record: sessionfs did not write it"
    if record.data_oid is not None:
        try:
            store.objects.read(record.data_oid)
        except (Corrupt, NoSuchObject) as failure:
            return f"the data of record {record.seq} lie in object {record.data_oid}, and: {failure}"
    return None
