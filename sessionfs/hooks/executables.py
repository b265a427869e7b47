"""Hooks that are programs: the executables in ``STORE/hooks``, as in git.

``hooks/pre-artifact-store`` is one; ``hooks/pre-artifact-store.d/`` holds several, which are called in the order of
their names, after that one. A file that nobody may execute is disabled, as in git.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from typing import NamedTuple

from sessionfs.hooks.points import PLACES, Place

SEVERAL = ".d"

# A directory's time moves in steps of up to 10 ms: what was listed sooner after a change may lack a later one.
_SETTLED_NS = 50_000_000

_LEFT_OUT = ("~", ".sample", ".off", ".bak", ".tmp", ".swp")


class Executable(NamedTuple):
    """A program that is called at one place."""

    name: str  # its path below hooks/
    place: Place
    path: str


def is_enabled(path: str) -> bool:
    """Whether there is a file at *path* that somebody may execute, and this process may."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and os.access(path, os.X_OK)


State = tuple[int, int, int]
"""Device, inode and time of the last change of a directory, in nanoseconds."""

_NONE: State = (0, 0, 0)  # there is none

Listing = dict[Place, tuple[Executable, ...]]


class Executables:
    """What there is, looked at again when the directory has changed. Thread-safe."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._found: Listing = {}
        self._seen: list[tuple[str, State]] | None = None  # directories below, and what they were; None: look
        self._state = _NONE
        self._lock = threading.Lock()

    def read(self) -> Listing:
        """Return the programs by place, enabled or not; the same object while nothing changed.

        Costs one ``stat`` when the directory holds no other directories: of its path, as another directory may have
        been put there.
        """
        state = _state_of(self._directory)
        if self._seen is not None and state == self._state and not (self._seen and self._is_stale()):
            return self._found
        with self._lock:
            self._look(_state_of(self._directory))
            return self._found

    def _is_stale(self) -> bool:
        return any(_state_of(path) != state for path, state in self._seen or ())

    def _look(self, state: State) -> None:
        names = _names(self._directory)
        seen: list[tuple[str, State]] = []
        found: Listing = {}
        for name, place in PLACES.items() if names else ():
            hooks = [Executable(name, place, f"{self._directory}/{name}")] if name in names else []
            if name + SEVERAL in names:
                several = f"{self._directory}/{name}{SEVERAL}"
                seen.append((several, _state_of(several)))
                hooks += [
                    Executable(f"{name}{SEVERAL}/{below}", place, f"{several}/{below}")
                    for below in sorted(_names(several))
                    if not below.endswith(_LEFT_OUT) and not below.startswith(".")
                ]
            if hooks:
                found[place] = tuple(hooks)
        newest_ns = max(changed_ns for _, _, changed_ns in (state, *(below for _, below in seen)))
        self._state = state
        self._seen = seen if time.time_ns() - newest_ns > _SETTLED_NS else None
        if found != self._found:
            self._found = found


def distrust(executable: Executable) -> str | None:
    """Return why *executable* must not be run, or None.

    Who can write to a store could otherwise have anything run by whoever uses it: by root, who mounts it. So what is
    run belongs to this user or to root, and so do a link to it and the directories from ``hooks/`` on; and nobody but
    the owner and a group may write there.
    """
    places = [executable.path]
    places += [executable.path[: -len(executable.name)] + above for above in _above(executable.name)]
    for place in places:
        for found in (os.lstat(place), os.stat(place)):
            if found.st_uid not in (0, os.geteuid()):
                return f"{place} belongs to uid {found.st_uid}; only what is yours or root's is run"
            if found.st_mode & stat.S_IWOTH and not stat.S_ISLNK(found.st_mode):
                return f"everybody may write to {place}; take that away: chmod o-w"
    return None


def _above(name: str) -> list[str]:
    """Return the directories from ``hooks/`` down to a hook, below ``hooks/``."""
    parts = name.split("/")[:-1]
    return ["", *("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))]


def list_unknown(directory: str) -> list[str]:
    """Return the names of executables in *directory* that are at no point, sorted: probably mistyped."""
    known = {*PLACES, *(name + SEVERAL for name in PLACES)}
    return sorted(
        name
        for name in _names(directory)
        if name not in known and not name.endswith(_LEFT_OUT) and name.startswith(("pre-", "post-"))
    )


def _names(directory: str) -> set[str]:
    try:
        return set(os.listdir(directory))
    except OSError:
        return set()


def _state_of(path: str) -> State:
    try:
        found = os.stat(path)
    except OSError:
        return _NONE
    return found.st_dev, found.st_ino, found.st_mtime_ns
