"""What a promise about one record includes: the objects of those before it, whoever wrote them.

See :meth:`sessionfs.log.Log.owe`. What the records of others name is found by looking at their lines: few, because all
that is older than the last sync of the whole filesystem is safe. When they are many, the whole filesystem is synced.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from sessionfs.clock import format_time
from sessionfs.durable import Disk, Needed
from sessionfs.log.search import find_time
from sessionfs.objects import DamagedObject, NoSuchObject, ObjectDatabase
from sessionfs.objects.catalog import PACK_SUFFIX
from sessionfs.oid import ObjectId
from sessionfs.store.layout import Layout
from sessionfs.store.synced import Synced

# Syncing a file that is clean costs 50 to 100 us, syncing the filesystem 1 ms, and whatever else is on its way there.
_MANY_FILES = 32

_READ_BYTES = 1 << 20

# In a JSON string the quotation marks would be escaped. What callers' own events name is looked for in vain.
_NAMED = re.compile(rb'"(?:oid|old_oid|new_oid|data_oid|snapshot|beginning)":"([0-9a-f]{64})"')
_TREES = re.compile(rb'"(?:tree|linked)":"([0-9a-f]{64})"')
_FORK = re.compile(rb'"fork":\{"session":"([A-Za-z0-9][A-Za-z0-9._-]{0,127})"')


class Covering:
    """The objects of one store that others may have left unsynced. Thread-safe."""

    def __init__(self, disk: Disk, layout: Layout, objects: ObjectDatabase, synced: Synced) -> None:
        self._disk = disk
        self._layout = layout
        self._objects = objects
        self._synced = synced

    def needed(self, path: str, offset: int) -> Needed:
        """Return what a power cut could take of what the records of the log at *path* from *offset* on name.

        Nothing is left to be done when the whole filesystem has been synced instead.
        """
        since_ns = self._synced.suspect_ns()
        found = Needed.nothing()
        is_many = False
        for oid in self._named(path, offset, since_ns, found.logs):
            self._add(oid, since_ns, found)
            if not is_many and len(found.files) + len(found.packs) > _MANY_FILES:
                if self._synced.renew():
                    return Needed.nothing()
                is_many = True  # then one by one, which says of which it failed
        return found

    def _named(self, path: str, offset: int, since_ns: int, logs: set[str]) -> Iterator[ObjectId]:
        """Yield what is named by the records of a log, and of those that it began with, which are added to *logs*."""
        for line in self._lines(path, offset, since_ns):
            for oid in _NAMED.findall(line):
                yield ObjectId(oid.decode())
            fork = _FORK.search(line)
            if fork is not None and (parent := self._layout.log(fork[1].decode())) not in logs | {path}:
                logs.add(parent)
                yield from self._named(parent, 0, since_ns, logs)

    def _lines(self, path: str, offset: int, since_ns: int) -> Iterator[bytes]:
        """Yield the lines of a log from *offset* on, or from *since_ns* on if that is 0."""
        try:
            fd = self._disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return  # deleted since
        try:
            if offset == 0:
                last = find_time(
                    lambda start, length: self._disk.pread(fd, length, start),
                    self._disk.size(fd),
                    format_time(since_ns),
                )
                offset = 0 if last is None else last.end
            rest = b""
            while data := self._disk.pread(fd, _READ_BYTES, offset):
                offset += len(data)
                *lines, rest = (rest + data).split(b"\n")
                yield from lines
        finally:
            self._disk.close(fd)

    def _add(self, oid: ObjectId, since_ns: int, found: Needed) -> None:
        """Add the files of an object that are not older than *since_ns*, with the trees below a snapshot."""
        waiting = [oid]
        seen: set[ObjectId] = set()
        while waiting:
            named = waiting.pop()
            if named in seen:
                continue
            seen.add(named)
            young = {path for path in self._objects.paths(named) if (self._disk.modified_ns(path) or 0) >= since_ns}
            packs = {path for path in young if path.endswith(PACK_SUFFIX)}
            found.packs.update(packs)
            found.files.update(young - packs)
            for kind in ("snapshot", "tree") if young else ():
                with contextlib.suppress(NoSuchObject, DamagedObject):
                    text = self._objects.read_json(kind, named)
                    waiting += [ObjectId(tree.decode()) for tree in _TREES.findall(text)]
