"""Extended attributes of a session's directory, as readings of what the session says about itself. Pure mapping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessionfs.clock import format_time
from sessionfs.sessions import SessionInfo
from sessionfs.store.xattrs import (
    OWN,
    DerivedXattr,
    NoSuchXattr,
    check_namespace,
    format_tags,
    parse_tags,
    parse_text,
)

_SETTABLE: dict[bytes, tuple[str, Callable[[SessionInfo], str | None], Callable[[str], Any], Any]] = {
    OWN + b"name": ("name", lambda info: info.name, str, None),
    OWN + b"description": ("description", lambda info: info.description, str, None),
    OWN + b"tags": ("tags", lambda info: format_tags(info.tags), parse_tags, ()),
}

_DERIVED: dict[bytes, Callable[[SessionInfo], str | None]] = {
    OWN + b"id": lambda info: info.id,
    OWN + b"status": lambda info: info.status.value,
    OWN + b"parent": lambda info: info.parent,
    OWN + b"reason": lambda info: info.reason,
    OWN + b"created_by": lambda info: info.created_by,
    OWN + b"created_at": lambda info: format_time(info.created_ns),
    OWN + b"updated_at": lambda info: format_time(info.updated_ns),
    OWN + b"started_at": lambda info: format_time(info.started_ns),
    OWN + b"ended_at": lambda info: None if info.ended_ns is None else format_time(info.ended_ns),
    OWN + b"artifact_count": lambda info: str(info.artifact_count),
    OWN + b"event_count": lambda info: str(info.event_count),
    OWN + b"size": lambda info: str(info.size),
    OWN + b"stored_size": lambda info: str(info.stored_size),
}


def names(info: SessionInfo) -> list[bytes]:
    """Return the names of all attributes of a session that have a value."""
    return [name for name in (*_SETTABLE, *_DERIVED) if _shown(info, name) is not None]


def get(info: SessionInfo, name: bytes) -> bytes:
    """Return the value of a session's attribute; NoSuchXattr, OtherNamespace."""
    check_namespace(name)
    text = _shown(info, name)
    if text is None:
        raise NoSuchXattr(f"a session has no attribute {name!r}")
    return text.encode()


def changes_to_set(info: SessionInfo, name: bytes, value: bytes) -> dict[str, Any]:
    """Return which fields of a session change when *name* is set to *value*."""
    check_namespace(name)
    if name in _SETTABLE:
        field, show, parse, _ = _SETTABLE[name]
        text = parse_text(name, value)
        return {} if show(info) == text else {field: parse(text)}
    if name in _DERIVED:
        return {}
    raise DerivedXattr(f"a session has no attribute {name!r} that can be set")


def changes_to_remove(info: SessionInfo, name: bytes) -> dict[str, Any]:
    """Return which fields of a session change when *name* is removed."""
    get(info, name)
    if name in _DERIVED:
        raise DerivedXattr(f"{name!r} is derived, so it cannot be removed")
    field, _, _, unset = _SETTABLE[name]
    return {field: unset}


def _shown(info: SessionInfo, name: bytes) -> str | None:
    if name in _SETTABLE:
        return _SETTABLE[name][1](info)
    show = _DERIVED.get(name)
    return show(info) if show is not None else None
