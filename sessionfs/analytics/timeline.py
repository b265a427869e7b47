"""What a session did against time: agents, tools, artifacts and errors, and its children below it.

As many steps as can be told apart in a picture are kept, and what happens within one step is put together: a timeline
has the same size whether a session has a hundred events or a million.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from sessionfs.analytics.asking import counted
from sessionfs.analytics.axis import Axis, Ruler, fit_axis
from sessionfs.analytics.family import Member, read_family
from sessionfs.clock import format_time
from sessionfs.index import Index
from sessionfs.index.schema import DIRECTORY

STEPS = 1000
LANES = 40
SESSIONS = 50

_LANE_OF_TYPE = {
    "workflow.started": "workflow",
    "workflow.completed": "workflow",
    "agent.executed": "agent",
    "tool.invoked": "tool",
    "error.occurred": "error",
    "warning.raised": "warning",
}
KINDS = ("workflow", "agent", "tool", "artifact", "error", "warning", "custom")
"""What lanes are of, in the order in which they are shown."""

LANE_NAMES = {"artifact": "artifacts", "error": "errors", "warning": "warnings", "custom": "other events"}
"""What people call the lanes that have no name of their own, by kind."""

_TIMED = ("workflow", "agent", "tool")


class Span(msgspec.Struct, frozen=True):
    """A time during which something ran; several calls, where they cannot be told apart."""

    begin_ns: int
    end_ns: int
    count: int


class Mark(msgspec.Struct, frozen=True):
    """Something that happened at a moment; several, where they cannot be told apart."""

    time_ns: int
    count: int


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """What one tool, agent or workflow did; or all artifacts, errors, warnings or other events of a session."""

    kind: str  # one of KINDS
    name: str  # of the tool, agent or workflow
    count: int
    failures: int
    spans: tuple[Span, ...]  # when it ran; of tools, agents and workflows
    marks: tuple[Mark, ...]  # when it failed; of the others when they happened


class SessionLanes(msgspec.Struct, frozen=True, kw_only=True):
    """What one session did."""

    id: str
    name: str | None
    status: str
    depth: int  # 0 for the session that was asked for, 1 for its children
    begin_ns: int
    end_ns: int | None  # None while it goes on
    seen_ns: int  # when anything in it changed last
    lanes: tuple[Lane, ...]
    hidden_lane_count: int  # of tools, agents and workflows that were called least


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """A session and those that descend from it, against time."""

    axis: Axis
    sessions: tuple[SessionLanes, ...]  # each before its children
    hidden_session_count: int

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready, times as RFC 3339."""
        return {
            "axis": self.axis.to_dict(),
            "sessions": [_session_to_dict(session) for session in self.sessions],
            "hidden_session_count": self.hidden_session_count,
        }


def _session_to_dict(session: SessionLanes) -> dict[str, Any]:
    return {
        "id": session.id,
        "name": session.name,
        "status": session.status,
        "depth": session.depth,
        "begin_at": format_time(session.begin_ns),
        "end_at": None if session.end_ns is None else format_time(session.end_ns),
        "lanes": [
            {
                "kind": lane.kind,
                "name": lane.name,
                "count": lane.count,
                "failures": lane.failures,
                "spans": [[format_time(one.begin_ns), format_time(one.end_ns), one.count] for one in lane.spans],
                "marks": [[format_time(mark.time_ns), mark.count] for mark in lane.marks],
            }
            for lane in session.lanes
        ],
        "hidden_lane_count": session.hidden_lane_count,
    }


def draw_timeline(
    index: Index, session_id: str, *, steps: int = STEPS, max_lanes: int = LANES, max_sessions: int = SESSIONS
) -> Timeline | None:
    """Return what a session and its descendants did; None when it is not there.

    Args:
        steps: How many moments are told apart.
        max_lanes: Of each session's tools, agents and workflows, those that were called most.
        max_sessions: The first of the descendants.

    Raises:
        Error: The store cannot be read, or the index neither used nor made.
    """

    def ask(connection: sqlite3.Connection) -> Timeline | None:
        members = read_family(connection, session_id)
        shown = {_key_of(connection, member): member for member in members[:max_sessions]}
        axis = fit_axis(_spans(connection, list(shown)))
        if axis is None:
            return None
        return Timeline(
            axis=axis,
            sessions=tuple(_lanes_of(connection, key, shown[key], axis, steps, max_lanes) for key in shown),
            hidden_session_count=len(members) - len(shown),
        )

    return index.ask(ask)


def _key_of(connection: sqlite3.Connection, member: Member) -> int:
    (key,) = connection.execute("SELECT key FROM sessions WHERE id = ?", (member.id,)).fetchone()
    return int(key)


# A call is recorded when it ends. What says that it took longer than its session is taken at its word up to its start.
_BEGIN = f"""CASE WHEN {counted("e.duration_ns")}
  THEN max(e.time_ns - e.duration_ns, min(s.created_ns, e.time_ns)) ELSE e.time_ns END"""

_IS_WORKFLOW = "e.type = 'workflow.completed'"

# When a version was stored is known of the first one; of others when anything about it changed last. What a fork
# began with was not stored in it.
_STORED = f"""SELECT session, CASE WHEN version = 1 THEN created_ns ELSE updated_ns END AS at
  FROM artifacts WHERE standing != {DIRECTORY} AND maker IS NULL AND session = ?"""


def _spans(connection: sqlite3.Connection, keys: list[int]) -> Iterator[tuple[int, int]]:
    """Yield from when to when anything happened, sorted by the beginnings.

    That a workflow was not over does not mean that anything happened: of workflows only the beginning and the end do.
    """
    some = f"({', '.join(map(str, keys))})"
    rows = connection.execute(
        f"""
        SELECT {_BEGIN} AS begin, CASE WHEN {_IS_WORKFLOW} THEN {_BEGIN} ELSE e.time_ns END
        FROM events e JOIN sessions s ON s.key = e.session WHERE e.session IN {some}
        UNION ALL SELECT time_ns, time_ns FROM events e WHERE {_IS_WORKFLOW} AND e.session IN {some}
        UNION ALL SELECT at, at FROM ({_STORED.replace("= ?", f"IN {some}")})
        UNION ALL SELECT created_ns, created_ns FROM sessions WHERE key IN {some}
        UNION ALL SELECT ended_ns, ended_ns FROM sessions WHERE key IN {some} AND ended_ns IS NOT NULL
        UNION ALL SELECT updated_ns, updated_ns FROM sessions WHERE key IN {some}
        ORDER BY 1
        """
    )
    return ((int(begin), int(end)) for begin, end in rows)


def _lanes_of(
    connection: sqlite3.Connection, key: int, member: Member, axis: Axis, steps: int, max_lanes: int
) -> SessionLanes:
    ruler = Ruler(axis)
    lanes: dict[tuple[str, str], _Filling] = {}
    rows = connection.execute(
        f"SELECT e.type, ifnull(e.name, ''), {_BEGIN}, e.time_ns, e.error IS NOT NULL "
        "FROM events e JOIN sessions s ON s.key = e.session WHERE e.session = ? ORDER BY e.seq",
        (key,),
    )
    for event_type, name, begin_ns, time_ns, has_failed in rows:
        kind = _LANE_OF_TYPE.get(event_type, "custom")
        of = kind, name if kind in _TIMED else ""
        lane = lanes.get(of)
        if lane is None:
            lane = lanes[of] = _Filling(ruler, steps)
        if event_type == "workflow.started":
            lane.begun_ns.append(int(time_ns))
        elif kind in _TIMED:
            lane.add_span(int(begin_ns), int(time_ns), has_failed)
        else:
            lane.add_mark(int(time_ns))
    stored = _Filling(ruler, steps)
    for _, time_ns in connection.execute(f"{_STORED} ORDER BY at", (key,)):
        stored.add_mark(int(time_ns))
    if stored.count:
        lanes["artifact", ""] = stored
    found = [lane.done(kind, name) for (kind, name), lane in lanes.items()]
    named = sorted((lane for lane in found if lane.kind in _TIMED), key=lambda lane: (-lane.count, lane.name))
    hidden = {(lane.kind, lane.name) for lane in named[max_lanes:]}
    shown = [lane for lane in found if (lane.kind, lane.name) not in hidden]
    (ended_ns, updated_ns) = connection.execute(
        "SELECT ended_ns, updated_ns FROM sessions WHERE key = ?", (key,)
    ).fetchone()
    return SessionLanes(
        id=member.id,
        name=member.name,
        status=member.status,
        depth=member.depth,
        begin_ns=member.created_ns,
        end_ns=None if ended_ns is None else int(ended_ns),
        seen_ns=int(updated_ns),
        lanes=tuple(sorted(shown, key=_order)),
        hidden_lane_count=len(hidden),
    )


def _order(lane: Lane) -> tuple[int, int, str]:
    first = lane.spans[0].begin_ns if lane.spans else 0
    return KINDS.index(lane.kind), first, lane.name


class _Filling:
    """A lane that is being filled, in the order of the events' numbers."""

    def __init__(self, ruler: Ruler, steps: int) -> None:
        self._ruler = ruler
        self._steps = steps
        self._spans: list[Span] = []
        self._marks: list[Mark] = []
        self.begun_ns: list[int] = []  # workflows that have not ended yet, as far as is known
        self.count = 0
        self._failures = 0

    def add_span(self, begin_ns: int, end_ns: int, has_failed: bool) -> None:
        """Note that something ran, which ended after what was noted before it."""
        self.count += 1
        if self.begun_ns:
            self.begun_ns.pop()
        count = 1
        # What ended before may have begun later: it ran beside this.
        while self._spans and self._step(begin_ns) <= self._step(self._spans[-1].end_ns):
            other = self._spans.pop()
            begin_ns, end_ns, count = min(begin_ns, other.begin_ns), max(end_ns, other.end_ns), count + other.count
        self._spans.append(Span(begin_ns, end_ns, count))
        if has_failed:
            self._failures += 1
            self._mark(end_ns)

    def add_mark(self, time_ns: int) -> None:
        """Note that something happened."""
        self.count += 1
        self._mark(time_ns)

    def _mark(self, time_ns: int) -> None:
        if self._marks and self._step(self._marks[-1].time_ns) == self._step(time_ns):
            last = self._marks[-1]
            self._marks[-1] = Mark(last.time_ns, last.count + 1)
        else:
            self._marks.append(Mark(time_ns, 1))

    def _step(self, time_ns: int) -> int:
        return int(self._ruler.place(time_ns) * self._steps)

    def done(self, kind: str, name: str) -> Lane:
        """Return the lane; a workflow that has begun and not ended is there from its beginning."""
        return Lane(
            kind=kind,
            name=name,
            count=self.count + len(self.begun_ns),
            failures=self._failures,
            spans=tuple(sorted([*self._spans, *self._begun()], key=lambda span: span.begin_ns)),
            marks=tuple(self._marks),
        )

    def _begun(self) -> Iterator[Span]:
        """Yield the beginnings of what has not ended, those within a step together."""
        for _, group in itertools.groupby(sorted(self.begun_ns), self._step):
            times_ns = list(group)
            yield Span(times_ns[0], times_ns[-1], len(times_ns))
