"""What an event says, in a few words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sessionfs.events.callers import DURATION, ERROR_MESSAGE, ERROR_TYPE, NAME_OF, WORKFLOW, WORKFLOW_STARTED
from sessionfs.events.event import Event
from sessionfs.shown import human_duration, human_size, printable

_SHOWN_SIGNS = 100


def is_failure(event: Event) -> bool:
    """Whether it says that something failed."""
    return isinstance(event.data, dict) and ERROR_TYPE in event.data


def summary(event: Event) -> str:
    """Return what happened, in a few words."""
    data = event.data
    words = _SUMMARIES[event.type](data) if event.type in _SUMMARIES and isinstance(data, dict) else _compact(data)
    text = printable(words)
    return text if len(text) <= _SHOWN_SIGNS else text[: _SHOWN_SIGNS - 1] + "…"


def _compact(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False) if data not in (None, {}) else ""


def _stored(data: dict[str, Any]) -> str:
    made_by = data.get("made_by")
    made = f", by {made_by.get('name')}" if isinstance(made_by, dict) else ""
    kind = data.get("kind", "file")
    what = f"link to {data['link']}" if "link" in data else human_size(data.get("size", 0)) if kind == "file" else kind
    return f"{data.get('path')} ({what}){made}"


def _changed_fields(data: dict[str, Any]) -> str:
    return f"{data.get('path') or '/'}: " + ", ".join(
        f"{name}={value if isinstance(value, str) else _compact(value)}"
        for name, value in data.items()
        if name != "path"
    )


def _renamed(data: dict[str, Any]) -> str:
    return f"{data.get('path')} {'<->' if data.get('exchange') else '->'} {data.get('to')}"


def _state_changed(data: dict[str, Any]) -> str:
    if "new" in data:
        return f"{data.get('key')} = {_compact(data['new']) or 'null'}"
    return (
        f"{data.get('key')} = {human_size(data.get('new_size', 0))}"
        if "new_oid" in data
        else f"{data.get('key')} deleted"
    )


def _block(name: str) -> Callable[[dict[str, Any]], str]:
    def words(data: dict[str, Any]) -> str:
        parts = [str(data.get(name))]
        duration_ns = data.get(DURATION)
        if isinstance(duration_ns, int):
            parts.append(human_duration(duration_ns))
        if ERROR_TYPE in data:
            parts.append(f"failed: {data[ERROR_TYPE]}: {data.get(ERROR_MESSAGE)}")
        return ", ".join(parts)

    return words


_SUMMARIES: dict[str, Callable[[dict[str, Any]], str]] = {
    "session.created": lambda data: " ".join(filter(None, (data.get("name"), _parent(data)))),
    "session.failed": lambda data: str(data.get("reason") or ""),
    "session.saved": lambda data: str(data.get("checkpoint") or ""),
    "artifact.stored": _stored,
    "artifact.updated": _changed_fields,
    "artifact.renamed": _renamed,
    "artifact.deleted": lambda data: str(data.get("path")),
    "artifact.retrieved": lambda data: " ".join(filter(None, (data.get("path"), data.get("by")))),
    "state.changed": _state_changed,
    **{type: _block(name) for type, name in NAME_OF.items()},
    WORKFLOW_STARTED: _block(NAME_OF[WORKFLOW]),
    "error.occurred": lambda data: f"{data.get('code')}: {data.get('message')}",
    "warning.raised": lambda data: str(data.get("message")),
    **dict.fromkeys(
        ("session.suspended", "session.resumed", "session.completed", "session.archived", "session.deleted"),
        lambda data: "",
    ),
}


def _parent(data: dict[str, Any]) -> str:
    parent = data.get("parent")
    return f"child of {parent}" if isinstance(parent, str) else ""
