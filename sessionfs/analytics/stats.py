"""How many, how large, how long: numbers about sessions, by status, tag, type and day."""

from __future__ import annotations

import sqlite3
from datetime import date
from typing import Any

import msgspec

from sessionfs.analytics.asking import CHOSEN, CHOSEN_KEY, choosing, counted, day, sums, total
from sessionfs.analytics.durations import Durations, durations_by
from sessionfs.analytics.holdings import surveyed
from sessionfs.analytics.space import Sizes, content_sizes
from sessionfs.index import Index
from sessionfs.index.schema import PAST, PRESENT
from sessionfs.query.terms import Query
from sessionfs.sessions import Status
from sessionfs.store.store import Store

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_CALLS = "('tool.invoked', 'agent.executed')"


class TypeCount(msgspec.Struct, frozen=True, kw_only=True):
    """The artifacts of one type that are there now."""

    type: str
    count: int
    size: int  # bytes


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What happened on one day, in UTC."""

    date: str  # 2026-11-20
    sessions: int = 0  # begun
    failed: int = 0  # of these, so far
    artifacts: int = 0  # created, of those that are there now
    size: int = 0  # bytes of these
    calls: int = 0  # of tools, and turns of agents
    failures: int = 0  # of these
    errors: int = 0  # error.occurred


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers about the sessions that were asked about."""

    session_count: int
    by_status: dict[str, int]  # all five
    by_tag: dict[str, int]  # the most frequent first
    untagged_count: int
    damaged_count: int  # sessions whose logs are damaged: what is counted of them is what can be read
    artifact_count: int  # there now, directories left out
    version_count: int  # those, and what was there once
    by_type: tuple[TypeCount, ...]  # of those that are there now; the most frequent first
    event_count: int  # records in logs
    by_event: dict[str, int]  # of types that programs record
    sizes: Sizes
    durations: Durations | None  # of the sessions that ended, from start to end; None when none did
    days: tuple[Day, ...]  # those on which anything happened, in order

    @property
    def artifacts_per_session(self) -> float:
        """How many artifacts a session has on average."""
        return self.artifact_count / max(self.session_count, 1)

    @property
    def events_per_session(self) -> float:
        """How many records a session has on average."""
        return self.event_count / max(self.session_count, 1)

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return {
            **plain,
            "by_type": list(plain["by_type"]),
            "days": list(plain["days"]),
            "artifacts_per_session": round(self.artifacts_per_session, 3),
            "events_per_session": round(self.events_per_session, 3),
            "durations": None if self.durations is None else self.durations.to_dict(),
        }


def measure(store: Store, index: Index, query: Query, *, sizes: Sizes | None = None) -> Stats:
    """Return numbers about the sessions that fit *query*.

    Args:
        sizes: What their content takes, if that is known: otherwise the whole store is surveyed.

    Raises:
        Error: The store cannot be read, or the index neither used nor made.
    """

    def ask(connection: sqlite3.Connection) -> Stats:
        with choosing(connection, query):
            if sizes is not None:
                return _measure(connection, sizes)
            with surveyed(connection, store):
                found = content_sizes(connection)
            return _measure(connection, found)

    return index.ask(ask)


def _measure(connection: sqlite3.Connection, sizes: Sizes) -> Stats:
    by_status, session_count, damaged_count, event_count = _count_sessions(connection)
    by_standing = dict(
        connection.execute(f"SELECT standing, count(*) FROM artifacts NOT INDEXED WHERE {CHOSEN} GROUP BY standing")
    )
    tags = f"SELECT t.tag, count(*) FROM session_tags t WHERE t.{CHOSEN} GROUP BY 1"
    (tagged_count,) = connection.execute(f"SELECT count(DISTINCT session) FROM session_tags WHERE {CHOSEN}").fetchone()
    artifact_count = by_standing.get(PRESENT, 0)
    return Stats(
        session_count=session_count,
        by_status=by_status,
        by_tag=dict(connection.execute(f"{tags} ORDER BY 2 DESC, 1")),
        untagged_count=session_count - tagged_count,
        damaged_count=damaged_count,
        artifact_count=artifact_count,
        version_count=artifact_count + by_standing.get(PAST, 0),
        by_type=_count_types(connection),
        event_count=event_count,
        by_event=dict(connection.execute(f"SELECT type, count(*) FROM events WHERE {CHOSEN} GROUP BY 1 ORDER BY 1")),
        sizes=sizes,
        durations=_durations(connection),
        days=_days(connection),
    )


def _count_sessions(connection: sqlite3.Connection) -> tuple[dict[str, int], int, int, int]:
    """Return how many sessions there are by status, in all, and damaged; and how many records they have."""
    by_status = {status.value: 0 for status in Status}
    session_count = damaged_count = event_count = 0
    for status, count, damaged, events in connection.execute(
        f"SELECT status, count(*), count(damage), sum(event_count) FROM sessions WHERE {CHOSEN_KEY} GROUP BY status"
    ):
        by_status[status] = count
        session_count += count
        damaged_count += damaged
        event_count += events
    return by_status, session_count, damaged_count, event_count


def _count_types(connection: sqlite3.Connection) -> tuple[TypeCount, ...]:
    rows = connection.execute(
        f"SELECT type, count(*), {sums('size')} FROM artifacts NOT INDEXED WHERE standing = {PRESENT} AND {CHOSEN} "
        "GROUP BY type ORDER BY 2 DESC, 1"
    )
    return tuple(TypeCount(type=kind, count=count, size=total(high, low)) for kind, count, high, low in rows)


def _durations(connection: sqlite3.Connection) -> Durations | None:
    # Where a clock was set back while a session ran nobody knows how long it took.
    source = (
        "SELECT 0 AS what, ended_ns - started_ns AS ns FROM sessions "
        f"WHERE {CHOSEN_KEY} AND {counted('ended_ns - started_ns')}"
    )
    return durations_by(connection, source).get(0)


def _days(connection: sqlite3.Connection) -> tuple[Day, ...]:
    found: dict[int, dict[str, int]] = {}
    questions = (
        (
            ("sessions", "failed"),
            f"SELECT {day('created_ns')}, count(*), sum(status = 'failed') FROM sessions WHERE {CHOSEN_KEY} GROUP BY 1",
        ),
        (
            ("calls", "failures", "errors"),
            f"SELECT {day('time_ns')}, sum(type IN {_CALLS}), sum(type IN {_CALLS} AND error IS NOT NULL), "
            f"sum(type = 'error.occurred') FROM events WHERE {CHOSEN} GROUP BY 1",
        ),
    )
    for names, question in questions:
        for number, *counts in connection.execute(question):
            found.setdefault(number, {}).update(zip(names, counts, strict=True))
    for number, count, high, low in connection.execute(
        f"SELECT {day('created_ns')}, count(*), {sums('size')} FROM artifacts NOT INDEXED "
        f"WHERE standing = {PRESENT} AND {CHOSEN} GROUP BY 1"
    ):
        found.setdefault(number, {}).update(artifacts=count, size=total(high, low))
    return tuple(
        Day(date=date.fromordinal(_EPOCH_DAY + number).isoformat(), **found[number]) for number in sorted(found)
    )
