"""The index's file: opening it, reading and writing it beside other processes, making it and replacing it.

Who writes holds an exclusive ``flock`` on ``index.sqlite.lock``, from before its transaction to after its checkpoint:
SQLite up to 3.51.2 can damage a file when one connection checkpoints while another begins its journal anew. Who opens
it holds the lock shared until the journal's files are open too, so that nobody opens half of an index that is being
replaced. Who reads what is open takes no lock: it reads the moment at which it began.

The index says which inode it is. In a copy that is another one, and a copy of a file that was in use may be of several
moments: it is made anew.

A new index is made under another name, without a journal, and put in the place of the old one when it is whole. So a
crash leaves the old one or none. Whoever has the old one open finds that its name stands for another file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator

from sessionfs import locks
from sessionfs.errors import from_os_error
from sessionfs.index.sqlite import (
    INDEX,
    MEMORY,
    Fill,
    Form,
    IndexBusy,
    NoIndex,
    build,
    connect,
    in_transaction,
    translated,
)

# Somebody may be making a new index of a large store.
_WAIT_SECONDS = 600.0

_BUILD_CACHE_KIB = 256 << 10
_CHECKPOINT_BYTES = 4 << 20

_JOURNALS = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a file

FileId = tuple[int, int]
"""Device and inode; two zeros for an index in memory."""


class Database:
    """The index at one path, or in memory. Thread-safe, and safe beside other processes."""

    def __init__(self, path: str | None, form: Form = INDEX) -> None:
        """Prepare it; nothing is opened yet.

        Args:
            path: None for one in memory, which ends with this object.
            form: What is in it.
        """
        self.path = path
        self._form = form
        self._lock = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._file: FileId | None = None  # which one the idle connections have open
        self._memory: sqlite3.Connection | None = None
        self._process = os.getpid()

    @property
    def is_shared(self) -> bool:
        """Whether readers have connections of their own; otherwise all use one, and take what they read at once."""
        return self.path is not None

    def close(self) -> None:
        """Close all connections that nobody uses; what is in memory is gone."""
        with self._lock:
            self._close_idle()
            if self._memory is not None:
                self._memory.close()
                self._memory = None

    def size(self) -> int:
        """Return how long its files are, in bytes."""
        return 0 if self.path is None else sum(_size(self.path + suffix) for suffix in ("", "-wal"))

    def file(self) -> FileId | None:
        """Return which file is the index now; None when there is none."""
        if self.path is None:
            return None if self._memory is None else (0, 0)
        return _file_at(self.path)

    # Reading

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that reads one moment, for as long as the context lasts.

        One in memory is for one thread at a time: what is done with it must not wait for others.

        Raises:
            NoIndex: There is none that can be used; the caller makes one.
        """
        with translated(), contextlib.nullcontext() if self.is_shared else self._lock:
            connection = self._take()
            try:
                if self.path is None:
                    yield connection
                    return
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction and self.path is not None:
                    connection.rollback()
                raise
            finally:
                self._give_back(connection)

    def _take(self, *, is_locked: bool = False) -> sqlite3.Connection:
        """Return a connection to what is the index now.

        Args:
            is_locked: The caller holds the lock of its files.
        """
        with self._lock:
            self._forget_after_fork()
            if self.path is None:
                if self._memory is None:
                    raise NoIndex
                return self._memory
            file = _file_at(self.path)
            if file != self._file or file is None:
                self._close_idle()
                self._file = file
            if self._idle:
                return self._idle.pop()
        return self._open(is_locked=is_locked)

    def _open(self, *, is_locked: bool) -> sqlite3.Connection:
        assert self.path is not None
        with contextlib.nullcontext() if is_locked else self._locked(fcntl.LOCK_SH):
            file = _file_at(self.path)
            if file is None:
                raise NoIndex
            connection = connect(self.path)
            try:
                if (
                    connection.execute("PRAGMA application_id").fetchone()[0] != self._form.application_id
                    or connection.execute("PRAGMA user_version").fetchone()[0] != self._form.format
                ):
                    raise NoIndex
                (own,) = connection.execute("SELECT value FROM about WHERE name = 'inode'").fetchone() or (None,)
                if own != file[1]:
                    raise NoIndex
            except BaseException:
                connection.close()
                raise
        with self._lock:
            if file != self._file:
                self._close_idle()
                self._file = file
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self.path is None:
            return
        with self._lock:
            if self._process == os.getpid() and _file_at(self.path) == self._file:
                self._idle.append(connection)
                return
        connection.close()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _forget_after_fork(self) -> None:
        # A connection must not be used, nor closed, in a child of the process that opened it.
        if self._process != os.getpid():
            _abandoned.extend(self._idle)
            if self._memory is not None:
                _abandoned.append(self._memory)
            self._idle, self._memory, self._process = [], None, os.getpid()

    # Writing

    def change(self, fill: Fill) -> None:
        """Let *fill* change the index in one transaction; of several processes one at a time.

        Raises:
            NoIndex: There is none that can be used.
        """
        with translated(), self._lock:
            if self.path is None:
                connection = self._take()
                in_transaction(connection, fill)
                return
            with self._locked(fcntl.LOCK_EX):
                connection = self._take(is_locked=True)
                try:
                    in_transaction(connection, fill)
                    if _size(self.path + "-wal") > _CHECKPOINT_BYTES:
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                finally:
                    self._give_back(connection)

    def make(self, fill: Fill, *, replace: bool) -> bool:
        """Make the index anew, unless another process has just done so.

        Args:
            fill: Fills the empty tables.
            replace: Make it even if there is one that can be used.

        Returns:
            Whether it was made here.
        """
        with self._lock:
            self._forget_after_fork()
            if self.path is None:
                if self._memory is not None:
                    self._memory.close()
                self._memory = connect(MEMORY)
                build(self._memory, fill, self._form)
                return True
            before = _file_at(self.path)
            with translated(), self._locked(fcntl.LOCK_EX):
                if not replace and _file_at(self.path) != before:
                    return False  # made while this one waited
                beside = f"{self.path}.new"
                self._make_at(beside, fill)
                self._close_idle()
                self._remove_files()
                os.rename(beside, self.path)
                self._file = None
            return True

    def _make_at(self, path: str, fill: Fill) -> None:
        for suffix in ("", *_JOURNALS):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + suffix)  # what a crash left
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            inode = os.fstat(fd).st_ino
            os.close(fd)
            connection = connect(path)
            try:
                connection.execute("PRAGMA journal_mode = OFF").fetchall()
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
                connection.execute(f"PRAGMA cache_size = -{_BUILD_CACHE_KIB}")
                build(connection, fill, self._form)
                connection.execute("INSERT INTO about VALUES ('inode', ?)", (inode,))
                connection.execute("PRAGMA locking_mode = NORMAL").fetchall()
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("PRAGMA journal_mode = WAL").fetchall()
            finally:
                connection.close()
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            raise

    def drop(self) -> bool:
        """Remove the index; say whether there was one."""
        with self._lock:
            if self.path is None:
                was_there = self._memory is not None
                self.close()
                return was_there
            was_there = _file_at(self.path) is not None
            with translated(), self._locked(fcntl.LOCK_EX):
                self._close_idle()
                self._remove_files()
                self._file = None
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{self.path}.new")
            return was_there

    def _remove_files(self) -> None:
        # The file first: without it nobody opens what is left of its journal.
        assert self.path is not None
        for suffix in ("", *_JOURNALS):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path + suffix)

    @contextlib.contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        path = f"{self.path}.lock"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as failure:
            raise from_os_error(failure, f"open {path}") from failure
        try:
            deadline = time.monotonic() + _WAIT_SECONDS
            while not _try_lock(fd, kind):
                if time.monotonic() > deadline:
                    by = locks.holder(fd)
                    raise IndexBusy(
                        f"{self._form.name} {self.path} has been locked by process {by or '?'} for {_WAIT_SECONDS:g} "
                        "s; see whether it is stopped, then try again"
                    )
                time.sleep(0.002)
            yield
        finally:
            os.close(fd)


_abandoned: list[sqlite3.Connection] = []  # of a parent process; kept, so that they are never closed here


def _try_lock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _file_at(path: str) -> FileId | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
