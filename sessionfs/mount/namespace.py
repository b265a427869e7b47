"""The virtual part of the tree: everything but ``artifacts/``. What a session's directory holds is one table.

    /sessions/<id>/{artifacts,state,events,session.json,status,checkpoints,at,versions,parent,children}
    /by-name /by-tag/<tag> /by-status/<status> /by-date/<yyyy-mm-dd>      symlinks to sessions
    /objects/<oid>                                                        found by name, not listed
    /find/<query>/                                                        links to artifacts; see ``find``

A virtual inode has a path, from which its number comes. It is made anew at each look-up unless the kernel knows it.
The kernel keeps neither its attributes nor the names in it, which change with every record and are cheap to ask for -
except for what stands on the way to ``artifacts/``: it checks each directory of a path, each time.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyfuse3 import EntryAttributes

from sessionfs.errors import InvalidInput
from sessionfs.mount.handles import BytesHandle, Handle
from sessionfs.mount.inodes import (
    KNOWN_SECONDS,
    NUMBER_BITS,
    UNKNOWN_SECONDS,
    Caller,
    Inode,
    build_attributes,
    error,
    hash_number,
)
from sessionfs.objects import NoSuchObject
from sessionfs.oid import ObjectId, is_oid
from sessionfs.sessions import Created, check_id
from sessionfs.store import proposals
from sessionfs.store.session import Session

if TYPE_CHECKING:
    from sessionfs.mount.view import View

READ_ONLY_DIRECTORY = stat.S_IFDIR | 0o555
WRITABLE_DIRECTORY = stat.S_IFDIR | 0o755
READ_ONLY_FILE = stat.S_IFREG | 0o444
WRITABLE_FILE = stat.S_IFREG | 0o644
LINK = stat.S_IFLNK | 0o777

IMMUTABLE_NS = 0


class Virtual(Inode):
    """An inode that is no node of a tree."""

    mode = READ_ONLY_FILE
    attr_seconds = UNKNOWN_SECONDS
    entry_seconds = UNKNOWN_SECONDS

    def __init__(self, view: View, path: str) -> None:
        super().__init__(view.number_for(path))
        self.view = view
        self.path = path

    def attributes(self) -> EntryAttributes:
        changed_ns = self.changed_ns()
        return build_attributes(
            self.number,
            self.mode,
            uid=self.view.uid,
            gid=self.view.gid,
            size=self.size(),
            mtime_ns=changed_ns,
            ctime_ns=changed_ns,
            links=2 if stat.S_ISDIR(self.mode) else 1,
            attr_seconds=self.attr_seconds,
            entry_seconds=self.entry_seconds,
        )

    def set_attributes(self, changes: dict[str, object], caller: Caller) -> None:
        # The times of what can be written are set by many tools after writing; they are the records' own.
        if "mode" in changes or "uid" in changes or "gid" in changes or not self.mode & stat.S_IWUSR:
            raise error(errno.EPERM)

    def changed_ns(self) -> int:
        """When it changed last."""
        return self.view.started_ns

    def size(self) -> int:
        """Its length in bytes."""
        return 0


class Folder(Virtual):
    """A virtual directory."""

    mode = READ_ONLY_DIRECTORY

    def child(self, name: str, kind: Callable[[View, str], Virtual]) -> Inode:
        """Return the inode called *name* in here: the one that the kernel knows, or a new one."""
        path = f"{self.path}/{name}" if self.path else name
        return self.view.virtual(path, kind)

    @property
    def parent_number(self) -> int:  # type: ignore[override]
        return self.view.number_of(self.path.rpartition("/")[0])


class Link(Virtual):
    """A symbolic link whose target stays the same as long as its path."""

    mode = LINK

    def __init__(self, view: View, path: str, target: str) -> None:
        super().__init__(view, path)
        self._target = target.encode("utf-8", "surrogateescape")

    def target(self) -> bytes:
        return self._target

    def size(self) -> int:
        return len(self._target)


def link_to(target: str) -> Callable[[View, str], Virtual]:
    """Return what makes a link to *target*."""
    return lambda view, path: Link(view, path, target)


# The root


class Root(Folder):
    """The root of the mount."""

    attr_seconds = KNOWN_SECONDS
    entry_seconds = KNOWN_SECONDS

    def names(self) -> Sequence[bytes]:
        return [name.encode() for name in self.view.root_entries]

    def lookup(self, name: bytes) -> Inode | None:
        kind = self.view.root_entries.get(os.fsdecode(name))
        return None if kind is None else self.child(os.fsdecode(name), kind)

    def xattr_names(self) -> list[bytes]:
        return list(self._xattrs())

    def xattr(self, name: bytes) -> bytes:
        if name in self.view.told:
            return self.view.told[name]()
        found = self._xattrs().get(name)
        return super().xattr(name) if found is None else found

    def _xattrs(self) -> dict[bytes, bytes]:
        return {
            b"user.sessionfs.store": os.fsencode(self.view.store.path),
            b"user.sessionfs.pid": str(os.getpid()).encode(),
        }


class ByKey(Folder):
    """``by-tag``, ``by-status``, ``by-date``: a directory for each value, with links to its sessions."""

    def names(self) -> Sequence[bytes]:
        return [key.encode() for key in self.view.overview.keys(self.path)]

    def lookup(self, name: bytes) -> Inode | None:
        key = os.fsdecode(name)
        return self.child(key, OfKey) if key in self.view.overview.keys(self.path) else None


class OfKey(Folder):
    """``by-tag/<tag>`` and its like."""

    def names(self) -> Sequence[bytes]:
        return [session_id.encode() for session_id in self._sessions()]

    def lookup(self, name: bytes) -> Inode | None:
        session_id = os.fsdecode(name)
        if session_id not in self._sessions():
            return None
        return self.child(session_id, link_to(f"../../sessions/{session_id}"))

    def _sessions(self) -> list[str]:
        folder, _, key = self.path.partition("/")
        return self.view.overview.sessions(folder, key)


class ByName(Folder):
    """``by-name``: a link for each session that has a name."""

    def names(self) -> Sequence[bytes]:
        return [name.encode() for name in self.view.overview.names()]

    def lookup(self, name: bytes) -> Inode | None:
        session_id = self.view.overview.names().get(os.fsdecode(name))
        if session_id is None:
            return None
        # The same name may come to mean another session, so the target is part of the path.
        path = f"{self.path}/{os.fsdecode(name)}\0{session_id}"
        return self.view.virtual(path, link_to(f"../sessions/{session_id}"))


# Objects


class Objects(Folder):
    """``objects``: found by name; listing a million of them helps nobody."""

    def names(self) -> Sequence[bytes]:
        return []

    def lookup(self, name: bytes) -> Inode | None:
        oid = os.fsdecode(name)
        if not is_oid(oid) or not self.view.store.objects.exists(ObjectId(oid)):
            return None
        return self.child(oid, ObjectContent)


class ObjectContent(Virtual):
    """``objects/<oid>``: never changes."""

    attr_seconds = KNOWN_SECONDS
    entry_seconds = KNOWN_SECONDS

    def __init__(self, view: View, path: str) -> None:
        super().__init__(view, path)
        self._oid = ObjectId(path.rpartition("/")[2])
        self._size: int | None = None

    def size(self) -> int:
        if self._size is None:
            self._size = self.view.store.objects.size(self._oid)
        return self._size

    def changed_ns(self) -> int:
        return IMMUTABLE_NS

    async def open(self, flags: int, caller: Caller) -> Handle:
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise error(errno.EROFS)
        objects = self.view.store.objects
        kind = objects.kind(self._oid)
        if kind != "blob":
            return BytesHandle(self, objects.read_json(kind, self._oid))
        return ObjectHandle(self, self._oid)


class ObjectHandle(Handle):
    """An open blob."""

    def __init__(self, inode: ObjectContent, oid: ObjectId) -> None:
        super().__init__(inode)
        try:
            self._reader = inode.view.store.objects.open(oid)
        except NoSuchObject:
            raise error(errno.ENOENT) from None

    async def read(self, offset: int, length: int) -> bytes:
        return self._reader.pread(length, offset)

    async def release(self) -> None:
        self._reader.close()


# Sessions


class Sessions(Folder):
    """``sessions``: ``mkdir`` makes one, ``rmdir`` deletes one that has no artifacts."""

    mode = WRITABLE_DIRECTORY
    attr_seconds = KNOWN_SECONDS
    entry_seconds = KNOWN_SECONDS

    def changed_ns(self) -> int:
        return os.stat(self.view.store.layout.sessions).st_mtime_ns

    def names(self) -> Sequence[bytes]:
        return [session_id.encode() for session_id in self.view.session_ids()]

    def lookup(self, name: bytes) -> Inode | None:
        try:
            return self.view.session_directory(os.fsdecode(name))
        except InvalidInput:
            return None  # no session can be called so

    async def make_directory(self, name: bytes, mode: int, caller: Caller) -> Inode:
        if self.view.only is not None:
            raise error(errno.EPERM)
        session_id = check_id(os.fsdecode(name))
        with await self.view.hooks.ask(
            None, "session.create", lambda: proposals.of_new_session(Created(id=session_id))
        ):
            self.view.store.create_session(session_id=session_id, uid=caller.uid, gid=caller.gid)
        made = self.lookup(name)
        if made is None:
            raise error(errno.ENOENT)
        return made

    async def remove_directory(self, name: bytes) -> None:
        if self.lookup(name) is None:
            raise error(errno.ENOENT)
        if self.view.only is not None:
            raise error(errno.EPERM)
        mounted = self.view.mounted(os.fsdecode(name))
        _check_without_artifacts(mounted.session)
        with await mounted.ask("session.delete", lambda: proposals.of_session(mounted.session)):
            _check_without_artifacts(mounted.session)
            self.view.store.delete_session(mounted.session.id)
        self.view.forget_session(mounted.session.id)


def _check_without_artifacts(session: Session) -> None:
    if session.tree.root.entry_count():
        raise error(errno.ENOTEMPTY)


def virtual_number(path: str) -> int:
    """Return the number that the virtual inode at *path* has, if nothing else has it."""
    return 1 if path == "" else hash_number(path) | 1 << NUMBER_BITS
