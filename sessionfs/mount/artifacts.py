"""The inodes of a session's live tree: what ``artifacts/`` is made of. Files are in ``files``.

A node that has been removed (by us or by another process) hangs nowhere any more. Its inode goes on for those who
have it open, and what they change on it is seen by them and recorded nowhere, as POSIX has it.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyfuse3 import EntryAttributes

from sessionfs.artifacts import Directory, Node, mime
from sessionfs.artifacts.names import MAX_NAME_BYTES, NameTooLong
from sessionfs.artifacts.node import format_mode
from sessionfs.clock import format_time, parse_time
from sessionfs.mount import xattrs
from sessionfs.mount.handles import Handle
from sessionfs.mount.inodes import (
    KNOWN_SECONDS,
    UNKNOWN_SECONDS,
    Caller,
    Inode,
    build_attributes,
    error,
)

if TYPE_CHECKING:
    from sessionfs.mount.files import ArtifactFile
    from sessionfs.mount.mounted import MountedSession

# What a record can say; as ext4 does, times beyond are moved to the nearest.
_FIRST_TIME_NS = parse_time("0001-01-02T00:00:00.000000000Z")
_LAST_TIME_NS = parse_time("9999-12-30T23:59:59.999999999Z")

# They remove every attribute that their source lacks, and fail if one stays. To remove a derived one changes nothing.
_MIRRORING_PROGRAMS = frozenset({"rsync"})


def decode_name(name: bytes) -> str:
    """Return a name as the lower floors know it.

    Raises:
        NameTooLong: More than 255 bytes; the kernel itself would let 1,024 pass.
    """
    if len(name) > MAX_NAME_BYTES:
        raise NameTooLong(f"a name of {len(name)} bytes was given; at most {MAX_NAME_BYTES} are possible")
    return name.decode("utf-8", "surrogateescape")


class ArtifactInode(Inode):
    """A node of the tree."""

    def __init__(self, number: int, mounted: MountedSession, node: Node) -> None:
        super().__init__(number)
        self.mounted = mounted
        self.node = node

    def refresh(self) -> None:
        self.mounted.refresh()

    def entered(self) -> None:
        self.mounted.known[self.node] = self

    def left(self) -> None:
        if self.mounted.known.get(self.node) is self:
            del self.mounted.known[self.node]

    @property
    def path(self) -> str | None:
        """Where it is; None when it has been removed."""
        return self.mounted.path_of(self.node)

    def value(self, field: str) -> Any:
        """Return a field of the node, as it will be when it is next recorded."""
        if field == "shown_mime_type":
            return self.value("mime_type") or mime.guess_by_name(self.node.name) or mime.UNKNOWN
        if field == "shown_type":
            return self.value("type") or mime.guess_type(self.value("shown_mime_type"))
        return getattr(self.node, field)

    # Attributes

    def attributes(self) -> EntryAttributes:
        entry = self.cached
        if entry is None:
            entry = self.cached = self.build()
        return entry

    def build(self) -> EntryAttributes:
        """Return the attributes of the node."""
        node = self.node
        return build_attributes(
            self.number,
            node.mode,
            uid=node.uid,
            gid=node.gid,
            size=node.size,
            mtime_ns=node.mtime_ns,
            ctime_ns=node.ctime_ns,
            atime_ns=node.atime_ns,
            links=self.links,
            rdev=node.rdev,
        )

    @property
    def links(self) -> int:
        """How many names it has."""
        return 0 if self.path is None else 1

    def set_attributes(self, changes: dict[str, Any]) -> None:
        for name in ("mtime_ns", "atime_ns"):
            if name in changes:
                changes[name] = min(max(changes[name], _FIRST_TIME_NS), _LAST_TIME_NS)
        self.change({field: value for field, value in changes.items() if self._differs(field, value)})

    def _differs(self, field: str, value: Any) -> bool:
        known = self.value(field)
        return bool(value != (stat.S_IMODE(known) if field == "mode" else known))

    def change(self, changes: dict[str, Any]) -> None:
        """Record changed fields."""
        self.cached = None
        path = self.path
        if path is None:
            self.change_removed(changes)
        elif changes:
            self.mounted.check_writable()
            self.mounted.session.artifacts.change(path, **changes)

    def change_removed(self, changes: dict[str, Any]) -> None:
        """Change fields of a node that is in no tree any more, and so in no record."""
        for field, value in changes.items():
            setattr(self.node, field, value)
        self.node.ctime_ns = self.mounted.clock()

    # Extended attributes

    def xattr_names(self) -> list[bytes]:
        return xattrs.names(self, is_directory=self.node.is_directory)

    def xattr(self, name: bytes) -> bytes:
        return xattrs.get(self, name)

    def set_xattr(self, name: bytes, value: bytes) -> None:
        self.mounted.check_writable()
        self.change(xattrs.changes_to_set(self, name, value))

    def remove_xattr(self, name: bytes, caller: Caller) -> None:
        self.mounted.check_writable()
        try:
            changes = xattrs.changes_to_remove(self, name)
        except xattrs.DerivedXattr:
            if caller.program not in _MIRRORING_PROGRAMS:
                raise
        else:
            self.change(changes)


class ArtifactSymlink(ArtifactInode):
    """A symbolic link, kept as it was written."""

    def target(self) -> bytes:
        return (self.node.target or "").encode("utf-8", "surrogateescape")

    async def open(self, flags: int, caller: Caller) -> Handle:
        raise error(errno.ELOOP)

    def xattr_names(self) -> list[bytes]:
        return []  # the kernel lets nobody read user.* attributes of links


class ArtifactDirectory(ArtifactInode):
    """A directory.

    ``unrecorded`` counts the files in it that are being written for the first time. Their records will move its
    times, so the kernel may not keep its attributes until then.
    """

    node: Directory
    unrecorded = 0
    missing_seconds = KNOWN_SECONDS

    @property
    def parent_number(self) -> int:  # type: ignore[override]
        parent = self.node.parent
        return self.mounted.root_parent if parent is None else self.mounted.number_of(parent)

    @property
    def links(self) -> int:
        return 0 if self.path is None else 2

    def build(self) -> EntryAttributes:
        entry = super().build()
        if self.unrecorded:
            entry.attr_timeout = UNKNOWN_SECONDS
        return entry

    # Looking

    def names(self) -> Sequence[bytes]:
        return [name.encode("utf-8", "surrogateescape") for name in self.node.entries()]

    def lookup(self, name: bytes) -> ArtifactInode | None:
        node = self.node.entries().get(decode_name(name))
        return None if node is None else self.mounted.inode_of(node)

    def _resolve(self, name: bytes) -> Node:
        node = self.node.entries().get(decode_name(name))
        if node is None:
            raise error(errno.ENOENT)
        return node

    def _path_for(self, name: bytes) -> str:
        """Return the path of something new called *name*."""
        path = self.path
        if path is None:
            raise error(errno.ENOENT)  # the directory itself has been removed
        text = decode_name(name)
        return f"{path}/{text}" if path else text

    # Making

    async def create(self, name: bytes, mode: int, flags: int, caller: Caller) -> tuple[Inode, Handle]:
        file = self._add_file(name, mode, caller)
        return file, await file.open_new(flags, caller)

    async def make_node(self, name: bytes, mode: int, rdev: int, caller: Caller) -> Inode:
        if not stat.S_ISREG(mode):
            raise error(errno.EPERM)
        file = self._add_file(name, mode, caller)
        handle = await file.open_new(0, caller)
        await file.store_version()
        file.closed(handle)
        return file

    def _add_file(self, name: bytes, mode: int, caller: Caller) -> ArtifactFile:
        from sessionfs.mount.files import ArtifactFile

        mounted = self.mounted
        mounted.check_writable()
        path = self._path_for(name)
        mounted.check_new(path)
        now = format_time(mounted.clock())
        node = Node(
            name=decode_name(name),
            ino=mounted.session.make_ino(),
            permissions=format_mode(stat.S_IMODE(mode)),
            uid=caller.uid,
            gid=self._group(caller),
            mtime=now,
            ctime=now,
            created_at=now,
            created_by=mounted.actor_of(caller),
        )
        mounted.session.tree.add_unrecorded(node, self.node)
        self.unrecorded += 1
        self.node.mtime = self.node.ctime = now
        self.cached = None
        file = mounted.inode_of(node)
        assert isinstance(file, ArtifactFile)
        return file

    def make_directory(self, name: bytes, mode: int, caller: Caller) -> Inode:
        self.mounted.check_writable()
        inherited = self.node.mode & stat.S_ISGID
        node = self.mounted.session.artifacts.make_directory(
            self._path_for(name),
            make_parents=False,
            mode=stat.S_IMODE(mode) | inherited,
            uid=caller.uid,
            gid=self._group(caller),
        )
        self.cached = None
        return self.mounted.inode_of(node)

    def make_symlink(self, name: bytes, target: bytes, caller: Caller) -> Inode:
        self.mounted.check_writable()
        node = self.mounted.session.artifacts.make_symlink(
            self._path_for(name),
            target.decode("utf-8", "surrogateescape"),
            make_parents=False,
            uid=caller.uid,
            gid=self._group(caller),
        )
        self.cached = None
        return self.mounted.inode_of(node)

    def _group(self, caller: Caller) -> int:
        return self.node.gid if self.node.mode & stat.S_ISGID else caller.gid

    # Removing

    def remove(self, name: bytes) -> None:
        node = self._resolve(name)
        if node.is_directory:
            raise error(errno.EISDIR)
        self._remove(name, node)

    def remove_directory(self, name: bytes) -> None:
        node = self._resolve(name)
        if not node.is_directory:
            raise error(errno.ENOTDIR)
        self._remove(name, node)

    def _remove(self, name: bytes, node: Node) -> None:
        mounted = self.mounted
        mounted.check_writable()
        if node.id:
            mounted.session.artifacts.delete(self._path_for(name))
        else:
            mounted.session.tree.remove_unrecorded(node)
            self.settled()
        self.cached = None
        mounted.changed(node)

    def settled(self) -> None:
        """One of the files that were being written for the first time is recorded, or gone."""
        self.unrecorded -= 1
        self.cached = None

    # Renaming

    async def rename(self, name: bytes, target: Inode, new_name: bytes, *, replace: bool) -> None:
        if not isinstance(target, ArtifactDirectory) or target.mounted is not self.mounted:
            raise error(errno.EXDEV)
        mounted = self.mounted
        mounted.check_writable()
        node = self._resolve(name)
        if not node.id:
            # Nothing may hang under a new name that a crash would take away with the old name's file.
            await mounted.record(node)
            mounted.refresh()
            if self._resolve(name) is not node:
                raise error(errno.ENOENT)
        self._rename(name, node, target, new_name, replace=replace)

    def _rename(self, name: bytes, node: Node, target: ArtifactDirectory, new_name: bytes, *, replace: bool) -> None:
        mounted = self.mounted
        source_path, target_path = self._path_for(name), target._path_for(new_name)
        replaced = target.node.entries().get(decode_name(new_name))
        if replaced is not None and not replace:
            raise error(errno.EEXIST)
        hidden = replaced is not None and not replaced.id and not node.is_directory
        if replaced is not None and hidden:
            # No record knows it, so to history the name is free.
            mounted.session.tree.remove_unrecorded(replaced)
        try:
            mounted.session.artifacts.rename(source_path, target_path)
        except BaseException:
            if replaced is not None and hidden:
                mounted.session.tree.add_unrecorded(replaced, target.node)
            raise
        if hidden:
            target.settled()
        self.cached = target.cached = None
        mounted.changed(node, replaced)
