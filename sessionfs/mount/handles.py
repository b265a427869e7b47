"""Open files: what the kernel can ask of one. Each kind of file has its own below."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pyfuse3 import FUSEError

if TYPE_CHECKING:
    from sessionfs.mount.inodes import Caller, Inode


class Handle:
    """An open file."""

    direct_io = False  # each read is asked of us; the kernel keeps no pages
    keep_cache = True  # pages from earlier are still good; we say so when they are not

    def __init__(self, inode: Inode) -> None:
        self.inode = inode

    async def read(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*."""
        raise FUSEError(errno.EBADF)

    async def write(self, offset: int, data: bytes) -> int:
        """Write *data* at *offset* and return how much of it was written."""
        raise FUSEError(errno.EBADF)

    async def truncate(self, size: int, caller: Caller) -> None:
        """Set the length in bytes, for ``ftruncate(2)``."""
        raise FUSEError(errno.EBADF)

    async def flush(self) -> None:
        """A descriptor of it is being closed; what is raised here is what ``close(2)`` reports."""

    async def sync(self) -> None:
        """Put it on stable storage."""

    async def release(self) -> None:
        """The last descriptor is gone; nobody hears of errors any more."""


class BytesHandle(Handle):
    """A read-only file whose content was made when it was opened."""

    direct_io = True
    keep_cache = False

    def __init__(self, inode: Inode, content: bytes) -> None:
        super().__init__(inode)
        self._content = content

    async def read(self, offset: int, length: int) -> bytes:
        return self._content[offset : offset + length]


class TextHandle(Handle):
    """A small file that is given to *store* as a whole when it is closed."""

    direct_io = True
    keep_cache = False

    def __init__(
        self,
        inode: Inode,
        content: bytes,
        store: Callable[[bytes], Awaitable[None]],
        *,
        flags: int,
        at_newline: bool = False,
        limit_bytes: int = 64 << 20,
    ) -> None:
        """Open it.

        Args:
            store: Takes the content; what it raises is reported by ``close`` and ``fsync``.
            at_newline: Give it away as soon as a line is whole. A shell's ``echo word > file`` ignores what
                ``close`` says, and tells of what ``write`` says.
        """
        super().__init__(inode)
        self._content = bytearray(b"" if flags & os.O_TRUNC else content)
        self._store = store
        self._appends = bool(flags & os.O_APPEND)
        self._at_newline = at_newline
        self._limit_bytes = limit_bytes
        self._dirty = False

    async def read(self, offset: int, length: int) -> bytes:
        return bytes(self._content[offset : offset + length])

    async def write(self, offset: int, data: bytes) -> int:
        start = len(self._content) if self._appends else offset
        end = start + len(data)
        if end > self._limit_bytes:
            raise FUSEError(errno.EFBIG)
        if start > len(self._content):
            self._content.extend(bytes(start - len(self._content)))
        self._content[start:end] = data
        self._dirty = True
        if self._at_newline and data.endswith(b"\n"):
            await self._give()
        return len(data)

    async def truncate(self, size: int, caller: Caller) -> None:
        # Nothing is stored before something is written: an editor empties a file first.
        del self._content[size:]
        self._content.extend(bytes(size - len(self._content)))

    async def flush(self) -> None:
        if self._dirty:
            await self._give()

    async def sync(self) -> None:
        await self.flush()

    async def _give(self) -> None:
        self._dirty = False
        await self._store(bytes(self._content))
