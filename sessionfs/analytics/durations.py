"""How long things took: of many durations, what can be said of them together."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from sessionfs.analytics.asking import sums, total


class Durations(msgspec.Struct, frozen=True, kw_only=True):
    """Durations in nanoseconds; a percentile is the smallest one that is not below so many of them (nearest rank)."""

    count: int
    total_ns: int
    shortest_ns: int
    median_ns: int
    p90_ns: int
    p99_ns: int
    longest_ns: int

    @property
    def average_ns(self) -> int:
        """Their arithmetic mean, rounded down."""
        return self.total_ns // self.count

    def to_dict(self) -> dict[str, int]:
        """Return it JSON-ready."""
        return {"average_ns": self.average_ns, **msgspec.structs.asdict(self)}


def durations_by(connection: sqlite3.Connection, source: str) -> dict[Any, Durations]:
    """Return durations by what they are of; nothing for what has none.

    Args:
        source: A SELECT of two columns: ``what``, and ``ns``, a whole number of 0 or more.
    """
    rows = connection.execute(
        f"""
        WITH ranked AS (
          SELECT what, ns, row_number() OVER (PARTITION BY what ORDER BY ns) AS place,
            count(*) OVER (PARTITION BY what) AS n
          FROM ({source})
        )
        SELECT what, n, {sums("ns")}, min(ns),
          max(CASE WHEN place = (n + 1) / 2 THEN ns END),
          max(CASE WHEN place = (9 * n + 9) / 10 THEN ns END),
          max(CASE WHEN place = (99 * n + 99) / 100 THEN ns END),
          max(ns)
        FROM ranked GROUP BY what
        """
    )
    return {
        what: Durations(
            count=count,
            total_ns=total(high, low),
            shortest_ns=shortest,
            median_ns=median,
            p90_ns=p90,
            p99_ns=p99,
            longest_ns=longest,
        )
        for what, count, high, low, shortest, median, p90, p99, longest in rows
    }
