"""Blobs in pieces: the list that a ``.chunks`` file holds.

Grammar (canonical JSON; no spaces, no leading zeros)::

    list  = "[" piece ("," piece)* "]"
    piece = "[" oid "," length "]"                a whole blob, of exactly this length
          | "[" oid "," length "," offset "]"     a part of a blob
    oid   = 64 lower-case hex digits in quotation marks

The content is that of the pieces, one after the other; the name of the list's file is the hash of that content, as for
every blob. The blob of a piece may itself be in pieces, MAX_DEPTH lists deep, the first counted. Parts of a blob are
our own addition to DESIGN: with them an edit shares what it left of a blob that is stored in one file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from sessionfs.errors import Corrupt
from sessionfs.oid import ObjectId

MAX_DEPTH = 16
MAX_LIST_BYTES = 8 << 20  # about 100,000 pieces; a list of lists goes on from there

_PIECE = re.compile(rb'\["([0-9a-f]{64})",([1-9][0-9]{0,17})(?:,(0|[1-9][0-9]{0,17}))?\]')


class MalformedPieces(Corrupt):
    """The bytes are not a list of the form above, or the pieces are not what it says."""


class Piece(NamedTuple):
    """Some of the content of one blob."""

    oid: ObjectId
    length: int
    offset: int | None = None  # None: it is the whole blob

    @property
    def start(self) -> int:
        """Where in its blob it begins."""
        return self.offset or 0

    def part(self, start: int, end: int) -> Piece:
        """Return the bytes from *start* to *end* of this piece, as a piece."""
        if start == 0 and end == self.length:
            return self
        return Piece(self.oid, end - start, self.start + start)

    def fits(self, size: int) -> bool:
        """Say whether a blob of *size* bytes can be the one it is taken from."""
        return self.length == size if self.offset is None else self.offset + self.length <= size


class PieceList:
    """Pieces in their order, and where each begins."""

    __slots__ = ("_ends", "pieces", "size")

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self.pieces = tuple(pieces)
        self._ends = list(accumulate(piece.length for piece in self.pieces))
        self.size = self._ends[-1] if self._ends else 0

    def __len__(self) -> int:
        return len(self.pieces)

    def overlapping(self, start: int, end: int) -> Iterator[tuple[Piece, int, int]]:
        """Yield the pieces that the bytes from *start* to *end* lie in, and from where to where in each."""
        index = bisect_right(self._ends, start)
        while start < end and index < len(self.pieces):
            piece = self.pieces[index]
            begin = self._ends[index] - piece.length
            stop = min(end, self._ends[index])
            yield piece, start - begin, stop - begin
            start = stop
            index += 1

    def between(self, start: int, end: int) -> Iterator[Piece]:
        """Yield the content from *start* to *end*, as pieces."""
        for piece, begin, stop in self.overlapping(start, end):
            yield piece.part(begin, stop)


def encode(pieces: Iterable[Piece]) -> bytes:
    """Return *pieces* as the content of a ``.chunks`` file."""
    return b"[%b]" % b",".join([_encode(piece) for piece in pieces])


def parse(data: bytes) -> PieceList:
    """Return what the ``.chunks`` file with *data* says.

    Raises:
        MalformedPieces: It is not of the form above.
    """
    found = [
        Piece(ObjectId(oid.decode()), int(length), int(offset) if offset else None)
        for oid, length, offset in _PIECE.findall(data)
    ]
    if not found or encode(found) != data:
        raise MalformedPieces("it is not a list of pieces")
    return PieceList(found)


def _encode(piece: Piece) -> bytes:
    if piece.offset is None:
        return b'["%b",%d]' % (piece.oid.encode(), piece.length)
    return b'["%b",%d,%d]' % (piece.oid.encode(), piece.length, piece.offset)
