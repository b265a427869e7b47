"""Whatever gives bytes - a file, a pipe, a counter around one - as a buffered file."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

_BUFFER_BYTES = 1 << 20


def buffered(source: BinaryIO) -> io.BufferedReader:
    """Return a buffered file that takes from *source*, of which nothing but ``read`` is used."""
    return io.BufferedReader(cast(io.RawIOBase, _Raw(source)), _BUFFER_BYTES)


class _Raw(io.RawIOBase):
    def __init__(self, source: BinaryIO) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
