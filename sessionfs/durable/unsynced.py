"""What has been written but not yet synced in ``relaxed`` mode, and the one place that syncs it.

Long-lived processes call :meth:`Unsynced.sync` from a background thread, the command line once before it exits, and
anybody who wants the full promise now (``fsync(2)`` in the mount, ``session.sync()``).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple

from sessionfs.durable.again import write_file_again, write_log_again, write_pack_again
from sessionfs.durable.disk import Disk
from sessionfs.locks import renew_in_children

# Above this many files it is faster to start all of them on their way at once, then to wait for each: 1,000 files took
# 70 ms instead of 180.
_MANY_FILES = 16


class Needed(NamedTuple):
    """What has to be synced before a log, because its records name it; others wrote it, and may never sync it."""

    files: set[str]
    packs: set[str]
    logs: set[str]

    @staticmethod
    def nothing() -> Needed:
        """Return one that is empty."""
        return Needed(set(), set(), set())


Cover = Callable[[], Needed]


class Unsynced:
    """The files a power cut could still take. Thread-safe."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._files: set[str] = set()
        self._packs: set[str] = set()
        self._directories: set[str] = set()
        self._logs: dict[str, set[Cover]] = {}
        self._doubtful: set[str] = set()  # a sync of these failed
        self._lock = threading.Lock()  # for the sets: one must not grow while it is being taken over
        self._syncing = threading.Lock()
        self._changed = threading.Event()
        renew_in_children(self)

    def renew(self) -> None:
        """Begin anew in a forked child, which owes what its parent owed then: that may be killed before it syncs."""
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._changed = threading.Event()
        if not self.empty:
            self._changed.set()

    def add_file(self, path: str) -> None:
        """Owe a sync to a newly named file and to its directory."""
        with self._lock:
            self._files.add(path)
        self.wake()

    def add_pack(self, path: str) -> None:
        """Owe a sync to a file that objects were added to, and to its directory."""
        if path not in self._packs:
            with self._lock:
                self._packs.add(path)
            self.wake()

    def add_directory(self, path: str) -> None:
        """Owe a sync to a directory in which a name has appeared."""
        with self._lock:
            self._directories.add(path)
        self.wake()

    def add_log(self, path: str, cover: Cover | None = None) -> None:
        """Owe a sync to an appended file.

        Args:
            cover: Called when it is synced; what it returns is synced before it. Several may be given for a path:
                another session may be there by now.
        """
        covers = self._logs.get(path)
        if covers is None or (cover is not None and cover not in covers):
            with self._lock:
                covers = self._logs.setdefault(path, set())
                if cover is not None:
                    covers.add(cover)
            self.wake()

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait until something is owed; False when the time is over."""
        return self._changed.wait(timeout_seconds)

    def wake(self) -> None:
        """End a :meth:`wait`, also when nothing is owed."""
        if not self._changed.is_set():  # setting it costs 2 us, asking 0.1
            self._changed.set()

    @property
    def is_awake(self) -> bool:
        """Whether something was written since the last :meth:`sync` began."""
        return self._changed.is_set()

    @property
    def empty(self) -> bool:
        """Whether nothing is owed."""
        return not (self._files or self._packs or self._directories or self._logs)

    def sync(self) -> None:
        """Put everything owed on stable storage.

        Order: objects, then the directories that name them, then the logs whose records name the objects, so that
        a power cut in the middle leaves no record without its object.

        Raises:
            OSError, Error: Something could not be synced; all of it is still owed.
        """
        with self._syncing:
            self._changed.clear()
            with self._lock:
                files, self._files = self._files, set()
                packs, self._packs = self._packs, set()
                directories, self._directories = self._directories, set()
                logs, self._logs = self._logs, {}
            try:
                for cover in [cover for covers in logs.values() for cover in covers]:
                    needed = cover()
                    files |= needed.files
                    packs |= needed.packs
                    for path in needed.packs | needed.logs:  # their directory may be as new as they are
                        directories |= {os.path.dirname(path), os.path.dirname(os.path.dirname(path))}
                    logs |= {path: set() for path in needed.logs - logs.keys()}
                self._sync(files, packs, directories, logs)
            except BaseException:
                with self._lock:
                    self._files |= files
                    self._packs |= packs
                    self._directories |= directories
                    for path, covers in logs.items():
                        self._logs.setdefault(path, set()).update(covers)
                self._changed.set()
                raise

    def _sync(self, files: set[str], packs: set[str], directories: set[str], logs: Iterable[str]) -> None:
        disk = self._disk
        if len(files) > _MANY_FILES:
            disk.sync_all(os.path.dirname(next(iter(files))))
        for path in sorted(files):
            self._sync_file(path, self._disk.fsync, write_file_again)
        for path in sorted(packs):
            self._sync_file(path, self._disk.fsync, write_pack_again)
        for directory in sorted(directories | {os.path.dirname(path) for path in files | packs}):
            self._sync_directory(directory)
        for path in sorted(logs):
            self._sync_file(path, self._disk.fdatasync, write_log_again)

    def _sync_directory(self, path: str) -> None:
        try:
            self._disk.sync_directory(path)
        except FileNotFoundError:
            return  # as below

    def _sync_file(self, path: str, sync: Callable[[int], None], write_again: Callable[[Disk, str], None]) -> None:
        try:
            if path in self._doubtful:
                write_again(self._disk, path)
                self._doubtful.discard(path)
                return
            fd = self._disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._doubtful.discard(path)
            return  # moved to the trash, or a session deleted since: nothing is owed to it
        try:
            sync(fd)
        except OSError:
            self._doubtful.add(path)
            raise
        finally:
            self._disk.close(fd)
