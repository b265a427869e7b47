"""Pruning: a session gives old versions up.

Nothing is removed here. Tombstones (:mod:`sessionfs.store.pruned`) say which contents the session no longer needs, so
gc takes them to the trash, unless something else needs them, and deletes them after its grace. The records that stored
them stay as they are: the chain of the log proves what it always proved, and every moment can still be opened; only
reading such a content fails, and says why. Who stores it again, by restoring it while it is there, has it back.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sessionfs.clock import format_time
from sessionfs.oid import ObjectId
from sessionfs.retention.history import read_history
from sessionfs.retention.keeping import Keep, Unneeded, unneeded
from sessionfs.store import past
from sessionfs.store.pruned import RETENTION, tombstones
from sessionfs.store.pruned import TYPE as PRUNED
from sessionfs.store.reach import Named, Objects
from sessionfs.store.session import Session
from sessionfs.store.store import Store
from sessionfs.travel.checkpoints import list_checkpoints
from sessionfs.travel.moment import AtTime
from sessionfs.travel.resolve import BeforeSession, resolve_moment

_TRIES = 3

_AFTER_ALL = "9999"  # later than every time in a log


class Pruned(NamedTuple):
    """What one session gave up, or would."""

    session_id: str
    version_count: int
    size: int  # bytes of these contents; freed is what nothing else needs
    paths: tuple[str, ...]  # of the artifacts, in text form

    def to_dict(self) -> dict[str, object]:
        """Return it JSON-ready."""
        return {**self._asdict(), "paths": list(self.paths)}


def prune(store: Store, session_id: str, keep: Keep, *, paths: Collection[str] = (), dry_run: bool = False) -> Pruned:
    """Let a session give up the versions that *keep* does not keep, whatever its status.

    Live, pinned and checkpointed contents are always kept.

    Args:
        paths: Only versions of these artifacts, and of those below them (in text form).

    Raises:
        NoSuchSession: There is none.
        Corrupt: Its log, or something that says what a checkpoint needs, is damaged. Nothing was given up.

    Durability:
        As the durability mode says. A crash leaves some of it done, each record by itself.

    Concurrency:
        What is appended meanwhile is looked at before anything is given up.
    """
    session = store.session(session_id)
    if session.damage is not None:
        raise session.damage
    found = _find(store, session, keep, paths)[0]
    if found.oids and not dry_run:
        found = _give_up(store, session, keep, paths)
    return Pruned(session_id, found.version_count, found.size, found.paths)


def _give_up(store: Store, session: Session, keep: Keep, paths: Collection[str]) -> Unneeded:
    """Record the tombstones: what they are decided on is what is so when they are written."""
    for _ in range(_TRIES):
        found, stamp = _find(store, session, keep, paths)
        with session.noting():
            if _stamp(session) == stamp:
                _note(session, found)
                return found
    with session.noting():  # somebody writes all the time, and has to wait now
        found, _ = _find(store, session, keep, paths)
        _note(session, found)
        return found


def _note(session: Session, found: Unneeded) -> None:
    for tombstone in tombstones(found.oids, RETENTION):
        session.note(PRUNED, tombstone)


def _find(store: Store, session: Session, keep: Keep, paths: Collection[str]) -> tuple[Unneeded, _Stamp]:
    """Return what *session* may give up, and what that was decided on."""
    session.refresh()
    stamp = _stamp(session)
    if keep.is_everything:
        return Unneeded(frozenset(), 0, 0, ()), stamp
    with session.lock:
        end = session.log.position
        pins = session.fold.fields.pins
        needed = {node.oid for _, node in session.tree.walk() if node.oid is not None}
    needed |= _in_checkpoints(store, stamp)
    since = _AFTER_ALL
    if keep.duration_ns is not None:
        since_ns = max(0, session.clock() - keep.duration_ns)
        since = format_time(since_ns)
        needed |= _live_at(session, since_ns)
    history = read_history(session, end)
    return unneeded(history, keep, pins, needed=needed, since=since, only=paths), stamp


class _Stamp(NamedTuple):
    """What the log and the checkpoints were."""

    seq: int
    checkpoints: frozenset[ObjectId]


def _stamp(session: Session) -> _Stamp:
    checkpoints = frozenset(checkpoint.oid for checkpoint in list_checkpoints(session))
    return _Stamp(session.log.position.seq, checkpoints)


def _in_checkpoints(store: Store, stamp: _Stamp) -> set[ObjectId]:
    named = Named()
    named.oids = set(stamp.checkpoints)
    return Objects(store.objects, []).needed(named)


def _live_at(session: Session, time_ns: int) -> set[ObjectId]:
    try:
        position = resolve_moment(session, AtTime(time_ns))
    except BeforeSession:
        return set()
    tree = past.fold_at(session, position).fold.tree
    return {node.oid for _, node in tree.walk() if node.oid is not None}
