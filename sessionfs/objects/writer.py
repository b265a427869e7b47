"""Blobs on their way in: hashed, found there already or written, placed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sessionfs.durable import Temporary
from sessionfs.errors import from_os_error
from sessionfs.objects import frame
from sessionfs.objects.blobs import Blobs
from sessionfs.objects.files import SUFFIX_OF_COMPRESSION, ObjectFiles
from sessionfs.objects.incoming import PIECE_BYTES, Incoming
from sessionfs.objects.limits import Limits
from sessionfs.objects.pieces import Piece, encode
from sessionfs.objects.presence import Presence
from sessionfs.objects.recent import Recent
from sessionfs.objects.stored import Stored
from sessionfs.oid import Hasher, ObjectId, hash_bytes

# Up to here content is handled in one piece in memory: one hash call, one frame, one write.
_IN_MEMORY_BYTES = PIECE_BYTES

# A longer list, which comes every 120 appends or so, has a file of its own.
_PACKED_LIST_BYTES = 64 << 10


class BlobWriter:
    """Stores blobs in each of their forms, once. Thread-safe.

    Durability:
        relaxed: what is stored survives this process. full: it survives a power cut.
    """

    def __init__(
        self,
        files: ObjectFiles,
        blobs: Blobs,
        recent: Recent,
        limits: Limits,
        *,
        compress: bool,
        threshold_bytes: int,
    ) -> None:
        self._files = files
        self._blobs = blobs
        self._presence = Presence(files)
        self._recent = recent
        self._limits = limits
        self._compress = compress
        self._threshold_bytes = threshold_bytes

    def put_bytes(self, data: bytes | bytearray | memoryview, *, remember: bool = False) -> Stored:
        """Store *data* as a blob.

        Args:
            remember: Something may be appended to it soon.
        """
        size = len(data)
        if size > _IN_MEMORY_BYTES:
            return self.put_pieces(
                memoryview(data)[start : start + PIECE_BYTES] for start in range(0, size, PIECE_BYTES)
            )
        if not remember or size <= self._limits.whole_bytes:
            return self._put_bytes(data, hash_bytes(data))
        hasher = Hasher()
        hasher.update(data)
        stored = self._put_bytes(data, hasher.oid())
        self._remember(stored, hasher)
        return stored

    def put_pieces(self, pieces: Iterable[memoryview]) -> Stored:
        """Store content that comes in pieces of PIECE_BYTES, the last one less, in a few MiB of memory."""
        incoming = self.receive()
        try:
            for piece in pieces:
                try:
                    incoming.add(piece)
                except OSError as failure:
                    raise from_os_error(failure, f"store an object of more than {incoming.size} bytes") from failure
            return self.put_incoming(incoming)
        finally:
            incoming.discard()

    def receive(self) -> Incoming:
        """Return a new object's file, to be given content in order."""
        try:
            return Incoming(self._files.create_temporary, self._files.disk, compress=self._compress)
        except OSError as failure:
            raise from_os_error(failure, "store an object") from failure

    def put_incoming(self, incoming: Incoming) -> Stored:
        """Complete *incoming* and give it its name. What fails may be tried again."""
        try:
            incoming.finish(self._threshold_bytes)
        except OSError as failure:
            raise from_os_error(failure, f"store an object of {incoming.size} bytes") from failure
        oid = incoming.hasher.oid()
        stored = Stored(oid, incoming.size, incoming.stored_size, incoming.compression)
        stored = self._place(incoming.temporary, stored)
        self._remember(stored, incoming.hasher)
        return stored

    def put_temporary(self, temporary: Temporary, size: int, hasher: Hasher) -> Stored:
        """Make the *temporary* file itself, of *size* bytes that *hasher* has seen, a blob that is kept as it is.

        It must not be written to afterwards, also when this fails: it may have its name.
        """
        stored = self._place(temporary, Stored(hasher.oid(), size, size, "none"))
        self._remember(stored, hasher)
        return stored

    def find(self, hasher: Hasher, size: int) -> tuple[Stored | None, str | None]:
        """Look for the content of *size* bytes that *hasher* has seen, in any form; what is there will stay.

        Returns:
            Where it is; or None, and the path of a file of that name that is not whole.
        """
        found, damaged = self._find(hasher.oid(), size)
        if found is not None:
            self._remember(found, hasher)
        return found, damaged

    def put_list(
        self,
        pieces: Iterable[Piece],
        size: int,
        hasher: Hasher,
        damaged: str | None,
        *,
        depth: int,
        piece: bytes | None = None,
    ) -> Stored:
        """Store content of *size* bytes, which *hasher* has seen, as a list of *pieces*.

        Args:
            damaged: The path of a file of that name that is not whole.
            depth: How deep the list is nested, itself included.
            piece: The one piece that is not stored yet, small: it goes into a pack together with the list. Empty if
                there is none, and the list is to go into a pack all the same; None: all are stored.
        """
        oid, suffix = hasher.oid(), SUFFIX_OF_COMPRESSION["chunks"]
        data = encode(pieces)
        new = [(hash_bytes(piece), SUFFIX_OF_COMPRESSION["none"], piece)] if piece else []
        if piece is None or damaged is not None or len(data) > _PACKED_LIST_BYTES:
            for piece_oid, _, content in new:
                self._put_bytes(content, piece_oid)
            self._files.publish(data, self._files.path(oid, suffix), damaged)
        else:
            self._files.packs.add([*new, (oid, suffix, data)])
        self._recent.add(oid, hasher, depth)
        return Stored(oid, size, len(data), "chunks")

    def find_bytes(self, data: bytes) -> Stored | None:
        """Return where a small blob is, if it is there; what is there will stay."""
        return self._find(hash_bytes(data), len(data))[0]

    def keep(self, oid: ObjectId) -> None:
        """Make a blob that is about to be named as safe as the mode says, with all its pieces."""
        for path in self.paths(oid):
            self._files.keep(path)

    def paths(self, oid: ObjectId) -> list[str]:
        """Return the files that a blob needs: its own and those of its pieces, as far as they are there."""
        return self._presence.paths(oid)

    def _find(self, oid: ObjectId, size: int) -> tuple[Stored | None, str | None]:
        found, paths, damaged = self._presence.find(oid, size, in_pieces=size > self._limits.whole_bytes)
        for path in paths:
            self._files.keep(path)
        return found, damaged

    def _put_bytes(self, data: bytes | bytearray | memoryview, oid: ObjectId) -> Stored:
        size = len(data)
        found, damaged = self._find(oid, size)
        if found is not None:
            return found
        if self._compress and size > self._threshold_bytes:
            framed = frame.encode(data if isinstance(data, bytes) else memoryview(data))
            if len(framed) < size:
                self._files.publish(framed, self._files.path(oid, SUFFIX_OF_COMPRESSION["lz4"]), damaged)
                return Stored(oid, size, len(framed), "lz4")
        self._files.publish(data, self._files.path(oid, SUFFIX_OF_COMPRESSION["none"]), damaged)
        return Stored(oid, size, size, "none")

    def _place(self, temporary: Temporary, stored: Stored) -> Stored:
        found, damaged = self._find(stored.oid, stored.size)
        if found is not None:
            return found
        try:
            self._files.place(
                temporary, self._files.path(stored.oid, SUFFIX_OF_COMPRESSION[stored.compression]), damaged
            )
        except OSError as failure:
            raise from_os_error(failure, f"store an object of {stored.size} bytes") from failure
        return stored

    def _remember(self, stored: Stored, hasher: Hasher) -> None:
        if stored.size > self._limits.whole_bytes:
            depth = self._blobs.depth(stored.oid) if stored.compression == "chunks" else 0
            self._recent.add(stored.oid, hasher, depth)


def recut(parts: Iterable[bytes]) -> Iterator[memoryview]:
    """Yield *parts* in pieces of exactly PIECE_BYTES, the last one less.

    One buffer serves all: a piece is used up before the next is asked for.
    """
    buffer = memoryview(bytearray(PIECE_BYTES))
    filled = 0
    for part in parts:
        left = memoryview(part)
        while left:
            taken = left[: PIECE_BYTES - filled]
            buffer[filled : filled + len(taken)] = taken
            filled += len(taken)
            left = left[len(taken) :]
            if filled == PIECE_BYTES:
                yield buffer
                filled = 0
    if filled:
        yield buffer[:filled]
