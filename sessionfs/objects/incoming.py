"""Content that arrives in order, of a length nobody knows yet: hashed, compressed and written in one pass.

It is kept as it comes while nothing in it shrinks. The first piece with a block that does shrink turns it into a
frame. So noise is written once, text is written once, and only a mix is copied - and the rule "compressed exactly
when the frame is smaller" holds for all three, in a few MiB of memory.

What is longer than DECIDED_BYTES is never copied: it keeps the form it has got until then. Films and archives end in
tables that shrink by next to nothing, and models begin with them; writing gigabytes twice for that would be wrong. A
frame of such content may be larger than the content, by 16 bytes per MiB.

What has been added can be read before it is finished. Whatever fails may be tried again: nothing counts as added, and
no file is exchanged, before all of it is written.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable

from sessionfs.durable import Disk, Temporary, pwrite_all
from sessionfs.objects import frame
from sessionfs.oid import Hasher

PIECE_BYTES = 16 * frame.BLOCK_BYTES  # what is hashed and compressed at a time: enough for every thread
DECIDED_BYTES = 16 << 20  # copying takes 20 ms up to here


class Incoming:
    """One object on its way in. Feed whole pieces of 4 MiB, the last one less; then :meth:`finish`.

    One thread adds; any may read.
    """

    def __init__(self, create: Callable[[], Temporary], disk: Disk, *, compress: bool) -> None:
        """Begin a file that *create* returns; raises OSError."""
        self._create = create
        self._disk = disk
        self._compress = compress
        self._framed = False
        self._ended = False
        self._blocks = array("Q")  # where each block of the frame begins in the file
        self._last: tuple[int, bytes] | None = None  # the block that was read last
        self._reading = threading.Lock()  # held while the file is read, and while it is exchanged
        self.hasher = Hasher()
        self.temporary = create()
        self.size = 0
        self.stored_size = 0

    @property
    def compression(self) -> str:
        """``lz4`` or ``none``: the form the temporary file has now."""
        return "lz4" if self._framed else "none"

    def add(self, piece: memoryview) -> None:
        """Take the next piece; all but the last have the same length, some number of blocks.

        Raises:
            OSError: It was not taken; it may be added again.
        """
        may_shrink = self._framed or (self._compress and self.size <= DECIDED_BYTES)
        blocks = frame.shrink_blocks(piece) if may_shrink else []
        if not self._framed and any(blocks):
            self._turn_into_frame()
        data: bytes | memoryview = frame.join_blocks(piece, blocks) if self._framed else piece
        pwrite_all(self._disk, self.temporary.fd, data, self.stored_size)
        if self._framed:
            self._note_blocks(piece, blocks)
        self.hasher.update(piece)
        self.stored_size += len(data)
        self.size += len(piece)

    def finish(self, threshold_bytes: int) -> None:
        """Complete the file in its smaller form; :attr:`hasher` knows its name."""
        if self._framed and not self._ended:
            pwrite_all(self._disk, self.temporary.fd, frame.END_MARK, self.stored_size)
            pwrite_all(self._disk, self.temporary.fd, frame.header(self.size), 0)
            stored_size = self.stored_size + len(frame.END_MARK)
            is_no_smaller = stored_size >= self.size and self.size <= DECIDED_BYTES
            if is_no_smaller or self.size <= threshold_bytes:
                self._turn_into_content()
            else:
                self.stored_size = stored_size
        self._ended = True

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to *length* bytes of what was added, from *offset*."""
        end = min(offset + length, self.size)
        with self._reading:
            if not self._framed:
                return self._disk.pread(self.temporary.fd, max(0, end - offset), offset)
            parts = []
            while offset < end:
                index, inside = divmod(offset, frame.BLOCK_BYTES)
                part = self._block(index)[inside : inside + end - offset]
                parts.append(part)
                offset += len(part)
            return b"".join(parts)

    def discard(self) -> None:
        """Let go of the temporary file; what has been named stays."""
        self._disk.discard_temporary(self.temporary)

    def _block(self, index: int) -> bytes:
        if self._last is None or self._last[0] != index:
            expected = min(frame.BLOCK_BYTES, self.size - index * frame.BLOCK_BYTES)
            block = frame.read_block(self._pread_file, self._blocks[index], expected, index)
            self._last = index, block
        return self._last[1]

    def _pread_file(self, length: int, offset: int) -> bytes:
        return self._disk.pread(self.temporary.fd, length, offset)

    def _note_blocks(self, piece: memoryview, blocks: list[bytes | None]) -> None:
        position = self.stored_size
        for block, start in zip(blocks, range(0, len(piece), frame.BLOCK_BYTES), strict=True):
            self._blocks.append(position)
            stored = 4 + min(frame.BLOCK_BYTES, len(piece) - start)
            position += stored if block is None else len(block)

    def _turn_into_frame(self) -> None:
        target = self._create()
        try:
            position = frame.HEADER_BYTES  # which is written at the end
            blocks = array("Q")
            for offset in range(0, self.size, frame.BLOCK_BYTES):
                content = self._pread_file(min(frame.BLOCK_BYTES, self.size - offset), offset)
                block = frame.stored_block(content)
                pwrite_all(self._disk, target.fd, block, position)
                blocks.append(position)
                position += len(block)
        except BaseException:
            self._disk.discard_temporary(target)
            raise
        self._exchange(target, framed=True, stored_size=position, blocks=blocks)

    def _turn_into_content(self) -> None:
        target = self._create()
        try:
            for offset in range(0, self.size, frame.BLOCK_BYTES):
                pwrite_all(self._disk, target.fd, self.pread(frame.BLOCK_BYTES, offset), offset)
        except BaseException:
            self._disk.discard_temporary(target)
            raise
        self._exchange(target, framed=False, stored_size=self.size, blocks=array("Q"))

    def _exchange(self, target: Temporary, *, framed: bool, stored_size: int, blocks: array[int]) -> None:
        with self._reading:
            old, self.temporary = self.temporary, target
            self._framed, self.stored_size, self._blocks, self._last = framed, stored_size, blocks, None
            self._disk.discard_temporary(old)
