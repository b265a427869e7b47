"""Reading one object at any offset."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol

from sessionfs.durable import Disk
from sessionfs.objects.cache import BlockCache
from sessionfs.objects.frame import BLOCK_BYTES, FrameReader
from sessionfs.oid import ObjectId

PIECE_BYTES = 1 << 20


class ObjectReader(Protocol):
    """An open object. Thread-safe; what it reads is not checked against the name (a whole read is)."""

    size: int

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""

    def pieces(self) -> Iterator[bytes]:
        """Yield the whole content in pieces of at most 1 MiB."""

    def close(self) -> None:
        """Let go of the file."""

    def __enter__(self) -> ObjectReader:
        """Return itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""


class _OpenFile:
    def __init__(self, disk: Disk, fd: int) -> None:
        self._disk = disk
        self._fd: int | None = fd

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            self._disk.close(fd)

    def __del__(self) -> None:
        self.close()

    def _pread_file(self, length: int, offset: int) -> bytes:
        if self._fd is None:
            raise ValueError("read from a closed object")
        return self._disk.pread(self._fd, length, offset)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RawReader(_OpenFile):
    """An object whose file is its content."""

    def __init__(self, disk: Disk, fd: int) -> None:
        super().__init__(disk, fd)
        self.size = disk.size(fd)

    def __enter__(self) -> RawReader:
        return self

    def pread(self, length: int, offset: int) -> bytes:
        return self._pread_file(length, offset)

    def pieces(self) -> Iterator[bytes]:
        offset = 0
        while piece := self._pread_file(PIECE_BYTES, offset):
            yield piece
            offset += len(piece)


class Lz4Reader(_OpenFile):
    """An object in an LZ4 frame; only the blocks that a read touches are decompressed."""

    def __init__(self, disk: Disk, fd: int, oid: ObjectId, cache: BlockCache) -> None:
        super().__init__(disk, fd)
        self._frame = FrameReader(self._pread_file)
        self._oid = oid
        self._cache = cache
        self._lock = threading.Lock()
        self.size = self._frame.size

    def __enter__(self) -> Lz4Reader:
        return self

    def pread(self, length: int, offset: int) -> bytes:
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        index, inside = divmod(offset, BLOCK_BYTES)
        if end <= (index + 1) * BLOCK_BYTES:
            return self._block(index)[inside : inside + end - offset]
        parts = [self._block(index)[inside:]]
        last, rest = divmod(end, BLOCK_BYTES)
        parts += [self._block(middle) for middle in range(index + 1, last)]
        if rest:
            parts.append(self._block(last)[:rest])
        return b"".join(parts)

    def pieces(self) -> Iterator[bytes]:
        # Past the cache: a whole read of something large would empty it for nothing.
        for index in range(self._frame.block_count):
            with self._lock:
                block = self._frame.block(index)
            yield block
        with self._lock:
            self._frame.verify_end()

    def _block(self, index: int) -> bytes:
        block = self._cache.find(self._oid, index)
        if block is None:
            with self._lock:
                block = self._frame.block(index)
            self._cache.add(self._oid, index, block)
        return block
