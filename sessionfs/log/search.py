"""Finding a record in a log's bytes, by its number or its time, without reading what lies before it.

Numbers grow by one and times never run backwards within a log, so bytes can be halved: a line begins after any line
feed, and its number and time come first in it. A log of 30 MB takes a dozen reads.

What is found is a claim: nothing here checks a chain. Whoever uses it reads on from a place that is vouched for, and
sees whether it leads here (see :mod:`sessionfs.travel`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from sessionfs.log.framing import MAX_RECORD_BYTES, is_framed

Read = Callable[[int, int], bytes]
"""Returns up to so many bytes (second) from an offset (first)."""

IsBefore = Callable[[int, bytes], bool]
"""Says of a record's number and time whether it is the wanted one or stands before it."""

# What is left is read at once and gone through when it is as short as this: a few lines.
_SCANNED_BYTES = 8 << 10
_SHORT_READ_BYTES = 2 << 10

_HEAD = re.compile(rb'\{"seq":(\d{1,18}),"time":"([^"]{30})"')


class Line(NamedTuple):
    """One line of a log, as it stands there."""

    offset: int  # where it begins, in bytes
    seq: int
    text: bytes  # without its LF

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.offset + len(self.text) + 1


def find_last(read: Read, end: int, is_before: IsBefore) -> Line | None:
    """Return the last record for which *is_before* holds; None when it holds for none.

    Args:
        end: Where the good part of the log ends, in bytes: behind a line feed.
        is_before: Holds for the first so many records and for none after.
    """
    low, high = 0, end  # the record at low is before, or low is 0; that at high is not, or high is the end
    limit = high  # no line between limit and high begins there
    while limit - low > _SCANNED_BYTES:
        middle = (low + limit) // 2
        found = _next_head(read, middle, high)
        if found is None:
            limit = middle
        elif is_before(found[1], found[2]):
            low, limit = found[0], high
        else:
            high = limit = found[0]
    return _scan(read, low, high, is_before)


def find_seq(read: Read, end: int, seq: int) -> Line | None:
    """Return the record with the number *seq*; None when the bytes hold none, as those of a damaged log may."""
    line = find_last(read, end, lambda found, time: found <= seq)
    return line if line is not None and line.seq == seq else None


def find_time(read: Read, end: int, time: str) -> Line | None:
    """Return the last record that is not later than *time* (as in the log: RFC 3339, nine digits); None for none."""
    wanted = time.encode()
    return find_last(read, end, lambda seq, found: found <= wanted)


def _next_head(read: Read, offset: int, end: int) -> tuple[int, int, bytes] | None:
    """Return where the first record behind *offset* begins, its number and its time; None when none does before *end*.

    What looks like no record is passed over.
    """
    start = _next_line(read, offset, end)
    while start is not None:
        head = _HEAD.match(read(start, 80))
        if head is not None:
            return start, int(head[1]), head[2]
        start = _next_line(read, start, end)
    return None


def _next_line(read: Read, offset: int, end: int) -> int | None:
    """Return where the first line behind *offset* begins; None when none does before *end*."""
    for length in (_SHORT_READ_BYTES, MAX_RECORD_BYTES):
        newline = read(offset, length).find(b"\n")
        if newline >= 0:
            return offset + newline + 1 if offset + newline + 1 < end else None
    return None


def _scan(read: Read, low: int, high: int, is_before: IsBefore) -> Line | None:
    """Return the last record for which *is_before* holds in the bytes from *low* to *high*."""
    parts = []
    at = low
    while at < high and (part := read(at, high - at)):
        parts.append(part)
        at += len(part)
    last: Line | None = None
    offset = low
    for text in b"".join(parts).split(b"\n")[:-1]:
        head = _HEAD.match(text)
        if head is not None and is_framed(text):
            if not is_before(int(head[1]), head[2]):
                break
            last = Line(offset, int(head[1]), text)
        offset += len(text) + 1
    return last
