"""The disk: the only place that asks the operating system to change or to sync a file of a store.

The methods are the system calls themselves (plain ``os`` functions where they fit, so that a call costs nothing
extra). Tests put a pessimistic disk here that keeps, per file and per name, what was synced, and then cuts the power.
"""

from __future__ import annotations

import errno
import os
import re
from typing import NamedTuple, Protocol

from sessionfs import locks
from sessionfs.clock import file_clock

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_TEMPORARY = re.compile(r"(\d{1,10})\.\d+\.[0-9a-f]{12}")  # number of the process, of the file, and noise


class Temporary(NamedTuple):
    """A file that is being written and has no name in the store yet."""

    fd: int
    path: str | None  # under tmp/ where the filesystem has no unnamed files


def is_abandoned(name: str) -> bool:
    """Say whether a file of this name under tmp/ was being written by a process that has ended."""
    temporary = _TEMPORARY.fullmatch(name)
    return temporary is not None and not os.path.exists(f"/proc/{temporary[1]}")


class Disk(Protocol):
    """What sessionfs asks of a disk. Every method may raise OSError."""

    def open(self, path: str, flags: int, mode: int = 0o666) -> int:
        """Open *path* as ``os.open`` does."""

    def close(self, fd: int) -> None:
        """Close *fd*."""

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        """Read up to *length* bytes at *offset*."""

    def write(self, fd: int, data: bytes | bytearray | memoryview) -> int:
        """Write at the file's position, or its end with O_APPEND; may write less than asked."""

    def pwrite(self, fd: int, data: bytes | bytearray | memoryview, offset: int) -> int:
        """Write at *offset*; may write less than asked."""

    def truncate(self, fd: int, length: int) -> None:
        """Set the file's length in bytes."""

    def size(self, fd: int) -> int:
        """Return the file's length in bytes."""

    def size_at(self, path: str) -> int | None:
        """Return the length in bytes of the file at *path*; None when there is none."""

    def next_data(self, fd: int, offset: int) -> int:
        """Return where the next data are at or after *offset*: what lies before is a hole; the length if all of it is.

        A disk that cannot tell says *offset*.
        """

    def fsync(self, fd: int) -> None:
        """Put the file's data and metadata on stable storage."""

    def fdatasync(self, fd: int) -> None:
        """Put the file's data, and what is needed to read it, on stable storage."""

    def sync_directory(self, path: str) -> None:
        """Put the names in the directory at *path* on stable storage."""

    def sync_all(self, path: str) -> None:
        """Start everything of *path*'s filesystem on its way to stable storage; a hint that promises nothing."""

    def sync_filesystem(self, path: str) -> None:
        """Put everything of *path*'s filesystem on stable storage, whoever wrote it."""

    def modified_ns(self, path: str) -> int | None:
        """Return when the file at *path* was last written to, in nanoseconds; None when there is none."""

    def now_ns(self) -> int:
        """Return the time that it gives to what is written now, in nanoseconds."""

    def status_at(self, path: str) -> tuple[int, int, int, int] | None:
        """Return device, number, length in bytes and time of the last change of the file at *path*; None for none."""

    def is_named(self, fd: int) -> bool:
        """Say whether the file still has a name."""

    def identity(self, fd: int) -> tuple[int, int]:
        """Return the numbers of the device and of the file: a copy has others."""

    def boot_id(self) -> str | None:
        """Return what names this run of the machine: it is another one after a power cut. None when nothing tells."""

    def create_temporary(self, directory: str, mode: int) -> Temporary:
        """Return a new file that is in no directory yet, or in *directory* under a name of its own."""

    def name_temporary(self, temporary: Temporary, target: str, *, replace: bool) -> bool:
        """Give *temporary* its name; False when *target* exists and *replace* is not set.

        The name appears at once and complete. The descriptor stays open; a name under tmp/ is gone afterwards.
        """

    def discard_temporary(self, temporary: Temporary) -> None:
        """Close *temporary* and forget its content."""

    def rename(self, source: str, target: str) -> None:
        """Rename, replacing a file at *target*."""

    def unlink(self, path: str) -> None:
        """Remove a name."""

    def mkdir(self, path: str) -> None:
        """Make a directory."""

    def listdir(self, path: str) -> list[str]:
        """Return the names in a directory, in no order."""

    def touch(self, fd: int) -> None:
        """Set the file's times to now, which is what watchers see."""

    def lock(self, fd: int, what: str) -> None:
        """Take the exclusive lock on *fd* (see :mod:`sessionfs.locks`)."""

    def try_lock(self, fd: int) -> bool:
        """Take the exclusive lock on *fd* if nobody has it; whether it was taken."""

    def lock_shared(self, fd: int, what: str) -> None:
        """Take the lock on *fd* together with all others who take it so."""

    def unlock(self, fd: int) -> None:
        """Give it back."""


def write_all(disk: Disk, fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of *data*, however many calls it takes."""
    written = disk.write(fd, data)
    if written == len(data):
        return
    view = memoryview(data)
    while written < len(view):
        written += disk.write(fd, view[written:])


def pwrite_all(disk: Disk, fd: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    """Write all of *data* at *offset*, however many calls it takes."""
    view = memoryview(data)
    written = 0
    while written < len(view):
        written += disk.pwrite(fd, view[written:], offset + written)


class OsDisk:
    """The real one."""

    _root_fd: int | None = None  # one for all of a process, for good

    def __init__(self) -> None:
        self._unnamed_files = True
        self._temporary_count = 0

    open = staticmethod(os.open)
    close = staticmethod(os.close)
    pread = staticmethod(os.pread)
    write = staticmethod(os.write)
    pwrite = staticmethod(os.pwrite)
    truncate = staticmethod(os.ftruncate)
    fsync = staticmethod(os.fsync)
    fdatasync = staticmethod(os.fdatasync)
    rename = staticmethod(os.rename)
    unlink = staticmethod(os.unlink)
    mkdir = staticmethod(os.mkdir)
    touch = staticmethod(os.utime)
    now_ns = staticmethod(file_clock)
    lock = staticmethod(locks.acquire)
    try_lock = staticmethod(locks.try_acquire)
    lock_shared = staticmethod(locks.acquire_shared)
    unlock = staticmethod(locks.release)

    def listdir(self, path: str) -> list[str]:
        return os.listdir(path)

    def size(self, fd: int) -> int:
        # A third of the cost of fstat; every file here is written with O_APPEND or pwrite, so positions are free.
        return os.lseek(fd, 0, os.SEEK_END)

    def size_at(self, path: str) -> int | None:
        try:
            return os.stat(path).st_size
        except FileNotFoundError:
            return None

    def next_data(self, fd: int, offset: int) -> int:
        try:
            return os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as failure:
            return os.fstat(fd).st_size if failure.errno == errno.ENXIO else offset

    def sync_directory(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync_all(self, path: str) -> None:
        import ctypes  # late: most processes never get here

        syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
        if syncfs is None:  # pragma: no cover (a libc other than glibc and musl)
            return
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            syncfs(fd)  # its result does not matter: every file is synced by itself afterwards
        finally:
            os.close(fd)

    def sync_filesystem(self, path: str) -> None:
        import ctypes  # late, as above

        libc = ctypes.CDLL(None, use_errno=True)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Twice: ext4 without a journal empties the disk's cache first, and writes its own metadata after that. Cuts
            # right behind one syncfs left zeroed files there, and none on ext4 with a journal, xfs and btrfs; behind
            # two, none anywhere (tools/torture --faults).
            for _ in range(2):
                if libc.syncfs(fd) != 0:
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number), path)
        finally:
            os.close(fd)

    def modified_ns(self, path: str) -> int | None:
        try:
            return os.stat(path).st_mtime_ns
        except FileNotFoundError:
            return None

    def status_at(self, path: str) -> tuple[int, int, int, int] | None:
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

    def is_named(self, fd: int) -> bool:
        return os.fstat(fd).st_nlink > 0

    def identity(self, fd: int) -> tuple[int, int]:
        status = os.fstat(fd)
        return status.st_dev, status.st_ino

    def boot_id(self) -> str | None:
        try:
            fd = os.open(_BOOT_ID, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return os.read(fd, 64).decode("ascii").strip()
        finally:
            os.close(fd)

    def create_temporary(self, directory: str, mode: int) -> Temporary:
        if self._unnamed_files:
            try:
                return Temporary(os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode), None)
            except OSError as failure:
                if failure.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
                    raise
                self._unnamed_files = False
        path = self._temporary_path(directory)
        return Temporary(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, mode), path)

    def name_temporary(self, temporary: Temporary, target: str, *, replace: bool) -> bool:
        fd, path = temporary
        source = path if path is not None else f"/proc/self/fd/{fd}"
        try:
            # Passing a directory makes Python call linkat(AT_SYMLINK_FOLLOW), without which the link would be to
            # the entry in /proc itself.
            os.link(source, target, src_dir_fd=self._root())
        except FileExistsError:
            if not replace:
                return False
            self._replace(source, target)
        if path is not None:
            os.unlink(path)
        return True

    def discard_temporary(self, temporary: Temporary) -> None:
        os.close(temporary.fd)
        if temporary.path is not None:
            try:
                os.unlink(temporary.path)
            except FileNotFoundError:
                return  # it has been named already

    def _replace(self, source: str, target: str) -> None:
        beside = self._temporary_path(os.path.dirname(target))
        os.link(source, beside, src_dir_fd=self._root())
        try:
            os.rename(beside, target)
        except OSError:
            os.unlink(beside)
            raise

    @classmethod
    def _root(cls) -> int:
        if cls._root_fd is None:
            cls._root_fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return cls._root_fd

    def _temporary_path(self, directory: str) -> str:
        self._temporary_count += 1
        return os.path.join(directory, f"{os.getpid()}.{self._temporary_count}.{os.urandom(6).hex()}")
