"""Artifacts as file objects: what ``artifacts.open`` gives."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from sessionfs.errors import InvalidInput
from sessionfs.objects import ObjectReader, Staged

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

BUFFER_BYTES = 256 << 10


class BadMode(InvalidInput):
    """A mode that ``open`` does not have."""


class ArtifactFile(io.RawIOBase):
    """The raw file below the buffers. What is written becomes one version when it is closed."""

    def __init__(
        self,
        name: str,
        *,
        reader: ObjectReader | None = None,
        staged: Staged | None = None,
        store: Callable[[Staged], None] | None = None,
        readable: bool = True,
        append: bool = False,
    ) -> None:
        """Read *reader*, or read and write *staged*, which *store* turns into a version at the end."""
        super().__init__()
        self.name = name
        self._reader = reader
        self._staged = staged
        self._store = store
        self._readable = readable
        self._append = append
        self._offset = staged.size if append and staged is not None else 0

    def readable(self) -> bool:
        return self._readable

    def writable(self) -> bool:
        return self._staged is not None

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        if not self._readable:
            raise io.UnsupportedOperation("not readable")
        view = memoryview(buffer).cast("B")
        data = self._content().pread(len(view), self._offset)
        view[: len(data)] = data
        self._offset += len(data)
        return len(data)

    def write(self, data: ReadableBuffer) -> int:
        if self._staged is None:
            raise io.UnsupportedOperation("not writable")
        if self._append:
            self._offset = self._staged.size
        length = self._staged.pwrite(memoryview(data).cast("B"), self._offset)
        self._offset += length
        return length

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._offset, os.SEEK_END: self._content().size}.get(whence)
        if start is None or start + offset < 0:
            raise ValueError(f"cannot seek to {offset} from {whence}")
        self._offset = start + offset
        return self._offset

    def truncate(self, size: int | None = None) -> int:
        if self._staged is None:
            raise io.UnsupportedOperation("not writable")
        size = self._offset if size is None else size
        self._staged.truncate(size)
        return size

    def close(self) -> None:
        if self.closed:
            return
        try:
            if self._staged is not None and self._store is not None:
                self._store(self._staged)
        finally:
            super().close()
            if self._staged is not None:
                self._staged.discard()
            if self._reader is not None:
                self._reader.close()

    def _content(self) -> ObjectReader | Staged:
        content = self._staged or self._reader
        if self.closed or content is None:
            raise ValueError("I/O operation on closed file")
        return content


def parse_mode(mode: str) -> tuple[str, bool, bool]:
    """Return the letter (``r w a x``), whether ``+`` and whether text was asked for.

    Raises:
        BadMode: ``open`` has no such mode.
    """
    letters = [letter for letter in mode if letter in "rwax"]
    if len(letters) != 1 or set(mode) - set("rwaxbt+") or len(set(mode)) != len(mode) or {"b", "t"} <= set(mode):
        raise BadMode(f"{mode!r} is no mode; write one of r, w, a, x, with b for bytes and + for both ways")
    return letters[0], "+" in mode, "b" not in mode


def wrap(raw: ArtifactFile, *, text: bool, encoding: str | None, newline: str | None) -> IO[bytes] | IO[str]:
    """Return *raw* with the buffers that ``open`` puts around it."""
    buffered: io.BufferedReader | io.BufferedWriter | io.BufferedRandom
    if raw.readable() and raw.writable():
        buffered = io.BufferedRandom(raw, BUFFER_BYTES)
    elif raw.writable():
        buffered = io.BufferedWriter(raw, BUFFER_BYTES)
    else:
        buffered = io.BufferedReader(raw, BUFFER_BYTES)
    return io.TextIOWrapper(buffered, encoding=encoding or "utf-8", newline=newline) if text else buffered
