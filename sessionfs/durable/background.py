"""Syncing in the background, for processes that live long: ``relaxed`` mode's second promise.

A power cut loses at most the last ``durability.interval``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from sessionfs.durable.unsynced import Unsynced


class BackgroundSync:
    """A thread that syncs once per interval while something is owed, and sleeps while nothing is."""

    def __init__(self, unsynced: Unsynced, sync: Callable[[], None], interval_ns: int) -> None:
        """Start it.

        Args:
            sync: Called on the thread; what it raises is kept in ``failure`` and tried again.
        """
        self.failure: Exception | None = None
        self._unsynced = unsynced
        self._sync = sync
        self._interval_seconds = interval_ns / 1e9
        self._stopping = threading.Event()
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="sessionfs-sync", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is still owed stays owed."""
        self._stopping.set()
        self._unsynced.wake()
        if self._pid == os.getpid():  # a forked child has no such thread
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._unsynced.wait()
            if self._stopping.wait(self._interval_seconds):
                return
            try:
                self._sync()
                self.failure = None
            except Exception as failure:
                # Nobody is here to be told: it is still owed, so whoever syncs or closes next meets the same error.
                self.failure = failure
