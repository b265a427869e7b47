"""A directory as what is imported: files, links and special files with modes, times, owners and attributes."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, cast

from sessionfs.artifacts import text_of
from sessionfs.artifacts.node import KINDS
from sessionfs.backup.import_members import USER, BadMember, ChangedSource, Found, Intake, Members, Taken, member_path

_KIND_OF = {type: kind for kind, type in KINDS.items()}

# What says that it is not what it was when its directory was listed.
_GONE = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ESTALE)


def read_directory(top: str, intake: Intake, *, keep_owners: bool) -> Members:
    """Take in the directory *top*, with all that is in it. It is only read.

    Args:
        keep_owners: Take the owners' numbers over.

    Raises:
        OSError: Something cannot be read.
        ChangedSource: Somebody is changing it.
        BadMember: A file's name is too long for a session.
        LimitReached, NoSpace, ReadOnlyStore: The store does not take it.
    """
    members = Members()
    inodes: dict[tuple[int, int], str] = {}
    for path, place, status in _walk(top):
        key = (status.st_dev, status.st_ino)
        if key in inodes:
            members.link(path, inodes[key])
            continue
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            inodes[key] = path
        try:
            found = _found(path, place, status, intake, members)
        except OSError as failure:
            if failure.errno not in _GONE:
                raise
            raise _changed(place) from failure
        if not keep_owners:
            found.uid = found.gid = None
        members.add(path, found)
    return members


def _walk(top: str) -> Iterator[tuple[str, str, os.stat_result]]:
    """Yield path, place and status of everything at and below *top*: sorted, a directory before what it holds."""
    status = os.stat(top)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is neither a directory nor an archive", top)
    waiting = [("", top, status)]
    while waiting:
        path, place, status = waiting.pop()
        yield path, place, status
        if stat.S_ISDIR(status.st_mode):
            for name in sorted(os.listdir(place), reverse=True):
                below = f"{place}/{name}"
                try:
                    found = os.lstat(below)
                except FileNotFoundError as failure:
                    raise _changed(below) from failure
                waiting.append((member_path(f"{path}/{name}" if path else name), below, found))


def _found(path: str, place: str, status: os.stat_result, intake: Intake, members: Members) -> Found:
    kind = _KIND_OF.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        raise BadMember(f"{place} is of a kind that no session can have; leave it out")
    found = Found(
        kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime_ns=status.st_mtime_ns,
        rdev=status.st_rdev if kind.endswith("_device") else 0,
    )
    if kind == "file":
        found.content = _content(path, place, intake)
    elif kind == "symlink":
        found.target = os.readlink(place)
    if kind in ("file", "directory"):
        found.xattrs = _xattrs(place, members)
    return found


def _content(path: str, place: str, intake: Intake) -> Taken:
    # What was a file when its directory was listed may be a pipe by now, which nobody may wait for.
    fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb", buffering=0) as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise _changed(place)
        if status.st_size > 1 << 20 and status.st_blocks * 512 < status.st_size:
            return intake.take_sparse(_extents(fd, status.st_size), lambda n, at: os.pread(fd, n, at), status.st_size)
        return intake.take(path, cast(BinaryIO, file), status.st_size)


def _extents(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where an open file has data, as offset and length."""
    offset = 0
    while offset < size:
        try:
            start = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as failure:
            if failure.errno == errno.ENXIO:
                return  # nothing but a hole up to the end
            raise
        offset = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, offset - start


def _xattrs(place: str, members: Members) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    try:
        names = os.listxattr(place, follow_symlinks=False)
    except OSError as failure:
        if failure.errno == errno.ENOTSUP:
            return {}
        raise
    for name in map(os.fsencode, names):
        if not name.startswith(USER):
            members.left_out.add(name.partition(b".")[0].decode("utf-8", "replace"))
            continue
        try:
            found[name] = os.getxattr(place, name, follow_symlinks=False)
        except OSError as failure:
            if failure.errno != errno.ENODATA:  # it has been removed since
                raise
    return found


def _changed(place: str) -> ChangedSource:
    return ChangedSource(f"{text_of(place)} changed while it was read; nothing was imported: try again when it rests")
