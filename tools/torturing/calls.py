"""System calls that Python has no function for, or hides a part of. Paths are bytes; failures are OSError."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

_libc = ctypes.CDLL(None, use_errno=True)

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_SYMLINK_FOLLOW = 0x400

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
RENAME_WHITEOUT = 4

UTIME_NOW = (1 << 30) - 1
UTIME_OMIT = (1 << 30) - 2
_NS = 10**9

FALLOC_KEEP_SIZE = 0x01
FALLOC_PUNCH_HOLE = 0x02
FALLOC_COLLAPSE_RANGE = 0x08
FALLOC_ZERO_RANGE = 0x10
FALLOC_INSERT_RANGE = 0x20

_SYS_GETDENTS64 = 217 if os.uname().machine == "x86_64" else 61
_ENTRY = struct.Struct("=QqHB")  # linux_dirent64: d_ino, d_off, d_reclen, d_type; then the name
_DIRENTS_BYTES = 32 << 10


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_int64), ("tv_nsec", ctypes.c_int64))


_TwoTimes = _Timespec * 2
_FALLOCATE_ARGUMENTS = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_libc.fallocate.argtypes = _FALLOCATE_ARGUMENTS
_libc.syscall.restype = ctypes.c_long

Time = int | str | None
"""Nanoseconds since 1970, "now", or None to leave it (UTIME_OMIT)."""


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def rename(source_dir: int, source: bytes, target_dir: int, target: bytes, flags: int) -> None:
    """renameat2(2)."""
    _check(_libc.renameat2(source_dir, source, target_dir, target, flags))


def link(source_dir: int, source: bytes, target_dir: int, target: bytes, flags: int) -> None:
    """linkat(2); Python's own follows symbolic links unless told otherwise, in some versions."""
    _check(_libc.linkat(source_dir, source, target_dir, target, flags))


def set_times(directory: int, path: bytes | None, atime: Time, mtime: Time, *, follow: bool = True) -> None:
    """utimensat(2); *path* None is futimens(3) of the descriptor *directory*."""
    times = _TwoTimes(_timespec(atime), _timespec(mtime))
    if path is None:
        _check(_libc.futimens(directory, ctypes.byref(times)))
        return
    _check(_libc.utimensat(directory, path, ctypes.byref(times), 0 if follow else AT_SYMLINK_NOFOLLOW))


def _timespec(time: Time) -> _Timespec:
    if time is None:
        return _Timespec(0, UTIME_OMIT)
    if isinstance(time, str):
        return _Timespec(0, UTIME_NOW)
    seconds, nanoseconds = divmod(time, _NS)
    return _Timespec(seconds, nanoseconds)


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    """fallocate(2)."""
    _check(_libc.fallocate(fd, mode, offset, length))


class Entry(NamedTuple):
    """One name in a directory, and the position after it."""

    name: bytes
    kind: int  # DT_*
    ino: int
    next: int


def read_entries(fd: int, buffer_bytes: int = _DIRENTS_BYTES) -> list[Entry]:
    """getdents64(2), once: the next entries, none at the end."""
    buffer = ctypes.create_string_buffer(buffer_bytes)
    length = _check(_libc.syscall(_SYS_GETDENTS64, ctypes.c_int(fd), buffer, ctypes.c_uint(buffer_bytes)))
    raw, at, entries = buffer.raw, 0, []
    while at < length:
        ino, following, record_bytes, kind = _ENTRY.unpack_from(raw, at)
        start = at + _ENTRY.size
        entries.append(Entry(raw[start : raw.index(b"\0", start)], kind, ino, following))
        at += record_bytes
    return entries


def all_entries(fd: int) -> Iterator[Entry]:
    """The entries from the descriptor's position to the end."""
    while entries := read_entries(fd):
        yield from entries
