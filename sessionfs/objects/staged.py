"""Content that is being written at any offset: an open file of the mount or of the API, before it has a name.

Small content stays in memory and never touches ``tmp/``; it moves to a temporary file when it grows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, BinaryIO, cast

from sessionfs.durable import Disk, Temporary, pwrite_all
from sessionfs.errors import from_os_error

if TYPE_CHECKING:
    from sessionfs.objects.database import Stored

IN_MEMORY_BYTES = 1 << 20

_FILE_MODE = 0o600


class Staged:
    """Bytes that can be read and written anywhere until they are finished. Thread-safe."""

    def __init__(
        self,
        disk: Disk,
        staging: str,
        *,
        put_bytes: Callable[[bytes | bytearray | memoryview], Stored],
        put_stream: Callable[[BinaryIO], Stored],
    ) -> None:
        self._disk = disk
        self._staging = staging
        self._put_bytes = put_bytes
        self._put_stream = put_stream
        self._memory: bytearray | None = bytearray()
        self._file: Temporary | None = None
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """The content's length in bytes."""
        with self._lock:
            return self._size()

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""
        with self._lock:
            if self._memory is not None:
                return bytes(memoryview(self._memory)[offset : offset + length])
            return _pread(self._disk, self._fd(), length, offset)

    def pwrite(self, data: bytes | bytearray | memoryview, offset: int) -> int:
        """Write all of *data* at *offset* and return its length; a gap before it reads as zeros.

        Raises:
            NoSpace: The disk is full; what was there before is unchanged or partly overwritten, as POSIX has it.
        """
        with self._lock:
            return self._write(data, offset)

    def append(self, data: bytes | bytearray | memoryview) -> int:
        """Write all of *data* at the end, wherever that is now."""
        with self._lock:
            return self._write(data, self._size())

    def truncate(self, size: int) -> None:
        """Cut the content to *size* bytes, or extend it with zeros."""
        with self._lock:
            if self._memory is not None and size > IN_MEMORY_BYTES:
                self._spill()
            if self._memory is not None:
                del self._memory[size:]
                self._memory.extend(bytes(size - len(self._memory)))
                return
            try:
                self._disk.truncate(self._fd(), size)
            except OSError as failure:
                raise from_os_error(failure, f"set the length to {size} bytes") from failure

    def fill(self, pieces: Iterable[bytes]) -> None:
        """Write all *pieces*, from offset 0."""
        offset = 0
        for piece in pieces:
            self.pwrite(piece, offset)
            offset += len(piece)

    def finish(self) -> Stored:
        """Store the content as a blob. It may be written to, and finished, again."""
        with self._lock:
            if self._memory is not None:
                return self._put_bytes(bytes(self._memory))
            return self._put_stream(cast(BinaryIO, _FromStart(self._disk, self._fd())))

    def discard(self) -> None:
        """Let go of the content."""
        with self._lock:
            self._memory = None
            file, self._file = self._file, None
        if file is not None:
            self._disk.discard_temporary(file)

    def _write(self, data: bytes | bytearray | memoryview, offset: int) -> int:
        end = offset + len(data)
        if self._memory is not None and end > IN_MEMORY_BYTES:
            self._spill()
        memory = self._memory
        if memory is not None:
            if offset > len(memory):
                memory.extend(bytes(offset - len(memory)))
            memory[offset:end] = data
            return len(data)
        try:
            pwrite_all(self._disk, self._fd(), data, offset)
        except OSError as failure:
            raise from_os_error(failure, f"write {len(data)} bytes at {offset}") from failure
        return len(data)

    def _size(self) -> int:
        return len(self._memory) if self._memory is not None else self._disk.size(self._fd())

    def _fd(self) -> int:
        if self._file is None:
            raise ValueError("staged content was used after it was discarded")
        return self._file.fd

    def _spill(self) -> None:
        try:
            file = self._disk.create_temporary(self._staging, _FILE_MODE)
        except OSError as failure:
            raise from_os_error(failure, "stage content in tmp/") from failure
        try:
            pwrite_all(self._disk, file.fd, self._memory or b"", 0)
        except OSError as failure:
            self._disk.discard_temporary(file)
            raise from_os_error(failure, "stage content in tmp/") from failure
        self._memory, self._file = None, file


class _FromStart:
    """Reads a descriptor from its beginning, without moving its position."""

    def __init__(self, disk: Disk, fd: int) -> None:
        self._disk = disk
        self._fd = fd
        self._offset = 0

    def read(self, length: int = -1) -> bytes:
        data = _pread(self._disk, self._fd, length, self._offset)
        self._offset += len(data)
        return data


def _pread(disk: Disk, fd: int, length: int, offset: int) -> bytes:
    try:
        return disk.pread(fd, length, offset)
    except OSError as failure:
        raise from_os_error(failure, "read staged content") from failure
