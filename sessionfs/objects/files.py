"""Objects as files: where they lie, how they get there, and that they stay.

objects/<2 hex>/<62 hex>             a blob as it is: the file is the content
objects/<2 hex>/<62 hex>.lz4         a blob as one LZ4 frame
objects/<2 hex>/<62 hex>.chunks      a blob in pieces: the list of them
objects/<2 hex>/<62 hex>.tree        canonical JSON: one directory
objects/<2 hex>/<62 hex>.snapshot    canonical JSON: one moment of a session
objects/pack/                        many of these in one file (see :mod:`sessionfs.objects.packs`)

What is looked for first is the object's own file, then the packs, then the trash (see
:mod:`sessionfs.objects.trashed`).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator

from sessionfs.durable import Disk, Mode, Temporary, Unsynced, place, publish
from sessionfs.durable.publish import OBJECT_MODE, make_directory, sync_file, sync_name
from sessionfs.errors import from_os_error
from sessionfs.objects.catalog import PACK_SUFFIX
from sessionfs.objects.packs import Packs
from sessionfs.objects.stored import ObjectFile, Place
from sessionfs.objects.trashed import Trashed
from sessionfs.oid import ObjectId

FAN_OUT = [f"{number:02x}" for number in range(256)]

SUFFIX_OF_COMPRESSION = {"none": "", "lz4": ".lz4", "chunks": ".chunks"}  # in the order in which they are looked for
SUFFIX_OF_KIND = {"tree": ".tree", "snapshot": ".snapshot"}
KIND_OF_SUFFIX = dict.fromkeys(SUFFIX_OF_COMPRESSION.values(), "blob") | {
    suffix: kind for kind, suffix in SUFFIX_OF_KIND.items()
}
SUFFIXES_OF_KIND = {"blob": [*SUFFIX_OF_COMPRESSION.values()], "tree": [".tree"], "snapshot": [".snapshot"]}
COMPRESSION_OF_SUFFIX = {suffix: compression for compression, suffix in SUFFIX_OF_COMPRESSION.items()}


_NAMING_SUFFIXES = (".chunks", ".tree", ".snapshot")
MAX_NAMING_BYTES = 1 << 30
_OID = re.compile(rb"[0-9a-f]{64}")


class ObjectFiles:
    """The files below one ``objects/``. What fails is an error of ours."""

    def __init__(
        self, disk: Disk, directory: str, staging: str, *, unsynced: Unsynced, mode: Mode, trash: str | None = None
    ) -> None:
        self.disk = disk
        self.trashed = Trashed(disk, trash)
        self._directory = directory
        self._staging = staging
        self._unsynced = unsynced
        self._mode = mode
        self.packs = Packs(disk, f"{directory}/pack", staging, unsynced=unsynced, mode=mode)

    def path(self, oid: ObjectId, suffix: str) -> str:
        """Return where the object's file lies, or would."""
        return f"{self._directory}/{oid[:2]}/{oid[2:]}{suffix}"

    def suffix(self, file: ObjectFile) -> str:
        """Return what the name of an object's file ends with, in the form in which it is there."""
        return SUFFIX_OF_KIND.get(file.kind) or SUFFIX_OF_COMPRESSION[file.compression]

    def size(self, oid: ObjectId, suffix: str) -> int | None:
        """Return the length in bytes of the object in this form; None when it is not here."""
        size = self.disk.size_at(self.path(oid, suffix))
        if size is not None:
            return size
        packed = self.packs.find(oid, suffix)
        if packed is not None:
            return packed[1].length
        trashed = self.trashed.find(oid + suffix)
        return None if trashed is None else self.disk.size_at(trashed)

    def is_in_place(self, oid: ObjectId) -> bool:
        """Say whether an object lies where it is looked for first, in some form: not in the trash."""
        for suffix in KIND_OF_SUFFIX:
            if self.disk.size_at(self.path(oid, suffix)) is not None:
                return True
        packed = self.packs.find(oid, *KIND_OF_SUFFIX)
        if packed is None:
            return False
        if self.disk.size_at(packed[0]) is None:  # that pack has gone since
            self.packs.refresh()
            return self.packs.find(oid, *KIND_OF_SUFFIX, refresh=False) is not None
        return True

    def rescue(self, oid: ObjectId, suffixes: Iterable[str] = KIND_OF_SUFFIX) -> str | None:
        """Take an object out of the trash again, with all that it names; return where it lies now.

        It stays in the trash where nothing can be written; that is no reason not to read it.
        """
        for suffix in suffixes:
            trashed = self.trashed.find(oid + suffix)
            if trashed is None:
                continue
            target = self.path(oid, suffix)
            try:
                if suffix in _NAMING_SUFFIXES:
                    for named in _OID.findall(self.read(trashed, MAX_NAMING_BYTES) or b""):
                        if not self.is_in_place(ObjectId(named.decode())):
                            self.rescue(ObjectId(named.decode()))
                self._take_out(trashed, target)
                sync_name(self.disk, self._unsynced, self._mode, target)
            except FileNotFoundError:
                continue  # somebody else was quicker: it is in its place, or gone
            except OSError as failure:
                if failure.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
                    return trashed
                raise from_os_error(failure, f"take object {oid} out of the trash") from failure
            return target
        return None

    def _take_out(self, trashed: str, target: str) -> None:
        try:
            self.disk.rename(trashed, target)
        except FileNotFoundError:  # it has gone; or the directory is missing, as in a copy without empty ones
            make_directory(self.disk, self._unsynced, self._mode, os.path.dirname(target))
            self.disk.rename(trashed, target)

    def open(self, path: str) -> int | None:
        """Return a descriptor for reading; None when there is no such file."""
        try:
            return self.disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as failure:
            if failure.errno in (errno.EMFILE, errno.ENFILE):
                raise
            raise from_os_error(failure, f"open {path}") from failure

    def read(self, path: str, limit_bytes: int, start: int = 0) -> bytes | None:
        """Return what the file at *path* holds from *start*, up to *limit_bytes*; None when there is none."""
        fd = self.open(path)
        if fd is None:
            return None
        try:
            parts = []
            left = limit_bytes
            while left and (data := self.disk.pread(fd, left, start + limit_bytes - left)):
                parts.append(data)
                left -= len(data)
            return b"".join(parts)
        except OSError as failure:
            raise from_os_error(failure, f"read {path}") from failure
        finally:
            self.disk.close(fd)

    def create_temporary(self) -> Temporary:
        """Return a new file that can become an object; raises OSError."""
        return self.disk.create_temporary(self._staging, OBJECT_MODE)

    def publish(self, data: bytes | bytearray | memoryview, path: str, damaged: str | None) -> None:
        """Store *data* at *path*, in place of the *damaged* file if there is one."""
        try:
            publish(
                self.disk, self._unsynced, self._mode, data, path, staging=self._staging, replace=damaged is not None
            )
            self._drop_damaged(damaged, path)
        except OSError as failure:
            raise from_os_error(failure, f"store an object of {len(data)} bytes") from failure

    def place(self, temporary: Temporary, path: str, damaged: str | None) -> None:
        """Give the complete *temporary* file its name; raises OSError, and then it may have the name or not."""
        place(self.disk, self._unsynced, self._mode, temporary, path, replace=damaged is not None)
        self._drop_damaged(damaged, path)

    def keep(self, path: str) -> None:
        """Make the object at *path*, which somebody else placed, as safe as the mode says.

        They may not have synced it yet, or never will; the record that our caller writes needs it.
        """
        is_pack = path.endswith(PACK_SUFFIX)
        if self._mode is Mode.RELAXED and not is_pack:
            self._unsynced.add_file(path)
            return
        try:
            if is_pack:  # objects/pack/ may be as new as the pack
                sync_name(self.disk, self._unsynced, self._mode, os.path.dirname(path))
            if self._mode is Mode.RELAXED:
                self._unsynced.add_pack(path)
                return
            sync_file(self.disk, path)
            self.disk.sync_directory(os.path.dirname(path))
        except OSError as failure:
            raise from_os_error(failure, f"sync {path}") from failure

    def list(self, prefix: str, *, every: bool = False) -> Iterator[ObjectFile]:
        """Yield every object whose id starts with *prefix*: those with files of their own in the order of the ids.

        What is here from beginning to end is among them, whatever others do; while they repack, some of it twice.

        Args:
            every: Also what is in a pack and not looked for there, because the object has a file of its own.
        """
        in_both: set[str] = set()
        self.packs.refresh()
        for file in self._list_files(prefix):
            suffix = self.suffix(file)
            if not every and self.packs.find(file.oid, suffix, refresh=False) is not None:
                in_both.add(file.oid + suffix)
            yield file
        # Not by what has a file now: since its directory was read somebody may have put again what is in a pack.
        for path, entry in self.packs.list(prefix):
            if entry.oid + entry.suffix not in in_both:
                yield object_file(entry.oid, entry.suffix, Place(path, entry.start, entry.length))

    def places(self, oid: ObjectId) -> Iterator[ObjectFile]:
        """Yield every place where an object of this name lies, in whatever form, in the order of looking."""
        for suffix in KIND_OF_SUFFIX:
            path = self.path(oid, suffix)
            stored_size = self.disk.size_at(path)
            if stored_size is not None:
                yield object_file(oid, suffix, Place(path, None, stored_size))
        for path, entry in self.packs.find_all(oid):
            yield object_file(oid, entry.suffix, Place(path, entry.start, entry.length))

    def _list_files(self, prefix: str) -> Iterator[ObjectFile]:
        for directory in FAN_OUT:
            if directory[: len(prefix)] != prefix[:2]:
                continue
            folder = f"{self._directory}/{directory}"
            try:
                names = sorted(self.disk.listdir(folder))
            except FileNotFoundError:
                continue
            for name in names:
                stem, dot, ending = name.partition(".")
                suffix = dot + ending
                if suffix not in KIND_OF_SUFFIX or len(stem) != 62 or not (directory + stem).startswith(prefix):
                    continue
                stored_size = self.disk.size_at(f"{folder}/{name}")
                if stored_size is not None:
                    place = Place(f"{folder}/{name}", None, stored_size)
                    yield object_file(ObjectId(directory + stem), suffix, place)

    def _drop_damaged(self, damaged: str | None, path: str) -> None:
        """Remove a damaged file that the whole one at *path* has not replaced, because its form is another."""
        if damaged is not None and damaged != path:
            self.disk.unlink(damaged)
            sync_name(self.disk, self._unsynced, self._mode, damaged)  # that it is gone


def object_file(oid: ObjectId, suffix: str, place: Place) -> ObjectFile:
    """Return what lies at *place*."""
    compression = COMPRESSION_OF_SUFFIX.get(suffix, "none")
    return ObjectFile(oid, KIND_OF_SUFFIX[suffix], compression, place.path, place.length, place.start)
