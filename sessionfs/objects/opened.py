"""One pack, opened: where in it each object lies.

A pack that is complete has an index, which is mapped into memory; one that grows is scanned, and read on as it grows.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

from sessionfs.durable import Disk
from sessionfs.errors import from_os_error
from sessionfs.objects.packing import (
    HEAD_BYTES,
    PACK_MAGIC,
    Entry,
    Index,
    MalformedIndex,
    find_group,
    group_length,
    scan,
)
from sessionfs.oid import ObjectId

_READ_BYTES = 4 << 20


class Growing:
    """A pack without an index, as far as it has been read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.end = 0  # what lies before has been read
        self.damaged: list[tuple[int, int]] = []  # what of it is no group, from where to where
        self.size = -1  # of the file, when it was read last
        self._entries: dict[ObjectId, list[Entry]] = {}

    def find(self, oid: ObjectId) -> list[Entry]:
        """Return the entries of *oid*: one for each form it is there in."""
        return self._entries.get(oid, [])

    def all(self) -> Iterator[Entry]:
        """Yield every entry."""
        for entries in list(self._entries.values()):
            yield from entries

    def add(self, entry: Entry) -> None:
        """Note what has been read, or written."""
        self._entries.setdefault(entry.oid, []).append(entry)

    def read_on(self, disk: Disk) -> bool:
        """Take in what has been added to the file; whether there was anything."""
        size = disk.size_at(self.path)
        if size is None or size == self.size:
            return False
        try:
            fd = disk.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as failure:
            raise from_os_error(failure, f"open {self.path}") from failure
        try:
            before = self.end
            self._scan(disk, fd)
        except OSError as failure:
            raise from_os_error(failure, f"read {self.path}") from failure
        finally:
            disk.close(fd)
        self.size = size
        return self.end > before

    def _scan(self, disk: Disk, fd: int) -> None:
        if self.end == 0 and disk.pread(fd, len(PACK_MAGIC), 0) == PACK_MAGIC:
            self.end = len(PACK_MAGIC)
        length = _READ_BYTES
        while data := disk.pread(fd, length, self.end):
            entries, end = scan(data, self.end)
            for entry in entries:
                self.add(entry)
            if entries:
                self.end, length = end, _READ_BYTES
                continue
            left = disk.size(fd) - end
            wanted = group_length(data[:HEAD_BYTES])
            if wanted is not None and len(data) < wanted <= left:
                length = wanted
                continue
            # Somebody is writing it, or was when he was killed; or it is damaged, and what lies behind it is whole.
            found = find_group(disk.pread(fd, left, end), 1)
            if found is None:
                return
            self.damaged.append((end, end + found))
            self.end, length = end + found, _READ_BYTES


class Complete:
    """A pack with its index. It never changes."""

    def __init__(self, path: str, index: Index) -> None:
        self.path = path
        self.size = index.pack_length
        self._index = index

    def find(self, oid: ObjectId) -> list[Entry]:
        """Return the entries of *oid*: one for each form it is there in."""
        return self._index.find(oid)

    def all(self) -> Iterator[Entry]:
        """Yield every entry."""
        return self._index.entries()


def open_complete(disk: Disk, path: str, index_path: str) -> Complete | None:
    """Open the pack at *path* by its index; None when that is damaged, or says something about another pack."""
    fd = disk.open(index_path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = disk.size(fd)
        try:
            data: bytes | mmap.mmap = mmap.mmap(fd, size, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            data = disk.pread(fd, size, 0)
        try:
            index = Index(data)  # type: ignore[arg-type]
        except MalformedIndex:
            return None
    finally:
        disk.close(fd)
    return Complete(path, index) if disk.size_at(path) == index.pack_length else None
