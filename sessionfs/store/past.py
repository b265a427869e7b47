"""A session at an earlier place of its log, and before its first record: with nothing, or, for a fork, with its parent.

A fork begins with what its parent was at one place. Nothing is copied: the parent's log only grows, so what it says up
to that place never changes. When the parent is deleted, the fork first gets a snapshot of that place (see
:mod:`sessionfs.store.forks`), and begins with it from then on.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sessionfs.errors import Corrupt, Error, NotFound
from sessionfs.log import Position
from sessionfs.log.stretch import read_stretch
from sessionfs.oid import ObjectId, hash_bytes
from sessionfs.sessions import Created, Fork, Moved
from sessionfs.store import snapshot as snapshots
from sessionfs.store.fold import Fold
from sessionfs.store.uncollected import uncollected

if TYPE_CHECKING:
    from sessionfs.store.session import Session

_decode_created = msgspec.json.Decoder(Created).decode
_decode_moved = msgspec.json.Decoder(Moved).decode


class LostBeginning(Corrupt):
    """What a fork began with cannot be read: neither its parent's log nor a snapshot has it."""


class Past(NamedTuple):
    """A fold at some place, and what it is made of."""

    fold: Fold
    snapshot: ObjectId | None  # where reading began
    record_count: int  # that were read from there
    byte_count: int


def begin(session: Session, *, heal: bool = True) -> Past:
    """Return what *session* is before its first record.

    Args:
        heal: Put tree objects that are missing or damaged back, where the logs say what was in them.

    Raises:
        LostBeginning: It is a fork, and what it began with cannot be read.
    """
    fork = fork_of(session)
    if fork is None:
        return Past(session.empty_fold(heal=heal), None, 0, 0)
    reason: Error
    try:
        return fold_at(session.other(fork.session), fork.position, heal=heal)
    except (Corrupt, NotFound) as failure:
        reason = failure
    try:
        kept = _kept_beginning(session, heal)
    except (Corrupt, NotFound) as failure:
        kept, reason = None, failure
    if kept is None:
        raise LostBeginning(
            f"session {session.id} is a fork of {fork.session} before its record {fork.seq}, which cannot be read: "
            f"{reason}; see sessionfs fsck"
        ) from reason
    return kept


def fork_of(session: Session) -> Fork | None:
    """Return where *session* begins, if it is a fork."""
    first = session.log.first_record()
    if first is None or first.type != "session.created" or b'"fork"' not in bytes(first.data):
        return None
    try:
        return _decode_created(first.data).fork
    except msgspec.MsgspecError:
        return None  # reading the log says what is wrong with it


def fold_at(session: Session, position: Position, *, heal: bool = True) -> Past:
    """Return what *session* was at *position*: its newest snapshot before it, and the records from there.

    Args:
        heal: As for :func:`begin`.

    Raises:
        CorruptLog, InconsistentLog: Its log does not lead there.
        LostBeginning: As :func:`begin`.
        NoSuchLog: The session is not there.
    """
    found = _snapshot_before(session, position, heal)
    if found is not None:
        past, start = found
        try:
            return _read_on(session, past, start, position)
        except Corrupt:
            pass  # perhaps it is the snapshot that is wrong; it only saves time
    return _read_on(session, begin(session, heal=heal), Position(0, 0, session.id, 0), position)


def _read_on(session: Session, past: Past, start: Position, end: Position) -> Past:
    with uncollected:
        for record in read_stretch(session.log, start, end):
            past.fold.apply(record)
    read = (end.seq - start.seq, end.offset - start.offset)
    return past._replace(record_count=past.record_count + read[0], byte_count=past.byte_count + read[1])


def _snapshot_before(session: Session, position: Position, heal: bool) -> tuple[Past, Position] | None:
    """Return the newest snapshot before *position*, and its place; None when there is none that can be used."""
    found = newest_snapshot(session, position.base) if position.seq else None
    if found is None or found[1].position.offset > position.offset:
        return None
    oid, snapshot = found
    fold = session.empty_fold(heal=heal)
    start = snapshots.restore(session.objects, snapshot, fold)
    return Past(fold, oid, 0, 0), start


def newest_snapshot(session: Session, base: int) -> tuple[ObjectId, snapshots.Snapshot] | None:
    """Return the snapshot of *session* that the record at offset *base* names; None when none can be read there."""
    record = session.log.record_at(base)
    if record is None:
        return None
    try:
        oid = _decode_moved(record.data).snapshot
        if oid is None:
            return None
        snapshot = snapshots.read(session.objects, oid)
    except (Error, msgspec.MsgspecError):
        return None  # it only saves time; fsck reports it
    return (oid, snapshot) if snapshot.session.id == session.id else None


def _kept_beginning(session: Session, heal: bool) -> Past | None:
    """Return what *session* began with from the snapshot that it got when its parent was deleted, if it did."""
    for _, record in session.log.lines():
        if record.type == "session.saved" and (oid := _decode_moved(record.data).beginning) is not None:
            snapshot = snapshots.read(session.objects, oid)
            fold = session.empty_fold(heal=heal)
            snapshots.restore(session.objects, snapshot, fold)
            return Past(fold, oid, 0, 0)
    return None


def recompute_tree(session: Session, oid: ObjectId) -> bytes | None:
    """Return the tree object *oid* as a snapshot of *session*, or of one it is a fork of, once wrote it; else None."""
    trees: dict[ObjectId, bytes] = {}

    def keep(data: bytes) -> ObjectId:
        kept = hash_bytes(data)
        trees[kept] = data
        return kept

    for fold in _snapshot_places(session):
        fold.tree.write(keep)
        if oid in trees:
            return trees[oid]
    return None


def _snapshot_places(session: Session, end: Position | None = None) -> Generator[Fold, None, Fold]:
    """Yield the fold wherever a snapshot may have been written, read from the first record of all; return the last."""
    fork = fork_of(session)
    if fork is None:
        fold = Fold(session.objects, session.id)
    else:
        try:
            fold = yield from _snapshot_places(session.other(fork.session), fork.position)
        except NotFound:  # the parent has been deleted
            fold = begin(session, heal=False).fold
    offset = 0
    for line, record in session.log.lines():
        if end is not None and offset >= end.offset:
            break
        if record.base == offset:  # it names a snapshot, which was written just before it; or it is the first
            yield fold
        fold.apply(record)
        offset += len(line)
    return fold
