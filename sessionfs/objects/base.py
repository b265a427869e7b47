"""What staged content lies over: a blob, or content that becomes one when it is finished."""

from __future__ import annotations

from collections.abc import Iterator

from sessionfs.objects.blobs import reading
from sessionfs.objects.growing import Growing
from sessionfs.objects.joined import JoinedReader
from sessionfs.objects.joining import Known
from sessionfs.objects.pieces import PieceList
from sessionfs.objects.reader import ObjectReader
from sessionfs.objects.sparse import Sparse
from sessionfs.objects.staging import Staging
from sessionfs.objects.stored import DamagedObject, Stored
from sessionfs.oid import Hasher, ObjectId


class Base:
    """Content that no longer changes. Its owner holds a lock."""

    def __init__(self, staging: Staging, content: Growing | Sparse | ObjectId, *, size: int) -> None:
        """Lie over *content* of *size* bytes, which belongs to it from now on if it is not stored yet."""
        self._staging = staging
        self._content = content
        self._stored: Stored | None = None
        self._reader: ObjectReader | None = None
        self.size = size

    @staticmethod
    def of(staging: Staging, stored: Stored) -> Base:
        """Return a base of what has just been stored."""
        base = Base(staging, stored.oid, size=stored.size)
        base._stored = stored
        return base

    @staticmethod
    def below(staging: Staging, oid: ObjectId, reader: ObjectReader) -> Base:
        """Return a base of the blob that *reader* reads, which belongs to it from now on."""
        base = Base(staging, oid, size=reader.size)
        base._reader = reader
        return base

    @property
    def is_stored(self) -> bool:
        """Whether it is a blob already."""
        return not isinstance(self._content, Growing | Sparse)

    @property
    def is_remembered(self) -> bool:
        """Whether something can be appended without reading it."""
        return not isinstance(self._content, Growing | Sparse) and self._staging.recent.find(self._content) is not None

    def open(self) -> ObjectReader:
        """Return the blob's reader.

        Raises:
            NoSuchObject, DamagedObject: As for every blob.
        """
        if self._reader is None:
            self._reader = self._staging.blobs.open(self.settle())
        return self._reader

    def pread(self, length: int, offset: int) -> bytes:
        """Return *length* bytes from *offset*, less only at the end."""
        wanted = min(length, self.size - offset)
        if isinstance(self._content, Growing | Sparse):
            return self._content.pread(wanted, offset)
        with reading(self._content):
            data = self.open().pread(wanted, offset)
        if len(data) != wanted:
            raise DamagedObject(f"object {self._content} is damaged: it is cut short; run sessionfs fsck")
        return data

    def settle(self) -> ObjectId:
        """Store the content if it is not stored yet, and return its name."""
        if isinstance(self._content, Growing | Sparse):
            unfinished = self._content
            self._stored = unfinished.finish()
            self._content = self._stored.oid
            unfinished.discard()
        return self._content

    def stored(self) -> Stored:
        """Return where the content is stored."""
        oid = self.settle()
        if self._stored is None:
            self._stored = self._staging.blobs.stored(oid)
        return self._stored

    def contents(self, hasher: Hasher | None = None) -> Iterator[bytes]:
        """Yield all of it; raise at the end if it is not what its name says.

        Args:
            hasher: Is given the content, too.
        """
        return self._staging.blobs.checked(self.open(), self.settle(), hasher)

    def known(self) -> Known:
        """Return what new content can be put together from."""
        oid = self.settle()
        reader = self.open()
        listed = reader.listed if isinstance(reader, JoinedReader) else None
        remembered = self._staging.recent.find(oid)
        depth = self._staging.blobs.depth(oid) if remembered is None else remembered.depth
        return Known(oid, self.size, listed, depth)

    def leaves(self) -> PieceList | None:
        """Return a blob in pieces as pieces of blobs in one file each; None when they are very many."""
        reader = self.open()
        assert isinstance(reader, JoinedReader)
        with reading(self.settle()):
            return reader.leaves(4 * self._staging.limits.piece_count)

    def discard(self) -> None:
        """Let go of it; what is stored stays."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
        if isinstance(self._content, Growing | Sparse):
            self._content.discard()
