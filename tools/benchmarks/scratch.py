"""Where everything is written while it is measured."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from time import perf_counter_ns

from benchmarks.interrupts import uninterrupted

_GET_FLAGS = 0x8008_6601  # FS_IOC_GETFLAGS and FS_IOC_SETFLAGS of linux/fs.h
_SET_FLAGS = 0x4008_6602
_TOP_DIRECTORY = 0x0002_0000  # FS_TOPDIR_FL: `chattr +T`

_TRIES = 10


class Scratch:
    """Hands out empty directories that have nothing to do with each other on the disk.

    ext4 passes over inodes that were deleted in the last one to five minutes, one by one (recently_deleted() in its
    ialloc.c): after 10,000 files had been deleted, creating one beside them cost 300 to 780 us instead of 23. So
    nothing is removed before the end, and each directory is put where creating a file is quick, away from what an
    earlier run has left.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        with contextlib.suppress(OSError):  # other filesystems have no such flag, nor the trouble
            scatter(directory)
        self._quickest_ns = min(_creation_ns(tempfile.mkdtemp(dir=directory)) for _ in range(_TRIES))

    def new(self) -> str:
        """Make a directory where files are made quickly; its name is random because ext4 chooses its group by it."""
        for _ in range(_TRIES):
            directory = tempfile.mkdtemp(dir=self.directory)
            ns = _creation_ns(directory)
            self._quickest_ns = min(self._quickest_ns, ns)
            if ns <= 2 * self._quickest_ns:
                break
        return directory


def _creation_ns(directory: str) -> float:
    """Return what creating a file in *directory* takes; it is removed again."""
    path = os.path.join(directory, "probe")
    all_ns = []
    for _ in range(5):
        start = perf_counter_ns()
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
        all_ns.append(perf_counter_ns() - start)
        os.unlink(path)
    return min(all_ns)


@contextlib.contextmanager
def scratch_in(parent: str) -> Iterator[Scratch]:
    """Return a scratch directory in *parent*, removed at the end."""
    directory = tempfile.mkdtemp(prefix="sessionfs-bench-", dir=parent)
    try:
        yield Scratch(directory)
    finally:
        with uninterrupted():
            shutil.rmtree(directory)


def scatter(directory: str) -> None:
    """Let ext4 put each directory made in *directory* somewhere else on the disk.

    Raises:
        OSError: This filesystem has no such flag.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flags = array.array("l", [0])
        fcntl.ioctl(fd, _GET_FLAGS, flags)
        flags[0] |= _TOP_DIRECTORY
        fcntl.ioctl(fd, _SET_FLAGS, flags)
    finally:
        os.close(fd)
