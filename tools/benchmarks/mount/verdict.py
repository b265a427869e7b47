"""What a table says: geometric means, and whether the bars of issue 3 are met."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.measure import Bar, at_most_times, geometric_mean
from benchmarks.mount.filesystems import SESSIONFS
from benchmarks.mount.rows import Row
from benchmarks.mount.table import Table

MEAN_BAR = at_most_times(3.0)
MEAN_MARK = at_most_times(2.4)
"""Ahead of C: what a passthrough in C reached in a table like this one."""

_PEER = "s3ql"


@dataclass(frozen=True)
class Decided:
    """A bar, and the ratio it was held against."""

    text: str
    ratio: float
    bar: Bar

    @property
    def met(self) -> bool:
        """Whether it is met."""
        return bool(self.bar.is_met(self.ratio, self.ratio))


def common_rows(table: Table) -> list[Row]:
    """Return the rows that every filesystem has a figure for: the only ones that a mean is taken over."""
    return [row for row in table.rows if all(table.ratio(row, name) is not None for name in table.names)]


def means(table: Table) -> dict[str, float]:
    """Return the geometric mean of the ratios of each filesystem over the common rows, the reference left out."""
    rows = common_rows(table)
    if not rows:
        return {}
    return {
        name: geometric_mean([ratio for row in rows if (ratio := table.ratio(row, name)) is not None])
        for name in table.names[1:]
    }


def decide(table: Table) -> list[Decided]:
    """Hold this mount against its bars; those of rows that were not measured are left out."""
    if SESSIONFS not in table.names:
        return []
    mean = means(table).get(SESSIONFS)
    decided = []
    if mean is not None:
        decided += [
            Decided("geometric mean", mean, MEAN_BAR),
            Decided("geometric mean, the mark to aim at", mean, MEAN_MARK),
        ]
    for row in table.rows:
        ratio = table.ratio(row, SESSIONFS)
        if row.bar is not None and ratio is not None:
            decided.append(Decided(row.name, ratio, row.bar))
    return decided


def slower_than_peer(table: Table) -> list[tuple[Row, float]] | None:
    """Return the rows in which this mount is slower than s3ql and by how much; None if one of them was not measured."""
    if not {SESSIONFS, _PEER} <= set(table.names):
        return None
    slower = []
    for row in table.rows:
        ours, theirs = table.ratio(row, SESSIONFS), table.ratio(row, _PEER)
        if ours is not None and theirs is not None and ours > theirs:
            slower.append((row, ours / theirs))
    return slower
