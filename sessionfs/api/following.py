"""Events that are there, and then those to come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sessionfs.errors import InvalidInput
from sessionfs.events.event import Event
from sessionfs.events.query import Query
from sessionfs.events.reading import find_start, selecting

if TYPE_CHECKING:
    from sessionfs.api.session import Session


class CannotFollow(InvalidInput):
    """What is asked for ends, so it cannot be gone on with."""


def follow(session: Session, query: Query) -> Iterator[Event]:
    """Yield the events of *session* that *query* asks for, then wait for more; ends when the session is deleted.

    Raises:
        CannotFollow: The query has an end, a limit, or asks for the newest first.
        NoSuchSession: There is none, when the first event is asked for.
        Corrupt: At a damaged record.
    """
    if query.end is not None or query.until_ns is not None or query.limit is not None or query.reverse:
        raise CannotFollow("end, until, limit and reverse end or turn round what follow goes on with; leave them out")
    return _follow(session, query)


def _follow(session: Session, query: Query) -> Iterator[Event]:
    from sessionfs.watch import Watch  # late: most programs watch nothing

    store = session.store
    start = find_start(store.core, session.id, query)
    with Watch(store.core, [session.id], selecting(query, store.objects), start={session.id: start}) as watch:
        yield from watch
