"""The disk as a store sees it: with what lies on shelves as if it were in ``sessions/``.

Whoever reads a session's files need not know where they are. Reading gives a copy in memory (a memfd, which cannot be
written); whoever takes the lock of a log, makes a ref, renames or removes something, finds the session taken off the
shelf and in its place. What has been opened for reading goes on with the file in its place, once there is one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sessionfs.durable import Disk, Unsynced, pwrite_all
from sessionfs.errors import from_os_error
from sessionfs.log.lines import NoSuchLog
from sessionfs.store.layout import Layout

if TYPE_CHECKING:
    from sessionfs.store.shelves import Placed, Shelves

LOG = "log"

_CHANGING = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_REOPENED = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC


class ShelfDisk:
    """Passes everything on to another disk, but for what is on a shelf. Thread-safe."""

    def __init__(self, disk: Disk, layout: Layout) -> None:
        """Lay the shelves of a store over *disk*."""
        self.below = disk
        self._layout = layout
        self._sessions = f"{layout.sessions}/"
        self._shelves: Shelves | None = None
        self._copies: dict[int, str] = {}  # descriptors of copies in memory, and the paths that were opened
        self._lock = threading.RLock()
        # As they are, so that they cost nothing more; some only until there is a copy in memory.
        self.close, self.size, self.identity = disk.close, disk.size, disk.identity
        self.lock, self.try_lock = disk.lock, disk.try_lock
        self.pread, self.write, self.pwrite, self.truncate = disk.pread, disk.write, disk.pwrite, disk.truncate
        self.fsync, self.fdatasync, self.touch, self.now_ns = disk.fsync, disk.fdatasync, disk.touch, disk.now_ns
        self.next_data, self.boot_id, self.unlock = disk.next_data, disk.boot_id, disk.unlock
        self.sync_directory, self.sync_all = disk.sync_directory, disk.sync_all
        self.sync_filesystem, self.create_temporary = disk.sync_filesystem, disk.create_temporary
        self.name_temporary, self.discard_temporary = disk.name_temporary, disk.discard_temporary
        self.lock_shared, self.is_named = disk.lock_shared, disk.is_named

    @property
    def shelves(self) -> Shelves:
        """What lies there."""
        if self._shelves is None:
            from sessionfs.store.shelves import Shelves  # late: most stores have none, and plumbing verbs start fast

            self._shelves = Shelves(self.below, self._layout)
        return self._shelves

    # Reading

    def open(self, path: str, flags: int, mode: int = 0o666) -> int:
        if path.startswith(self._sessions):
            if flags & _CHANGING or (flags & os.O_RDWR and not flags & os.O_APPEND):
                with self._off_the_shelf(path):
                    return self.below.open(path, flags, mode)
            try:
                return self.below.open(path, flags, mode)
            except FileNotFoundError:
                copied = self._open_copy(path)
                if copied is None:
                    raise
                return copied
        return self.below.open(path, flags, mode)

    def size_at(self, path: str) -> int | None:
        size = self.below.size_at(path)
        if size is None and path.startswith(self._sessions):
            found = self._find(path)
            return None if found is None else dict(found[0].row.files).get(found[1])
        return size

    def modified_ns(self, path: str) -> int | None:
        modified_ns = self.below.modified_ns(path)
        if modified_ns is None and path.startswith(self._sessions):
            found = self._find(path)
            return None if found is None else found[0].row.modified_ns
        return modified_ns

    def status_at(self, path: str) -> tuple[int, int, int, int] | None:
        status = self.below.status_at(path)
        if status is None and path.startswith(self._sessions):
            found = self._find(path)
            size = None if found is None else dict(found[0].row.files).get(found[1])
            return None if found is None or size is None else (*_identity(path), size, found[0].row.modified_ns)
        return status

    def listdir(self, path: str) -> list[str]:
        if path == self._layout.sessions:
            there = self.below.listdir(path)
            shelved = self._on_shelves()
            return there if not shelved else [*there, *(shelved.keys() - set(there))]
        found = self._find(path) if path.startswith(self._sessions) and self._has_shelves() else None
        if found is None:
            return self.below.listdir(path)
        placed, inside = found
        above = f"{inside}/" if inside else ""
        names = {name[len(above) :].partition("/")[0] for name, _ in placed.row.files if name.startswith(above)}
        try:
            return sorted(names.union(self.below.listdir(path)))
        except FileNotFoundError:
            if not names:
                raise
            return sorted(names)

    # Changing

    def mkdir(self, path: str) -> None:
        with self._off_the_shelf(path):
            self.below.mkdir(path)

    def unlink(self, path: str) -> None:
        with self._off_the_shelf(path):
            self.below.unlink(path)

    def rename(self, source: str, target: str) -> None:
        with self._off_the_shelf(source):
            session_id, _, inside = source[len(self._sessions) :].partition("/")
            if source.startswith(self._sessions) and not inside and self._has_shelves():
                self.shelves.bury([session_id])
            self.below.rename(source, target)

    def shelved(self) -> dict[str, tuple[int, int, int]]:
        """Return number, length in bytes and time of the last change of each log that is on a shelf, by session."""
        return {
            session_id: (_identity(self._layout.log(session_id))[1], placed.row.log_size, placed.row.modified_ns)
            for session_id, placed in self._on_shelves().items()
        }

    def check_shelves(self) -> None:
        """Check that every session of the store is known; raises DamagedShelf where a shelf may have more."""
        if self._has_shelves():
            self.shelves.check_rows()

    # Inside

    def _has_shelves(self) -> bool:
        return self._shelves is not None or self.below.size_at(self._layout.shelf) is not None

    def _on_shelves(self) -> dict[str, Placed]:
        return self.shelves.all() if self._has_shelves() else {}

    def _find(self, path: str) -> tuple[Placed, str] | None:
        """Return the session that *path* belongs to, and the path inside; None when no shelf has it, or it is out."""
        session_id, _, inside = path[len(self._sessions) :].partition("/")
        placed = self.shelves.find(session_id) if self._has_shelves() else None
        if placed is None or self.below.size_at(self._layout.log(session_id)) is not None:
            return None
        return placed, inside

    def _open_copy(self, path: str) -> int | None:
        """Open a copy in memory; None when there is nothing to copy."""
        found = self._find(path)
        content = None if found is None else self.shelves.read(found[0]).get(found[1])
        if content is None:
            return None
        fd = os.memfd_create("sessionfs", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(fd, view) :]
            # Sealed, so that nothing is ever written where it would be lost.
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        except BaseException:
            os.close(fd)
            raise
        self._copies[fd] = path
        self.close, self.size, self.identity = self._close, self._size, self._identity
        self.lock, self.try_lock, self.is_named = self._lock_settled, self._try_lock_settled, self._is_named
        return fd

    # What is done with descriptors that may be copies

    def _close(self, fd: int) -> None:
        self._copies.pop(fd, None)
        self.below.close(fd)

    def _size(self, fd: int) -> int:
        if fd in self._copies:
            self._follow(fd)
        return self.below.size(fd)

    def _identity(self, fd: int) -> tuple[int, int]:
        path = self._copies.get(fd)
        return self.below.identity(fd) if path is None else _identity(path)

    def _is_named(self, fd: int) -> bool:
        return fd in self._copies or self.below.is_named(fd)

    def _lock_settled(self, fd: int, what: str) -> None:
        self._settle(fd)
        self.below.lock(fd, what)

    def _try_lock_settled(self, fd: int) -> bool:
        self._settle(fd)
        return self.below.try_lock(fd)

    def _follow(self, fd: int) -> None:
        """Go on with the file in its place, if somebody has taken the session off the shelf."""
        path = self._copies[fd]
        try:
            opened = self.below.open(path, _REOPENED)
        except FileNotFoundError:
            return
        except OSError as failure:
            if failure.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
                raise
            opened = self.below.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with self._lock:
            os.dup2(opened, fd, inheritable=False)
            self._copies.pop(fd, None)
        self.below.close(opened)

    def _settle(self, fd: int) -> None:
        """Have what *fd* is open on in its place, so that it can be locked."""
        path = self._copies.get(fd)
        if path is not None:
            with self._off_the_shelf(path):
                self._follow(fd)
            if fd in self._copies:
                raise NoSuchLog(f"there is no log at {path}: its session has been deleted")

    @contextlib.contextmanager
    def _off_the_shelf(self, path: str) -> Iterator[None]:
        """Have the session that *path* belongs to in its place, all of it, and nobody put it on a shelf meanwhile.

        With the lock of the shelves held: otherwise another process could take it off and change it, and a third one
        put that on a shelf, before this one writes what it was.

        Raises:
            NoSpace, ReadOnlyStore, DamagedShelf: It is where it was.
        """
        if not path.startswith(self._sessions) or not self._has_shelves():
            yield
            return
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self.shelves.locked(Unsynced(self.below)))
                found = self._find(path)
                if found is not None:
                    self._write_session(found[0], self.shelves.read(found[0]))
            except OSError as failure:
                raise from_os_error(failure, f"take the session of {path} off its shelf") from failure
            yield

    def _write_session(self, placed: Placed, files: dict[str, bytes]) -> None:
        """Write the files of a session into its place, the log last: without one there, it is still on the shelf.

        What is there already was left there by a crash, and says the same, unless nothing has been written to it.
        """
        disk, place = self.below, self._layout.session(placed.row.id)
        made = {place, *(f"{place}/{name}".rpartition("/")[0] for name in files)}
        for directory in sorted(made):
            with contextlib.suppress(FileExistsError):
                disk.mkdir(directory)
        for name, content in reversed(files.items()):
            temporary = disk.create_temporary(self._layout.staging, 0o666)
            try:
                pwrite_all(disk, temporary.fd, content, 0)
                os.utime(temporary.fd, ns=(placed.row.modified_ns, placed.row.modified_ns))
                disk.fsync(temporary.fd)
                if name == LOG:
                    for directory in sorted(made, reverse=True):
                        disk.sync_directory(directory)
                target = f"{place}/{name}"
                disk.name_temporary(temporary, target, replace=disk.size_at(target) == 0)
            finally:
                disk.discard_temporary(temporary)
        disk.sync_directory(place)
        disk.sync_directory(self._layout.sessions)


def _identity(path: str) -> tuple[int, int]:
    """Return numbers for what lies on a shelf as *path*: no device is number 0."""
    return 0, zlib.crc32(path.encode("utf-8", "surrogateescape"))
