"""One session: its log's chain, the objects its records name, its snapshots against the fold, its refs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import msgspec

from sessionfs import refs
from sessionfs.artifacts.node import decode_tree
from sessionfs.errors import Corrupt, Error, NotFound
from sessionfs.fsck.fault import Fault
from sessionfs.fsck.objects import Found
from sessionfs.log import Position, Record
from sessionfs.oid import ObjectId, hash_bytes
from sessionfs.sessions import Moved
from sessionfs.store import snapshot as snapshots
from sessionfs.store.fold import Fold, InconsistentLog
from sessionfs.store.session import NoSuchSession, Session
from sessionfs.store.store import Store


class _References(msgspec.Struct):
    """Every object that the data of a record can name, whatever its type."""

    oid: ObjectId | None = None
    old_oid: ObjectId | None = None
    new_oid: ObjectId | None = None
    snapshot: ObjectId | None = None


_decode_references = msgspec.json.Decoder(_References).decode


def check_session(store: Store, session_id: str, found: Found) -> Iterator[Fault]:
    """Check one session.

    Args:
        found: The objects of the store.
    """
    try:
        session = store.session(session_id)
    except NoSuchSession:
        yield Fault(
            "leftover", f"sessions/{session_id}", "no session: a crash left it there", session_id, is_damage=False
        )
        return
    except Error as failure:
        yield Fault("damaged-session", f"sessions/{session_id}", str(failure), session_id)
        return
    yield from _SessionCheck(store, session, found).run()
    yield from _check_refs(store, session_id, found)


class _SessionCheck:
    def __init__(self, store: Store, session: Session, found: Found) -> None:
        self._store = store
        self._session = session
        self._found = found
        self._fold: Fold | None = Fold(store.objects, session.id)
        self._trees_seen: set[ObjectId] = set()

    def run(self) -> Iterator[Fault]:
        position = Position(0, 0, self._session.id, 0)
        try:
            for line, record in self._session.log.lines():
                yield from self._record(record, position)
                position = Position(record.seq + 1, position.offset + len(line), record.chain, record.base)
        except Corrupt as failure:
            yield self._fault("damaged-log", position.seq, str(failure))
            return
        size = self._store.disk.size_at(self._session.log.path) or 0
        if size > position.offset:
            message = (
                f"{size - position.offset} bytes after the last whole record: a torn tail, set aside by the next writer"
            )
            yield self._fault("torn-tail", position.seq, message)._replace(is_damage=False)

    def _record(self, record: Record, position: Position) -> Iterator[Fault]:
        yield from self._references(record)
        yield from self._snapshot(record, position)
        if self._fold is None:
            return
        try:
            self._fold.apply(record)
        except InconsistentLog as failure:
            self._fold = None
            yield self._fault("inconsistent-log", record.seq, str(failure))

    def _references(self, record: Record) -> Iterator[Fault]:
        if record.data_oid is not None:
            yield from self._needs(record, record.data_oid, "blob", "its data")
        try:
            named = _decode_references(record.data) if bytes(record.data) != b"null" else _References()
        except msgspec.MsgspecError:
            return  # a custom event may use these names for something else
        if record.type.startswith(("artifact.", "state.")):
            for oid in (named.oid, named.old_oid, named.new_oid):
                if oid is not None:
                    yield from self._needs(record, oid, "blob", "its content")

    def _snapshot(self, record: Record, position: Position) -> Iterator[Fault]:
        oid = msgspec.json.decode(record.data, type=Moved).snapshot if record.type in _MOVES else None
        if oid is None:
            return
        missing = list(self._needs(record, oid, "snapshot", "its snapshot"))
        yield from missing
        if missing or oid in self._found.damaged:
            return
        snapshot = snapshots.read(self._store.objects, oid)
        yield from self._tree(record, snapshot.root.tree)
        yield from self._tree(record, snapshot.linked)
        if self._fold is None or snapshot.position != position:
            return
        # Hashing instead of putting: a check writes nothing.
        written = self._fold.tree.write(hash_bytes)
        expected = snapshots.describe(self._fold, written, position, snapshot.parents)
        if snapshots.encode(expected) != snapshots.encode(snapshot):
            yield self._fault("wrong-snapshot", record.seq, f"snapshot {oid} is not what the log adds up to there")

    def _tree(self, record: Record, oid: ObjectId | None) -> Iterator[Fault]:
        """Check that the tree objects below a snapshot are there; each once per session."""
        waiting = [oid]
        while waiting:
            tree = waiting.pop()
            if tree is None or tree in self._trees_seen:
                continue
            self._trees_seen.add(tree)
            missing = list(self._needs(record, tree, "tree", "a tree of its snapshot"))
            yield from missing
            if not missing and tree not in self._found.damaged:
                waiting += [entry.tree for entry in decode_tree(self._store.objects.read_json("tree", tree))]

    def _needs(self, record: Record, oid: ObjectId, kind: str, role: str) -> Iterator[Fault]:
        if self._found.has(oid, kind):
            return
        try:  # it may have been put since the objects were listed
            if self._store.objects.kind(oid) == kind:
                return
        except NotFound:
            pass
        message = f"record {record.seq} ({record.type}) names {kind} {oid} as {role}, and it is missing"
        yield self._fault("missing-object", record.seq, message)

    def _fault(self, kind: str, seq: int, message: str) -> Fault:
        return Fault(kind, f"{self._session.id}:{seq}", message, self._session.id)


_MOVES = frozenset(
    {"session.saved", "session.suspended", "session.completed", "session.failed", "session.archived", "session.resumed"}
)


def _check_refs(store: Store, session_id: str, found: Found) -> Iterator[Fault]:
    directory = store.layout.refs(session_id)
    try:
        names = sorted(store.disk.listdir(directory))
    except FileNotFoundError:
        return
    for name in names:
        where = f"sessions/{session_id}/refs/{name}"
        value: Any = None
        try:
            value = refs.read(store.disk, os.path.join(directory, name))
        except Corrupt as failure:
            yield Fault("damaged-ref", where, str(failure), session_id)
        if value is not None and not found.has(value, "snapshot"):
            yield Fault("missing-object", where, f"the ref names snapshot {value}, and it is missing", session_id)
