"""What two sides show, side by side.

Results are equal. Modes, owners, link counts, device numbers and sizes are equal; sizes of directories are left out.
Inode numbers are others, but are the same or not in the same places. Times are others, but have moved or not since they
were last looked at - except that a time that was set is the same to the nanosecond.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Any, NamedTuple

from torturing.accepted import Difference, is_accepted
from torturing.worker import ROOT, Operation, Outcome, Seen, Shown

_FIELDS = ("mode", "nlink", "uid", "gid", "rdev")
_SNAPSHOT: Operation = ("snapshot", ROOT, (), ())
_REMOUNT: Operation = ("remount", ROOT, (), ())
KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFREG: "file",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


class _Known(NamedTuple):
    """An inode as it was last looked at; pairs are of ext4 and the mount."""

    ext4_ino: int
    times: tuple[tuple[int, ...], tuple[int, ...]]  # (mtime, ctime)
    looked_ns: tuple[int, int]


def _has_moved(before: int, after: int, looked_ns: int) -> bool | None:
    """Return whether a time has moved; None when it may have, within one tick of the clock."""
    if before != after:
        return True
    return None if after >= looked_ns else False


class Comparer:
    """Compares, and remembers what it has seen: by the mount's inode numbers, which are not used twice."""

    def __init__(self, ignored: frozenset[str] = frozenset()) -> None:
        self._ignored = ignored
        self._known: dict[int, _Known] = {}

    def operation(self, operation: Operation, ext4: Outcome, mount: Outcome, *, refused: bool) -> list[Difference]:
        """Return in what the outcomes of an operation differ.

        Args:
            refused: The mount does no such thing, and ext4 was not asked to.
        """
        differences = []
        if refused:
            if mount[0]:
                differences.append(Difference("result", "(refused before)", _result(mount)))
        elif ext4[:2] != mount[:2]:
            differences.append(Difference("result", _result(ext4), _result(mount)))
        for look, ext4_seen, mount_seen in zip(operation[3], ext4[2], mount[2], strict=True):
            differences += self.seen(str(look), ext4_seen, mount_seen, (ext4[3], mount[3]))
        if ext4[0] and operation[0] in _SET_TIMES and ext4[2] and mount[2]:
            differences += _set_times(operation, ext4[2][0], mount[2][0])
        return [one for one in differences if not self._is_known(operation, one)] if differences else differences

    def _is_known(self, operation: Operation, difference: Difference) -> bool:
        """Whether a difference is accepted, or not to be told."""
        return self.is_ignored(difference) or is_accepted(operation, difference)

    def is_ignored(self, difference: Difference) -> bool:
        """Whether nobody wants to be told."""
        kind = f"{KINDS.get(stat.S_IFMT(difference.mode), '')} {difference.aspect}"
        return bool(self._ignored & {difference.aspect, kind})

    def seen(self, where: str, ext4: Seen, mount: Seen, looked_ns: tuple[int, int]) -> list[Difference]:
        """Return in what lstat's answers differ."""
        if isinstance(ext4, int) or isinstance(mount, int):
            return [] if ext4 == mount else [Difference("lstat", _lstat(ext4), _lstat(mount), where)]
        differences = []
        if ext4[:5] != mount[:5]:
            differences += [
                Difference(name, left, right, where)
                for name, left, right in zip(_FIELDS, ext4, mount, strict=False)
                if left != right
            ]
        if ext4[5] != mount[5] and not stat.S_ISDIR(ext4[0]):
            differences.append(Difference("size", ext4[5], mount[5], where))
        differences += self._moved(where, ext4, mount, looked_ns)
        return [one._replace(mode=ext4[0]) for one in differences]

    def _moved(
        self, where: str, ext4: tuple[int, ...], mount: tuple[int, ...], looked_ns: tuple[int, int]
    ) -> list[Difference]:
        now = _Known(ext4[6], (ext4[7:9], mount[7:9]), looked_ns)
        known = self._known.get(mount[6])
        self._known[mount[6]] = now
        if known is None or known.times == now.times:
            return []
        if known.ext4_ino != ext4[6]:
            return [Difference("inode", "is another than before", "is the same", where)]
        differences = []
        for index, name in enumerate(("mtime", "ctime")):
            left, right = (
                _has_moved(was[index], after[index], looked)
                for was, after, looked in zip(known.times, now.times, known.looked_ns, strict=True)
            )
            if {left, right} == {True, False}:
                differences.append(Difference(f"{name} moved", left, right, where))
        return differences

    def trees(
        self, ext4: dict[bytes, tuple[Any, ...]], mount: dict[bytes, tuple[Any, ...]], looked_ns: tuple[int, int]
    ) -> list[Difference]:
        """Return in what two snapshots differ."""
        differences = [
            Difference("tree", path in ext4, path in mount, str(path)) for path in sorted(ext4.keys() ^ mount.keys())
        ]
        paired: dict[int, int] = {}
        for path in ext4.keys() & mount.keys():
            (ext4_shown, *ext4_rest), (mount_shown, *mount_rest) = ext4[path], mount[path]
            differences += self.seen(str(path), ext4_shown, mount_shown, looked_ns)
            differences += [
                Difference(name, left, right, str(path))
                for name, left, right in zip(("content", "xattrs"), ext4_rest, mount_rest, strict=True)
                if left != right
            ]
            if paired.setdefault(ext4_shown[6], mount_shown[6]) != mount_shown[6]:
                differences.append(Difference("inode", "is another path's too", "is not", str(path)))
        if len(set(paired.values())) != len(paired):
            differences.append(Difference("inode", "are not the same", "are the same for two paths"))
        return [one for one in differences if not self._is_known(_SNAPSHOT, one)]

    def remounted(self, after: Iterable[Seen]) -> None:
        """Take the mount's times as a remount has left them, accepted differences and all, for the last seen."""
        for shown in after:
            known = None if isinstance(shown, int) else self._known.get(shown[6])
            if known is not None:
                self._known[shown[6]] = known._replace(times=(known.times[0], shown[7:9]))

    def forget(self) -> None:
        """Forget inodes; called when most of what is known is gone."""
        self._known.clear()


def same_after_remount(before: dict[bytes, Seen], after: dict[bytes, Seen]) -> list[Difference]:
    """Return in what the mount's own lstat answers differ."""
    differences = [
        Difference(f"{name} after remount", left, right, str(path), 0 if isinstance(was, int) else was[0])
        for path, was in before.items()
        for name, left, right in _fields(was, after[path])
        if left != right
    ]
    return [one for one in differences if not is_accepted(_REMOUNT, one)]


def _fields(before: Seen, after: Seen) -> list[tuple[str, Any, Any]]:
    if isinstance(before, int) or isinstance(after, int):
        return [("lstat", _lstat(before), _lstat(after))]
    was, now = Shown(*before), Shown(*after)
    if was.mtime_ns == was.ctime_ns and was.mtime_ns != now.mtime_ns and was.ctime_ns != now.ctime_ns:
        moved = [("mtime and ctime", was.mtime_ns, (now.mtime_ns, now.ctime_ns))]
        was = was._replace(mtime_ns=now.mtime_ns, ctime_ns=now.ctime_ns)
    else:
        moved = []
    return moved + list(zip(Shown._fields, was, now, strict=True))


_SET_TIMES = {"utimens": (2, 3), "futimens": (1, 2)}


def _set_times(operation: Operation, ext4: Seen, mount: Seen) -> list[Difference]:
    if isinstance(ext4, int) or isinstance(mount, int):
        return []
    atime, mtime = (operation[2][index] for index in _SET_TIMES[operation[0]])
    left, right = Shown(*ext4), Shown(*mount)
    differences = []
    if isinstance(atime, int) and left.atime_ns != right.atime_ns:
        differences.append(Difference("atime", left.atime_ns, right.atime_ns))
    if isinstance(mtime, int) and left.mtime_ns != right.mtime_ns:
        differences.append(Difference("mtime", left.mtime_ns, right.mtime_ns))
    return differences


def _result(outcome: Outcome) -> Any:
    done, value = outcome[0], outcome[1]
    return value if done else os.strerror(value)


def _lstat(seen: Seen) -> str:
    return os.strerror(seen) if isinstance(seen, int) else "is there"
