"""The calls, as the process of one user does them. ``VERBS`` is the whole vocabulary: name to function.

Paths are relative to the scene of the row. What was opened is named by a slot; wherever something is looked at or
changed by path, ``@slot`` is the open file. What fails raises OSError, whose errno is the answer.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import resource
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.read.restype = _libc.write.restype = _libc.readlink.restype = ctypes.c_ssize_t
for _name in ("fallocate", "posix_fallocate"):
    _call = getattr(_libc, _name)
    _call.argtypes = [*([ctypes.c_int] * (2 if _name == "fallocate" else 1)), ctypes.c_int64, ctypes.c_int64]

BAD = "a bad address"
_NOWHERE = ctypes.c_void_p(-4096)

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_REMOVEDIR = 0x200
AT_SYMLINK_FOLLOW = 0x400
AT_EMPTY_PATH = 0x1000
NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4
NOW, OMIT = (1 << 30) - 1, (1 << 30) - 2

_SYS_FCHMODAT2 = 452
_CLOCK_REALTIME_COARSE = 5
_TICK_SECONDS = 0.0005
_NONE = "none"

TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFIFO: "fifo",
    stat.S_IFBLK: "block",
    stat.S_IFCHR: "char",
    stat.S_IFSOCK: "socket",
    stat.S_IFLNK: "symlink",
}
_FORMATS = {kind: value for value, kind in TYPES.items()}
KINDS = tuple(_FORMATS)
DEVICE = os.makedev(1, 3)
CONTENT = b"0123456789"
FIRST = bytes(range(256))
_FILLED_AT_ONCE_BYTES, _MOST_FILLED_BYTES = 64 << 10, 128 << 20


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_int64), ("tv_nsec", ctypes.c_int64))


_slots: dict[str, int] = {}
_marks: dict[str, tuple[int, int]] = {}
_mappings: dict[str, mmap.mmap] = {}
_times: dict[str, tuple[int, int, int]] = {}


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _at(path: str) -> str | int:
    """Return a path, or the descriptor in a slot."""
    return _slots[path[1:]] if path.startswith("@") else path


def _fd(slot: str) -> int:
    return _slots[slot.removeprefix("@")]


def _pointer(value: Any) -> Any:
    if value == BAD:
        return _NOWHERE
    return os.fsencode(value) if isinstance(value, str) else value


# The scene


def begin(scene: str, new: bool) -> None:
    """Forget the last row and go to the scene of the next; one process makes it."""
    for mapping in _mappings.values():
        mapping.close()
    for fd in _slots.values():
        with contextlib.suppress(OSError):
            os.close(fd)
    while _running:
        stop()
    for known in (_slots, _marks, _mappings, _times):
        known.clear()
    os.umask(0)
    if new:
        os.mkdir(scene, 0o777)
    os.chdir(scene)


def make(path: str, kind: str, mode: int | None = None, uid: int = 0, gid: int = 0, target: str = _NONE) -> None:
    """Make something of *kind* (of ``KINDS``; "full" is a directory with a file in it)."""
    if kind == "symlink":
        os.symlink(target if target != _NONE else "nothing", path)
        os.lchown(path, uid, gid)
        return
    if kind in ("dir", "full"):
        os.mkdir(path, 0o755)
        if kind == "full":
            make(f"{path}/inside", "file")
    elif kind == "file":
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        os.write(fd, CONTENT)
        os.close(fd)
    else:
        os.mknod(path, _FORMATS[kind] | 0o644, DEVICE)
    if uid or gid:
        os.chown(path, uid, gid)
    if mode is not None:
        os.chmod(path, mode)


def copy(source: str, path: str, mode: int) -> None:
    """Make a copy of a program."""
    shutil.copyfile(source, path)
    os.chmod(path, mode)


# Looking


def _shown(found: os.stat_result) -> dict[str, Any]:
    return {
        "type": TYPES[stat.S_IFMT(found.st_mode)],
        "mode": stat.S_IMODE(found.st_mode),
        "nlink": found.st_nlink,
        "uid": found.st_uid,
        "gid": found.st_gid,
        "size": found.st_size,
        "rdev": found.st_rdev,
        "blocks": found.st_blocks,
        "atime": found.st_atime_ns,
        "mtime": found.st_mtime_ns,
        "ctime": found.st_ctime_ns,
    }


def _status(path: str, follow: bool = False) -> os.stat_result:
    at = _at(path)
    return os.stat(at) if isinstance(at, int) else os.stat(at, follow_symlinks=follow)


def lstat(path: str) -> dict[str, Any]:
    return _shown(_status(path))


def _stat(path: str) -> dict[str, Any]:
    return _shown(_status(path, follow=True))


def mark(path: str, name: str) -> None:
    """Note which inode something is."""
    found = _status(path)
    _marks[name] = (found.st_dev, found.st_ino)


def isit(path: str, name: str) -> bool:
    """Return whether it is the inode that was marked."""
    found = _status(path)
    return _marks[name] == (found.st_dev, found.st_ino)


def _three_times(path: str) -> tuple[int, int, int]:
    found = _status(path)
    return found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns


def look(paths: list[str]) -> None:
    """Note the times of *paths*, and wait until the clock of files shows a later one."""
    for path in paths:
        _times[path] = _three_times(path)
    # Linux takes times of files from the coarse clock, which goes in ticks; some are exact, and so ahead of it.
    now = time.time_ns()
    latest = max((seen for path in paths for seen in _times[path] if seen <= now), default=0)
    while time.clock_gettime_ns(_CLOCK_REALTIME_COARSE) <= latest:
        time.sleep(_TICK_SECONDS)


def moved(paths: list[tuple[str, str]]) -> list[str]:
    """Return which times have moved since then, as letters of "amc"; *paths* are what they were and are called."""
    return [
        "".join(
            letter for letter, was, now in zip("amc", _times[before], _three_times(after), strict=True) if was != now
        )
        for before, after in paths
    ]


def _listdir(path: str) -> list[str]:
    return sorted(os.listdir(_at(path)))


def access(path: str, mode: int, effective: bool = False) -> bool:
    return os.access(path, mode, effective_ids=effective)


def faccess(path: str, mode: int) -> None:
    """access(2), which says why not."""
    _check(_libc.access(os.fsencode(path), mode))


def statfs(path: str) -> bool:
    return os.statvfs(_at(path)).f_namemax == 255


# Making


def mknod(path: str, kind: str, mode: int = 0o644) -> None:
    os.mknod(path, _FORMATS[kind] | mode, DEVICE if kind in ("block", "char") else 0)


def bind(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path)


def connect(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)


def symlink(target: str, path: str) -> None:
    os.symlink(target, path)


def _link(source: str, path: str, flags: int = 0) -> None:
    if source.startswith("@"):
        source, flags = f"/proc/self/fd/{_fd(source)}", AT_SYMLINK_FOLLOW
    _check(_libc.linkat(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(path), flags))


def rename(source: str, target: str, flags: int = 0) -> None:
    _check(_libc.renameat2(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(target), flags))


# Attributes


def fchmodat2(path: str, mode: int) -> None:
    """Change the mode of what may be a symbolic link itself."""
    _check(_libc.syscall(_SYS_FCHMODAT2, AT_FDCWD, os.fsencode(path), mode, AT_SYMLINK_NOFOLLOW))


def _chmod(path: str, mode: int) -> None:
    os.chmod(_at(path), mode)


def _chown(path: str, uid: int, gid: int) -> None:
    os.chown(_at(path), uid, gid)


def utimens(path: str, atime: int | str, mtime: int | str, follow: bool = True) -> None:
    """utimensat(2) or futimens(3): nanoseconds, "now", or "omit"."""
    set_times(path, _seconds(atime), _seconds(mtime), follow)


def _seconds(time: int | str) -> tuple[int, int]:
    if isinstance(time, str):
        return 0, NOW if time == "now" else OMIT
    return divmod(time, 10**9)


def set_times(path: str, atime: tuple[int, int], mtime: tuple[int, int], follow: bool = True) -> None:
    """The same with seconds and nanoseconds, which may be wrong."""
    times = (_Timespec * 2)(_Timespec(*atime), _Timespec(*mtime))
    at = _at(path)
    if isinstance(at, int):
        _check(_libc.futimens(at, ctypes.byref(times)))
    else:
        flags = 0 if follow else AT_SYMLINK_NOFOLLOW
        _check(_libc.utimensat(AT_FDCWD, os.fsencode(at), ctypes.byref(times), flags))


def utime(path: str) -> None:
    """utimensat(2) without times: both are now."""
    _check(_libc.utimensat(AT_FDCWD, os.fsencode(path), None, 0))


def setxattr(path: str, name: str = "user.a", value: bytes = b"x", flags: int = 0) -> None:
    os.setxattr(_at(path), name, value, flags)


def getxattr(path: str, name: str = "user.a") -> bytes:
    return os.getxattr(_at(path), name)


def removexattr(path: str, name: str = "user.a") -> None:
    os.removexattr(_at(path), name)


def listxattr(path: str) -> list[str]:
    return [name for name in os.listxattr(_at(path)) if not name.startswith("user.sessionfs.")]


# Open files


def _open(path: str, flags: int, mode: int = 0o666, slot: str = "") -> None:
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, mode)
    if slot:
        _slots[slot] = fd
    else:
        os.close(fd)


def close(slot: str) -> None:
    os.close(_slots.pop(slot.removeprefix("@")))


def dup(slot: str, new: str) -> None:
    _slots[new] = os.dup(_fd(slot))


def read(slot: str, size: int = 1 << 16) -> bytes:
    return os.read(_fd(slot), size)


def write(slot: str, data: bytes) -> int:
    return os.write(_fd(slot), data)


def pread(slot: str, size: int, offset: int) -> bytes:
    return os.pread(_fd(slot), size, offset)


def pwrite(slot: str, data: bytes, offset: int) -> int:
    return os.pwrite(_fd(slot), data, offset)


def lseek(slot: str, offset: int, whence: int = os.SEEK_SET) -> int:
    return os.lseek(_fd(slot), offset, whence)


def content(path: str) -> bytes:
    """Return what is in a file."""
    fd = os.open(path, os.O_RDONLY | os.O_NOATIME if os.geteuid() == 0 else os.O_RDONLY)
    try:
        return os.read(fd, 1 << 20)
    finally:
        os.close(fd)


def truncate(path: str, size: int) -> None:
    os.truncate(_at(path), size)


def fsync(slot: str) -> None:
    os.fsync(_fd(slot))


def fsyncpath(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fallocate(slot: str, mode: int, offset: int, size: int) -> None:
    _check(_libc.fallocate(_fd(slot), mode, offset, size))


def posix_fallocate(slot: str, offset: int, size: int) -> None:
    number = _libc.posix_fallocate(_fd(slot), offset, size)
    if number:
        raise OSError(number, os.strerror(number))


def mapped(slot: str, name: str, writable: bool = True) -> None:
    """Map a file, shared."""
    access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
    _mappings[name] = mmap.mmap(_fd(slot), 0, access=access)


def poke(name: str, offset: int, data: bytes) -> None:
    _mappings[name][offset : offset + len(data)] = data


def peek(name: str, offset: int, size: int) -> bytes:
    return _mappings[name][offset : offset + size]


def msync(name: str) -> None:
    _mappings[name].flush()


def unmap(name: str) -> None:
    _mappings.pop(name).close()


def fill(slot: str) -> None:
    """Write until that fails: FIRST, and then what cannot be compressed."""
    os.write(_fd(slot), FIRST)
    for _ in range(_MOST_FILLED_BYTES // _FILLED_AT_ONCE_BYTES):
        os.write(_fd(slot), os.urandom(_FILLED_AT_ONCE_BYTES))


def limit(size: int) -> None:
    """Let files become no longer than this; -1 for no limit."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


# Paths from open directories


def unlinkat(slot: str, path: str, flags: int = 0) -> None:
    _check(_libc.unlinkat(_fd(slot), os.fsencode(path), flags))


def openat(slot: str, path: str, flags: int, mode: int = 0o666) -> None:
    os.close(os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, mode, dir_fd=_fd(slot)))


def mkdirat(slot: str, path: str, mode: int = 0o777) -> None:
    os.mkdir(path, mode, dir_fd=_fd(slot))


def listfd(slot: str) -> list[str]:
    return sorted(os.listdir(_fd(slot)))


def fchdir(slot: str) -> None:
    os.fchdir(_fd(slot))


# Programs


def run(path: str, *arguments: str) -> str:
    """Run a program; returns what it prints."""
    done = subprocess.run(
        [path if "/" in path else f"./{path}", *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def start(path: str) -> None:
    """Run ``sleep`` for a while; it is in the slot "running"."""
    _running.append(subprocess.Popen([f"./{path}", "60"]))


def stop() -> None:
    process = _running.pop()
    process.kill()
    process.wait()


_running: list[subprocess.Popen[bytes]] = []


# Bad addresses


def raw(name: str, *arguments: Any) -> int:
    """A function of the C library; BAD is an address that is not mapped, ``@slot`` a descriptor, (n,) a buffer."""
    given: list[Any] = []
    for argument in arguments:
        if isinstance(argument, str) and argument.startswith("@"):
            given.append(ctypes.c_int(_fd(argument)))
        elif isinstance(argument, int):
            given.append(ctypes.c_long(argument))
        elif isinstance(argument, tuple):
            given.append(ctypes.create_string_buffer(argument[0]))
        else:
            given.append(_pointer(argument))
    return _check(getattr(_libc, name)(*given))


VERBS: dict[str, Callable[..., Any]] = {
    **{
        function.__name__: function
        for function in (
            begin, make, copy, lstat, mark, isit, look, moved, access, faccess, statfs, mknod, bind, connect, symlink,
            rename, fchmodat2, utimens, set_times, utime, setxattr, getxattr, removexattr, listxattr, close, dup, read,
            write, pread, pwrite, lseek, content, truncate, fsync, fsyncpath, fallocate, posix_fallocate, mapped, poke,
            peek, msync, unmap, unlinkat, openat, mkdirat, listfd, fchdir, run, start, stop, raw, fill, limit,
        )
    },
    "stat": _stat,
    "open": _open,
    "link": _link,
    "chmod": _chmod,
    "chown": _chown,
    "listdir": _listdir,
    "lchown": os.lchown,
    "mkdir": os.mkdir,
    "rmdir": os.rmdir,
    "unlink": os.unlink,
    "readlink": os.readlink,
    "mkfifo": os.mkfifo,
    "chdir": os.chdir,
    "umask": os.umask,
}  # fmt: skip
