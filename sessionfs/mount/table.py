"""What is mounted on this machine: /proc/self/mountinfo."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from sessionfs.errors import NotFound

FILESYSTEM_TYPE = "fuse.sessionfs"

_MOUNTINFO = "/proc/self/mountinfo"
_OCTAL = re.compile(r"\\([0-7]{3})")

# What says nothing: every mount has it, or has a field of its own for it.
_USUAL = frozenset({"rw", "ro", "relatime", "default_permissions"})


class NotMounted(NotFound):
    """No store is mounted there."""


class Mounted(NamedTuple):
    """One mounted store.

    Args:
        device: The number of its filesystem, ``0:31``: two mounts that are there at once have different ones.
        user_id: Who mounted it; nobody else can look into it without ``allow_other``.
        options: What the kernel was told besides what is usual.
    """

    mountpoint: str
    store: str
    device: str
    read_only: bool
    user_id: int
    group_id: int
    options: tuple[str, ...]


def list_mounts(mountinfo: str = _MOUNTINFO) -> list[Mounted]:
    """Return every mounted store, in the order of mounting."""
    return [mount for line in _lines(mountinfo) if (mount := parse_line(line)) is not None]


def parse_line(line: str) -> Mounted | None:
    """Return what a line of mountinfo says, if it is about a whole store: bind mounts of its parts are others' affair.

    Source:
        proc(5): id, parent, device, root, mount point, options of the mount, optional fields; after " - " the type,
        the source, options of the filesystem.
    """
    before, separator, after = line.rstrip("\n").partition(" - ")
    fields, described = before.split(" "), after.split(" ")
    if not separator or len(fields) < 6 or len(described) < 3 or described[0] != FILESYSTEM_TYPE or fields[3] != "/":
        return None
    words = list(dict.fromkeys([*fields[5].split(","), *described[2].split(",")]))
    values = dict(word.split("=", 1) for word in words if "=" in word)
    return Mounted(
        mountpoint=_plain(fields[4]),
        store=_plain(described[1]),
        device=fields[2],
        read_only="ro" in words,
        user_id=int(values.get("user_id", 0)),
        group_id=int(values.get("group_id", 0)),
        options=tuple(word for word in words if word not in _USUAL and "=" not in word),
    )


def find_mount(mountpoint: str) -> Mounted | None:
    """Return the store that is mounted exactly there, and not hidden by another mount."""
    lines = [line for line in _lines(_MOUNTINFO) if _mountpoint(line) == mountpoint]
    return parse_line(lines[-1]) if lines else None


def resolve_mount(path: str) -> Mounted:
    """Return the store that is mounted on the directory at *path*.

    Raises:
        NotMounted: None is.
    """
    # Links are resolved in the parent only: the mount itself may not answer.
    parent, name = os.path.split(os.path.abspath(path))
    mountpoint = os.path.join(os.path.realpath(parent), name) if name else "/"
    mount = find_mount(mountpoint)
    if mount is None:
        raise NotMounted(f"no store is mounted on {mountpoint}; see: sessionfs mounts")
    return mount


def is_mountpoint(path: str) -> bool:
    """Say whether anything is mounted exactly there; asks nothing of the filesystem itself."""
    return any(_mountpoint(line) == path for line in _lines(_MOUNTINFO))


def mountpoints_below(path: str) -> list[str]:
    """Return where things are mounted below *path*, which keeps *path* itself from being unmounted."""
    return [point for line in _lines(_MOUNTINFO) if (point := _mountpoint(line)).startswith(path.rstrip("/") + "/")]


def _lines(mountinfo: str) -> Iterator[str]:
    with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
        yield from file


def _mountpoint(line: str) -> str:
    return _plain(line.split(" ")[4])


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
