"""The pack that this process adds to: it holds its lock, goes on with one that another process left, or begins one.

When it has become long it gets an index, and is never written to again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from sessionfs.durable import Disk, Mode, Unsynced, pwrite_all
from sessionfs.durable.again import write_pack_again
from sessionfs.durable.publish import make_directory, publish, sync_name
from sessionfs.objects.catalog import Catalog
from sessionfs.objects.opened import Growing
from sessionfs.objects.packing import PACK_MAGIC, New, encode_group, encode_index, scan

# When a growing pack gets its index. Opening a store reads what has none, once something is looked for in it.
COMPLETE_BYTES = 64 << 20

PACK_MODE = 0o644  # whoever may write to the store goes on with it


class Adding:
    """Adding to a pack. Its owner holds a lock; every method may raise OSError."""

    def __init__(
        self, disk: Disk, directory: str, staging: str, catalog: Catalog, *, unsynced: Unsynced, mode: Mode
    ) -> None:
        self._disk = disk
        self._directory = directory
        self._staging = staging
        self._catalog = catalog
        self._unsynced = unsynced
        self._mode = mode
        self._fd: int | None = None  # of the catalog's own pack
        self._is_doubtful = False  # a sync of it failed: what it should have synced must be written again

    def __del__(self) -> None:
        if self._fd is not None:
            self._disk.close(self._fd)

    def add(self, objects: Sequence[New]) -> None:
        """Add objects, all of them or none."""
        pack, fd = self._growing()
        self._append(pack, fd, objects)
        if pack.end >= COMPLETE_BYTES:
            self._complete(pack, fd)

    def leave(self) -> None:
        """Let go of the pack; the next use goes on with it, or with another."""
        fd, self._fd, self._catalog.own, self._is_doubtful = self._fd, None, None, False
        if fd is not None:
            self._disk.close(fd)

    def _append(self, pack: Growing, fd: int, objects: Sequence[New]) -> None:
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

    def _growing(self) -> tuple[Growing, int]:
        """Return the pack that this process adds to."""
        has_one = self._catalog.own is not None and self._fd is not None
        if not has_one and not any(self._go_on_with(pack) for pack in self._catalog.growing()):
            self._begin()
        assert self._catalog.own is not None and self._fd is not None
        return self._catalog.own, self._fd

    def _go_on_with(self, pack: Growing) -> bool:
        """Add to a pack that another process has begun, if none is adding to it and all of it is whole."""
        try:
            fd = self._disk.open(pack.path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as failure:
            if failure.errno in (errno.ENOENT, errno.EACCES, errno.EPERM):
                return False
            raise
        try:
            if self._disk.try_lock(fd):
                pack.read_on(self._disk)
                if pack.end == self._disk.size(fd) and not self._is_complete(pack):
                    make_directory(self._disk, self._unsynced, self._mode, self._directory)
                    sync_name(self._disk, self._unsynced, self._mode, pack.path)
                    self._catalog.own, self._fd = pack, fd
        finally:
            if self._fd != fd:
                self._disk.close(fd)
        return self._catalog.own is pack

    def _is_complete(self, pack: Growing) -> bool:
        return self._disk.size_at(self._catalog.index_path(pack.path)) is not None

    def _begin(self) -> None:
        make_directory(self._disk, self._unsynced, self._mode, self._directory)
        stem = os.urandom(8).hex()
        path = self._catalog.path(stem)
        fd = self._disk.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PACK_MODE)
        try:
            self._disk.try_lock(fd)
            sync_name(self._disk, self._unsynced, self._mode, path)
        except BaseException:
            self._disk.close(fd)
            raise
        pack = Growing(path)
        self._catalog.begun(stem, pack)
        self._catalog.own, self._fd = pack, fd

    def _complete(self, pack: Growing, fd: int) -> None:
        """Write the index: nobody adds to it any more."""
        self._disk.fsync(fd)  # an index that is on disk before its pack would name what is not there
        data = encode_index(pack.all(), pack.end)
        target = self._catalog.index_path(pack.path)
        publish(self._disk, self._unsynced, self._mode, data, target, staging=self._staging)
        self.leave()
