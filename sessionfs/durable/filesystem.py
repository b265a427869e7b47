"""Which filesystems a store can be written to: where a lock keeps out everybody who can reach it.

Appends take the log's ``flock``, and readers without a lock see a prefix. A network filesystem promises neither: locks
may hold on one machine only, or be lost with a server, and what one client appends another may see late, or in part.
So a store there can be read, and writing is refused with a sentence that says why.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable
from typing import NoReturn

from sessionfs import locks
from sessionfs.durable.disk import OsDisk
from sessionfs.durable.read_only import ReadOnlyDisk

_MOUNTINFO = "/proc/self/mountinfo"
_OCTAL = re.compile(r"\\([0-7]{3})")

_NETWORK = "where two machines may append to one log at once, and each sees only its own lock"
_REMOTE_FILES = "where locks hold on this machine only, and files change behind its back"

REASONS = {
    "nfs": "where a lock can be lost with the server, and appends of two clients overwrite each other",
    "nfs4": "where a lock can be lost with the server, and appends of two clients overwrite each other",
    "cifs": _NETWORK, "smb3": _NETWORK, "smbfs": _NETWORK, "afs": _NETWORK, "coda": _NETWORK, "ncpfs": _NETWORK,
    "9p": _NETWORK, "vboxsf": _NETWORK, "prl_fs": _NETWORK, "fuse.vmhgfs-fuse": _NETWORK,
    "fuse.sshfs": _REMOTE_FILES, "fuse.rclone": _REMOTE_FILES, "fuse.s3fs": _REMOTE_FILES,
    "fuse.gcsfuse": _REMOTE_FILES, "fuse.goofys": _REMOTE_FILES, "fuse.mount-s3": _REMOTE_FILES,
    "fuse.blobfuse2": _REMOTE_FILES, "fuse.davfs2": _REMOTE_FILES, "fuse.curlftpfs": _REMOTE_FILES,
}  # fmt: skip
"""By the type of a filesystem: why a store on it is not written to."""


class RefusingDisk(ReadOnlyDisk):
    """A disk that is not written to, and says why."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self._reason = reason

    def _refuse(self, *_args: object, **_options: object) -> NoReturn:
        raise OSError(errno.EROFS, self._reason)

    write = pwrite = truncate = rename = unlink = mkdir = touch = _refuse
    create_temporary = name_temporary = lock = try_lock = _refuse


def disk_at(path: str) -> OsDisk:
    """Return the disk for the store at *path*: one that refuses to be written to, where that would not be safe."""
    reason = why_refused(path)
    return OsDisk() if reason is None else RefusingDisk(reason)


def why_refused(
    path: str, *, mountinfo: str = _MOUNTINFO, has_locks: Callable[[str], bool] | None = None
) -> str | None:
    """Return why a store at *path*, a directory, must not be written to; None when it may be.

    Args:
        mountinfo: Where the mounts are listed.
        has_locks: Says whether locks work in a directory; by default it is tried.
    """
    try:
        if os.major(os.stat(path).st_dev) != 0:
            return None  # a block device of this machine: nobody else has it
    except OSError:
        return None  # whoever opens the store says what is wrong
    kind = filesystem_type(path, mountinfo)
    if kind in REASONS:
        return f"it is on {kind}, {REASONS[kind]}"
    if not (has_locks if has_locks is not None else locks_work)(path):
        return f"it is on {kind or 'a filesystem'} where locks (flock) do not work, which keep two writers apart"
    return None


def filesystem_type(path: str, mountinfo: str = _MOUNTINFO) -> str | None:
    """Return the type of the filesystem that *path* is on, as mount(8) names it; None when nothing tells."""
    place = os.path.realpath(path) + "/"
    found: tuple[int, str | None] = (0, None)
    with contextlib.suppress(OSError), open(mountinfo, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            before, separator, after = line.partition(" - ")
            fields = before.split(" ")
            if not separator or len(fields) < 5:
                continue
            point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4]).rstrip("/") + "/"
            if place.startswith(point) and len(point) >= found[0]:  # of two on one place, the later one shows
                found = len(point), after.split(" ", 1)[0]
    return found[1]


def locks_work(directory: str) -> bool:
    """Say whether a lock that one descriptor has is refused to another."""
    first = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        second = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # When somebody has it already, they work.
            return not locks.try_acquire(first) or not locks.try_acquire(second)
        except locks.NoLocks:
            return False
        finally:
            os.close(second)
    finally:
        os.close(first)
