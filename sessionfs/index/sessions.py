"""What a session says about itself, as a row of the index, and the keys of its state."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from sessionfs.clock import parse_time
from sessionfs.index.row import fit, to_json
from sessionfs.index.schema import SESSION_COLUMNS
from sessionfs.log import Position
from sessionfs.query.flat import flatten
from sessionfs.sessions import Fields, SessionInfo, Status
from sessionfs.state import Changed

FileState = tuple[int, int, int]
"""What a log's file is: inode, bytes, time of the last change; equal ones hold the same."""

NO_FILE: FileState = (0, 0, 0)


class Known(msgspec.Struct, kw_only=True):
    """What the index knows of a session: one row of the table ``sessions``."""

    key: int
    id: str
    position: Position  # up to which its log has been read
    file: FileState  # what the log was then
    is_there: bool = False
    fork_of: str | None = None
    fields: Fields
    artifact_count: int = 0
    size: int = 0
    stored_size: int = 0
    state_count: int = 0
    damage: str | None = None
    event_count: int = 0

    @staticmethod
    def new(key: int, session_id: str) -> Known:
        """Return what is known of a session of which nothing has been read."""
        start = Position(0, 0, session_id, 0)
        return Known(key=key, id=session_id, position=start, file=NO_FILE, fields=Fields(id=session_id))


_WRITE = (
    f"INSERT OR REPLACE INTO sessions ({', '.join(SESSION_COLUMNS)}) VALUES ({', '.join('?' * len(SESSION_COLUMNS))})"
)

_encode_fields = msgspec.json.Encoder().encode
_decode_fields = msgspec.json.Decoder(Fields).decode
_decode = msgspec.json.Decoder().decode


def read_known(database: sqlite3.Connection, session_id: str) -> Known | None:
    """Return what the index knows of a session."""
    database_row = database.execute(
        "SELECT key, id, seq, offset, chain, base, file_id, file_bytes, file_changed_ns, is_there, fork_of, "
        "fields, artifact_count, size, stored_size, state_count, damage, event_count "
        "FROM sessions WHERE id = ?",
        (session_id,),
    ).fetchone()
    if database_row is None:
        return None
    key, found_id, seq, offset, chain, base, file_id, file_bytes, changed_ns, is_there, *rest = database_row
    fork_of, fields, artifact_count, size, stored_size, state_count, damage, event_count = rest
    return Known(
        key=key,
        id=found_id,
        position=Position(seq, offset, chain, base),
        file=(file_id, file_bytes, changed_ns),
        is_there=bool(is_there),
        fork_of=fork_of,
        fields=_decode_fields(fields),
        artifact_count=artifact_count,
        size=size,
        stored_size=stored_size,
        state_count=state_count,
        damage=damage,
        event_count=event_count,
    )


def write_known(database: sqlite3.Connection, known: Known) -> None:
    """Write what the index knows of a session, and file its tags and metadata."""
    metadata = to_json(known.fields.metadata)
    if metadata is None and known.fields.metadata:  # too deep: neither column is to hold what cannot be read again
        known.fields = msgspec.structs.replace(known.fields, metadata={})
    fields = known.fields
    unfile_session(database, known.key)
    status = fields.status if known.event_count else Status.FAILED
    columns = {
        "key": known.key,
        "id": known.id,
        "seq": known.position.seq,
        "offset": known.position.offset,
        "chain": known.position.chain,
        "base": known.position.base,
        "file_id": known.file[0],
        "file_bytes": known.file[1],
        "file_changed_ns": known.file[2],
        "is_there": int(known.is_there),
        "fork_of": known.fork_of,
        "name": fields.name,
        "description": fields.description,
        "status": status.value,
        "reason": fields.reason if known.event_count else known.damage,
        "parent": fields.parent,
        "template": fields.template,
        "created_by": fields.created_by,
        "created_ns": _ns(fields.created_at),
        "updated_ns": _ns(fields.updated_at),
        "started_ns": _ns(fields.started_at),
        "ended_ns": None if fields.ended_at is None else _ns(fields.ended_at),
        "artifact_count": known.artifact_count,
        "size": known.size,
        "stored_size": known.stored_size,
        "event_count": known.event_count,
        "state_count": known.state_count,
        "damage": known.damage,
        "tags": to_json(fields.tags),
        "metadata": metadata,
        "fields": _encode_fields(fields),
    }
    database.execute(_WRITE, [columns[name] for name in SESSION_COLUMNS])
    if known.is_there:
        database.executemany(
            "INSERT INTO session_tags VALUES (?, ?)", [(tag, known.key) for tag in dict.fromkeys(fields.tags)]
        )
        pairs = [(name, value, known.key) for name, value in flatten(fields.metadata)]
        database.executemany("INSERT INTO session_metadata VALUES (?, ?, ?)", pairs)


def unfile_session(database: sqlite3.Connection, key: int) -> None:
    """Take a session out of the tables of tags and metadata."""
    found = database.execute("SELECT tags, metadata FROM sessions WHERE key = ?", (key,)).fetchone()
    if found is None:
        return
    tags, metadata = (_decode(text) if text is not None else () for text in found)
    database.executemany(
        "DELETE FROM session_tags WHERE tag = ? AND session = ?", [(tag, key) for tag in dict.fromkeys(tags)]
    )
    pairs = [(name, value, key) for name, value in flatten(metadata or {})]
    database.executemany("DELETE FROM session_metadata WHERE name = ? AND value = ? AND session = ?", pairs)


INFO_COLUMNS = (
    "id", "name", "description", "tags", "metadata", "parent", "status", "reason", "created_by", "created_ns",
    "updated_ns", "started_ns", "ended_ns", "artifact_count", "size", "stored_size", "event_count", "state_count",
    "damage", "template",
)  # fmt: skip


def info_of(columns: tuple[Any, ...]) -> SessionInfo:
    """Return what callers see of a session, from its :data:`INFO_COLUMNS`."""
    values = dict(zip(INFO_COLUMNS, columns, strict=True))
    values["tags"] = tuple(_decode(values["tags"])) if values["tags"] is not None else ()
    values["metadata"] = _decode(values["metadata"]) if values["metadata"] is not None else {}
    values["status"] = Status(values["status"])
    return SessionInfo(**values)


# State


def change_state(database: sqlite3.Connection, key: int, data: Changed) -> int:
    """Apply ``state.changed``; return how many keys there are more."""
    if data.new is msgspec.UNSET and data.new_oid is msgspec.UNSET:
        statement = "DELETE FROM state_keys WHERE session = ? AND name = ?"
        return -database.execute(statement, (key, data.key)).rowcount
    return add_state_keys(database, key, [data.key])


def add_state_keys(database: sqlite3.Connection, key: int, names: list[str]) -> int:
    """Note keys of a session's state; return how many are new."""
    statement = "INSERT OR IGNORE INTO state_keys VALUES (?, ?)"
    return database.executemany(statement, [(key, name) for name in names]).rowcount if names else 0


def _ns(time: str) -> int:
    return fit(parse_time(time)) if time else 0
