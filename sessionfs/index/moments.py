"""What a query finds at a moment: the artifacts that sessions had then, asked as those that they have now.

The index knows what is, and what was there once, but not when. So each session is opened as it was, put into tables in
memory, and asked there: memory holds one session at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from sessionfs.artifacts import Directory
from sessionfs.errors import InvalidInput
from sessionfs.index import sessions
from sessionfs.index.find import IndexedArtifact, find
from sessionfs.index.live import Keys, Live
from sessionfs.index.row import row_of_node
from sessionfs.index.schema import DIRECTORY, PRESENT
from sessionfs.index.sessions import Known
from sessionfs.index.sqlite import MEMORY, build, connect
from sessionfs.query.order import Order, Page
from sessionfs.query.terms import And, Or, Query, Term, TextIs
from sessionfs.travel import View
from sessionfs.travel.moment import split_moment

NOW = "now"


class BadMoments(InvalidInput):
    """A query that names a moment where none can be."""


def split_moments(query: Query) -> tuple[Query, dict[str, str]]:
    """Return *query* with sessions in place of their moments (``session:q4@{5}``), and which moments were named.

    Raises:
        BadMoments: One stands where it cannot be answered, or beside ``versions:all``.
    """
    moments: dict[str, str] = {}
    parts: list[Term] = []
    for part in query.parts:
        named = part.parts if isinstance(part, Or) else (part,)
        if any(_is_moment(one) for one in named) and all(_names_session(one) for one in named):
            split = dict(_split(one) for one in named if isinstance(one, TextIs))
            moments |= split
            parts.append(Or(tuple(TextIs("session", session) for session in split)))
        else:
            parts.append(part)
    if moments and query.versions:
        raise BadMoments("a moment has one version of each artifact; leave versions:all out, or the moment")
    return (Query(subject=query.subject, where=And(tuple(parts)), versions=query.versions), moments)


def named_sessions(query: Query) -> list[str] | None:
    """Return the sessions that a query is limited to by their ids; None when it does not say."""
    for part in query.parts:
        named = part.parts if isinstance(part, Or) else (part,)
        if all(_names_session(one) for one in named):
            return sorted({one.text for one in named if isinstance(one, TextIs)})
    return None


def find_at(views: Iterable[View], query: Query) -> Iterator[IndexedArtifact]:
    """Yield what *query* finds in *views*, view by view, sorted by path."""
    page = Page(order=Order("path"))
    for view in views:
        connection = connect(MEMORY)
        try:
            build(connection, lambda database, view=view: _fill(database, view))  # type: ignore[misc]
            yield from find(connection, query, page)
        finally:
            connection.close()


def _fill(database: sqlite3.Connection, view: View) -> None:
    known = Known.new(1, view.id)
    live = Live(database, Keys(database), known.key, is_new=True)
    with view.lock:
        for path, node in view.tree.walk():
            standing = DIRECTORY if isinstance(node, Directory) else PRESENT
            key = live.new_key()
            live.add(row_of_node(node, path, key=key, session=known.key, session_id=view.id, standing=standing))
            live.relieve()
        known.state_count = sessions.add_state_keys(database, known.key, list(view.state.values))
    live.flush()
    known.fields, known.position, known.event_count = view.fields, view.position, view.position.seq
    known.artifact_count, known.size, known.stored_size = live.artifact_count, live.size, live.stored_size
    known.is_there = True
    sessions.write_known(database, known)


def _names_session(term: Term) -> bool:
    return isinstance(term, TextIs) and term.field == "session"


def _is_moment(term: Term) -> bool:
    return isinstance(term, TextIs) and term.field == "session" and term.text.endswith("}") and "@{" in term.text


def _split(term: TextIs) -> tuple[str, str]:
    if not _is_moment(term):
        return term.text, NOW
    session, moment = split_moment(term.text)
    if session in ("", "@"):
        raise BadMoments(f"{term.text!r} does not say of which session; write session:q4@{{5}}")
    return session, moment or NOW
