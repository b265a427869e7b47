"""Operations: records that people see as one change, such as an ``rm -r``; undo takes them back together.

Records of one operation carry the number of its first record. What is appended in one call is one operation by itself;
:meth:`sessionfs.store.session.Session.operation` joins several calls. What decides is a context variable, so that
threads and tasks do not disturb each other, and a face can group by something else (the mount: by requesting process).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sessionfs.log import Log


class Grouping(Protocol):
    """Decides to which operation the next records of a log belong; called with the log's lock held.

    By the log itself, not by its path: another session may come to stand there, with a log that begins anew.
    """

    def find(self, log: Log) -> int | None:
        """Return the number of the first record of the operation that is open; None when a new one begins."""

    def note(self, log: Log, seq: int) -> None:
        """Note that record *seq* was appended, after asking :meth:`find`."""


_current: ContextVar[Grouping | None] = ContextVar("sessionfs_operation", default=None)

current = _current.get
"""Returns what groups the records that are appended now, or None."""


class Operation:
    """One operation of one session; those of other sessions go on meanwhile. Its own thread's alone."""

    def __init__(self, log: Log, outer: Grouping | None) -> None:
        self._log = log
        self._outer = outer
        self._first: int | None = None

    def find(self, log: Log) -> int | None:
        if log is self._log:
            return self._first
        return None if self._outer is None else self._outer.find(log)

    def note(self, log: Log, seq: int) -> None:
        if log is not self._log:
            if self._outer is not None:
                self._outer.note(log, seq)
        elif self._first is None:
            self._first = seq


def follow(grouping: Grouping | None) -> None:
    """Let *grouping* decide from now on, in this task or thread; None for nothing."""
    _current.set(grouping)


@contextlib.contextmanager
def grouped(grouping: Grouping | None) -> Iterator[None]:
    """Let *grouping* decide about the records that are appended inside; with None, each append is by itself."""
    token = _current.set(grouping)
    try:
        yield
    finally:
        _current.reset(token)


@contextlib.contextmanager
def operation(log: Log) -> Iterator[None]:
    """Make the records of a session that are appended inside one operation; inside another one, part of that."""
    outer = _current.get()
    while isinstance(outer, Operation) and outer._log is not log:
        outer = outer._outer
    if outer is not None:
        yield
        return
    with grouped(Operation(log, _current.get())):
        yield
