"""Events that are there, and then those to come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from sessionfs.clock import format_time
from sessionfs.errors import InvalidInput
from sessionfs.events.event import Event
from sessionfs.events.query import Query
from sessionfs.events.reading import find_ends, read

if TYPE_CHECKING:
    from sessionfs.api.session import Session


class CannotFollow(InvalidInput):
    """What is asked for ends, so it cannot be gone on with."""


def follow(session: Session, query: Query) -> Iterator[Event]:
    """Yield the events of *session* that *query* asks for, then wait for more; ends when the session is deleted.

    Raises:
        CannotFollow: The query has an end, a limit, or asks for the newest first.
        Corrupt: At a damaged record.
    """
    if query.end is not None or query.until_ns is not None or query.limit is not None or query.reverse:
        raise CannotFollow("end, until, limit and reverse end or turn round what follow goes on with; leave them out")
    return _follow(session, query)


def _follow(session: Session, query: Query) -> Iterator[Event]:
    store = session.store
    end = find_ends(store.core, [session.id]).get(session.id)
    yield from read(store.core, session.id, query, end=end)
    if end is None or end.damage is not None:
        return
    since = "" if query.since_ns is None else format_time(query.since_ns)
    coming = store.watch(
        *query.types,
        sessions=[session],
        start={session.id: end.place},
        actor=query.actor,
        correlation=query.correlation,
        text=query.text,
    )
    with closing(coming):
        for event in coming:
            if event.seq >= query.start and event.time >= since:
                yield event
