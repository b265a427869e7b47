"""The differences from ext4 that are accepted. Each has its reason; the rest are faults."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from torturing import calls
from torturing.sequence import short
from torturing.worker import ROOT, Operation


class Difference(NamedTuple):
    """One thing in which the sides differ."""

    aspect: str
    ext4: Any
    mount: Any
    where: str = ""
    mode: int = 0  # of what is looked at

    def __str__(self) -> str:
        of = f" of {short(self.where)}" if self.where else ""
        return f"{self.aspect}{of}: ext4 {short(self.ext4)}, mount {short(self.mount)}"


class Accepted(NamedTuple):
    """A difference that is accepted, wherever its test says so."""

    aspects: frozenset[str]  # "result", or fields of what lstat shows
    test: Callable[[Operation, Difference], bool]
    reason: str


_LATELY_NS = 3600 * 10**9


def _of_fifo(operation: Operation, difference: Difference) -> bool:
    return stat.S_ISFIFO(difference.mode)


def _by_reading(operation: Operation, difference: Difference) -> bool:
    return _is_late(difference.ext4)


def _is_late(time_ns: int) -> bool:
    """Whether a time is of this run: the clock's, not one that was set."""
    return time.time_ns() - _LATELY_NS < time_ns <= time.time_ns()


def _of_directory_lately(operation: Operation, difference: Difference) -> bool:
    return stat.S_ISDIR(difference.mode) and _is_late(difference.ext4)


def _earlier(operation: Operation, difference: Difference) -> bool:
    return _is_late(difference.ext4) and bool(difference.mount < difference.ext4)


ACCEPTED: tuple[Accepted, ...] = (
    Accepted(
        frozenset({"mtime moved", "ctime moved"}),
        _of_fifo,
        "the kernel moves the times of a FIFO through which data go only in filesystems whose times it keeps itself",
    ),
    Accepted(
        frozenset({"atime_ns after remount"}),
        _by_reading,
        "an atime that reading has moved is kept in memory: a record for each first read would be a write for a read",
    ),
    Accepted(
        frozenset({"mtime_ns after remount", "mtime and ctime after remount"}),
        _of_directory_lately,
        "a file that was created and unlinked while it was open was never stored, and history keeps no trace of it: "
        "after a remount, the directory in which it came and went has the times of its last recorded change",
    ),
    Accepted(
        frozenset({"ctime_ns after remount"}),
        _earlier,
        "who sets times to what they are moves ctime in memory alone: rsync -X does that to every file that has not "
        "changed, each time",
    ),
)
_ASPECTS = frozenset[str]().union(*(one.aspects for one in ACCEPTED))

# What the mount may refuse, as long as it always does and nothing changes: a probe's name, and how it is asked for
# once, in an empty tree. The last operation is the one that counts. ext4 is not asked for what the mount refuses.


def _root(verb: str, *arguments: Any) -> Operation:
    return verb, ROOT, arguments, ()


_OPEN = _root("open", 1, 0, b"probe", os.O_CREAT | os.O_RDWR, 0o600)
_FILLED = (_OPEN, _root("pwrite", 1, 1, 20_000, 0))
_REMOVED = (_root("close", 1), _root("unlink", 0, b"probe"))

_FALLOCATE_MODES = {
    "fallocate": 0,
    "fallocate KEEP_SIZE": calls.FALLOC_KEEP_SIZE,
    "fallocate PUNCH_HOLE": calls.FALLOC_PUNCH_HOLE | calls.FALLOC_KEEP_SIZE,
    "fallocate ZERO_RANGE": calls.FALLOC_ZERO_RANGE,
    "fallocate ZERO_RANGE KEEP_SIZE": calls.FALLOC_ZERO_RANGE | calls.FALLOC_KEEP_SIZE,
    "fallocate COLLAPSE_RANGE": calls.FALLOC_COLLAPSE_RANGE,
    "fallocate INSERT_RANGE": calls.FALLOC_INSERT_RANGE,
}
FALLOCATE_NAME = {mode: name for name, mode in _FALLOCATE_MODES.items()}

PROBES: dict[str, tuple[Operation, ...]] = {
    **{name: (*_FILLED, _root("fallocate", 1, mode, 4096, 4096)) for name, mode in _FALLOCATE_MODES.items()},
    "O_TMPFILE": (_root("open", 1, 0, b".", os.O_TMPFILE | os.O_RDWR, 0o600),),
    "link": (_OPEN, _root("link", 0, b"probe", 0, b"probe2", False)),
    "RENAME_EXCHANGE": (_OPEN, _root("mkdir", 0, b"other", 0o700), _root("rename", 0, b"probe", 0, b"other", 2)),
    "mknod FIFO": (_root("mknod", 0, b"fifo", stat.S_IFIFO | 0o600, (0, 0)),),
    "mknod socket": (_root("mknod", 0, b"socket", stat.S_IFSOCK | 0o600, (0, 0)),),
    "mknod device": (_root("mknod", 0, b"device", stat.S_IFCHR | 0o600, (1, 3)),),
}

REFUSALS: dict[str, str] = {
    "O_TMPFILE": "FUSE passes it on since Linux 6.2, pyfuse3 does not",
    **dict.fromkeys(_FALLOCATE_MODES, "libfuse passes it on, pyfuse3 does not"),
}

_KINDS = {
    stat.S_IFIFO: "mknod FIFO",
    stat.S_IFSOCK: "mknod socket",
    stat.S_IFCHR: "mknod device",
    stat.S_IFBLK: "mknod device",
}


def asks_for(operation: Operation) -> str | None:
    """Return the probe that says whether the mount does such an operation at all."""
    verb, _, arguments, _ = operation
    if verb == "fallocate":
        return FALLOCATE_NAME.get(arguments[1])
    if verb == "link":
        return "link"
    if verb == "mknod":
        return _KINDS.get(stat.S_IFMT(arguments[2]))
    if verb == "rename" and arguments[4] & calls.RENAME_EXCHANGE:
        return "RENAME_EXCHANGE"
    if verb == "open" and arguments[3] & os.O_TMPFILE == os.O_TMPFILE:
        return "O_TMPFILE"
    return None


def is_accepted(operation: Operation, difference: Difference) -> bool:
    """Return whether a difference is in the table."""
    return difference.aspect in _ASPECTS and any(
        difference.aspect in one.aspects and one.test(operation, difference) for one in ACCEPTED
    )
