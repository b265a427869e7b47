"""The inodes of a session's tree, in memory and as entries of tree objects (:mod:`sessionfs.artifacts.tree_object`).

Times and modes stay the texts they are on disk until somebody asks for numbers.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import msgspec

from sessionfs.artifacts import mime
from sessionfs.artifacts.names import text_of
from sessionfs.clock import format_time, parse_time
from sessionfs.oid import ObjectId

if TYPE_CHECKING:
    from sessionfs.artifacts.directory import Directory

KINDS = {
    "file": stat.S_IFREG,
    "directory": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
    "character_device": stat.S_IFCHR,
    "block_device": stat.S_IFBLK,
}

SPECIAL_KINDS = ("fifo", "socket", "character_device", "block_device")

USUAL_MODES = {"file": "0644", "directory": "0755", "symlink": "0777"}
OTHER_MODE = "0600"


class Entry(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A node as JSON, in a tree object and in a snapshot (the root).

    Names and targets are in text form here. ``stored_size``, ``ctime`` and ``created_at`` are left out when they are
    as ``size`` and ``mtime``, ``permissions`` when they are usual for the kind.
    """

    name: str = ""
    kind: str = "file"
    ino: int
    permissions: str | None = msgspec.field(name="mode", default=None)  # octal
    uid: int = 0
    gid: int = 0
    oid: ObjectId | None = None
    tree: ObjectId | None = None
    size: int = 0  # bytes of content; of the target for a symlink
    stored_size: int | None = None
    compression: str = "none"
    id: str = ""
    version: int = 1
    mtime: str = ""
    ctime: str | None = None
    atime: str | None = None  # only when somebody set it
    created_at: str | None = None
    created_by: str = ""
    type: str | None = None  # as set by somebody
    mime_type: str | None = None  # as set by somebody, or found in the content when the name says nothing
    description: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    xattrs: dict[str, bytes] | None = None  # what JSON metadata cannot hold, by text form of the name; base64 in JSON
    origin: str | None = None  # id of the artifact this one was made from
    target: str | None = None  # of a symlink
    rdev: int = 0
    links: int = 1  # how many names it has
    linked: bool = False  # this is only a name: the rest stands in the table of linked inodes


class Node(Entry, eq=False, kw_only=True):
    """One inode: a file, symlink or special file; :class:`Directory` has more.

    In memory names and targets are as ``os.fsdecode`` gives them, and no field is left out. ``id`` is
    ``<session>:<seq>`` of the record that stored this version, "" while the node is only being written. ``parent`` and
    ``name`` say where it hangs; ``parent`` is None for the root and for what has been removed. One with several names
    has more such ``places``, as far as the directories that hold them have been read.
    """

    parent: Any = None  # Directory | None, which msgspec would want to decode; never in JSON
    others: Any = None  # list[tuple[Directory, str]] | None: its places but the first; never in JSON

    @property
    def mode(self) -> int:
        """As in ``st_mode``: the file type, and the permission bits."""
        key = (self.kind, self.permissions)
        mode = _modes.get(key)
        if mode is None:
            permissions = self.permissions or USUAL_MODES.get(self.kind, OTHER_MODE)
            mode = KINDS[self.kind] | int(permissions, 8)
            _modes[key] = mode
        return mode

    @mode.setter
    def mode(self, mode: int) -> None:
        self.permissions = unusual(self.kind, format_mode(stat.S_IMODE(mode)))

    @property
    def mtime_ns(self) -> int:
        """When the content changed last."""
        return parse_time(self.mtime)

    @mtime_ns.setter
    def mtime_ns(self, time_ns: int) -> None:
        self.mtime = format_time(time_ns)

    @property
    def ctime_ns(self) -> int:
        """When anything about it changed last."""
        return parse_time(self.ctime or self.mtime)

    @ctime_ns.setter
    def ctime_ns(self, time_ns: int) -> None:
        self.ctime = format_time(time_ns)

    @property
    def atime_ns(self) -> int | None:
        """When it was read last, as far as somebody said so."""
        return None if self.atime is None else parse_time(self.atime)

    @atime_ns.setter
    def atime_ns(self, time_ns: int | None) -> None:
        self.atime = None if time_ns is None else format_time(time_ns)

    @property
    def created_ns(self) -> int:
        """When it was stored first."""
        return parse_time(self.created_at or self.mtime)

    @property
    def bytes_stored(self) -> int:
        """How many bytes its object takes."""
        return self.size if self.stored_size is None else self.stored_size

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return False

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.kind == "file"

    @property
    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return self.kind == "symlink"

    @property
    def path(self) -> str:
        """Where it is, from the session's root; "" for the root itself."""
        names = [self.name]
        above = self.parent
        while above is not None and above.parent is not None:
            names.append(above.name)
            above = above.parent
        return "/".join(reversed(names))

    def hang_at(self, directory: Directory, name: str) -> None:
        """Note that *name* in *directory* is this inode."""
        if self.parent is None:
            self.parent, self.name = directory, name
        else:
            self.others = [*(self.others or ()), (directory, name)]

    def take_from(self, directory: Directory, name: str) -> None:
        """Note that *name* in *directory* is this inode no more."""
        if self.parent is directory and self.name == name:
            self.parent, self.name = self.others.pop() if self.others else (None, name)
        elif self.others:
            self.others.remove((directory, name))

    @property
    def shown_mime_type(self) -> str:
        """The mime type: as set, or from the name."""
        return self.mime_type or mime.guess_by_name(self.name) or mime.UNKNOWN

    @property
    def shown_type(self) -> str:
        """The type: as set, or what goes with the mime type."""
        return self.type or mime.guess_type(self.shown_mime_type)


_ENTRY_FIELDS = Entry.__struct_fields__

_modes: dict[tuple[str, str | None], int] = {}


def entry_of(node: Node) -> Entry:
    """Return *node* as JSON has it."""
    entry = Entry(**{field: getattr(node, field) for field in _ENTRY_FIELDS})
    entry.name = text_of(node.name)
    if node.target is not None:
        entry.target = text_of(node.target)
    if node.ctime == node.mtime:
        entry.ctime = None
    if node.created_at == node.mtime:
        entry.created_at = None
    if node.stored_size == node.size:
        entry.stored_size = None
    return entry


def pointer_to(name: str, node: Node) -> Entry:
    """Return the entry for one of the names of a linked *node*."""
    return Entry(name=text_of(name), kind=node.kind, ino=node.ino, linked=True)


def unusual(kind: str, permissions: str) -> str | None:
    """Return *permissions* as a node of *kind* keeps them: None when they are the usual ones."""
    return None if permissions == USUAL_MODES.get(kind, OTHER_MODE) else permissions


def format_mode(permissions: int) -> str:
    """Return permission bits as four octal digits."""
    return f"{permissions:04o}"
