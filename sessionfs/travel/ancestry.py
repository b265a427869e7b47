"""The moment that two sessions have in common: where one was forked off the other, or what was merged last.

Each session says of others how many of their records it has in itself, by having begun with them or by a merge
(``Fields.includes``). What both have of a session is the smaller number of the two. Of several such moments the best is
one that has the others in itself; after merges in both directions at once there may be more than one, and any will do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sessionfs.errors import InvalidInput, NotFound
from sessionfs.log import Position
from sessionfs.log.search import find_seq
from sessionfs.log.stretch import position_after
from sessionfs.store import past
from sessionfs.store.fold import Fold
from sessionfs.store.session import Session
from sessionfs.travel.view import View


class Unrelated(InvalidInput):
    """Two sessions have no moment in common."""


class Ancestor(NamedTuple):
    """A moment that two sessions have in common: what ``session_id`` was before its record ``seq``."""

    session_id: str
    seq: int
    fold: Fold

    @property
    def name(self) -> str:
        """What to call it: ``<session>@{<number of its last record>}``."""
        return f"{self.session_id}@{{{self.seq - 1}}}"


def common_ancestor(one: Session, view_of_one: View, other: Session) -> Ancestor:
    """Return the moment from which the changes of both sessions count.

    Args:
        view_of_one: What *one* is now; the caller holds the lock of *other*.

    Raises:
        Unrelated: There is none, or it cannot be reached any more.
    """
    mine = {**view_of_one.fields.includes, one.id: view_of_one.position.seq}
    theirs = {**other.fold.fields.includes, other.id: other.log.position.seq}
    found = []
    for session_id in sorted(mine.keys() & theirs.keys()):
        seq = min(mine[session_id], theirs[session_id])
        fold = _fold_before(one, other, session_id, seq) if seq > 0 else None
        if fold is not None:
            found.append(Ancestor(session_id, seq, fold))
    best = list(_best(found))
    if not best:
        raise Unrelated(
            f"sessions {one.id} and {other.id} have no moment in common: neither is a fork of the other or of the same "
            "session, so what changed in them cannot be told"
        )
    return max(best, key=lambda ancestor: ancestor.fold.fields.updated_at)


def _best(found: list[Ancestor]) -> Iterator[Ancestor]:
    """Yield those that no other one has in itself."""
    for ancestor in found:
        others = (other for other in found if other is not ancestor)
        if not any(_has(other, ancestor) for other in others):
            yield ancestor


def _has(one: Ancestor, other: Ancestor) -> bool:
    return one.fold.fields.includes.get(other.session_id, 0) >= other.seq


def _fold_before(one: Session, other: Session, session_id: str, seq: int) -> Fold | None:
    """Return what a session was before its record *seq*; None when it has gone."""
    for session in (one, other):
        fork = past.fork_of(session)
        if fork is not None and (fork.session, fork.seq) == (session_id, seq):
            return past.begin(session).fold  # also when the parent has been deleted
    try:
        home = one.other(session_id)
        position = _position(home, seq)
        return None if position is None else past.fold_at(home, position).fold
    except NotFound:
        return None


def _position(session: Session, seq: int) -> Position | None:
    line = find_seq(session.log.read_at, session.log.size(), seq - 1)
    return None if line is None else position_after(line)
