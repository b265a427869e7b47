"""Operations in the mount: what one process does in one session without a longer pause; undo takes it back together.

The kernel tells of single requests. That an ``rm -r`` or a ``tar x`` is one change to people shows only in who asks,
and when.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from sessionfs.log import Log

# Between two records of one operation. Programs that write many files pause less, people who type pause longer.
PAUSE_SECONDS = 1.0

_MOST_KNOWN = 1000  # processes, of one session


class Bursts:
    """The operations that go on, by session and process."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        # First record, and when the last one came. Weakly: a session that is deleted takes what went on in it along.
        self._known: WeakKeyDictionary[Log, dict[int, tuple[int, float]]] = WeakKeyDictionary()

    def of(self, pid: int) -> Burst | None:
        """Return what groups the records that a request of a process makes; None for a process that we cannot tell."""
        return Burst(self, pid) if pid else None

    def find(self, pid: int, log: Log) -> int | None:
        """Return the number of the first record of what goes on; None when it has paused, or not begun."""
        known = self._known.get(log, {}).get(pid)
        return None if known is None or self._monotonic() - known[1] > PAUSE_SECONDS else known[0]

    def note(self, pid: int, log: Log, first: int) -> None:
        """Note that a record was made just now."""
        now = self._monotonic()
        known = self._known.setdefault(log, {})
        if len(known) >= _MOST_KNOWN:
            for other in [other for other, (_, last) in known.items() if now - last > PAUSE_SECONDS]:
                del known[other]
        known[pid] = (first, now)


class Burst:
    """One request's part in what its process does; see :class:`sessionfs.store.operation.Grouping`."""

    __slots__ = ("_bursts", "_first", "_pid")

    def __init__(self, bursts: Bursts, pid: int) -> None:
        self._bursts = bursts
        self._pid = pid
        self._first: int | None = None

    def find(self, log: Log) -> int | None:
        self._first = self._bursts.find(self._pid, log)
        return self._first

    def note(self, log: Log, seq: int) -> None:
        self._bursts.note(self._pid, log, seq if self._first is None else self._first)
