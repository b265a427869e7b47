"""The packs of a store: finding objects in them, adding small ones to the newest, writing and rewriting whole ones.

objects/pack/<16 hex>.pack    many objects, each with a head (see :mod:`sessionfs.objects.packing`)
objects/pack/<16 hex>.idx     the sorted index of a pack that is complete

A pack without an index grows: one process at a time, which holds its lock (flock), adds to it; the next one goes on
with it. Readers take in what was added, as with a log. When it has become long it gets an index, and is never written
to again.

Packed are the small pieces of content that is appended to, and the lists that name them: a version costs its tail and
some 600 bytes, instead of two files of a block each; and adding is one write, instead of making two inodes. What
``repack`` packs goes into packs that are complete from the beginning.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from sessionfs.durable import Disk, Mode, Unsynced, pwrite_all
from sessionfs.durable.publish import make_directory, place, publish
from sessionfs.errors import from_os_error
from sessionfs.locks import renew_in_children
from sessionfs.objects import adding
from sessionfs.objects.adding import PACK_MODE, Adding
from sessionfs.objects.catalog import INDEX_SUFFIX, PACK_SUFFIX, Catalog, Packed
from sessionfs.objects.opened import Complete, Growing
from sessionfs.objects.packing import PACK_MAGIC, Entry, New, encode_group, encode_index, scan
from sessionfs.oid import ObjectId

_GROUP_BYTES = 1 << 20


class Packs:
    """The packs below one ``objects/``. Thread-safe, and safe beside other processes."""

    def __init__(self, disk: Disk, directory: str, staging: str, *, unsynced: Unsynced, mode: Mode) -> None:
        """Look at the packs in *directory*, which need not be there; nothing is opened yet."""
        self._disk = disk
        self._directory = directory
        self._staging = staging
        self._unsynced = unsynced
        self._lock = threading.RLock()
        self._catalog = Catalog(disk, directory)
        self._adding = Adding(disk, directory, staging, self._catalog, unsynced=unsynced, mode=mode)
        renew_in_children(self)

    # Looking

    def find(self, oid: ObjectId, *suffixes: str, refresh: bool = True) -> Packed | None:
        """Return where an object lies in one of these forms, the first that is there; None when it is not here.

        Args:
            refresh: Look for what others have added since; what only saves storing it again can do without.
        """
        with self._lock:
            return self._catalog.find(oid, suffixes, refresh=refresh)

    def refresh(self) -> bool:
        """Take in what others have added, and forget the packs that are gone; whether there was anything."""
        with self._lock:
            return self._catalog.refresh()

    def list(self, prefix: str) -> Iterator[Packed]:
        """Yield every object whose id starts with *prefix*, in no order; one may be there twice."""
        with self._lock:
            packs = self._catalog.all()
        for pack in packs:
            for entry in pack.all():
                if entry.oid.startswith(prefix):
                    yield pack.path, entry

    def find_all(self, oid: ObjectId) -> Iterator[Packed]:
        """Yield every place where an object lies, in whatever form; what else is in the packs is not looked at."""
        with self._lock:
            packs = self._catalog.all()
        for pack in packs:
            for entry in pack.find(oid):
                yield pack.path, entry

    def damage(self) -> Iterator[tuple[str, int, int, bool]]:
        """Yield what in the packs is no object: a path, from where to where, and whether whole objects follow.

        If none do, it is what a writer left that was killed, or what one is writing now.
        """
        with self._lock:
            for pack in self._catalog.growing():
                yield from ((pack.path, start, end, True) for start, end in pack.damaged)
                if pack.size > pack.end and pack is not self._catalog.own:
                    yield pack.path, pack.end, pack.size, False

    def damaged_indexes(self) -> tuple[str, ...]:
        """Return the paths of the indexes that are damaged, or of no pack that is here."""
        with self._lock:
            return self._catalog.damaged_indexes()

    def small(self, limit_bytes: int) -> tuple[str, ...]:
        """Return the paths of the complete packs that are not longer than *limit_bytes*."""
        with self._lock:
            packs = [pack for pack in self._catalog.all() if isinstance(pack, Complete)]
            return tuple(pack.path for pack in packs if pack.size <= limit_bytes)

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
                self._adding.add(objects)
            except OSError as failure:
                size = sum(len(data) for _, _, data in objects)
                raise from_os_error(failure, f"store {len(objects)} objects of {size} bytes") from failure

    def rest(self) -> None:
        """Let go of the pack that this process adds to; the next use goes on with it, or with another."""
        with self._lock:
            self._adding.leave()

    def renew(self) -> None:
        """Leave the pack to the parent, whose lock a child has, too: both would add at the same place."""
        self._lock = threading.RLock()
        self._adding.leave()

    # Whole packs

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
                if size >= adding.COMPLETE_BYTES:
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
            if self._catalog.own is not None and self._catalog.own.path == path:
                self._adding.leave()
            pack = self._catalog.at(stem)
            if pack is None:
                return False
            try:
                fd = self._disk.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError as failure:
                raise from_os_error(failure, f"open {path}") from failure
            try:
                if not self._disk.try_lock(fd):
                    return False
                self._write_kept(pack, fd, keep)
                for suffix in (INDEX_SUFFIX, PACK_SUFFIX):  # a pack without its index is read all the same
                    with contextlib.suppress(FileNotFoundError):
                        self._remove(stem + suffix, aside)
                self._disk.sync_directory(self._directory)
            except OSError as failure:
                raise from_os_error(failure, f"write {path} anew") from failure
            finally:
                self._disk.close(fd)
            self._catalog.refresh()
            return True

    def _write_kept(self, pack: Growing | Complete, fd: int, keep: Callable[[Entry], bool]) -> None:
        kept = [entry for entry in pack.all() if keep(entry)]
        self.write((one.oid, one.suffix, self._disk.pread(fd, one.length, one.start)) for one in kept)

    def _remove(self, name: str, aside: str | None) -> None:
        if aside is None:
            self._disk.unlink(f"{self._directory}/{name}")
        else:
            self._disk.rename(f"{self._directory}/{name}", f"{aside}/{name}")

    def _write_complete(self, objects: Sequence[New]) -> str:
        path = self._catalog.path(os.urandom(8).hex())
        make_directory(self._disk, self._unsynced, Mode.FULL, self._directory)
        temporary = self._disk.create_temporary(self._staging, PACK_MODE)
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
            index = encode_index(entries, end)
            target = self._catalog.index_path(path)
            publish(self._disk, self._unsynced, Mode.FULL, index, target, staging=self._staging)
        finally:
            self._disk.discard_temporary(temporary)
        return path


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
