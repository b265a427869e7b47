"""Blobs in their three forms: opening and reading them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sessionfs.errors import Corrupt, DiskFault, from_os_error
from sessionfs.objects.cache import BlockCache
from sessionfs.objects.files import COMPRESSION_OF_SUFFIX, SUFFIX_OF_COMPRESSION, SUFFIX_OF_KIND, ObjectFiles
from sessionfs.objects.joined import JoinedReader
from sessionfs.objects.pieces import MAX_DEPTH, MAX_LIST_BYTES, MalformedPieces, PieceList, parse
from sessionfs.objects.reader import Lz4Reader, ObjectReader, RawReader
from sessionfs.objects.stored import DamagedObject, NoSuchObject, ObjectFile, Place, Stored
from sessionfs.oid import Hasher, ObjectId, hash_bytes

# How often an object is looked for in another pack, because the one that had it has gone.
_LOOKS = 3


class Blobs:
    """The blobs below one ``objects/``. Thread-safe."""

    def __init__(self, files: ObjectFiles, cache: BlockCache) -> None:
        self._files = files
        self._cache = cache

    # Reading

    def open(self, oid: ObjectId) -> ObjectReader:
        """Open a blob for reading at any offset.

        Raises:
            NoSuchObject: It is not here.
            DamagedObject: It is in a form that cannot be read.
        """
        with reading(oid):
            opened = self._find(oid)
        if opened is None:
            raise NoSuchObject(f"there is no object {oid} in this store")
        return JoinedReader(opened, self._open_piece) if isinstance(opened, PieceList) else opened

    def open_json(self, kind: str, oid: ObjectId) -> ObjectReader:
        """Open a tree or snapshot.

        Raises:
            NoSuchObject: It is not here.
        """
        suffix = SUFFIX_OF_KIND[kind]
        opened = self._open_form(self._files.path(oid, suffix), "none", oid)
        if opened is None:
            opened = self._open_packed(oid, suffix)
        if opened is None and (rescued := self._files.rescue(oid, [suffix])) is not None:
            opened = self._open_form(rescued, "none", oid)
        if opened is None or isinstance(opened, PieceList):
            raise NoSuchObject(f"there is no {kind} {oid} in this store")
        return opened

    def open_file(self, file: ObjectFile) -> ObjectReader:
        """Open one file of the database.

        Raises:
            NoSuchObject: It has gone since it was listed.
            DamagedObject: It is not of its form.
        """
        with reading(file.oid):
            opened = self._open_place(file.place, file.compression, file.oid)
        if opened is None:
            raise NoSuchObject(f"there is no object file {file.path}")
        return JoinedReader(opened, self._open_piece) if isinstance(opened, PieceList) else opened

    def checked(self, reader: ObjectReader, oid: ObjectId, hasher: Hasher | None = None) -> Iterator[bytes]:
        """Yield the content; raise at its end if the hash is wrong.

        Args:
            hasher: Is given the content, too.
        """
        hasher = hasher if hasher is not None else Hasher()
        with reading(oid):
            for piece in reader.pieces():
                hasher.update(piece)
                yield piece
        check_name(oid, hasher.oid())

    def whole(self, reader: ObjectReader, oid: ObjectId) -> bytes:
        """Return the content, read at once and checked against its name."""
        with reading(oid):
            data = reader.pread(reader.size, 0)
        check_name(oid, hash_bytes(data))
        return data

    # Looking

    def stored(self, oid: ObjectId) -> Stored:
        """Return where a blob is.

        Raises:
            NoSuchObject, DamagedObject: As :meth:`open`.
        """
        with self.open(oid) as reader:
            size = reader.size
        for compression, suffix in SUFFIX_OF_COMPRESSION.items():
            stored_size = self._files.size(oid, suffix)
            if stored_size is not None:
                return Stored(oid, size, stored_size, compression)
        raise NoSuchObject(f"there is no object {oid} in this store")

    def depth(self, oid: ObjectId) -> int:
        """Return how many lists lie on the longest way to a byte of a blob; 0 when it is in one file.

        Raises:
            NoSuchObject, DamagedObject: As :meth:`open`, of any piece.
        """
        with reading(oid):
            return self._depth(oid, {}, 0)

    # Inside

    def _find(self, oid: ObjectId) -> ObjectReader | PieceList | None:
        for compression, suffix in SUFFIX_OF_COMPRESSION.items():
            opened = self._open_form(self._files.path(oid, suffix), compression, oid)
            if opened is not None:
                return opened
        opened = self._open_packed(oid, *SUFFIX_OF_COMPRESSION.values())
        if opened is None and (rescued := self._files.rescue(oid, COMPRESSION_OF_SUFFIX)) is not None:
            compression = COMPRESSION_OF_SUFFIX["".join(os.path.basename(rescued).partition(".")[1:])]
            opened = self._open_form(rescued, compression, oid)
        return opened

    def _open_packed(self, oid: ObjectId, *suffixes: str) -> ObjectReader | PieceList | None:
        for _ in range(_LOOKS):
            packed = self._files.packs.find(oid, *suffixes)
            if packed is None:
                return None
            path, entry = packed
            compression = COMPRESSION_OF_SUFFIX.get(entry.suffix, "none")
            opened = self._open_place(Place(path, entry.start, entry.length), compression, oid)
            if opened is not None:
                return opened
            self._files.packs.refresh()  # that pack has gone: what is needed of it is in another
        return None

    def _open_place(self, place: Place, compression: str, oid: ObjectId) -> ObjectReader | PieceList | None:
        path, start, length = place
        if start is None:
            return self._open_form(path, compression, oid)
        if compression == "chunks":
            data = self._files.read(path, length, start)
            return None if data is None else parse(data)
        fd = self._files.open(path)
        if fd is None:
            return None
        if compression == "lz4":
            return Lz4Reader(self._files.disk, fd, oid, self._cache, start=start, length=length)
        return RawReader(self._files.disk, fd, start=start, length=length)

    def _open_form(self, path: str, compression: str, oid: ObjectId) -> ObjectReader | PieceList | None:
        if compression == "chunks":
            data = self._files.read(path, MAX_LIST_BYTES + 1)
            return None if data is None else parse(data)
        fd = self._files.open(path)
        if fd is None:
            return None
        return (
            Lz4Reader(self._files.disk, fd, oid, self._cache)
            if compression == "lz4"
            else RawReader(self._files.disk, fd)
        )

    def _open_piece(self, oid: ObjectId) -> ObjectReader | PieceList:
        try:
            opened = self._find(oid)
        except DiskFault:
            raise
        except Corrupt as failure:
            raise MalformedPieces(f"its piece {oid} is damaged: {failure}") from failure
        if opened is None:
            raise MalformedPieces(f"its piece {oid} is missing")
        return opened

    def _depth(self, oid: ObjectId, seen: dict[ObjectId, int], above: int) -> int:
        if oid not in seen:
            if above > MAX_DEPTH:
                raise MalformedPieces(f"its pieces are nested more than {MAX_DEPTH} deep")
            opened = self._open_piece(oid)
            seen[oid] = (
                1 + max(self._depth(piece.oid, seen, above + 1) for piece in opened.pieces)
                if isinstance(opened, PieceList)
                else 0
            )
        return seen[oid]


@contextmanager
def reading(oid: ObjectId) -> Iterator[None]:
    """Name the object in what fails while it is read.

    Raises:
        DamagedObject: It is not of its form.
        DiskFault: The disk did not give it.
    """
    try:
        yield
    except (DamagedObject, DiskFault):
        raise
    except Corrupt as failure:
        raise DamagedObject(f"object {oid} is damaged: {failure}; run sessionfs fsck") from failure
    except OSError as failure:
        if failure.errno in (errno.EMFILE, errno.ENFILE):
            raise
        raise from_os_error(failure, f"read object {oid}") from failure


def check_name(oid: ObjectId, found: ObjectId) -> None:
    """Compare an object's name with the hash of what was read.

    Raises:
        DamagedObject: They differ.
    """
    if found != oid:
        raise DamagedObject(f"object {oid} is damaged: its content hashes to {found}; run sessionfs fsck")
