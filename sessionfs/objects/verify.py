"""Checking objects against their names."""

from __future__ import annotations

from collections import OrderedDict

from sessionfs.errors import Corrupt
from sessionfs.objects.blobs import Blobs, check_name, reading
from sessionfs.objects.joined import JoinedReader
from sessionfs.objects.pieces import Piece, encode
from sessionfs.objects.reader import Lz4Reader
from sessionfs.objects.stored import DamagedObject, NoSuchObject, ObjectFile
from sessionfs.oid import Hasher, ObjectId, hash_bytes

_KEPT_COUNT = 4096  # 2 KiB each
_EMPTY = hash_bytes(b"")


class BrokenPieces(DamagedObject):
    """Pieces of an object are missing, or are not what its list says; ``faults`` has a sentence for each."""

    def __init__(self, oid: ObjectId, faults: list[str]) -> None:
        super().__init__(f"object {oid} is damaged: {'; '.join(faults)}")
        self.faults = faults


class Verifier:
    """Checks one file after the other, and remembers the hashers of those in pieces.

    A version of a log is the one before it and a tail. With the shorter versions first, only the tail has to be read
    for each: what 10,000 versions cost then grows with the last one's length, and not with the sum of all.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._hashers: OrderedDict[str, Hasher] = OrderedDict()  # by name, and by the list's own hash

    def size(self, file: ObjectFile) -> int:
        """Return the length of the content; 0 if it cannot be told."""
        try:
            with self._blobs.open_file(file) as reader:
                return reader.size
        except (Corrupt, NoSuchObject):
            return 0

    def verify(self, file: ObjectFile) -> None:
        """Check one file against its name; of what is in pieces, only what no shorter one had in common with it.

        Raises:
            DamagedObject: Its bytes are not what its name says. BrokenPieces: because pieces are missing.
            NoSuchObject: It has gone since it was listed.
        """
        with self._blobs.open_file(file) as reader:
            if isinstance(reader, JoinedReader):
                self._verify_joined(reader, file.oid)
                return
            for _ in self._blobs.checked(reader, file.oid):
                pass

    def look(self, file: ObjectFile) -> None:
        """Check what can be told of one file without reading its content; raises as :meth:`verify`."""
        with self._blobs.open_file(file) as reader, reading(file.oid):
            if isinstance(reader, JoinedReader):
                self._check_pieces(reader, file.oid)
            elif isinstance(reader, Lz4Reader):
                reader.verify_structure()
            elif reader.size == 0 and file.oid != _EMPTY:
                raise DamagedObject(f"object {file.oid} is damaged: its file is empty; run sessionfs fsck")
            elif file.kind != "blob" and (reader.pread(1, 0) != b"{" or reader.pread(1, reader.size - 1) != b"}"):
                raise DamagedObject(f"object {file.oid} is damaged: it is no {file.kind}; run sessionfs fsck")

    def _check_pieces(self, reader: JoinedReader, oid: ObjectId) -> None:
        pieces = enumerate(reader.listed.pieces)
        faults = [fault for number, piece in pieces if (fault := self._fault(number, piece)) is not None]
        if faults:
            raise BrokenPieces(oid, faults)

    def _verify_joined(self, reader: JoinedReader, oid: ObjectId) -> None:
        pieces = reader.listed.pieces
        self._check_pieces(reader, oid)
        hasher, start = self._begin(pieces)
        with reading(oid):
            for data in reader.pieces(start):
                hasher.update(data)
        check_name(oid, hasher.oid())
        self._remember(oid, hasher)
        self._remember(hash_bytes(encode(pieces)), hasher)

    def _fault(self, number: int, piece: Piece) -> str | None:
        what = f"piece {number} ({piece.length} bytes of {piece.oid})"
        try:
            with self._blobs.open(piece.oid) as reader:
                return None if piece.fits(reader.size) else f"{what} is not in there: it has {reader.size} bytes"
        except NoSuchObject:
            return f"{what} is missing"
        except DamagedObject as failure:
            return f"{what} cannot be read: {failure}"

    def _begin(self, pieces: tuple[Piece, ...]) -> tuple[Hasher, int]:
        """Return a hasher that has seen as many of the *pieces* as possible, and their length."""
        begun = self._hashers.get(hash_bytes(encode(pieces[:-1])))
        if begun is not None:
            return begun.copy(), sum(piece.length for piece in pieces[:-1])
        begun = self._hashers.get(pieces[0].oid) if pieces[0].offset is None else None
        if begun is not None:
            return begun.copy(), pieces[0].length
        return Hasher(), 0

    def _remember(self, key: str, hasher: Hasher) -> None:
        self._hashers[key] = hasher
        self._hashers.move_to_end(key)
        if len(self._hashers) > _KEPT_COUNT:
            self._hashers.popitem(last=False)
