"""Reading on in a log from a known place, a portion at a time, without its lock: whole appends and nothing else.

What is appended in one call counts as a whole or not at all. Whoever reads while that is on its way, or after a kill
has cut it off, stops before its first record.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from sessionfs.durable import Disk
from sessionfs.log.damage import CorruptLog, UnreadableLog, is_damage
from sessionfs.log.framing import FRAMING_LENGTH, written_chain
from sessionfs.log.pages import Place
from sessionfs.log.record import Position, Record, parse_linked, whole_count


class Batch(NamedTuple):
    """Some records, and the place behind them; when there are none, perhaps what is wrong there."""

    records: list[Record]
    position: Position
    damage: CorruptLog | None = None


def read_batch(disk: Disk, fd: int, path: str, start: Position, *, end: int, length: int) -> Batch:
    """Return the next whole appends of the log that *fd* is open on.

    Args:
        path: Its name, for messages.
        start: Where to go on.
        end: How long the file is, in bytes.
        length: So many bytes are read at most, unless the next append is longer.
    """
    while start.offset < end:
        data = disk.pread(fd, min(length, end - start.offset), start.offset)
        records, reached = parse_linked(data, start)
        whole = whole_count(records)
        if whole:
            behind = reached if whole == len(records) else _position_behind(data, start, records[:whole])
            return Batch(records[:whole], behind)
        if len(data) < length or b"\n" in data[reached.offset - start.offset :]:
            break  # what is not whole now does not become so by reading more
        length *= 2
    return Batch([], start, _damage(disk, fd, path, start, end))


def is_behind(disk: Disk, path: str, position: Position | Place) -> bool:
    """Say whether the record before *position* is in the log where it was: then what was read of it is still so."""
    if position.offset == 0:
        return True
    try:
        fd = disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, UnreadableLog):
        return False
    try:
        return is_after(disk, fd, position)
    finally:
        disk.close(fd)


def is_after(disk: Disk, fd: int, position: Position | Place) -> bool:
    """Say the same of the file that *fd* is open on."""
    if position.offset == 0:
        return True
    line = disk.pread(fd, FRAMING_LENGTH + 1, position.offset - FRAMING_LENGTH - 1)
    return line.endswith(b"\n") and written_chain(line[:-1]) == position.chain


def _position_behind(data: bytes, start: Position, records: list[Record]) -> Position:
    end = 0
    for _ in records:
        end = data.index(b"\n", end) + 1
    last = records[-1]
    return Position(last.seq + 1, start.offset + end, last.chain, last.base)


def _damage(disk: Disk, fd: int, path: str, start: Position, end: int) -> CorruptLog | None:
    """Return what is wrong behind *start*; None for what the next writer sets aside, or adds to."""
    data = _read_to(disk, fd, start.offset, end)
    records, reached = parse_linked(data, start)
    if whole_count(records):
        return None  # appended since
    if not is_damage(data[reached.offset - start.offset :], reached.seq, reached.chain):
        return None
    # Read again: a writer may have put a record where an incomplete one had been while this was looking.
    again = _read_to(disk, fd, start.offset, end)
    return CorruptLog(path, reached.seq, reached.offset) if again == data else None


def _read_to(disk: Disk, fd: int, offset: int, end: int) -> bytes:
    parts = []
    while offset < end and (part := disk.pread(fd, end - offset, offset)):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)
