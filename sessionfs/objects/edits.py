"""What was written into content that exists: whole pages, in memory while they are few, then in a sparse file.

Pages have 4 KiB, as in the kernel's cache. What a write leaves of its first and last page is copied from the base; so
one byte a page says what is here: 2.6 MB for 10 GiB, however the writes lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sessionfs.durable import Temporary, pwrite_all
from sessionfs.errors import from_os_error
from sessionfs.objects.staging import Staging

PAGE_BYTES = 4096

_AT_ONCE_BYTES = 1 << 20

ReadBase = Callable[[int, int], bytes]
"""Reads the content below (length, offset)."""


class Edits:
    """Pages over a base. Its owner holds a lock, and writes nothing beyond the base's end."""

    def __init__(self, staging: Staging, read_base: ReadBase) -> None:
        self._staging = staging
        self._disk = staging.disk
        self._read_base = read_base
        self._most_pages = staging.limits.edited_bytes // PAGE_BYTES
        self._here = bytearray()  # 1 for each page that is here, 0 for others; no more pages than needed
        self._pages: dict[int, bytearray] = {}  # unless there is a file
        self._file: Temporary | None = None
        self.holds_base = False  # some of what is here was copied from the base

    @property
    def is_on_disk(self) -> bool:
        """Whether they have become too many for memory."""
        return self._file is not None

    @property
    def is_empty(self) -> bool:
        """Whether no page is here."""
        return self._here.find(1) < 0

    def write(self, data: memoryview, offset: int) -> None:
        """Write *data* (not empty) at *offset*."""
        end = offset + len(data)
        first, last = offset // PAGE_BYTES, (end - 1) // PAGE_BYTES
        if self._file is None and len(self._pages) + last - first >= self._most_pages:
            self._spill()
        if offset % PAGE_BYTES:
            self._bring(first)
        if end % PAGE_BYTES:
            self._bring(last)
        if self._file is None:
            self._write_pages(data, offset)
        else:
            self._write_file(data, offset)
        self._note(first, last + 1)

    def cut(self, size: int) -> None:
        """Forget everything from *size* on."""
        count = -(-size // PAGE_BYTES)
        del self._here[count:]
        for number in [number for number in self._pages if number >= count]:
            del self._pages[number]

    def runs(self, size: int) -> list[tuple[int, int]]:
        """Return what is here, as ranges in order, cut to *size*."""
        return [(start, min(end, size)) for start, end in self._runs(0, size)]

    def patch(self, data: bytes, offset: int) -> bytes:
        """Return *data*, which was read from the base at *offset*, as it is now."""
        end = offset + len(data)
        patched: bytearray | None = None
        for start, stop in self._runs(offset, end):
            start, stop = max(start, offset), min(stop, end)
            patched = patched if patched is not None else bytearray(data)
            here = self._read(stop - start, start)
            patched[start - offset : start - offset + len(here)] = here
        return data if patched is None else bytes(patched)

    def drop_unchanged(self, size: int) -> None:
        """Forget pages that hold what the base holds: a kernel writes whole pages back, an editor the same again."""
        for start, end in self.runs(size):
            for offset in range(start, end, _AT_ONCE_BYTES):
                length = min(_AT_ONCE_BYTES, end - offset)
                self._drop_unchanged(self._read(length, offset), self._read_base(length, offset), offset)

    def fill(self, data: bytes, offset: int) -> None:
        """Put into the file what of *data*, read from the base at *offset*, is not here."""
        assert self._file is not None
        end = offset + len(data)
        done = offset
        for start, stop in [*self._runs(offset, end), (end, end)]:
            if done < start:
                self._write_file(memoryview(data)[done - offset : start - offset], done)
            done = max(done, stop)

    def take_file(self, size: int) -> Temporary:
        """Return the file, cut to *size*; nothing is here any more."""
        assert self._file is not None
        try:
            self._disk.truncate(self._file.fd, size)
        except OSError as failure:
            raise from_os_error(failure, f"set the length to {size} bytes") from failure
        file, self._file = self._file, None
        self._forget()
        return file

    def discard(self) -> None:
        """Let go of them."""
        file, self._file = self._file, None
        self._forget()
        if file is not None:
            self._disk.discard_temporary(file)

    def _forget(self) -> None:
        self._here.clear()
        self._pages.clear()
        self.holds_base = False

    def _runs(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the pages that are here and touch the bytes from *start* to *end*, as ranges of bytes."""
        here = self._here
        last = -(-end // PAGE_BYTES)
        first = here.find(1, start // PAGE_BYTES, last)
        while first >= 0:
            stop = here.find(0, first, last)
            if stop < 0:
                stop = min(last, len(here))
            yield first * PAGE_BYTES, stop * PAGE_BYTES
            first = here.find(1, stop, last)

    def _bring(self, number: int) -> None:
        """Copy a page from the base, if it is not here."""
        if number < len(self._here) and self._here[number]:
            return
        page = self._read_base(PAGE_BYTES, number * PAGE_BYTES)
        self.holds_base = True
        if self._file is None:
            self._pages[number] = bytearray(page)
        else:
            self._write_file(memoryview(page), number * PAGE_BYTES)
        self._note(number, number + 1)

    def _note(self, first: int, stop: int) -> None:
        self._here.extend(bytes(max(0, stop - len(self._here))))
        self._here[first:stop] = b"\1" * (stop - first)

    def _write_pages(self, data: memoryview, offset: int) -> None:
        while data:
            number, inside = divmod(offset, PAGE_BYTES)
            part = data[: PAGE_BYTES - inside]
            page = self._pages.setdefault(number, bytearray())
            page[inside : inside + len(part)] = part
            offset += len(part)
            data = data[len(part) :]

    def _write_file(self, data: memoryview, offset: int) -> None:
        assert self._file is not None
        try:
            pwrite_all(self._disk, self._file.fd, data, offset)
        except OSError as failure:
            raise from_os_error(failure, f"write {len(data)} bytes at {offset}") from failure

    def _read(self, length: int, offset: int) -> bytes:
        """Return what is here, from *offset*; the last page may be short."""
        if self._file is not None:
            try:
                return self._disk.pread(self._file.fd, length, offset)
            except OSError as failure:
                raise from_os_error(failure, "read staged content") from failure
        parts = []
        while length > 0:
            number, inside = divmod(offset, PAGE_BYTES)
            parts.append(self._pages[number][inside : inside + length])
            offset += PAGE_BYTES - inside
            length -= PAGE_BYTES - inside
        return b"".join(parts)

    def _drop_unchanged(self, here: bytes, base: bytes, offset: int) -> None:
        if here == base:
            changed = [False] * (-(-len(here) // PAGE_BYTES))
        else:
            changed = [
                here[start : start + PAGE_BYTES] != base[start : start + PAGE_BYTES]
                for start in range(0, len(here), PAGE_BYTES)
            ]
        for number, is_changed in enumerate(changed, offset // PAGE_BYTES):
            if not is_changed:
                self._here[number] = 0
                self._pages.pop(number, None)

    def _spill(self) -> None:
        file = self._staging.create_temporary()
        self._file = file
        try:
            for number, page in self._pages.items():
                self._write_file(memoryview(page), number * PAGE_BYTES)
        except BaseException:
            self._file = None
            self._disk.discard_temporary(file)
            raise
        self._pages.clear()
