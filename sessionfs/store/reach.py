"""What a store's objects are needed for: all that any log, ref, snapshot, or file of the trash names.

Names are looked for in the bytes, not in what they mean: 64 hex digits are taken for an object's name wherever they
stand, so that what a damaged record names, or a caller's own event, is kept as well. What is named by a tree, a
snapshot or a list of pieces is needed too; these are checked against their names, because one that is damaged does not
say what it needs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from sessionfs.durable import Disk
from sessionfs.errors import Corrupt, NotFound
from sessionfs.log.framing import MAX_RECORD_BYTES
from sessionfs.objects import ObjectDatabase, ObjectFile
from sessionfs.oid import ObjectId
from sessionfs.store.layout import Layout
from sessionfs.store.pruned import pruned_oids

_READ_BYTES = 8 << 20
_NO_LIMIT = 1 << 62
_CHAIN_END_BYTES = 64  # a line ends with its chain
_OID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_DATA = re.compile(rb'"data_oid":"([0-9a-f]{64})"')
_FORK = re.compile(
    rb'"fork":\{"session":"([A-Za-z0-9][A-Za-z0-9._-]{0,127})","seq":\d+,"offset":(\d{1,18}),"chain":"([^"]*)"'
)
_CHILDREN = re.compile(rb'"(?:tree|linked|snapshot)":"([0-9a-f]{64})"')


class Parent(NamedTuple):
    """The log that a fork begins with."""

    session_id: str
    end: int  # the fork begins with what stands before this offset
    chain: bytes  # of the last record there


class Named:
    """What the bytes of some files name."""

    def __init__(self) -> None:
        self.oids: set[ObjectId] = set()
        self.data: set[ObjectId] = set()  # blobs that are the data of a record, and name more
        self.parent: Parent | None = None
        self.pruned: set[ObjectId] = set()

    def add(self, lines: Iterable[bytes]) -> None:
        """Take in the lines of a log, or of any other file."""
        kept = list(lines)
        for line in kept:
            self.oids |= oids_in(line)
            self.data.update(ObjectId(oid.decode()) for oid in _DATA.findall(line))
        fork = _FORK.search(kept[0]) if kept else None
        if fork is not None:
            self.parent = Parent(fork[1].decode(), int(fork[2]), fork[3])
        self.pruned = pruned_oids(kept, self.pruned, in_doubt_kept=True)

    def add_file(self, disk: Disk, path: str, offset: int = 0, end: int | None = None) -> int:
        """Take in a file from *offset* on, to *end* if one is given; return where it ended."""
        content = read_from(disk, path, offset)[: None if end is None else end - offset]
        self.add(content.split(b"\n"))
        return offset + len(content)


class Objects:
    """The objects of a store, as they were listed."""

    def __init__(self, database: ObjectDatabase, files: Iterable[ObjectFile]) -> None:
        self._database = database
        self.files: dict[ObjectId, list[ObjectFile]] = {}
        self.unreadable: set[ObjectId] = set()
        """Trees, snapshots and lists that are needed, and do not say what they need."""
        for file in files:
            self.files.setdefault(file.oid, []).append(file)

    def needed(self, named: Named, seen: set[ObjectId] | None = None) -> set[ObjectId]:
        """Return what *named* needs, as far as it is here; what was pruned is not needed.

        Args:
            seen: What is known to be needed already, with all that it needs; it is added to.
        """
        found = set() if seen is None else seen
        waiting = list(named.oids - named.pruned - found)
        data = set(named.data)
        while waiting:
            oid = waiting.pop()
            if oid in found or not self._look(oid):
                continue
            found.add(oid)
            for kind, compression in {(file.kind, file.compression) for file in self.files[oid]}:
                waiting += self._children(oid, kind, compression, named.pruned) - found
            if oid in data:
                waiting += self._in_data(oid, data) - named.pruned - found
        return found

    def _look(self, oid: ObjectId) -> bool:
        """Say whether an object is here; it may have been put since they were listed, or be in the trash."""
        if oid not in self.files:
            places = list(self._database.places(oid))
            if not places and self._database.rescue(oid):
                places = list(self._database.places(oid))
            self.files[oid] = places
        return bool(self.files[oid])

    def _children(self, oid: ObjectId, kind: str, compression: str, pruned: set[ObjectId]) -> set[ObjectId]:
        if compression == "chunks":
            pieces = self._database.pieces(oid)
            if not pieces or not all(map(self._look, pieces)):
                self.unreadable.add(oid)
            return pieces  # also those that were versions once, and have been given up as such
        if kind == "blob":
            return set()
        try:
            content = self._database.read_json(kind, oid)
        except (Corrupt, NotFound):
            self.unreadable.add(oid)
            return set()
        must = {ObjectId(child.decode()) for child in _CHILDREN.findall(content)} - pruned
        self.unreadable |= {child for child in must if not self._look(child)}
        return oids_in(content) - pruned

    def _in_data(self, oid: ObjectId, data: set[ObjectId]) -> set[ObjectId]:
        try:
            content = self._database.read(oid)
        except (Corrupt, NotFound):
            self.unreadable.add(oid)
            return set()
        data.discard(oid)
        return oids_in(content)


def oids_in(content: bytes) -> set[ObjectId]:
    """Return all that stands in *content* and can be the name of an object."""
    return {ObjectId(oid.decode()) for oid in _OID.findall(content)}


def named_by_session(disk: Disk, layout: Layout, session_id: str) -> Named:
    """Return what a session names, with what it begins with of other logs, and its refs."""
    parents: list[Parent] = []
    parent = _parent_of(disk, layout, session_id)
    while parent is not None and parent.session_id not in {session_id, *(known.session_id for known in parents)}:
        if not _leads_to(disk, layout, parent):
            break  # it was deleted, and another session has its id: the fork has a snapshot of what it began with
        parents.append(parent)
        parent = _parent_of(disk, layout, parent.session_id)
    named = Named()
    for parent in reversed(parents):  # in order, because what is named after it was given up is needed again
        named.add_file(disk, layout.log(parent.session_id), end=parent.end)
    named.add_file(disk, layout.log(session_id))
    for path in list_files(disk, layout.refs(session_id)):
        refs = Named()
        refs.add_file(disk, path)
        named.oids |= refs.oids
    return named


def _parent_of(disk: Disk, layout: Layout, session_id: str) -> Parent | None:
    first = Named()
    first.add([read_from(disk, layout.log(session_id), 0, MAX_RECORD_BYTES).partition(b"\n")[0]])
    return first.parent


def _leads_to(disk: Disk, layout: Layout, parent: Parent) -> bool:
    start = max(0, parent.end - _CHAIN_END_BYTES)
    return b'"%s"}\n' % parent.chain in read_from(disk, layout.log(parent.session_id), start, parent.end - start)


def read_from(disk: Disk, path: str, offset: int, limit_bytes: int = _NO_LIMIT) -> bytes:
    """Return what the file at *path* holds from *offset* on, up to *limit_bytes*; nothing when there is none."""
    try:
        fd = disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    parts: list[bytes] = []
    try:
        end = offset + limit_bytes
        while part := disk.pread(fd, min(_READ_BYTES, end - offset), offset):
            parts.append(part)
            offset += len(part)
    finally:
        disk.close(fd)
    return b"".join(parts)


def list_files(disk: Disk, directory: str, *, skip: Collection[str] = ()) -> Iterator[str]:
    """Yield the paths of the files below *directory*, but for what lies in the paths *skip*.

    Links in it are left out: none of ours are there, and what they lead to is no part of the store.
    """
    try:
        names = sorted(disk.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        if disk.size_at(directory) is not None:
            yield directory
        return
    for name in names:
        path = f"{directory}/{name}"
        if path not in skip and not os.path.islink(path):
            yield from list_files(disk, path, skip=skip)
