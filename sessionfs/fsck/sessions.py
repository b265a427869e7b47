"""One session: its log's chain, the objects its records name, its snapshots against the fold, its refs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import msgspec

from sessionfs import refs
from sessionfs.artifacts.names import from_text, text_of
from sessionfs.artifacts.tree_object import decode_tree
from sessionfs.errors import Corrupt, Denied, Error
from sessionfs.fsck.fault import Fault, Use
from sessionfs.fsck.found import Found
from sessionfs.log import Position, Record
from sessionfs.log.damage import UnreadableLog
from sessionfs.oid import ObjectId, hash_bytes
from sessionfs.sessions import Moved, check_id
from sessionfs.store import snapshot as snapshots
from sessionfs.store.fold import Fold, InconsistentLog
from sessionfs.store.past import LostBeginning, begin
from sessionfs.store.pruned import pruned_oids
from sessionfs.store.reach import read_from
from sessionfs.store.session import NoSuchSession, Session
from sessionfs.store.store import Store


class _References(msgspec.Struct):
    """What the data of a record can name, whatever its type."""

    oid: ObjectId | None = None
    old_oid: ObjectId | None = None
    new_oid: ObjectId | None = None
    path: str | None = None
    key: str | None = None


_decode_references = msgspec.json.Decoder(_References).decode


def check_session(store: Store, session_id: str, found: Found, *, quick: bool = False) -> Iterator[Fault]:
    """Check one session.

    Args:
        found: The objects of the store; what needs those that are not whole is noted there.
        quick: Without adding up what the log says: only that it is whole, and that all is there.
    """
    try:
        session = store.unread(check_id(session_id))  # unread: opening one puts back what it misses
        session.open_log()
        if isinstance(session.log.damage, UnreadableLog):
            raise session.log.damage
    except NoSuchSession:
        yield Fault(
            "leftover", f"sessions/{session_id}", "no session: a crash left it there", session_id, is_damage=False
        )
        return
    except Error as failure:
        yield Fault("damaged-session", f"sessions/{session_id}", str(failure), session_id)
        return
    check = _SessionCheck(store, session, found, quick)
    yield from check.run()
    yield from _check_refs(store, session_id, check)


class _SessionCheck:
    def __init__(self, store: Store, session: Session, found: Found, quick: bool) -> None:
        self._quick = quick
        self._pruned: set[ObjectId] = set()
        self._store = store
        self._session = session
        self._found = found
        self._fold: Fold | None = None  # also after a record that could not be applied
        self._trees_seen: set[ObjectId] = set()

    def run(self) -> Iterator[Fault]:
        content = read_from(self._store.disk, self._session.log.path, 0)
        self._pruned = pruned_oids(content.split(b"\n"))
        if not self._quick:
            try:
                self._fold = begin(self._session, heal=False).fold
            except LostBeginning as failure:
                yield self._fault("lost-beginning", 0, str(failure))
        position = Position(0, 0, self._session.id, 0)
        try:
            for line, record in self._session.log.lines():
                yield from self._record(record, position)
                position = Position(record.seq + 1, position.offset + len(line), record.chain, record.base)
        except Corrupt as failure:
            yield self._fault("damaged-log", position.seq, str(failure))
            return
        except Denied as failure:
            yield self._fault("unreadable-log", position.seq, str(failure))
            return
        size = self._store.disk.size_at(self._session.log.path) or 0
        if size > position.offset:
            message = (
                f"{size - position.offset} bytes after the last whole record: a torn tail, set aside by the next writer"
            )
            yield self._fault("torn-tail", position.seq, message)._replace(is_damage=False)

    def _record(self, record: Record, position: Position) -> Iterator[Fault]:
        yield from self._snapshot(record, position)
        if self._fold is not None:
            try:
                self._fold.apply(record)
            except InconsistentLog as failure:
                self._fold = None
                yield self._fault("inconsistent-log", record.seq, str(failure))
        yield from self._references(record)

    def _references(self, record: Record) -> Iterator[Fault]:
        text: bytes | msgspec.Raw = record.data
        if record.data_oid is not None:
            what = f"the data of {record.type}"
            missing = list(self._needs(record, record.data_oid, "blob", what))
            yield from missing
            if missing or record.data_oid in self._found.damaged or record.data_oid in self._pruned:
                return
            try:
                text = self._store.objects.read(record.data_oid)
            except Corrupt as failure:  # when nothing was hashed before
                yield self._damaged(record.seq, record.data_oid, "blob", what, failure)
                return
        if not record.type.startswith(("artifact.", "state.")):
            return  # a caller's event may use these names for something else
        try:
            named = _decode_references(text)
        except msgspec.MsgspecError:
            return  # the fold says what is wrong with it
        for oid in (named.oid, named.old_oid, named.new_oid):
            if oid is not None:
                yield from self._needs(record, oid, "blob", self._role(record, named))

    def _role(self, record: Record, named: _References) -> str:
        """Say what an object is to a record that has been applied: which artifact, which version."""
        if named.path is None:
            return f"state {named.key}"
        node = None
        if self._fold is not None:
            with contextlib.suppress(Error):
                node = self._fold.tree.find(from_text(named.path))
        return named.path if node is None else f"{named.path}, version {node.version}"

    def _snapshot(self, record: Record, position: Position) -> Iterator[Fault]:
        if record.type not in _MOVES:
            return
        moved = msgspec.json.decode(record.data, type=Moved)
        if moved.beginning is not None:
            yield from self.snapshot(record.seq, moved.beginning, "what it began with")
        oid = moved.snapshot
        if oid is None or oid in self._pruned:
            return
        name = "a snapshot" if moved.checkpoint is None else f"checkpoint {moved.checkpoint}"
        faults = list(self.snapshot(record.seq, oid, name))
        yield from faults
        if faults or oid in self._found.damaged:
            return
        snapshot = snapshots.read(self._store.objects, oid)
        if snapshot.position != position and record.base == position.offset:
            message = f"snapshot {oid} ends before record {snapshot.position.seq}, and the log goes on to {record.seq}"
            yield self._fault("wrong-snapshot", record.seq, message)._replace(oid=oid)
        if self._fold is None or snapshot.position != position:
            return
        # Hashing instead of putting: a check writes nothing.
        written = self._fold.tree.write(hash_bytes)
        expected = snapshots.describe(self._fold, written, position, snapshot.parents)
        if snapshots.encode(expected) != snapshots.encode(snapshot):
            message = f"snapshot {oid} is not what the log adds up to there"
            yield self._fault("wrong-snapshot", record.seq, message)._replace(oid=oid)

    def snapshot(self, seq: int, oid: ObjectId, what: str) -> Iterator[Fault]:
        """Check that a snapshot is there with its trees, and what these name."""
        missing = list(self.needs(seq, oid, "snapshot", what))
        yield from missing
        if missing or oid in self._found.damaged:
            return
        try:
            snapshot = snapshots.read(self._store.objects, oid)
        except Corrupt as failure:
            yield self._fault("damaged-snapshot", seq, str(failure))._replace(oid=oid)
            return
        yield from self._tree(seq, snapshot.root.tree, what)
        yield from self._tree(seq, snapshot.linked, what)

    def _tree(self, seq: int, oid: ObjectId | None, what: str) -> Iterator[Fault]:
        """Check that the tree objects below a snapshot are there, and what they name; each once per session."""
        waiting = [(oid, "")]
        while waiting:
            tree, above = waiting.pop()
            if tree is None or tree in self._trees_seen:
                continue
            self._trees_seen.add(tree)
            missing = list(self.needs(seq, tree, "tree", f"{above or 'the root'} in {what}"))
            yield from missing
            if missing or tree in self._found.damaged or tree in self._pruned:
                continue
            try:
                read = decode_tree(self._store.objects.read_json("tree", tree))
            except (Corrupt, msgspec.MsgspecError) as failure:  # when nothing was hashed before
                yield self._damaged(seq, tree, "tree", f"{above or 'the root'} in {what}", failure)
                continue
            waiting += [(part.tree, above) for part in read.parts]
            for entry in read.entries:
                path = above + text_of(entry.name)
                waiting.append((entry.tree, path + "/"))
                if entry.oid is not None:
                    yield from self.needs(seq, entry.oid, "blob", f"{path} in {what}")

    def _needs(self, record: Record, oid: ObjectId, kind: str, what: str) -> Iterator[Fault]:
        return self.needs(record.seq, oid, kind, what)

    def needs(self, seq: int, oid: ObjectId, kind: str, what: str) -> Iterator[Fault]:
        """Check that an object is there; note that it is needed."""
        if oid in self._pruned:
            return
        use = Use(self._session.id, seq, what)
        self._found.note_use(oid, use)
        if not self._found.has(oid, kind):
            message = f"record {seq} names {kind} {oid} ({what}), and it is missing"
            yield self._fault("missing-object", seq, message)._replace(oid=oid, object_kind=kind, touched=(use,))

    def _damaged(self, seq: int, oid: ObjectId, kind: str, what: str, failure: Exception) -> Fault:
        use = Use(self._session.id, seq, what)
        return self._fault("damaged-object", seq, str(failure))._replace(oid=oid, object_kind=kind, touched=(use,))

    def _fault(self, kind: str, seq: int, message: str) -> Fault:
        return Fault(kind, f"{self._session.id}:{seq}", message, self._session.id)


_MOVES = frozenset(
    {"session.saved", "session.suspended", "session.completed", "session.failed", "session.archived", "session.resumed"}
)


def _check_refs(store: Store, session_id: str, check: _SessionCheck) -> Iterator[Fault]:
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
        if value is not None:
            yield from check.snapshot(0, value, f"checkpoint {name}")
