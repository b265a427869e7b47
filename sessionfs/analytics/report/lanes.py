"""A timeline as SVG: a lane a line, time from left to right, children below their parents."""

from __future__ import annotations

from itertools import pairwise

from sessionfs.analytics.axis import Axis, Ruler
from sessionfs.analytics.report.charts import figure
from sessionfs.analytics.report.html import Html, cut, element
from sessionfs.analytics.timeline import LANE_NAMES, Lane, SessionLanes, Span, Timeline
from sessionfs.clock import format_time
from sessionfs.shown import human_duration

_WIDTH = 1000
_LABEL_WIDTH = 230
_LABEL_SIGNS = 30
_INDENT = 14
_ROW = 18
_HEAD = 26
_AXIS = 22
_TICKS = 6
_LABEL_PART = 0.1  # of the width, which a time takes
_DAY_NS = 86_400 * 10**9


def draw_lanes(timeline: Timeline) -> Html:
    """Return the picture, and below it what is left out."""
    drawn, y = [], float(_AXIS)
    ruler = Ruler(timeline.axis)
    for session in timeline.sessions:
        drawn.append(_head(session, ruler, y))
        y += _HEAD
        for lane in session.lanes:
            drawn.append(_lane(session, lane, ruler, y))
            y += _ROW
    first = timeline.sessions[0]
    begin, end = format_time(timeline.axis.begin_ns), format_time(timeline.axis.end_ns)
    about = f"{len(timeline.sessions)} sessions, from {begin} to {end}"
    picture = figure(f"Timeline of {first.id}", about, _WIDTH, y + 6, _grid(timeline.axis, ruler, y), drawn)
    return Html(picture + _notes(timeline))


def _x(place: float) -> float:
    return _LABEL_WIDTH + place * (_WIDTH - _LABEL_WIDTH - 10)


def _grid(axis: Axis, ruler: Ruler, bottom: float) -> list[Html]:
    """Return lines at some moments, and where time is cut out."""
    drawn = []
    has_days = axis.end_ns - axis.begin_ns >= _DAY_NS
    for place in _ticks(axis):
        text = format_time(ruler.moment(place))
        label = text[5:16].replace("T", " ") if has_days else text[11:19] if axis.shown_ns >= 10**10 else text[14:23]
        drawn.append(element("line", x1=_x(place), x2=_x(place), y1=_AXIS - 6, y2=bottom, class_="grid"))
        drawn.append(element("text", element("title", text), label, x=_x(place) + 3, y=12, class_="note"))
    for before, after in pairwise(axis.places()):
        middle = _x((before[1] + after[0]) / 2)
        drawn.append(element("line", x1=middle, x2=middle, y1=4, y2=bottom, class_="cut"))
    return drawn


def _ticks(axis: Axis) -> list[float]:
    """Return where there is room for a time: at the beginning of each stretch, and evenly in it."""
    found: list[float] = []
    for begin, end in axis.places():
        count = max(int((end - begin) * _TICKS), 1)
        places = (begin + (end - begin) * number / count for number in range(count))
        found += [place for place in places if not found or place - found[-1] >= _LABEL_PART]
    return [place for place in found if place <= 1 - _LABEL_PART]


def _head(session: SessionLanes, ruler: Ruler, y: float) -> Html:
    words = [session.id, *([session.name] if session.name else []), session.status]
    x = session.depth * _INDENT
    end_ns = session.seen_ns if session.end_ns is None else session.end_ns
    begin, end = _x(ruler.place(session.begin_ns)), _x(ruler.place(end_ns))
    life = element(
        "rect", x=begin, y=y + _HEAD - 5, width=max(end - begin, 1.0), height=2, class_=f"life {session.status}"
    )
    title = element("title", " ".join(words))
    return Html(life + element("text", title, cut("  ".join(words), 120), x=x, y=y + 16, class_="head"))


def _lane(session: SessionLanes, lane: Lane, ruler: Ruler, y: float) -> Html:
    name = LANE_NAMES.get(lane.kind) or f"{lane.kind} {lane.name or '(no name)'}"
    counted = f"{lane.count:,}" + (f", {lane.failures:,} failed" if lane.failures else "")
    indent = (session.depth + 1) * _INDENT
    room = max(_LABEL_SIGNS - 3 * session.depth - len(counted), 8)
    label = element(
        "text", element("title", f"{name}: {counted}"), cut(name, room),
        element("tspan", f" {counted}", class_="note"), x=indent, y=y + 13,
    )  # fmt: skip
    drawn = [label]
    drawn += [_span(lane, name, span, ruler, y) for span in lane.spans]
    if lane.kind == "artifact":
        drawn += _heights(lane, ruler, y)
    else:
        style = {"warning": "warned", "custom": "other"}.get(lane.kind, "failed")
        for mark in lane.marks:
            what = "failed" if lane.spans else name
            said = f"{what}, {format_time(mark.time_ns)}" + (f", {mark.count:,} times" if mark.count > 1 else "")
            drawn.append(_cross(_x(ruler.place(mark.time_ns)), y + _ROW / 2, style, said))
    return element("g", drawn)


def _span(lane: Lane, name: str, span: Span, ruler: Ruler, y: float) -> Html:
    begin, end = _x(ruler.place(span.begin_ns)), _x(ruler.place(span.end_ns))
    calls = f"{span.count:,} calls, " if span.count > 1 else ""
    said = f"{name}: {calls}from {format_time(span.begin_ns)}, {human_duration(span.end_ns - span.begin_ns)}"
    return element(
        "rect", element("title", said), x=begin, y=y + 4, width=max(end - begin, 1.5), height=_ROW - 8, class_=lane.kind
    )


def _heights(lane: Lane, ruler: Ruler, y: float) -> list[Html]:
    highest = max(mark.count for mark in lane.marks)
    drawn = []
    for mark in lane.marks:
        height = max((_ROW - 4) * mark.count / highest, 3.0)
        said = f"{mark.count:,} stored, {format_time(mark.time_ns)}"
        x = _x(ruler.place(mark.time_ns)) - 1
        drawn.append(
            element(
                "rect", element("title", said), x=x, y=y + _ROW - 2 - height, width=2, height=height, class_="artifact"
            )
        )
    return drawn


def _cross(x: float, y: float, style: str, said: str) -> Html:
    path = f"M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6"
    return element("path", element("title", said), d=path, class_=f"mark {style}")


def _notes(timeline: Timeline) -> Html:
    notes = [
        f"Cut out: nothing for {human_duration(after.begin_ns - before.end_ns)}, "
        f"from {format_time(before.end_ns)[:16]} to {format_time(after.begin_ns)[:16]}."
        for before, after in pairwise(timeline.axis.stretches)
    ]
    notes += [
        f"{session.id}: {session.hidden_lane_count:,} more tools, agents and workflows, called less often."
        for session in timeline.sessions
        if session.hidden_lane_count
    ]
    if timeline.hidden_session_count:
        notes.append(f"{timeline.hidden_session_count:,} more sessions below these.")
    return element("p", " ".join(notes), class_="about") if notes else Html("")
