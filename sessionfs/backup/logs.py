"""Two copies of one log: how they stand to each other, and letting one catch up with the other.

A record's chain is a hash of all records before it. So one copy is the beginning of another if the chain at its end is
the chain at that place of the other; nothing else need be compared, and only what is new is read. A log that is made is
there at once and whole; one that gets longer is, whatever happens, at a place where it once was.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from sessionfs.durable import Disk, place, write_all
from sessionfs.durable.publish import make_directory
from sessionfs.errors import Conflict, Corrupt, from_os_error
from sessionfs.log import CorruptLog, NoSuchLog, Position
from sessionfs.log.damage import UnreadableLog
from sessionfs.log.framing import is_followed, written_chain
from sessionfs.log.pages import End, Line, Place, find_end, read_on, start_of
from sessionfs.store.store import Store

_LOG_MODE = 0o666  # less the umask, as of every log
_WRITE_BYTES = 4 << 20
_ENDING_BYTES = 64  # of a line: its chain

# More are synced at once, with all of the filesystem.
_MANY_LOGS = 32


class Relation(Enum):
    """How a log in the target stands to the one in the source."""

    ABSENT = "absent"
    SAME = "same"
    BEHIND = "behind"  # it is the beginning of the other
    AHEAD = "ahead"
    DIVERGED = "diverged"
    DAMAGED = "damaged"


class LogMoved(Conflict):
    """Somebody else wrote to a log while it was to be extended."""


class LogFile(NamedTuple):
    """A copy of a session's log."""

    disk: Disk
    path: str
    session_id: str

    def ending(self, offset: int) -> bytes:
        """Return what stands before *offset*, as long as a chain; nothing when there is no file."""
        length = min(offset, _ENDING_BYTES)
        try:
            fd = self.disk.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return self.disk.pread(fd, length, offset - length)
            finally:
                self.disk.close(fd)
        except FileNotFoundError:
            return b""
        except OSError as failure:
            raise from_os_error(failure, f"read {self.path}") from failure

    def has(self, wanted: Place) -> bool:
        """Say whether the log has this place."""
        if wanted.offset == 0:
            return wanted.chain == self.session_id
        ending = self.ending(wanted.offset)
        return ending.endswith(b'"}\n') and written_chain(ending[:-1]) == wanted.chain


def log_of(store: Store, session_id: str) -> LogFile:
    """Return the log of a session of *store*."""
    return LogFile(store.disk, store.layout.log(session_id), session_id)


class Related(NamedTuple):
    """A relation, and where the target's log ends."""

    relation: Relation
    end: Place


class Extended(NamedTuple):
    """What was added to a log."""

    record_count: int
    end: Place
    damage: Corrupt | None  # why it was not more: that of the source


def find_source_end(store: Store, session_id: str) -> End | None:
    """Return where the good part of a log ends now; None when there is no session."""
    try:
        end = find_end(store.disk, store.layout.log(session_id), session_id)
    except NoSuchLog:
        return None
    return None if end.place.seq == 0 and end.damage is None else end


def is_same(source: Store, target: Store, session_id: str) -> bool:
    """Say whether two logs look the same: as long as each other, with the same end. Costs a few microseconds."""
    size = source.disk.size_at(source.layout.log(session_id))
    if not size or target.disk.size_at(target.layout.log(session_id)) != size:
        return False
    try:
        return log_of(source, session_id).ending(size) == log_of(target, session_id).ending(size)
    except UnreadableLog:
        return False  # whoever looks closer says why


def relate(source: LogFile, source_end: Place, target: LogFile) -> Related:
    """Return how the target's log stands to the source's, which ends at *source_end*."""
    try:
        there = find_end(target.disk, target.path, target.session_id)
    except NoSuchLog:
        return Related(Relation.ABSENT, start_of(target.session_id))
    if there.damage is not None:
        return Related(Relation.DAMAGED, there.place)
    end = there.place
    if end == source_end:
        return Related(Relation.SAME, end)
    if end.offset < source_end.offset:
        return Related(Relation.BEHIND if source.has(end) else Relation.DIVERGED, end)
    return Related(Relation.AHEAD if target.has(source_end) else Relation.DIVERGED, end)


def good_lines(store: Store, session_id: str, start: Place, end: Place) -> Iterator[bytes]:
    """Yield the lines between two places of a log, up to what is damaged: whoever copies them says so."""
    try:
        for line in read_on(store.disk, store.layout.log(session_id), start, end.offset):
            yield line.text
    except CorruptLog:
        return


def extend(source: Store, target: Store, session_id: str, start: Place, end: Place) -> Extended:
    """Add to the target's log, which ends at *start*, what the source's has from there to *end*.

    Raises:
        LogMoved: Somebody else has written to it since it was looked at; nothing was changed.
        NoSpace, ReadOnlyStore: It is as it was, or at a place between the two.
        NoSuchLog: The source's log has gone.

    Durability:
        Survives this process; :func:`sync_logs` makes it safe. What its records name is on stable storage before.

    Concurrency:
        Holds the lock of the target's log.
    """
    copying = _Copying(source, session_id, start, end)
    if target.disk.size_at(target.layout.log(session_id)) is None:
        _make(target, session_id, copying)
    else:
        _append(target, session_id, start, copying)
    if copying.reached != start:
        target.unsynced.add_log(target.layout.log(session_id))
        target.unread(session_id).log.tell()
    return Extended(copying.reached.seq - start.seq, copying.reached, copying.damage)


class _Copying:
    """The lines that are copied, in pieces that end where an append ends."""

    def __init__(self, source: Store, session_id: str, start: Place, end: Place) -> None:
        self._source = source
        self._path = source.layout.log(session_id)
        self._start = start
        self._end = end
        self.reached = start
        self.damage: CorruptLog | None = None

    def pieces(self) -> Iterator[tuple[bytes, Place]]:
        """Yield bytes, and the place behind them; up to what is damaged."""
        kept: list[bytes] = []
        size = 0
        for together, after in self._appends():
            kept += together
            size += sum(map(len, together))
            if size >= _WRITE_BYTES:
                yield b"".join(kept), after
                self.reached = after
                kept, size = [], 0
            last = after
        if kept:
            yield b"".join(kept), last
            self.reached = last

    def _appends(self) -> Iterator[tuple[list[bytes], Place]]:
        together: list[bytes] = []
        try:
            for line in self._lines():
                together.append(line.text)
                if not is_followed(line.text[:-1]):
                    yield together, line.after
                    together = []
        except CorruptLog as failure:
            self.damage = failure

    def _lines(self) -> Iterator[Line]:
        return read_on(self._source.disk, self._path, self._start, self._end.offset)


def _make(target: Store, session_id: str, copying: _Copying) -> None:
    """Make a log, which appears whole."""
    disk, layout = target.disk, target.layout
    path = layout.log(session_id)
    try:
        temporary = disk.create_temporary(layout.staging, _LOG_MODE)
        try:
            for data, _ in copying.pieces():
                write_all(disk, temporary.fd, data)
            if copying.reached.offset == 0:
                return
            make_directory(disk, target.unsynced, target.config.mode, layout.session(session_id))
            if not place(disk, target.unsynced, target.config.mode, temporary, path):
                raise LogMoved(f"a session {session_id!r} was created in {target.path} meanwhile; try again")
        finally:
            disk.discard_temporary(temporary)
    except OSError as failure:
        raise from_os_error(failure, f"write {path}") from failure


def _append(target: Store, session_id: str, start: Place, copying: _Copying) -> None:
    log = target.unread(session_id).log
    log.seek(Position(start.seq, start.offset, start.chain, 0))
    with log.writing():
        if log.position.offset != start.offset:
            raise LogMoved(f"session {session_id} in {target.path} was written to meanwhile; try again")
        for data, after in copying.pieces():
            log.append_lines(data, Position(after.seq, after.offset, after.chain, 0))


def sync_logs(store: Store, count: int) -> None:
    """Put what was copied on stable storage, in either mode; *count* logs of it at most."""
    if count > _MANY_LOGS:
        store.sync_everything()
    else:
        store.sync()
