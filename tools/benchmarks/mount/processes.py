"""What /proc says about a filesystem's process."""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple


class Memory(NamedTuple):
    """Resident memory of a process."""

    now_bytes: int
    peak_bytes: int


def memory(pid: int) -> Memory:
    """Return what it has now, and the most it had since it began or since :func:`reset_peak`."""
    sizes = {}
    for line in _read(pid, "status").splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM"):
            sizes[name] = int(value.split()[0]) << 10
    return Memory(sizes["VmRSS"], sizes["VmHWM"])


def reset_peak(pid: int) -> None:
    """Let the peak begin anew at what it has now."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # proc(5): resets VmHWM


def cpu_ns(pid: int) -> int:
    """Return the CPU time its threads had, to the nanosecond; utime and stime count ticks of 10 ms."""
    total = 0
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                total += int(_read(pid, f"task/{thread}/schedstat").split()[0])
    return total


def written_bytes(pid: int) -> int:
    """Return what it made the disk write: pages it dirtied, less those thrown away before they were written."""
    fields = dict(line.split(": ") for line in _read(pid, "io").splitlines())
    return int(fields["write_bytes"]) - int(fields["cancelled_write_bytes"])


def descriptors(pid: int) -> int:
    """Return how many descriptors it has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def _read(pid: int, name: str) -> str:
    with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
        return file.read()
