"""The logs that are followed: of the sessions that are named, or of all that there are and will be.

A log that may have changed waits for its turn; each turn reads one portion. So what is in memory is one portion,
however far a consumer is behind: what it has not taken yet stays where it is, in the logs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sessionfs.durable import Disk
from sessionfs.errors import Error, NotFound, from_os_error
from sessionfs.log import NoSuchLog, Record
from sessionfs.log.pages import Place, find_end
from sessionfs.store.layout import Layout
from sessionfs.watch.cursor import Cursor, FileId, find_file, trashed_logs

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
        self._ended: set[FileId] = set()  # logs that have been read to their end, or were in the trash before
        self._trashed: frozenset[str] = frozenset()  # names in the trash
        self._trash_ns = 0  # when it was changed last
        if session_ids is None:
            self._trashed_since()
            files = (find_file(self._disk, f"{layout.trash}/{name}/log") for name in self._trashed)
            self._ended = {file for file in files if file is not None}
        for session_id in self._ids(session_ids, start):
            cursor = self._from_now(session_id) if start is None else self._from(session_id, start)
            if cursor is not None:
                self._cursors[session_id] = cursor
                self._ended.discard(cursor.file)
                self._waiting[session_id] = None

    def _ids(self, session_ids: Iterable[str] | None, start: Start) -> Iterable[str]:
        if session_ids is not None:
            return session_ids
        # Also those that have been deleted since somebody noted how far they had been read.
        return {*_names(self._disk, self._layout.sessions), *(start if isinstance(start, Mapping) else ())}

    def _from_now(self, session_id: str) -> Cursor | None:
        """Return a cursor behind the last record; None when the session is just coming or going."""
        path = self._layout.log(session_id)
        file = find_file(self._disk, path)
        if file is None:
            return None
        cursor = Cursor(self._disk, self._layout, session_id, path, file)
        try:
            cursor.seek(find_end(self._disk, path, session_id).place)
        except NoSuchLog:
            self._ended.add(file)
            return None
        return cursor

    def _from(self, session_id: str, start: int | Mapping[str, int | Place]) -> Cursor | None:
        """Return a cursor at a place in the log that has it, which may be in the trash; None when none has."""
        first = start.get(session_id, 0) if isinstance(start, Mapping) else start
        rewritten: Cursor | None = None
        for path in (self._layout.log(session_id), *reversed(trashed_logs(self._layout, session_id))):
            file = find_file(self._disk, path)
            if file is not None:
                cursor = Cursor(self._disk, self._layout, session_id, path, file)
                if isinstance(first, int):
                    self._first_seq[session_id] = first
                    return cursor
                if cursor.seek(first):
                    return cursor
                rewritten = rewritten or cursor
        return rewritten  # reading it says so

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
                session_ids += [name.rpartition("@")[0] for name in sorted(self._trashed_since())]
        for session_id in session_ids:
            if self._follows_all or session_id in self._cursors:
                self._waiting[session_id] = None

    def read(self) -> Portion | None:
        """Return the next portion; None when there is nothing now."""
        while self._waiting:
            session_id = next(iter(self._waiting))
            del self._waiting[session_id]
            try:
                records = self._read(session_id)
            except Error as failure:
                return Portion(session_id, [], failure)
            if records:
                return Portion(session_id, records)
        return None

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
            if find_file(self._disk, self._layout.log(session_id)) != cursor.file:
                self._end(cursor)  # read to its end in the trash; there may be another session of that id
            return []
        first = self._first_seq.get(session_id, 0)
        if records[-1].type == _DELETED:
            self._end(cursor)
        else:
            self._waiting[session_id] = None  # there may be more, after the others' turn
        return records if records[0].seq >= first else [record for record in records if record.seq >= first]

    def _find(self, session_id: str) -> Cursor | None:
        """Return a cursor for a session that is new: one that has been deleted since, or the one that is there."""
        if not self._follows_all:
            return None
        for path in [*trashed_logs(self._layout, session_id), self._layout.log(session_id)]:
            file = find_file(self._disk, path)
            if file is not None and file not in self._ended:
                cursor = self._cursors[session_id] = Cursor(self._disk, self._layout, session_id, path, file)
                return cursor
        return None

    def _trashed_since(self) -> frozenset[str]:
        """Return the names that have come into the trash since the last call: also sessions that nobody has seen."""
        changed_ns = os.stat(self._layout.trash).st_mtime_ns
        if changed_ns == self._trash_ns:
            return frozenset()
        # What is put there at the same tick of the clock changes nothing that can be seen.
        self._trash_ns = changed_ns if time.time_ns() - changed_ns > _TICK_NS else 0
        known, self._trashed = self._trashed, frozenset(_names(self._disk, self._layout.trash))
        return self._trashed - known

    def _end(self, cursor: Cursor) -> None:
        """Follow this log no more, and look whether another session has its id."""
        del self._cursors[cursor.session_id]
        self._first_seq.pop(cursor.session_id, None)
        if self._follows_all:
            self._ended.add(cursor.file)
            self._waiting[cursor.session_id] = None


def _names(disk: Disk, directory: str) -> list[str]:
    try:
        return disk.listdir(directory)
    except OSError as failure:
        raise from_os_error(failure, f"list {directory}") from failure
