"""Whether a log is whole: the evidence that nothing in it was changed, left out, swapped or added.

Each record's chain is a hash of all records before it and of itself. A log whose chains all follow from each other is
what was written, up to somebody who computed them all anew; a chain that was noted elsewhere earlier (a *head*) shows
that nothing up to it was.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sessionfs.errors import Corrupt, InvalidInput
from sessionfs.log import CorruptLog
from sessionfs.log.framing import is_followed
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
    """
    if head is not None and _CHAIN.fullmatch(head) is None:
        raise BadHead(f"{head!r} is no head of a log: 32 hex digits are needed, as sessionfs log-head prints them")
    path = store.layout.log(check_id(session_id))
    size = store.disk.size_at(path)
    if not size:
        raise NoSuchSession(f"there is no session {session_id!r} in this store")
    place, fault, head_seq, is_open = start_of(session_id), None, None, False
    try:
        for line in read_on(store.disk, path, place, size):
            place, is_open = line.after, is_followed(line.text[:-1])
            fault = fault or _fault_of(store, line)
            if place.chain == head:
                head_seq = line.place.seq
    except CorruptLog as failure:
        rest = size - failure.offset
        fault = fault or (
            f"what stands at byte {failure.offset} is not record {failure.seq} as it was written: "
            f"{rest} bytes from there on prove nothing; see sessionfs fsck"
        )
    if fault is None and is_open:
        fault = "the last records were appended together with others that are missing; the next writer sets them aside"
    if fault is None and head is not None and head_seq is None:
        fault = f"no record has the chain {head}: records were cut off or rewritten since it was noted"
    return Verdict(
        session=session_id, count=place.seq, chain=place.chain if place.seq else None, fault=fault, head_seq=head_seq
    )


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
