"""A progress bar on standard error, when that is a terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import BinaryIO, TextIO, cast

_INTERVAL_SECONDS = 0.1  # fast enough to look alive, slow enough to cost nothing
_WIDTH = 24


class Progress:
    """Counts work and shows it; a context, which wipes the bar away at its end."""

    def __init__(self, stream: TextIO, label: str, total: int, *, in_bytes: bool = False) -> None:
        """Begin.

        Args:
            total: How much there is to do; 0 when nobody knows.
            in_bytes: Show sizes instead of counts.
        """
        self._stream = stream
        self._label = label
        self._total = total
        self._in_bytes = in_bytes
        self._done = 0
        self._is_shown = stream.isatty()
        self._next_seconds = time.monotonic() + _INTERVAL_SECONDS
        self._drawn = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn:
            self._stream.write("\r" + " " * self._drawn + "\r")
            self._stream.flush()

    def advance(self, amount: int = 1) -> None:
        """Note that *amount* more is done."""
        self.reach(self._done + amount)

    def reading(self, file: BinaryIO) -> BinaryIO:
        """Return something that reads from *file* and counts the bytes."""
        return cast(BinaryIO, _Counted(file, self))

    def writing(self, file: BinaryIO) -> BinaryIO:
        """Return something that writes to *file* and counts the bytes."""
        return cast(BinaryIO, _Counted(file, self))

    def reach(self, done: int, total: int | None = None) -> None:
        """Note that *done* is done, of *total* if that has changed."""
        self._done = done
        if total is not None:
            self._total = total
        if self._is_shown and time.monotonic() >= self._next_seconds:
            self._next_seconds = time.monotonic() + _INTERVAL_SECONDS
            self._draw()

    def _draw(self) -> None:
        text = f"{self._label} {self._bar()}{self._amount(self._done)}"
        if self._total:
            text += f" of {self._amount(self._total)}"
        self._stream.write("\r" + text.ljust(self._drawn))
        self._stream.flush()
        self._drawn = len(text)

    def _bar(self) -> str:
        if not self._total:
            return ""
        share = min(1.0, self._done / self._total)
        filled = round(share * _WIDTH)
        return f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {share:4.0%}  "

    def _amount(self, number: int) -> str:
        if not self._in_bytes:
            return f"{number:,}"
        from sessionfs.cli.tables import human_size

        return human_size(number)


class _Counted:
    """A binary file, as far as content is read from it or written to it."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._progress = progress

    @property
    def name(self) -> object:
        """What the file is called, if it is called anything."""
        return getattr(self._file, "name", None)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._progress.advance(len(data))
        return data

    def write(self, data: bytes) -> int:
        size = self._file.write(data)
        self._progress.advance(size)
        return size
