"""What is damaged and taken away is kept, until the trash is emptied.

``trash/+repair@<time>/`` has what ``fsck --repair`` took away, ``trash/+power-cut@<time>/`` what a power cut had left.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sessionfs.durable import Mode, pwrite_all, write_all
from sessionfs.durable.publish import make_directory
from sessionfs.objects import ObjectFile
from sessionfs.store.reach import read_from

if TYPE_CHECKING:
    from sessionfs.store.store import Store

# No session can have a name that begins so.
REPAIR = "+repair"
POWER_CUT = "+power-cut"


class Aside:
    """One such directory. It is made when something is put there."""

    def __init__(self, store: Store, name: str, now_ns: int) -> None:
        self._store = store
        self.directory = store.layout.trashed(name, now_ns)
        self.is_made = False

    def move_object(self, file: ObjectFile) -> None:
        """Move the file of an object there; what lies in a pack stays."""
        if file.start is None:
            self.make()
            self._store.objects.set_aside(file, self.directory)

    def move(self, path: str) -> None:
        """Move the file at *path* there."""
        disk = self._store.disk
        disk.rename(path, f"{self.make()}/{os.path.basename(path)}")
        disk.sync_directory(self.directory)
        disk.sync_directory(os.path.dirname(path))

    def cut(self, path: str, offset: int, name: str) -> None:
        """Move what the file at *path* holds from *offset* on to a file called *name*."""
        disk = self._store.disk
        fd = disk.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            disk.lock(fd, path)
            self.keep(read_from(disk, path, offset), name)
            # Only now: whatever happens next, the bytes are in one of the two places.
            disk.truncate(fd, offset)
            disk.fdatasync(fd)
        finally:
            disk.close(fd)

    def exchange(self, path: str, content: bytes, offset: int, name: str) -> None:
        """Write *content* in place of what the file at *path* holds from *offset* on, and keep that."""
        disk = self._store.disk
        fd = disk.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            disk.lock(fd, path)
            self.keep(read_from(disk, path, offset), name)
            pwrite_all(disk, fd, content, offset)
            disk.truncate(fd, offset + len(content))
            disk.fdatasync(fd)
        finally:
            disk.close(fd)

    def keep(self, content: bytes, name: str) -> None:
        """Write *content* to a file called *name* there, or ``<name>.1`` and so on: what is kept is never replaced."""
        self.make()
        disk = self._store.disk
        fd = self._create(name)
        try:
            write_all(disk, fd, content)
            disk.fsync(fd)
        finally:
            disk.close(fd)
        disk.sync_directory(self.directory)

    def _create(self, name: str) -> int:
        path, number = f"{self.directory}/{name}", 0
        while True:
            try:
                return self._store.disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                number += 1
                path = f"{self.directory}/{name}.{number}"

    def make(self) -> str:
        """Make the directory if it is not there, and return it."""
        if not self.is_made:
            make_directory(self._store.disk, self._store.unsynced, Mode.FULL, self.directory)
            self.is_made = True
        return self.directory
