"""Keeping what is written until it is a version, in case this process is killed (see :mod:`sessionfs.store.unsaved`).

Small changes stand in the journal as they are made. What is written beyond KEPT_BYTES does not: the bytes would go to
the disk twice. Such a file is stored as a blob when its writer pauses, or after a while, and the journal names that
blob.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

import trio

from sessionfs.errors import Error
from sessionfs.oid import ObjectId
from sessionfs.store.store import Store
from sessionfs.store.unsaved import Journal

if TYPE_CHECKING:
    from sessionfs.mount.files import ArtifactFile

log = logging.getLogger(__name__)

KEPT_BYTES = 1 << 20

_PAUSE_SECONDS = 1.0
_LONGEST_SECONDS = 30.0  # a large copy is over by then, and stored in one piece


class Kept:
    """What is kept of one file that is being written."""

    def __init__(self, keeper: Keeper, number: int) -> None:
        self._keeper = keeper
        self._number = number
        self._bytes = 0  # in the journal, since the last checkpoint
        self.is_complete = True  # whether all that was written is kept
        self.is_paused = False  # nothing was written since somebody looked
        self.incomplete_since = 0.0

    def wrote(self, offset: int, data: bytes) -> None:
        """Note that *data* was written at *offset*."""
        self.is_paused = False
        self._bytes += len(data)
        if self.is_complete and self._bytes > KEPT_BYTES:
            self.is_complete = False
            self.incomplete_since = trio.current_time()
            self._keeper.wake()
        if self.is_complete:
            self._keeper.journal.wrote(self._number, offset, data)

    def truncated(self, size: int) -> None:
        """Note that the length was set."""
        self.is_paused = False
        if self.is_complete:
            self._keeper.journal.truncated(self._number, size)

    def stored(self, path: str, oid: ObjectId) -> None:
        """Note that all that was written is the blob *oid*."""
        self._keeper.journal.checkpoint(self._number, path, oid)
        self._bytes = 0
        self.is_complete = True

    def end(self) -> None:
        """Note that it is a version now, or that nobody wants it."""
        self._keeper.journal.end(self._number)


class Keeper:
    """The journal of this mount, and the task that stores what does not stand in it."""

    def __init__(self, store: Store) -> None:
        self.journal = Journal(store.disk, store.layout.staging)
        self._awake = trio.Event()

    def begin(self, session_id: str, path: str, oid: ObjectId | None) -> Kept:
        """Begin to keep a file that was begun from the blob *oid*, or from nothing."""
        return Kept(self, self.journal.begin(session_id, path, oid))

    def wake(self) -> None:
        """Note that there is a file that is not kept completely."""
        self._awake.set()

    async def run(self, view: Files) -> None:
        """Store such files, for ever; sleeps while there are none."""
        while True:
            await self._awake.wait()
            await trio.sleep(_PAUSE_SECONDS)
            waiting = [file for file in view.files_being_written() if file.kept and not file.kept.is_complete]
            if not waiting:
                self._awake = trio.Event()
            for file in waiting:
                await _keep(file)

    def close(self) -> None:
        """End the journal."""
        self.journal.close()


async def _keep(file: ArtifactFile) -> None:
    kept = file.kept
    if kept is None:
        return
    if kept.is_paused or trio.current_time() - kept.incomplete_since > _LONGEST_SECONDS:
        try:
            await file.keep()
        except Error as failure:
            log.warning("%s cannot be kept before it is closed: %s", file.path, failure)
            kept.incomplete_since = trio.current_time()
    kept.is_paused = True


class Files(Protocol):
    """What has files that are being written; the view is one."""

    def files_being_written(self) -> list[ArtifactFile]:
        """Return them."""
