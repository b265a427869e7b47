"""What is written in bulk owes no sync file by file: one sync of the whole filesystem pays for all of it.

A sync for each of 100,000 objects takes minutes, and a list of them memory. Whoever copies a store needs one barrier:
all objects are on stable storage before the first record that names one. A few are synced one by one: what else is on
its way to that filesystem is then not waited for.
"""

from __future__ import annotations

from sessionfs.durable.disk import Disk
from sessionfs.durable.unsynced import Unsynced

_MANY_FILES = 64


class SyncedAtOnce(Unsynced):
    """As its base class; but of many files it only notes that they are many."""

    def __init__(self, disk: Disk, path: str) -> None:
        """Owe to the filesystem of the directory *path*."""
        super().__init__(disk)
        self._path = path
        self._are_many = False

    def add_file(self, path: str) -> None:
        if self._are_many:
            self.wake()
            return
        super().add_file(path)
        self._are_many = len(self._files) > _MANY_FILES

    @property
    def empty(self) -> bool:
        return super().empty and not self._are_many

    def sync(self) -> None:
        if self._are_many:
            with self._syncing:
                self._disk.sync_filesystem(self._path)
                self._files.clear()
                self._are_many = False
        super().sync()
