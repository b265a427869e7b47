"""Days put together, so that a chart has a bar for each: a store may be some days old, or some years."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from sessionfs.analytics.stats import Day

MOST = 92
_LENGTHS = (1, 7, 28, 91, 364, 3640, 36_400)  # days
_SUMMED = ("sessions", "failed", "artifacts", "size", "calls", "failures", "errors")


def put_together(days: Iterable[Day]) -> tuple[int, list[Day]]:
    """Return how many days each bin has, and the bins, without gaps; each is called by its first day."""
    known = {date.fromisoformat(day.date).toordinal(): day for day in days}
    if not known:
        return 1, []
    first, last = min(known), max(known)
    length = next((length for length in _LENGTHS if (last - first) // length < MOST), _LENGTHS[-1])
    sums = [dict.fromkeys(_SUMMED, 0) for _ in range((last - first) // length + 1)]
    for number, day in known.items():
        into = sums[(number - first) // length]
        for field in _SUMMED:
            into[field] += getattr(day, field)
    begin = date.fromordinal(first)
    return length, [Day(date=(begin + timedelta(days=at * length)).isoformat(), **one) for at, one in enumerate(sums)]
