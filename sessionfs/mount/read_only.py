"""What cannot be changed because it is past: every request that would change it is EROFS."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any, NoReturn

from sessionfs.mount.handles import Handle
from sessionfs.mount.inodes import Caller, Inode, error
from sessionfs.objects import NoSuchObject, ObjectDatabase
from sessionfs.oid import ObjectId
from sessionfs.store import proposals

if TYPE_CHECKING:
    from sessionfs.mount.mounted import MountedSession


class ReadOnly(Inode):
    """An inode that only answers."""

    def set_attributes(self, changes: dict[str, Any], caller: Caller) -> None:
        refuse()

    async def truncate_by_name(self, size: int, caller: Caller) -> None:
        refuse()

    async def create(self, name: bytes, mode: int, flags: int, caller: Caller) -> NoReturn:
        refuse()

    async def make_node(self, name: bytes, mode: int, rdev: int, caller: Caller) -> NoReturn:
        refuse()

    async def link(self, inode: Inode, name: bytes) -> Inode:
        refuse()

    async def make_directory(self, name: bytes, mode: int, caller: Caller) -> NoReturn:
        refuse()

    async def make_symlink(self, name: bytes, target: bytes, caller: Caller) -> NoReturn:
        refuse()

    async def remove(self, name: bytes) -> None:
        refuse()

    async def remove_directory(self, name: bytes) -> None:
        refuse()

    async def rename(self, name: bytes, target: Inode, new_name: bytes, *, replace: bool) -> None:
        refuse()

    async def exchange(self, name: bytes, target: Inode, other_name: bytes) -> None:
        refuse()

    async def set_xattr(self, name: bytes, value: bytes) -> None:
        refuse()

    async def remove_xattr(self, name: bytes, caller: Caller) -> None:
        refuse()


def refuse() -> NoReturn:
    """Refuse a change."""
    raise error(errno.EROFS)


def check_reads_only(flags: int) -> None:
    """Check that a file is opened for reading alone."""
    if flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_TRUNC:
        refuse()


async def note_retrieved(mounted: MountedSession, path: str, id: str, caller: Caller) -> None:
    """Ask the hooks and note in the log that *caller* reads the version *id*, where that is wanted."""
    session = mounted.session
    with await mounted.ask("artifact.retrieve", lambda: proposals.of_retrieval(session, path, id)):
        session.artifacts.note_retrieved(path, id, by=mounted.actor_of(caller))


class ContentHandle(Handle):
    """An open file whose content is an object, and stays that."""

    def __init__(self, inode: Inode, objects: ObjectDatabase, oid: ObjectId) -> None:
        super().__init__(inode)
        try:
            self._reader = objects.open(oid)
        except NoSuchObject:
            raise error(errno.EIO) from None  # a record names it, so it should be here

    async def read(self, offset: int, length: int) -> bytes:
        return self._reader.pread(length, offset)

    async def release(self) -> None:
        self._reader.close()
