"""What each record of an operation changed, noted while the record is applied."""

from __future__ import annotations

import copy
from collections.abc import Callable

import msgspec

from sessionfs.artifacts import Node, events, from_text
from sessionfs.clock import parse_time
from sessionfs.log import Record
from sessionfs.objects import ObjectDatabase
from sessionfs.sessions import STATUS_AFTER, Created, Forked, Merged, Moved, Replayed, Restored, Updated
from sessionfs.state import Changed, Value
from sessionfs.store.fold import Fold
from sessionfs.travel.difference import (
    ATTRIBUTE_FIELDS,
    CONTENT_FIELDS,
    Change,
    StateChange,
    differing_fields,
    pair_renames,
)


class Operation(msgspec.Struct, frozen=True):
    """What one call changed: a put, a rename, an ``rm -r``, a burst of files that were collected.

    Attributes:
        seq: The number of its last record: the moment after it.
        first_seq: That of its first one.
        record_count: How many records it has; others may stand between them.
        time_ns: When the last one was written.
        changes: Of artifacts, sorted by path; what came and went inside does not count, nor do times of directories
            that something else was done in.
        state_changes: Likewise, by key.
        notes: What it did to the session itself, in words: ``completed``, ``checkpoint before-merge``.
    """

    seq: int
    first_seq: int
    record_count: int
    time_ns: int
    actor: str
    correlation_id: str | None
    changes: tuple[Change, ...]
    state_changes: tuple[StateChange, ...]
    notes: tuple[str, ...]


class Noted:
    """An operation that is being read, from its first record on."""

    def __init__(self, record: Record) -> None:
        self.first_seq = record.seq
        self.last = record
        self.record_count = 0
        self.nodes: dict[str, tuple[Node | None, Node | None]] = {}  # by path: before the operation, and now
        self.values: dict[str, tuple[Value | None, Value | None]] = {}
        self.notes: list[str] = []

    def note(self, path: str, before: Node | None, after: Node | None) -> None:
        known = self.nodes.get(path)
        self.nodes[path] = (before if known is None else known[0], after)

    def finish(self) -> Operation | None:
        """Return what it came to; None when it changed nothing."""
        if not (self.nodes or self.values or self.notes):
            return None
        changes = []
        for path, (before, after) in self.nodes.items():
            fields: tuple[str, ...] = ()
            if before is not None and after is not None:
                fields = differing_fields(before, after, (*CONTENT_FIELDS, *ATTRIBUTE_FIELDS))
            if before is not None or after is not None:
                changes.append(Change(path, before, after, fields))
        state = [StateChange(key, before, after) for key, (before, after) in sorted(self.values.items())]
        # What is put back in a directory moves its time, which is set again: nobody did that for its own sake.
        told = [change for change in changes if change.fields or not _is_known_directory(change)]
        if told or state or self.notes:
            changes = told
        return Operation(
            seq=self.last.seq,
            first_seq=self.first_seq,
            record_count=self.record_count,
            time_ns=parse_time(self.last.time),
            actor=self.last.actor,
            correlation_id=self.last.correlation_id,
            changes=tuple(pair_renames(changes)),
            state_changes=tuple([change for change in state if change.before or change.after]),
            notes=tuple(self.notes),
        )


def _is_known_directory(change: Change) -> bool:
    """Whether it was a directory before, and still is."""
    before, after = change.before, change.after
    return before is not None and after is not None and before.is_directory and after.is_directory


def apply(fold: Fold, noted: Noted, record: Record, objects: ObjectDatabase) -> None:
    """Apply *record* to *fold*, and note what it changed."""
    noted.last = record
    noted.record_count += 1
    step = _STEPS.get(record.type)
    if step is None:
        fold.apply(record)
    else:
        data = record.data if record.data_oid is None else objects.read(record.data_oid)
        step(fold, noted, record, bytes(data))


# What each type of record changes. The step applies the record too.

_Step = Callable[[Fold, Noted, Record, bytes], None]


def _artifact_changed(fold: Fold, noted: Noted, record: Record, text: bytes) -> None:
    path = from_text(_decode_path(text).path)
    before = _kept(fold, path)
    fold.apply(record)
    noted.note(path, before, _kept(fold, path))


def _artifact_renamed(fold: Fold, noted: Noted, record: Record, text: bytes) -> None:
    data = _decode_renamed(text)
    paths = (from_text(data.path), from_text(data.to))
    before = [_kept(fold, path) for path in paths]
    fold.apply(record)
    for path, node in zip(paths, before, strict=True):
        noted.note(path, node, _kept(fold, path))


def _artifact_deleted(fold: Fold, noted: Noted, record: Record, text: bytes) -> None:
    path = from_text(_decode_path(text).path)
    gone = fold.tree.find(path)
    below = list(fold.tree.walk(path)) if gone is not None and gone.is_directory else []
    for inner, node in [(path, gone), *below]:
        noted.note(inner, copy.copy(node), None)
    fold.apply(record)


def _state_changed(fold: Fold, noted: Noted, record: Record, text: bytes) -> None:
    key = _decode_changed(text).key
    before = fold.state.values.get(key)
    fold.apply(record)
    known = noted.values.get(key)
    noted.values[key] = (before if known is None else known[0], fold.state.values.get(key))


def _session_moved(fold: Fold, noted: Noted, record: Record, text: bytes) -> None:
    fold.apply(record)
    reason = _decode_moved(text).reason
    noted.notes.append(record.type.removeprefix("session.") + (f": {reason}" if reason else ""))


def _session_saved(fold: Fold, noted: Noted, record: Record, text: bytes) -> None:
    fold.apply(record)
    name = _decode_moved(text).checkpoint
    if name is not None:  # otherwise it only makes opening faster
        noted.notes.append(f"checkpoint {name}")


def _session_updated(fold: Fold, noted: Noted, record: Record, text: bytes) -> None:
    fold.apply(record)
    data = _decode_updated(text)
    fields = [field for field in data.__struct_fields__ if getattr(data, field) is not msgspec.UNSET]
    noted.notes.append(f"updated {', '.join(fields)}")


def _session_created(fold: Fold, noted: Noted, record: Record, text: bytes) -> None:
    fold.apply(record)
    data = _decode_created(text)
    made = "created" if data.template is None else f"created from the template {data.template.name}"
    noted.notes.append(made if data.fork is None else f"forked from {data.fork.session}@{{{data.fork.seq - 1}}}")


def _session_forked(fold: Fold, noted: Noted, record: Record, text: bytes) -> None:
    fold.apply(record)
    data = _decode_forked(text)
    noted.notes.append(f"{data.child} was forked from @{{{data.seq - 1}}}")


def _session_restored(fold: Fold, noted: Noted, record: Record, text: bytes) -> None:
    fold.apply(record)
    data = _decode_restored(text)
    noted.notes.append(f"{data.kind}: back to @{{{data.to}}}{_before(data.checkpoint)}")


def _session_merged(fold: Fold, noted: Noted, record: Record, text: bytes) -> None:
    fold.apply(record)
    data = _decode_merged(text)
    noted.notes.append(f"merged what {data.session} had changed{_before(data.checkpoint)}")


def _session_replayed(fold: Fold, noted: Noted, record: Record, text: bytes) -> None:
    fold.apply(record)
    data = _decode_replayed(text)
    noted.notes.append(f"what had happened in {data.session} after @{{{data.seq - 1}}} happened here, with changes")


def _session_deleted(fold: Fold, noted: Noted, record: Record, text: bytes) -> None:
    fold.apply(record)
    noted.notes.append("deleted")


def _before(checkpoint: str | None) -> str:
    return "" if checkpoint is None else f"; what was before is @{{{checkpoint}}}"


def _kept(fold: Fold, path: str) -> Node | None:
    """Return what is at *path* as it is now; nodes change with the records that follow."""
    return copy.copy(fold.tree.find(path))


_STEPS: dict[str, _Step] = {
    "artifact.stored": _artifact_changed,
    "artifact.updated": _artifact_changed,
    "artifact.renamed": _artifact_renamed,
    "artifact.deleted": _artifact_deleted,
    "state.changed": _state_changed,
    "session.updated": _session_updated,
    "session.saved": _session_saved,
    **dict.fromkeys(STATUS_AFTER, _session_moved),
    "session.created": _session_created,
    "session.forked": _session_forked,
    "session.restored": _session_restored,
    "session.merged": _session_merged,
    "session.replayed": _session_replayed,
    "session.deleted": _session_deleted,
}


class _Path(msgspec.Struct):
    path: str


_decode_path = msgspec.json.Decoder(_Path).decode
_decode_renamed = msgspec.json.Decoder(events.Renamed).decode
_decode_changed = msgspec.json.Decoder(Changed).decode
_decode_created = msgspec.json.Decoder(Created).decode
_decode_forked = msgspec.json.Decoder(Forked).decode
_decode_restored = msgspec.json.Decoder(Restored).decode
_decode_merged = msgspec.json.Decoder(Merged).decode
_decode_moved = msgspec.json.Decoder(Moved).decode
_decode_replayed = msgspec.json.Decoder(Replayed).decode
_decode_updated = msgspec.json.Decoder(Updated).decode
