"""Asking the index about many sessions at once.

The sessions that are meant are chosen first: their keys stand in a table that only this connection sees, ``chosen``,
for as long as the questions last. Whole numbers are summed up exactly: SQLite's ``sum`` fails when 64 bits are too few,
and callers may record whatever they like.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator

from sessionfs.index.conditions import of_session
from sessionfs.query.terms import Query

CHOSEN = "session IN (SELECT key FROM chosen)"
"""The condition that a row is of a session that was chosen, as ``session`` says."""

CHOSEN_KEY = "key IN (SELECT key FROM chosen)"
"""The same of a row of ``sessions``."""

_BASE = 1_000_000_000
_DAY_NS = 86_400 * 1_000_000_000

# An index in memory has one connection for all threads, and so one table of what is chosen.
_one_at_a_time = threading.Lock()


@contextlib.contextmanager
def choosing(connection: sqlite3.Connection, query: Query) -> Iterator[None]:
    """Let ``chosen`` hold the keys of the sessions that fit *query*."""
    where = of_session(query.where)
    with _one_at_a_time:
        connection.execute("DROP TABLE IF EXISTS temp.chosen")  # what a question that failed has left
        connection.execute("CREATE TEMP TABLE chosen (key INTEGER PRIMARY KEY)")
        connection.execute(
            f"INSERT INTO chosen SELECT s.key FROM sessions s WHERE s.is_there AND {where.text}", where.values
        )
        yield
        connection.execute("DROP TABLE temp.chosen")


def counted(column: str) -> str:
    """Return the condition that a column of an event holds a number that can be one: callers record anything."""
    return f"(typeof({column}) = 'integer' AND {column} >= 0)"


def sums(expression: str) -> str:
    """Return two columns for :func:`total`: a sum in two parts, neither of which can overflow."""
    return f"sum({expression} / {_BASE}), sum({expression} % {_BASE})"


def total(high: int | None, low: int | None) -> int:
    """Return the sum that :func:`sums` gave in two parts; 0 of nothing."""
    return (high or 0) * _BASE + (low or 0)


def day(column: str) -> str:
    """Return the number of a moment's day, in UTC, since the epoch; also of moments before it."""
    return f"CAST(({column} - CASE WHEN {column} < 0 THEN {_DAY_NS - 1} ELSE 0 END) / {_DAY_NS} AS INTEGER)"
