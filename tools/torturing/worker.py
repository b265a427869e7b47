"""A process whose root is one side's tree. It does batches of operations and looks at what they touched.

An operation is ``(verb, user, arguments, looks)``. It is done with the user's real, effective and supplementary ids, by
one process that is root otherwise: so a descriptor that one user opened can be used by another. The looks after it are
root's: ``("path", directory slot, path)`` is lstat, ``("target", directory slot, path)`` stat, ``("file", slot)``
fstat.
"""

from __future__ import annotations

import errno
import fcntl
import marshal
import os
import select
import stat
import struct
import time
import traceback
from typing import Any, NamedTuple

from torturing.verbs import VERBS, Descriptors, custom_xattrs, digest

Operation = tuple[str, str, tuple[Any, ...], tuple[tuple[Any, ...], ...]]
Seen = tuple[int, ...] | int
"""What lstat shows, as in :class:`Shown`; or an errno."""
Outcome = tuple[bool, Any, list[Seen], int]
"""Whether it succeeded; what it returned, or an errno; what the looks show; and when that was (see :func:`now_ns`)."""

ROOT = "root"
USERS: dict[str, tuple[int, int, tuple[int, ...]]] = {
    ROOT: (0, 0, (0,)),
    "alice": (5001, 5001, (5001, 6000)),
    "bob": (5002, 5002, (6000,)),
}

_CLOCK_REALTIME_COARSE = 5  # of linux/time.h
_LENGTH = struct.Struct("=I")
_CHUNK_BYTES = 1 << 20
_PIPE_BYTES = 1 << 20
_NO_TREE = b"its content cannot be read"


class Shown(NamedTuple):
    """What lstat shows."""

    mode: int
    nlink: int
    uid: int
    gid: int
    rdev: int
    size: int
    ino: int
    mtime_ns: int
    ctime_ns: int
    atime_ns: int


class Hung(Exception):
    """A worker has not answered in time."""


class WorkerDied(Exception):
    """A worker has ended without being told to."""


class Worker:
    """The parent's end: requests go in, answers come out in the same order."""

    def __init__(self, root: str) -> None:
        their_requests, self._requests = os.pipe()
        self._answers, their_answers = os.pipe()
        for fd in (self._requests, their_answers):
            # Neither end may wait for the other while both write.
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.ended = False
        self.pid = os.fork()
        if self.pid == 0:
            _serve(root, their_requests, their_answers)
        os.close(their_requests)
        os.close(their_answers)

    def send(self, kind: str, content: Any = None) -> None:
        """Ask for something: a word of ``_REQUESTS``."""
        _send(self._requests, (kind, content))

    def receive(self, patience_seconds: float) -> Any:
        """Return the answer to the oldest request.

        Raises:
            Hung, WorkerDied: There is none.
        """
        ready, _, _ = select.select([self._answers], [], [], patience_seconds)
        if not ready:
            raise Hung(f"no answer in {patience_seconds:.0f} seconds")
        answer = _receive(self._answers)
        if answer is None:
            raise WorkerDied(f"the worker {self.pid} has ended")
        return answer

    def ask(self, kind: str, content: Any = None, *, patience_seconds: float) -> Any:
        """Send, and wait for the answer; nothing else may be under way."""
        self.send(kind, content)
        return self.receive(patience_seconds)

    def end(self) -> None:
        """Let it close everything and end; once is enough."""
        if self.ended:
            return
        self.ended = True
        os.close(self._requests)
        os.close(self._answers)
        os.waitpid(self.pid, 0)


def _send(fd: int, message: Any) -> None:
    data = marshal.dumps(message)
    rest = memoryview(_LENGTH.pack(len(data)) + data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _receive(fd: int) -> Any:
    head = _read(fd, _LENGTH.size)
    return None if head is None else marshal.loads(_read(fd, _LENGTH.unpack(head)[0]) or b"")


def _read(fd: int, length: int) -> bytes | None:
    parts = []
    while length:
        part = os.read(fd, min(length, _CHUNK_BYTES))
        if not part:
            return None
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


# The child


def _serve(root: str, requests: int, answers: int) -> None:
    code = 1
    try:
        _close_all_but(requests, answers)
        os.chdir(root)
        os.chroot(".")
        os.umask(0)
        at = Descriptors()
        while (request := _receive(requests)) is not None:
            kind, content = request
            _send(answers, _REQUESTS[kind](at, content))
        code = 0
    except BrokenPipeError:
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _close_all_but(*kept: int) -> None:
    """Close what came with the fork: another worker's pipe that stays open here never ends for that worker."""
    start = 3
    for fd in sorted(kept):
        os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, 1 << 16)


def _operations(at: Descriptors, operations: list[Operation]) -> list[Outcome]:
    return [_do(at, *operation) for operation in operations]


def _do(
    at: Descriptors, verb: str, user: str, arguments: tuple[Any, ...], looks: tuple[tuple[Any, ...], ...]
) -> Outcome:
    if user != ROOT:
        _become(user)
    try:
        done, result = True, VERBS[verb](at, *arguments)
    except OSError as failure:
        done, result = False, failure.errno
    finally:
        if user != ROOT:
            _become_root()
    looked_ns = now_ns()
    return done, result, [_look(at, *look) for look in looks], looked_ns


def now_ns() -> int:
    """Return the kernel's clock for times of files, which stands still for some milliseconds.

    What has been changed again since, and has still the time of this look or a later one, may have been changed within
    one tick. (Linux 6.13 and newer tell such changes apart on ext4, but not in FUSE.)
    """
    return time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)


def _become(user: str) -> None:
    uid, gid, groups = USERS[user]
    os.setgroups(groups)
    os.setresgid(gid, gid, 0)
    os.setresuid(uid, uid, 0)


def _become_root() -> None:
    os.setresuid(0, 0, 0)
    os.setresgid(0, 0, 0)
    os.setgroups((0,))


def _look(at: Descriptors, kind: str, slot: int, path: bytes = b"") -> Seen:
    try:
        if kind == "file":
            return _shown(os.fstat(at.file(slot)))
        return _shown(os.stat(path, dir_fd=at.directory(slot), follow_symlinks=kind == "target"))
    except OSError as failure:
        return failure.errno or 0


def _shown(found: os.stat_result) -> tuple[int, ...]:
    return (
        found.st_mode,
        found.st_nlink,
        found.st_uid,
        found.st_gid,
        found.st_rdev,
        found.st_size,
        found.st_ino,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_atime_ns,
    )


def _snapshot(at: Descriptors, content: Any) -> tuple[dict[bytes, tuple[Any, ...]], int]:
    """Return everything below the root, by path: (lstat, content or target or names, attributes); and when that was."""
    looked_ns = now_ns()
    found: dict[bytes, tuple[Any, ...]] = {b".": _snapshot_of(b".")}
    directories = [b"."]
    while directories:
        directory = directories.pop()
        for name in found[directory][1]:
            path = name if directory == b"." else directory + b"/" + name
            one = found[path] = _snapshot_of(path)
            if stat.S_ISDIR(one[0][0]):
                directories.append(path)
    return found, looked_ns


def _snapshot_of(path: bytes) -> tuple[Any, ...]:
    try:
        shown = _shown(os.lstat(path))
        if stat.S_ISLNK(shown[0]):
            return shown, os.readlink(path), {}
        if stat.S_ISREG(shown[0]):
            inside: Any = _content_of(path)
        else:
            inside = sorted(os.listdir(path)) if stat.S_ISDIR(shown[0]) else b""
        return shown, inside, _attributes_of(path)
    except OSError as failure:
        return (0,) * len(Shown._fields), b"%s: %d" % (_NO_TREE, failure.errno or 0), {}


def _attributes_of(path: bytes) -> dict[bytes, bytes]:
    return {name: digest(os.getxattr(path, name, follow_symlinks=False)) for name in custom_xattrs(path)}


def _content_of(path: bytes) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOATIME | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, _CHUNK_BYTES):
            parts.append(part)
        return digest(b"".join(parts))
    finally:
        os.close(fd)


def _stats(at: Descriptors, paths: list[bytes]) -> list[Seen]:
    return [_look(at, "path", 0, path) for path in paths]


def _umask(at: Descriptors, mask: int | None) -> int:
    """Set the umask, unless it is only asked for; returns the one before."""
    before = os.umask(mask or 0)
    if mask is None:
        os.umask(before)
    return before


def _close(at: Descriptors, content: Any) -> list[int]:
    """Close everything; the errnos of what failed."""
    failures = []
    while True:
        try:
            at.close_all()
            return failures
        except OSError as failure:
            failures.append(failure.errno or errno.EIO)


def _refused(at: Descriptors, probes: list[tuple[str, list[Operation]]]) -> list[str]:
    """Return the names of the probes whose last operation fails."""
    names = []
    for name, operations in probes:
        outcomes = _operations(at, operations)
        if not outcomes[-1][0]:
            names.append(name)
    return names


_REQUESTS = {
    "operations": _operations,
    "snapshot": _snapshot,
    "stats": _stats,
    "umask": _umask,
    "close": _close,
    "probe": _refused,
}
