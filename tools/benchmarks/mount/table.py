"""The measuring: in each round every filesystem does a row, then all do the next.

A ratio is taken within a round, and its median over the rounds: what changes from round to round - the machine's speed,
the load of others - changes for all of them. (The ratio of medians compared rounds with each other: under load, a row
that was 1.2 times slower in every round came out as faster.)
"""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from errno import ENOSYS, ENOTSUP, EPERM
from statistics import median

from benchmarks.measure import MICROSECONDS, Progress, time_call
from benchmarks.mount import caches
from benchmarks.mount.filesystems import Filesystem
from benchmarks.mount.rows import Row, State
from benchmarks.mount.tools import Command, CommandFailed
from benchmarks.mount.work import Ground, Round, Work
from benchmarks.scratch import Scratch

_REFUSALS = (EPERM, ENOTSUP, ENOSYS)
_FAILURES = (OSError, sqlite3.Error, subprocess.SubprocessError, CommandFailed)


@dataclass
class Cell:
    """What one filesystem did in one row.

    Attributes:
        ns: By round, in nanoseconds: of an operation or of all, as the row's unit says.
        refused: It has no such thing.
        failure: What went wrong last, if something did.
    """

    ns: dict[int, float] = field(default_factory=dict)
    refused: bool = False
    failure: str | None = None

    @property
    def median_ns(self) -> float | None:
        """Return its figure; None without one."""
        return median(self.ns.values()) if self.ns else None


@dataclass(frozen=True)
class Table:
    """All that was measured: a cell for each row and filesystem, the reference first."""

    rows: tuple[Row, ...]
    names: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]

    def ratio(self, row: Row, name: str) -> float | None:
        """Return the time of the filesystem *name* divided by the reference's."""
        ours, raw = (self.cells[row.name, side].ns for side in (name, self.names[0]))
        ratios = [ours[number] / raw[number] for number in ours.keys() & raw.keys()]
        return median(ratios) if ratios else None


def measure_table(
    filesystems: Mapping[str, Filesystem],
    rows: Sequence[Row],
    scratch: Scratch,
    rounds: int,
    divisor: int,
    progress: Progress,
) -> Table:
    """Let all *filesystems* do all *rows*, the work of each row divided by *divisor*.

    Args:
        filesystems: By name; the reference is the first.
    """
    table = Table(tuple(rows), tuple(filesystems), {(row.name, name): Cell() for row in rows for name in filesystems})
    pids = [filesystem.pid for filesystem in filesystems.values() if filesystem.pid is not None]
    empty = scratch.new()
    for number in range(rounds):
        one = Round(scratch)
        grounds = {name: Ground(filesystem, one) for name, filesystem in filesystems.items()}
        for row in rows:
            for name in _in_turn(table.names, number):
                progress(f"round {number + 1} of {rounds}: {row.name}: {name}")
                cell = table.cells[row.name, name]
                try:
                    work = Work(row.name, grounds[name], max(row.count // divisor, 1))
                    cell.ns[number] = _measure(row, work, filesystems[name], pids, empty)
                except _FAILURES as failure:
                    cell.refused = isinstance(failure, OSError) and failure.errno in _REFUSALS
                    cell.failure = f"{type(failure).__name__}: {failure}"
    return table


def _in_turn(names: Sequence[str], number: int) -> Sequence[str]:
    """Return *names* with another one first in each round: each finds the caches as the one before has left them."""
    first = number % len(names)
    return [*names[first:], *names[:first]]


def _measure(row: Row, work: Work, filesystem: Filesystem, pids: Sequence[int], empty: str) -> float:
    """Return the nanoseconds of the timed part, or of one of its operations."""
    with work.at_end:
        run = row.prepare(work)
        if row.state is State.WARM:
            run()
        filesystem.settle()
        if row.state is State.COLD:
            caches.drop()
            if isinstance(run, Command):
                run.load(empty)
        caches.wait_until_quiet(pids)
        return time_call(run) / (work.count if row.unit is MICROSECONDS else 1)
