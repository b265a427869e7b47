"""What callers see of a session, and how lists of sessions are filtered and sorted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from sessionfs.clock import format_time
from sessionfs.errors import InvalidInput
from sessionfs.sessions.lifecycle import Status


class BadFilter(InvalidInput):
    """A filter or sort key that lists of sessions do not have."""


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One session at one moment."""

    id: str
    name: str | None
    description: str | None
    tags: tuple[str, ...]
    metadata: dict[str, Any]
    parent: str | None
    status: Status
    reason: str | None
    created_by: str
    created_ns: int
    updated_ns: int
    started_ns: int
    ended_ns: int | None
    artifact_count: int
    size: int  # bytes, each artifact counted for itself
    stored_size: int
    event_count: int
    state_count: int
    damage: str | None
    template: str | None = None  # what it was made from

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready, times as RFC 3339."""
        values = (getattr(self, field) for field in self.__struct_fields__)
        return dict(zip(self.json_fields(), map(_as_json, self.__struct_fields__, values), strict=True))

    @classmethod
    def json_fields(cls) -> list[str]:
        """Return the names of what its JSON has."""
        return [f"{field[:-3]}_at" if field.endswith("_ns") else field for field in cls.__struct_fields__]


def _as_json(field: str, value: Any) -> Any:
    if field.endswith("_ns"):
        return None if value is None else format_time(value)
    if isinstance(value, Status):
        return value.value
    return list(value) if isinstance(value, tuple) else value


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions a list holds; None asks for nothing."""

    status: tuple[Status, ...] | None = None  # any of
    tags: tuple[str, ...] = ()  # all of
    parent: str | None = None
    created_by: str | None = None
    created_after_ns: int | None = None
    created_before_ns: int | None = None
    text: str | None = None  # in the name or description, whatever the case

    def matches(self, info: SessionInfo) -> bool:
        """Say whether *info* is asked for."""
        return (
            (self.status is None or info.status in self.status)
            and set(self.tags) <= set(info.tags)
            and (self.parent is None or info.parent == self.parent)
            and (self.created_by is None or info.created_by == self.created_by)
            and (self.created_after_ns is None or info.created_ns > self.created_after_ns)
            and (self.created_before_ns is None or info.created_ns < self.created_before_ns)
            and (self.text is None or self._has_text(info, self.text.casefold()))
        )

    @staticmethod
    def _has_text(info: SessionInfo, text: str) -> bool:
        return any(text in part.casefold() for part in (info.name, info.description) if part is not None)


SORT_KEYS: dict[str, Callable[[SessionInfo], Any]] = {
    "created": lambda info: info.created_ns,
    "updated": lambda info: info.updated_ns,
    "name": lambda info: info.name or "",
    "id": lambda info: info.id,
    "size": lambda info: info.size,
    "status": lambda info: info.status.value,
}


def arrange(
    infos: Iterable[SessionInfo],
    *,
    sort: str = "created",
    reverse: bool = False,
    offset: int = 0,
    limit: int | None = None,
) -> list[SessionInfo]:
    """Return *infos* sorted, from *offset*, at most *limit* of them.

    Raises:
        BadFilter: An unknown sort key, or a negative number.
    """
    if sort not in SORT_KEYS:
        raise BadFilter(f"sessions cannot be sorted by {sort!r}; these are possible: {', '.join(SORT_KEYS)}")
    if offset < 0 or (limit is not None and limit < 0):
        raise BadFilter(f"offset and limit count sessions and cannot be negative: offset {offset}, limit {limit}")

    key = SORT_KEYS[sort]
    found = sorted(infos, key=lambda info: (key(info), info.id), reverse=reverse)
    return found[offset:] if limit is None else found[offset : offset + limit]
