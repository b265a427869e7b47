"""Whether an event can happen again, in a session that may have become another one, and what it says then.

What cannot is found out by the rules for changes that people make, on a copy of the session: a file cannot be renamed
that was never stored there. Nothing is done in the place of what cannot be done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from sessionfs import sessions
from sessionfs.artifacts import check_path, events, from_text, rules
from sessionfs.artifacts.names import split
from sessionfs.events import callers
from sessionfs.events.event import Event
from sessionfs.objects import ObjectDatabase
from sessionfs.state import MAX_INLINE_BYTES, Changed, NoSuchKey, check_key
from sessionfs.store.artifacts import check_artifact_size
from sessionfs.store.session import CALLERS_TYPES, Session
from sessionfs.travel.plan import Plan

NewId = Callable[[str], str]
"""Gives the id that an event, or a version, has where it happens again."""


class Happening:
    """Events that happen again, on a plan."""

    def __init__(self, session: Session, plan: Plan, new_id: NewId) -> None:
        """Begin.

        Args:
            session: Where they happen again; nothing is written there, but for objects.
            plan: Takes the records, starting from what *session* is.
        """
        self._objects: ObjectDatabase = session.objects
        self._config = session.config
        self._make_ino = session.make_ino
        self._plan = plan
        self._new_id = new_id
        self._inos: set[int] | None = None  # that are, or were, in the tree
        self._unnamed: dict[str, list[str]] = {}  # inputs by block, that no artifact here has named yet

    def happen(self, event: Event, said: bytes) -> None:
        """Add what *event* does, if it says *said*, to the plan.

        Raises:
            InvalidInput, NotFound, Conflict, Denied: It cannot happen; the plan is as it was.
        """
        step = _STEPS.get(event.type)
        if step is None:
            self._plan.record(event.type, self._with_inputs(event, said))
        else:
            function, decoder = step
            function(self, event, decoder.decode(said))

    def leave_out(self, event: Event) -> None:
        """Note that *event* did not happen here: what it says was read, the next artifact of its block says."""
        if event.type == "artifact.stored" and b'"made_by"' in event.data_json:
            made_by = _decode_stored(event.data_json).made_by
            if made_by is not None:
                self._unnamed.setdefault(made_by.block, []).extend(made_by.inputs)

    # Artifacts

    def _stored(self, event: Event, data: events.Stored) -> None:
        tree = self._plan.fold.tree
        path = check_path(from_text(data.path))
        if data.link is not None:
            rules.check_link(tree, from_text(data.link), path)
            self._plan.record(event.type, data)
            return
        there = tree.find(path)
        replaces = data.version is not None and there is not None and not there.is_directory
        if data.kind == "directory" or (there is not None and there.kind != data.kind and not replaces):
            rules.check_free(tree, path)
        elif data.kind == "file" and not replaces:
            rules.check_file(tree, path)
        rules.check_parents(tree, path)
        tree.resolve(split(path)[0])
        if data.kind == "file":
            check_artifact_size(self._config.max_artifact_bytes, data.size)
        if there is None or replaces:
            data.ino = self._free_ino(data.ino)
            data.created_by = data.created_by or event.actor
        else:
            data.ino = data.created_at = data.created_by = None
        if data.mtime is UNSET:
            data.mtime = event.time
        self._rename_origins(data)
        self._plan.record(event.type, data)

    def _free_ino(self, ino: int | None) -> int:
        if self._inos is None:
            self._inos = {node.ino for _, node in self._plan.fold.tree.walk()}
        chosen = self._make_ino() if ino is None or ino in self._inos else ino
        self._inos.add(chosen)
        return chosen

    def _rename_origins(self, data: events.Stored) -> None:
        if isinstance(data.origin, str):
            data.origin = self._new_id(data.origin)
        if data.brought_back is not None:
            data.brought_back = self._new_id(data.brought_back)
        if data.made_by is not None:
            inputs = [*self._unnamed.pop(data.made_by.block, ()), *data.made_by.inputs]
            data.made_by.inputs = [self._new_id(id) for id in dict.fromkeys(inputs)]

    def _updated(self, event: Event, data: events.Updated) -> None:
        path = from_text(data.path)
        self._plan.fold.tree.resolve(path and check_path(path))
        if isinstance(data.origin, str):
            data.origin = self._new_id(data.origin)
        self._plan.record(event.type, data)

    def _renamed(self, event: Event, data: events.Renamed) -> None:
        tree = self._plan.fold.tree
        check = rules.check_exchange if data.exchange else rules.check_rename
        if check(tree, check_path(from_text(data.path)), check_path(from_text(data.to))):
            self._plan.record(event.type, data)

    def _deleted(self, event: Event, data: events.Deleted) -> None:
        there = self._plan.fold.tree.resolve(check_path(from_text(data.path)))
        self._plan.record(event.type, events.Deleted(path=data.path, kind=there.kind))

    # The rest

    def _state_changed(self, event: Event, data: Changed) -> None:
        state, key = self._plan.fold.state, check_key(data.key)
        if data.new is UNSET and data.new_oid is UNSET:
            if key not in state:
                raise NoSuchKey(f"the state has no key {key!r}")
            self._plan.record(event.type, state.describe_change(key, None))
            return
        json = self._objects.read(data.new_oid) if data.new_oid is not UNSET else bytes(data.new or b"")
        oid = self._objects.put_bytes(json).oid if len(json) > MAX_INLINE_BYTES else None
        self._plan.record(event.type, state.describe_change(key, json, oid))

    def _session_updated(self, event: Event, data: sessions.Updated) -> None:
        self._plan.record(event.type, data)

    def _with_inputs(self, event: Event, said: bytes) -> msgspec.Raw:
        """Return what a caller recorded, with the versions that it names as inputs called as they are here."""
        if event.type in callers.NAME_OF and b'"inputs"' in said:
            data = msgspec.json.decode(said)
            inputs = data.get(callers.INPUTS) if isinstance(data, dict) else None
            if isinstance(inputs, list):
                data[callers.INPUTS] = [self._new_id(id) if isinstance(id, str) else id for id in inputs]
                return msgspec.Raw(msgspec.json.encode(data))
        return msgspec.Raw(said)


_decode_stored = msgspec.json.Decoder(events.Stored).decode

_STEPS: dict[str, tuple[Callable[[Happening, Event, Any], None], msgspec.json.Decoder[Any]]] = {
    "artifact.stored": (Happening._stored, msgspec.json.Decoder(events.Stored)),
    "artifact.updated": (Happening._updated, msgspec.json.Decoder(events.Updated)),
    "artifact.renamed": (Happening._renamed, msgspec.json.Decoder(events.Renamed)),
    "artifact.deleted": (Happening._deleted, msgspec.json.Decoder(events.Deleted)),
    "state.changed": (Happening._state_changed, msgspec.json.Decoder(Changed)),
    "session.updated": (Happening._session_updated, msgspec.json.Decoder(sessions.Updated)),
}


def can_happen_again(type: str) -> bool:
    """Say whether an event of this type is part of what happens again.

    Not what a session says of its own life, of its snapshots and of others; and not what hooks did, and what was read:
    that did not change anything, and did not happen here.
    """
    return type in _STEPS or type in CALLERS_TYPES or type.startswith("custom.")
