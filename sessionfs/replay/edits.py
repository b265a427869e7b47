"""What is to be different when events happen again: some do not happen, some say something else.

Who changes an event gives the fields of its data that are to be others. What an artifact holds is no field: content is
given as such.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from sessionfs.artifacts import check_path, from_text
from sessionfs.errors import InvalidInput, NotFound
from sessionfs.events.event import Event
from sessionfs.log import encode_data
from sessionfs.objects import ObjectDatabase
from sessionfs.replay.condition import Condition, parse_condition
from sessionfs.state import check_key, encode_value
from sessionfs.store.artifacts import encode_attributes
from sessionfs.store.session import CALLERS_TYPES, checked_changes

STORED = "artifact.stored"
STATE = "state.changed"

_ATTRIBUTES = ("type", "mime_type", "description", "tags", "metadata")
_CHANGEABLE = {
    STORED: ("path", "target", *_ATTRIBUTES),
    "artifact.updated": ("path", *_ATTRIBUTES),
    "artifact.renamed": ("path", "to"),
    "artifact.deleted": ("path",),
    STATE: ("key", "new"),
    "session.updated": ("name", "description", "tags", "metadata"),
}


class BadEdit(InvalidInput):
    """An event cannot be changed so, or cannot be changed at all."""


class NoSuchEvents(NotFound):
    """No event is what was to be dropped or changed."""


class Edits:
    """Which events are dropped or changed, and how."""

    def __init__(
        self,
        objects: ObjectDatabase,
        *,
        drop: Iterable[Condition | str | int] = (),
        change: Mapping[int, Mapping[str, Any]] | None = None,
        content: Mapping[int, bytes] | None = None,
    ) -> None:
        """Take them in.

        Args:
            objects: Where given content is put.
            drop: Which events do not happen: numbers, or conditions as text.
            change: By number: the fields of the event's data that are to be others.
            content: By number, of ``artifact.stored``: what is stored instead.

        Raises:
            BadEdit: There are none; or an event is to be both dropped and changed.
            BadCondition: One of *drop* asks for nothing.
        """
        self._objects = objects
        self._change = dict(change or {})
        self._content = dict(content or {})
        conditions = [one if isinstance(one, Condition) else parse_condition(str(one)) for one in drop]
        self._drop = [(condition, condition.accepts()) for condition in conditions]
        self._met: set[int] = set()  # which of them an event has fitted
        if not (self._drop or self._change or self._content):
            raise BadEdit("no event was to be dropped or changed; a fork has all of them as they are")

    @property
    def changed(self) -> set[int]:
        """Numbers of the events that are changed."""
        return {*self._change, *self._content}

    def drops(self, event: Event) -> bool:
        """Say whether *event* is dropped.

        Raises:
            BadEdit: It is to be changed as well; or it is the first one, without which there is no session.
        """
        fits = [at for at, (_, accepts) in enumerate(self._drop) if accepts(event)]
        if not fits:
            return False
        self._met.update(fits)
        if event.seq in self.changed:
            raise BadEdit(f"event {event.id} was to be dropped and changed; choose one of them")
        if event.seq == 0:
            raise BadEdit(f"event {event.id} is the beginning of the session; what comes after it can be dropped")
        return True

    def check_all_met(self, end: int) -> None:
        """Check that every edit is about an event that is there, once all below number *end* have been seen.

        Raises:
            NoSuchEvents: One is not. A mistyped one would otherwise look as if it made no difference.
        """
        for at, (condition, _) in enumerate(self._drop):
            if at not in self._met:
                raise NoSuchEvents(f"no event up to {end - 1} is what was to be dropped: {_shown(condition)}")
        for seq in sorted(self.changed):
            if not 0 <= seq < end:
                raise NoSuchEvents(f"there is no event {seq} to be changed: the last one is {end - 1}")

    def said(self, event: Event) -> bytes:
        """Return what *event* says, changed if it is to be, as JSON.

        Raises:
            BadEdit: It cannot be changed so; or as what a session, an artifact or a key can be says.
        """
        change = self._change.get(event.seq)
        content = self._content.get(event.seq)
        if change is None and content is None:
            return event.data_json
        if not isinstance(event.data, dict):
            raise BadEdit(f"event {event.id} ({event.type}) says {event.data!r:.60}, which has no fields to change")
        data = dict(event.data)
        if change is not None:
            data |= _checked(event, change)
            if event.type == STATE and "new" in change:
                data.pop("new_oid", None)
                data.pop("new_size", None)
        if content is not None:
            data |= self._stored(event, content)
        try:
            return encode_data({key: value for key, value in data.items() if value is not msgspec.UNSET})
        except (TypeError, ValueError, msgspec.MsgspecError, RecursionError) as failure:
            raise BadEdit(f"what event {event.id} would say cannot be written down: {failure}") from failure

    def _stored(self, event: Event, content: bytes) -> dict[str, Any]:
        data = event.data
        if event.type != STORED or data.get("kind", "file") != "file" or "link" in data:
            raise BadEdit(f"event {event.id} ({event.type}) stores no file, so it cannot be given other content")
        stored = self._objects.put_bytes(content)
        return {
            "oid": stored.oid,
            "size": stored.size,
            "stored_size": msgspec.UNSET if stored.compression == "none" else stored.stored_size,
            "compression": "chunks" if stored.compression == "chunks" else msgspec.UNSET,
            "brought_back": msgspec.UNSET,
        }


def _checked(event: Event, change: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of *change* as the record has them."""
    if not isinstance(change, Mapping):
        raise BadEdit(f"event {event.id} is changed by fields and their values; {type(change).__name__} was given")
    if event.type not in _CHANGEABLE:
        if event.type not in CALLERS_TYPES and not event.type.startswith("custom."):
            raise BadEdit(
                f"event {event.id} ({event.type}) cannot be changed; these can: {', '.join(_CHANGEABLE)}, and what "
                "callers record"
            )
        return dict(change)
    unknown = [field for field in change if field not in _CHANGEABLE[event.type]]
    if unknown:
        content = "; other content is given as such" if event.type == STORED else ""
        raise BadEdit(
            f"of event {event.id} ({event.type}) {', '.join(map(repr, unknown))} cannot be changed; these can: "
            f"{', '.join(_CHANGEABLE[event.type])}{content}"
        )
    if event.type == "session.updated":
        fields: dict[str, Any] = msgspec.to_builtins(checked_changes(dict(change)))
        return fields
    attributes = {field: value for field, value in change.items() if field in _ATTRIBUTES}
    others = {field: _CHECKS[field](value) for field, value in change.items() if field not in _ATTRIBUTES}
    return {**others, **encode_attributes(attributes)}


def _path(text: Any) -> str:
    if not isinstance(text, str):
        raise BadEdit(f"a path is text, not {type(text).__name__}")
    check_path(from_text(text))
    return text


def _target(text: Any) -> str:
    if not isinstance(text, str) or not text or "\0" in text:
        raise BadEdit(f"{text!r:.60} is no target of a symbolic link")
    return text


def _value(value: Any) -> Any:
    return msgspec.Raw(encode_value(value))


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "path": _path, "to": _path, "target": _target, "key": check_key, "new": _value,
}  # fmt: skip


def _shown(condition: Condition) -> str:
    query = condition.query
    last = None if query.end is None else query.end - 1
    numbers = None if last is None else str(last) if last == query.start else f"{query.start}..{last}"
    said = {
        "type": ",".join(query.types) or None,
        "seq": numbers,
        "actor": query.actor,
        "correlation": query.correlation,
        "text": query.text,
        "path": condition.path,
    }
    words = [f"{key}={value}" for key, value in said.items() if value is not None]
    return " ".join([*words, *(["failed"] if condition.failed else [])])
