"""Storing content as a list of pieces: what the plan keeps is named, what it does not is written, all into one blob."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sessionfs.objects.base import Base
from sessionfs.objects.incoming import PIECE_BYTES
from sessionfs.objects.joining import Plan, Range, Written, plan
from sessionfs.objects.pieces import Piece, PieceList
from sessionfs.objects.staging import Staging
from sessionfs.objects.stored import Stored
from sessionfs.objects.writer import recut
from sessionfs.oid import Hasher, hash_bytes

Read = Callable[[int, int], bytes]
"""Reads the new content (length, offset)."""


class Assembly(NamedTuple):
    """New content of *size* bytes, as it will be put together."""

    staging: Staging
    base: Base
    planned: Plan
    size: int
    tail: Stored | None  # what is stored already, and comes last
    leaves: PieceList | None  # what the base is made of, if small pieces of it are written anew

    @staticmethod
    def plan(staging: Staging, base: Base, changed: list[Range], size: int, tail: Stored | None) -> Assembly | None:
        """Return how it is put together; None when it is better written whole.

        Args:
            changed: What is not as it was in the base, in order; without *tail*.
        """
        leaves: PieceList | None = None

        def flatten() -> PieceList | None:
            nonlocal leaves
            leaves = base.leaves()
            return leaves

        pieces = [] if tail is None else [Piece(tail.oid, tail.size)]
        known = base.known()
        planned = plan(known, changed, size - sum(piece.length for piece in pieces), staging.limits, flatten, pieces)
        if planned is None:
            return None
        assembly = Assembly(staging, base, planned, size, tail, leaves)
        return None if tail is not None and assembly.depth_over(tail) > staging.limits.depth else assembly

    def check_rewritten(self) -> None:
        """Check the pieces of the base that are about to be written anew against their names.

        Raises:
            DamagedObject: What would be written is not what the name of the new piece would say.
        """
        if self.leaves is None:
            return
        for item in self.planned.items:
            if isinstance(item, Written):
                blobs = self.staging.blobs
                for piece in self.leaves.between(item.start, min(item.end, self.base.size)):
                    with blobs.open(piece.oid) as reader:
                        for _ in blobs.checked(reader, piece.oid):
                            pass

    def put(self, hasher: Hasher, read: Read) -> Stored | None:
        """Store the content, which *hasher* has seen; None when it is better written whole after all."""
        writer = self.staging.writer
        found, damaged = writer.find(hasher, self.size)
        if found is not None:
            return found
        written, piece = self._write_small(read) if self._is_small else (self._write(read), None)
        # What is written may be there already, and in pieces itself.
        depth = max(self.planned.depth, 0 if written is None else self.depth_over(written))
        if self.tail is not None:
            depth = max(depth, self.depth_over(self.tail))
        if depth > self.staging.limits.depth:
            return None
        listed = writer.put_list(self._pieces(written), self.size, hasher, damaged, depth=depth, piece=piece)
        beside = sum(stored.stored_size for stored in (written, self.tail) if stored is not None)
        return listed._replace(stored_size=listed.stored_size + beside)

    def depth_over(self, stored: Stored) -> int:
        """Return how deep a list is nested that names *stored*."""
        return 1 + (self.staging.blobs.depth(stored.oid) if stored.compression == "chunks" else 0)

    def _ranges(self) -> list[Written]:
        return [item for item in self.planned.items if isinstance(item, Written)]

    @property
    def _is_small(self) -> bool:
        """Whether what is new can go into a pack."""
        limit_bytes = self.staging.limits.packed_bytes
        return 0 < limit_bytes >= sum(item.end - item.start for item in self._ranges()) and self.tail is None

    def _write_small(self, read: Read) -> tuple[Stored | None, bytes]:
        """Return the blob that all that is new makes, and its bytes unless it is stored already."""
        data = b"".join(_content(self._ranges(), read))
        if not data:
            return None, data
        stored = self.staging.writer.find_bytes(data)
        return (stored, b"") if stored is not None else (Stored(hash_bytes(data), len(data), len(data), "none"), data)

    def _write(self, read: Read) -> Stored | None:
        """Store all that is new, one after the other, as one blob."""
        ranges = self._ranges()
        if not ranges:
            return None
        if sum(item.end - item.start for item in ranges) <= PIECE_BYTES:
            return self.staging.writer.put_bytes(b"".join(_content(ranges, read)))
        return self.staging.writer.put_pieces(recut(_content(ranges, read)))

    def _pieces(self, written: Stored | None) -> Iterator[Piece]:
        offset = 0
        for item in self.planned.items:
            if isinstance(item, Piece):
                yield item
            elif written is not None:
                length = item.end - item.start
                yield Piece(written.oid, length, None if length == written.size else offset)
                offset += length


def _content(ranges: list[Written], read: Read) -> Iterator[bytes]:
    for start, end in ranges:
        for offset in range(start, end, PIECE_BYTES):
            yield read(min(PIECE_BYTES, end - offset), offset)
