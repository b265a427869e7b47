"""Open files of the live tree: when what was written becomes a version."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from sessionfs.errors import Error
from sessionfs.mount.handles import Handle
from sessionfs.mount.inodes import Caller
from sessionfs.mount.loop import in_worker
from sessionfs.store.hooked import HookVeto

if TYPE_CHECKING:
    from sessionfs.mount.files import ArtifactFile

log = logging.getLogger(__name__)


class FileHandle(Handle):
    """An open file of the tree."""

    inode: ArtifactFile

    def __init__(self, inode: ArtifactFile, flags: int, caller: Caller) -> None:
        super().__init__(inode)
        # Whoever empties a file when opening it changes it, even if only to read it then.
        self.writes = flags & os.O_ACCMODE != os.O_RDONLY or bool(flags & os.O_TRUNC)
        self._notes_access = not flags & os.O_NOATIME
        self._caller = caller
        self._failed = False  # the last close reported that it could not be stored
        self._refused = False  # because a hook did not let it pass

    async def read(self, offset: int, length: int) -> bytes:
        data = await self.inode.read(offset, length)
        if self._notes_access:
            self.inode.accessed()
        return data

    async def write(self, offset: int, data: bytes) -> int:
        # Also with O_APPEND: the kernel knows where the end is, and what mmap wrote comes through here as well.
        return await self.inode.write(offset, data)

    async def truncate(self, size: int, caller: Caller) -> None:
        await self.inode.truncate(size, caller)

    async def flush(self) -> None:
        """Make a version of what was written.

        A shell's ``echo x > file`` opens, duplicates the descriptor, closes the first one, and writes only then. So
        while nothing has been written since the file was created or truncated, and its opener has another
        descriptor of it, there is one more close to come, and that one makes the version.
        """
        file = self.inode
        if not (self.writes and file.unsettled):
            return
        if file.dirty and not file.written and file.is_open_elsewhere(self._caller):
            return
        self._failed, self._refused = True, False
        try:
            await file.store_version()
        except HookVeto:
            self._refused = True
            raise
        self._failed = False
        await file.mounted.hooks.room(file.mounted.session)

    async def sync(self) -> None:
        await self.inode.store_version()
        await in_worker(self.inode.mounted.store.sync)

    async def release(self) -> None:
        file = self.inode
        try:
            if self.writes and file.unsettled and file.path is not None:
                await self._store_late()
        finally:
            file.closed(self)

    async def _store_late(self) -> None:
        """Store what mmap wrote after the last close. What a close has reported as lost is not tried again."""
        file = self.inode
        try:
            if not self._failed:
                await file.store_version()
                return
            if not self._refused:
                log.warning("%s could not be stored, as its close reported", file.path)
        except Error as failure:
            log.error("%s could not be stored after it was closed: %s", file.path, failure)
        file.give_up_unless_written_by_others(self)
