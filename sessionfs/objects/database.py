"""The object database: immutable bytes under their BLAKE3 name, as plain files.

    objects/<2 hex>/<62 hex>             a blob as it is: the file is the content
    objects/<2 hex>/<62 hex>.lz4         a blob as one LZ4 frame
    objects/<2 hex>/<62 hex>.tree        canonical JSON: one directory
    objects/<2 hex>/<62 hex>.snapshot    canonical JSON: one moment of a session

Objects need no lock: two processes that put the same content write the same bytes under the same name, and the
second finds it there.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from sessionfs.durable import Disk, Mode, Unsynced, place, publish
from sessionfs.errors import Corrupt, Error, NotFound, from_os_error
from sessionfs.objects import frame
from sessionfs.objects.cache import BlockCache
from sessionfs.objects.incoming import PIECE_BYTES, Incoming
from sessionfs.objects.reader import Lz4Reader, ObjectReader, RawReader
from sessionfs.objects.staged import Staged
from sessionfs.oid import Hasher, ObjectId, hash_bytes

DEFAULT_THRESHOLD_BYTES = 10_240

# Up to here content is handled in one piece in memory: one hash call, one frame, one write.
_IN_MEMORY_BYTES = PIECE_BYTES

_RAW_SUFFIX = ""
_LZ4_SUFFIX = ".lz4"
_SUFFIX_OF_COMPRESSION = {"none": _RAW_SUFFIX, "lz4": _LZ4_SUFFIX}
_SUFFIX_OF_KIND = {"tree": ".tree", "snapshot": ".snapshot"}
_KIND_OF_SUFFIX = {_RAW_SUFFIX: "blob", _LZ4_SUFFIX: "blob", ".tree": "tree", ".snapshot": "snapshot"}

FAN_OUT = [f"{number:02x}" for number in range(256)]


class NoSuchObject(NotFound):
    """No object has this id, or none of this kind."""


class DamagedObject(Corrupt):
    """An object's bytes are not what its name says."""


class Stored(NamedTuple):
    """Where content ended up."""

    oid: ObjectId
    size: int  # bytes of content
    stored_size: int  # bytes of the file
    compression: str  # "none" or "lz4"


class ObjectFile(NamedTuple):
    """One file of the database, as :meth:`ObjectDatabase.list` finds it."""

    oid: ObjectId
    kind: str  # "blob", "tree" or "snapshot"
    compression: str
    path: str
    stored_size: int


class ObjectDatabase:
    """The objects of one store. Thread-safe, and safe beside other processes."""

    def __init__(
        self,
        disk: Disk,
        directory: str,
        staging: str,
        *,
        unsynced: Unsynced,
        mode: Mode = Mode.RELAXED,
        compress: bool = True,
        threshold_bytes: int = DEFAULT_THRESHOLD_BYTES,
        cache: BlockCache | None = None,
    ) -> None:
        self._disk = disk
        self._directory = directory
        self._staging = staging
        self._unsynced = unsynced
        self._mode = mode
        self._compress = compress
        self._threshold_bytes = threshold_bytes
        self._cache = cache if cache is not None else BlockCache()

    # Putting

    def put_bytes(self, data: bytes | bytearray | memoryview) -> Stored:
        """Store *data* as a blob.

        Raises:
            NoSpace, ReadOnlyStore: Nothing was stored.

        Durability:
            relaxed: survives this process. full: survives a power cut.
        """
        size = len(data)
        if size > _IN_MEMORY_BYTES:
            return self._put_pieces(
                memoryview(data)[start : start + PIECE_BYTES] for start in range(0, size, PIECE_BYTES)
            )
        oid = hash_bytes(data)
        found, damaged = self._find_blob(oid, size)
        if found is not None:
            self._keep(self._path(oid, _SUFFIX_OF_COMPRESSION[found.compression]))
            return found
        if self._compress and size > self._threshold_bytes:
            framed = frame.encode(data if isinstance(data, bytes) else memoryview(data))
            if len(framed) < size:
                self._publish(framed, self._path(oid, _LZ4_SUFFIX), damaged)
                return Stored(oid, size, len(framed), "lz4")
        self._publish(data, self._path(oid, _RAW_SUFFIX), damaged)
        return Stored(oid, size, size, "none")

    def put_stream(self, source: BinaryIO) -> Stored:
        """Store what *source* gives until its end, as a blob, in a few MiB of memory."""
        return self._put_pieces(_pieces(source))

    def put_file(self, path: str | os.PathLike[str] | bytes) -> Stored:
        """Store the content of the file at *path*.

        Raises:
            OSError: The file cannot be read.
        """
        with open(path, "rb", buffering=0) as source:
            status = os.fstat(source.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_size <= _IN_MEMORY_BYTES:
                # One more than there should be: a buffer of the largest size would cost 16 us a file.
                data = source.read(status.st_size + 1)
                if len(data) <= status.st_size and not source.read(1):
                    return self.put_bytes(data)
                source.seek(0)  # it is growing
            return self.put_stream(source)

    def put_json(self, kind: str, data: bytes) -> ObjectId:
        """Store canonical JSON as an object of *kind* ``tree`` or ``snapshot``."""
        oid = hash_bytes(data)
        path = self._path(oid, _SUFFIX_OF_KIND[kind])
        known_size = self._disk.size_at(path)
        if known_size == len(data):
            self._keep(path)
        else:
            self._publish(data, path, None if known_size is None else path)
        return oid

    def stage(self, base: ObjectId | None = None) -> Staged:
        """Return content that can be written at any offset and becomes a blob when it is finished.

        Args:
            base: Start from this blob's content instead of nothing.

        Raises:
            NoSuchObject, DamagedObject: Of *base*.
        """
        staged = Staged(self._disk, self._staging, put_bytes=self.put_bytes, put_stream=self.put_stream)
        if base is not None:
            try:
                with self.open(base) as reader:
                    # Checked: what is damaged must not become a new object, whose name would say that it is whole.
                    staged.fill(self._checked(reader, base))
            except BaseException:
                staged.discard()
                raise
        return staged

    # Reading

    def read(self, oid: ObjectId) -> bytes:
        """Return a blob's whole content, checked against its name.

        Raises:
            NoSuchObject: It is not here.
            DamagedObject: Its bytes are not what its name says.
        """
        with self.open(oid) as reader:
            data = b"".join(self._checked(reader, oid)) if reader.size > PIECE_BYTES else self._whole(reader, oid)
        return data

    def read_json(self, kind: str, oid: ObjectId) -> bytes:
        """Return the canonical JSON of a tree or snapshot, checked against its name."""
        path = self._path(oid, _SUFFIX_OF_KIND[kind])
        fd = self._open(path)
        if fd is None:
            raise NoSuchObject(f"there is no {kind} {oid} in this store")
        with RawReader(self._disk, fd) as reader:
            return self._whole(reader, oid)

    def open(self, oid: ObjectId) -> ObjectReader:
        """Open a blob for reading at any offset.

        Raises:
            NoSuchObject: It is not here.
            DamagedObject: It is not a frame that can be read.
        """
        fd = self._open(self._path(oid, _RAW_SUFFIX))
        if fd is not None:
            return RawReader(self._disk, fd)
        fd = self._open(self._path(oid, _LZ4_SUFFIX))
        if fd is None:
            raise NoSuchObject(f"there is no object {oid} in this store")
        try:
            return Lz4Reader(self._disk, fd, oid, self._cache)
        except Corrupt as failure:
            raise DamagedObject(f"object {oid} is damaged: {failure}") from failure

    def copy_out(self, oid: ObjectId, target: BinaryIO) -> int:
        """Write a blob's content to *target* and return its length in bytes; checked against its name.

        Raises:
            DamagedObject: The content is wrong; *target* has been written to.
        """
        size = 0
        with self.open(oid) as reader:
            for piece in self._checked(reader, oid):
                target.write(piece)
                size += len(piece)
        return size

    def verify(self, file: ObjectFile) -> None:
        """Check one file against its name.

        Raises:
            DamagedObject: Its bytes are not what its name says.
            NoSuchObject: It has gone since it was listed.
        """
        fd = self._open(file.path)
        if fd is None:
            raise NoSuchObject(f"there is no object file {file.path}")
        try:
            reader = (
                Lz4Reader(self._disk, fd, file.oid, self._cache)
                if file.compression == "lz4"
                else RawReader(self._disk, fd)
            )
        except Corrupt as failure:
            raise DamagedObject(f"object {file.oid} is damaged: {failure}") from failure
        with reader:
            for _ in self._checked(reader, file.oid):
                pass

    # Looking

    def kind(self, oid: ObjectId) -> str:
        """Return ``blob``, ``tree`` or ``snapshot``.

        Raises:
            NoSuchObject: It is not here.
        """
        for suffix, kind in _KIND_OF_SUFFIX.items():
            if self._disk.size_at(self._path(oid, suffix)) is not None:
                return kind
        raise NoSuchObject(f"there is no object {oid} in this store")

    def exists(self, oid: ObjectId) -> bool:
        """Say whether there is a blob, tree or snapshot of this name."""
        return any(self._disk.size_at(self._path(oid, suffix)) is not None for suffix in _KIND_OF_SUFFIX)

    def size(self, oid: ObjectId) -> int:
        """Return the length of the content in bytes, for an object of any kind."""
        kind = self.kind(oid)
        if kind == "blob":
            with self.open(oid) as reader:
                return reader.size
        return self._disk.size_at(self._path(oid, _SUFFIX_OF_KIND[kind])) or 0

    def stored(self, oid: ObjectId) -> Stored:
        """Return where a blob is; NoSuchObject when it is not."""
        with self.open(oid) as reader:
            size = reader.size
        raw_size = self._disk.size_at(self._path(oid, _RAW_SUFFIX))
        if raw_size is not None:
            return Stored(oid, size, raw_size, "none")
        return Stored(oid, size, self._disk.size_at(self._path(oid, _LZ4_SUFFIX)) or 0, "lz4")

    def list(self, prefix: str = "") -> Iterator[ObjectFile]:
        """Yield every object whose id starts with *prefix*, in the order of the ids."""
        for directory in FAN_OUT:
            if directory[: len(prefix)] != prefix[:2]:
                continue
            folder = f"{self._directory}/{directory}"
            try:
                names = sorted(self._disk.listdir(folder))
            except FileNotFoundError:
                continue
            for name in names:
                stem, dot, ending = name.partition(".")
                kind = _KIND_OF_SUFFIX.get(dot + ending)
                if kind is None or len(stem) != 62 or not (directory + stem).startswith(prefix):
                    continue
                stored_size = self._disk.size_at(f"{folder}/{name}")
                if stored_size is not None:
                    compression = "lz4" if ending == "lz4" else "none"
                    yield ObjectFile(ObjectId(directory + stem), kind, compression, f"{folder}/{name}", stored_size)

    # Inside

    def _path(self, oid: ObjectId, suffix: str) -> str:
        return f"{self._directory}/{oid[:2]}/{oid[2:]}{suffix}"

    def _open(self, path: str) -> int | None:
        try:
            return self._disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as failure:
            if failure.errno in (errno.EMFILE, errno.ENFILE):
                raise
            raise from_os_error(failure, f"open {path}") from failure

    def _find_blob(self, oid: ObjectId, size: int) -> tuple[Stored | None, str | None]:
        """Look for a blob that is believed to be whole; the second value is the path of one that is not.

        "It is already there" is believed only when its size is right: a power cut in relaxed mode can leave an
        empty or short file under the right name (git's empty loose object).
        """
        raw_path = self._path(oid, _RAW_SUFFIX)
        raw_size = self._disk.size_at(raw_path)
        if raw_size == size:
            return Stored(oid, size, size, "none"), None
        if raw_size is not None:
            return None, raw_path
        path = self._path(oid, _LZ4_SUFFIX)
        stored_size = self._disk.size_at(path)
        if stored_size is None:
            return None, None
        if self._frame_is_whole(path, size, stored_size):
            return Stored(oid, size, stored_size, "lz4"), None
        return None, path

    def _frame_is_whole(self, path: str, size: int, stored_size: int) -> bool:
        fd = self._open(path)
        if fd is None:
            return False
        try:
            ends_well = self._disk.pread(fd, 4, max(0, stored_size - 4)) == frame.END_MARK
            return ends_well and frame.parse_header(self._disk.pread(fd, frame.HEADER_BYTES, 0)) == size
        except frame.MalformedFrame:
            return False
        finally:
            self._disk.close(fd)

    def _keep(self, path: str) -> None:
        """Make the object at *path*, which somebody else placed, as safe as the mode says.

        They may not have synced it yet, or never will; the record that our caller writes needs it.
        """
        if self._mode is Mode.RELAXED:
            self._unsynced.add_file(path)
            return
        try:
            fd = self._disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._disk.fsync(fd)
            finally:
                self._disk.close(fd)
            self._disk.sync_directory(os.path.dirname(path))
        except OSError as failure:
            raise from_os_error(failure, f"sync {path}") from failure

    def _publish(self, data: bytes | bytearray | memoryview, path: str, damaged: str | None) -> None:
        try:
            publish(
                self._disk, self._unsynced, self._mode, data, path, staging=self._staging, replace=damaged is not None
            )
            self._drop_damaged(damaged, path)
        except OSError as failure:
            raise from_os_error(failure, f"store an object of {len(data)} bytes") from failure

    def _drop_damaged(self, damaged: str | None, path: str) -> None:
        """Remove a damaged file that the whole one at *path* has not replaced, because its form is another."""
        if damaged is not None and damaged != path:
            self._disk.unlink(damaged)

    def _put_pieces(self, pieces: Iterator[memoryview]) -> Stored:
        try:
            incoming = Incoming(self._disk, self._staging, compress=self._compress)
        except OSError as failure:
            raise from_os_error(failure, "store an object") from failure
        try:
            for piece in pieces:
                try:
                    incoming.add(piece)
                except OSError as failure:
                    raise from_os_error(failure, f"store an object of more than {incoming.size} bytes") from failure
            return self._place(incoming)
        finally:
            incoming.discard()

    def _place(self, incoming: Incoming) -> Stored:
        try:
            oid = incoming.finish(self._threshold_bytes)
            found, damaged = self._find_blob(oid, incoming.size)
            if found is not None:
                self._keep(self._path(oid, _SUFFIX_OF_COMPRESSION[found.compression]))
                return found
            suffix = _LZ4_SUFFIX if incoming.compression == "lz4" else _RAW_SUFFIX
            target = self._path(oid, suffix)
            place(
                self._disk,
                self._unsynced,
                self._mode,
                incoming.temporary,
                target,
                replace=damaged is not None,
            )
            self._drop_damaged(damaged, target)
            return Stored(oid, incoming.size, incoming.stored_size, incoming.compression)
        except OSError as failure:
            raise from_os_error(failure, f"store an object of {incoming.size} bytes") from failure

    def _whole(self, reader: ObjectReader, oid: ObjectId) -> bytes:
        try:
            data = reader.pread(reader.size, 0)
        except Error as failure:
            raise DamagedObject(f"object {oid} is damaged: {failure}") from failure
        except OSError as failure:
            raise from_os_error(failure, f"read object {oid}") from failure
        if hash_bytes(data) != oid:
            raise DamagedObject(
                f"object {oid} is damaged: its content hashes to {hash_bytes(data)}; run sessionfs fsck"
            )
        return data

    def _checked(self, reader: ObjectReader, oid: ObjectId) -> Iterator[bytes]:
        """Yield the content; raise at its end if the hash is wrong."""
        hasher = Hasher()
        try:
            for piece in reader.pieces():
                hasher.update(piece)
                yield piece
        except Corrupt as failure:
            raise DamagedObject(f"object {oid} is damaged: {failure}; run sessionfs fsck") from failure
        except OSError as failure:
            raise from_os_error(failure, f"read object {oid}") from failure
        if hasher.oid() != oid:
            raise DamagedObject(f"object {oid} is damaged: its content hashes to {hasher.oid()}; run sessionfs fsck")


def _pieces(source: BinaryIO) -> Iterator[memoryview]:
    """Yield what *source* gives in pieces of exactly PIECE_BYTES, the last one less.

    One buffer serves all: a piece is used up before the next is asked for.
    """
    buffer = bytearray(PIECE_BYTES)
    view = memoryview(buffer)
    while True:
        filled = 0
        while filled < PIECE_BYTES:
            data = source.read(PIECE_BYTES - filled)
            if not data:
                break
            view[filled : filled + len(data)] = data
            filled += len(data)
        if filled:
            yield view[:filled]
        if filled < PIECE_BYTES:
            return
