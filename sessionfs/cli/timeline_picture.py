"""A timeline as lines of characters: a lane a line, time from left to right."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from sessionfs.analytics.axis import Axis, Ruler
from sessionfs.analytics.timeline import LANE_NAMES, Lane, SessionLanes, Timeline
from sessionfs.cli.drawing import Signs, fit, pad
from sessionfs.cli.tables import STATUS_COLOURS, text_width
from sessionfs.clock import format_time
from sessionfs.shown import human_duration

Colour = Callable[[str, str], str]

_NARROWEST = 20  # of the part with the time
_WIDEST_LABEL = 32
_DAY_NS = 86_400 * 10**9

_COLOURS = {"workflow": "dim", "agent": "green", "tool": "bold", "error": "red", "warning": "yellow"}


def draw(timeline: Timeline, width: int, signs: Signs, colour: Colour) -> Iterator[str]:
    """Yield the lines of a picture that is *width* places wide, without line feeds."""
    labels = [_label(session, lane, signs) for session in timeline.sessions for lane in session.lanes]
    widest = max((text_width(label) for label in labels), default=0)
    label_width = min(widest, _WIDEST_LABEL, max(width - _NARROWEST - 1, width // 3))
    columns = _Columns(timeline.axis, max(width - label_width - 1, 1), signs)
    yield " " * (label_width + 1) + columns.times()
    for session in timeline.sessions:
        yield from _session(session, columns, width, label_width, signs, colour)
    for note in _notes(timeline, signs):
        yield fit(note, width, signs.rest)


def _session(
    session: SessionLanes, columns: _Columns, width: int, label_width: int, signs: Signs, colour: Colour
) -> Iterator[str]:
    indent = "  " * session.depth
    words = [session.id, *([session.name] if session.name else []), session.status]
    end_ns = session.seen_ns if session.end_ns is None else session.end_ns
    if end_ns >= session.begin_ns:
        words.append(human_duration(end_ns - session.begin_ns))
    title = fit(indent + "  ".join(words), width, signs.rest)
    yield colour(STATUS_COLOURS.get(session.status, "bold"), title)
    for lane in session.lanes:
        label = pad(fit(_label(session, lane, signs), label_width, signs.rest), label_width)
        yield f"{label} {columns.lane(lane, colour)}".rstrip()
    if session.hidden_lane_count:
        yield fit(f"{indent}  and {session.hidden_lane_count:,} more, called less often", width, signs.rest)


def _label(session: SessionLanes, lane: Lane, signs: Signs) -> str:
    count = f" {lane.count:,}" + (f" ({lane.failures:,} {signs.failed})" if lane.failures else "")
    name = LANE_NAMES.get(lane.kind) or f"{lane.kind} {lane.name or '-'}"
    # The numbers are what the name is cut for.
    room = _WIDEST_LABEL - len(count) - 2 * session.depth - 2
    return "  " * (session.depth + 1) + fit(name, max(room, 4), signs.rest) + count


def _notes(timeline: Timeline, signs: Signs) -> Iterator[str]:
    stretches = timeline.axis.stretches
    for before, after in itertools.pairwise(stretches):
        left_out = human_duration(after.begin_ns - before.end_ns)
        begin, end = format_time(before.end_ns)[:16], format_time(after.begin_ns)[:16]
        yield f"{signs.cut} nothing for {left_out}, {begin.replace('T', ' ')} to {end.replace('T', ' ')}"
    if timeline.hidden_session_count:
        yield f"and {timeline.hidden_session_count:,} more sessions below them"


class _Columns:
    """The columns of the part with the time."""

    def __init__(self, axis: Axis, count: int, signs: Signs) -> None:
        self._axis = axis
        self._ruler = Ruler(axis)
        self._count = count
        self._signs = signs
        places = axis.places()
        # In the middle of what is left out between two stretches.
        self._breaks = {self._at((before[1] + after[0]) / 2) for before, after in itertools.pairwise(places)}

    def _at(self, place: float) -> int:
        return min(int(place * self._count), self._count - 1)

    def times(self) -> str:
        """Return the line above: the time at which each stretch begins, and the last one ends, where there is room."""
        line = [" "] * self._count
        free_from = 0
        whole_days = self._axis.end_ns - self._axis.begin_ns >= _DAY_NS
        ends = [
            (begin, stretch.begin_ns)
            for (begin, _), stretch in zip(self._axis.places(), self._axis.stretches, strict=True)
        ]
        for place, time_ns in ends:
            text = self._time(time_ns, whole_days)
            at = self._at(place)
            if at >= free_from and at + len(text) <= self._count:
                line[at : at + len(text)] = text
                free_from = at + len(text) + 2
        text = self._time(self._axis.end_ns, whole_days)
        if self._count - len(text) >= free_from:
            line[self._count - len(text) :] = text
        return "".join(line).rstrip()

    def _time(self, time_ns: int, whole_days: bool) -> str:
        text = format_time(time_ns)
        if whole_days:
            return text[:16].replace("T", " ")
        return text[11:19] if self._axis.shown_ns >= 10**10 else text[11:23]

    def lane(self, lane: Lane, colour: Colour) -> str:
        """Return one lane."""
        if lane.kind in ("workflow", "agent", "tool"):
            signs = self._bars(lane)
        elif lane.kind == "artifact":
            signs = self._heights(lane)
        else:
            sign = {"error": self._signs.failed, "warning": self._signs.warned}.get(lane.kind, self._signs.dot)
            signs = {self._at(self._ruler.place(mark.time_ns)): sign for mark in lane.marks}
        parts = []
        for column in range(self._count):
            sign = signs.get(column) or (self._signs.cut if column in self._breaks else " ")
            name = (
                "red"
                if sign == self._signs.failed
                else "dim"
                if sign == self._signs.cut
                else _COLOURS.get(lane.kind, "")
            )
            parts.append((name if sign != " " else "", sign))
        return _joined(parts, colour)

    def _bars(self, lane: Lane) -> dict[int, str]:
        """Return where something ran, and over it where it failed."""
        covered: dict[int, float] = {}
        for span in lane.spans:
            begin, end = (self._ruler.place(time_ns) * self._count for time_ns in (span.begin_ns, span.end_ns))
            for column in range(self._at(begin / self._count), self._at(end / self._count) + 1):
                part = min(end, column + 1) - max(begin, column)
                covered[column] = covered.get(column, 0.0) + max(part, 0.0)
        signs = {at: self._signs.bar if part >= 0.5 else self._signs.short for at, part in covered.items()}
        failed = {self._at(self._ruler.place(mark.time_ns)): self._signs.failed for mark in lane.marks}
        return signs | failed

    def _heights(self, lane: Lane) -> dict[int, str]:
        """Return how many there were."""
        counts: dict[int, int] = {}
        for mark in lane.marks:
            column = self._at(self._ruler.place(mark.time_ns))
            counts[column] = counts.get(column, 0) + mark.count
        highest, heights = max(counts.values()), self._signs.heights
        if highest <= len(heights):
            return {column: heights[count - 1] for column, count in counts.items()}
        return {column: heights[(count * len(heights) - 1) // highest] for column, count in counts.items()}


def _joined(parts: list[tuple[str, str]], colour: Colour) -> str:
    """Return signs with their colours, each colour said once for signs that follow each other."""
    texts: list[tuple[str, str]] = []
    for name, sign in parts:
        if texts and texts[-1][0] == name:
            texts[-1] = name, texts[-1][1] + sign
        else:
            texts.append((name, sign))
    return "".join(colour(name, text) for name, text in texts)
