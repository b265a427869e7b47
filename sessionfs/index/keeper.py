"""Keeping the index up to date: when somebody asks, what has moved since is taken in, and nothing else is looked at."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from sessionfs.errors import Corrupt
from sessionfs.index import logs
from sessionfs.index.database import Database, FileId
from sessionfs.index.sessions import FileState
from sessionfs.index.sqlite import NoIndex
from sessionfs.log import Position
from sessionfs.log.appends import is_behind
from sessionfs.store.store import Store

if TYPE_CHECKING:
    from sessionfs.index.catch_up import Filler
    from sessionfs.watch.notices import Notices

Progress = Callable[[int, int], None]
"""Called with how many bytes of logs are done, and of how many."""

TRIES = 3
"""How often an index is made that turns out not to be usable."""

# Writers that were killed before they touched their mark are found by looking at all logs, that often.
_LOOKING_SECONDS = 2.0

# A transaction ends after so many bytes of logs, so that those who wait get their turn.
_BYTES_AT_ONCE = 16 << 20

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class UnusableIndex(Corrupt):
    """The index was damaged as soon as it was made, or while it was read."""


class Keeper:
    """What this process knows of the logs and of how far the index has read them. Thread-safe."""

    def __init__(self, store: Store, database: Database) -> None:
        self._store = store
        self._database = database
        self._lock = threading.RLock()
        # What the index has read; another process may have read more since, which whoever writes to it finds.
        self._known: dict[str, FileState] = {}
        self._known_of: FileId | None = None  # the file that this was read from
        self._notices: Notices | None = None
        self._is_used_again = False
        self._looked_at = -_LOOKING_SECONDS
        self._process = os.getpid()
        # How often something had moved, whoever took it in, or the index was made: what was found before may be old.
        self.generation = 0

    def close(self) -> None:
        """Stop watching; it can go on being used."""
        with self._lock:
            if self._notices is not None:
                self._notices.close()
                self._notices = None

    def refresh(self, progress: Progress | None = None) -> None:
        """Take in what was appended to logs; make the index if there is none that can be used.

        Everything is in it that had been acknowledged when this was called, by whichever process.

        Raises:
            UnusableIndex: The disk does not keep it.
            Error: The store cannot be read, or the index not written.
        """
        with self._lock:
            if self._process != os.getpid():
                # What is told to the parent is not told to its child.
                self._process, self._notices = os.getpid(), None
            try:
                self._refresh(progress)
            except BaseException:
                self._looked_at = -_LOOKING_SECONDS  # who was told of is not known any more
                raise

    def _refresh(self, progress: Progress | None) -> None:
        for _ in range(TRIES):
            try:
                moved = self._find_moved()
                if not moved.is_empty:
                    self.generation += 1
                    self._catch_up(moved, progress)
                return
            except NoIndex:
                self.make(progress)
        raise unusable(self._database)

    def make(self, progress: Progress | None = None, *, replace: bool = False) -> None:
        """Make the index anew from the logs, unless another process has just done that.

        Args:
            replace: Make it in any case.
        """
        with self._lock:
            self._known = {}
            self.generation += 1
            self._database.make(partial(self._fill, progress), replace=replace)
            # What is known is read from it, also when it was made here: then all is as it is when others make it.
            self._known_of = None
            self._looked_at = -_LOOKING_SECONDS

    # Looking

    def _find_moved(self) -> logs.Moved:
        """Return which sessions have moved: those that were told of, or, from time to time, all are looked at."""
        told, looked_at = self._told(), time.monotonic()
        is_recent = self._database.file() == self._known_of and looked_at - self._looked_at < _LOOKING_SECONDS
        if told is None or self._known_of is None or not is_recent:
            self._read_known()
            moved = logs.find_moved(self._store, self._known)
            self._looked_at = looked_at
            return moved
        states = {session_id: logs.look_at(self._store, session_id) for session_id in told}
        changed = {one: state for one, state in states.items() if state is not None and self._known.get(one) != state}
        return logs.Moved(changed, [one for one, state in states.items() if state is None])

    def _told(self) -> set[str] | None:
        """Return who was told of since the last call; None when it may be anybody."""
        if not self._is_used_again:
            self._is_used_again = True  # most processes ask once
            return None
        if self._notices is None:
            from sessionfs.watch.notices import open_notices  # late: most processes ask once

            # A store that was copied has no marks, and one that may only be read is not given any.
            poll = None if os.path.isdir(self._store.layout.changed) else True
            self._notices = open_notices(self._store.layout, None, poll=poll)
            return None
        told: set[str] = set()
        while (some := self._notices.read()) is not None:
            if not some:
                return told
            told.update(some)
        return None

    def _read_known(self) -> None:
        """Read how far the index has got, which another process may have brought it."""
        file, before = self._database.file(), (self._known_of, self._known)
        with self._database.reading() as connection:
            self._known = read_files(connection)
            found = connection.execute("SELECT value FROM about WHERE name = 'boot'").fetchone()
        self._known_of = file
        if found is None or found[0] != _boot_id():
            self._database.change(self._verify)
        if (file, self._known) != before:
            self.generation += 1

    # Filling

    def _filler(self, connection: sqlite3.Connection) -> Filler:
        from sessionfs.index.catch_up import Filler  # late: mostly nothing has moved, and a verb is in a hurry

        return Filler(self._store, connection)

    def _catch_up(self, moved: logs.Moved, progress: Progress | None) -> None:
        waiting = sorted(moved.changed.items())
        total, done = sum(state[1] for _, state in waiting), 0
        if moved.gone:
            self._database.change(partial(self._remove, moved.gone))
        begin = 0
        while begin < len(waiting):
            end, size = begin, 0
            while end < len(waiting) and size < _BYTES_AT_ONCE:
                size += waiting[end][1][1]
                end += 1
            self._database.change(partial(self._fill_some, waiting[begin:end]))
            begin, done = end, done + size
            if progress is not None:
                progress(done, total)

    def _remove(self, gone: list[str], connection: sqlite3.Connection) -> None:
        filler = self._filler(connection)
        for session_id in gone:
            if logs.look_at(self._store, session_id) is None:
                filler.remove_gone(session_id)
            self._known.pop(session_id, None)

    def _fill_some(self, some: list[tuple[str, FileState]], connection: sqlite3.Connection) -> None:
        filler = self._filler(connection)
        for session_id, state in some:
            filler.fill(session_id, state)
        self._known.update(some)

    def _fill(self, progress: Progress | None, connection: sqlite3.Connection) -> None:
        started_ns = time.monotonic_ns()
        sessions = sorted(logs.find_moved(self._store, {}).changed.items())
        filler = self._filler(connection)
        total, done = sum(state[1] for _, state in sessions), 0
        for session_id, state in sessions:
            filler.fill(session_id, state)
            done += state[1]
            if progress is not None:
                progress(done, total)
        about = {
            "boot": _boot_id(),
            "made_ns": self._store.clock(),
            "reading_ns": time.monotonic_ns() - started_ns,
        }
        connection.executemany("INSERT INTO about VALUES (?, ?)", about.items())

    def _verify(self, connection: sqlite3.Connection) -> None:
        """After another boot: forget what a power cut took from logs after the index had read it."""
        filler = self._filler(connection)
        for session_id, *place in connection.execute("SELECT id, seq, offset, chain, base FROM sessions").fetchall():
            if not is_behind(self._store.disk, self._store.layout.log(session_id), Position(*place)):
                for gone in filler.forget(session_id):
                    self._known.pop(gone, None)
        connection.execute("INSERT OR REPLACE INTO about VALUES ('boot', ?)", (_boot_id(),))


def read_files(connection: sqlite3.Connection) -> dict[str, FileState]:
    """Return what each session's log was when the index read it."""
    rows = connection.execute("SELECT id, file_id, file_bytes, file_changed_ns FROM sessions")
    return {session_id: (file_id, size, changed_ns) for session_id, file_id, size, changed_ns in rows}


def unusable(database: Database) -> UnusableIndex:
    """Return the error for an index that cannot be used even when it has just been made."""
    return UnusableIndex(f"the index {database.path} cannot be read back right after it was made; check the disk")


def interrupted(database: Database) -> UnusableIndex:
    """Return the error for an index that was damaged while somebody took what was found, and is made anew since."""
    return UnusableIndex(f"the index {database.path} was damaged while it was read; it is made anew, so ask again")


def _boot_id() -> str:
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "?"  # not Linux: nobody says when it was started
