"""The fold: what a session's records add up to.

One table says which function applies which type of record. Types that are not in it (``tool.invoked``, ``custom.*``)
happened, and change nothing but the time of the last change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from sessionfs import sessions
from sessionfs.artifacts import Applied, Tree
from sessionfs.artifacts import events as artifact_events
from sessionfs.clock import format_time
from sessionfs.errors import Corrupt, Error
from sessionfs.log import Body, Record
from sessionfs.objects import DamagedObject, NoSuchObject, ObjectDatabase
from sessionfs.oid import ObjectId
from sessionfs.sessions import Fields
from sessionfs.sessions import fields as session_fields
from sessionfs.state import Changed, State
from sessionfs.store.hook_history import HookHistory, Ran, Skipped, note_ran, note_skipped

_EPOCH = format_time(0)


class InconsistentLog(Corrupt):
    """A whole, linked record says something that cannot have happened."""


class Fold:
    """Fields, tree and state of one session at one moment. Not thread-safe: its session holds the lock."""

    def __init__(
        self,
        objects: ObjectDatabase,
        session_id: str,
        *,
        recompute_tree: Callable[[ObjectId], bytes | None] | None = None,
    ) -> None:
        """Begin with nothing.

        Args:
            recompute_tree: Gives a tree object that is missing or damaged, if it can; a tree holds nothing that the
                log does not.
        """
        self._objects = objects
        self._recompute_tree = recompute_tree
        self.fields = Fields(id=session_id, created_at=_EPOCH, updated_at=_EPOCH, started_at=_EPOCH)
        self.tree = Tree.empty(self.load_tree, _EPOCH, "")
        self.state = State(objects.read)
        self.hooks: dict[str, HookHistory] = {}

    def load_tree(self, oid: ObjectId) -> bytes:
        """Read a tree object.

        Raises:
            NoSuchObject, DamagedObject: It is missing or damaged, and the log does not have what it said either.
        """
        try:
            return self._objects.read_json("tree", oid)
        except (NoSuchObject, DamagedObject):
            data = self._recompute_tree(oid) if self._recompute_tree is not None else None
            if data is None:
                raise
            return data

    def apply(self, record: Record) -> Applied | None:
        """Apply one record; says what it did to the tree, if anything.

        Raises:
            InconsistentLog: It cannot be applied.
        """
        step = _STEPS.get(record.type)
        if step is None:
            self.fields.updated_at = record.time
            return None
        function, decoder = step
        try:
            text = record.data if record.data_oid is None else self._objects.read(record.data_oid)
            return self.apply_decoded(record, decoder.decode(text), function)
        except (Error, msgspec.MsgspecError, AssertionError, ValueError, RecursionError) as failure:
            raise InconsistentLog(
                f"record {record.seq} ({record.type}) of session {self.fields.id} cannot be applied: {failure}; "
                "see sessionfs fsck"
            ) from failure

    def apply_decoded(self, record: Record | Body, data: Any, function: Step | None = None) -> Applied | None:
        """Apply a record whose data is at hand; what :meth:`apply` does after decoding it."""
        if function is None:
            step = _STEPS.get(record.type)
            function = step[0] if step is not None else None
        applied = function(self, record, data) if function is not None else None
        self.fields.updated_at = record.time
        return applied


def check_data(type: str, text: bytes) -> None:
    """Check that a record of *type* with this data could be applied, before it is written.

    Raises:
        msgspec.ValidationError: A field has the wrong type; once in the log it would make the session unreadable.
    """
    step = _STEPS.get(type)
    if step is not None:
        step[1].decode(text)


Step = Callable[[Fold, Record | Body, Any], Applied | None]


def _created(fold: Fold, record: Record | Body, data: sessions.Created) -> None:
    fields = session_fields.create(data, time=record.time, actor=record.actor)
    if data.fork is None:
        fold.tree = Tree.empty(fold.load_tree, record.time, record.actor, uid=data.uid, gid=data.gid)
    else:  # tree and state are there already: see Session.new_fold
        session_fields.inherit(fields, fold.fields, data.fork)
    fold.fields = fields
    fold.hooks = {}  # what they did to its parent is not what they did to a fork


def _merged(fold: Fold, record: Record | Body, data: sessions.Merged) -> None:
    session_fields.include(fold.fields, {**data.includes, data.session: data.seq})


def _restored(fold: Fold, record: Record | Body, data: sessions.Restored) -> None:
    session_fields.restore(fold.fields, data)


def _forked(fold: Fold, record: Record | Body, data: object) -> None:
    fold.fields.forked = True


def _updated(fold: Fold, record: Record | Body, data: sessions.Updated) -> None:
    session_fields.update(fold.fields, data)


def _moved(fold: Fold, record: Record | Body, data: sessions.Moved) -> None:
    session_fields.move(fold.fields, record.type, data, time=record.time)


def _deleted(fold: Fold, record: Record | Body, data: object) -> None:
    fold.fields.deleted = True


def _configured(fold: Fold, record: Record | Body, data: sessions.Configured) -> None:
    session_fields.configure(fold.fields, data)


def _pinned(fold: Fold, record: Record | Body, data: sessions.Pinned) -> None:
    session_fields.pin(fold.fields, data, time=record.time, actor=record.actor)


def _unpinned(fold: Fold, record: Record | Body, data: sessions.Pinned) -> None:
    session_fields.unpin(fold.fields, data)


def _artifact_stored(fold: Fold, record: Record | Body, data: artifact_events.Stored) -> Applied:
    id = f"{fold.fields.id}:{record.seq}"
    return fold.tree.store(data, id=id, time=record.time, actor=record.actor)


def _artifact_updated(fold: Fold, record: Record | Body, data: artifact_events.Updated) -> Applied:
    return fold.tree.update(data, time=record.time)


def _artifact_renamed(fold: Fold, record: Record | Body, data: artifact_events.Renamed) -> Applied:
    applied = fold.tree.rename(data, time=record.time)
    if fold.fields.pins:
        session_fields.move_pins(fold.fields, data.path, data.to, exchange=data.exchange)
    return applied


def _artifact_deleted(fold: Fold, record: Record | Body, data: artifact_events.Deleted) -> Applied:
    return fold.tree.delete(data, time=record.time)


def _state_changed(fold: Fold, record: Record | Body, data: Changed) -> None:
    fold.state.change(data, record.time)


def _hook_ran(fold: Fold, record: Record | Body, data: Ran) -> None:
    note_ran(fold.hooks, data, record.time)


def _hook_skipped(fold: Fold, record: Record | Body, data: Skipped) -> None:
    note_skipped(fold.hooks, data)


_moved_decoder = msgspec.json.Decoder(sessions.Moved)

_STEPS: dict[str, tuple[Step, msgspec.json.Decoder[Any]]] = {
    "session.created": (_created, msgspec.json.Decoder(sessions.Created)),
    "session.updated": (_updated, msgspec.json.Decoder(sessions.Updated)),
    "session.deleted": (_deleted, msgspec.json.Decoder(object)),
    "session.restored": (_restored, msgspec.json.Decoder(sessions.Restored)),
    "session.merged": (_merged, msgspec.json.Decoder(sessions.Merged)),
    "session.configured": (_configured, msgspec.json.Decoder(sessions.Configured)),
    "session.pinned": (_pinned, msgspec.json.Decoder(sessions.Pinned)),
    "session.unpinned": (_unpinned, msgspec.json.Decoder(sessions.Pinned)),
    "session.forked": (_forked, msgspec.json.Decoder(sessions.Forked)),
    **dict.fromkeys(sessions.STATUS_AFTER, (_moved, _moved_decoder)),
    "artifact.stored": (_artifact_stored, msgspec.json.Decoder(artifact_events.Stored)),
    "artifact.updated": (_artifact_updated, msgspec.json.Decoder(artifact_events.Updated)),
    "artifact.renamed": (_artifact_renamed, msgspec.json.Decoder(artifact_events.Renamed)),
    "artifact.deleted": (_artifact_deleted, msgspec.json.Decoder(artifact_events.Deleted)),
    "state.changed": (_state_changed, msgspec.json.Decoder(Changed)),
    "hook.ran": (_hook_ran, msgspec.json.Decoder(Ran)),
    "hook.skipped": (_hook_skipped, msgspec.json.Decoder(Skipped)),
}
