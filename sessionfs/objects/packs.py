"""The packs of a store: finding objects in them, and adding small ones to the newest.

objects/pack/<16 hex>.pack    many objects, each with a head (see :mod:`sessionfs.objects.packing`)
objects/pack/<16 hex>.idx     the sorted index of a pack that is complete

A pack without an index grows: one process at a time, which holds its lock (flock), adds to it; the next one goes on
with it. Readers take in what was added, as with a log. When it has become long it gets an index, and is never written
to again.

Packed are the small pieces of content that is appended to, and the lists that name them: a version costs its tail and
some 600 bytes, instead of two files of a block each; and adding is one write, instead of making two inodes.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from sessionfs.durable import Disk, Mode, Unsynced, pwrite_all
from sessionfs.durable.again import write_pack_again
from sessionfs.durable.publish import make_directory, place, publish, sync_name
from sessionfs.errors import from_os_error
from sessionfs.objects.packing import (
    HEAD_BYTES,
    PACK_MAGIC,
    Entry,
    Index,
    MalformedIndex,
    New,
    encode_group,
    encode_index,
    find_group,
    group_length,
    scan,
)
from sessionfs.oid import ObjectId

# When a growing pack gets its index. Opening a store reads what has none, once something is looked for in it.
COMPLETE_BYTES = 64 << 20

PACK_SUFFIX = ".pack"

_INDEX_SUFFIX = ".idx"
_READ_BYTES = 4 << 20
_GROUP_BYTES = 1 << 20
_MODE = 0o644  # whoever may write to the store goes on with it

Packed = tuple[str, Entry]
"""The path of a pack, and where in it an object lies."""


class _Growing:
    """A pack without an index, as far as it has been read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.end = 0  # what lies before has been read
        self.damaged: list[tuple[int, int]] = []  # what of it is no group, from where to where
        self.size = -1  # of the file, when it was read last
        self.entries: dict[ObjectId, list[Entry]] = {}

    def find(self, oid: ObjectId) -> list[Entry]:
        return self.entries.get(oid, [])

    def all(self) -> Iterator[Entry]:
        for entries in list(self.entries.values()):
            yield from entries

    def add(self, entry: Entry) -> None:
        self.entries.setdefault(entry.oid, []).append(entry)


class _Complete:
    """A pack with its index."""

    def __init__(self, path: str, index: Index) -> None:
        self.path = path
        self.index = index

    def find(self, oid: ObjectId) -> list[Entry]:
        return self.index.find(oid)

    def all(self) -> Iterator[Entry]:
        return self.index.entries()


class Packs:
    """The packs below one ``objects/``. Thread-safe, and safe beside other processes."""

    def __init__(self, disk: Disk, directory: str, staging: str, *, unsynced: Unsynced, mode: Mode) -> None:
        """Look at the packs in *directory*, which need not be there; nothing is opened yet."""
        self._disk = disk
        self._directory = directory
        self._staging = staging
        self._unsynced = unsynced
        self._mode = mode
        self._lock = threading.RLock()
        self._packs: dict[str, _Growing | _Complete] = {}  # by name
        self._names: frozenset[str] = frozenset()  # of the files, as they were read last
        self._has_looked = False
        self._fd: int | None = None  # of the pack that this process adds to
        self._own: _Growing | None = None
        self._is_doubtful = False  # a sync of it failed: what it should have synced must be written again
        _all_packs.add(self)

    def __del__(self) -> None:
        if self._fd is not None:
            self._disk.close(self._fd)

    # Looking

    def find(self, oid: ObjectId, *suffixes: str, refresh: bool = True) -> Packed | None:
        """Return where an object lies in one of these forms, the first that is there; None when it is not here.

        Args:
            refresh: Look for what others have added since; what only saves storing it again can do without.
        """
        with self._lock:
            if not self._has_looked:
                self._open_complete()
            found = self._find(oid, suffixes) if self._packs else None
            if found is None and refresh and self._refresh():
                found = self._find(oid, suffixes)
            return found

    def refresh(self) -> bool:
        """Take in what others have added, and forget the packs that are gone; whether there was anything."""
        with self._lock:
            return self._refresh()

    def list(self, prefix: str) -> Iterator[Packed]:
        """Yield every object whose id starts with *prefix*, in no order; one may be there twice."""
        with self._lock:
            self._refresh()
            packs = list(self._packs.values())
        for pack in packs:
            for entry in pack.all():
                if entry.oid.startswith(prefix):
                    yield pack.path, entry

    def damage(self) -> Iterator[tuple[str, int, int, bool]]:
        """Yield what in the packs is no object: a path, from where to where, and whether whole objects follow.

        If none do, it is what a writer left that was killed, or what one is writing now.
        """
        with self._lock:
            self._refresh()
            for pack in self._packs.values():
                if isinstance(pack, _Growing):
                    yield from ((pack.path, start, end, True) for start, end in pack.damaged)
                    if pack.size > pack.end and pack is not self._own:
                        yield pack.path, pack.end, pack.size, False

    def damaged_indexes(self) -> tuple[str, ...]:
        """Return the paths of the indexes that are damaged, or of no pack that is here."""
        with self._lock:
            self._refresh()
            stems = {name.removesuffix(_INDEX_SUFFIX) for name in self._names if name.endswith(_INDEX_SUFFIX)}
            whole = {stem for stem, pack in self._packs.items() if isinstance(pack, _Complete)}
            return tuple(f"{self._directory}/{stem}{_INDEX_SUFFIX}" for stem in sorted(stems - whole))

    def _find(self, oid: ObjectId, suffixes: tuple[str, ...]) -> Packed | None:
        found = [(pack.path, entry) for pack in self._packs.values() for entry in pack.find(oid)]
        for suffix in suffixes if found else ():
            for packed in found:
                if packed[1].suffix == suffix:
                    return packed
        return None

    def _refresh(self) -> bool:
        """Take in what has been added; whether there was anything."""
        self._has_looked = True
        try:
            names = frozenset(self._disk.listdir(self._directory))
        except (FileNotFoundError, NotADirectoryError):
            names = frozenset()
        except OSError as failure:
            raise from_os_error(failure, f"read {self._directory}") from failure
        is_new = names != self._names
        if is_new:
            self._names = names
            self._open_packs(names)
        for pack in self._packs.values():
            if isinstance(pack, _Growing) and pack is not self._own:
                is_new = self._read_on(pack) or is_new
        return is_new

    def _open_complete(self) -> None:
        """Open the packs that have an index, once; one that has none may take a while to be read."""
        self._has_looked = True
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            names = frozenset(self._disk.listdir(self._directory))
            self._open_packs(frozenset(name for name in names if _has_index(name, names)))

    def _open_packs(self, names: frozenset[str]) -> None:
        stems = {name.removesuffix(PACK_SUFFIX) for name in names if name.endswith(PACK_SUFFIX)}
        for gone in self._packs.keys() - stems:
            del self._packs[gone]
        for stem in sorted(stems):
            known = self._packs.get(stem)
            if isinstance(known, _Complete):
                continue
            index = self._read_index(stem) if stem + _INDEX_SUFFIX in names else None
            if index is not None:
                self._packs[stem] = _Complete(self._path(stem), index)
            elif known is None:
                self._packs[stem] = _Growing(self._path(stem))

    def _read_index(self, stem: str) -> Index | None:
        """Return the index of a pack; None when it is damaged, or says something about another pack."""
        fd = self._disk.open(f"{self._directory}/{stem}{_INDEX_SUFFIX}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = self._disk.size(fd)
            try:
                data: bytes | mmap.mmap = mmap.mmap(fd, size, access=mmap.ACCESS_READ)
            except (OSError, ValueError):
                data = self._disk.pread(fd, size, 0)
            try:
                index = Index(data)  # type: ignore[arg-type]
            except MalformedIndex:
                return None
        finally:
            self._disk.close(fd)
        return index if self._disk.size_at(self._path(stem)) == index.pack_length else None

    def _read_on(self, pack: _Growing) -> bool:
        """Take in what has been added to a pack."""
        size = self._disk.size_at(pack.path)
        if size is None or size == pack.size:
            return False
        try:
            fd = self._disk.open(pack.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as failure:
            raise from_os_error(failure, f"open {pack.path}") from failure
        try:
            before = pack.end
            self._scan(fd, pack)
        except OSError as failure:
            raise from_os_error(failure, f"read {pack.path}") from failure
        finally:
            self._disk.close(fd)
        pack.size = size
        return pack.end > before

    def _scan(self, fd: int, pack: _Growing) -> None:
        if pack.end == 0 and self._disk.pread(fd, len(PACK_MAGIC), 0) == PACK_MAGIC:
            pack.end = len(PACK_MAGIC)
        length = _READ_BYTES
        while data := self._disk.pread(fd, length, pack.end):
            entries, end = scan(data, pack.end)
            for entry in entries:
                pack.add(entry)
            if entries:
                pack.end, length = end, _READ_BYTES
                continue
            left = self._disk.size(fd) - end
            wanted = group_length(data[:HEAD_BYTES])
            if wanted is not None and len(data) < wanted <= left:
                length = wanted
                continue
            # Somebody is writing it, or was when he was killed; or it is damaged, and what lies behind it is whole.
            found = find_group(self._disk.pread(fd, left, end), 1)
            if found is None:
                return
            pack.damaged.append((end, end + found))
            pack.end, length = end + found, _READ_BYTES

    # Adding

    def add(self, objects: Sequence[New]) -> None:
        """Add objects, all of them or none.

        Raises:
            NoSpace, ReadOnlyStore: Nothing was added.

        Durability:
            relaxed: they survive this process, and a power cut after the next sync. full: they survive a power cut.
        """
        with self._lock:
            try:
                pack, fd = self._growing()
                self._append(pack, fd, objects)
                if pack.end >= COMPLETE_BYTES:
                    self._complete(pack)
            except OSError as failure:
                size = sum(len(data) for _, _, data in objects)
                raise from_os_error(failure, f"store {len(objects)} objects of {size} bytes") from failure

    def small(self, limit_bytes: int) -> tuple[str, ...]:
        """Return the paths of the complete packs that are not longer than *limit_bytes*."""
        with self._lock:
            self._refresh()
            packs = [pack for pack in self._packs.values() if isinstance(pack, _Complete)]
            return tuple(pack.path for pack in packs if pack.index.pack_length <= limit_bytes)

    def write(self, objects: Iterable[New]) -> tuple[str, ...]:
        """Put *objects* into new packs, which are complete; return the paths of these.

        Raises:
            NoSpace, ReadOnlyStore: Those that were not complete are not there.

        Durability:
            They survive a power cut.
        """
        paths = []
        waiting: list[New] = []
        size = 0
        try:
            for one in objects:
                waiting.append(one)
                size += len(one[2])
                if size >= COMPLETE_BYTES:
                    paths.append(self._write_complete(waiting))
                    waiting, size = [], 0
            if waiting:
                paths.append(self._write_complete(waiting))
        except OSError as failure:
            raise from_os_error(failure, "write a pack") from failure
        return tuple(paths)

    def rewrite(self, path: str, keep: Callable[[Entry], bool], aside: str | None) -> bool:
        """Put what *keep* wants of the pack at *path* into a new one; move it to the directory *aside*, or delete it.

        False when another process is adding to it: then nothing was done.

        Raises:
            NoSpace, ReadOnlyStore: The old pack is still there.

        Durability:
            What is kept is on stable storage before the old pack goes.
        """
        stem = os.path.basename(path).removesuffix(PACK_SUFFIX)
        with self._lock:
            if self._own is not None and self._own.path == path:
                self._leave()
            self._refresh()
            pack = self._packs.get(stem)
            if pack is None:
                return False
            try:
                fd = self._disk.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError as failure:
                raise from_os_error(failure, f"open {path}") from failure
            try:
                if not self._disk.try_lock(fd):
                    return False
                kept = [entry for entry in pack.all() if keep(entry)]
                self.write((one.oid, one.suffix, self._disk.pread(fd, one.length, one.start)) for one in kept)
                for suffix in (_INDEX_SUFFIX, PACK_SUFFIX):  # a pack without its index is read all the same
                    with contextlib.suppress(FileNotFoundError):
                        self._remove(stem + suffix, aside)
                self._disk.sync_directory(self._directory)
            except OSError as failure:
                raise from_os_error(failure, f"write {path} anew") from failure
            finally:
                self._disk.close(fd)
            self._refresh()
            return True

    def _remove(self, name: str, aside: str | None) -> None:
        if aside is None:
            self._disk.unlink(f"{self._directory}/{name}")
        else:
            self._disk.rename(f"{self._directory}/{name}", f"{aside}/{name}")

    def _write_complete(self, objects: Sequence[New]) -> str:
        path = self._path(os.urandom(8).hex())
        make_directory(self._disk, self._unsynced, Mode.FULL, self._directory)
        temporary = self._disk.create_temporary(self._staging, _MODE)
        try:
            pwrite_all(self._disk, temporary.fd, PACK_MAGIC, 0)
            end, entries = len(PACK_MAGIC), []
            for group in _grouped(objects):
                data = encode_group(group)
                pwrite_all(self._disk, temporary.fd, data, end)
                found, end = scan(data, end)
                entries += found
            # Nobody adds to it before it has its index, and then nobody does either.
            self._disk.try_lock(temporary.fd)
            place(self._disk, self._unsynced, Mode.FULL, temporary, path)
            target = path.removesuffix(PACK_SUFFIX) + _INDEX_SUFFIX
            index = encode_index(entries, end)
            publish(self._disk, self._unsynced, Mode.FULL, index, target, staging=self._staging)
        finally:
            self._disk.discard_temporary(temporary)
        return path

    def rest(self) -> None:
        """Let go of the pack that this process adds to; the next use goes on with it, or with another."""
        with self._lock:
            self._leave()

    def _append(self, pack: _Growing, fd: int, objects: Sequence[New]) -> None:
        data = (b"" if pack.end else PACK_MAGIC) + encode_group(objects)
        try:
            if self._is_doubtful:
                write_pack_again(self._disk, pack.path)
                self._is_doubtful = False
            pwrite_all(self._disk, fd, data, pack.end)
            self._make_safe(pack.path, fd)
        except OSError:
            self._disk.truncate(fd, pack.end)
            raise
        entries, end = scan(data if pack.end else data[len(PACK_MAGIC) :], pack.end or len(PACK_MAGIC))
        for entry in entries:
            pack.add(entry)
        pack.size = pack.end = end

    def _make_safe(self, path: str, fd: int) -> None:
        if self._mode is Mode.RELAXED:
            self._unsynced.add_pack(path)
            return
        try:
            self._disk.fdatasync(fd)
        except OSError:
            self._is_doubtful = True
            raise

    def _growing(self) -> tuple[_Growing, int]:
        """Return the pack that this process adds to."""
        if self._own is None or self._fd is None:
            self._refresh()
            growing = [pack for pack in self._packs.values() if isinstance(pack, _Growing)]
            if not any(self._go_on_with(pack) for pack in growing):
                self._begin()
        assert self._own is not None and self._fd is not None
        return self._own, self._fd

    def _go_on_with(self, pack: _Growing) -> bool:
        """Add to a pack that another process has begun, if none is adding to it and all of it is whole."""
        try:
            fd = self._disk.open(pack.path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as failure:
            if failure.errno in (errno.ENOENT, errno.EACCES, errno.EPERM):
                return False
            raise
        try:
            if self._disk.try_lock(fd):
                self._read_on(pack)
                if pack.end == self._disk.size(fd) and not self._is_complete(pack):
                    make_directory(self._disk, self._unsynced, self._mode, self._directory)
                    sync_name(self._disk, self._unsynced, self._mode, pack.path)
                    self._own, self._fd = pack, fd
        finally:
            if self._fd != fd:
                self._disk.close(fd)
        return self._own is pack

    def _is_complete(self, pack: _Growing) -> bool:
        return self._disk.size_at(pack.path.removesuffix(PACK_SUFFIX) + _INDEX_SUFFIX) is not None

    def _begin(self) -> None:
        make_directory(self._disk, self._unsynced, self._mode, self._directory)
        stem = os.urandom(8).hex()
        path = self._path(stem)
        fd = self._disk.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        try:
            self._disk.try_lock(fd)
            sync_name(self._disk, self._unsynced, self._mode, path)
        except BaseException:
            self._disk.close(fd)
            raise
        pack = _Growing(path)
        self._packs[stem] = pack
        self._own, self._fd = pack, fd

    def _complete(self, pack: _Growing) -> None:
        """Write the index: nobody adds to it any more."""
        assert self._fd is not None
        self._disk.fsync(self._fd)  # an index that is on disk before its pack would name what is not there
        data = encode_index(pack.all(), pack.end)
        target = pack.path.removesuffix(PACK_SUFFIX) + _INDEX_SUFFIX
        publish(self._disk, self._unsynced, self._mode, data, target, staging=self._staging)
        self._leave()

    def _leave(self) -> None:
        fd, self._fd, self._own, self._is_doubtful = self._fd, None, None, False
        if fd is not None:
            self._disk.close(fd)

    def _path(self, stem: str) -> str:
        return f"{self._directory}/{stem}{PACK_SUFFIX}"


def _has_index(name: str, names: Collection[str]) -> bool:
    return name.removesuffix(PACK_SUFFIX).removesuffix(_INDEX_SUFFIX) + _INDEX_SUFFIX in names


def _grouped(objects: Sequence[New]) -> Iterator[list[New]]:
    """Yield *objects* in groups of about a MiB: a whole one is read to find the next, when something is damaged."""
    group: list[New] = []
    size = 0
    for one in objects:
        group.append(one)
        size += len(one[2])
        if size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


_all_packs: weakref.WeakSet[Packs] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    # The parent's lock is the child's, too: both would add at the same place. Closing here leaves it to the parent.
    for packs in list(_all_packs):
        packs._lock = threading.RLock()
        packs._leave()


os.register_at_fork(after_in_child=_after_fork_in_child)
