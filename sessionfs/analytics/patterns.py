"""What agents, tools and workflows did, and what went wrong: from what programs recorded."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from sessionfs.analytics.asking import CHOSEN, CHOSEN_KEY, choosing, counted, sums, total
from sessionfs.analytics.durations import Durations, durations_by
from sessionfs.analytics.sequences import Sequence, find_sequences
from sessionfs.clock import format_time
from sessionfs.index import Index
from sessionfs.query.terms import Query

SEQUENCES = 20
BUSIEST = 20
_NAMES_SHOWN = 5


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """How one tool, agent or workflow was used. What was recorded without a name has an empty one."""

    name: str
    calls: int
    failures: int
    session_count: int
    durations: Durations | None  # of the calls that say how long they took; None when none does
    input_tokens: int
    output_tokens: int
    last_ns: int

    @property
    def failure_rate(self) -> float:
        """How many of the calls failed: 0 to 1."""
        return self.failures / self.calls

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "name": self.name,
            "calls": self.calls,
            "failures": self.failures,
            "failure_rate": round(self.failure_rate, 4),
            "session_count": self.session_count,
            "durations": None if self.durations is None else self.durations.to_dict(),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "last_at": format_time(self.last_ns),
        }


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Errors and warnings with one code: that of what was recorded, or the type of what a call failed with."""

    code: str  # empty for what has none
    count: int
    errors: int  # of these, error.occurred
    warnings: int  # warning.raised
    failures: int  # calls and turns that failed
    session_count: int
    names: tuple[str, ...]  # of the tools, agents and workflows that failed so; the most frequent first, five at most
    first_ns: int
    last_ns: int
    last_id: str  # the latest event, "<session>:<seq>"

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        plain = {**msgspec.structs.asdict(self), "names": list(self.names)}
        plain["first_at"], plain["last_at"] = format_time(plain.pop("first_ns")), format_time(plain.pop("last_ns"))
        return plain


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    """A session in which much happened."""

    id: str
    name: str | None
    status: str
    events: int  # records in its log
    calls: int  # of tools, and turns of agents
    failures: int
    tokens: int  # in and out
    artifacts: int
    size: int  # bytes
    duration_ns: int | None  # until it ended, or until its last record; None where the clock was set back meanwhile


class Patterns(msgspec.Struct, frozen=True, kw_only=True):
    """What was done in the sessions that were asked about; what occurs most comes first."""

    tools: tuple[Use, ...]
    agents: tuple[Use, ...]
    workflows: tuple[Use, ...]
    troubles: tuple[Trouble, ...]
    sequences: tuple[Sequence, ...]  # of tools; the most frequent
    busiest: tuple[Busy, ...]  # sessions; the busiest

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "tools": [use.to_dict() for use in self.tools],
            "agents": [use.to_dict() for use in self.agents],
            "workflows": [use.to_dict() for use in self.workflows],
            "troubles": [trouble.to_dict() for trouble in self.troubles],
            "sequences": msgspec.to_builtins(list(self.sequences)),
            "busiest": msgspec.to_builtins(list(self.busiest)),
        }


def find_patterns(
    index: Index, query: Query, *, sequence_limit: int = SEQUENCES, busiest_limit: int = BUSIEST
) -> Patterns:
    """Return what was done in the sessions that fit *query*.

    Raises:
        Error: The store cannot be read, or the index neither used nor made.
    """

    def ask(connection: sqlite3.Connection) -> Patterns:
        with choosing(connection, query):
            return Patterns(
                tools=_uses(connection, "tool.invoked"),
                agents=_uses(connection, "agent.executed"),
                workflows=_uses(connection, "workflow.completed"),
                troubles=_troubles(connection),
                sequences=find_sequences(connection, sequence_limit),
                busiest=_busiest(connection, busiest_limit),
            )

    return index.ask(ask)


def _tokens(column: str) -> str:
    return sums(f"CASE WHEN {counted(column)} THEN {column} ELSE 0 END")


def _uses(connection: sqlite3.Connection, event_type: str) -> tuple[Use, ...]:
    where = f"type = '{event_type}' AND {CHOSEN}"
    durations = durations_by(
        connection,
        f"SELECT ifnull(name, '') AS what, duration_ns AS ns FROM events WHERE {where} AND {counted('duration_ns')}",
    )
    rows = connection.execute(
        f"""
        SELECT ifnull(name, ''), count(*), count(error), count(DISTINCT session),
          {_tokens("input_tokens")}, {_tokens("output_tokens")}, max(time_ns)
        FROM events WHERE {where} GROUP BY 1 ORDER BY 2 DESC, 1
        """
    )
    return tuple(
        Use(
            name=name,
            calls=calls,
            failures=failures,
            session_count=sessions,
            durations=durations.get(name),
            input_tokens=total(in_high, in_low),
            output_tokens=total(out_high, out_low),
            last_ns=int(last),
        )
        for name, calls, failures, sessions, in_high, in_low, out_high, out_low, last in rows
    )


def _troubles(connection: sqlite3.Connection) -> tuple[Trouble, ...]:
    where = f"{CHOSEN} AND (error IS NOT NULL OR type IN ('error.occurred', 'warning.raised'))"
    rows = connection.execute(
        f"""
        SELECT ifnull(error, '') AS code, count(*), sum(type = 'error.occurred'), sum(type = 'warning.raised'),
          count(DISTINCT session), min(time_ns), max(time_ns)
        FROM events WHERE {where} GROUP BY 1 ORDER BY 2 DESC, 1
        """
    ).fetchall()
    names: dict[str, list[str]] = {}
    for code, name in connection.execute(
        f"""
        SELECT code, name FROM (
          SELECT ifnull(error, '') AS code, name, row_number() OVER (
            PARTITION BY ifnull(error, '') ORDER BY count(*) DESC, name
          ) AS place
          FROM events WHERE {where} AND name IS NOT NULL GROUP BY 1, 2
        ) WHERE place <= {_NAMES_SHOWN} ORDER BY code, place
        """
    ):
        names.setdefault(code, []).append(name)
    latest = dict(
        connection.execute(
            f"""
            SELECT code, (SELECT s.id FROM sessions s WHERE s.key = session) || ':' || seq FROM (
              SELECT ifnull(error, '') AS code, session, seq, row_number() OVER (
                PARTITION BY ifnull(error, '') ORDER BY time_ns DESC, session DESC, seq DESC
              ) AS place
              FROM events WHERE {where}
            ) WHERE place = 1
            """
        )
    )
    return tuple(
        Trouble(
            code=code,
            count=count,
            errors=errors,
            warnings=warnings,
            failures=count - errors - warnings,
            session_count=sessions,
            names=tuple(names.get(code, ())),
            first_ns=int(first),
            last_ns=int(last),
            last_id=latest[code],
        )
        for code, count, errors, warnings, sessions, first, last in rows
    )


def _busiest(connection: sqlite3.Connection, limit: int) -> tuple[Busy, ...]:
    rows = connection.execute(
        f"""
        WITH called AS (
          SELECT session, count(*) AS calls, count(error) AS failures,
            {_named("tokens_high", "tokens_low", "input_tokens")}, {_named("more_high", "more_low", "output_tokens")}
          FROM events WHERE {CHOSEN} AND type IN ('tool.invoked', 'agent.executed') GROUP BY session
        )
        SELECT s.id, s.name, s.status, s.event_count, ifnull(c.calls, 0), ifnull(c.failures, 0),
          ifnull(c.tokens_high + c.more_high, 0), ifnull(c.tokens_low + c.more_low, 0), s.artifact_count, s.size,
          ifnull(s.ended_ns, s.updated_ns) - s.started_ns
        FROM sessions s LEFT JOIN called c ON c.session = s.key WHERE s.{CHOSEN_KEY}
        ORDER BY s.event_count DESC, s.id LIMIT {int(limit)}
        """
    )
    return tuple(
        Busy(
            id=session_id,
            name=name,
            status=status,
            events=events,
            calls=calls,
            failures=failures,
            tokens=total(high, low),
            artifacts=artifacts,
            size=size,
            duration_ns=int(duration) if duration is not None and duration >= 0 else None,
        )
        for session_id, name, status, events, calls, failures, high, low, artifacts, size, duration in rows
    )


def _named(high: str, low: str, column: str) -> str:
    first, second = _tokens(column).split(", sum", 1)
    return f"{first} AS {high}, sum{second} AS {low}"
