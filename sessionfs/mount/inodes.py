"""Inodes: their numbers, how often the kernel knows them, their attributes, and what one can be asked.

The kernel names everything by a number. Each reply that gives it one (``lookup create mkdir symlink mknod`` and
every entry of ``readdir``) raises the inode's lookup count, ``forget`` lowers it. An inode is kept while the kernel
knows it or somebody has it open, so a file that was unlinked lives until its last handle and its last lookup are gone.

Numbers stay the same across remounts. A node of a session's tree has ``hash(session id) XOR node.ino`` (52 bits);
everything else has the hash of its path, with bit 52 set.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import pyfuse3
from pyfuse3 import ROOT_INODE, EntryAttributes, FUSEError, InodeT

from sessionfs.mount.handles import Handle
from sessionfs.mount.shown import Shown

# How long the kernel may answer by itself. It is told of every change (see ``changes``), so this could be for ever;
# an hour bounds the life of anything that a fault of ours might leave behind.
KNOWN_SECONDS = 3600.0

# For what changes without our telling the kernel: the attributes of virtual files and of files being written.
UNKNOWN_SECONDS = 0.0

NUMBER_BITS = 52
_NUMBER_MASK = (1 << NUMBER_BITS) - 1
_FIRST_FREE_NUMBER = 2  # 1 is the root of the mount

STAT_BLOCK_BYTES = 512

# What buffered writers (stdio, Python's open) take as their buffer: each write is a request here, and a larger buffer
# would be given back to the system at every close (malloc's threshold is 128 KiB).
PREFERRED_BYTES = 64 << 10


class Caller(NamedTuple):
    """Who makes a request."""

    uid: int
    gid: int
    pid: int

    @property
    def program(self) -> str:
        """The name of the program that it runs; empty when it is gone, or in another pid namespace."""
        try:
            with open(f"/proc/{self.pid}/comm", encoding="utf-8", errors="replace") as file:
                return file.read().rstrip("\n")
        except OSError:
            return ""

    def is_in_group(self, gid: int) -> bool:
        """Say whether it may make files that set the group *gid*: it is in it, or root."""
        if self.uid == 0 or self.gid == gid:
            return True
        try:
            return gid in pyfuse3.get_sup_groups(self.pid)
        except OSError:
            return False


def hash_number(text: str) -> int:
    """Return 52 bits of a hash of *text*."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") & _NUMBER_MASK


def error(number: int) -> FUSEError:
    """Return the error for the errno *number*."""
    return FUSEError(number)


class Inode:
    """What every inode can be asked; what a kind of inode cannot do is refused with the errno that POSIX names."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.lookups = 0
        self.handles = 0
        self.cached: EntryAttributes | None = None

    # Life

    def refresh(self) -> None:
        """Take in what other processes did; called before every request."""

    def is_doubtful(self, name: bytes | None = None) -> bool:
        """Say whether the kernel may have come here, or have *name* in it, by what another process has moved since."""
        return False

    def is_doubtful_by_name(self) -> bool:
        """Say the same for a request that can come by a descriptor too: then nobody asks again."""
        return False

    must_load = False  # nobody has looked into it yet, and hooks have to be asked before somebody does

    async def load(self) -> None:
        """Ask the hooks that have to be asked before anything in it is looked at."""

    def entered(self) -> None:
        """The kernel knows it now."""

    def left(self) -> None:
        """Neither the kernel nor a handle knows it any more."""

    def attributes(self) -> EntryAttributes:
        """Return what ``stat`` shows."""
        raise NotImplementedError

    def set_attributes(self, changes: dict[str, Any], caller: Caller) -> None:
        """Set ``mode uid gid atime_ns mtime_ns``.

        Nothing at all is ``chown(-1, -1)``, or comes before a write that has to take set-id bits away.
        """
        raise error(errno.EPERM)

    def accessed(self) -> None:
        """Note that it was read."""

    async def truncate_by_name(self, size: int, caller: Caller) -> None:
        """Set the length in bytes, for ``truncate(2)``."""
        raise error(errno.EPERM)

    # Directories

    parent_number: int = ROOT_INODE

    def names(self) -> Sequence[bytes]:
        """Return the names in it, in a fixed order."""
        raise error(errno.ENOTDIR)

    def lookup(self, name: bytes) -> Inode | None:
        """Return what *name* is in it, if anything."""
        raise error(errno.ENOTDIR)

    @property
    def missing_seconds(self) -> float | None:
        """How long the kernel may remember that a name is missing; None for not at all."""
        return None

    async def create(self, name: bytes, mode: int, flags: int, caller: Caller) -> tuple[Inode, Handle]:
        """Make a file and open it."""
        raise error(errno.EPERM)

    async def make_node(self, name: bytes, mode: int, rdev: int, caller: Caller) -> Inode:
        """Make a file without opening it, or a special file."""
        raise error(errno.EPERM)

    async def link(self, inode: Inode, name: bytes) -> Inode:
        """Make *name* in it another name of *inode*, and return what it names."""
        raise error(errno.EPERM)

    async def make_directory(self, name: bytes, mode: int, caller: Caller) -> Inode:
        """Make a directory."""
        raise error(errno.EPERM)

    async def make_symlink(self, name: bytes, target: bytes, caller: Caller) -> Inode:
        """Make a symbolic link."""
        raise error(errno.EPERM)

    async def remove(self, name: bytes) -> None:
        """Unlink what is not a directory."""
        raise error(errno.EPERM)

    async def remove_directory(self, name: bytes) -> None:
        """Remove an empty directory."""
        raise error(errno.EPERM)

    async def rename(self, name: bytes, target: Inode, new_name: bytes, *, replace: bool) -> None:
        """Move what *name* is to *new_name* in the directory *target*."""
        raise error(errno.EPERM)

    async def exchange(self, name: bytes, target: Inode, other_name: bytes) -> None:
        """Let *name* and *other_name* in the directory *target* change places."""
        raise error(errno.EPERM)

    # Files and links

    async def open(self, flags: int, caller: Caller) -> Handle:
        """Open it."""
        raise error(errno.EISDIR)

    def target(self) -> bytes:
        """Return where a symbolic link points."""
        raise error(errno.EINVAL)

    # Extended attributes

    def xattr_names(self) -> list[bytes]:
        """Return the names of its extended attributes."""
        return []

    def xattr(self, name: bytes) -> bytes:
        """Return the value of one."""
        raise error(errno.ENODATA if name.startswith(b"user.") else errno.ENOTSUP)

    async def set_xattr(self, name: bytes, value: bytes) -> None:
        """Set one."""
        raise error(errno.EPERM if name.startswith(b"user.") else errno.ENOTSUP)

    async def remove_xattr(self, name: bytes, caller: Caller) -> None:
        """Remove one."""
        raise error(errno.ENODATA if name.startswith(b"user.") else errno.ENOTSUP)


_shown: Shown | None = None


def show(shown: Shown) -> None:
    """Show owners, permissions and times in the cache as this mount was told to; before anything is shown."""
    global _shown
    _shown = None if shown == Shown() else shown


def known_seconds(seconds: float) -> float:
    """Return how long the kernel may keep what it might keep for *seconds*."""
    return seconds if _shown is None else _shown.seconds(seconds)


def build_attributes(
    number: int,
    mode: int,
    *,
    uid: int,
    gid: int,
    size: int,
    mtime_ns: int,
    ctime_ns: int,
    atime_ns: int | None = None,
    links: int = 1,
    rdev: int = 0,
    attr_seconds: float = KNOWN_SECONDS,
    entry_seconds: float = KNOWN_SECONDS,
) -> EntryAttributes:
    """Return attributes as the kernel wants them."""
    entry = EntryAttributes()
    entry.st_ino = InodeT(number)
    entry.st_mode = mode
    entry.st_nlink = links
    entry.st_uid = uid
    entry.st_gid = gid
    entry.st_rdev = rdev
    entry.st_size = size
    entry.st_blksize = PREFERRED_BYTES
    entry.st_blocks = -(-size // STAT_BLOCK_BYTES)
    entry.st_mtime_ns = mtime_ns
    entry.st_ctime_ns = ctime_ns
    entry.st_atime_ns = mtime_ns if atime_ns is None else atime_ns
    entry.attr_timeout = attr_seconds
    entry.entry_timeout = entry_seconds
    return entry if _shown is None else _shown.apply(entry)


class InodeTable:
    """Every inode that the kernel knows, by number."""

    def __init__(self) -> None:
        self._by_number: dict[int, Inode] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def at(self, number: int) -> Inode:
        """Return the inode with this number.

        Raises:
            FUSEError: ESTALE: the kernel should not know it.
        """
        try:
            return self._by_number[number]
        except KeyError:
            raise error(errno.ESTALE) from None

    def find(self, number: int) -> Inode | None:
        """Return the inode with this number, if the kernel knows it."""
        return self._by_number.get(number)

    def all(self) -> list[Inode]:
        """Return every inode."""
        return list(self._by_number.values())

    def free_number(self, wanted: int) -> int:
        """Return *wanted*, or another number when something else has it."""
        while wanted in self._by_number or wanted < _FIRST_FREE_NUMBER:
            wanted = hash_number(str(wanted))
        return wanted

    def remember(self, inode: Inode) -> EntryAttributes:
        """Note that the kernel is told of *inode* once more, and return its attributes."""
        entry = inode.attributes()
        if inode.lookups == 0 and inode.number not in self._by_number:
            self._by_number[inode.number] = inode
            inode.entered()
        inode.lookups += 1
        return entry

    def forget(self, number: int, lookups: int) -> None:
        """Note that the kernel has let go of an inode so many times."""
        inode = self._by_number.get(number)
        if inode is not None:
            inode.lookups -= lookups
            self.drop_unused(inode)

    def drop_unused(self, inode: Inode) -> None:
        """Let go of *inode* if nobody knows it any more."""
        if inode.lookups <= 0 and inode.handles == 0 and self._by_number.get(inode.number) is inode:
            if inode.number == ROOT_INODE:
                return
            del self._by_number[inode.number]
            inode.left()
