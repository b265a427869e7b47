"""A file that remembers every write and every flush, in their order: what a block device is put on.

A FUSE filesystem with one file, which a loop device shows as a disk. Whoever uses the disk says in between what has
been acknowledged to it. So it is known what had reached the disk at each of these moments, and which writes the disk
might still have lost: those since the last flush.

The trace is a sequence of entries: kind(1) number(8) length(4) bytes(length), little-endian.

    WRITE  number: where in the file   FLUSH   MARK  number: which acknowledgement
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyfuse3
import trio

WRITE, FLUSH, MARK = range(3)
_ENTRY = struct.Struct("<BQI")
_DISK = 2  # its inode
_START_SECONDS = 10.0


class Entry(NamedTuple):
    """One thing that happened."""

    kind: int
    number: int
    data: bytes = b""


def read_trace(path: Path) -> list[Entry]:
    """Return all that a recorder has written."""
    content = path.read_bytes()
    entries, offset = [], 0
    while offset < len(content):
        kind, number, length = _ENTRY.unpack_from(content, offset)
        offset += _ENTRY.size
        entries.append(Entry(kind, number, content[offset : offset + length]))
        offset += length
    return entries


class Recorder:
    """A recording process, as those who use it see it."""

    def __init__(self, image: Path, directory: Path) -> None:
        """Serve the file *image*, which is written to, below *directory*."""
        self.trace = directory / "trace"
        self._point = directory / "recorder"
        self._point.mkdir()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._marks = ours
        with theirs:
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join([_TOOLS, *sys.path])}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "faults.recorder", str(image), str(self._point), str(self.trace),
                 str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=environment,
            )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not os.path.ismount(self._point):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the recorder does not start")
            time.sleep(0.005)

    @property
    def disk(self) -> Path:
        """The file that records."""
        return self._point / "disk"

    def mark(self, number: int) -> None:
        """Note that *number* is acknowledged; returns when it stands in the trace."""
        self._marks.send(struct.pack("<Q", number))
        self._marks.recv(1)

    def stop(self) -> list[Entry]:
        """End the process and return what it recorded."""
        self._marks.close()
        subprocess.run(["umount", "-l", str(self._point)], capture_output=True, check=False)
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(_START_SECONDS)
        return read_trace(self.trace)


_TOOLS = str(Path(__file__).parents[1])


@contextlib.contextmanager
def recording(image: Path, directory: Path) -> Iterator[Recorder]:
    """Give a recorder that is ended whatever happens."""
    recorder = Recorder(image, directory)
    try:
        yield recorder
    finally:
        recorder.stop()


# The process itself


class _Disk(pyfuse3.Operations):  # type: ignore[misc]
    """One directory with one file."""

    enable_writeback_cache = False

    def __init__(self, fd: int, trace: Any) -> None:
        super().__init__()
        self._fd = fd
        self._trace = trace

    def note(self, kind: int, number: int = 0, data: bytes = b"") -> None:
        self._trace.write(_ENTRY.pack(kind, number, len(data)) + data)
        self._trace.flush()

    async def lookup(self, parent_inode: Any, name: bytes, ctx: Any = None) -> Any:
        if name != b"disk":
            raise pyfuse3.FUSEError(errno.ENOENT)
        return await self.getattr(_DISK)

    async def getattr(self, inode: Any, ctx: Any = None) -> Any:
        found = pyfuse3.EntryAttributes()
        found.st_ino = inode
        found.st_mode = (stat.S_IFREG | 0o600) if inode == _DISK else (stat.S_IFDIR | 0o700)
        found.st_size = os.fstat(self._fd).st_size if inode == _DISK else 0
        found.st_nlink = 1
        found.entry_timeout = found.attr_timeout = 3600
        return found

    async def open(self, inode: Any, flags: int, ctx: Any) -> Any:
        return pyfuse3.FileInfo(fh=_DISK, keep_cache=True)

    async def read(self, fh: int, off: int, size: int) -> bytes:
        return os.pread(self._fd, size, off)

    async def write(self, fh: int, off: int, buf: bytes) -> int:
        self.note(WRITE, off, bytes(buf))
        return os.pwrite(self._fd, buf, off)

    async def fsync(self, fh: int, datasync: bool) -> None:
        self.note(FLUSH)

    async def flush(self, fh: int) -> None:
        return None

    async def release(self, fh: int) -> None:
        return None


async def _take_marks(disk: _Disk, fd: int) -> None:
    marks = socket.socket(fileno=fd)
    while True:
        await trio.lowlevel.wait_readable(marks)
        message = marks.recv(8)
        if not message:
            return
        disk.note(MARK, struct.unpack("<Q", message)[0])
        marks.send(b"\0")


async def _serve(disk: _Disk, marks_fd: int) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_take_marks, disk, marks_fd)
        nursery.start_soon(pyfuse3.main)


def main(image: str, point: str, trace_path: str, marks_fd: str) -> None:
    """Serve until the filesystem is unmounted or SIGTERM comes."""
    with open(trace_path, "wb", buffering=0) as trace:
        disk = _Disk(os.open(image, os.O_RDWR), trace)
        pyfuse3.init(disk, point, {*pyfuse3.default_options, "fsname=sessionfs-recorder"})
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        trio.run(_serve, disk, int(marks_fd))


if __name__ == "__main__":
    main(*sys.argv[1:])
