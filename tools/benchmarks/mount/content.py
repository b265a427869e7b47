"""Rows on bytes: reading, writing, mmap, fsync.

Each function prepares in the current directory and returns what is timed; its docstring says what that is. Opening and
closing belong to it: that is when a filesystem keeps or drops pages, and when it stores.
"""

from __future__ import annotations

import mmap
import os
import random
from contextlib import closing

from benchmarks import material
from benchmarks.mount.work import MIB, PIECE, SMALL_BYTES, Run, Work, write_file

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
_LINE = b"x" * 199 + b"\n"


# Small files


def create_and_write(work: Work, *, size: int) -> Run:
    """Create files of *size* bytes, half of them text and half noise."""
    files = [(name, material.new_content(size)) for name in work.names()]

    def run() -> None:
        for name, content in files:
            fd = os.open(name, _NEW)
            os.write(fd, content)
            os.close(fd)

    return run


def overwrite(work: Work) -> Run:
    """Open each existing file, write its 1 KiB anew in place, close."""
    names = work.new_files()
    contents = [material.new_content(SMALL_BYTES) for _ in names]

    def run() -> None:
        for name, content in zip(names, contents, strict=True):
            fd = os.open(name, os.O_WRONLY | os.O_CLOEXEC)
            os.write(fd, content)
            os.close(fd)

    return run


def read_small(work: Work) -> Run:
    """Open, read and close files of the shared 2,000."""
    names = work.enter_files()

    def run() -> None:
        for name in names:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            os.read(fd, PIECE)
            os.close(fd)

    return run


def truncate(work: Work) -> Run:
    """Cut files of 1 KiB in half."""
    names = work.new_files()

    def run() -> None:
        for name in names:
            os.truncate(name, SMALL_BYTES // 2)

    return run


# Appending


def append_held_open(work: Work) -> Run:
    """Append lines of 200 bytes to a file that stays open."""
    write_file("log", b"")
    count = work.count

    def run() -> None:
        fd = os.open("log", _APPEND)
        for _ in range(count):
            os.write(fd, _LINE)
        os.close(fd)

    return run


def append_and_close(work: Work) -> Run:
    """Append lines of 200 bytes, opening and closing the file for each."""
    write_file("log", b"")
    count = work.count

    def run() -> None:
        for _ in range(count):
            fd = os.open("log", _APPEND)
            os.write(fd, _LINE)
            os.close(fd)

    return run


def write_and_sync(work: Work) -> Run:
    """Append a line to a file that stays open and sync it."""
    fd = os.open("log", _NEW)
    work.at_end.callback(os.close, fd)
    count = work.count

    def run() -> None:
        for _ in range(count):
            os.write(fd, _LINE)
            os.fsync(fd)

    return run


# Large files


def read_large(work: Work, *, piece: int = MIB) -> Run:
    """Read a file of so many MiB from its beginning to its end."""
    name = work.enter_large_file(work.count)
    buffer = bytearray(piece)

    def run() -> None:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        while os.readv(fd, [buffer]):
            pass
        os.close(fd)

    return run


def read_randomly(work: Work, *, size_mib: int) -> Run:
    """Read 4 KiB at random places of a file of *size_mib*."""
    offsets = _random_offsets(size_mib, work.count)
    name = work.enter_large_file(size_mib)

    def run() -> None:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        for offset in offsets:
            os.pread(fd, PIECE, offset)
        os.close(fd)

    return run


def write_large(work: Work, *, piece: int = MIB) -> Run:
    """Write a new file of so many MiB of noise, in pieces."""
    noise = memoryview(work.noise(work.count * MIB))
    pieces = [noise[start : start + piece] for start in range(0, len(noise), piece)]

    def run() -> None:
        fd = os.open("large", _NEW)
        for data in pieces:
            os.write(fd, data)
        os.close(fd)

    return run


def write_randomly(work: Work, *, size_mib: int) -> Run:
    """Write 4 KiB at random places of an existing file of *size_mib*."""
    write_file("noise", work.noise(size_mib * MIB))
    writes = [(os.urandom(PIECE), offset) for offset in _random_offsets(size_mib, work.count)]

    def run() -> None:
        fd = os.open("noise", os.O_WRONLY | os.O_CLOEXEC)
        for data, offset in writes:
            os.pwrite(fd, data, offset)
        os.close(fd)

    return run


# mmap


def read_mapped(work: Work) -> Run:
    """Map a file of so many MiB and touch each page."""
    name = work.enter_large_file(work.count)

    def run() -> None:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        with closing(mmap.mmap(fd, 0, access=mmap.ACCESS_READ)) as pages:
            len(pages[::PIECE])
        os.close(fd)

    return run


def write_mapped(work: Work) -> Run:
    """Map an existing file of so many MiB, fill each page anew, unmap and close."""
    noise = work.noise(work.count * MIB)
    write_file("noise", noise[::-1])

    def run() -> None:
        fd = os.open("noise", os.O_RDWR | os.O_CLOEXEC)
        with closing(mmap.mmap(fd, 0)) as pages:
            pages[:] = noise
        os.close(fd)

    return run


def _random_offsets(size_mib: int, count: int) -> list[int]:
    choose = random.Random(1)
    return [choose.randrange(size_mib * MIB // PIECE) * PIECE for _ in range(count)]
