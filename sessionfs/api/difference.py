"""What changed, as values: between two moments, and in one operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from sessionfs.api.artifact import Artifact, artifact_of
from sessionfs.artifacts import Node, text_of
from sessionfs.clock import format_time, to_datetime
from sessionfs.state import Value
from sessionfs.store.session import Session
from sessionfs.travel import Change, StateChange
from sessionfs.travel.noting import Operation as DomainOperation
from sessionfs.travel.unified import Counted, count_change, format_change


class ArtifactChange:
    """One path at which two moments differ.

    Attributes:
        path: Where; of something renamed where it is now.
        kind: ``added``, ``deleted``, ``modified`` or ``renamed``.
        before, after: The artifact on both sides; None for nothing.
        renamed_from: Where it was, if it was renamed.
        fields: What differs: ``oid`` for the content, ``mode``, ``tags``, ``metadata``, …
    """

    def __init__(self, change: Change, session: Session) -> None:
        """Wrap a change of the floor below; the log of *session* says so when audited content is read."""
        self.path = change.path
        self.kind = change.kind
        self.renamed_from = change.renamed_from
        self.fields = change.fields
        self._change = change
        self._session = session

    @property
    def before(self) -> Artifact | None:
        """What was there."""
        return self._artifact(self.renamed_from or self.path, self._change.before)

    @property
    def after(self) -> Artifact | None:
        """What is there."""
        return self._artifact(self.path, self._change.after)

    def count(self, *, limit_bytes: int | None = None) -> Counted:
        """Return how many lines and bytes came and went; no lines for what is no text, or longer than *limit_bytes*."""
        if limit_bytes is None:
            return count_change(self._session.objects, self._change)
        return count_change(self._session.objects, self._change, limit_bytes=limit_bytes)

    def unified(self) -> bytes:
        """Return it as a unified diff, which ``patch -p1`` and ``git apply`` understand."""
        return b"".join(format_change(self._session.objects, self._change))

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        before, after = self._change.before, self._change.after
        return {
            "change": self.kind,
            "path": text_of(self.path),
            "from": None if self.renamed_from is None else text_of(self.renamed_from),
            "kind": (after or before or Node(ino=0)).kind,
            "fields": list(self.fields),
            "old_oid": None if before is None else before.oid,
            "new_oid": None if after is None else after.oid,
            "old_size": 0 if before is None else before.size,
            "new_size": 0 if after is None else after.size,
        }

    def __repr__(self) -> str:
        return f"<sessionfs.ArtifactChange {self.kind} {self.path!r}>"

    def _artifact(self, path: str, node: Node | None) -> Artifact | None:
        return None if node is None else artifact_of(path, node, self._session.objects, self._session)


class StateDifference:
    """One key at which two moments differ.

    Attributes:
        key: Which.
        kind: ``added``, ``deleted`` or ``modified``.
    """

    def __init__(self, change: StateChange, session: Session) -> None:
        self.key = change.key
        self.kind = change.kind
        self._change = change
        self._session = session

    @property
    def before(self) -> Any:
        """The value that it had; None when it had none."""
        return self._value(self._change.before)

    @property
    def after(self) -> Any:
        """The value that it has; None when it has none."""
        return self._value(self._change.after)

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {"change": self.kind, "key": self.key, "before": self.before, "after": self.after}

    def __repr__(self) -> str:
        return f"<sessionfs.StateDifference {self.kind} {self.key!r}>"

    def _value(self, value: Value | None) -> Any:
        if value is None:
            return None
        text = self._session.objects.read(value.oid) if isinstance(value.oid, str) else value.json
        return msgspec.json.decode(text)  # type: ignore[arg-type]


class Difference:
    """What differs between two moments. It is true when anything does.

    Attributes:
        artifacts: Sorted by path.
        state: Sorted by key.
    """

    def __init__(self, changes: Iterable[Change], state_changes: Iterable[StateChange], session: Session) -> None:
        self.artifacts = [ArtifactChange(change, session) for change in changes]
        self.state = [StateDifference(change, session) for change in state_changes]

    def unified(self) -> bytes:
        """Return the changes of artifacts as one patch."""
        return b"".join([change.unified() for change in self.artifacts])

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "artifacts": [change.to_dict() for change in self.artifacts],
            "state": [change.to_dict() for change in self.state],
        }

    def __bool__(self) -> bool:
        return bool(self.artifacts or self.state)

    def __iter__(self) -> Iterator[ArtifactChange]:
        return iter(self.artifacts)

    def __repr__(self) -> str:
        return f"<sessionfs.Difference of {len(self.artifacts)} artifacts and {len(self.state)} keys>"


class Operation(Difference):
    """What one call changed: a put, a rename, a removed directory, a burst of files that were collected.

    Attributes:
        seq: The number of its last record, after which it was done.
        first_seq: The number of its first record.
        record_count: How many records it has.
        time_ns: When the last one was written.
        actor: Who did it.
        correlation_id: What it shares with others.
        notes: What it did to the session itself, in words.
    """

    def __init__(self, operation: DomainOperation, session: Session) -> None:
        super().__init__(operation.changes, operation.state_changes, session)
        self.seq = operation.seq
        self.first_seq = operation.first_seq
        self.record_count = operation.record_count
        self.time_ns = operation.time_ns
        self.actor = operation.actor
        self.correlation_id = operation.correlation_id
        self.notes = operation.notes

    @property
    def time(self) -> datetime:
        """When its last record was written."""
        return to_datetime(self.time_ns)

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "seq": self.seq,
            "first_seq": self.first_seq,
            "record_count": self.record_count,
            "time": format_time(self.time_ns),
            "actor": self.actor,
            "correlation_id": self.correlation_id,
            "notes": list(self.notes),
            **super().to_dict(),
        }

    def __repr__(self) -> str:
        return f"<sessionfs.Operation {self.first_seq} to {self.seq}>"
