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
_ZEROS = bytes(PIECE_BYTES)


class ObjectReader(Protocol):
    """An open object. Thread-safe; what it reads is not checked against the name (a whole read is)."""

    size: int

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the content from *start* to *end*, or all of it, in pieces of at most 1 MiB.

        What reads much reads here: it passes by the cache, and holes cost nothing but the zeros.
        """

    def close(self) -> None:
        """Let go of the file."""

    def __enter__(self) -> ObjectReader:
        """Return itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""


class _Descriptor:
    """An open file that is closed when nobody uses it any more, at the latest."""

    def __init__(self, disk: Disk, fd: int) -> None:
        self._disk = disk
        self._fd: int | None = fd

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            self._disk.close(fd)

    def __del__(self) -> None:
        self.close()

    def size(self) -> int:
        return self._disk.size(self._open_fd())

    def next_data(self, offset: int) -> int:
        return self._disk.next_data(self._open_fd(), offset)

    def pread(self, length: int, offset: int) -> bytes:
        return self._disk.pread(self._open_fd(), length, offset)

    def _open_fd(self) -> int:
        if self._fd is None:
            raise ValueError("read from a closed object")
        return self._fd


class _Part(_Descriptor):
    """A part of an open file, as if it were all of it."""

    def __init__(self, disk: Disk, fd: int, start: int, length: int) -> None:
        super().__init__(disk, fd)
        self._start = start
        self._length = length

    def size(self) -> int:
        return self._length

    def next_data(self, offset: int) -> int:
        return offset

    def pread(self, length: int, offset: int) -> bytes:
        wanted = min(length, self._length - offset)
        return super().pread(wanted, self._start + offset) if wanted > 0 else b""


class _FileReader:
    def __init__(self, disk: Disk, fd: int, *, start: int = 0, length: int | None = None) -> None:
        """Read the file *fd*, or of a pack the object that begins at *start*."""
        self._file = _Descriptor(disk, fd) if length is None else _Part(disk, fd, start, length)

    def close(self) -> None:
        self._file.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class RawReader(_FileReader):
    """An object whose file is its content."""

    def __init__(self, disk: Disk, fd: int, *, start: int = 0, length: int | None = None) -> None:
        super().__init__(disk, fd, start=start, length=length)
        self.size = self._file.size()

    def __enter__(self) -> RawReader:
        return self

    def pread(self, length: int, offset: int) -> bytes:
        return self._file.pread(length, offset)

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        offset, end = start, self.size if end is None else end
        while offset < end:
            data = self._file.next_data(offset)
            while offset < min(data, end):
                yield _ZEROS[: min(data, end) - offset]
                offset += min(PIECE_BYTES, min(data, end) - offset)
            piece = self._file.pread(min(PIECE_BYTES, end - offset), offset)
            if not piece:
                return  # the file has become shorter: whoever counts or hashes finds out
            yield piece
            offset += len(piece)


class Lz4Reader(_FileReader):
    """An object in an LZ4 frame; only the blocks that a read touches are decompressed."""

    def __init__(
        self, disk: Disk, fd: int, oid: ObjectId, cache: BlockCache, *, start: int = 0, length: int | None = None
    ) -> None:
        super().__init__(disk, fd, start=start, length=length)
        self._frame = FrameReader(self._file.pread)  # not ours: a cycle would keep the file open
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

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        # Past the cache: a whole read of something large would empty it for nothing.
        end = self.size if end is None else end
        for index in range(start // BLOCK_BYTES, -(-end // BLOCK_BYTES)):
            with self._lock:
                block = self._frame.block(index)
            begin = index * BLOCK_BYTES
            yield block[max(0, start - begin) : end - begin]
        if end == self.size:
            with self._lock:
                self._frame.verify_end()

    def verify_structure(self) -> None:
        """Check what can be told of the frame without decompressing it; raises MalformedFrame."""
        with self._lock:
            self._frame.verify_end()

    def _block(self, index: int) -> bytes:
        block = self._cache.find(self._oid, index)
        if block is None:
            with self._lock:
                block = self._frame.block(index)
            self._cache.add(self._oid, index, block)
        return block
