"""Parents and children: the sessions of a store as trees."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from sessionfs.analytics.asking import CHOSEN_KEY, choosing
from sessionfs.clock import format_time
from sessionfs.index import Index
from sessionfs.query.terms import Query

_COLUMNS = "s.id, s.name, s.status, s.parent, s.created_ns, s.artifact_count, s.size, s.event_count, s.fork_of"


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A session, and where it stands in its tree."""

    id: str
    name: str | None
    status: str
    parent: str | None  # which may be gone
    is_fork: bool  # it began with what its parent had
    created_ns: int
    artifact_count: int
    size: int  # bytes
    event_count: int
    depth: int  # 0 for a root
    is_last: bool  # no child of the same parent comes after it

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        plain = msgspec.structs.asdict(self)
        plain["created_at"] = format_time(plain.pop("created_ns"))
        return plain


def list_families(index: Index, query: Query) -> tuple[Member, ...]:
    """Return the sessions that fit *query* as trees: each before its children, these in the order of their creation.

    Where a parent does not fit or is gone, its children are roots.

    Raises:
        Error: The store cannot be read, or the index neither used nor made.
    """

    def ask(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
        with choosing(connection, query):
            return connection.execute(
                f"SELECT {_COLUMNS} FROM sessions s WHERE s.{CHOSEN_KEY} ORDER BY s.created_ns, s.id"
            ).fetchall()

    return tuple(arrange(index.ask(ask)))


def list_family(index: Index, session_id: str) -> tuple[Member, ...]:
    """Return a session and everything that descends from it, as :func:`list_families` does; nothing if it is gone."""

    return index.ask(lambda connection: read_family(connection, session_id))


def read_family(connection: sqlite3.Connection, session_id: str) -> tuple[Member, ...]:
    """Return what :func:`list_family` does, of the moment that *connection* reads."""
    rows = connection.execute(
        f"""
        WITH RECURSIVE family (id) AS (
          SELECT id FROM sessions WHERE id = ? AND is_there
          UNION
          SELECT c.id FROM family f JOIN sessions c ON c.parent = f.id WHERE c.is_there
        )
        SELECT {_COLUMNS} FROM sessions s WHERE s.id IN (SELECT id FROM family) ORDER BY s.id != ?, s.created_ns, s.id
        """,
        (session_id, session_id),
    ).fetchall()
    return tuple(arrange(rows, root=session_id))


def arrange(rows: list[tuple[Any, ...]], *, root: str | None = None) -> Iterator[Member]:
    """Yield sessions, each once and before its children; a chain of them may be longer than Python's stack is deep.

    Args:
        root: The one that is a root whatever its parent is.
    """
    known = {row[0] for row in rows}
    below: dict[str, list[tuple[Any, ...]]] = {}
    roots = []
    for row in rows:
        session_id, parent = row[0], row[3]
        if parent in known and session_id != root:
            below.setdefault(parent, []).append(row)
        else:
            roots.append(row)
    seen: set[str] = set()
    yield from _walk(roots, below, seen)
    # A session that was deleted and made anew, as the child of its own child, leaves a circle without a root.
    for row in rows:
        if row[0] not in seen:
            yield from _walk([row], below, seen)


def _walk(roots: list[tuple[Any, ...]], below: dict[str, list[tuple[Any, ...]]], seen: set[str]) -> Iterator[Member]:
    waiting = [(row, 0, at == 0) for at, row in enumerate(reversed(roots))]
    while waiting:
        row, depth, is_last = waiting.pop()
        session_id, name, status, parent, created_ns, artifacts, size, events, fork_of = row
        seen.add(session_id)
        yield Member(
            id=session_id,
            name=name,
            status=status,
            parent=parent,
            is_fork=fork_of is not None,
            created_ns=int(created_ns),
            artifact_count=artifacts,
            size=size,
            event_count=events,
            depth=depth,
            is_last=is_last,
        )
        children = [child for child in below.get(session_id, []) if child[0] not in seen]
        waiting += [(child, depth + 1, at == 0) for at, child in enumerate(reversed(children))]
