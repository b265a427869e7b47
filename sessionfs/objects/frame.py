"""LZ4 frames with independent blocks: what ``lz4 -d`` opens and what can be read from the middle.

Grammar (little-endian; source: lz4_Frame_format.md, version 1.6.2)::

    frame  = 04 22 4d 18  FLG  BD  content-size(8)  HC  block*  00 00 00 00
    block  = size(4) data          size's highest bit set: data is stored as it is

Blocks hold 256 KiB of content each (the last one less), so the block for an offset is known by division; where it
lies in the file is found by walking the sizes, and remembered. There is no content checksum: it would double the
cost, and the object's name is a better one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import lz4.block
import lz4.frame

from sessionfs.errors import Corrupt

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

BLOCK_BYTES = 256 << 10
HEADER_BYTES = 15
END_MARK = b"\0\0\0\0"

_MAGIC = b"\x04\x22\x4d\x18"
_STORED = 1 << 31
_INDEPENDENT_WITH_SIZE = 0b0110_1000  # version 01, independent blocks, content size; no checksums, no dictionary
_BLOCK_SIZE_CODE = 5 << 4  # 256 KiB

# A block of this size or more is probed first: LZ4 takes 200 us to find out that 256 KiB of noise do not shrink.
_PROBE_BYTES = 16 << 10
_PROBED_FROM_BYTES = 128 << 10

_WORKERS = min(4, os.cpu_count() or 1)


class MalformedFrame(Corrupt):
    """The bytes are not a frame of the form above."""


def header(content_size: int) -> bytes:
    """Return a frame's header for *content_size* bytes (at least 1)."""
    context = lz4.frame.create_compression_context()
    begun = lz4.frame.compress_begin(
        context, source_size=content_size, block_size=lz4.frame.BLOCKSIZE_MAX256KB, block_linked=False
    )
    return bytes(begun)


def parse_header(data: bytes) -> int:
    """Return the content size that a frame's first 15 bytes name.

    Raises:
        MalformedFrame: Another format, or a frame that cannot be read from the middle.
    """
    if len(data) < HEADER_BYTES or data[:4] != _MAGIC:
        raise MalformedFrame("it does not start with an LZ4 frame header")
    if data[4] != _INDEPENDENT_WITH_SIZE or data[5] != _BLOCK_SIZE_CODE:
        raise MalformedFrame("its LZ4 frame has other options than sessionfs writes")
    return int.from_bytes(data[6:14], "little")


def shrink_block(content: memoryview | bytes) -> bytes | None:
    """Return *content* (1 byte to 256 KiB) as a compressed block, its size in front; None when it does not shrink."""
    size = len(content)
    if size < _PROBED_FROM_BYTES or _shrinks(content[(size - _PROBE_BYTES) // 2 :][:_PROBE_BYTES]):
        packed: bytes = lz4.block.compress(content, store_size=False)
        if len(packed) < size:
            return len(packed).to_bytes(4, "little") + packed
    return None


def stored_block(content: memoryview | bytes) -> bytes:
    """Return *content* as a block that is not compressed."""
    return (len(content) | _STORED).to_bytes(4, "little") + bytes(content)


def shrink_blocks(content: memoryview) -> list[bytes | None]:
    """Return *content*, cut into blocks, as :func:`shrink_block` gives each; several threads share the work."""
    pieces = _cut(content)
    if len(pieces) == 1:
        return [shrink_block(pieces[0])]
    return list(_workers().map(shrink_block, pieces))


def join_blocks(content: memoryview, shrunk: list[bytes | None]) -> bytes:
    """Return the blocks of *content*: those of *shrunk*, and stored ones where that is None."""
    return b"".join([block or stored_block(piece) for block, piece in zip(shrunk, _cut(content), strict=True)])


def encode(content: bytes | memoryview) -> bytes:
    """Return *content* (not empty) as a whole frame."""
    view = memoryview(content)
    return header(len(view)) + join_blocks(view, shrink_blocks(view)) + END_MARK


def _cut(content: memoryview) -> list[memoryview]:
    return [content[start : start + BLOCK_BYTES] for start in range(0, len(content), BLOCK_BYTES)]


def read_block(pread: Callable[[int, int], bytes], offset: int, expected: int, index: int) -> bytes:
    """Return the content of the block at *offset*, which has *expected* bytes.

    Args:
        pread: Reads the frame (length, offset).
        index: Its number, for messages.

    Raises:
        MalformedFrame: The block is cut short, or does not decompress to its length.
    """
    word = int.from_bytes(pread(4, offset), "little")
    stored_size = word & ~_STORED
    data = pread(stored_size, offset + 4)
    if len(data) != stored_size or not stored_size:
        raise MalformedFrame(f"block {index} of its LZ4 frame is cut short")
    if not word & _STORED:
        try:
            data = lz4.block.decompress(data, uncompressed_size=expected)
        except lz4.block.LZ4BlockError as failure:
            raise MalformedFrame(f"block {index} of its LZ4 frame does not decompress") from failure
    if len(data) != expected:
        raise MalformedFrame(f"block {index} of its LZ4 frame has {len(data)} bytes instead of {expected}")
    return data


class FrameReader:
    """Random access to the blocks of a frame.

    Not thread-safe; :class:`sessionfs.objects.reader.ObjectReader` holds a lock around it.
    """

    def __init__(self, pread: Callable[[int, int], bytes]) -> None:
        """Read the header through *pread* (length, offset)."""
        self._pread = pread
        self.size = parse_header(pread(HEADER_BYTES, 0))
        self.block_count = -(-self.size // BLOCK_BYTES)
        self._offsets = [HEADER_BYTES]  # where each block known so far begins in the file

    def block(self, index: int) -> bytes:
        """Return the content of block *index*.

        Raises:
            MalformedFrame: The block is cut short, or does not decompress to its length.
        """
        expected = min(BLOCK_BYTES, self.size - index * BLOCK_BYTES)
        return read_block(self._pread, self._offset(index), expected, index)

    def verify_end(self) -> None:
        """Check that the frame ends after its last block, and that ``lz4 -d`` would accept its header.

        Raises:
            MalformedFrame: It is cut short, or something follows, or the header's checksum is wrong.
        """
        if self._pread(HEADER_BYTES, 0) != header(self.size):
            raise MalformedFrame("the header of its LZ4 frame is damaged")
        if self._pread(5, self._offset(self.block_count)) != END_MARK:
            raise MalformedFrame("its LZ4 frame does not end with an end mark")

    def _offset(self, index: int) -> int:
        offsets = self._offsets
        while len(offsets) <= index:
            word = self._pread(4, offsets[-1])
            stored_size = int.from_bytes(word, "little") & ~_STORED
            if len(word) != 4 or not 0 < stored_size <= BLOCK_BYTES:
                raise MalformedFrame(f"block {len(offsets) - 1} of its LZ4 frame is cut short")
            offsets.append(offsets[-1] + 4 + stored_size)
        return offsets[index]


def _shrinks(sample: memoryview | bytes) -> bool:
    return len(lz4.block.compress(sample, store_size=False)) < len(sample)


_pool: tuple[int, ThreadPoolExecutor] | None = None


def _workers() -> ThreadPoolExecutor:
    """Return this process's threads for compression (they do not survive a fork)."""
    global _pool
    if _pool is None or _pool[0] != os.getpid():
        from concurrent.futures import ThreadPoolExecutor

        _pool = (os.getpid(), ThreadPoolExecutor(_WORKERS, thread_name_prefix="sessionfs-lz4"))
    return _pool[1]
