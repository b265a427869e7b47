"""The object database: immutable bytes under their BLAKE3 name, as plain files (see ``files``).

Objects need no lock: two processes that put the same content write the same bytes under the same name, and the
second finds it there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

from sessionfs.durable import Disk, Mode, Unsynced
from sessionfs.objects.background import Run, run_in_background
from sessionfs.objects.blobs import Blobs
from sessionfs.objects.cache import BlockCache
from sessionfs.objects.files import KIND_OF_SUFFIX, SUFFIX_OF_KIND, ObjectFiles
from sessionfs.objects.incoming import PIECE_BYTES
from sessionfs.objects.limits import Limits
from sessionfs.objects.reader import ObjectReader
from sessionfs.objects.recent import Recent
from sessionfs.objects.staged import Staged
from sessionfs.objects.staging import Staging
from sessionfs.objects.stored import NoSuchObject, ObjectFile, Stored
from sessionfs.objects.verify import Verifier
from sessionfs.objects.writer import BlobWriter, recut
from sessionfs.oid import ObjectId, hash_bytes

DEFAULT_THRESHOLD_BYTES = 10_240


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
    ) -> None:
        """Open the objects in *directory*.

        Args:
            staging: A directory on the same filesystem, for files without a name.
            compress, threshold_bytes: Compress what is larger, when it gets smaller.
            limits: When staged content changes its form.
            run: Runs what a writer of staged content does not wait for.
        """
        limits = Limits() if limits is None else limits
        recent = Recent()
        self._files = ObjectFiles(disk, directory, staging, unsynced=unsynced, mode=mode)
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

    # Reading

    def open(self, oid: ObjectId) -> ObjectReader:
        """Open a blob for reading at any offset.

        Raises:
            NoSuchObject: It is not here.
            DamagedObject: It is in a form that cannot be read.
        """
        return self._blobs.open(oid)

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

    def rest(self) -> None:
        """Let go of descriptors; the next use opens them again."""
        self._files.packs.rest()

    def list(self, prefix: str = "") -> Iterator[ObjectFile]:
        """Yield every object whose id starts with *prefix*, in the order of the ids."""
        return self._files.list(prefix)
