"""A time axis with breaks: long stretches in which nothing happens are cut out, so that what happens can be seen.

A session may rest over night, and a machine without a clock may record its first event in 1970. So many of the longest
stretches are cut out that each is longer than half of what is left then; a few at most.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

import msgspec

from sessionfs.clock import format_time

MAX_BREAKS = 10
_BREAK_PART = 0.02  # of the width, for each break
_LONGEST_PART = 0.5
_SHORTEST_NS = 1_000_000  # an axis is not shorter


class Stretch(msgspec.Struct, frozen=True):
    """A part of the axis without a break, in nanoseconds since the epoch."""

    begin_ns: int
    end_ns: int


class Axis(msgspec.Struct, frozen=True):
    """Stretches of time, one after the other; what lies between them is cut out."""

    stretches: tuple[Stretch, ...]

    @property
    def begin_ns(self) -> int:
        """Where it begins."""
        return self.stretches[0].begin_ns

    @property
    def end_ns(self) -> int:
        """Where it ends."""
        return self.stretches[-1].end_ns

    @property
    def shown_ns(self) -> int:
        """How much time it shows."""
        return sum(stretch.end_ns - stretch.begin_ns for stretch in self.stretches)

    def places(self) -> list[tuple[float, float]]:
        """Return from where to where each stretch goes: 0 is the beginning of the axis, and 1 its end."""
        left = 1 - _BREAK_PART * (len(self.stretches) - 1)
        found, at = [], 0.0
        for stretch in self.stretches:
            width = left * (stretch.end_ns - stretch.begin_ns) / self.shown_ns
            found.append((at, at + width))
            at += width + _BREAK_PART
        return found

    def to_dict(self) -> list[dict[str, Any]]:
        """Return it JSON-ready."""
        return [
            {"begin_at": format_time(stretch.begin_ns), "end_at": format_time(stretch.end_ns)}
            for stretch in self.stretches
        ]


class Ruler:
    """Says where on an axis moments are."""

    def __init__(self, axis: Axis) -> None:
        self._stretches = axis.stretches
        self._places = axis.places()
        self._begins = [stretch.begin_ns for stretch in axis.stretches]

    def place(self, time_ns: int) -> float:
        """Return where a moment is, from 0 to 1; one that is cut out is at the edge of the break."""
        at = max(bisect_right(self._begins, time_ns) - 1, 0)
        stretch, (begin, end) = self._stretches[at], self._places[at]
        part = (time_ns - stretch.begin_ns) / max(stretch.end_ns - stretch.begin_ns, 1)
        return begin + (end - begin) * min(max(part, 0.0), 1.0)

    def moment(self, place: float) -> int:
        """Return which moment is at a place; inside of a break the moment before it."""
        at = max(bisect_right([begin for begin, _ in self._places], place) - 1, 0)
        stretch, (begin, end) = self._stretches[at], self._places[at]
        part = min((place - begin) / (end - begin), 1.0) if end > begin else 0.0
        return stretch.begin_ns + round(part * (stretch.end_ns - stretch.begin_ns))


def fit_axis(spans: Iterable[tuple[int, int]]) -> Axis | None:
    """Return an axis on which *spans* - beginnings and ends, sorted - can be seen; None when there are none.

    They are gone through once, in little memory.
    """
    first = last = None
    gaps: list[tuple[int, int, int]] = []  # the longest: length, beginning, end
    for begin, end in spans:
        if first is None or last is None:
            first, last = begin, end
            continue
        if begin > last:
            heapq.heappush(gaps, (begin - last, last, begin))
            if len(gaps) > MAX_BREAKS:
                heapq.heappop(gaps)
        last = max(last, end)
    if first is None or last is None:
        return None
    longest = sorted(gaps, reverse=True)
    shown, cut = last - first, []
    while longest:
        left = last - first - sum(length for length, _, _ in longest)
        if longest[-1][0] > left * _LONGEST_PART:
            shown, cut = left, [(begin, end) for _, begin, end in longest]
            break
        longest.pop()
    edges = [first, *(edge for gap in sorted(cut) for edge in gap), last]
    # What happened all in one moment has some room, too.
    spare = max(_SHORTEST_NS - shown, 0) // max(len(edges) // 2, 1)
    return Axis(tuple(Stretch(edges[at], edges[at + 1] + spare) for at in range(0, len(edges), 2)))
