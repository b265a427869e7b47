"""Disks for tests, with the contract of :class:`sessionfs.durable.Disk`.

``MemoryDisk``  keeps, per file and per name, what was synced; then cuts the power, or crashes the process
``Watched``     passes calls on, and counts them, makes one fail, stops at one, or leaves one out
``every_cut``   all that a power cut may leave
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

from sessionfs.durable import Temporary
from sessionfs.locks import LockHeld

Choose = Callable[[int], int]
"""Returns one of 0 … n-1: which of n things a power cut does. 0 is always: what was not synced is gone."""


class PowerCut(BaseException):
    """The machine is off. Not an Exception, so that nobody handles it."""


_numbers = itertools.count(1)
_START_NS = 1_795_214_641_000_000_000  # 2026-11-20T22:44:01Z


class File:
    """An inode: what reads give now, and what is on the platter."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.number = next(_numbers)
        self.modified_ns = now()
        self.now = now
        self.content = bytearray()
        self.stable = bytearray()
        self.dirty: list[tuple[int, int]] = []  # ranges written since the last sync
        self.is_named = self.is_stably_named = True  # does the inode say so, and does it on the platter?
        self.holder: int | None = None  # the descriptor with the lock

    def write(self, data: bytes, offset: int) -> None:
        if offset > len(self.content):
            self.content.extend(bytes(offset - len(self.content)))
        self.content[offset : offset + len(data)] = data
        self.dirty.append((offset, offset + len(data)))
        self.modified_ns = self.now()

    def sync(self) -> None:
        """What is dirty reaches the platter; what was clean, or believed to be, is not written again."""
        self.is_stably_named = self.is_named
        del self.stable[len(self.content) :]
        self.stable.extend(bytes(len(self.content) - len(self.stable)))
        for start, end in self.dirty:
            self.stable[start:end] = self.content[start : min(end, len(self.content))]
        self.dirty.clear()

    def after_cut(self, choose: Choose) -> bytes:
        """Nothing of it, all of it, a part, or zeros in place of a part, from where it differs."""
        stable, content = bytes(self.stable), bytes(self.content)
        if stable == content:
            return stable
        first = _common_length(stable, content)
        middle = (first + len(content)) // 2
        zeros = bytes(len(content) - first)
        forms = [
            stable,
            content,
            content[:first] + zeros,  # the length arrived, the data did not
            content[:middle],
            content[:first] + zeros[: middle - first] + content[middle:],  # the second page arrived
            content[:middle] + zeros[middle - first :],
        ]
        return forms[choose(len(forms))]


def _common_length(one: bytes, other: bytes) -> int:
    """Return how many bytes are the same at the beginning of both; comparing them one by one took half of all time."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


class Directory:
    """An inode: the names in it now, and those on the platter."""

    def __init__(self) -> None:
        self.names: dict[str, File | Directory] = {}
        self.stable: dict[str, File | Directory] = {}

    def after_cut(self, choose: Choose, kept: dict[int, File | Directory]) -> Directory:
        left = Directory()
        for name in sorted(self.names.keys() | self.stable.keys()):
            old, new = self.stable.get(name), self.names.get(name)
            node = old if old is new or choose(2) == 0 else new
            if isinstance(node, File) and not node.is_stably_named and choose(2) == 0:
                continue  # a name of an inode that says it has none: e2fsck removes it
            if node is not None:
                left.names[name] = _after_cut(node, choose, kept)
        left.stable = dict(left.names)
        return left


def _after_cut(node: File | Directory, choose: Choose, kept: dict[int, File | Directory]) -> File | Directory:
    if id(node) not in kept:
        if isinstance(node, Directory):
            kept[id(node)] = node.after_cut(choose, kept)
        else:
            kept[id(node)] = file = File(node.now)
            file.number, file.modified_ns = node.number, node.modified_ns
            file.content[:] = node.after_cut(choose)
            file.stable[:] = file.content
    return kept[id(node)]


def _holds(directory: Directory, file: File) -> bool:
    return any(_holds(node, file) if isinstance(node, Directory) else node is file for node in directory.names.values())


class MemoryDisk:
    """As pessimistic as POSIX allows: only what was synced is sure to survive :meth:`power_cut`."""

    def __init__(self, root: Directory | None = None, *, boot: int = 1, now: Callable[[], int] | None = None) -> None:
        self._root = root if root is not None else Directory()
        self._boot = boot
        # One clock for all that ever happens to it; each call is a millisecond later than the one before.
        self.now_ns = now if now is not None else itertools.count(_START_NS, 1_000_000).__next__
        self._open: dict[int, tuple[File | Directory, int]] = {}
        self._positions: dict[int, int] = {}
        self._next_fd = 1000
        self._temporary_count = 0
        self.discarded = 0

    # What tests do

    def power_cut(self, choose: Choose) -> MemoryDisk:
        """Return the disk as the next boot finds it; this one stays as it is."""
        root = self._root.after_cut(choose, {})
        assert isinstance(root, Directory)
        return MemoryDisk(root, boot=self._boot + 1, now=self.now_ns)

    def process_crash(self) -> MemoryDisk:
        """Return the disk as the next process finds it: everything written is there, nothing is open or locked."""
        for node, _ in self._open.values():
            if isinstance(node, File):
                node.holder = None
        return MemoryDisk(self._root, boot=self._boot, now=self.now_ns)

    def make_directories(self, path: str) -> None:
        """Make *path* and all above it, and sync them."""
        above = ""
        for name in path.strip("/").split("/"):
            node = self._directory(above or "/")
            node.stable[name] = node.names.setdefault(name, Directory())
            above = f"{above}/{name}"

    def content(self, path: str) -> bytes:
        """Return what the file at *path* holds."""
        return bytes(self._file(path).content)

    def put(self, path: str, content: bytes) -> None:
        """Make *content* what the file at *path* holds, synced."""
        directory, name = self._split(path)
        file = directory.names.setdefault(name, File(self.now_ns))
        assert isinstance(file, File)
        file.content[:] = file.stable[:] = content
        directory.stable[name] = file

    def all_files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the path and content of every file."""
        pending: list[tuple[str, Directory]] = [("", self._root)]
        while pending:
            path, directory = pending.pop()
            for name, node in sorted(directory.names.items()):
                if isinstance(node, Directory):
                    pending.append((f"{path}/{name}", node))
                else:
                    yield f"{path}/{name}", bytes(node.content)

    @property
    def open_count(self) -> int:
        """How many descriptors are open."""
        return len(self._open)

    # Disk

    def open(self, path: str, flags: int, mode: int = 0o666) -> int:
        directory, name = self._split(path)
        node = directory.names.get(name)
        if node is None:
            if not flags & os.O_CREAT:
                raise _error(errno.ENOENT, path)
            node = directory.names[name] = File(self.now_ns)
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise _error(errno.EEXIST, path)
        if isinstance(node, Directory) and flags & os.O_ACCMODE:
            raise _error(errno.EISDIR, path)
        if flags & os.O_TRUNC and isinstance(node, File):
            node.content.clear()
        return self._descriptor(node, flags)

    def close(self, fd: int) -> None:
        node, _ = self._opened(fd)
        if isinstance(node, File) and node.holder == fd:
            node.holder = None
        del self._open[fd], self._positions[fd]

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        return bytes(self._opened_file(fd).content[offset : offset + length])

    def write(self, fd: int, data: bytes | bytearray | memoryview) -> int:
        file = self._writable(fd)
        offset = len(file.content) if self._open[fd][1] & os.O_APPEND else self._positions[fd]
        file.write(bytes(data), offset)
        self._positions[fd] = offset + len(data)
        return len(data)

    def pwrite(self, fd: int, data: bytes | bytearray | memoryview, offset: int) -> int:
        self._writable(fd).write(bytes(data), offset)
        return len(data)

    def truncate(self, fd: int, length: int) -> None:
        file = self._writable(fd)
        del file.content[length:]
        file.content.extend(bytes(length - len(file.content)))

    def size(self, fd: int) -> int:
        return len(self._opened_file(fd).content)

    def size_at(self, path: str) -> int | None:
        try:
            return len(self._file(path).content)
        except FileNotFoundError:
            return None

    def next_data(self, fd: int, offset: int) -> int:
        return offset

    def fsync(self, fd: int) -> None:
        self._opened_file(fd).sync()

    def fdatasync(self, fd: int) -> None:
        self._opened_file(fd).sync()

    def sync_directory(self, path: str) -> None:
        directory = self._directory(path)
        directory.stable = dict(directory.names)

    def sync_all(self, path: str) -> None:
        pass  # a hint that promises nothing

    def sync_filesystem(self, path: str) -> None:
        self._directory(path)
        nodes: list[File | Directory] = [self._root, *(node for node, _ in list(self._open.values()))]
        while nodes:
            node = nodes.pop()
            if isinstance(node, File):
                node.sync()
            else:
                node.stable = dict(node.names)
                nodes += node.names.values()

    def modified_ns(self, path: str) -> int | None:
        try:
            return self._file(path).modified_ns
        except FileNotFoundError:
            return None

    def status_at(self, path: str) -> tuple[int, int, int, int] | None:
        try:
            file = self._file(path)
        except OSError:
            return None
        return 1, file.number, len(file.content), file.modified_ns

    def is_named(self, fd: int) -> bool:
        return _holds(self._root, self._opened_file(fd))

    def identity(self, fd: int) -> tuple[int, int]:
        return 1, self._opened_file(fd).number

    def boot_id(self) -> str | None:
        return f"boot-{self._boot}"

    def create_temporary(self, directory: str, mode: int) -> Temporary:
        self._directory(directory)
        file = File(self.now_ns)
        file.is_named = file.is_stably_named = False
        return Temporary(self._descriptor(file, os.O_RDWR), None)

    def name_temporary(self, temporary: Temporary, target: str, *, replace: bool) -> bool:
        directory, name = self._split(target)
        if name in directory.names and not replace:
            return False
        directory.names[name] = file = self._opened_file(temporary.fd)
        file.is_named = True
        return True

    def discard_temporary(self, temporary: Temporary) -> None:
        self.close(temporary.fd)

    def rename(self, source: str, target: str) -> None:
        old_directory, old_name = self._split(source)
        new_directory, new_name = self._split(target)
        if old_name not in old_directory.names:
            raise _error(errno.ENOENT, source)
        new_directory.names[new_name] = old_directory.names.pop(old_name)

    def unlink(self, path: str) -> None:
        self._file(path)
        directory, name = self._split(path)
        del directory.names[name]

    def mkdir(self, path: str) -> None:
        directory, name = self._split(path)
        if name in directory.names:
            raise _error(errno.EEXIST, path)
        directory.names[name] = Directory()

    def listdir(self, path: str) -> list[str]:
        return list(self._directory(path).names)

    def touch(self, fd: int) -> None:
        self._opened(fd)

    def lock(self, fd: int, what: str) -> None:
        file = self._opened_file(fd)
        if file.holder not in (None, fd):
            raise LockHeld(f"{what} is locked")
        file.holder = fd

    def try_lock(self, fd: int) -> bool:
        file = self._opened_file(fd)
        if file.holder not in (None, fd):
            return False
        file.holder = fd
        return True

    def lock_shared(self, fd: int, what: str) -> None:
        """Nobody takes it alone here."""

    def unlock(self, fd: int) -> None:
        file = self._opened_file(fd)
        if file.holder == fd:
            file.holder = None

    # Inside

    def _descriptor(self, node: File | Directory, flags: int) -> int:
        self._next_fd += 1
        self._open[self._next_fd] = node, flags
        self._positions[self._next_fd] = 0
        return self._next_fd

    def _opened(self, fd: int) -> tuple[File | Directory, int]:
        if fd not in self._open:
            raise _error(errno.EBADF, str(fd))
        return self._open[fd]

    def _opened_file(self, fd: int) -> File:
        node, _ = self._opened(fd)
        if isinstance(node, Directory):
            raise _error(errno.EISDIR, str(fd))
        return node

    def _writable(self, fd: int) -> File:
        if not self._opened(fd)[1] & os.O_ACCMODE:
            raise _error(errno.EBADF, str(fd))
        return self._opened_file(fd)

    def _directory(self, path: str) -> Directory:
        node: File | Directory = self._root
        for name in path.strip("/").split("/"):
            if not name:
                continue
            if not isinstance(node, Directory):
                raise _error(errno.ENOTDIR, path)
            if name not in node.names:
                raise _error(errno.ENOENT, path)
            node = node.names[name]
        if not isinstance(node, Directory):
            raise _error(errno.ENOTDIR, path)
        return node

    def _split(self, path: str) -> tuple[Directory, str]:
        above, _, name = path.rpartition("/")
        return self._directory(above or "/"), name

    def _file(self, path: str) -> File:
        directory, name = self._split(path)
        node = directory.names.get(name)
        if node is None:
            raise _error(errno.ENOENT, path)
        assert isinstance(node, File)
        return node


SYNCS = ("fsync", "fdatasync", "sync_directory", "sync_filesystem")
# Those that are not counted change nothing and cannot fail on their own account.
COUNTED = (
    "open", "write", "pwrite", "truncate", *SYNCS, "create_temporary", "name_temporary", "rename", "unlink",
    "mkdir", "pread", "touch",
)  # fmt: skip


class Watched:
    """Passes every call on to *inner* and counts those in COUNTED, from 0.

    Args:
        stop_at: Before this call the power is cut, and nothing works any more.
        fail_at: This call raises *error*; a failed write leaves half of its data, a failed sync loses what it
            should have synced and says so only once (ext4, xfs and btrfs do).
        spare: Calls of these names do not fail.
        begun: Count from the beginning, and not only once this is set.
        short_at: This call, if it is a write, writes half and says so.
        leave_out: This call, a sync, does nothing.
        leave_out_all: No sync of this name does anything.
    """

    def __init__(
        self,
        inner: MemoryDisk,
        *,
        stop_at: int = -1,
        fail_at: int = -1,
        error: int = errno.EIO,
        short_at: int = -1,
        leave_out: int = -1,
        leave_out_all: str = "",
        spare: tuple[str, ...] = (),
        begun: bool = True,
    ) -> None:
        self.inner = inner
        self.begun = begun
        self.calls: list[tuple[str, str]] = []  # method and path, or name of the file
        self.is_dead = False
        self._paths: dict[int, str] = {}
        self._stop_at, self._fail_at, self._short_at, self._leave_out = stop_at, fail_at, short_at, leave_out
        self._error = error
        self._leave_out_all = leave_out_all
        self._spare = spare

    def stop_after(self, count: int) -> None:
        """Cut the power after *count* more calls."""
        self._stop_at = len(self.calls) + count

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        def call(*args: Any, **named: Any) -> Any:
            if self.is_dead:
                if name in ("close", "discard_temporary"):
                    return None  # finalizers call these, and must not raise
                raise PowerCut
            if name not in COUNTED or not self.begun:
                return self._passed_on(name, method, args, named)
            number = len(self.calls)
            self.calls.append((name, self._path(args[0])))
            if number == self._stop_at:
                self.is_dead = True
                raise PowerCut
            if number == self._leave_out or name == self._leave_out_all:
                assert name in SYNCS
                return None
            if number == self._fail_at and name not in self._spare:
                self._fail(name, args)
            if number == self._short_at and name in ("write", "pwrite"):
                return method(args[0], args[1][: len(args[1]) // 2], *args[2:])
            return self._passed_on(name, method, args, named)

        return call

    def _passed_on(self, name: str, method: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        result = method(*args, **named)
        if name == "open":
            self._paths[result] = args[0]
        return result

    def _path(self, where: Any) -> str:
        if isinstance(where, Temporary):
            return "a temporary file"
        return where if isinstance(where, str) else self._paths.get(where, "a temporary file")

    def _fail(self, name: str, args: tuple[Any, ...]) -> None:
        if name in ("write", "pwrite"):
            getattr(self.inner, name)(args[0], args[1][: len(args[1]) // 2], *args[2:])
        if name in ("fsync", "fdatasync"):
            self.inner._opened_file(args[0]).dirty.clear()
        raise _error(self._error, name)


def every_cut(disk: MemoryDisk, limit: int = 1000) -> Iterator[MemoryDisk]:
    """Yield all that a power cut may leave of *disk*, the worst first; at most *limit* of them."""
    taken: list[int] = []  # the branch at each choice
    widths: list[int] = []
    for _ in range(limit):
        widths.clear()

        def choose(count: int) -> int:
            number = len(widths)
            widths.append(count)
            if number == len(taken):
                taken.append(0)
            return taken[number]

        yield disk.power_cut(choose)
        del taken[len(widths) :]
        while taken and taken[-1] == widths[len(taken) - 1] - 1:
            taken.pop()
        if not taken:
            return
        taken[-1] += 1


def _error(number: int, where: str) -> OSError:
    return OSError(number, os.strerror(number), where)
