"""What is mounted on this machine: /proc/self/mountinfo."""

from __future__ import annotations

import re
from typing import NamedTuple

FILESYSTEM_TYPE = "fuse.sessionfs"

_OCTAL = re.compile(r"\\([0-7]{3})")


class Mounted(NamedTuple):
    """One mounted store."""

    mountpoint: str
    store: str


def list_mounts(mountinfo: str = "/proc/self/mountinfo") -> list[Mounted]:
    """Return every mounted store, in the order of mounting."""
    with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
        return [mount for line in file if (mount := parse_line(line)) is not None]


def parse_line(line: str) -> Mounted | None:
    """Return what a line of mountinfo says, if it is about a store.

    Source:
        proc(5): fields before " - " are ours only in the fifth, the mount point; after it come the type and the source.
    """
    before, separator, after = line.partition(" - ")
    fields, described = before.split(" "), after.split(" ")
    if not separator or len(fields) < 5 or len(described) < 2 or described[0] != FILESYSTEM_TYPE:
        return None
    return Mounted(_plain(fields[4]), _plain(described[1]))


def find_mount(mountpoint: str) -> Mounted | None:
    """Return the newest store that is mounted exactly there."""
    return next((mount for mount in reversed(list_mounts()) if mount.mountpoint == mountpoint), None)


def is_mountpoint(path: str) -> bool:
    """Say whether anything is mounted exactly there; asks nothing of the filesystem itself."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return any(_plain(line.split(" ")[4]) == path for line in file)


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
