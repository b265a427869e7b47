"""The operations of a session, read back from the end of its log, and which of them are in effect.

An operation is what people see as one change (:mod:`sessionfs.store.operation`). One that only recorded an event, or
set a field of the session, changed neither artifacts nor state: it is none here. One that was undone is out of effect
until it is redone; undoing and redoing are no operations of their own here, but bringing back a moment is one, and so
is a merge. What the log says of this is all there is to know, so any process can go on where another one stopped.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sessionfs import sessions
from sessionfs.errors import Conflict
from sessionfs.log import CorruptLog, Position, Record
from sessionfs.log.pages import Place, read_back
from sessionfs.log.record import parse_line
from sessionfs.store.session import Session
from sessionfs.travel.restore import REDO, UNDO

_RESTORED = "session.restored"

# The last two stand at the end of what brought something back, or over from elsewhere, and say what is merged then.
_CHANGING = frozenset(
    {
        "artifact.stored", "artifact.updated", "artifact.renamed", "artifact.deleted", "state.changed",
        _RESTORED, "session.merged",
    }
)  # fmt: skip


class NothingToUndo(Conflict):
    """There is no operation to take back, or not so many."""


class NothingToRedo(Conflict):
    """Nothing was undone, or something else was changed since."""


class _Effect:
    """What is known of the operations behind the place up to which the log has been read back."""

    def __init__(self) -> None:
        self._undone: set[int] = set()  # numbers of operations that are out of effect
        self._redone: set[int] = set()  # numbers of undoings that are

    def note(self, number: int, brought: sessions.Restored) -> tuple[int, ...]:
        """Take in what the operation *number*, an undoing or a redoing, did.

        Returns:
            The operations that it put out of effect, or the undoings that it put out of effect.
        """
        if number in self._redone:
            return ()
        (self._redone if brought.kind == REDO else self._undone).update(brought.operations)
        return brought.operations

    def has(self, number: int) -> bool:
        """Say whether the operation *number* is in effect."""
        return number not in self._undone


class Undoable(msgspec.Struct, frozen=True):
    """The newest operations that are in effect."""

    operations: tuple[int, ...]  # their numbers, the newest first
    place: Place  # before the first record of them all, and of what was undone or redone behind it
    base: int  # of the record before that
    others: tuple[Record, ...]  # changes behind that place that are in effect and not theirs, in order

    @property
    def position(self) -> Position:
        """The place before all of these records."""
        return Position(self.place.seq, self.place.offset, self.place.chain, self.base)


def find_undoable(session: Session, count: int) -> Undoable:
    """Return the newest *count* operations in effect; the caller is inside ``session.writing()``.

    The log is read back as far as their first records, and those of operations that went on at the same time and have
    been undone since, for no moment behind these is without them; and of undoings that have been redone since, for
    until then what they took back was missing.

    Raises:
        NothingToUndo: There are not so many.
    """
    effect = _Effect()
    waiting: set[int] = set()  # chosen ones, and those undone or redone, whose first record has not been met
    chosen: list[int] = []
    ignored: set[int] = set()  # undoings and redoings
    others: list[Record] = []
    records = _read_back(session)
    for place, record in records:
        number = record.seq if record.operation is None else record.operation
        if record.type == _RESTORED and (brought := _brought(session, record)).kind in (UNDO, REDO):
            waiting.update(effect.note(number, brought))
            ignored.add(number)
        elif number == 0:
            pass  # what a session began with, from a template; before it there is nothing to go back to
        elif record.type in _CHANGING and number not in ignored and effect.has(number):
            if number not in chosen and len(chosen) < count:
                chosen.append(number)
                waiting.add(number)
            elif number not in chosen:
                others.append(record)
        waiting.discard(record.seq)
        if len(chosen) == count and not waiting:
            base = next((before.base for _, before in records), 0)
            behind = tuple(other for other in reversed(others) if other.seq > record.seq)
            return Undoable(tuple(chosen), place, base, behind)
    raise NothingToUndo(_explain_undo(session, count, len(chosen)))


class Redoable(msgspec.Struct, frozen=True):
    """The newest undoings that can be taken back."""

    operations: tuple[int, ...]  # their numbers, the newest first
    to: int  # number of the last record before all of them


def find_redoable(session: Session, count: int) -> Redoable:
    """Return the newest *count* undoings after which nothing else was changed; otherwise as :func:`find_undoable`.

    Raises:
        NothingToRedo: There are not so many.
    """
    chosen: list[int] = []
    skipped_to = session.log.position.seq  # what begins at this number or later has been taken back itself
    waiting: int | None = None
    for _, record in _read_back(session):
        number = record.seq if record.operation is None else record.operation
        if waiting is not None:
            if record.seq == waiting:
                waiting = None
                if len(chosen) == count:
                    return Redoable(tuple(chosen), record.seq - 1)
            continue
        if record.seq >= skipped_to:
            continue
        if record.type == _RESTORED and (brought := _brought(session, record)).kind in (UNDO, REDO):
            if brought.kind == UNDO:
                chosen.append(number)
                waiting = number
            else:
                skipped_to = min(brought.operations)
        elif record.type in _CHANGING:
            break
    raise NothingToRedo(_explain_redo(session, count, len(chosen)))


def _read_back(session: Session) -> Iterator[tuple[Place, Record]]:
    log, end = session.log, session.log.position
    for line in read_back(log.disk, log.path, session.id, Place(end.seq, end.offset, end.chain)):
        record = parse_line(line.text[:-1])
        if record is None:  # linked, and yet no record: nobody of ours wrote it
            raise CorruptLog(log.path, line.place.seq, line.place.offset)
        yield line.place, record


def _brought(session: Session, record: Record) -> sessions.Restored:
    text = record.data if record.data_oid is None else session.objects.read(record.data_oid)
    return _decode(text)


_decode = msgspec.json.Decoder(sessions.Restored).decode


def _explain_undo(session: Session, count: int, found: int) -> str:
    if found == 0:
        return f"there is nothing to undo in session {session.id}: no operation on artifacts or state is in effect"
    return f"{count} operations of session {session.id} were to be undone, and only {found} are in effect; none was"


def _explain_redo(session: Session, count: int, found: int) -> str:
    if found == 0:
        return (
            f"there is nothing to redo in session {session.id}: nothing was undone, or something else was changed "
            f"since; what was undone can be found with: sessionfs log {session.id}"
        )
    return f"{count} undoings of session {session.id} were to be taken back, and only {found} can be; none was"
