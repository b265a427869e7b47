"""Block devices of the tests' own: images, loop devices, mounts. Needs root."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_LOOP_CONTROL = "/dev/loop-control"
_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_AUTOCLEAR = 4  # the device is free again when nobody has it open or mounted

# struct loop_config: fd, block size, loop_info64 with its flags at byte 52, 8 reserved words
_LOOP_CONFIG = struct.Struct("<II52xI176x64x")

_MS_NOSUID, _MS_NODEV, _MS_NOATIME = 2, 4, 1 << 10
_MNT_DETACH = 2
_BUSY_SECONDS = 10.0

_libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """Something that these tests need is missing here; the message says what."""


class Filesystem(NamedTuple):
    """A kind of filesystem, and how to make the smallest image of it that behaves as on a large disk."""

    name: str
    size_bytes: int
    make: tuple[str, ...]


FILESYSTEMS = {
    filesystem.name: filesystem
    for filesystem in (
        Filesystem("ext4", 48 << 20, ("mkfs.ext4", "-q", "-F", "-J", "size=4")),
        Filesystem("xfs", 320 << 20, ("mkfs.xfs", "-q", "-f")),
        Filesystem("btrfs", 128 << 20, ("mkfs.btrfs", "-q", "-f")),
    )
}


def missing_for(filesystem: Filesystem) -> str | None:
    """Say what is missing here for images of *filesystem*; None when nothing is."""
    if os.geteuid() != 0:
        return "only root can mount images"
    if not os.path.exists(_LOOP_CONTROL):
        return f"there is no {_LOOP_CONTROL}"
    if shutil.which(filesystem.make[0]) is None:
        return f"there is no {filesystem.make[0]}"
    known = Path("/proc/filesystems").read_text().split()
    if filesystem.name not in known:
        return f"this kernel has no {filesystem.name}"
    return None


def make_image(filesystem: Filesystem, path: Path) -> None:
    """Make an empty image at *path*, with holes where nothing is."""
    with path.open("wb") as file:
        file.truncate(filesystem.size_bytes)
    run(*filesystem.make, str(path))
    run("fallocate", "--dig-holes", str(path))


def copy_image(source: Path, target: Path) -> None:
    """Copy an image, with its holes."""
    with source.open("rb") as reading, target.open("wb") as writing:
        size = os.fstat(reading.fileno()).st_size
        writing.truncate(size)
        end = 0
        while True:
            try:
                start = os.lseek(reading.fileno(), end, os.SEEK_DATA)
            except OSError as failure:
                if failure.errno != errno.ENXIO:
                    raise
                return
            end = os.lseek(reading.fileno(), start, os.SEEK_HOLE)
            os.lseek(writing.fileno(), start, os.SEEK_SET)
            while start < end:
                start += os.sendfile(writing.fileno(), reading.fileno(), start, end - start)


def run(*command: str) -> None:
    """Run a program; Unavailable with its words when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{command[0]} ends with {done.returncode}: {done.stdout}{done.stderr}".strip())


@contextlib.contextmanager
def mounted(filesystem: Filesystem, image: Path, point: Path) -> Iterator[None]:
    """Mount *image*, or a file that behaves as one, on *point*; unmount it at the end.

    Raises:
        Unavailable: It cannot be mounted, or not be unmounted.
    """
    fd = _attach(image)
    try:
        device = os.readlink(f"/proc/self/fd/{fd}")
        _mount(device, str(point), filesystem.name)
    finally:
        os.close(fd)
    try:
        yield
    finally:
        unmount(point)


def _attach(image: Path) -> int:
    """Return a descriptor of a loop device that shows *image*."""
    backing = os.open(image, os.O_RDWR | os.O_CLOEXEC)
    control = os.open(_LOOP_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        while True:
            number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
            fd = os.open(f"/dev/loop{number}", os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(fd, _LOOP_CONFIGURE, _LOOP_CONFIG.pack(backing, 0, _AUTOCLEAR))
                return fd
            except OSError as failure:
                os.close(fd)
                if failure.errno != errno.EBUSY:  # somebody else has just taken it
                    raise
    finally:
        os.close(control)
        os.close(backing)


def _mount(device: str, point: str, type: str) -> None:
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOATIME
    if _libc.mount(device.encode(), point.encode(), type.encode(), flags, None) != 0:
        raise Unavailable(f"{device} with {type} cannot be mounted on {point}: {os.strerror(ctypes.get_errno())}")


def unmount(point: Path) -> None:
    """Unmount *point*, waiting a little for those who still have something open there."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while _libc.umount2(str(point).encode(), 0) != 0:
        number = ctypes.get_errno()
        if number == errno.EINVAL:
            return  # nothing is mounted there
        if number != errno.EBUSY or time.monotonic() > deadline:
            _libc.umount2(str(point).encode(), _MNT_DETACH)
            raise Unavailable(f"{point} cannot be unmounted: {os.strerror(number)}")
        time.sleep(0.01)


@contextlib.contextmanager
def scratch(parent: str | None = None) -> Iterator[Path]:
    """Give a directory below *parent*, or in memory, if there is enough: what is synced there costs nothing."""
    if parent is None and os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 2 << 30:
        parent = "/dev/shm"
    directory = Path(tempfile.mkdtemp(prefix="sessionfs-faults-", dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
