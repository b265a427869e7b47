"""The inodes of a session's live tree: what all of them share. Files are in ``files``, directories in ``directories``.

A node that has been removed (by us or by another process) hangs nowhere any more. Its inode goes on for those who
have it open, and what they change on it is seen by them and recorded nowhere, as POSIX has it.

When something was read last (atime) is kept by the rule of ``relatime``, in memory, and ends with the mount: a record
for each reading would be a record for nothing. An atime that somebody sets is recorded. So is every change, with the
ctime that it moves; only who sets times to what they are moves ctime in memory alone. Times that are in no record
stay when the kernel lets go of an inode (:mod:`sessionfs.mount.times`).
"""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING, Any

from pyfuse3 import EntryAttributes

from sessionfs.artifacts import Node, mime
from sessionfs.artifacts.names import MAX_NAME_BYTES, NameTooLong
from sessionfs.clock import NS_PER_SECOND, parse_time
from sessionfs.mount.handles import Handle
from sessionfs.mount.inodes import (
    Caller,
    Inode,
    build_attributes,
    error,
)
from sessionfs.mount.times import NEVER, Came
from sessionfs.store import xattrs

if TYPE_CHECKING:
    from sessionfs.mount.mounted import MountedSession

# What a record can say; as ext4 does, times beyond are moved to the nearest.
_FIRST_TIME_NS = parse_time("0001-01-02T00:00:00.000000000Z")
_LAST_TIME_NS = parse_time("9999-12-30T23:59:59.999999999Z")

_TIMES = frozenset({"mtime_ns", "atime_ns"})

# relatime: a reading moves atime when that was not after the last change, or a day has passed.
_ATIME_AGE_NS = 24 * 3600 * NS_PER_SECOND

_SET_ID = stat.S_ISUID | stat.S_ISGID

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

    came: Came = NEVER  # of a directory

    def __init__(self, number: int, mounted: MountedSession, node: Node) -> None:
        super().__init__(number)
        self.mounted = mounted
        self.node = node
        self.touched_ns = 0  # a ctime later than the recorded one
        self.read_ns: int | None = None  # the atime, when a reading moved it

    def refresh(self) -> None:
        self.mounted.refresh()

    def is_doubtful(self, name: bytes | None = None) -> bool:
        return self.mounted.is_doubtful(self, name)

    def entered(self) -> None:
        self.mounted.known[self.node] = self
        self.mounted.unrecorded_times.drop(self.node)

    def left(self) -> None:
        if self.mounted.known.get(self.node) is self:
            del self.mounted.known[self.node]
            self.mounted.unrecorded_times.keep(self)

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
            ctime_ns=max(node.ctime_ns, self.touched_ns),
            atime_ns=self.atime_ns,
            links=self.links,
            rdev=node.rdev,
        )

    @property
    def atime_ns(self) -> int:
        """When it was read last, as far as anybody noted."""
        if self.read_ns is not None:
            return self.read_ns
        known: int | None = self.value("atime_ns")
        return self.node.created_ns if known is None else known

    def accessed(self) -> None:
        entry = self.attributes()
        known_ns, now_ns = entry.st_atime_ns, self.mounted.clock()
        if known_ns <= entry.st_mtime_ns or known_ns <= entry.st_ctime_ns or now_ns - known_ns > _ATIME_AGE_NS:
            self.read_ns = now_ns
            self.cached = None

    @property
    def links(self) -> int:
        """How many names it has."""
        return 0 if self.path is None else self.node.links

    def set_attributes(self, changes: dict[str, Any], caller: Caller) -> None:
        for name in ("mtime_ns", "atime_ns"):
            if name in changes:
                changes[name] = min(max(changes[name], _FIRST_TIME_NS), _LAST_TIME_NS)
        if not changes or "uid" in changes or "gid" in changes:
            set_id = self.without_set_id(caller)
            if set_id and caller.uid not in (0, self.value("uid")) and not self.is_being_written:
                raise error(errno.EPERM)  # chown(-1, -1), which the kernel lets pass
            changes = {**set_id, **changes}
        if "atime_ns" in changes:
            self.read_ns = None
        if "mtime_ns" in changes:
            self.came = NEVER
        if changes:
            self.change(changes)
        else:
            self.mounted.check_writable()
            self.record_touch()

    @property
    def is_being_written(self) -> bool:
        """Whether somebody has it open for writing."""
        return False

    @property
    def is_unsaved(self) -> bool:
        """Whether somebody wrote to it what is in no record yet."""
        return False

    @property
    def entered_ns(self) -> int | None:
        """Of a directory: when a file was made in it that is in no record yet."""
        return None

    def touch(self) -> None:
        """Move its ctime, for a change that is in no record, or not yet."""
        self.touched_ns = self.mounted.clock()
        self.cached = None

    def record_touch(self) -> None:
        """Move its ctime, for a change of nothing else."""
        if self.path is None:
            self.touch()
        else:
            self.change({"ctime_ns": self.mounted.clock()})

    def without_set_id(self, caller: Caller) -> dict[str, Any]:
        """Return which fields change when *caller* has written to it, or changed its owner.

        We told the kernel that we do this (HANDLE_KILLPRIV_V2), which spares a request at each write.

        Source:
            Linux, setattr_should_drop_suidgid: set-group-id without execution by the group stays for the group.
        """
        mode = self.value("mode")
        if not mode & _SET_ID or stat.S_ISDIR(mode):
            return {}
        keeps_group = not mode & stat.S_IXGRP and caller.is_in_group(self.value("gid"))
        gone = stat.S_ISUID if keeps_group else _SET_ID
        return {"mode": stat.S_IMODE(mode) & ~gone} if mode & gone else {}

    def change(self, changes: dict[str, Any]) -> None:
        """Record changed fields; times that are so already only move ctime, in no record."""
        self.cached = None
        if self.path is None:
            self.change_removed(changes)
        elif changes:
            self.mounted.check_writable()
            if all(name in _TIMES and getattr(self.node, name) == value for name, value in changes.items()):
                self.touch()  # rsync -X sets the times of every file and directory, also of unchanged ones
            else:
                self._record_change(changes)

    def _record_change(self, changes: dict[str, Any]) -> None:
        with self.mounted.changing():
            path = self.path
            if path is None:
                self.change_removed(changes)
            else:
                self.mounted.session.artifacts.change(path, **changes)

    def change_removed(self, changes: dict[str, Any]) -> None:
        """Change fields of a node that is in no tree any more, and so in no record."""
        for field, value in changes.items():
            setattr(self.node, field, value)
        if changes:
            self.node.ctime_ns = self.mounted.clock()

    # Extended attributes

    def xattr_names(self) -> list[bytes]:
        if not self.node.is_file and not self.node.is_directory:
            return []  # the kernel lets nobody read user.* attributes of links and special files
        return xattrs.names(self, is_directory=self.node.is_directory)

    def xattr(self, name: bytes) -> bytes:
        return xattrs.get(self, name)

    async def set_xattr(self, name: bytes, value: bytes) -> None:
        self.mounted.check_writable()
        with self.mounted.changing():  # what is set is all metadata, with those of others
            self.change(xattrs.changes_to_set(self, name, value))

    async def remove_xattr(self, name: bytes, caller: Caller) -> None:
        self.mounted.check_writable()
        with self.mounted.changing():
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
