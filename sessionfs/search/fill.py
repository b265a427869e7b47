"""Bringing the index of texts up to date: what sessions have that moved, and nothing that was looked at before.

Texts are read before the lock is taken, and written some at a time, so that other processes get their turn, and who is
interrupted loses little. Two processes that read the same content write it once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from sessionfs.errors import Corrupt, Error, NotFound
from sessionfs.index import Index, logs
from sessionfs.index.database import Database
from sessionfs.index.events import PREFIXES
from sessionfs.log import NoSuchLog, Position, Record, UnreadableDepth
from sessionfs.log.appends import is_behind
from sessionfs.oid import ObjectId
from sessionfs.search import documents
from sessionfs.search.extract import extract
from sessionfs.search.schema import TEXT, WAITING
from sessionfs.search.tokens import as_fts
from sessionfs.store.store import Store

Progress = Callable[[int, int], None]
"""Called with how many bytes of contents are done, and of how many."""

# What is waiting to be written is written when it is so much.
_WAITING_LENGTH = 16 << 20
_WAITING_COUNT = 2_000


class _Moved(NamedTuple):
    """A session that is not what it was when it was taken in."""

    key: int  # in the index
    id: str
    position: Position  # up to which the index has read it
    known: Position | None  # up to which it was taken in


class _Label(NamedTuple):
    name: str
    description: str
    tags: str


class _Content(NamedTuple):
    oid: bytes
    state: int
    text: str


class _Event(NamedTuple):
    session: str
    seq: int
    type: str
    text: str


def catch_up(store: Store, index: Index, database: Database, progress: Progress | None = None) -> None:
    """Take in what is new in all sessions. The index is up to date."""
    moved = _find_moved(index, database)
    if moved or documents.can_read():
        _Filling(store, index, database, progress).run(moved)


def _find_moved(index: Index, database: Database) -> list[_Moved]:
    with database.reading() as connection:
        rows = connection.execute("SELECT session, seq, offset, chain, base FROM followed")
        known = {session: Position(*place) for session, *place in rows}

    def ask(connection: sqlite3.Connection) -> list[_Moved]:
        rows = connection.execute("SELECT key, id, seq, offset, chain, base FROM sessions WHERE is_there ORDER BY id")
        return [
            _Moved(key, session, Position(*place), known.get(session))
            for key, session, *place in rows
            if known.get(session) != Position(*place)
        ]

    return index.ask(ask)


class _Filling:
    def __init__(self, store: Store, index: Index, database: Database, progress: Progress | None) -> None:
        self._store = store
        self._index = index
        self._database = database
        self._progress = progress
        self._done = self._total = 0
        self._length = 0
        self._contents: dict[bytes, _Content] = {}
        self._labels: set[_Label] = set()
        self._events: list[_Event] = []
        self._rewritten: list[str] = []
        self._followed: list[tuple[Any, ...]] = []

    def run(self, moved: list[_Moved]) -> None:
        for session in moved:
            self._take(session)
        if documents.can_read():
            self._read_waiting()
        self._write()

    def _take(self, session: _Moved) -> None:
        for label in self._unknown_labels(session):
            self._labels.add(label)
            self._relieve(sum(map(len, label)))
        unknown = self._unknown_contents(session)
        self._total += sum(size for _, size in unknown)
        for oid, size in unknown:
            self._add_content(oid, size)
        for event in self._new_events(session):
            self._events.append(event)
            self._relieve(len(event.text))
        place = session.position
        self._followed.append((session.id, place.seq, place.offset, place.chain, place.base))
        self._relieve(0)

    # What there is

    def _unknown_labels(self, session: _Moved) -> list[_Label]:
        columns = "name, ifnull(description, '') AS description, ifnull(tags, '') AS tags"

        def ask(connection: sqlite3.Connection) -> list[_Label]:
            rows = connection.execute(f"SELECT DISTINCT {columns} FROM artifacts WHERE session = ?", (session.key,))
            own = f"SELECT ifnull(name, '') AS name, {columns.partition(', ')[2]} FROM sessions WHERE key = ?"
            return [_Label(*row) for row in chain(rows, connection.execute(own, (session.key,)))]

        labels = self._index.ask(ask)
        with self._database.reading() as connection:
            find = "SELECT 1 FROM labels WHERE name = ? AND description = ? AND tags = ?"
            return [label for label in labels if any(label) and not connection.execute(find, label).fetchone()]

    def _unknown_contents(self, session: _Moved) -> list[tuple[bytes, int]]:
        def ask(connection: sqlite3.Connection) -> list[tuple[bytes, int]]:
            every = "SELECT DISTINCT oid, size FROM artifacts WHERE session = ? AND oid IS NOT NULL"
            return connection.execute(every, (session.key,)).fetchall()

        contents = self._index.ask(ask)
        with self._database.reading() as connection:
            find = "SELECT 1 FROM contents WHERE oid = ?"
            return [
                (oid, size)
                for oid, size in contents
                if oid not in self._contents and not connection.execute(find, (oid,)).fetchone()
            ]

    def _new_events(self, session: _Moved) -> Iterator[_Event]:
        path, start = self._store.layout.log(session.id), session.known
        if start is None or not is_behind(self._store.disk, path, start):
            self._rewritten.append(session.id)
            start = Position(0, 0, session.id, 0)
        try:
            for batch in logs.read_on(self._store.disk, path, start):
                for record in batch.records:
                    if record.seq < session.position.seq and record.type.startswith(PREFIXES):
                        yield _Event(session.id, record.seq, record.type, self._text_of(record))
        except (NoSuchLog, UnreadableDepth):
            return  # deleted since; or not to be read from there on

    def _text_of(self, record: Record) -> str:
        try:
            data = record.data if record.data_oid is None else self._store.objects.read(record.data_oid)
            texts = texts_in(msgspec.json.decode(data))
        except (Corrupt, NotFound, msgspec.MsgspecError, RecursionError):
            return ""
        return "\n".join(texts)[: self._store.config.document_bytes]

    # Contents

    def _add_content(self, oid: bytes, size: int) -> None:
        content = self._read(oid, size)
        if content is not None:
            self._contents[oid] = content
            self._relieve(len(content.text))
        self._done += size
        if self._progress is not None:
            self._progress(self._done, self._total)

    def _read(self, oid: bytes, size: int) -> _Content | None:
        """Read a content; None when it cannot be now, so that it is tried again when its session moves."""
        try:
            pieces = self._store.objects.stream(ObjectId(oid.hex()))
            state, text = extract(pieces, size, self._store.config.document_bytes)
        except Error:
            return None
        return _Content(oid, state, text)

    def _read_waiting(self) -> None:
        """Read the documents for which nothing was installed when they were met."""
        with self._database.reading() as connection:
            waiting = connection.execute(f"SELECT oid FROM contents WHERE state = {WAITING}").fetchall()
        for (oid,) in waiting:
            try:
                size = self._store.objects.size(ObjectId(oid.hex()))
            except Error:
                continue
            self._add_content(oid, size)

    # Writing

    def _relieve(self, length: int) -> None:
        self._length += length
        waiting = len(self._contents) + len(self._labels) + len(self._events)
        if self._length >= _WAITING_LENGTH or waiting >= _WAITING_COUNT:
            self._write()

    def _write(self) -> None:
        if self._contents or self._labels or self._events or self._rewritten or self._followed:
            self._database.change(self._write_all)
        self._contents.clear()
        for waiting in (self._labels, self._events, self._rewritten, self._followed):
            waiting.clear()
        self._length = 0

    def _write_all(self, connection: sqlite3.Connection) -> None:
        for session in self._rewritten:
            connection.execute("DELETE FROM events WHERE session = ?", (session,))
        for content in self._contents.values():
            done = connection.execute(
                "INSERT INTO contents (oid, state) VALUES (?, ?) "
                f"ON CONFLICT (oid) DO UPDATE SET state = excluded.state WHERE state = {WAITING} RETURNING key",
                (content.oid, content.state),
            ).fetchone()
            if done is not None and content.state == TEXT:
                add = "INSERT INTO content_words (rowid, text) VALUES (?, ?)"
                connection.execute(add, (done[0], as_fts(content.text)))
        for label in self._labels:
            added = connection.execute("INSERT OR IGNORE INTO labels (name, description, tags) VALUES (?, ?, ?)", label)
            if added.rowcount:
                add = "INSERT INTO label_words (rowid, name, description, tags) VALUES (?, ?, ?, ?)"
                connection.execute(add, (added.lastrowid, *map(as_fts, label)))
        for event in self._events:
            place = (event.session, event.seq)
            added = connection.execute("INSERT OR IGNORE INTO events (session, seq) VALUES (?, ?)", place)
            if added.rowcount:
                add = "INSERT INTO event_words (rowid, type, text) VALUES (?, ?, ?)"
                connection.execute(add, (added.lastrowid, event.type, as_fts(event.text)))
        connection.executemany("INSERT OR REPLACE INTO followed VALUES (?, ?, ?, ?, ?)", self._followed)


def texts_in(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value, however deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += reversed(one.values())
        elif isinstance(one, list):
            waiting += reversed(one)
