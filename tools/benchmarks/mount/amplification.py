"""``--amplification``: how many bytes the mount writes to the disk for the bytes that a user writes."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks import material
from benchmarks.measure import Progress, rounded
from benchmarks.mount import caches, processes
from benchmarks.mount.filesystems import Filesystem, create_store, mounted_store
from benchmarks.mount.work import MIB, PIECE
from benchmarks.scratch import Scratch

EXPLANATION = """\
written: what the mount's process made the disk write, by /proc/PID/io (write_bytes - cancelled_write_bytes): whole
pages of content, each time they were dirtied, also of files that are gone again; not the disk's own journal and inodes
(but these, too, on an ext4 without a journal, where small files seem to cost half as much again).
stays: what du says the store has grown by: whole blocks of what is there now, with directories; not what was rewritten.
allowed: a factor times what the user wrote, and 4 KiB for each file. Both are taken after a sync; "written" decides."""

_CONTENT_FACTOR = 1.1
_APPEND_FACTOR = 3.0
_PER_FILE_BYTES = 4096

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC

Content = Callable[[int], bytes]


@dataclass(frozen=True)
class Written:
    """What one case wrote."""

    name: str
    user_bytes: int
    written_bytes: int
    stays_bytes: int
    allowed_bytes: float

    @property
    def met(self) -> bool:
        """Whether the process wrote no more than is allowed."""
        return self.written_bytes <= self.allowed_bytes

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "name": self.name,
            "user_bytes": self.user_bytes,
            "written_bytes": self.written_bytes,
            "stays_bytes": self.stays_bytes,
            "allowed_bytes": rounded(self.allowed_bytes),
            "met": self.met,
        }


@dataclass(frozen=True)
class _Case:
    """Something a user does.

    Attributes:
        write: Does it with so many of whatever *count* counts, in an empty directory.
        factor: Of what is allowed.
    """

    name: str
    write: Callable[[str, int], None]
    count: int
    factor: float = _CONTENT_FACTOR


def _write_sequentially(directory: str, count: int, *, content: Content) -> None:
    """Write one file of *count* MiB."""
    fd = os.open(f"{directory}/file", _NEW)
    for _ in range(count):
        os.write(fd, content(MIB))
    os.close(fd)


def _write_in_random_order(directory: str, count: int, *, content: Content) -> None:
    """Write one file of *count* MiB in pieces of 4 KiB, the first anywhere."""
    data = content(count * MIB)
    offsets = list(range(0, len(data), PIECE))
    random.Random(1).shuffle(offsets)
    fd = os.open(f"{directory}/file", _NEW)
    for offset in offsets:
        os.pwrite(fd, data[offset : offset + PIECE], offset)
    os.close(fd)


def _write_small_files(directory: str, count: int) -> None:
    """Write *count* files of 1 to 4 KiB."""
    material.write_small_files(directory, count)


def _append(directory: str, count: int) -> None:
    """Append *count* lines of 1 KiB to a log, closing it after each."""
    line = b"x" * 1015 + b"%08x\n"
    for number in range(count):
        fd = os.open(f"{directory}/log", _APPEND)
        os.write(fd, line % number)
        os.close(fd)


_CASES = (
    _Case("1 GiB in sequence, noise", partial(_write_sequentially, content=os.urandom), 1024),
    _Case("1 GiB in sequence, text", partial(_write_sequentially, content=material.new_text), 1024),
    _Case("10,000 files of 1-4 KiB", _write_small_files, 10_000),
    _Case("64 MiB by 4 KiB in random order, noise", partial(_write_in_random_order, content=os.urandom), 64),
    _Case("64 MiB by 4 KiB in random order, text", partial(_write_in_random_order, content=material.new_text), 64),
    _Case("1,000 appends of 1 KiB, closed after each", _append, 1_000, _APPEND_FACTOR),
    _Case("4,000 appends of 1 KiB, closed after each", _append, 4_000, _APPEND_FACTOR),
)


def measure_amplification(scratch: Scratch, divisor: int, progress: Progress) -> list[Written]:
    """Let one mount do all cases, the work of each divided by *divisor*."""
    store = create_store(scratch)
    with mounted_store(store, scratch.new()) as filesystem:
        assert filesystem.pid is not None
        results = []
        for case in _CASES:
            progress(case.name)
            results.append(_measure(case, filesystem, filesystem.pid, store, case.count // divisor))
        return results


def _measure(case: _Case, filesystem: Filesystem, pid: int, store: str, count: int) -> Written:
    directory = filesystem.new_directory()
    before = _disk(filesystem, pid, store)
    case.write(directory, count)
    after = _disk(filesystem, pid, store)
    sizes = [os.stat(entry).st_size for entry in os.scandir(directory)]
    allowed = case.factor * sum(sizes) + _PER_FILE_BYTES * len(sizes)
    return Written(case.name, sum(sizes), after[0] - before[0], after[1] - before[1], allowed)


def _disk(filesystem: Filesystem, pid: int, store: str) -> tuple[int, int]:
    """Return what the process has written and what the store occupies, once all is on the disk."""
    filesystem.settle()
    caches.wait_until_quiet([pid])
    filesystem.settle()
    return processes.written_bytes(pid), _occupied_bytes(store)


def _occupied_bytes(store: str) -> int:
    """Return what ``du -s`` says; a store has no hard links."""
    total = 0
    for directory, _, names in os.walk(store):
        for path in (directory, *(os.path.join(directory, name) for name in names)):
            status = os.lstat(path)
            total += status.st_blocks * 512 if not stat.S_ISLNK(status.st_mode) else 0
    return total
