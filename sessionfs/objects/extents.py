"""Which parts of something have been written: pure bookkeeping."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Extents:
    """Disjoint ranges in their order, widened to whole granules, so that random writes do not become millions."""

    __slots__ = ("_ends", "_granule", "_starts")

    def __init__(self, granule: int = 1) -> None:
        self._granule = granule
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._ends, strict=True)

    def add(self, start: int, end: int) -> None:
        """Add the bytes from *start* to *end* (not empty)."""
        start -= start % self._granule
        end += -end % self._granule
        # The ranges that touch it become one with it.
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def cut(self, size: int) -> None:
        """Forget everything from *size* on."""
        del self._starts[bisect_left(self._starts, size) :]
        del self._ends[len(self._starts) :]
        if self._ends:
            self._ends[-1] = min(self._ends[-1], size + -size % self._granule)

    def cover(self, size: int) -> Iterator[tuple[int, int, bool]]:
        """Yield all from 0 to *size*, in order, as ranges that were written (True) or not."""
        done = 0
        for start, end in self:
            if done < min(start, size):
                yield done, min(start, size), False
            if start >= size:
                done = size
                break
            done = min(end, size)
            yield start, done, True
        if done < size:
            yield done, size, False
