"""Whether the kernel tells of changes at a place.

inotify sees what passes through this machine's kernel. On a network filesystem, and on one whose files another machine
or the host of a virtual one changes, it is silent about what others do; there one has to look.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

_MOUNTINFO = "/proc/self/mountinfo"
_OCTAL = re.compile(r"\\([0-7]{3})")

# Filesystems that others change without this kernel: of the network, of clusters, shared by a virtual machine's host.
_SILENT = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "gpfs", "lustre", "nfs", "nfs4", "ocfs2", "orangefs",
        "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
    }
)  # fmt: skip


def has_notification(path: str) -> bool:
    """Say whether inotify tells of what anybody does at *path*."""
    kind = filesystem_type(path)
    # Whether a FUSE filesystem changes by itself nobody can tell; fuseblk is a local disk.
    return kind is not None and kind not in _SILENT and kind != "fuse" and not kind.startswith("fuse.")


def filesystem_type(path: str) -> str | None:
    """Return the type of the filesystem that *path* is on, as the kernel names it; None when nobody says."""
    try:
        with open(_MOUNTINFO, encoding="utf-8", errors="surrogateescape") as lines:
            return type_in(lines, os.path.realpath(path))
    except OSError:
        return None  # not Linux


def mount_points(kind: str) -> list[str]:
    """Return where filesystems of a type are mounted; none where nobody says."""
    try:
        with open(_MOUNTINFO, encoding="utf-8", errors="surrogateescape") as lines:
            return [point for point, found in _mounts(lines) if found == kind]
    except OSError:
        return []


def type_in(mountinfo: Iterable[str], path: str) -> str | None:
    """Return the type of the filesystem that the absolute *path* is on, by the lines of a mountinfo (proc(5))."""
    length, kind = 0, None
    for point, found in _mounts(mountinfo):
        # What was mounted last covers what was there: later lines win.
        if f"{path}/".startswith(point.rstrip("/") + "/") and len(point) >= length:
            length, kind = len(point), found
    return kind


def _mounts(mountinfo: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in mountinfo:
        before, _, after = line.partition(" - ")
        yield _OCTAL.sub(lambda match: chr(int(match[1], 8)), before.split(" ")[4]), after.split(" ")[0]
