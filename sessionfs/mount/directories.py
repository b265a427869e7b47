"""The directories of a session's live tree: making, removing and renaming what is in them."""

from __future__ import annotations

import errno
import stat
from collections.abc import Sequence

from pyfuse3 import EntryAttributes

from sessionfs.artifacts import Directory, Node
from sessionfs.artifacts.node import format_mode, unusual
from sessionfs.clock import format_time
from sessionfs.mount.artifacts import ArtifactInode, decode_name
from sessionfs.mount.files import ArtifactFile
from sessionfs.mount.handles import Handle
from sessionfs.mount.inodes import KNOWN_SECONDS, UNKNOWN_SECONDS, Caller, Inode, error


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
        mounted = self.mounted
        mounted.check_writable()
        path = self._path_for(name)
        mounted.check_new(path)
        now = format_time(mounted.clock())
        node = Node(
            name=decode_name(name),
            ino=mounted.session.make_ino(),
            permissions=unusual("file", format_mode(stat.S_IMODE(mode))),
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
