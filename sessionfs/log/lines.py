"""Reading a log's lines without knowing what they say. Imports no JSON: ``cat-log`` starts in half the time."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from sessionfs.durable import Disk
from sessionfs.errors import NotFound, from_os_error
from sessionfs.log.damage import CorruptLog, is_damage
from sessionfs.log.framing import MAX_RECORD_BYTES, is_followed, is_linked, written_chain

_READ_BYTES = 4 << 20
# Most lines are short: a small read usually holds one, a large one always.
_SHORT_READ_BYTES = 2 << 10

_BASE = re.compile(rb',"base":(\d{1,18}),"chain":"[0-9a-f]{32}"\}')


class NoSuchLog(NotFound):
    """There is no log at this path."""


@contextlib.contextmanager
def opened(disk: Disk, path: str) -> Iterator[int]:
    """Give a descriptor of its own to read the log at *path* by.

    Raises:
        NoSuchLog: There is none.
        Error: It cannot be opened, or read in the block.
    """
    try:
        fd = disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as failure:
        raise NoSuchLog(f"there is no log at {path}") from failure
    except OSError as failure:
        raise from_os_error(failure, f"open {path}") from failure
    try:
        yield fd
    except OSError as failure:
        raise from_os_error(failure, f"read {path}") from failure
    finally:
        disk.close(fd)


def read_lines(disk: Disk, path: str, chain: str, *, seq: int = 0, offset: int = 0) -> Iterator[bytes]:
    """Yield the whole, linked lines of the log at *path*, their LF included; an append that was cut off has none.

    Args:
        chain: That of the record before the first one wanted; for the first of all, the session's id.
        seq: The number of the first one wanted.
        offset: Where it begins, in bytes.

    Raises:
        NoSuchLog: There is no such file.
        Error: It cannot be read.
        CorruptLog: At the damaged record, after all good ones before it.

    Concurrency:
        Takes no lock: sees the log as long as it was at the beginning. A descriptor of its own, because the caller
        may take any time between two lines.
    """
    held: list[bytes] = []  # of an append whose last line has not come yet
    with opened(disk, path) as fd:
        size = disk.size(fd)
        while offset < size:
            data = disk.pread(fd, min(_READ_BYTES, size - offset), offset)
            begin = 0
            while (end := data.find(b"\n", begin)) >= 0:
                line = data[begin:end]
                if not (line.startswith(b'{"seq":%d,' % seq) and is_linked(line, chain)):
                    break
                held.append(line + b"\n")
                if not is_followed(line):
                    yield from held
                    held.clear()
                chain = written_chain(line)
                seq += 1
                begin = end + 1
            if begin == 0:
                if is_damage(disk.pread(fd, size - offset, offset), seq, chain):
                    raise CorruptLog(path, seq, offset)
                return
            offset += begin


def newest_base(disk: Disk, fd: int) -> int:
    """Return the offset of the newest record that names a snapshot; 0 when none does or the end is unreadable."""
    size = disk.size(fd)
    for length in (_SHORT_READ_BYTES, 2 * MAX_RECORD_BYTES):
        start = max(0, size - length)
        lines = disk.pread(fd, size - start, start).split(b"\n")
        lines.pop()  # what follows the last line feed is no line
        for line in reversed(lines):
            base = _BASE.search(line, max(0, len(line) - 80))
            if base is not None and base.end() == len(line):
                return int(base[1])
    return 0


def last_line(disk: Disk, fd: int) -> bytes:
    """Return the last line that has an end, without its LF; empty when there is none. Its chain is not checked."""
    size = disk.size(fd)
    start = max(0, size - 2 * MAX_RECORD_BYTES)
    lines = disk.pread(fd, size - start, start).split(b"\n")
    return lines[-2] if len(lines) > 1 else b""


def line_at(disk: Disk, fd: int, offset: int) -> bytes | None:
    """Return the line that starts at *offset* bytes, without its LF; None when none does. Its chain is not checked."""
    for length in (_SHORT_READ_BYTES, MAX_RECORD_BYTES):
        line, newline, _ = disk.pread(fd, length, offset).partition(b"\n")
        if newline:
            return line
    return None
