"""What a session says about itself, in two lines."""

from __future__ import annotations

from textual.content import Content

from sessionfs.clock import format_time
from sessionfs.sessions import SessionInfo
from sessionfs.shown import human_duration, human_size, human_time, unmistakable
from sessionfs.ui.rows import MARKS

TABS = ("artifacts", "state", "events", "timeline")

_COLOURS = {"good": "$text-success", "warn": "$text-warning", "bad": "$text-error", "dim": "$foreground 60%"}


def about_session(info: SessionInfo | None) -> Content:
    """Return the lines; what is wrong with the session stands in the first one."""
    if info is None:
        return Content("")
    mark, role = MARKS[info.status]
    parts = [
        Content.styled(f"{mark} {info.status.value}", _COLOURS[role]),
        _plain(human_size(info.size)),
    ]
    if info.tags:
        parts.insert(1, Content.styled(unmistakable(", ".join(info.tags)), "$text-accent"))
    if info.parent is not None:
        parts.append(_plain(f"child of {info.parent}"))
    second = [f"created {human_time(format_time(info.created_ns))} by {unmistakable(info.created_by)}"]
    if info.ended_ns is not None:
        second.append(f"ended after {human_duration(max(0, info.ended_ns - info.started_ns))}")
    if info.reason:
        second.append(unmistakable(info.reason))
    if info.description:
        second.append(unmistakable(info.description))
    lines = [Content(" · ").join(parts), Content.styled(" · ".join(second), "$foreground 60%")]
    if info.damage is not None:
        wrong = f"! {unmistakable(info.damage)} · sessionfs fsck --session {info.id}"
        lines[1:] = [Content.styled(wrong, "bold $text-error")]
    return Content("\n").join(lines)


def tab_labels(info: SessionInfo | None) -> dict[str, Content]:
    """Return what stands on the tabs, by their names."""
    counts = (
        {}
        if info is None
        else {"artifacts": info.artifact_count, "state": info.state_count, "events": info.event_count}
    )
    return {
        name: _plain(f"{name.capitalize()} {counts[name]:,}" if name in counts else name.capitalize()) for name in TABS
    }


def title_of(info: SessionInfo | None) -> Content:
    """Return what it is called."""
    if info is None:
        return Content("")
    return Content(f"{unmistakable(info.name)} ({info.id})" if info.name else info.id)


def _plain(text: str) -> Content:
    return Content(text)
