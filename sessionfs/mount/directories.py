"""The directories of a session's live tree: making, linking, removing and renaming what is in them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from pyfuse3 import EntryAttributes

from sessionfs.artifacts import Directory, Node, text_of
from sessionfs.artifacts.node import KINDS, SPECIAL_KINDS, format_mode, unusual
from sessionfs.clock import format_time
from sessionfs.mount.artifacts import ArtifactInode, decode_name
from sessionfs.mount.files import ArtifactFile
from sessionfs.mount.handles import Handle
from sessionfs.mount.inodes import KNOWN_SECONDS, Caller, Inode, error
from sessionfs.store import proposals

_SPECIAL_KIND_OF = {KINDS[kind]: kind for kind in SPECIAL_KINDS}


class ArtifactDirectory(ArtifactInode):
    """A directory.

    A file that is created in it moves its times at once, and is recorded only when it is closed. That record says the
    moment too, unless somebody has set the directory's times since.
    """

    node: Directory
    missing_seconds = KNOWN_SECONDS

    @property
    def parent_number(self) -> int:  # type: ignore[override]
        parent = self.node.parent
        return self.mounted.root_parent if parent is None else self.mounted.number_of(parent)

    @property
    def links(self) -> int:
        return 0 if self.path is None else 2 + self.node.directory_count()

    def build(self) -> EntryAttributes:
        entry = super().build()
        entered_ns = self.entered_ns
        if entered_ns is not None:
            entry.st_mtime_ns = entered_ns
            entry.st_ctime_ns = max(entry.st_ctime_ns, entered_ns)
        return entry

    @property
    def entered_ns(self) -> int | None:
        """When a file last came or went in it that is in no record; None if its times were moved otherwise since."""
        entered_ns, mtime = self.came
        return entered_ns if mtime == self.node.mtime else None

    def _enter(self) -> int:
        """Note that a file that is in no record came or went, and return the time."""
        now_ns = self.mounted.clock()
        self.came = (now_ns, self.node.mtime)
        self.moved()
        return now_ns

    def moved(self) -> None:
        """Note that its times moved, and perhaps its count of directories: the kernel asks after each such change."""
        entry = self.cached
        if entry is None:
            return
        entered_ns = self.entered_ns
        entry.st_mtime_ns = self.node.mtime_ns if entered_ns is None else entered_ns
        entry.st_ctime_ns = max(self.node.ctime_ns, self.touched_ns, entered_ns or 0)
        entry.st_nlink = 2 + self.node.directory_count()

    # Looking

    def names(self) -> Sequence[bytes]:
        return [name.encode("utf-8", "surrogateescape") for name in self.node.entries()]

    def lookup(self, name: bytes) -> ArtifactInode | None:
        node = self.node.get(decode_name(name))
        return None if node is None else self.mounted.inode_of(node)

    def _resolve(self, name: bytes) -> Node:
        node = self.node.get(decode_name(name))
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
        if not flags & os.O_EXCL and self.node.get(decode_name(name)) is not None:
            raise error(errno.ESTALE)  # another process made it: the kernel looks it up, and opens it
        file = self._add_file(name, mode, caller)
        return file, await file.open_new(flags, caller)

    async def make_node(self, name: bytes, mode: int, rdev: int, caller: Caller) -> Inode:
        if not stat.S_ISREG(mode):
            return await self._make_special(name, mode, rdev, caller)
        file = self._add_file(name, mode, caller)
        handle = await file.open_new(0, caller)
        try:
            await file.store_version(keeps_name=True)
        except BaseException:
            file.give_up()
            raise
        finally:
            file.closed(handle)
        return file

    def _add_file(self, name: bytes, mode: int, caller: Caller) -> ArtifactFile:
        mounted = self.mounted
        mounted.check_writable()
        text = decode_name(name)
        if self.path is None:
            raise error(errno.ENOENT)  # it has been removed
        if self.node.get(text) is not None:
            raise error(errno.EEXIST)
        now = format_time(self._enter())
        node = Node(
            name=text,
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
        file = mounted.inode_of(node)
        assert isinstance(file, ArtifactFile)
        return file

    async def _make_special(self, name: bytes, mode: int, rdev: int, caller: Caller) -> Inode:
        self.mounted.check_writable()
        kind = _SPECIAL_KIND_OF[stat.S_IFMT(mode)]
        with await self._ask_to_make(name, kind), self.mounted.changing():
            node = self.mounted.session.artifacts.make_special(
                self._path_for(name),
                kind,
                rdev=rdev,
                make_parents=False,
                mode=stat.S_IMODE(mode),
                uid=caller.uid,
                gid=self._group(caller),
            )
        self.moved()
        return self.mounted.inode_of(node)

    async def make_directory(self, name: bytes, mode: int, caller: Caller) -> Inode:
        self.mounted.check_writable()
        inherited = self.node.mode & stat.S_ISGID
        with await self._ask_to_make(name, "directory"), self.mounted.changing():
            node = self.mounted.session.artifacts.make_directory(
                self._path_for(name),
                make_parents=False,
                mode=stat.S_IMODE(mode) | inherited,
                uid=caller.uid,
                gid=self._group(caller),
            )
        self.moved()
        return self.mounted.inode_of(node)

    async def make_symlink(self, name: bytes, target: bytes, caller: Caller) -> Inode:
        self.mounted.check_writable()
        text = target.decode("utf-8", "surrogateescape")
        with await self._ask_to_make(name, "symlink", target=text_of(text)), self.mounted.changing():
            node = self.mounted.session.artifacts.make_symlink(
                self._path_for(name),
                text,
                make_parents=False,
                uid=caller.uid,
                gid=self._group(caller),
            )
        self.moved()
        return self.mounted.inode_of(node)

    async def _ask_to_make(self, name: bytes, kind: str, **fields: Any) -> AbstractContextManager[object]:
        session, path = self.mounted.session, self._path_for(name)
        return await self.mounted.ask(
            "artifact.store", lambda: proposals.of_new(session, path, kind, fields), keeps_name=True
        )

    def _group(self, caller: Caller) -> int:
        return self.node.gid if self.node.mode & stat.S_ISGID else caller.gid

    async def link(self, inode: Inode, name: bytes) -> Inode:
        if not isinstance(inode, ArtifactInode) or inode.mounted is not self.mounted:
            raise error(errno.EXDEV)
        mounted = self.mounted
        mounted.check_writable()
        await mounted.record(inode.node)
        source, target = _present(inode.path), self._path_for(name)
        asked = await mounted.ask(
            "artifact.store", lambda: proposals.of_link(mounted.session, source, target), keeps_name=True
        )
        with asked, mounted.changing():
            node = mounted.session.artifacts.link(_present(inode.path), self._path_for(name))
        mounted.changed(node)
        inode.cached = None
        self.moved()
        return mounted.inode_of(node)  # those who have an older version open have another inode

    # Removing

    async def remove(self, name: bytes) -> None:
        node = self._resolve(name)
        if node.is_directory:
            raise error(errno.EISDIR)
        await self._remove(name, node)

    async def remove_directory(self, name: bytes) -> None:
        node = self._resolve(name)
        if not node.is_directory:
            raise error(errno.ENOTDIR)
        await self._remove(name, node)

    async def _remove(self, name: bytes, node: Node) -> None:
        mounted = self.mounted
        mounted.check_writable()
        if node.id:
            session, path = mounted.session, self._path_for(name)
            asked = await mounted.ask("artifact.delete", lambda: proposals.of_deletion(session, path))
            with asked, mounted.changing():
                self._check_still(name, node)
                session.artifacts.delete(self._path_for(name))
            self.moved()
        else:
            mounted.session.tree.remove_unrecorded(node)
            mounted.touch(node)
            self._enter()
        mounted.changed(node)

    # Renaming

    async def rename(self, name: bytes, target: Inode, new_name: bytes, *, replace: bool) -> None:
        target = self._same_session(target)
        node = await self._recorded(name)
        if not replace and target.node.get(decode_name(new_name)) is not None:
            raise error(errno.EEXIST)
        with await self._ask_to_rename(name, target, new_name), self.mounted.changing():
            self._check_still(name, node)
            self._rename(name, node, target, new_name, replace=replace)

    def _rename(self, name: bytes, node: Node, target: ArtifactDirectory, new_name: bytes, *, replace: bool) -> None:
        source_path, target_path = self._path_for(name), target._path_for(new_name)
        replaced = target.node.get(decode_name(new_name))
        if replaced is not None and not replace:
            raise error(errno.EEXIST)
        mounted = self.mounted
        hidden = replaced if replaced is not None and not replaced.id and not node.is_directory else None
        if hidden is not None:
            # No record knows it, so to history the name is free.
            mounted.session.tree.remove_unrecorded(hidden)
        try:
            mounted.session.artifacts.rename(source_path, target_path)
        except BaseException:
            if hidden is not None:
                mounted.session.tree.add_unrecorded(hidden, target.node)
            raise
        if hidden is not None:
            mounted.touch(hidden)
        self.moved()
        target.moved()
        mounted.changed(node, replaced)

    async def exchange(self, name: bytes, target: Inode, other_name: bytes) -> None:
        target = self._same_session(target)
        await self._recorded(name)
        other = await target._recorded(other_name)
        node = self._resolve(name)
        with await self._ask_to_rename(name, target, other_name, exchange=True), self.mounted.changing():
            self._check_still(name, node)
            target._check_still(other_name, other)
            self.mounted.session.artifacts.exchange(self._path_for(name), target._path_for(other_name))
        self.moved()
        target.moved()
        self.mounted.changed(node, other)

    async def _ask_to_rename(
        self, name: bytes, target: ArtifactDirectory, new_name: bytes, *, exchange: bool = False
    ) -> AbstractContextManager[object]:
        session, source_path, target_path = self.mounted.session, self._path_for(name), target._path_for(new_name)
        return await self.mounted.ask(
            "artifact.rename", lambda: proposals.of_rename(session, source_path, target_path, exchange=exchange)
        )

    def _check_still(self, name: bytes, node: Node) -> None:
        """Check, after waiting, that *name* is what it was; else the kernel looks it up anew, and asks again."""
        if self._resolve(name) is not node:
            raise error(errno.ESTALE)

    def _same_session(self, target: Inode) -> ArtifactDirectory:
        if not isinstance(target, ArtifactDirectory) or target.mounted is not self.mounted:
            raise error(errno.EXDEV)
        self.mounted.check_writable()
        return target

    async def _recorded(self, name: bytes) -> Node:
        """Return what *name* is, after recording it.

        Nothing may hang under a new name that a crash would take away with the old name's file.
        """
        node = self._resolve(name)
        if not node.id:
            await self.mounted.record(node)
            self.mounted.refresh()
            if self._resolve(name) is not node:
                raise error(errno.ENOENT)
        return node


def _present(path: str | None) -> str:
    """Return the path of what has to be there."""
    if path is None:
        raise error(errno.ENOENT)
    return path
