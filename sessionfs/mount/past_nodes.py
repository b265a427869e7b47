"""The inodes of a session's tree at one moment."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyfuse3 import EntryAttributes

from sessionfs.artifacts import Directory, Node, NoSuchArtifact
from sessionfs.log import Position
from sessionfs.mount.artifacts import decode_name
from sessionfs.mount.handles import BytesHandle, Handle
from sessionfs.mount.inodes import (
    KNOWN_SECONDS,
    NUMBER_BITS,
    Caller,
    Inode,
    InodeTable,
    build_attributes,
    error,
    hash_number,
)
from sessionfs.mount.namespace import virtual_number
from sessionfs.mount.read_only import ContentHandle, ReadOnly, check_reads_only, note_retrieved
from sessionfs.store import xattrs
from sessionfs.travel import View, view_at

if TYPE_CHECKING:
    from sessionfs.mount.mounted import MountedSession

# Beside the live nodes, which have neither, and virtual inodes, which have the bit before.
_PAST_BIT = 1 << (NUMBER_BITS + 1)


class Moment:
    """One moment of a session, as one directory of the mount shows it."""

    def __init__(self, mounted: MountedSession, position: Position, path: str, inodes: InodeTable) -> None:
        """Prepare it.

        Args:
            path: Of the moment's directory, its chain included.
        """
        self.mounted = mounted
        self.position = position
        self.path = path
        self.inodes = inodes
        self._salt = hash_number(f"past/{path}")

    def view(self) -> View:
        """Return the session as it was; opened again, if that had to be forgotten."""
        return view_at(self.mounted.session, self.position)

    def resolve(self, path: str) -> Node:
        """Return the node at *path*."""
        view = self.view()
        with view.lock:
            return view.tree.resolve(path)

    def inode_at(self, path: str) -> Inode:
        """Return the inode of what is at *path*, which is there."""
        return self.inode_of(self.resolve(path), path)

    def inode_of(self, node: Node, path: str) -> Inode:
        """Return the inode of *node*: the one that the kernel knows, by whichever of its names, or a new one."""
        number = self._salt ^ node.ino | _PAST_BIT
        known = self.inodes.find(number)
        if isinstance(known, PastNode) and known.moment.path == self.path and known.ino == node.ino:
            return known
        return _kind_of(node)(self.inodes.free_number(number), self, node.ino, path)


class PastNode(ReadOnly):
    """A node of the tree at one moment: special files, and what all have in common."""

    def __init__(self, number: int, moment: Moment, ino: int, path: str) -> None:
        super().__init__(number)
        self.moment = moment
        self.ino = ino
        self.path = path

    @property
    def node(self) -> Node:
        """What it is a node of."""
        try:
            return self.moment.resolve(self.path)
        except NoSuchArtifact:
            raise error(errno.ESTALE) from None

    def value(self, field: str) -> Any:
        """Return a field of the node, for its extended attributes."""
        return getattr(self.node, field)

    def attributes(self) -> EntryAttributes:
        node = self.node
        return build_attributes(
            self.number,
            node.mode,
            uid=node.uid,
            gid=node.gid,
            size=node.size,
            mtime_ns=node.mtime_ns,
            ctime_ns=node.ctime_ns,
            atime_ns=node.created_ns if node.atime_ns is None else node.atime_ns,
            links=self.links(node),
            rdev=node.rdev,
        )

    def links(self, node: Node) -> int:
        """How many names it had."""
        return node.links

    def xattr_names(self) -> list[bytes]:
        return []  # the kernel lets nobody read user.* attributes of links and special files

    def xattr(self, name: bytes) -> bytes:
        return xattrs.get(self, name)


class PastFile(PastNode):
    """A regular file."""

    def xattr_names(self) -> list[bytes]:
        return xattrs.names(self, is_directory=False)

    async def open(self, flags: int, caller: Caller) -> Handle:
        check_reads_only(flags)
        node, mounted = self.node, self.moment.mounted
        await note_retrieved(mounted, self.path, node.id, caller)
        if node.oid is None:
            return BytesHandle(self, b"")
        return ContentHandle(self, mounted.store.objects, node.oid)


class PastSymlink(PastNode):
    """A symbolic link, kept as it was written."""

    def target(self) -> bytes:
        return (self.node.target or "").encode("utf-8", "surrogateescape")

    async def open(self, flags: int, caller: Caller) -> Handle:
        raise error(errno.ELOOP)


class PastDirectory(PastNode):
    """A directory."""

    missing_seconds = KNOWN_SECONDS

    @property
    def parent_number(self) -> int:  # type: ignore[override]
        if not self.path:
            return virtual_number(self.moment.path)
        return self.moment.inode_at(self.path.rpartition("/")[0]).number

    def xattr_names(self) -> list[bytes]:
        return xattrs.names(self, is_directory=True)

    def links(self, node: Node) -> int:
        with self.moment.view().lock:
            return 2 + _directory(node).directory_count()

    def names(self) -> Sequence[bytes]:
        with self.moment.view().lock:
            return [name.encode("utf-8", "surrogateescape") for name in _directory(self.node).entries()]

    def lookup(self, name: bytes) -> Inode | None:
        text = decode_name(name)
        with self.moment.view().lock:
            node = _directory(self.node).get(text)
        return None if node is None else self.moment.inode_of(node, f"{self.path}/{text}" if self.path else text)


def _directory(node: Node) -> Directory:
    if not isinstance(node, Directory):
        raise error(errno.ESTALE)
    return node


def _kind_of(node: Node) -> type[PastNode]:
    if node.is_directory:
        return PastDirectory
    if node.is_symlink:
        return PastSymlink
    return PastFile if node.is_file else PastNode
