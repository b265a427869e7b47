"""The object database: immutable bytes under their BLAKE3 name, as plain files (see ``files``).

Objects need no lock: two processes that put the same content write the same bytes under the same name, and the
second finds it there.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

from sessionfs.durable import Disk, Mode, Unsynced
from sessionfs.errors import Corrupt
from sessionfs.objects import frame
from sessionfs.objects.background import Run, run_in_background
from sessionfs.objects.blobs import Blobs
from sessionfs.objects.cache import BlockCache
from sessionfs.objects.files import (
    KIND_OF_SUFFIX,
    SUFFIX_OF_COMPRESSION,
    SUFFIX_OF_KIND,
    SUFFIXES_OF_KIND,
    ObjectFiles,
    object_file,
)
from sessionfs.objects.holding import Held, Holding, ObjectGone
from sessionfs.objects.incoming import PIECE_BYTES
from sessionfs.objects.joined import JoinedReader
from sessionfs.objects.limits import Limits
from sessionfs.objects.packing import Entry, New
from sessionfs.objects.pieces import Piece
from sessionfs.objects.reader import ObjectReader
from sessionfs.objects.recent import Recent
from sessionfs.objects.staged import Staged
from sessionfs.objects.staging import Staging
from sessionfs.objects.stored import GivenUp, NoSuchObject, ObjectFile, Place, Stored
from sessionfs.objects.verify import Verifier
from sessionfs.objects.writer import BlobWriter, recut
from sessionfs.oid import ObjectId, hash_bytes

if TYPE_CHECKING:
    from sessionfs.objects.copying import Copier

DEFAULT_THRESHOLD_BYTES = 10_240

# In a pack: a frame has 23 bytes more than its block, and reading one costs 3 us more than reading plain bytes.
_LEAST_COMPRESSED_BYTES = 128
_WORTH_IT = 0.9


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
        limits: Limits | None = None,
        run: Run = run_in_background,
        trash: str | None = None,
        lock_path: str | None = None,
    ) -> None:
        """Open the objects in *directory*.

        Args:
            staging: A directory on the same filesystem, for files without a name.
            compress, threshold_bytes: Compress what is larger, when it gets smaller.
            limits: When staged content changes its form.
            run: Runs what a writer of staged content does not wait for.
            trash: The directory that objects nobody needs are moved to, and taken out of again when they are read.
            lock_path: The file whose lock says that no object is deleted now; None where none ever is.
        """
        limits = Limits() if limits is None else limits
        self._compress = compress
        recent = Recent()
        self.suspect_ns: int | None = None  # blobs younger than this are hashed before they are read in part
        self._believed: set[ObjectId] = set()
        self.why_gone: Callable[[ObjectId], str | None] = lambda oid: None
        """Says of an object that is missing why it is, if anybody knows; to be set by whoever does."""
        self._files = ObjectFiles(disk, directory, staging, unsynced=unsynced, mode=mode, trash=trash)
        self._holding = Holding(disk, lock_path)
        self._blobs = Blobs(self._files, cache if cache is not None else BlockCache())
        self._writer = BlobWriter(
            self._files, self._blobs, recent, limits, compress=compress, threshold_bytes=threshold_bytes
        )
        self._staging = Staging(self._files, self._blobs, self._writer, recent, limits, run)

    # Putting

    def put_bytes(self, data: bytes | bytearray | memoryview) -> Stored:
        """Store *data* as a blob.

        Raises:
            NoSpace, ReadOnlyStore: Nothing was stored.

        Durability:
            relaxed: survives this process. full: survives a power cut.
        """
        return self._writer.put_bytes(data)

    def put_stream(self, source: BinaryIO) -> Stored:
        """Store what *source* gives until its end, as a blob, in a few MiB of memory."""
        return self._writer.put_pieces(recut(iter(lambda: source.read(PIECE_BYTES), b"")))

    def put_pieces(self, parts: Iterable[bytes]) -> Stored:
        """Store content that comes in *parts*, of whatever length, as a blob."""
        return self._writer.put_pieces(recut(parts))

    def put_file(self, path: str | os.PathLike[str] | bytes) -> Stored:
        """Store the content of the file at *path*.

        Raises:
            OSError: The file cannot be read.
        """
        with open(path, "rb", buffering=0) as source:
            status = os.fstat(source.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_size <= PIECE_BYTES:
                # One more than there should be: a buffer of the largest size would cost 16 us a file.
                data = source.read(status.st_size + 1)
                if len(data) <= status.st_size and not source.read(1):
                    return self.put_bytes(data)
                source.seek(0)  # it is growing
            return self.put_stream(source)

    def put_json(self, kind: str, data: bytes) -> ObjectId:
        """Store canonical JSON as an object of *kind* ``tree`` or ``snapshot``."""
        oid = hash_bytes(data)
        path = self._files.path(oid, SUFFIX_OF_KIND[kind])
        known_size = self._files.disk.size_at(path)
        if known_size == len(data):
            self._files.keep(path)
        else:
            self._files.publish(data, path, None if known_size is None else path)
        return oid

    def stage(self, base: ObjectId | None = None) -> Staged:
        """Return content that can be written at any offset and becomes a blob when it is finished.

        Args:
            base: Start from this blob's content instead of nothing; it is not copied, unless it is small.

        Raises:
            NoSuchObject: There is no *base*.
            DamagedObject: *base* cannot be read. That its content is wrong is found here if it is small, and otherwise
                when something else has been made of it and is finished.
        """
        from sessionfs.objects.beginning import begin, begin_over  # late: see there

        if base is None:
            return begin(self._staging)
        reader = self.open(base)
        if reader.size > self._staging.limits.whole_bytes:
            return begin_over(self._staging, base, reader)
        with reader:
            return begin(self._staging, b"".join(self._blobs.checked(reader, base)))

    def holding(self, oids: Iterable[ObjectId]) -> Held:
        """Return a context in which nobody deletes an object, and *oids* are in their place: for naming them.

        Raises:
            ObjectGone: On entering it: one of them was deleted since it was put.
            LockHeld: On entering it.
        """
        return Held(self._holding, oids, self._make_sure)

    def _make_sure(self, oid: ObjectId) -> None:
        if not self._files.is_in_place(oid) and self._files.rescue(oid) is None:
            reason = self.why_gone(oid)
            if reason is not None:
                raise ObjectGone(f"object {oid} is gone, so it cannot be brought back: {reason}")
            raise ObjectGone(f"object {oid} is not in the store, or no longer; put its content again")

    # Reading

    def open(self, oid: ObjectId) -> ObjectReader:
        """Open a blob for reading at any offset.

        Raises:
            NoSuchObject: It is not here. GivenUp: and that is as it should be.
            DamagedObject: It is in a form that cannot be read.
        """
        if self.suspect_ns is not None and oid not in self._believed:
            self._check_suspect(oid, self.suspect_ns)
        try:
            return self._blobs.open(oid)
        except NoSuchObject as failure:
            reason = self.why_gone(oid)
            if reason is None:
                raise
            raise GivenUp(f"object {oid} is gone: {reason}") from failure

    def _check_suspect(self, oid: ObjectId, suspect_ns: int) -> None:
        """Hash a blob if a power cut may have taken some of it, which nobody here may repair."""
        modified_ns = self._files.disk.modified_ns
        if any((modified_ns(path) or 0) >= suspect_ns for path in self.paths(oid)):
            with self._blobs.open(oid) as reader:
                for _ in self._blobs.checked(reader, oid):
                    pass
        self._believed.add(oid)

    def read(self, oid: ObjectId) -> bytes:
        """Return a blob's whole content, checked against its name.

        Raises:
            NoSuchObject: It is not here.
            DamagedObject: Its bytes are not what its name says.
        """
        with self.open(oid) as reader:
            if reader.size > PIECE_BYTES:
                return b"".join(self._blobs.checked(reader, oid))
            return self._blobs.whole(reader, oid)

    def stream(self, oid: ObjectId) -> Iterator[bytes]:
        """Return a blob's content in pieces of at most 1 MiB; checked against its name, which is known at its end.

        Raises:
            NoSuchObject: It is not here.
            DamagedObject: While it is read, at the last piece at the latest: its bytes are not what its name says.
        """
        return self._stream(self.open(oid), oid)

    def _stream(self, reader: ObjectReader, oid: ObjectId) -> Iterator[bytes]:
        with reader:
            yield from self._blobs.checked(reader, oid)

    def read_json(self, kind: str, oid: ObjectId) -> bytes:
        """Return the canonical JSON of a tree or snapshot, checked against its name."""
        with self._blobs.open_json(kind, oid) as reader:
            return self._blobs.whole(reader, oid)

    def copy_out(self, oid: ObjectId, target: BinaryIO) -> int:
        """Write a blob's content to *target* and return its length in bytes; checked against its name.

        Raises:
            DamagedObject: The content is wrong; *target* has been written to.
        """
        size = 0
        with self.open(oid) as reader:
            for piece in self._blobs.checked(reader, oid):
                target.write(piece)
                size += len(piece)
        return size

    def verify(self, file: ObjectFile) -> None:
        """Check one file against its name; for content in pieces, them too.

        Raises:
            DamagedObject: Its bytes are not what its name says.
            NoSuchObject: It has gone since it was listed.
        """
        self.verifier().verify(file)

    def verifier(self) -> Verifier:
        """Return what checks many files, and reads what they share once."""
        return Verifier(self._blobs)

    # Looking

    def kind(self, oid: ObjectId) -> str:
        """Return ``blob``, ``tree`` or ``snapshot``.

        Raises:
            NoSuchObject: It is not here.
        """
        for suffix, kind in KIND_OF_SUFFIX.items():
            if self._files.size(oid, suffix) is not None:
                return kind
        raise NoSuchObject(f"there is no object {oid} in this store")

    def exists(self, oid: ObjectId) -> bool:
        """Say whether there is a blob, tree or snapshot of this name."""
        return any(self._files.size(oid, suffix) is not None for suffix in KIND_OF_SUFFIX)

    def is_in_place(self, oid: ObjectId) -> bool:
        """Say whether there is an object of this name, and not in the trash."""
        return self._files.is_in_place(oid)

    def has(self, oid: ObjectId, kind: str) -> bool:
        """Say whether there is an object of this name and kind, whole or not."""
        return any(self._files.size(oid, suffix) is not None for suffix in SUFFIXES_OF_KIND[kind])

    def paths(self, oid: ObjectId) -> list[str]:
        """Return the files that hold an object, of whatever kinds it is; of a blob in pieces, those of all pieces."""
        paths = self._writer.paths(oid)
        for suffix in SUFFIX_OF_KIND.values():
            path = self._files.path(oid, suffix)
            if self._files.disk.size_at(path) is not None:
                paths.append(path)
            elif (packed := self._files.packs.find(oid, suffix)) is not None:
                paths.append(packed[0])
        return paths

    def read_file(self, file: ObjectFile) -> bytes:
        """Return the bytes of one file as they lie there, of whatever form; nothing is checked.

        Raises:
            NoSuchObject: It has gone since it was listed.
        """
        data = self._files.read(file.path, file.stored_size, file.start or 0)
        if data is None:
            raise NoSuchObject(f"there is no object file {file.path}")
        return data

    def set_aside(self, file: ObjectFile, directory: str) -> None:
        """Move an object that is not what its name says into *directory*, on the same filesystem; it is not here then.

        What is in a pack stays there: nobody believes it, because its entry's own check fails.
        """
        name = os.path.basename(file.path)
        if file.path == self._files.path(file.oid, name[len(file.oid) - 2 :]):
            self._files.disk.rename(file.path, f"{directory}/{file.oid[:2]}{name}")

    def size(self, oid: ObjectId) -> int:
        """Return the length of the content in bytes, for an object of any kind."""
        kind = self.kind(oid)
        if kind == "blob":
            with self.open(oid) as reader:
                return reader.size
        return self._files.size(oid, SUFFIX_OF_KIND[kind]) or 0

    def stored(self, oid: ObjectId) -> Stored:
        """Return where a blob is; NoSuchObject when it is not."""
        return self._blobs.stored(oid)

    def damaged_packs(self) -> Iterator[tuple[str, int, int, bool]]:
        """Yield what in the packs is no object; see :meth:`sessionfs.objects.packs.Packs.damage`."""
        return self._files.packs.damage()

    def rewrite_pack(self, path: str, aside: str) -> bool:
        """Put what is whole in the pack at *path* into a new one, and move the old one to the directory *aside*.

        False when another process is adding to it.
        """
        verifier = self.verifier()

        def is_whole(entry: Entry) -> bool:
            try:
                verifier.verify(object_file(entry.oid, entry.suffix, Place(path, entry.start, entry.length)))
            except (Corrupt, NoSuchObject):
                return False
            return True

        return self._files.packs.rewrite(path, is_whole, aside)

    def repack(self, path: str, keep: Callable[[ObjectId], bool]) -> bool:
        """Put what *keep* wants of the pack at *path* into a new one, and delete the old one.

        False when another process is adding to it.
        """
        return self._files.packs.rewrite(path, lambda entry: keep(entry.oid), None)

    def write_packs(self, files: Iterable[ObjectFile]) -> tuple[str, ...]:
        """Put what *files* hold into new packs, which are complete and on stable storage; return their paths.

        What is stored as it is is compressed there if it gets smaller, below the threshold too: a pack has no blocks
        that a small object would fill anyway.
        """
        return self._files.packs.write(map(self._packed, files))

    def _packed(self, file: ObjectFile) -> New:
        suffix, data = self._files.suffix(file), self.read_file(file)
        if self._compress and suffix == "" and len(data) >= _LEAST_COMPRESSED_BYTES:
            shrunk = frame.encode(data)
            if len(shrunk) <= _WORTH_IT * len(data):
                return file.oid, SUFFIX_OF_COMPRESSION["lz4"], shrunk
        return file.oid, suffix, data

    def small_packs(self, limit_bytes: int) -> tuple[str, ...]:
        """Return the paths of the packs that nobody adds to any more, and that are not longer than *limit_bytes*."""
        return self._files.packs.small(limit_bytes)

    def list_pack(self, path: str) -> Iterator[ObjectFile]:
        """Yield what lies in the pack at *path*."""
        return (file for file in self._files.list("", every=True) if file.path == path)

    def rescue(self, oid: ObjectId) -> bool:
        """Take an object out of the trash again, with all that it names; False when it is not there."""
        return self._files.rescue(oid) is not None

    def damaged_indexes(self) -> tuple[str, ...]:
        """Return the paths of what should be the index of a pack, and is not: its pack is read instead."""
        return self._files.packs.damaged_indexes()

    def copier(self, source: ObjectDatabase) -> Copier:
        """Return what copies objects of *source* into this database, in the form that they have there."""
        from sessionfs.objects.copying import Copier  # late: most programs copy nothing

        return Copier((source._files, source._blobs), (self._files, self._blobs))

    def rest(self) -> None:
        """Let go of descriptors; the next use opens them again."""
        self._files.packs.rest()
        self._holding.rest()

    def list(self, prefix: str = "", *, every: bool = False) -> Iterator[ObjectFile]:
        """Yield every object whose id starts with *prefix*, in the order of the ids.

        Args:
            every: Also the copies that nobody looks for, because another place comes first.
        """
        return self._files.list(prefix, every=every)

    def list_packed(self) -> Iterator[ObjectFile]:
        """Yield every object that lies in a pack, in no order; one may be there twice."""
        for path, entry in self._files.packs.list(""):
            yield object_file(entry.oid, entry.suffix, Place(path, entry.start, entry.length))

    def listed(self, file: ObjectFile) -> tuple[Piece, ...]:
        """Return the pieces that the list in *file* names; none when it has gone, or is damaged."""
        with contextlib.suppress(Corrupt, NoSuchObject), self._blobs.open_file(file) as reader:
            return cast(JoinedReader, reader).listed.pieces
        return ()

    def places(self, oid: ObjectId) -> Iterator[ObjectFile]:
        """Yield every place where an object lies, in whatever form, in the order in which they are looked for."""
        return self._files.places(oid)

    def pieces(self, oid: ObjectId) -> set[ObjectId]:
        """Return the pieces of the blob *oid*; nothing when it is not in pieces, or its list cannot be read."""
        found: set[ObjectId] = set()
        places = list(self.places(oid))
        for file in places:
            if file.compression == "chunks":
                found |= {piece.oid for piece in self.listed(file)}
        if not places and self.rescue(oid):
            return self.pieces(oid)
        return found
