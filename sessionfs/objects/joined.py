"""Reading a blob in pieces.

The files of the pieces are opened when a read comes to them, and a few stay open; lists of lists are read as they are
needed. So what is read costs little memory, however long the content is.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from types import TracebackType

from sessionfs.objects.pieces import MAX_DEPTH, MalformedPieces, Piece, PieceList
from sessionfs.objects.reader import ObjectReader
from sessionfs.oid import ObjectId

# One for each descriptor would do for a sequential read; a few spare opening (10 us) where reads go to and fro.
_OPEN_FILES = 4
# Of lists, not counting the first. An entry takes 250 bytes.
_KEPT_ENTRIES = 16_384

OpenPiece = Callable[[ObjectId], ObjectReader | PieceList]
"""Returns the list of a blob that is in pieces, and a reader of one that is not; raises Corrupt if it is missing."""


class JoinedReader:
    """An object in pieces. Thread-safe, as the readers of the pieces are."""

    def __init__(self, listed: PieceList, open_piece: OpenPiece) -> None:
        self.listed = listed
        self.size = listed.size
        self._open_piece = open_piece
        self._readers: OrderedDict[ObjectId, ObjectReader] = OrderedDict()
        self._lists: OrderedDict[ObjectId, PieceList] = OrderedDict()
        self._is_closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> JoinedReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            # Not closed here: another thread may be reading. The last who lets go of a reader closes it.
            self._readers.clear()
            self._lists.clear()

    def pread(self, length: int, offset: int) -> bytes:
        parts = []
        for reader, piece in self._between(self.listed, offset, min(offset + length, self.size), 1):
            data = reader.pread(piece.length, piece.start)
            if len(data) != piece.length:
                raise MalformedPieces(f"its piece {piece.oid} is cut short")
            parts.append(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        for reader, piece in self._between(self.listed, start, self.size if end is None else end, 1):
            left = piece.length
            for data in reader.pieces(piece.start, piece.start + piece.length):
                left -= len(data)
                yield data
            if left:
                raise MalformedPieces(f"its piece {piece.oid} is cut short")

    def leaves(self, limit_count: int) -> PieceList | None:
        """Return the whole content as pieces of blobs that are in one file each; None when they are too many."""
        found: list[Piece] = []
        for reader, piece in self._between(self.listed, 0, self.size, 1):
            last = found[-1] if found else None
            if last is not None and last.oid == piece.oid and last.start + last.length == piece.start:
                length = last.length + piece.length
                whole = last.start == 0 and length == reader.size
                found[-1] = Piece(piece.oid, length, None if whole else last.start)
            else:
                found.append(piece)
                if len(found) > limit_count:
                    return None
        return PieceList(found)

    def _between(self, listed: PieceList, start: int, end: int, depth: int) -> Iterator[tuple[ObjectReader, Piece]]:
        """Yield the readers for the content from *start* to *end*, each with what to read of it."""
        if depth > MAX_DEPTH:
            raise MalformedPieces(f"its pieces are nested more than {MAX_DEPTH} deep")
        for piece, begin, stop in listed.overlapping(start, end):
            opened = self._opened(piece.oid)
            if not piece.fits(opened.size):
                raise MalformedPieces(f"its piece {piece.oid} has {opened.size} bytes, which is not what its list says")
            if isinstance(opened, PieceList):
                yield from self._between(opened, piece.start + begin, piece.start + stop, depth + 1)
            else:
                yield opened, piece.part(begin, stop)

    def _opened(self, oid: ObjectId) -> ObjectReader | PieceList:
        with self._lock:
            if self._is_closed:
                raise ValueError("read from a closed object")
            for kept in (self._readers, self._lists):
                if oid in kept:
                    kept.move_to_end(oid)
                    return kept[oid]
        opened = self._open_piece(oid)
        with self._lock:
            if isinstance(opened, PieceList):
                self._lists[oid] = opened
                while len(self._lists) > 1 and sum(map(len, self._lists.values())) > _KEPT_ENTRIES:
                    self._lists.popitem(last=False)
            elif not self._is_closed:
                self._readers[oid] = opened
                if len(self._readers) > _OPEN_FILES:
                    self._readers.popitem(last=False)
        return opened
