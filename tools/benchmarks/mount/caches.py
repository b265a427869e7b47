"""The state everything is in when a timed part begins: synced and quiet, with the kernel's caches as the row says."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from benchmarks.mount.processes import cpu_ns

_DROP = "/proc/sys/vm/drop_caches"
_ALL = b"3"  # pages, and dentries and inodes

_LOOK_SECONDS = 0.005
_QUIET_NS = 200_000  # of CPU between two looks: a thread of Go's runtime wakes now and then for less
_QUIET_LOOKS = 2
_PATIENCE_SECONDS = 5.0


def can_drop() -> bool:
    """Say whether this user may drop the kernel's caches."""
    return os.geteuid() == 0 and os.access(_DROP, os.W_OK)


def drop() -> None:
    """Drop them, for all filesystems at once: there is no way to do it for one. What is dirty must be synced before."""
    fd = os.open(_DROP, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, _ALL)
    finally:
        os.close(fd)


def wait_until_quiet(pids: Iterable[int]) -> None:
    """Wait until the processes use no CPU: dropped inodes are told to each of them, and others store in the background.

    It gives up after a few seconds: one that never rests is part of the measurement.
    """
    pids = tuple(pids)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    before, quiet = _total_ns(pids), 0
    while quiet < _QUIET_LOOKS and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        now = _total_ns(pids)
        quiet = quiet + 1 if abs(now - before) < _QUIET_NS else 0
        before = now


def _total_ns(pids: Iterable[int]) -> int:
    return sum(map(cpu_ns, pids))
