"""The tables of the index.

Sessions and artifacts have small numbers (``key``) in the index, which mean nothing outside of it. Times are
nanoseconds since the epoch. Paths are in text form (see :mod:`sessionfs.artifacts.names`), oids are bytes.

An artifact's row has a *standing*. What ends - its content is replaced, its name goes - stays as a row that says what
was true last:

    0  what was there once    1  what is there now    2  a directory that is there now

Tags and metadata stand in tables of their own as well, which are sorted for looking them up; what they repeat of the
artifact's row (standing, time of creation) is what most queries need, so that they read nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from sessionfs.index.row import COLUMNS

FORMAT = 3
"""Raised with every change of the tables or of what is in them: an index of another format is made anew."""

APPLICATION_ID = 0x73664958  # "sfIX", which file(1) shows

PAST, PRESENT, DIRECTORY = 0, 1, 2

SESSION_COLUMNS = (
    # The place up to which its log has been read, and what its file was then.
    "key", "id", "seq", "offset", "chain", "base", "file_id", "file_bytes", "file_changed_ns",
    # 1, or 0 when it was deleted or never came to be; and the session with which a fork begins.
    "is_there", "fork_of",
    "name", "description", "status", "reason", "parent", "template", "created_by",
    "created_ns", "updated_ns", "started_ns", "ended_ns",
    "artifact_count", "size", "stored_size", "event_count", "state_count",
    "damage", "tags", "metadata",
    # Its fields as JSON, from which reading goes on.
    "fields",
)  # fmt: skip

EVENT_COLUMNS = (
    "session", "seq", "time_ns", "type", "actor", "correlation_id", "cause",
    # Of the tool, agent or workflow; how long it took; what it failed with.
    "name", "duration_ns", "error",
    "input_tokens", "output_tokens",
)  # fmt: skip

_TEXTS = frozenset(
    {
        "id", "chain", "fork_of", "name", "description", "status", "reason", "parent", "template", "created_by",
        "damage", "tags", "metadata", "fields", "path", "ending", "kind", "maker", "compression", "set_type",
        "set_mime_type", "type", "mime_type", "origin", "target", "actor", "correlation_id", "cause", "error",
    }
)  # fmt: skip


def _typed(columns: Iterable[str]) -> str:
    """Return *columns* with their types: SQLite uses an index only where both sides of a comparison have the same."""
    return ", ".join(
        f"{name} {'TEXT' if name in _TEXTS else 'BLOB' if name == 'oid' else 'INTEGER'}" for name in columns
    )


TABLES = f"""
CREATE TABLE about (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE sessions (key INTEGER PRIMARY KEY, {_typed(SESSION_COLUMNS[1:])});
CREATE INDEX sessions_by_id ON sessions (id, file_id, file_bytes, file_changed_ns);
CREATE INDEX sessions_by_origin ON sessions (fork_of) WHERE fork_of IS NOT NULL;
CREATE TABLE session_tags (tag TEXT, session INTEGER, PRIMARY KEY (tag, session)) WITHOUT ROWID;
CREATE TABLE session_metadata (name TEXT, value, session INTEGER, PRIMARY KEY (name, value, session)) WITHOUT ROWID;
CREATE TABLE state_keys (session INTEGER, name TEXT, PRIMARY KEY (session, name)) WITHOUT ROWID;

CREATE TABLE artifacts (key INTEGER PRIMARY KEY, {_typed(COLUMNS[1:])});
CREATE INDEX artifacts_by_path ON artifacts (session, path, standing);
CREATE INDEX artifacts_by_link ON artifacts (session, ino) WHERE links > 1;
CREATE TABLE tags (
  tag TEXT, standing INTEGER, created_ns INTEGER, artifact INTEGER, PRIMARY KEY (tag, standing, created_ns, artifact)
) WITHOUT ROWID;
CREATE TABLE metadata (
  name TEXT, value, standing INTEGER, created_ns INTEGER, artifact INTEGER,
  PRIMARY KEY (name, value, standing, created_ns, artifact)
) WITHOUT ROWID;

CREATE TABLE events ({_typed(EVENT_COLUMNS)}, PRIMARY KEY (session, seq)) WITHOUT ROWID;
"""

# Filled row by row these would cost half of a rebuild; made at its end they are sorted once.
INDEXES = """
CREATE INDEX artifacts_by_created ON artifacts (standing, created_ns);
CREATE INDEX artifacts_by_updated ON artifacts (standing, updated_ns);
CREATE INDEX artifacts_by_size ON artifacts (standing, size);
CREATE INDEX artifacts_by_name ON artifacts (standing, name);
CREATE INDEX artifacts_by_type ON artifacts (type, standing, created_ns);
CREATE INDEX artifacts_by_mime ON artifacts (mime_type, standing, created_ns);
CREATE INDEX artifacts_by_ending ON artifacts (ending, standing, created_ns);
CREATE INDEX artifacts_by_oid ON artifacts (oid, standing);
CREATE INDEX artifacts_by_creator ON artifacts (created_by, standing, created_ns);
"""
