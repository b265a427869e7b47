"""The logs that are followed: of the sessions that are named, or of all that there are and will be.

A log that may have changed waits for its turn; each turn reads one portion. So what is in memory is one portion,
however far a consumer is behind: what it has not taken yet stays where it is, in the logs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from sessionfs.durable import Disk
from sessionfs.errors import Error, NotFound, from_os_error
from sessionfs.log import NoSuchLog, Record
from sessionfs.log.pages import Place, find_end
from sessionfs.store.deleted import trashed, trashed_logs
from sessionfs.store.layout import Layout
from sessionfs.watch.cursor import Cursor, look_at

Start = int | Mapping[str, int | Place] | None
"""From which record on, of the sessions that are there: None for those to come; a number; numbers or places by
session's id, 0 for those without one. Sessions that are created later are followed from their first record."""

_DELETED = "session.deleted"

_TICK_NS = 50_000_000  # longer than any filesystem's clock takes to move


class LostLog(NotFound):
    """A log has gone, without having been deleted as sessions are."""


class Portion(NamedTuple):
    """Some records of one session, or why they cannot be read: then it is left alone until it changes."""

    session_id: str
    records: list[Record]
    failure: Error | None = None


class _Ended(NamedTuple):
    """A log that has been read to its end, or was in the trash before."""

    last: str  # the chain of its last line: while that is its end, there is nothing more in it
    seq: int  # where it goes on when it is taken out of the trash: that cuts the record of the deletion off


class Logs:
    """Every record of some logs, each once, those of one session in order. Not thread-safe."""

    def __init__(self, disk: Disk, layout: Layout, session_ids: Iterable[str] | None, start: Start = None) -> None:
        """Begin.

        Args:
            session_ids: Of sessions that exist; None for all, also those to come.

        Raises:
            Error: The store cannot be read.
        """
        self._disk = disk
        self._layout = layout
        self._follows_all = session_ids is None
        self._cursors: dict[str, Cursor] = {}
        self._first_seq: dict[str, int] = {}
        self._waiting: dict[str, None] = {}  # ids whose turn comes, in order
        self._ended: dict[str, dict[str, _Ended]] = {}  # by session's id, and the chain of the log's first record
        self._trashed: frozenset[str] = frozenset()  # names in the trash
        self._trash_ns = 0  # when it was changed last
        if session_ids is None:
            for name in self._look_at_trash():
                log = look_at(self._disk, f"{layout.trash}/{name}/log")
                if log is not None:
                    self._ended.setdefault(_id_of(name), {})[log.first] = _Ended(log.last, log.last_seq)
        for session_id in self._ids(session_ids, start):
            cursor = self._begin(session_id, start)
            if cursor is not None:
                self._cursors[session_id] = cursor
                self._waiting[session_id] = None

    def _ids(self, session_ids: Iterable[str] | None, start: Start) -> Iterable[str]:
        if session_ids is not None:
            return session_ids
        # Also those that have been deleted since somebody noted how far they had been read.
        return {*_names(self._disk, self._layout.sessions), *(start if isinstance(start, Mapping) else ())}

    def _begin(self, session_id: str, start: Start) -> Cursor | None:
        """Return a cursor at a place in the log that has it, which may be in the trash; None when none has."""
        first = start.get(session_id, 0) if isinstance(start, Mapping) else start
        rewritten: Cursor | None = None
        for path in self._paths(session_id):
            log = look_at(self._disk, path)
            if log is None:
                continue
            cursor = Cursor(self._disk, self._layout, session_id, path, log.first)
            if isinstance(first, int):
                self._first_seq[session_id] = first
                return cursor
            try:
                place = find_end(self._disk, path, session_id).place if first is None else first
            except NoSuchLog:
                continue  # it is just going to the trash
            if cursor.seek(place):
                return cursor
            rewritten = rewritten or cursor
        return rewritten  # reading it says so

    def _paths(self, session_id: str) -> Iterator[str]:
        """Yield where the log of the session is, and where those of deleted ones that had its id are, newest first."""
        yield self._layout.log(session_id)
        yield from reversed(trashed_logs(self._disk, self._layout, session_id))

    @property
    def is_over(self) -> bool:
        """Whether there will never be another record: the sessions that were named are deleted."""
        return not self._follows_all and not self._cursors

    @property
    def has_waiting(self) -> bool:
        """Whether some log may have something to read now."""
        return bool(self._waiting)

    def changed(self, session_ids: Iterable[str] | None) -> None:
        """Note that these sessions may have changed, be new or be gone; None for any of them."""
        if session_ids is None:
            session_ids = [cursor.session_id for cursor in self._cursors.values() if cursor.has_changed()]
            if self._follows_all:
                session_ids += [name for name in _names(self._disk, self._layout.sessions) if name not in self._cursors]
                session_ids += [_id_of(name) for name in sorted(self._look_at_trash())]
        for session_id in session_ids:
            if self._follows_all or session_id in self._cursors:
                self._waiting[session_id] = None

    def is_followed(self, session_id: str) -> bool:
        """Say whether there may be more records of a session: it has not been deleted."""
        return session_id in self._cursors

    def read(self) -> Portion | None:
        """Return what is next in the log whose turn it is, perhaps nothing; None when no log has to be looked at."""
        session_id = next(iter(self._waiting), None)
        if session_id is None:
            return None
        del self._waiting[session_id]
        try:
            return Portion(session_id, self._read(session_id))
        except Error as failure:
            return Portion(session_id, [], failure)

    def _read(self, session_id: str) -> list[Record]:
        cursor = self._cursors.get(session_id) or self._find(session_id)
        if cursor is None:
            return []
        records = cursor.read()
        if records is None:
            self._end(cursor)
            raise LostLog(
                f"the log of session {session_id} has gone, and not to the trash; "
                f"what came after its first {cursor.position.seq} records is lost to who watches it"
            )
        if not records:
            if not cursor.is_in_place:
                self._end(cursor)  # read to its end in the trash; there may be another session of that id
            return []
        first = self._first_seq.get(session_id, 0)
        if records[-1].type == _DELETED:
            self._end(cursor, records[-1])
        else:
            self._waiting[session_id] = None  # there may be more, after the others' turn
        return records if records[0].seq >= first else [record for record in records if record.seq >= first]

    def _find(self, session_id: str) -> Cursor | None:
        """Return a cursor for a session that is new: one that has been deleted since, or the one that is there."""
        if not self._follows_all:
            return None
        ended = self._ended.get(session_id, {})
        for path in [*trashed_logs(self._disk, self._layout, session_id), self._layout.log(session_id)]:
            log = look_at(self._disk, path)
            before = None if log is None else ended.get(log.first)
            if log is None or (before is not None and before.last == log.last):
                continue
            if before is not None:
                self._first_seq[session_id] = before.seq
            cursor = self._cursors[session_id] = Cursor(self._disk, self._layout, session_id, path, log.first)
            return cursor
        return None

    def _look_at_trash(self) -> frozenset[str]:
        """Return the names that have come into the trash since the last call: also sessions that nobody has seen.

        Whatever has gone from it is forgotten.
        """
        changed_ns = self._trash_changed_ns()
        if changed_ns == self._trash_ns:
            return frozenset()
        # What is put there at the same tick of the clock changes nothing that can be seen.
        self._trash_ns = changed_ns if time.time_ns() - changed_ns > _TICK_NS else 0
        known, self._trashed = self._trashed, frozenset(trashed(self._disk, self._layout))
        nowhere = self._ended.keys() - {_id_of(name) for name in self._trashed}
        for session_id in nowhere | {_id_of(name) for name in known - self._trashed}:
            self._forget_gone(session_id)
        return self._trashed - known

    def _trash_changed_ns(self) -> int:
        try:
            return self._disk.modified_ns(self._layout.trash) or 0
        except OSError as failure:
            raise from_os_error(failure, f"look at {self._layout.trash}") from failure

    def _forget_gone(self, session_id: str) -> None:
        """Forget what has ended of the logs that had a session's id and are nowhere any more."""
        ended = self._ended.pop(session_id, {})
        there = [log.first for path in self._paths(session_id) if (log := look_at(self._disk, path)) is not None]
        if left := {first: ended[first] for first in there if first in ended}:
            self._ended[session_id] = left

    def _end(self, cursor: Cursor, deletion: Record | None = None) -> None:
        """Follow this log no more, and look whether another session has its id.

        Args:
            deletion: Its last record, if that is why.
        """
        session_id = cursor.session_id
        del self._cursors[session_id]
        self._first_seq.pop(session_id, None)
        if not self._follows_all:
            return
        position = cursor.position
        if deletion is not None:
            ended = _Ended(deletion.chain, deletion.seq)
        else:
            log = look_at(self._disk, cursor.path)
            ended = _Ended(position.chain if log is None else log.last, position.seq)
        self._ended.setdefault(session_id, {})[cursor.first] = ended
        self._waiting[session_id] = None


def _id_of(trashed_name: str) -> str:
    return trashed_name.rpartition("@")[0]


def _names(disk: Disk, directory: str) -> list[str]:
    try:
        return disk.listdir(directory)
    except OSError as failure:
        raise from_os_error(failure, f"list {directory}") from failure
