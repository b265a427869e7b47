"""Where the space of a store is: what its content takes, which sessions it belongs to, and what else there is.

What artifacts have comes from the index, what objects take from the disk. Content belongs to a session when one of its
artifacts has it, now or in an earlier version, or when it is a piece of such content; it is *shared* when it belongs to
several sessions, which is known by its oid, wherever it lies - in a file of its own or in a pack - and whether the
sessions got it by a fork, by a copy, or by chance.

For what the chosen sessions have::

    versions_size = deduplicated + compressed + stored - lists

so what is stored is what all versions would take, less what is saved by storing the same only once, less what is saved
by compressing, plus the lists that say which pieces content has. What nobody can read any more - given up, or lost -
counts for none of these.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from sessionfs.analytics.asking import CHOSEN, CHOSEN_KEY, choosing, sums, total
from sessionfs.analytics.holdings import surveyed
from sessionfs.analytics.places import OTHER_CONTENT, OWN, SHARED, Places, PlaceSpace
from sessionfs.analytics.survey import walk_rest
from sessionfs.index import Index
from sessionfs.index.schema import PRESENT
from sessionfs.query.terms import Query
from sessionfs.store.store import Store


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """What content takes, in bytes."""

    size: int  # of the artifacts that are there now, each counted for itself
    versions_size: int  # of all versions that can be read, each counted for itself
    deduplicated: int  # saved by storing equal content, and equal pieces, once
    compressed: int  # saved by compressing
    lists: int  # of these, which are stored too
    stored: int  # on the disk
    allocated: int  # what the filesystem gave for it: whole blocks
    object_count: int
    packed_count: int  # of these, in packs
    packed_size: int
    shared: int  # what belongs to other sessions too; of several chosen ones, once

    def to_dict(self) -> dict[str, int]:
        """Return it JSON-ready."""
        return msgspec.structs.asdict(self)


class SessionSpace(msgspec.Struct, frozen=True, kw_only=True):
    """What one session takes, in bytes."""

    id: str
    name: str | None
    status: str
    size: int  # of its artifacts now
    own: int  # content that no other session has: freed when it goes
    shared: int  # content that others have too
    log: int  # its log and its refs; 0 for one that lies on a shelf, with others

    @property
    def total(self) -> int:
        """What goes when it goes: content of its own, and its log. Snapshots are not counted."""
        return self.own + self.log

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {**msgspec.structs.asdict(self), "total": self.total}


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """Where the space is.

    ``places`` are of the whole store, whichever sessions are chosen, and add up to all that is below its directory.
    """

    sessions: tuple[SessionSpace, ...]  # those that take most first
    content: Sizes
    places: tuple[PlaceSpace, ...]

    @property
    def size(self) -> int:
        """The lengths of all files of the store and of its directories, as ``du --apparent-size`` adds them up."""
        return sum(place.size for place in self.places)

    @property
    def allocated(self) -> int:
        """What the filesystem gave the store, as du(1) says it; a file with several names counts for each."""
        return sum(place.allocated for place in self.places)

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "size": self.size,
            "allocated": self.allocated,
            "content": self.content.to_dict(),
            "sessions": [session.to_dict() for session in self.sessions],
            "places": [place.to_dict() for place in self.places],
        }


def measure_space(store: Store, index: Index, query: Query) -> Space:
    """Return where the space is, of the sessions that fit *query*.

    Raises:
        Error: The store cannot be read, or the index neither used nor made.
    """

    def ask(connection: sqlite3.Connection) -> Space:
        with choosing(connection, query), surveyed(connection, store) as places:
            content = content_sizes(connection)
            for item in walk_rest(store.layout, index.path):
                places.add(item)
            _add_content(connection, places)
            return Space(sessions=_sessions(connection, places), content=content, places=places.sorted())

    return index.ask(ask)


def content_sizes(connection: sqlite3.Connection) -> Sizes:
    """Return what the content of the chosen sessions takes; to be called while the disk is surveyed."""
    size = total(
        *connection.execute(
            f"SELECT {sums('size')} FROM artifacts NOT INDEXED WHERE standing = {PRESENT} AND {CHOSEN}"
        ).fetchone()
    )
    count, packed_count, *parts = connection.execute(
        f"""
        SELECT count(*), sum(is_packed), sum(high), sum(low), {sums("stored")}, {sums("allocated")},
          {sums("is_packed * stored")}, {sums("(form = '.chunks') * stored")},
          {sums("(form = '.lz4') * (size - stored)")}, {sums("(holders > chosen_holders) * stored")}
        FROM objects WHERE chosen_holders > 0
        """
    ).fetchone()
    versions_size, stored, allocated, packed_size, lists, compressed, shared = (
        total(parts[at], parts[at + 1]) for at in range(0, len(parts), 2)
    )
    return Sizes(
        size=size,
        versions_size=versions_size,
        deduplicated=versions_size - (stored - lists + compressed),  # what the objects that are no lists hold
        compressed=compressed,
        lists=lists,
        stored=stored,
        allocated=allocated,
        object_count=count,
        packed_count=packed_count or 0,
        packed_size=packed_size,
        shared=shared,
    )


def _add_content(connection: sqlite3.Connection, places: Places) -> None:
    """Tell the content of sessions apart from other content."""
    rows = connection.execute(
        f"SELECT holders > 1, count(*), {sums('stored')}, {sums('allocated')} FROM objects GROUP BY 1"
    )
    for is_shared, count, size_high, size_low, allocated_high, allocated_low in rows:
        size, allocated = total(size_high, size_low), total(allocated_high, allocated_low)
        places.count(SHARED if is_shared else OWN, count, size, allocated)
        places.count(OTHER_CONTENT, -count, -size, -allocated)


def _sessions(connection: sqlite3.Connection, places: Places) -> tuple[SessionSpace, ...]:
    content = {
        session: (total(own_high, own_low), total(shared_high, shared_low))
        for session, own_high, own_low, shared_high, shared_low in connection.execute(
            f"""
            SELECT h.session, {sums("(o.holders = 1) * o.stored")}, {sums("(o.holders > 1) * o.stored")}
            FROM held h CROSS JOIN objects o ON o.oid = h.oid
            WHERE h.{CHOSEN} GROUP BY h.session
            """
        )
    }
    found = []
    for key, session_id, name, status, size in connection.execute(
        f"SELECT key, id, name, status, size FROM sessions WHERE {CHOSEN_KEY}"
    ):
        own, shared = content.get(key, (0, 0))
        log = places.of_session.get(session_id, 0)
        found.append(SessionSpace(id=session_id, name=name, status=status, size=size, own=own, shared=shared, log=log))
    return tuple(sorted(found, key=lambda one: (-one.total, -one.shared, one.id)))
