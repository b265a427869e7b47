"""The inodes of a session's tree, in memory and as entries of tree objects.

A tree object is canonical JSON (sorted keys, no spaces)::

    {"entries":[{"name":"report.txt","kind":"file","ino":…,"mode":"0644","uid":0,"gid":0,"oid":"…","size":9,
      "id":"<session>:<seq>","version":1,"mtime":"…","ctime":"…","created_at":"…","created_by":"uid:0",…},
      {"name":"data","kind":"directory","tree":"<oid>",…}]}

sorted by name. What has its usual value is left out.
"""

from __future__ import annotations

import base64
import stat
from collections.abc import Callable
from typing import Any

import msgspec

from sessionfs.artifacts import mime
from sessionfs.artifacts.names import from_text, text_of
from sessionfs.clock import format_time, parse_time
from sessionfs.errors import Corrupt, InvalidInput
from sessionfs.oid import ObjectId

KINDS = {
    "file": stat.S_IFREG,
    "directory": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
    "character_device": stat.S_IFCHR,
    "block_device": stat.S_IFBLK,
}
_KIND_OF_FORMAT = {format_bits: kind for kind, format_bits in KINDS.items()}

DEFAULT_PERMISSIONS = {"file": 0o644, "directory": 0o755, "symlink": 0o777}

EMPTY_TREE_JSON = b'{"entries":[]}'

LoadTree = Callable[[ObjectId], bytes]


class DamagedTree(Corrupt):
    """A tree object is not what a tree is."""


class Node(msgspec.Struct, eq=False, kw_only=True):
    """One inode: a file, symlink or special file; :class:`Directory` has more.

    ``parent`` and ``name`` say where it hangs; ``parent`` is None for the root and for what has been removed.
    """

    name: str
    parent: Directory | None = None
    ino: int
    mode: int  # st_mode, with the file type
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    atime_ns: int | None = None  # only when somebody set it
    created_ns: int = 0
    created_by: str = ""
    id: str = ""  # "<session>:<seq>" of the record that stored this version; "" while it is only being written
    version: int = 1
    oid: ObjectId | None = None
    size: int = 0  # bytes of content; of the target for a symlink
    stored_size: int = 0
    compression: str = "none"
    type: str | None = None  # as set by somebody
    mime_type: str | None = None  # as set by somebody, or found in the content when the name says nothing
    description: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    xattrs: dict[str, bytes] | None = None  # what JSON metadata cannot hold, by text form of the name
    origin: str | None = None  # id of the artifact this one was made from
    target: str | None = None  # of a symlink, in memory form
    rdev: int = 0

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return _KIND_OF_FORMAT[stat.S_IFMT(self.mode)]

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return False

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def path(self) -> str:
        """Where it is, from the session's root; "" for the root itself."""
        names = [self.name]
        above = self.parent
        while above is not None and above.parent is not None:
            names.append(above.name)
            above = above.parent
        return "/".join(reversed(names))

    @property
    def shown_mime_type(self) -> str:
        """The mime type: as set, or from the name."""
        return self.mime_type or mime.guess_by_name(self.name) or mime.UNKNOWN

    @property
    def shown_type(self) -> str:
        """The type: as set, or what goes with the mime type."""
        return self.type or mime.guess_type(self.shown_mime_type)


class Directory(Node, eq=False, kw_only=True):
    """A directory, whose entries are read from its tree object when somebody first looks.

    ``tree`` names the object; None means that something in or below it has changed since.
    """

    tree: ObjectId | None = None
    load: LoadTree
    loaded: dict[str, Node] | None = None

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return True

    def entries(self) -> dict[str, Node]:
        """Return what is in it, by name. Only the tree changes this mapping.

        Raises:
            DamagedTree, NoSuchObject: Its tree object cannot be read.
        """
        if self.loaded is None:
            assert self.tree is not None
            self.loaded = {node.name: node for node in parse_tree(self.load(self.tree), self)}
        return self.loaded

    def touch(self) -> None:
        """Note that its tree object, and those above, no longer say what is so."""
        directory: Directory | None = self
        while directory is not None and directory.tree is not None:
            directory.entries()  # while the object is still known by name
            directory.tree = None
            directory = directory.parent


class Entry(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """A node as JSON, in a tree object and in a snapshot (the root)."""

    name: str = ""
    kind: str = "file"
    ino: int
    mode: str | None = None
    uid: int = 0
    gid: int = 0
    oid: ObjectId | None = None
    tree: ObjectId | None = None
    size: int = 0
    stored_size: int | None = None
    compression: str = "none"
    id: str = ""
    version: int = 1
    mtime: str
    ctime: str | None = None
    atime: str | None = None
    created_at: str | None = None
    created_by: str = ""
    type: str | None = None
    mime_type: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    xattrs: dict[str, str] | None = None
    origin: str | None = None
    target: str | None = None
    rdev: int = 0


class TreeObject(msgspec.Struct):
    """The content of a tree object."""

    entries: list[Entry]


_decoder = msgspec.json.Decoder(TreeObject)
_encoder = msgspec.json.Encoder(order="sorted")


def parse_tree(data: bytes, parent: Directory) -> list[Node]:
    """Return the nodes in a tree object, hung below *parent*.

    Raises:
        DamagedTree: It is no tree object.
    """
    try:
        return [node_of(entry, parent, parent.load) for entry in decode_tree(data).entries]
    except (msgspec.MsgspecError, InvalidInput, KeyError, ValueError) as failure:
        raise DamagedTree(f"the tree of {parent.path or 'the root'} cannot be read: {failure}") from failure


def decode_tree(data: bytes) -> TreeObject:
    """Return the entries of a tree object as they stand there."""
    return _decoder.decode(data)


def format_tree(nodes: list[Node]) -> bytes:
    """Return the canonical JSON for a directory that holds *nodes*."""
    return _encoder.encode(TreeObject([entry_of(node) for node in sorted(nodes, key=_name)]))


def entry_of(node: Node) -> Entry:
    """Return *node* as JSON has it."""
    kind = node.kind
    permissions = stat.S_IMODE(node.mode)
    mtime = format_time(node.mtime_ns)
    return Entry(
        name=text_of(node.name),
        kind=kind,
        ino=node.ino,
        mode=None if permissions == DEFAULT_PERMISSIONS.get(kind) else format_mode(permissions),
        uid=node.uid,
        gid=node.gid,
        oid=node.oid,
        tree=node.tree if isinstance(node, Directory) else None,
        size=node.size,
        stored_size=None if node.stored_size == node.size else node.stored_size,
        compression=node.compression,
        id=node.id,
        version=node.version,
        mtime=mtime,
        ctime=None if node.ctime_ns == node.mtime_ns else format_time(node.ctime_ns),
        atime=None if node.atime_ns is None else format_time(node.atime_ns),
        created_at=None if node.created_ns == node.mtime_ns else format_time(node.created_ns),
        created_by=node.created_by,
        type=node.type,
        mime_type=node.mime_type,
        description=node.description,
        tags=node.tags,
        metadata=node.metadata,
        xattrs=encode_xattrs(node.xattrs),
        origin=node.origin,
        target=None if node.target is None else text_of(node.target),
        rdev=node.rdev,
    )


def node_of(entry: Entry, parent: Directory | None, load: LoadTree) -> Node:
    """Return the node that *entry* describes."""
    mtime_ns = parse_time(entry.mtime)
    permissions = DEFAULT_PERMISSIONS.get(entry.kind, 0o600) if entry.mode is None else int(entry.mode, 8)
    fields: dict[str, Any] = dict(  # noqa: C408
        name=from_text(entry.name),
        parent=parent,
        ino=entry.ino,
        mode=KINDS[entry.kind] | permissions,
        uid=entry.uid,
        gid=entry.gid,
        mtime_ns=mtime_ns,
        ctime_ns=mtime_ns if entry.ctime is None else parse_time(entry.ctime),
        atime_ns=None if entry.atime is None else parse_time(entry.atime),
        created_ns=mtime_ns if entry.created_at is None else parse_time(entry.created_at),
        created_by=entry.created_by,
        id=entry.id,
        version=entry.version,
        size=entry.size,
        stored_size=entry.size if entry.stored_size is None else entry.stored_size,
        compression=entry.compression,
        type=entry.type,
        mime_type=entry.mime_type,
        description=entry.description,
        tags=entry.tags,
        metadata=entry.metadata,
        xattrs=decode_xattrs(entry.xattrs),
        origin=entry.origin,
    )
    if entry.kind == "directory":
        return Directory(**fields, tree=entry.tree, load=load)
    target = None if entry.target is None else from_text(entry.target)
    return Node(**fields, oid=entry.oid, target=target, rdev=entry.rdev)


def format_mode(permissions: int) -> str:
    """Return permission bits as four octal digits."""
    return f"{permissions:04o}"


def encode_xattrs(xattrs: dict[str, bytes] | None) -> dict[str, str] | None:
    """Return raw xattrs as JSON has them: values in base64."""
    return {name: base64.b64encode(value).decode() for name, value in xattrs.items()} if xattrs else None


def decode_xattrs(xattrs: dict[str, str] | None) -> dict[str, bytes] | None:
    """Return the bytes of :func:`encode_xattrs`."""
    return {name: base64.b64decode(value, validate=True) for name, value in xattrs.items()} if xattrs else None


def _name(node: Node) -> str:
    return node.name
