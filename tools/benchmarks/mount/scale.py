"""``--scale``: many files in one directory, the mount's memory, many open files, and what it does when idle."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.measure import Bar, Progress, Result, at_most, time_call
from benchmarks.mount import caches, processes
from benchmarks.mount.filesystems import Filesystem, create_store, mounted_store
from benchmarks.mount.work import MIB
from benchmarks.scratch import Scratch

_END_COUNT = 5_000  # the first and the last so many files are compared
_RATE_BAR = Bar(">= 80%", 0.8, at_least=True)
_KNOWN_BAR = at_most(400, "400 MiB")
_READING_BAR = at_most(64, "64 MiB")
_OPEN_COUNT = 1_000
_OPEN_BAR = Bar(f">= {_OPEN_COUNT:,}", _OPEN_COUNT, of_ratio=False, at_least=True)
_IDLE_SECONDS = 5.0
_IDLE_BAR = at_most(0, "0 ms")

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def measure_scale(scratch: Scratch, count: int, size_mib: int, progress: Progress) -> list[Result]:
    """Return a result for each thing that must hold however large it gets.

    Args:
        count: Files in one directory.
        size_mib: Of the large file.
    """
    store, point = create_store(scratch), scratch.new()
    results: list[Result] = []
    with mounted_store(store, point) as filesystem:
        directory = filesystem.new_directory()
        progress(f"making {count:,} files")
        results += _making(directory, count)
        results.append(_peak(filesystem, f"memory, having made {count:,} files"))
    with mounted_store(store, point) as filesystem:
        progress(f"looking at {count:,} files")
        subprocess.run(["ls", "-l", directory], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        results.append(_peak(filesystem, f"memory, mounted again, after ls -l of {count:,} files"))
        progress(f"idle for {_IDLE_SECONDS:g} s")
        results.append(_idle(filesystem))
        progress(f"opening {_OPEN_COUNT:,} files")
        results += _opening(filesystem)
        progress(f"writing and reading {size_mib:,} MiB")
        results += _large(filesystem, size_mib)
        results += [Result("the mount's log", None, None, "", note=line) for line in filesystem.complaints()]
    return results


def _making(directory: str, count: int) -> Iterator[Result]:
    """Create *count* small files; yield the rate at the end beside that at the beginning."""
    ends = min(_END_COUNT, count // 2)
    names = [f"{directory}/{number:06}" for number in range(count)]

    def make(some: list[str]) -> None:
        for name in some:
            fd = os.open(name, _NEW)
            os.write(fd, name.encode())
            os.close(fd)

    first_ns = time_call(lambda: make(names[:ends]))
    middle_ns = time_call(lambda: make(names[ends:-ends]))
    last_ns = time_call(lambda: make(names[-ends:]))
    last, first = (ends * 1e9 / ns for ns in (last_ns, first_ns))
    yield Result(f"files made per second, last {ends:,} / first {ends:,}", last, first, "1/s", _RATE_BAR)
    yield Result(f"time to make {count:,} files", (first_ns + middle_ns + last_ns) / 1e9, None, "s")


def _peak(filesystem: Filesystem, name: str) -> Result:
    return Result(name, processes.memory(_pid(filesystem)).peak_bytes / MIB, None, "MiB", _KNOWN_BAR)


def _idle(filesystem: Filesystem) -> Result:
    filesystem.settle()
    caches.wait_until_quiet([_pid(filesystem)])
    before_ns = processes.cpu_ns(_pid(filesystem))
    time.sleep(_IDLE_SECONDS)
    ms = (processes.cpu_ns(_pid(filesystem)) - before_ns) / 1e6
    return Result(f"CPU time of an idle mount in {_IDLE_SECONDS:g} s", ms, None, "ms", _IDLE_BAR)


def _opening(filesystem: Filesystem) -> Iterator[Result]:
    """Hold many files open, having written to each."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    directory = filesystem.new_directory()
    before = processes.memory(_pid(filesystem)).now_bytes
    opened, note = 0, None
    with ExitStack() as stack:
        try:
            for number in range(_OPEN_COUNT):
                fd = os.open(f"{directory}/{number}", _NEW)
                stack.callback(os.close, fd)
                os.write(fd, b"%d" % number)
                opened += 1
        except OSError as failure:
            note = f"after {opened:,} files: {failure}"
        descriptors = processes.descriptors(_pid(filesystem))
        added = processes.memory(_pid(filesystem)).now_bytes - before
    yield Result("files written to and held open at once", opened, None, "files", _OPEN_BAR, note)
    yield Result("descriptors of the mount meanwhile", descriptors, None, "")
    yield Result("memory added by them", added / MIB, None, "MiB")


def _large(filesystem: Filesystem, size_mib: int) -> Iterator[Result]:
    """Store a file that is mostly a hole, and read all of it."""
    pid = _pid(filesystem)
    path = f"{filesystem.new_directory()}/large"
    with _Peak(pid) as storing:
        fd = os.open(path, _NEW)
        os.truncate(fd, size_mib * MIB)
        for part in range(4):
            os.pwrite(fd, os.urandom(MIB), part * size_mib * MIB // 4)
        os.close(fd)
    filesystem.settle()
    if caches.can_drop():
        caches.drop()
    caches.wait_until_quiet([pid])
    with _Peak(pid) as reading:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        buffer = bytearray(MIB)
        while os.readv(fd, [buffer]):
            pass
        os.close(fd)
    yield Result(f"memory added by storing {size_mib:,} MiB", storing.added_bytes / MIB, None, "MiB")
    yield Result(f"memory added by reading {size_mib:,} MiB", reading.added_bytes / MIB, None, "MiB", _READING_BAR)


class _Peak:
    """How far a process's memory rises meanwhile."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.added_bytes = 0

    def __enter__(self) -> _Peak:
        processes.reset_peak(self._pid)
        self._before = processes.memory(self._pid).now_bytes
        return self

    def __exit__(self, *raised: object) -> None:
        self.added_bytes = processes.memory(self._pid).peak_bytes - self._before


def _pid(filesystem: Filesystem) -> int:
    assert filesystem.pid is not None
    return filesystem.pid
