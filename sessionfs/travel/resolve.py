"""From a moment to a place in a session's log."""

from __future__ import annotations

from sessionfs.clock import format_time
from sessionfs.errors import NotFound
from sessionfs.log import Position
from sessionfs.log.search import Line, find_seq, find_time
from sessionfs.log.stretch import position_after
from sessionfs.store.session import Session
from sessionfs.travel.checkpoints import resolve_checkpoint
from sessionfs.travel.moment import AfterRecord, AtCheckpoint, AtTime, Moment, Now


class NoSuchMoment(NotFound):
    """The session has no such moment."""


class BeforeSession(NoSuchMoment):
    """The session did not exist then."""


class InFuture(NoSuchMoment):
    """That has not happened yet."""


def resolve_moment(session: Session, moment: Moment) -> Position:
    """Return the place in the log of *session* behind the last record that had been written at *moment*.

    The number of a moment is that of this last record: ``position.seq - 1``.

    Raises:
        BeforeSession, InFuture: The session has no such moment.
        NoSuchCheckpoint: It has no checkpoint of that name.
        CorruptLog: The log is damaged before that moment, or it cannot be told where the moment is.
        NoSuchSession: It was deleted.

    Concurrency:
        Sees what had been appended when it was called, by whichever process. Takes no file lock.
    """
    session.refresh()
    log = session.log
    with log.lock:
        end = log.position
        if isinstance(moment, AtCheckpoint):
            return _at_checkpoint(session, end, moment.name)
        if isinstance(moment, Now):
            return end
        if isinstance(moment, AfterRecord):
            return _after_record(session, end, moment.seq)
        if isinstance(moment, AtTime):
            return _at_time(session, end, moment.time_ns)
        # Not before the epoch, which is before every session: there are years that no text can say.
        return _at_time(session, end, max(0, session.clock() - moment.duration_ns))


def _at_checkpoint(session: Session, end: Position, name: str) -> Position:
    checkpoint = resolve_checkpoint(session, name)
    position = None
    if checkpoint.seq < end.seq or session.damage is not None:
        position = _after_record(session, end, checkpoint.seq)
    if position is None or position.chain != checkpoint.chain:
        raise NoSuchMoment(
            f"the checkpoint {name!r} of session {session.id} is of record {checkpoint.seq} that its log lacks: "
            f"it was cut back since; delete it: sessionfs checkpoint --delete {session.id} {name}"
        )
    return position


def _after_record(session: Session, end: Position, seq: int) -> Position:
    if seq == end.seq - 1:
        return end
    if seq >= end.seq:
        if session.damage is not None:
            raise session.damage
        raise InFuture(
            f"session {session.id} has no record {seq} yet: its last one is {end.seq - 1}; now is {session.id}@{{now}}"
        )
    return _checked(session, find_seq(session.log.read_at, end.offset, seq), seq)


def _at_time(session: Session, end: Position, time_ns: int) -> Position:
    time = format_time(time_ns)
    if time >= session.log.last_time:
        if time_ns > session.clock() and time != session.log.last_time:
            raise InFuture(f"{time} is in the future: session {session.id} has moments up to now")
        if session.damage is not None:
            raise session.damage  # what was written between the last good record and then cannot be read
        return end
    line = find_time(session.log.read_at, end.offset, time)
    if line is None:
        raise BeforeSession(
            f"{time} is before session {session.id} was created, at {session.fold.fields.created_at}; "
            f"its first moment is {session.id}@{{0}}"
        )
    return _checked(session, line, line.seq)


def _checked(session: Session, line: Line | None, seq: int) -> Position:
    """Return the place behind *line*, which should be record *seq*; otherwise say where the log is damaged."""
    position = None if line is None else position_after(line)
    if position is None:
        for _ in session.log.lines():
            pass  # raises at the damaged record
        raise NoSuchMoment(f"record {seq} of session {session.id} cannot be found; see: sessionfs fsck")
    return position
