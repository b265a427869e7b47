"""Who uses a mount: /proc, as far as this user may look."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from sessionfs.mount.table import mountpoints_below

_SHOWN = 5

_DELETED = " (deleted)"


class User(NamedTuple):
    """One process, and one path by which it holds the mount."""

    pid: int
    program: str
    path: str

    def __str__(self) -> str:
        return f"{self.pid} {self.program} ({self.path})"


def users_of(mountpoint: str) -> list[User]:
    """Return the processes with an open file, directory, root, program or mapping in the mount, without this one.

    Others' processes are seen by root only.
    """
    pids = sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())
    found = ((pid, _first_path(pid, mountpoint)) for pid in pids if pid != os.getpid())
    return [User(pid, _program(pid), path) for pid, path in found if path is not None]


def describe_users(mountpoint: str) -> str | None:
    """Return who keeps the mount busy, as part of a sentence; None when nobody is found."""
    words = [str(user) for user in users_of(mountpoint)]
    words += [f"a mount on {point}" for point in mountpoints_below(mountpoint)]
    if not words:
        return None
    more = f", and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more


def _first_path(pid: int, mountpoint: str) -> str | None:
    below = mountpoint.rstrip("/") + "/"
    for path in _paths(pid):
        plain = path.removesuffix(_DELETED)
        if plain == mountpoint or plain.startswith(below):
            return plain
    return None


def _paths(pid: int) -> Iterator[str]:
    """Yield every path that the process holds; what it no longer does, or may not be seen, is left out."""
    for link in ("cwd", "root", "exe"):
        yield from _target(f"/proc/{pid}/{link}")
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            yield from _target(f"/proc/{pid}/fd/{number}")
        yield from _mapped(pid)
    except OSError:
        return  # it has ended, or is somebody else's


def _target(link: str) -> Iterator[str]:
    try:
        yield os.readlink(link)
    except OSError:
        return  # it has ended, or is somebody else's


def _mapped(pid: int) -> Iterator[str]:
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.rstrip("\n").split(maxsplit=5)
            if len(fields) == 6:
                yield fields[5].replace("\\012", "\n")


def _program(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return "?"  # it has ended since
