"""Content that arrives in order, of a length nobody knows yet: hashed, compressed and written in one pass.

It is kept as it comes while nothing in it shrinks. The first piece with a block that does shrink turns it into a
frame. So noise is written once, text is written once, and only a mix is copied - and the rule "compressed exactly
when the frame is smaller" holds for all three, in a few MiB of memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sessionfs.durable import Disk, Temporary, pwrite_all, write_all
from sessionfs.durable.publish import OBJECT_MODE
from sessionfs.objects import frame
from sessionfs.oid import Hasher, ObjectId

PIECE_BYTES = 16 * frame.BLOCK_BYTES  # what is hashed and compressed at a time: enough for every thread


class Incoming:
    """One object on its way in. Feed whole pieces of 4 MiB, the last one less; then :meth:`finish`."""

    def __init__(self, disk: Disk, staging: str, *, compress: bool) -> None:
        self._disk = disk
        self._staging = staging
        self._compress = compress
        self._hasher = Hasher()
        self._framed = False
        self.temporary = disk.create_temporary(staging, OBJECT_MODE)
        self.size = 0
        self.stored_size = 0

    @property
    def compression(self) -> str:
        """``lz4`` or ``none``: the form the temporary file has now."""
        return "lz4" if self._framed else "none"

    def add(self, piece: memoryview) -> None:
        """Take the next piece; every one but the last has PIECE_BYTES."""
        self._hasher.update(piece)
        if self._compress:
            blocks = frame.shrink_blocks(piece)
            if not self._framed and any(blocks):
                self._turn_into_frame()
            if self._framed:
                data = frame.join_blocks(piece, blocks)
                write_all(self._disk, self.temporary.fd, data)
                self.stored_size += len(data)
                self.size += len(piece)
                return
        write_all(self._disk, self.temporary.fd, piece)
        self.size += len(piece)
        self.stored_size += len(piece)

    def finish(self, threshold_bytes: int) -> ObjectId:
        """Complete the file in its smaller form and return the object's id."""
        if self._framed:
            write_all(self._disk, self.temporary.fd, frame.END_MARK)
            self.stored_size += len(frame.END_MARK)
            pwrite_all(self._disk, self.temporary.fd, frame.header(self.size), 0)
            if self.stored_size >= self.size or self.size <= threshold_bytes:
                self._turn_into_content()
        return self._hasher.oid()

    def discard(self) -> None:
        """Let go of the temporary file; what has been named stays."""
        self._disk.discard_temporary(self.temporary)

    def _turn_into_frame(self) -> None:
        with self._exchange() as content:
            write_all(self._disk, self.temporary.fd, bytes(frame.HEADER_BYTES))
            stored_size = frame.HEADER_BYTES
            offset = 0
            while piece := self._disk.pread(content.fd, frame.BLOCK_BYTES, offset):
                block = frame.stored_block(piece)
                write_all(self._disk, self.temporary.fd, block)
                stored_size += len(block)
                offset += len(piece)
        self._framed = True
        self.stored_size = stored_size

    def _turn_into_content(self) -> None:
        with self._exchange() as framed:
            reader = frame.FrameReader(lambda length, offset: self._disk.pread(framed.fd, length, offset))
            for index in range(reader.block_count):
                write_all(self._disk, self.temporary.fd, reader.block(index))
        self._framed = False
        self.stored_size = self.size

    @contextmanager
    def _exchange(self) -> Iterator[Temporary]:
        """Start a new temporary file; give the old one, and let go of it at the end."""
        old, self.temporary = self.temporary, self._disk.create_temporary(self._staging, OBJECT_MODE)
        try:
            yield old
        finally:
            self._disk.discard_temporary(old)
