"""What artifacts and sessions can be asked for: the one table that the parser, the index and the help read."""

from __future__ import annotations

from enum import Enum

from sessionfs.query.terms import Subject


class Value(Enum):
    """What the values of a field are, and so how they are written and compared."""

    TEXT = "text"
    NAME = "name"  # a pattern with "/" is for the whole path
    PATH = "path"
    SIZE = "size"
    COUNT = "count"
    TIME = "time"
    OID = "oid"


ARTIFACT_FIELDS: dict[str, Value] = {
    "name": Value.NAME,
    "path": Value.PATH,
    "session": Value.TEXT,
    "id": Value.TEXT,
    "type": Value.TEXT,
    "mime": Value.TEXT,
    "kind": Value.TEXT,
    "tag": Value.TEXT,
    "description": Value.TEXT,
    "by": Value.TEXT,
    "oid": Value.OID,
    "size": Value.SIZE,
    "stored": Value.SIZE,
    "version": Value.COUNT,
    "links": Value.COUNT,
    "created": Value.TIME,
    "updated": Value.TIME,
    "modified": Value.TIME,
}

SESSION_FIELDS: dict[str, Value] = {
    "id": Value.TEXT,
    "name": Value.TEXT,
    "status": Value.TEXT,
    "tag": Value.TEXT,
    "description": Value.TEXT,
    "parent": Value.TEXT,
    "template": Value.TEXT,
    "reason": Value.TEXT,
    "by": Value.TEXT,
    "size": Value.SIZE,
    "stored": Value.SIZE,
    "artifacts": Value.COUNT,
    "events": Value.COUNT,
    "state": Value.COUNT,
    "created": Value.TIME,
    "updated": Value.TIME,
    "started": Value.TIME,
    "ended": Value.TIME,
}

FIELDS = {Subject.ARTIFACTS: ARTIFACT_FIELDS, Subject.SESSIONS: SESSION_FIELDS}

ALIASES = {
    "tags": "tag",
    "mime_type": "mime",
    "created_by": "by",
    "stored_size": "stored",
    "created_at": "created",
    "updated_at": "updated",
    "mtime": "modified",
}
"""The names that the same things have in JSON."""

FOLDED = {"iname": "name", "ipath": "path"}
"""Fields whose case does not matter, as in find(1)."""

WORDS = {
    Subject.ARTIFACTS: ("after", "before", "text", "meta", "session", "versions", *FOLDED),
    Subject.SESSIONS: ("after", "before", "text", "meta", "has", "iname"),
}
"""What else may stand before an operator."""

KINDS = ("file", "directory", "symlink", "fifo", "socket", "character_device", "block_device")
STATUSES = ("active", "suspended", "completed", "failed", "archived")

CHOICES = {(Subject.ARTIFACTS, "kind"): KINDS, (Subject.SESSIONS, "status"): STATUSES}
"""Fields with few values: another one is a mistake."""
