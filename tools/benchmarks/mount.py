"""The mount: ordinary tools on Python's standard library in a session, beside the same on plain files.

Every round has a store and a mount of its own, so that no content is known from the round before. Both trees are on
the same filesystem, and what is copied in or out comes from, or goes to, plain files on it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import NamedTuple

from benchmarks import material
from benchmarks.measure import MILLISECONDS, Progress, Result, Skipped, geometric_mean, time_call
from benchmarks.scratch import Scratch

WAIT_SECONDS = 20.0

# Words of a command; TREE is the tree in the mount or beside it, SOURCE what was copied, OUT where copies go.
COMMANDS = {
    "cp -a into it": ("cp", "-a", "SOURCE", "TREE"),
    "find": ("find", "TREE", "-size", "+100k"),
    "grep -r": ("grep", "-r", "ABCMeta", "TREE"),
    "diff -r": ("diff", "-r", "SOURCE", "TREE"),
    "cp -a out of it": ("cp", "-a", "TREE", "OUT"),
    "rm -rf": ("rm", "-rf", "TREE"),
}

MOUNTED = "sessionfs mount"
UNMOUNTED = "sessionfs umount, everything stored"


class Timing(NamedTuple):
    """Nanoseconds of one command in one round."""

    ours_ns: float
    raw_ns: float


class Round(NamedTuple):
    """What one round has to itself."""

    number: int
    trees: tuple[str, str]  # in the mount, and beside it
    outs: tuple[str, str]
    timings: dict[str, Timing]


def measure_mount(scratch: Scratch, rounds: int, progress: Progress) -> list[Result]:
    """Return a row per command, the geometric mean of their ratios, and what mounting and unmounting took."""
    source = f"{scratch.new()}/source"
    progress("copying the standard library")
    shutil.copytree(material.stdlib_directory(), source, symlinks=True, ignore=_ignored)
    all_timings: list[dict[str, Timing]] = []
    try:
        # All mounts stay until the end, and rm -rf comes last: see Scratch for what deleting does to what comes after.
        with ExitStack() as stack:
            made = [_begin_round(scratch, number, stack) for number in range(rounds)]
            all_timings += [one.timings for one in made]
            for names in (list(COMMANDS)[:-1], list(COMMANDS)[-1:]):
                for one in made:
                    for name in names:
                        progress(f"{name}: round {one.number + 1} of {rounds}")
                        one.timings[name] = _time_both(name, source, one)
    except Skipped as reason:
        return [Result(name, None, None, MILLISECONDS.name, note=str(reason)) for name in COMMANDS]
    results = [_result(name, [timings[name] for timings in all_timings]) for name in (MOUNTED, *COMMANDS, UNMOUNTED)]
    mean = geometric_mean([result.ratio for result in results if result.ratio is not None])
    return [*results, Result("geometric mean of the ratios", mean, 1.0, "x")]


def _begin_round(scratch: Scratch, number: int, stack: ExitStack) -> Round:
    timings: dict[str, Timing] = {}
    point = scratch.new()
    stack.enter_context(_mounted(scratch.new(), point, timings))
    trees = (f"{point}/sessions/bench/artifacts/lib", f"{scratch.new()}/lib")
    return Round(number, trees, (f"{scratch.new()}/lib", f"{scratch.new()}/lib"), timings)


def _time_both(name: str, source: str, one: Round) -> Timing:
    ns = [0.0, 0.0]
    for side in (0, 1) if one.number % 2 == 0 else (1, 0):
        named = {"SOURCE": source, "TREE": one.trees[side], "OUT": one.outs[side]}
        ns[side] = _time_command(COMMANDS[name], named)
    return Timing(*ns)


def _result(name: str, timings: list[Timing]) -> Result:
    ours_ns, raw_ns = (median(timing[side] for timing in timings) for side in (0, 1))
    raw = MILLISECONDS.of(raw_ns) if raw_ns else None
    return Result(name, MILLISECONDS.of(ours_ns), raw, MILLISECONDS.name)


@contextmanager
def _mounted(store: str, point: str, timings: dict[str, Timing]) -> Iterator[None]:
    """Mount a new store with the session ``bench`` at *point*; unmounted in any case at the end."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise Skipped("/dev/fuse is missing or closed to this user.")
    _sessionfs("init", store)
    _sessionfs("--store", store, "session", "create", "--id", "bench")
    try:
        timings[MOUNTED] = Timing(time_call(lambda: _mount(store, point)), 0)
        yield
    finally:
        if os.path.ismount(point):
            try:
                timings[UNMOUNTED] = Timing(time_call(lambda: _sessionfs("umount", point)), 0)
            finally:
                if os.path.ismount(point):  # else the store would be removed through it
                    subprocess.run(["fusermount3", "-uz", point], check=False)


def _mount(store: str, point: str) -> None:
    _sessionfs("--store", store, "mount", point)
    deadline = time.monotonic() + WAIT_SECONDS
    while not os.path.ismount(point):
        if time.monotonic() > deadline:
            raise Skipped(f"{point} was not mounted after {WAIT_SECONDS:g} s.")
        time.sleep(0.001)


def _sessionfs(*words: str) -> None:
    script = os.path.join(sys.prefix, "bin", "sessionfs")
    if not os.access(script, os.X_OK):
        raise Skipped(f"{script} is not installed; tools/test installs it.")
    # Not a pipe: the mount that goes on in the background could keep it open.
    with tempfile.TemporaryFile("w+") as messages:
        done = subprocess.run(
            [script, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=messages, check=False
        )
        messages.seek(0)
        if done.returncode:
            raise Skipped(f"sessionfs {' '.join(words)} exited with {done.returncode}: {messages.read().strip()}")


def _time_command(words: tuple[str, ...], named: Mapping[str, str]) -> float:
    command = [named.get(word, word) for word in words]
    done: list[subprocess.CompletedProcess[bytes]] = []

    def run() -> None:
        done.append(subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False))

    ns = time_call(run)
    if done[0].returncode:
        raise Skipped(f"{' '.join(command)} exited with {done[0].returncode}.")
    return ns


def _ignored(directory: str, names: list[str]) -> list[str]:
    return [name for name in names if material.is_left_out(name)]
