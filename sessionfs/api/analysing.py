"""Numbers about a store: how much, how long, what was done, where the space is. Asked of the index; nothing is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Unpack, cast

from sessionfs.store.session import NoSuchSession

if TYPE_CHECKING:
    from sessionfs.analytics.family import Member
    from sessionfs.analytics.patterns import Patterns
    from sessionfs.analytics.space import Space
    from sessionfs.analytics.stats import Stats
    from sessionfs.analytics.timeline import Timeline
    from sessionfs.api.session import Session
    from sessionfs.api.store import Store
    from sessionfs.query.arguments import SessionFilters

# Of the timelines in a report, so that it stays a page whatever there is.
_TIMELINES, _STEPS, _LANES, _SESSIONS = 6, 300, 20, 10


class Analysing:
    """The part of :class:`sessionfs.Store` that sums up.

    *query* and *filters* say which sessions are meant, as in :meth:`Store.find_sessions`; all by default.

    Raises:
        InvalidInput: The query cannot be understood - the message says at which column - or a keyword has a value
            that it cannot have.
    """

    def stats(self, query: str | None = None, **filters: Unpack[SessionFilters]) -> Stats:
        """Return how many sessions, artifacts and events there are, how large, and how long they took."""
        from sessionfs.analytics.stats import measure
        from sessionfs.query import session_query

        store = cast("Store", self)
        return measure(store.core, store.index, session_query(query, **filters))

    def patterns(self, query: str | None = None, **filters: Unpack[SessionFilters]) -> Patterns:
        """Return what tools, agents and workflows did: calls, failures, durations, tokens, usual sequences, errors."""
        from sessionfs.analytics.patterns import find_patterns
        from sessionfs.query import session_query

        return find_patterns(cast("Store", self).index, session_query(query, **filters))

    def du(self, query: str | None = None, **filters: Unpack[SessionFilters]) -> Space:
        """Return where the space is: what each session has alone and with others, and what the rest is there for."""
        from sessionfs.analytics.space import measure_space
        from sessionfs.query import session_query

        store = cast("Store", self)
        return measure_space(store.core, store.index, session_query(query, **filters))

    def tree(self, session: str | Session | None = None) -> tuple[Member, ...]:
        """Return sessions, each before its children: all, or one and what descends from it.

        Raises:
            NotFound: There is no such session.
        """
        from sessionfs.analytics.family import list_families, list_family
        from sessionfs.query import session_query

        index = cast("Store", self).index
        if session is None:
            return list_families(index, session_query())
        session_id = session if isinstance(session, str) else session.id
        found = list_family(index, session_id)
        if not found:
            raise _not_there(session_id)
        return found

    def timeline(self, session: str | Session) -> Timeline:
        """Return what a session and those that descend from it did, against time.

        Raises:
            NotFound: There is no such session.
        """
        from sessionfs.analytics.timeline import draw_timeline

        session_id = session if isinstance(session, str) else session.id
        found = draw_timeline(cast("Store", self).index, session_id)
        if found is None:
            raise _not_there(session_id)
        return found

    def report(self, query: str | None = None, **filters: Unpack[SessionFilters]) -> str:
        """Return a page of HTML with all of these numbers, as charts and tables, and timelines of the busiest sessions.

        Nothing in it runs, and nothing is fetched: it can be read anywhere, and sent to anybody who may know the names.
        """
        from sessionfs.analytics.patterns import find_patterns
        from sessionfs.analytics.report import Report, format_report
        from sessionfs.analytics.space import measure_space
        from sessionfs.analytics.stats import measure
        from sessionfs.analytics.timeline import draw_timeline
        from sessionfs.query import session_query

        store = cast("Store", self)
        asked = session_query(query, **filters)  # once: what is meant by "7d" is the same in all parts
        patterns = find_patterns(store.index, asked)
        space = measure_space(store.core, store.index, asked)
        some = (
            draw_timeline(store.index, one.id, steps=_STEPS, max_lanes=_LANES, max_sessions=_SESSIONS)
            for one in patterns.busiest[:_TIMELINES]
        )
        return format_report(
            Report(
                title=f"Sessions in {os.path.basename(store.path)}",
                about=" ".join([f"Of {store.path}.", *_only(query, filters)]),
                made_ns=store.core.clock(),
                stats=measure(store.core, store.index, asked, sizes=space.content),
                patterns=patterns,
                space=space,
                timelines=tuple(timeline for timeline in some if timeline is not None),
            )
        )


def _only(query: str | None, filters: Mapping[str, object]) -> list[str]:
    """Return the sentence that says which sessions are meant; none when all are."""
    given = [f"{name}={value!r}" for name, value in filters.items() if value is not None]
    fits = ", ".join([*([query] if query else []), *given])
    return [f"Only what fits: {fits}."] if fits else []


def _not_there(session_id: str) -> NoSuchSession:
    return NoSuchSession(f"there is no session {session_id!r} in this store; see: sessionfs session list")
