"""What was done in a session, operation by operation, the newest first: what ``sessionfs log`` shows.

The log is read in stretches from its end. Each stretch is folded from the newest snapshot before it, and every record
says what it changed there; so the last operations of a long session cost no more than those of a short one.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sessionfs.log import Position
from sessionfs.log.stretch import read_stretch
from sessionfs.store import past
from sessionfs.store.session import Session
from sessionfs.travel.difference import Change
from sessionfs.travel.moment import NOW, AfterRecord, Moment
from sessionfs.travel.noting import Noted, Operation, apply
from sessionfs.travel.resolve import resolve_moment

# How many records the first stretch has, and the longest.
_FIRST_STRETCH = 250
_LONGEST_STRETCH = 8000


def read_operations(session: Session, moment: Moment = NOW, path: str | None = None) -> Iterator[Operation]:
    """Yield what was done in *session* up to *moment*, the newest first.

    Events that change nothing (``tool.invoked``, ``custom.*``) are left out.

    Args:
        path: Only what changed this artifact, or what is below this directory; followed through renames, which is
            told in the operation that renamed it.

    Raises:
        NoSuchMoment, CorruptLog, InconsistentLog: As :func:`sessionfs.travel.view_at`.
    """
    found = _read_back(session, resolve_moment(session, moment))
    return found if path is None else _about(found, path)


def _read_back(session: Session, end: Position) -> Iterator[Operation]:
    length = _FIRST_STRETCH
    while end.seq > 0:
        start = _place(session, max(0, end.seq - length))
        operations = _Operations(session, start)
        # An operation that began before this stretch is read with it, from its first record.
        while (first := operations.read(end)) < start.seq:
            start = _place(session, first)
            operations = _Operations(session, start)
        yield from operations.newest_first()
        end = start
        length = min(2 * length, _LONGEST_STRETCH)


def _place(session: Session, seq: int) -> Position:
    """Return the place before record *seq*."""
    return resolve_moment(session, AfterRecord(seq - 1)) if seq else Position(0, 0, session.id, 0)


def _about(operations: Iterator[Operation], path: str) -> Iterator[Operation]:
    for operation in operations:
        changes = tuple([change for change in operation.changes if _concerns(change, path)])
        if not changes:
            continue
        yield msgspec.structs.replace(operation, changes=changes, state_changes=(), notes=())
        for change in changes:
            if change.renamed_from is not None and (path == change.path or path.startswith(change.path + "/")):
                path = change.renamed_from + path[len(change.path) :]
                break


def _concerns(change: Change, path: str) -> bool:
    if change.path == path or change.path.startswith(path + "/"):
        return True
    # Directories above it, when they come, go or are renamed with all that is in them.
    return path.startswith(change.path + "/") and change.kind != "modified"


class _Operations:
    """The operations of one stretch of the log."""

    def __init__(self, session: Session, start: Position) -> None:
        self._session = session
        self._start = start
        self._fold = past.fold_at(session, start).fold
        self._by_number: dict[int, Noted] = {}

    def read(self, end: Position) -> int:
        """Read up to *end*, and return the number of the first record of the operations in it."""
        first = self._start.seq
        for record in read_stretch(self._session.log, self._start, end):
            number = record.seq if record.operation is None else record.operation
            if number < self._start.seq:
                first = min(first, number)
            noted = self._by_number.setdefault(number, Noted(record))
            apply(self._fold, noted, record, self._session.objects)
        return first

    def newest_first(self) -> list[Operation]:
        finished = [noted.finish() for noted in self._by_number.values()]
        found = [operation for operation in finished if operation is not None]
        return sorted(found, key=lambda operation: operation.seq, reverse=True)
