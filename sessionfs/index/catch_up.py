"""From the logs into the tables: what was appended to a session since the index looked last, and nothing else.

All of a session's new records go into the index in one transaction, with the place in its log up to which they reach.
So the index says what the log said at some place, whoever is killed at whatever point.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from sessionfs.artifacts import Directory
from sessionfs.artifacts import events as artifact_events
from sessionfs.clock import parse_time
from sessionfs.errors import Corrupt, Error
from sessionfs.index import artifacts, events, live, logs, sessions
from sessionfs.index.row import fit, row_of_node
from sessionfs.index.schema import DIRECTORY, PRESENT
from sessionfs.index.sessions import FileState, Known
from sessionfs.log import NoSuchLog, Record, UnreadableDepth
from sessionfs.log.appends import is_behind
from sessionfs.sessions import Created
from sessionfs.state import Changed
from sessionfs.store import past
from sessionfs.store.fold import Fold
from sessionfs.store.session import NoSuchSession
from sessionfs.store.store import Store

_decode_created = msgspec.json.Decoder(Created).decode
_decode_changed = msgspec.json.Decoder(Changed).decode
_decode_stored = msgspec.json.Decoder(artifact_events.Stored).decode
_decode_updated = msgspec.json.Decoder(artifact_events.Updated).decode
_decode_renamed = msgspec.json.Decoder(artifact_events.Renamed).decode
_decode_deleted = msgspec.json.Decoder(artifact_events.Deleted).decode

_MAX_EVENTS = 10_000


class Filler:
    """Brings sessions up to date in one database. The caller has begun a transaction, and ends it."""

    def __init__(self, store: Store, database: sqlite3.Connection) -> None:
        self._store = store
        self._database = database
        self._keys = live.Keys(database)

    def fill(self, session_id: str, file: FileState) -> None:
        """Bring one session up to date.

        Args:
            file: What its log was, looked at before this.
        """
        known = sessions.read_known(self._database, session_id)
        if known is not None and known.file == file:
            return  # another process was faster
        if known is not None and not self._can_go_on(known, file):
            again = self.forget(session_id)[1:]
            known = None
        else:
            again = self._forget_unreadable(session_id)
        self._fill(session_id, known, file)
        self._fill_anew(again)

    def remove_gone(self, session_id: str) -> None:
        """Forget a session that is not there any more, and look anew at the forks that begin with it."""
        self._fill_anew(self.forget(session_id)[1:])

    def _fill_anew(self, session_ids: list[str]) -> None:
        for session_id in session_ids:
            state = logs.look_at(self._store, session_id)
            if state is not None:
                self._fill(session_id, None, state)

    def _forget_unreadable(self, session_id: str) -> list[str]:
        """Forget the forks of a session that could not be read: what is appended to it may be what they began with."""
        statement = "SELECT id FROM sessions WHERE fork_of = ? AND damage IS NOT NULL"
        unreadable = [fork for (fork,) in self._database.execute(statement, (session_id,)).fetchall()]
        return [gone for fork in unreadable for gone in self.forget(fork)]

    def _fill(self, session_id: str, known: Known | None, file: FileState) -> None:
        is_new = known is None
        if known is None:
            known = Known.new(self._new_key(), session_id)
        known.file = file
        try:
            _Filling(self._store, self._database, self._keys, known, is_new=is_new).run()
        except NoSuchLog:
            self.remove(session_id)

    def forget(self, session_id: str) -> list[str]:
        """Forget a session of which what was read is not so any more, and all forks that begin with it; return them."""
        gone = [session_id]
        for one in gone:
            gone += [fork for (fork,) in self._database.execute("SELECT id FROM sessions WHERE fork_of = ?", (one,))]
            self.remove(one)
        return gone

    def _can_go_on(self, known: Known, file: FileState) -> bool:
        """Say whether what was read of a log is still so: not if it is another one, or was repaired or written over."""
        has_grown = file[1] > known.file[1]
        path = self._store.layout.log(known.id)
        return has_grown and known.damage is None and is_behind(self._store.disk, path, known.position)

    def remove(self, session_id: str) -> None:
        """Forget a session."""
        found = self._database.execute("SELECT key FROM sessions WHERE id = ?", (session_id,)).fetchone()
        if found is None:
            return
        live.remove_session(self._database, found[0])
        sessions.unfile_session(self._database, found[0])
        for table, column in (("events", "session"), ("state_keys", "session"), ("sessions", "key")):
            self._database.execute(f"DELETE FROM {table} WHERE {column} = ?", found)

    def _new_key(self) -> int:
        (highest,) = self._database.execute("SELECT max(key) FROM sessions").fetchone()
        return (highest or 0) + 1


class _Filling:
    """One session that is being brought up to date."""

    def __init__(
        self,
        store: Store,
        database: sqlite3.Connection,
        keys: live.Keys,
        known: Known,
        *,
        is_new: bool,
    ) -> None:
        self._store = store
        self._database = database
        self._keys = keys
        self._known = known
        self._live = live.Live(database, keys, known.key, is_new=is_new)
        self._live.artifact_count, self._live.size = known.artifact_count, known.size
        self._live.stored_size = known.stored_size
        self._fold = Fold(store.objects, known.id)  # of what the session says about itself; its tree stays empty
        self._fold.fields = known.fields
        self._events: list[tuple[Any, ...]] = []
        self._is_unfit = False  # its log is damaged, or a record cannot be applied

    def run(self) -> None:
        known = self._known
        try:
            self._read_on()
        except UnreadableDepth:
            self._is_unfit = True
        known.event_count = known.position.seq
        known.fields = self._fold.fields
        if self._is_unfit:
            self._read_whole()
        self._live.flush()
        self._database.executemany(events.INSERT, self._events)
        known.artifact_count, known.size = self._live.artifact_count, self._live.size
        known.stored_size = self._live.stored_size
        known.is_there = not known.fields.deleted and (known.position.seq > 0 or known.damage is not None)
        sessions.write_known(self._database, known)
        if not known.is_there:
            live.remove_session(self._database, known.key)

    def _read_on(self) -> None:
        known = self._known
        for batch in logs.read_on(self._store.disk, self._store.layout.log(known.id), known.position):
            for record in batch.records:
                self._take(record)
            known.position = batch.position
            self._is_unfit |= batch.damage is not None
            self._live.relieve()

    def _take(self, record: Record) -> None:
        if record.type.startswith(events.PREFIXES):
            self._events.append(events.row_of_event(self._store.objects, self._known.key, record))
            if len(self._events) >= _MAX_EVENTS:
                self._database.executemany(events.INSERT, self._events)
                self._events.clear()
        if self._is_unfit:
            return
        try:
            self._apply(record)
        except (Error, msgspec.MsgspecError, ValueError, KeyError, RecursionError):
            self._is_unfit = True
            return
        self._fold.fields.updated_at = record.time

    def _apply(self, record: Record) -> None:
        family = record.type.partition(".")[0]
        if family == "session":
            if record.type == "session.created":
                self._begin(_decode_created(self._data(record)))
            self._fold.apply(record)
        elif record.type == "state.changed":
            changed = _decode_changed(self._data(record))
            self._known.state_count += sessions.change_state(self._database, self._known.key, changed)
        elif record.type in _APPLY:
            _APPLY[record.type](self._live, record, self._data(record), fit(parse_time(record.time)))

    def _data(self, record: Record) -> bytes | msgspec.Raw:
        return record.data if record.data_oid is None else self._store.objects.read(record.data_oid)

    def _begin(self, created: Created) -> None:
        """Take in what a fork begins with."""
        if created.fork is not None:
            self._known.fork_of = created.fork.session
            begun = past.begin(self._store.unread(self._known.id), heal=False).fold
            self._add_tree(begun)
            self._fold.fields = begun.fields

    def _add_tree(self, fold: Fold) -> None:
        """Take in the artifacts and the keys of a fold."""
        known = self._known
        for path, node in fold.tree.walk():
            standing = DIRECTORY if isinstance(node, Directory) else PRESENT
            key = self._live.new_key()
            self._live.add(row_of_node(node, path, key=key, session=known.key, session_id=known.id, standing=standing))
            self._live.relieve()
        known.state_count += sessions.add_state_keys(self._database, known.key, list(fold.state.values))

    def _read_whole(self) -> None:
        """Take what the session is from its fold, which may begin with a snapshot behind a damaged place."""
        known = self._known
        live.remove_session(self._database, known.key)
        self._database.execute("DELETE FROM state_keys WHERE session = ?", (known.key,))
        self._live = live.Live(self._database, self._keys, known.key, is_new=True)
        known.state_count = 0
        session = self._store.unread(known.id)
        try:
            fork = past.fork_of(session)
            known.fork_of = None if fork is None else fork.session
            session.open()
        except NoSuchSession:
            known.fields.deleted = True
            return
        except Corrupt as failure:  # nothing of it can be read; the others can, and are what is asked for
            known.damage, known.event_count = str(failure), 0
            return
        with session.lock:
            info = session.info()
            known.fields, known.damage, known.event_count = session.fold.fields, info.damage, info.event_count
            known.position = session.log.position
            self._add_tree(session.fold)


def _store_artifact(rows: live.Live, record: Record, data: bytes | msgspec.Raw, time_ns: int) -> None:
    artifacts.store(rows, _decode_stored(data), seq=record.seq, time_ns=time_ns, actor=record.actor)


def _update_artifact(rows: live.Live, record: Record, data: bytes | msgspec.Raw, time_ns: int) -> None:
    artifacts.update(rows, _decode_updated(data), time_ns=time_ns)


def _rename_artifact(rows: live.Live, record: Record, data: bytes | msgspec.Raw, time_ns: int) -> None:
    artifacts.rename(rows, _decode_renamed(data), time_ns=time_ns)


def _delete_artifact(rows: live.Live, record: Record, data: bytes | msgspec.Raw, time_ns: int) -> None:
    artifacts.delete(rows, _decode_deleted(data), time_ns=time_ns)


_APPLY: dict[str, Callable[[live.Live, Record, bytes | msgspec.Raw, int], None]] = {
    "artifact.stored": _store_artifact,
    "artifact.updated": _update_artifact,
    "artifact.renamed": _rename_artifact,
    "artifact.deleted": _delete_artifact,
}
