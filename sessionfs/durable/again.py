"""Writing again what a failed sync may have lost.

After fsync has said EIO once, the kernel counts the pages as clean although they never reached the disk: the next fsync
says OK, and the data is gone (measured on ext4, xfs and btrfs; DESIGN section 6). So a sync that failed is never
simply tried again. What was written is still in the page cache; it is read from there and written once more.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from sessionfs.durable.disk import Disk

_PIECE_BYTES = 1 << 20


def write_log_again(disk: Disk, path: str) -> None:
    """Write the appended file at *path* again, in place and under its lock, and sync it."""
    fd = disk.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        disk.lock(fd, path)
        _copy(disk, fd, lambda data, offset: disk.pwrite(fd, data, offset))
        disk.fdatasync(fd)
    finally:
        disk.close(fd)


def write_pack_again(disk: Disk, path: str) -> None:
    """Write the pack at *path* again, in place, and sync it.

    Without its lock, which who adds to it has: what is there already never changes.
    """
    fd = disk.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        _copy(disk, fd, lambda data, offset: disk.pwrite(fd, data, offset))
        disk.fsync(fd)
    finally:
        disk.close(fd)


def write_file_again(disk: Disk, path: str) -> None:
    """Put a synced copy of the file at *path* in its place: it is never written to once it has its name."""
    fd = disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        temporary = disk.create_temporary(os.path.dirname(path), 0o444)
        try:
            _copy(disk, fd, lambda data, offset: disk.pwrite(temporary.fd, data, offset))
            beside = f"{path}.again"
            disk.name_temporary(temporary, beside, replace=True)
            disk.fsync(temporary.fd)  # now that it has a name: see publish.place
            disk.rename(beside, path)
        finally:
            disk.discard_temporary(temporary)
    finally:
        disk.close(fd)


def _copy(disk: Disk, fd: int, write: Callable[[bytes, int], int]) -> None:
    offset = 0
    while piece := disk.pread(fd, _PIECE_BYTES, offset):
        offset += write(piece, offset)
