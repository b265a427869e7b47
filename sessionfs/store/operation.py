"""Operations: records that people see as one change, such as an ``rm -r``; undo takes them back together.

Records of one operation carry the number of its first record. What is appended in one call is one operation by itself;
:meth:`sessionfs.store.session.Session.operation` joins several calls. What decides is a context variable, so that
threads and tasks do not disturb each other, and a face can group by something else (the mount: by requesting process).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Protocol


class Grouping(Protocol):
    """Decides to which operation the next records of a log belong; called with the log's lock held."""

    def find(self, log_path: str) -> int | None:
        """Return the number of the first record of the operation that is open; None when a new one begins."""

    def note(self, log_path: str, seq: int) -> None:
        """Note that record *seq* was appended, after asking :meth:`find`."""


_current: ContextVar[Grouping | None] = ContextVar("sessionfs_operation", default=None)

current = _current.get
"""Returns what groups the records that are appended now, or None."""


class Operation:
    """One operation of one session; those of other sessions go on meanwhile. Its own thread's alone."""

    def __init__(self, log_path: str, outer: Grouping | None) -> None:
        self._log_path = log_path
        self._outer = outer
        self._first: int | None = None

    def find(self, log_path: str) -> int | None:
        if log_path == self._log_path:
            return self._first
        return None if self._outer is None else self._outer.find(log_path)

    def note(self, log_path: str, seq: int) -> None:
        if log_path != self._log_path:
            if self._outer is not None:
                self._outer.note(log_path, seq)
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
def operation(log_path: str) -> Iterator[None]:
    """Make the records of a session that are appended inside one operation; inside another one, part of that."""
    outer = _current.get()
    while isinstance(outer, Operation) and outer._log_path != log_path:
        outer = outer._outer
    if outer is not None:
        yield
        return
    with grouped(Operation(log_path, _current.get())):
        yield
