"""The shelves of a store: archived sessions, many in one file each (see :mod:`sessionfs.store.shelf`).

shelf/<16 hex>.shelf    written once
shelf/buried            lines "<16 hex> <id>": what that shelf has of that session counts no more

What lies in ``sessions/`` comes first, whatever a shelf has; so a session is taken off a shelf by writing it there, and
the shelf need not be touched. A session that is put on a shelf again is buried on the older one first.

The directory's name comes behind ``sessions`` in the order in which rsync copies: a session that is put on a shelf in
the meantime is met there.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from sessionfs.durable import Disk, Mode, Unsynced, place, pwrite_all, write_all
from sessionfs.durable.publish import make_directory
from sessionfs.errors import NotFound, from_os_error
from sessionfs.locks import renew_in_children
from sessionfs.store.layout import Layout
from sessionfs.store.shelf import (
    MAGIC,
    Contents,
    DamagedShelf,
    Read,
    Row,
    frame_of,
    make_end,
    make_item,
    read_files,
    read_rows,
)

SUFFIX = ".shelf"

_MODE = 0o444
_KEPT_BYTES = 8 << 20  # of sessions that were read last
_SMALL_BYTES = 4 << 20
_MANY_SMALL = 8


class NoSuchShelf(NotFound):
    """The shelf has gone: what counts of it is on another one."""


class Placed(NamedTuple):
    """A session on a shelf."""

    path: str
    row: Row


class Shelving(NamedTuple):
    """A session that is to be put on a shelf."""

    session_id: str
    modified_ns: int
    files: Sequence[tuple[str, bytes]]  # the log first


class Shelves:
    """The shelves of one store. Thread-safe, and safe beside other processes."""

    def __init__(self, disk: Disk, layout: Layout) -> None:
        """Look at the shelves, which need not be there; nothing is opened yet."""
        self._disk = disk
        self._layout = layout
        self._buried_path = f"{layout.shelf}/buried"
        self._lock = threading.RLock()
        self._seen: tuple[frozenset[str], int] = frozenset(), 0  # names, and the length of the file with the buried
        self._contents: dict[str, Contents] = {}  # by the name of the shelf
        self._placed: dict[str, Placed] = {}  # by session
        self._buried: set[tuple[str, str]] = set()  # names of shelves, and sessions
        self._read: OrderedDict[tuple[str, int], dict[str, bytes]] = OrderedDict()  # what was read last
        self._read_size = 0
        renew_in_children(self)

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._lock = threading.RLock()

    # Looking

    def find(self, session_id: str) -> Placed | None:
        """Return where a session lies; None when no shelf has it."""
        with self._lock:
            self._refresh()
            return self._placed.get(session_id)

    def all(self) -> dict[str, Placed]:
        """Return what lies on shelves, by session."""
        with self._lock:
            self._refresh()
            return dict(self._placed)

    def read(self, placed: Placed) -> dict[str, bytes]:
        """Return the files of a session by name, checked against their hash.

        Raises:
            DamagedShelf: They are not what was put there.
        """
        key = placed.path, placed.row.start
        with self._lock:
            files = self._read.get(key)
            if files is None:
                try:
                    files = self._read[key] = self._read_files(placed)
                except NoSuchShelf:
                    moved = self.find(placed.row.id)
                    if moved is None or moved == placed:
                        raise
                    return self.read(moved)
                self._read_size += _size(files)
            self._read.move_to_end(key)
            while len(self._read) > 1 and self._read_size > _KEPT_BYTES:
                self._read_size -= _size(self._read.popitem(last=False)[1])
            return files

    def frame(self, placed: Placed) -> bytes:
        """Return the bytes where a session lies, whatever they are now."""
        with self._reading(placed.path) as (read, _):
            return frame_of(read, placed.row)

    def live(self, paths: Collection[str]) -> list[Placed]:
        """Return what counts of the shelves at *paths*: what is not in ``sessions/``, or on another shelf."""
        return [
            placed
            for placed in self.all().values()
            if placed.path in paths and self._disk.size_at(self._layout.log(placed.row.id)) is None
        ]

    def shelving(self, placed: Placed) -> Shelving:
        """Return a session as it is put on another shelf; raises DamagedShelf as :meth:`read`."""
        return Shelving(placed.row.id, placed.row.modified_ns, [*self.read(placed).items()])

    def incomplete(self) -> dict[str, str]:
        """Return the shelves that may have more sessions than are known, by path: what is wrong with them."""
        with self._lock:
            self._refresh()
            return {
                f"{self._layout.shelf}/{name}": contents.damage or ""
                for name, contents in self._contents.items()
                if not contents.is_complete
            }

    def check_rows(self) -> None:
        """Check that all sessions on the shelves are known, whether they can be read or not.

        Raises:
            DamagedShelf: A shelf may have more.
        """
        for path, damage in self.incomplete().items():
            raise _damaged(path, damage)

    def damage(self) -> dict[str, str]:
        """Return what is wrong, by the path of a shelf: with its rows, or with what they name."""
        found = {}
        for name in sorted(self._names()):
            path = f"{self._layout.shelf}/{name}"
            try:
                contents = self._read_contents(path)
                if contents.damage is not None:
                    raise _damaged(path, contents.damage)
                for row in contents.rows:
                    self._read_files(Placed(path, row))
            except DamagedShelf as failure:
                found[path] = str(failure)
            except NoSuchShelf:
                continue
        return found

    def _refresh(self) -> None:
        names = self._names()
        buried_size = (self._disk.size_at(self._buried_path) or 0) if names else 0
        if (names, buried_size) == self._seen:
            return
        self._contents = {name: self._contents.get(name) or self._contents_of(name) for name in names}
        buried = self._buried = self._read_buried()
        placed: dict[str, Placed] = {}
        for name, contents in self._contents.items():
            for row in contents.rows:
                # Several that count: whoever wrote the last one was killed, and the session is in its place still.
                known = placed.get(row.id)
                if (name, row.id) not in buried and (known is None or known.row.size < row.size):
                    placed[row.id] = Placed(f"{self._layout.shelf}/{name}", row)
        self._placed, self._seen = placed, (names, buried_size)

    def _names(self) -> frozenset[str]:
        try:
            return frozenset(name for name in self._disk.listdir(self._layout.shelf) if name.endswith(SUFFIX))
        except FileNotFoundError:
            return frozenset()
        except OSError as failure:
            raise from_os_error(failure, f"read {self._layout.shelf}") from failure

    def _contents_of(self, name: str) -> Contents:
        with contextlib.suppress(NoSuchShelf):  # a repack has just put it together with others
            return self._read_contents(f"{self._layout.shelf}/{name}")
        return Contents([])

    def _read_contents(self, path: str) -> Contents:
        with self._reading(path) as (read, size):
            return read_rows(read, size)

    def _read_files(self, placed: Placed) -> dict[str, bytes]:
        with self._reading(placed.path) as (read, _):
            return read_files(read, placed.row)

    @contextlib.contextmanager
    def _reading(self, path: str) -> Iterator[tuple[Read, int]]:
        """Give what reads from a shelf, and its length in bytes."""
        fd = self._open(path)
        try:
            yield lambda length, offset: self._disk.pread(fd, length, offset), self._disk.size(fd)
        except DamagedShelf as failure:
            raise _damaged(path, failure) from failure
        finally:
            self._disk.close(fd)

    def _open(self, path: str) -> int:
        try:
            return self._disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as failure:
            raise NoSuchShelf(f"there is no shelf {path}") from failure
        except OSError as failure:
            raise from_os_error(failure, f"open {path}") from failure

    def _read_buried(self) -> set[tuple[str, str]]:
        try:
            fd = self._disk.open(self._buried_path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return set()
        try:
            lines = self._disk.pread(fd, self._disk.size(fd), 0).decode("ascii", "replace").splitlines()
        finally:
            self._disk.close(fd)
        pairs = (line.partition(" ") for line in lines)
        return {(stem + SUFFIX, session_id) for stem, _, session_id in pairs}

    def worn(self) -> set[str]:
        """Return the paths of the shelves that are to be put together: most of what they have is nothing any more, or
        there are many small ones.
        """
        with self._lock:
            self._refresh()
            live: dict[str, int] = {}
            for placed in self._placed.values():
                if self._disk.size_at(self._layout.log(placed.row.id)) is None:
                    live[placed.path] = live.get(placed.path, 0) + placed.row.length
            sizes = {
                f"{self._layout.shelf}/{name}": sum(row.length for row in contents.rows)
                for name, contents in self._contents.items()
                if contents.rows and contents.is_complete  # else it is left to fsck
            }
        small = {path for path, size in sizes.items() if size < _SMALL_BYTES}
        half_empty = {path for path, size in sizes.items() if 2 * live.get(path, 0) < size}
        return half_empty | (small if len(small) >= _MANY_SMALL else set())

    # Changing

    @contextlib.contextmanager
    def locked(self, unsynced: Unsynced) -> Iterator[None]:
        """Be the only one that puts sessions on shelves, or deletes sessions that may be there."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            fd = self._disk.open(self._buried_path, flags, 0o644)
        except FileNotFoundError:
            # Its maker syncs it: every new session of a store with shelves passes here.
            make_directory(self._disk, unsynced, Mode.FULL, self._layout.shelf)
            fd = self._disk.open(self._buried_path, flags, 0o644)
        try:
            self._disk.lock(fd, self._buried_path)
            yield
        finally:
            self._disk.close(fd)

    def remove(self, path: str) -> None:
        """Remove a shelf, of which all that counts is on another one. The caller is inside :meth:`locked`."""
        self._disk.unlink(path)

    def write(self, unsynced: Unsynced, sessions: Iterable[Shelving]) -> str:
        """Put sessions on a new shelf, and return its path. They stay where they are: that comes first.

        The caller is inside :meth:`locked`.

        Raises:
            OSError: It is not there.

        Durability:
            It survives a power cut.
        """
        path = f"{self._layout.shelf}/{os.urandom(8).hex()}{SUFFIX}"
        temporary = self._disk.create_temporary(self._layout.staging, _MODE)
        try:
            pwrite_all(self._disk, temporary.fd, MAGIC, 0)
            rows, end = [], len(MAGIC)
            for one in sessions:
                row, item = make_item(one.session_id, end, one.modified_ns, one.files)
                pwrite_all(self._disk, temporary.fd, item, end)
                rows.append(row)
                end += len(item)
            pwrite_all(self._disk, temporary.fd, make_end(rows, end), end)
            place(self._disk, unsynced, Mode.FULL, temporary, path)
        finally:
            self._disk.discard_temporary(temporary)
        return path

    def bury(self, session_ids: Iterable[str], *, but: str | None = None) -> None:
        """Let nothing that the shelves have of some sessions count any more, but for what is on the shelf at *but*.

        The caller is inside :meth:`locked`.

        Raises:
            OSError: Nothing has changed.

        Durability:
            Survives a power cut.
        """
        with self._lock:
            self._refresh()
            wanted, kept = set(session_ids), None if but is None else os.path.basename(but)
            pairs = {
                (name, row.id) for name, contents in self._contents.items() if name != kept for row in contents.rows
            }
            lines = [
                f"{name.removesuffix(SUFFIX)} {session_id}\n"
                for name, session_id in sorted(pairs - self._buried)
                if session_id in wanted
            ]
            if not lines:
                return
            fd = self._disk.open(self._buried_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                write_all(self._disk, fd, "".join(lines).encode())
                self._disk.fsync(fd)
                self._disk.sync_directory(self._layout.shelf)
            finally:
                self._disk.close(fd)


def _damaged(path: str, why: str | DamagedShelf) -> DamagedShelf:
    return DamagedShelf(f"the shelf {path} is damaged: {why}; see sessionfs fsck")


def _size(files: dict[str, bytes]) -> int:
    return sum(map(len, files.values()))
