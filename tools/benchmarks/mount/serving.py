"""Mounting with a process of our own, and ending it whatever happens.

It gets a process session of its own: a Ctrl-C on the terminal reaches tools/bench alone, which unmounts before it ends.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple

from benchmarks.interrupts import uninterrupted
from benchmarks.measure import Skipped

_WAIT_SECONDS = 30.0
_END_SECONDS = 120.0  # everything is stored and synced first

_GREETING = "mounted "  # sessionfs mount
_OCTAL = re.compile(rb"\\([0-7]{3})")  # as mountinfo writes blanks


class Served(NamedTuple):
    """The process of a mount, and what it says."""

    pid: int
    log: IO[str]

    def said(self) -> list[str]:
        """Return its lines, without the one that greets."""
        self.log.seek(0)
        return [line for line in self.log.read().splitlines() if not line.startswith(_GREETING)]


@contextmanager
def serving(command: Sequence[str], point: str, unmount_with: Sequence[str] | None = None) -> Iterator[Served]:
    """Run *command*, which serves *point* while it runs; at the end unmount, and end it.

    Raises:
        Skipped: It did not mount.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
        try:
            served = Served(process.pid, log)
            _wait_for_mount(process, point, served)
            yield served
        finally:
            with uninterrupted():
                if not _unmount(point, unmount_with):
                    process.terminate()
                _end(process)
                _unmount(point)  # it was just about to mount


def is_mounted(point: str) -> bool:
    """Say whether something is mounted there; unlike ``os.path.ismount``, also when its process has died."""
    parent, name = os.path.split(os.fsencode(point))
    with open("/proc/self/mountinfo", "rb") as mounts:
        points = {_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), line.split()[4]) for line in mounts}
    return os.path.join(os.path.realpath(parent), name) in points


def _wait_for_mount(process: subprocess.Popen[bytes], point: str, served: Served) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not is_mounted(point):
        if process.poll() is not None or time.monotonic() > deadline:
            last = (served.said() or ["it said nothing"])[-1]
            raise Skipped(f"its process did not mount {point}: {last}.")
        time.sleep(0.002)
    os.statvfs(point)  # returns when it answers


def _unmount(point: str, unmount_with: Sequence[str] | None = None) -> bool:
    """Unmount, and say whether its process knows: not if there was no mount yet, or something is still open in it."""
    as_root = os.geteuid() == 0
    plain = ["umount", point] if as_root else ["fusermount3", "-u", point]
    for command in (unmount_with or plain, plain):
        if is_mounted(point) and _run(command) and not is_mounted(point):
            return True
    # Whoever was interrupted has files open. It must go all the same, or the scratch directory is removed through it.
    if is_mounted(point):
        _run(["umount", "-l", point] if as_root else ["fusermount3", "-uz", point])
    return False


def _run(command: Sequence[str]) -> bool:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    for demand in (process.terminate, process.kill):
        try:
            process.wait(_END_SECONDS)
            return
        except subprocess.TimeoutExpired:
            demand()
    process.wait()
