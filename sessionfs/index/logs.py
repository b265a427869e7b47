"""Which logs have grown, and reading on in one of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sessionfs.durable import Disk
from sessionfs.errors import from_os_error
from sessionfs.index.sessions import FileState
from sessionfs.log import CorruptLog, Position, Record, parse_linked
from sessionfs.log.damage import UnreadableLog, is_damage
from sessionfs.log.framing import FRAMING_LENGTH, written_chain
from sessionfs.log.lines import opened
from sessionfs.log.record import whole_count
from sessionfs.store.store import Store

_READ_BYTES = 1 << 20


class Moved(NamedTuple):
    """Sessions whose logs are not what they were."""

    changed: dict[str, FileState]  # what they are now
    gone: list[str]

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        return not self.changed and not self.gone


def find_moved(store: Store, known: Mapping[str, FileState]) -> Moved:
    """Return which sessions have moved, by looking at every log: 2 us each.

    The marks in ``changed/`` would say the same, but for writers that were killed before they touched one, and for
    copies of a store, which come without them.
    """
    layout = store.layout
    changed: dict[str, FileState] = {}
    try:
        names = os.listdir(layout.sessions)
        # Below one descriptor: to look up the whole path each time takes half as long again.
        directory = os.open(layout.sessions, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as failure:
        raise from_os_error(failure, f"list the sessions of {layout.root}") from failure
    gone = set(known)
    try:
        for name in names:
            try:
                status = os.stat(f"{name}/log", dir_fd=directory)
            except OSError:
                continue  # gone, being made, or not to be read: whoever reads it is told
            state = (status.st_ino, status.st_size, status.st_mtime_ns)
            if known.get(name) != state:
                changed[name] = state
            gone.discard(name)
    finally:
        os.close(directory)
    for name, state in store.disk.shelved().items():
        before = known.get(name)
        # Put on a shelf, it is as long as it was.
        if name not in changed and (before is None or (name in gone and before[1:] != state[1:])):
            changed[name] = state
        gone.discard(name)
    return Moved(changed, sorted(gone))


def look_at(store: Store, session_id: str) -> FileState | None:
    """Return what the log of a session is now; None when there is none."""
    try:
        status = store.disk.status_at(store.layout.log(session_id))
    except OSError:
        return None
    return None if status is None else status[1:]


class Batch(NamedTuple):
    """Some records, and the place behind them; at the end perhaps what is wrong there."""

    records: list[Record]
    position: Position
    damage: CorruptLog | None = None


def read_on(disk: Disk, path: str, start: Position) -> Iterator[Batch]:
    """Yield the whole, linked records of a log from *start*, some at a time; whoever reads on takes no lock.

    Raises:
        NoSuchLog: There is none.
        Error: It cannot be read.
    """
    try:
        with opened(disk, path) as fd:
            yield from _read_on(disk, fd, path, start)
    except UnreadableLog as failure:
        yield Batch([], start, failure)


def _read_on(disk: Disk, fd: int, path: str, start: Position) -> Iterator[Batch]:
    position, length = start, _READ_BYTES
    size = disk.size(fd)
    while position.offset < size:
        data = disk.pread(fd, min(length, size - position.offset), position.offset)
        records, reached = parse_linked(data, position)
        whole = whole_count(records)
        if whole < len(records):  # an append that is not here to its end
            reached = _position_behind(data, position, records[:whole])
            del records[whole:]
        if records:
            position = reached
            yield Batch(records, position)
        elif len(data) < length:
            break  # nothing more that is whole
        else:
            length *= 2
    if position.offset < size:
        damage = _damage(disk, fd, path, position, size)
        if damage is not None:
            yield Batch([], position, damage)


def _position_behind(data: bytes, start: Position, records: list[Record]) -> Position:
    end = 0
    for _ in records:
        end = data.index(b"\n", end) + 1
    if not records:
        return start
    last = records[-1]
    return Position(last.seq + 1, start.offset + end, last.chain, last.base)


def _damage(disk: Disk, fd: int, path: str, position: Position, size: int) -> CorruptLog | None:
    """Return what is wrong behind *position*; None for what the next writer sets aside."""
    data = disk.pread(fd, size - position.offset, position.offset)
    records, reached = parse_linked(data, position)
    if records and whole_count(records):
        return None  # appended since
    rest = data[reached.offset - position.offset :]
    return CorruptLog(path, reached.seq, reached.offset) if is_damage(rest, reached.seq, reached.chain) else None


def is_behind(disk: Disk, path: str, position: Position) -> bool:
    """Say whether the record before *position* is in the log where it was: then what was read of it is still so."""
    if position.offset == 0:
        return True
    try:
        fd = disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, UnreadableLog):
        return False
    try:
        line = disk.pread(fd, FRAMING_LENGTH + 1, position.offset - FRAMING_LENGTH - 1)
    finally:
        disk.close(fd)
    return line.endswith(b"\n") and written_chain(line[:-1]) == position.chain
