"""Asking the index, and what comes back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from sessionfs.artifacts import from_text, text_of
from sessionfs.index.plan import plan_count, plan_page
from sessionfs.index.row import Row
from sessionfs.index.schema import PAST
from sessionfs.index.sessions import info_of
from sessionfs.oid import ObjectId
from sessionfs.query.order import Order, Page, Place
from sessionfs.query.terms import Query, Subject
from sessionfs.sessions import SessionInfo

_decode = msgspec.json.Decoder().decode


class IndexedArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact as the index has it: at one path of one session, there now or once."""

    session: str
    is_live: bool  # it is there now
    key: int  # in the index: tells apart what is equal otherwise
    path: str  # as os.fsdecode gives it
    kind: str
    id: str  # "<session>:<seq>" of the version
    oid: ObjectId | None
    version: int
    type: str
    mime_type: str
    description: str | None
    tags: tuple[str, ...]
    metadata: dict[str, Any]
    size: int
    stored_size: int
    compression: str
    created_ns: int
    updated_ns: int
    mtime_ns: int
    created_by: str
    parent: str | None  # id of the artifact it was made from
    mode: int  # permission bits
    uid: int
    gid: int
    links: int
    target: str | None

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    @property
    def seq(self) -> int:
        """The number of the record that stored the version."""
        return int(self.id.rpartition(":")[2])


def find(database: sqlite3.Connection, query: Query, page: Page) -> Iterator[Any]:
    """Yield what *query* asks for, in order: :class:`IndexedArtifact`, or :class:`sessionfs.sessions.SessionInfo`."""
    plan = plan_page(database, query, page)
    make = artifact_of if query.subject is Subject.ARTIFACTS else info_of
    return map(make, database.execute(plan.sql.text, plan.sql.values))


def count(database: sqlite3.Connection, query: Query) -> int:
    """Return how many *query* asks for."""
    plan = plan_count(database, query)
    (number,) = database.execute(plan.sql.text, plan.sql.values).fetchone()
    return int(number)


def explain(database: sqlite3.Connection, query: Query, page: Page) -> list[str]:
    """Return how *query* is answered: our way in words, then SQLite's."""
    plan = plan_page(database, query, page)
    rows = database.execute(f"EXPLAIN QUERY PLAN {plan.sql.text}", plan.sql.values)
    return [plan.way, *(str(row[3]) for row in rows)]


def place_of(found: Any, order: Order) -> Place:
    """Return where something that was found stands in an order."""
    if isinstance(found, SessionInfo):
        return _OF_SESSION[order.key](found), found.id
    return _OF_ARTIFACT[order.key](found), found.session, text_of(found.path), found.seq, found.version, found.key


_OF_SESSION: dict[str, Any] = {
    "created": lambda info: info.created_ns,
    "updated": lambda info: info.updated_ns,
    "size": lambda info: info.size,
    "artifacts": lambda info: info.artifact_count,
    "events": lambda info: info.event_count,
    "name": lambda info: info.name or "",
    "status": lambda info: info.status.value,
    "id": lambda info: info.id,
}

_OF_ARTIFACT: dict[str, Any] = {
    "created": lambda found: found.created_ns,
    "updated": lambda found: found.updated_ns,
    "modified": lambda found: found.mtime_ns,
    "size": lambda found: found.size,
    "name": lambda found: text_of(found.name),
    "path": lambda found: text_of(found.path),
    "type": lambda found: found.type,
    "session": lambda found: found.session,
}


def artifact_of(columns: tuple[Any, ...]) -> IndexedArtifact:
    """Return the artifact whose row this is, with the id of its session before it."""
    session_id, *values = columns
    row = Row(**dict(zip(Row.__struct_fields__, values, strict=True)))
    return IndexedArtifact(
        session=session_id,
        is_live=row.standing != PAST,
        key=row.key,
        path=from_text(row.path),
        kind=row.kind,
        id=f"{row.maker or session_id}:{row.seq}",
        oid=None if row.oid is None else ObjectId(row.oid.hex()),
        version=row.version,
        type=row.type,
        mime_type=row.mime_type,
        description=row.description,
        tags=() if row.tags is None else tuple(_decode(row.tags)),
        metadata={} if row.metadata is None else _decode(row.metadata),
        size=row.size,
        stored_size=row.stored_size,
        compression=row.compression,
        created_ns=int(row.created_ns),
        updated_ns=int(row.updated_ns),
        mtime_ns=int(row.mtime_ns),
        created_by=row.created_by,
        parent=row.origin,
        mode=row.mode,
        uid=row.uid,
        gid=row.gid,
        links=row.links,
        target=None if row.target is None else from_text(row.target),
    )
