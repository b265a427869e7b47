"""Group commit: one sync serves everybody who waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable


class GroupCommit:
    """Syncs one append-only file for many threads.

    The first thread that needs a sync makes it; those that come meanwhile wait, and the next of them syncs for
    all the others. Called without the file's lock, so that appends go on during the sync.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._synced = 0  # bytes known to be on stable storage
        self._syncing = False

    def wait(self, end: int, written: Callable[[], int], sync: Callable[[], None]) -> None:
        """Return when the first *end* bytes are on stable storage.

        Args:
            end: The length in bytes the caller needs.
            written: Returns the length that is written now; what a sync that starts now will cover.
            sync: Makes the sync. After one that failed it must write again what that should have synced.

        Raises:
            OSError: The sync failed. Those who waited for it call *sync* again themselves.
        """
        with self._condition:
            while self._syncing and self._synced < end:
                self._condition.wait()
            if self._synced >= end:
                return
            self._syncing = True
        covered = 0
        try:
            target = written()
            sync()
            covered = target
        finally:
            with self._condition:
                self._syncing = False
                self._synced = max(self._synced, covered)
                self._condition.notify_all()
