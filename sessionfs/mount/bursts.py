"""Operations in the mount: what one process does in one session without a longer pause; undo takes it back together.

The kernel tells of single requests. That an ``rm -r`` or a ``tar x`` is one change to people shows only in who asks,
and when.
"""

from __future__ import annotations

import time
from collections.abc import Callable

# Between two records of one operation. Programs that write many files pause less, people who type pause longer.
PAUSE_SECONDS = 1.0

_MOST_KNOWN = 1000


class Bursts:
    """The operations that go on, by process and session."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._known: dict[tuple[int, str], tuple[int, float]] = {}  # first record, and when the last one came

    def of(self, pid: int) -> Burst | None:
        """Return what groups the records that a request of a process makes; None for a process that we cannot tell."""
        return Burst(self, pid) if pid else None

    def find(self, pid: int, log_path: str) -> int | None:
        """Return the number of the first record of what goes on; None when it has paused, or not begun."""
        known = self._known.get((pid, log_path))
        return None if known is None or self._monotonic() - known[1] > PAUSE_SECONDS else known[0]

    def note(self, pid: int, log_path: str, first: int) -> None:
        """Note that a record was made just now."""
        now = self._monotonic()
        if len(self._known) >= _MOST_KNOWN:
            self._known = {key: known for key, known in self._known.items() if now - known[1] <= PAUSE_SECONDS}
        self._known[pid, log_path] = (first, now)


class Burst:
    """One request's part in what its process does; see :class:`sessionfs.store.operation.Grouping`."""

    __slots__ = ("_bursts", "_first", "_pid")

    def __init__(self, bursts: Bursts, pid: int) -> None:
        self._bursts = bursts
        self._pid = pid
        self._first: int | None = None

    def find(self, log_path: str) -> int | None:
        self._first = self._bursts.find(self._pid, log_path)
        return self._first

    def note(self, log_path: str, seq: int) -> None:
        self._bursts.note(self._pid, log_path, seq if self._first is None else self._first)
