"""Each operation, as one side does it. ``VERBS`` is the whole vocabulary: name to function.

A function takes the side's descriptors and the operation's arguments, and returns what can be compared: None, a number,
bytes, or lists of them. What fails raises OSError, and its errno is compared. Whatever could block is told not to.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable
from typing import Any

from blake3 import blake3

from torturing import calls, composite

_NOISE = random.Random(1).randbytes(1 << 20)
_SHOWN_BYTES = 64

_CLOSED = 1 << 20  # a descriptor that nobody has; Python refuses negative ones by itself
_ALWAYS = os.O_NONBLOCK | os.O_CLOEXEC


class Descriptors:
    """The open files and directories of one side, by slot."""

    def __init__(self) -> None:
        self.root = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._files: dict[int, int] = {}
        self._directories: dict[int, int] = {}

    def file(self, slot: int) -> int:
        """Return the descriptor in *slot*; an empty slot is a closed descriptor (EBADF)."""
        return self._files.get(slot, _CLOSED)

    def directory(self, slot: int) -> int:
        """Return the directory in *slot*; slot 0 is the root."""
        return self._directories.get(slot, _CLOSED) if slot else self.root

    def put_file(self, slot: int, fd: int) -> None:
        self.close_file(slot)
        self._files[slot] = fd

    def put_directory(self, slot: int, fd: int) -> None:
        self.close_directory(slot)
        self._directories[slot] = fd

    def close_file(self, slot: int) -> None:
        if slot in self._files:
            os.close(self._files.pop(slot))

    def close_directory(self, slot: int) -> None:
        if slot in self._directories:
            os.close(self._directories.pop(slot))

    def close_all(self) -> None:
        for slot in list(self._files):
            self.close_file(slot)
        for slot in list(self._directories):
            self.close_directory(slot)


def content(seed: int, size: int) -> bytes:
    """Return *size* bytes that say where they come from; one in eight contents cannot be compressed."""
    if seed % 8 == 0:
        start = (seed * 7919) % (1 << 16)
        return (_NOISE[start:] * (size // (len(_NOISE) - start) + 1))[:size]
    unit = b"%d;" % seed
    return (unit * (size // len(unit) + 1))[:size]


def digest(data: bytes) -> bytes:
    """Return what is short, or its length and a hash."""
    return data if len(data) <= _SHOWN_BYTES else b"%d:%s" % (len(data), blake3(data).hexdigest(8).encode())


# Opening and closing


def _open(at: Descriptors, slot: int, directory: int, path: bytes, flags: int, mode: int) -> None:
    at.put_file(slot, os.open(path, flags | _ALWAYS, mode, dir_fd=at.directory(directory)))


def _close(at: Descriptors, slot: int) -> None:
    at.close_file(slot)


def _dup(at: Descriptors, slot: int, new_slot: int) -> None:
    at.put_file(new_slot, os.dup(at.file(slot)))


def _open_directory(at: Descriptors, slot: int, directory: int, path: bytes, flags: int) -> None:
    at.put_directory(slot, os.open(path, os.O_DIRECTORY | flags | _ALWAYS, dir_fd=at.directory(directory)))


def _close_directory(at: Descriptors, slot: int) -> None:
    at.close_directory(slot)


# Content


def _read(at: Descriptors, slot: int, size: int) -> bytes:
    return digest(os.read(at.file(slot), size))


def _pread(at: Descriptors, slot: int, size: int, offset: int) -> bytes:
    return digest(os.pread(at.file(slot), size, offset))


def _write(at: Descriptors, slot: int, seed: int, size: int) -> int:
    return os.write(at.file(slot), content(seed, size))


def _pwrite(at: Descriptors, slot: int, seed: int, size: int, offset: int) -> int:
    return os.pwrite(at.file(slot), content(seed, size), offset)


def _writev(at: Descriptors, slot: int, seed: int, sizes: tuple[int, ...]) -> int:
    return os.writev(at.file(slot), [content(seed + index, size) for index, size in enumerate(sizes)])


def _seek(at: Descriptors, slot: int, offset: int, whence: int) -> int:
    fd = at.file(slot)
    composite.check_regular(fd)
    return os.lseek(fd, offset, whence)


def _ftruncate(at: Descriptors, slot: int, size: int) -> None:
    os.ftruncate(at.file(slot), size)


def _truncate(at: Descriptors, path: bytes, size: int) -> None:
    os.truncate(path, size)


def _fsync(at: Descriptors, slot: int) -> None:
    os.fsync(at.file(slot))


def _fdatasync(at: Descriptors, slot: int) -> None:
    os.fdatasync(at.file(slot))


def _fallocate(at: Descriptors, slot: int, mode: int, offset: int, size: int) -> None:
    calls.fallocate(at.file(slot), mode, offset, size)


def _copy_range(at: Descriptors, source: int, offset: int, target: int, target_offset: int, size: int) -> int:
    return os.copy_file_range(at.file(source), at.file(target), size, offset, target_offset)


def _holes(at: Descriptors, slot: int) -> str:
    return composite.check_holes(at.file(slot))


def _mmap_write(at: Descriptors, slot: int, seed: int, size: int, offset: int) -> int:
    return composite.write_mapped(at.file(slot), offset, content(seed, size))


def _mmap_read(at: Descriptors, slot: int, size: int, offset: int) -> bytes:
    return digest(composite.read_mapped(at.file(slot), offset, size))


# Names


def _mkdir(at: Descriptors, directory: int, path: bytes, mode: int) -> None:
    os.mkdir(path, mode, dir_fd=at.directory(directory))


def _rmdir(at: Descriptors, directory: int, path: bytes) -> None:
    os.rmdir(path, dir_fd=at.directory(directory))


def _unlink(at: Descriptors, directory: int, path: bytes) -> None:
    os.unlink(path, dir_fd=at.directory(directory))


def _link(at: Descriptors, directory: int, path: bytes, to_directory: int, to: bytes, follow: bool) -> None:
    flags = calls.AT_SYMLINK_FOLLOW if follow else 0
    calls.link(at.directory(directory), path, at.directory(to_directory), to, flags)


def _symlink(at: Descriptors, target: bytes, directory: int, path: bytes) -> None:
    os.symlink(target, path, dir_fd=at.directory(directory))


def _readlink(at: Descriptors, directory: int, path: bytes) -> bytes:
    return os.readlink(path, dir_fd=at.directory(directory))


def _mknod(at: Descriptors, directory: int, path: bytes, mode: int, device: tuple[int, int]) -> None:
    os.mknod(path, mode, os.makedev(*device), dir_fd=at.directory(directory))


def _rename(at: Descriptors, directory: int, path: bytes, to_directory: int, to: bytes, flags: int) -> None:
    calls.rename(at.directory(directory), path, at.directory(to_directory), to, flags)


def _list(at: Descriptors, directory: int, path: bytes) -> list[tuple[bytes, int]]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _ALWAYS, dir_fd=at.directory(directory))
    try:
        return sorted((entry.name, entry.kind) for entry in calls.all_entries(fd))
    finally:
        os.close(fd)


def _scan(at: Descriptors, directory: int, path: bytes, seed: int, count: int) -> str:
    return composite.scan_while_changing(at.directory(directory), path, random.Random(seed), count)


# Attributes


def _stat(at: Descriptors, directory: int, path: bytes, follow: bool) -> int:
    return stat.S_IFMT(os.stat(path, dir_fd=at.directory(directory), follow_symlinks=follow).st_mode)


def _access(at: Descriptors, directory: int, path: bytes, mode: int, effective: bool) -> bool:
    return os.access(path, mode, dir_fd=at.directory(directory), effective_ids=effective)


def _chmod(at: Descriptors, directory: int, path: bytes, mode: int) -> None:
    os.chmod(path, mode, dir_fd=at.directory(directory))


def _fchmod(at: Descriptors, slot: int, mode: int) -> None:
    os.fchmod(at.file(slot), mode)


def _chown(at: Descriptors, directory: int, path: bytes, uid: int, gid: int, follow: bool) -> None:
    os.chown(path, uid, gid, dir_fd=at.directory(directory), follow_symlinks=follow)


def _fchown(at: Descriptors, slot: int, uid: int, gid: int) -> None:
    os.fchown(at.file(slot), uid, gid)


def _utimens(at: Descriptors, directory: int, path: bytes, atime: calls.Time, mtime: calls.Time, follow: bool) -> None:
    calls.set_times(at.directory(directory), path, atime, mtime, follow=follow)


def _futimens(at: Descriptors, slot: int, atime: calls.Time, mtime: calls.Time) -> None:
    calls.set_times(at.file(slot), None, atime, mtime)


def _setxattr(at: Descriptors, path: bytes, name: bytes, seed: int, size: int, flags: int) -> None:
    os.setxattr(path, name, content(seed, size), flags, follow_symlinks=False)


def _fsetxattr(at: Descriptors, slot: int, name: bytes, seed: int, size: int, flags: int) -> None:
    os.setxattr(at.file(slot), name, content(seed, size), flags)


def _getxattr(at: Descriptors, path: bytes, name: bytes) -> bytes:
    return digest(os.getxattr(path, name, follow_symlinks=False))


def _listxattr(at: Descriptors, path: bytes) -> list[bytes]:
    return custom_xattrs(path)


def _removexattr(at: Descriptors, path: bytes, name: bytes) -> None:
    os.removexattr(path, name, follow_symlinks=False)


def custom_xattrs(path: bytes | int) -> list[bytes]:
    """Return the attributes in ``user.``, without sessionfs's own."""
    names = os.listxattr(path, follow_symlinks=isinstance(path, int))
    raw = sorted(os.fsencode(name) for name in names)
    return [name for name in raw if name.startswith(b"user.") and not name.startswith(b"user.sessionfs.")]


# The whole


def _statfs(at: Descriptors) -> list[bool]:
    shown = os.statvfs("/")
    return [
        shown.f_namemax == 255,
        0 < shown.f_bavail <= shown.f_bfree <= shown.f_blocks,
        0 < shown.f_favail <= shown.f_ffree <= shown.f_files,
        shown.f_bsize >= 512 and shown.f_frsize >= 512,
    ]


def _umask(at: Descriptors, mask: int) -> None:
    os.umask(mask)


def _nothing(at: Descriptors) -> None:
    """What ext4 does while the mount is asked for something that it is known to refuse."""


VERBS: dict[str, Callable[..., Any]] = {
    "open": _open,
    "close": _close,
    "dup": _dup,
    "opendir": _open_directory,
    "closedir": _close_directory,
    "read": _read,
    "pread": _pread,
    "write": _write,
    "pwrite": _pwrite,
    "writev": _writev,
    "lseek": _seek,
    "ftruncate": _ftruncate,
    "truncate": _truncate,
    "fsync": _fsync,
    "fdatasync": _fdatasync,
    "fallocate": _fallocate,
    "copy_file_range": _copy_range,
    "holes": _holes,
    "mmap_write": _mmap_write,
    "mmap_read": _mmap_read,
    "mkdir": _mkdir,
    "rmdir": _rmdir,
    "unlink": _unlink,
    "link": _link,
    "symlink": _symlink,
    "readlink": _readlink,
    "mknod": _mknod,
    "rename": _rename,
    "list": _list,
    "scan": _scan,
    "stat": _stat,
    "access": _access,
    "chmod": _chmod,
    "fchmod": _fchmod,
    "chown": _chown,
    "fchown": _fchown,
    "utimens": _utimens,
    "futimens": _futimens,
    "setxattr": _setxattr,
    "fsetxattr": _fsetxattr,
    "getxattr": _getxattr,
    "listxattr": _listxattr,
    "removexattr": _removexattr,
    "statfs": _statfs,
    "umask": _umask,
    "nothing": _nothing,
}
