"""The tree of a session: what the ``artifact.*`` records add up to.

The methods ``store update rename delete`` apply one record each; they are called for records that are in the log,
whoever wrote them, and by nobody else. Whether a change is allowed is asked before its record is written, with the
``check_*`` methods.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from msgspec import UNSET

from sessionfs.artifacts import events
from sessionfs.artifacts.names import encode, from_text, split, text_of
from sessionfs.artifacts.node import (
    EMPTY_TREE_JSON,
    Directory,
    Entry,
    LoadTree,
    Node,
    entry_of,
    format_tree,
    hang,
    unusual,
)
from sessionfs.errors import Conflict, InvalidInput, NotFound
from sessionfs.oid import ObjectId

ROOT_INO = 1


class NoSuchArtifact(NotFound, KeyError):
    """Nothing has this path."""


class NotADirectory(InvalidInput):
    """A file stands where a directory is needed."""

    errno = errno.ENOTDIR


class IsADirectory(InvalidInput):
    """A directory stands where a file is needed."""

    errno = errno.EISDIR


class ArtifactExists(Conflict):
    """The path is taken."""


class DirectoryNotEmpty(Conflict):
    """The directory has entries."""

    errno = errno.ENOTEMPTY


class IntoItself(InvalidInput):
    """A directory cannot be moved or copied below itself."""


class Applied(NamedTuple):
    """What one record did, for those who cache: the mount invalidates these."""

    node: Node | None  # the node that appeared or changed
    removed: Node | None  # the node that went, or was replaced
    parents: tuple[tuple[Directory, str], ...]  # entries that changed


class Tree:
    """The artifacts of one session at one moment. Not thread-safe: its session holds the lock."""

    def __init__(self, root: Directory) -> None:
        self.root = root
        self.artifact_count = 0  # everything but directories
        self.size = 0  # bytes of content, each artifact counted for itself
        self.stored_size = 0

    @staticmethod
    def empty(load: LoadTree, time: str, created_by: str, *, uid: int = 0, gid: int = 0) -> Tree:
        """Return the tree of a session that has just been created."""
        root = Directory(
            kind="directory",
            ino=ROOT_INO,
            uid=uid,
            gid=gid,
            mtime=time,
            ctime=time,
            created_at=time,
            created_by=created_by,
            stored_size=0,
            load=load,
            loaded={},
        )
        return Tree(root)

    @staticmethod
    def restore(root: Entry, load: LoadTree, *, artifact_count: int, size: int, stored_size: int) -> Tree:
        """Return the tree that a snapshot names; directories are read when they are looked at."""
        node = hang(Node(**{field: getattr(root, field) for field in root.__struct_fields__}), None, load)
        assert isinstance(node, Directory)
        tree = Tree(node)
        tree.artifact_count, tree.size, tree.stored_size = artifact_count, size, stored_size
        return tree

    # Looking

    def find(self, path: str) -> Node | None:
        """Return what is at *path* ("" is the root), or None."""
        node: Node = self.root
        if path:
            for name in path.split("/"):
                if not isinstance(node, Directory):
                    return None
                found = node.entries().get(name)
                if found is None:
                    return None
                node = found
        return node

    def resolve(self, path: str) -> Node:
        """Return what is at *path*.

        Raises:
            NoSuchArtifact: Nothing is.
        """
        node = self.find(path)
        if node is None:
            raise NoSuchArtifact(f"there is no artifact {text_of(path)!r} in this session")
        return node

    def walk(self, path: str = "") -> Iterator[Node]:
        """Yield what is below *path*, sorted, each directory before what it holds; a file yields itself."""
        start = self.resolve(path)
        if not isinstance(start, Directory):
            yield start
            return
        for _, node in sorted(start.entries().items()):
            yield node
            if isinstance(node, Directory):
                yield from self.walk(node.path)

    # Asking before a record is written

    def check_file(self, path: str) -> Node | None:
        """Return the file at *path*, None if there is nothing and its parent may be made.

        Raises:
            IsADirectory: A directory or special file is there.
            NotADirectory: One of its parents is no directory.
        """
        node = self.find(path)
        if node is None:
            self.check_parents(path)
        elif not node.is_file:
            raise IsADirectory(f"{text_of(path)!r} is a {node.kind}, not a file")
        return node

    def check_free(self, path: str) -> None:
        """Check that something new can be made at *path*.

        Raises:
            ArtifactExists: Something is there.
            NotADirectory: One of its parents is no directory.
        """
        node = self.find(path)
        if node is not None:
            raise ArtifactExists(f"there is already a {node.kind} {text_of(path)!r}")
        self.check_parents(path)

    def check_parents(self, path: str) -> None:
        """Check that everything above *path* is a directory or missing."""
        parent, _ = split(path)
        while parent:
            node = self.find(parent)
            if node is not None:
                if not node.is_directory:
                    raise NotADirectory(f"{text_of(parent)!r} is a {node.kind}, so it cannot hold {text_of(path)!r}")
                return
            parent, _ = split(parent)

    def missing_parents(self, path: str) -> list[str]:
        """Return the directories above *path* that do not exist, outermost first."""
        missing: list[str] = []
        parent, _ = split(path)
        while parent and self.find(parent) is None:
            missing.append(parent)
            parent, _ = split(parent)
        return missing[::-1]

    def check_rename(self, source: str, target: str) -> bool:
        """Check that *source* can be renamed to *target*, by the rules of rename(2).

        Returns:
            False if they are the same artifact, so that nothing is to be done.

        Raises:
            NoSuchArtifact: There is no *source*, or no directory for *target*.
            IsADirectory, NotADirectory, DirectoryNotEmpty: What is at *target* cannot be replaced by it.
            IntoItself: *target* is below *source*.
        """
        node = self.resolve(source)
        if target == source:
            return False
        if target.startswith(source + "/"):
            raise IntoItself(f"{text_of(source)!r} cannot be moved below itself, to {text_of(target)!r}")
        self.check_parents(target)
        parent, _ = split(target)
        if self.find(parent) is None:
            raise NoSuchArtifact(f"there is no directory {text_of(parent)!r} to move {text_of(source)!r} to")
        replaced = self.find(target)
        if replaced is None:
            return True
        if isinstance(replaced, Directory):
            if not node.is_directory:
                raise IsADirectory(f"{text_of(target)!r} is a directory; {text_of(source)!r} cannot replace it")
            self.check_empty(replaced)
        elif node.is_directory:
            raise NotADirectory(f"{text_of(target)!r} is a {replaced.kind}; a directory cannot replace it")
        return replaced is not node

    def check_empty(self, directory: Directory) -> None:
        """Check that *directory* has no entries.

        Raises:
            DirectoryNotEmpty: It has.
        """
        if directory.entries():
            raise DirectoryNotEmpty(
                f"the directory {text_of(directory.path)!r} is not empty: it has {len(directory.entries())} entries"
            )

    # Applying records

    def store(self, data: events.Stored, *, id: str, time: str, actor: str) -> Applied:
        """Apply ``artifact.stored``."""
        path = from_text(data.path)
        directory, name = self._parent(path)
        node = directory.entries().get(name)
        if node is None or not node.id or node.kind != data.kind:
            return self._store_new(data, directory, name, node, id=id, time=time, actor=actor)
        self._count(node, -1)
        node.version += 1
        self._set_content(node, data)
        node.id = id
        node.mtime = node.ctime = time
        self._set_attributes(node, data)
        self._count(node, +1)
        directory.touch()
        return Applied(node, None, ())

    def update(self, data: events.Updated, *, time: str) -> Applied:
        """Apply ``artifact.updated``."""
        node = self.resolve(from_text(data.path))
        node.ctime = time
        self._set_attributes(node, data)
        self._touch(node)
        return Applied(node, None, ())

    def rename(self, data: events.Renamed, *, time: str) -> Applied:
        """Apply ``artifact.renamed``.

        The path's history goes on: what replaces a file continues the numbers of its versions.
        """
        source, target = from_text(data.path), from_text(data.to)
        node = self.resolve(source)
        old_directory, old_name = self._parent(source)
        new_directory, new_name = self._parent(target)
        replaced = new_directory.entries().get(new_name)
        if replaced is not None:
            self._remove(replaced)
            if node.is_file and replaced.is_file:
                node.version = max(node.version, replaced.version + 1)
        del old_directory.entries()[old_name]
        old_directory.touch()
        node.parent, node.name = new_directory, new_name
        new_directory.entries()[new_name] = node
        new_directory.touch()
        node.ctime = time
        for directory in (old_directory, new_directory):
            directory.mtime = directory.ctime = time
            self._touch(directory)
        return Applied(node, replaced, ((old_directory, old_name), (new_directory, new_name)))

    def delete(self, data: events.Deleted, *, time: str) -> Applied:
        """Apply ``artifact.deleted``."""
        path = from_text(data.path)
        node = self.resolve(path)
        directory, name = self._parent(path)
        self._remove(node)
        directory.mtime = directory.ctime = time
        self._touch(directory)
        return Applied(None, node, ((directory, name),))

    # Nodes that are being written and are in no record yet (the mount's new files)

    def add_unrecorded(self, node: Node, directory: Directory) -> None:
        """Hang *node*, which has no id, into *directory*; snapshots leave it out."""
        node.parent = directory
        directory.entries()[node.name] = node

    def move_unrecorded(self, node: Node, directory: Directory, name: str) -> None:
        """Rename a node that is in no record; the entry must be free."""
        self.remove_unrecorded(node)
        node.name = name
        self.add_unrecorded(node, directory)

    def remove_unrecorded(self, node: Node) -> None:
        """Take a node that is in no record away."""
        if node.parent is not None and node.parent.entries().get(node.name) is node:
            del node.parent.entries()[node.name]
        node.parent = None

    # Snapshots

    def write(self, put_tree: Callable[[bytes], ObjectId]) -> Entry:
        """Write the tree objects of every directory that changed, and return the root as an entry.

        Directories that did not change keep their objects, so a change costs its own path only.
        """
        self._write(self.root, put_tree)
        return entry_of(self.root)

    def _write(self, directory: Directory, put_tree: Callable[[bytes], ObjectId]) -> None:
        if directory.tree is not None:
            return
        nodes = [node for node in directory.entries().values() if node.id or node.is_directory]
        for node in nodes:
            if isinstance(node, Directory):
                self._write(node, put_tree)
        directory.tree = put_tree(format_tree(nodes) if nodes else EMPTY_TREE_JSON)

    # Inside

    def _parent(self, path: str) -> tuple[Directory, str]:
        parent, name = split(path)
        directory = self.resolve(parent)
        if not isinstance(directory, Directory):
            raise NotADirectory(f"{text_of(parent)!r} is no directory")
        return directory, name

    def _store_new(
        self,
        data: events.Stored,
        directory: Directory,
        name: str,
        replaced: Node | None,
        *,
        id: str,
        time: str,
        actor: str,
    ) -> Applied:
        unrecorded = replaced if replaced is not None and not replaced.id else None
        if replaced is not None:
            self._remove(replaced)
        assert data.ino is not None
        new = Node if data.kind != "directory" else partial(Directory, load=directory.load, loaded={})
        node = new(
            name=name,
            parent=directory,
            kind=data.kind,
            ino=data.ino,
            mtime=time,
            ctime=time,
            created_at=time,
            created_by=data.created_by or actor,
            id=id,
        )
        self._set_content(node, data)
        self._set_attributes(node, data)
        if unrecorded is not None and type(unrecorded) is type(node):
            # Whoever holds it goes on with the same object, which now is what the record says and nothing else.
            for field in Node.__struct_fields__:
                setattr(unrecorded, field, getattr(node, field))
            node, replaced = unrecorded, None
        directory.entries()[name] = node
        directory.mtime = directory.ctime = time
        directory.touch()
        self._touch(directory)
        self._count(node, +1)
        return Applied(node, replaced, ((directory, name),))

    def _set_content(self, node: Node, data: events.Stored) -> None:
        node.oid = data.oid
        node.size = data.size
        node.stored_size = data.size if data.stored_size is None else data.stored_size
        node.compression = "none" if data.stored_size is None else "lz4"
        node.rdev = data.rdev
        if data.target is not None:
            node.target = from_text(data.target)
            node.size = node.stored_size = len(encode(node.target))

    def _set_attributes(self, node: Node, data: events.Attributes) -> None:
        if data.mode is not UNSET:
            node.permissions = unusual(node.kind, data.mode)
        if data.uid is not UNSET:
            node.uid = data.uid
        if data.gid is not UNSET:
            node.gid = data.gid
        if data.mtime is not UNSET:
            node.mtime = data.mtime
        if data.atime is not UNSET:
            node.atime = data.atime
        if data.type is not UNSET:
            node.type = data.type
        if data.mime_type is not UNSET:
            node.mime_type = data.mime_type
        if data.description is not UNSET:
            node.description = data.description
        if data.tags is not UNSET:
            node.tags = data.tags
        if data.metadata is not UNSET:
            node.metadata = data.metadata or None
        if data.xattrs is not UNSET:
            node.xattrs = data.xattrs or None
        if data.origin is not UNSET:
            node.origin = data.origin

    def _touch(self, node: Node) -> None:
        """Note that *node*'s own entry changed."""
        if node.parent is not None:
            node.parent.touch()

    def _remove(self, node: Node) -> None:
        """Take *node* out of its directory and out of the counts, with everything below it."""
        below = [node, *self.walk(node.path)] if isinstance(node, Directory) else [node]
        for gone in below:
            if gone.id:
                self._count(gone, -1)
        directory = node.parent
        assert directory is not None
        del directory.entries()[node.name]
        directory.touch()
        node.parent = None

    def _count(self, node: Node, sign: int) -> None:
        if not node.is_directory:
            self.artifact_count += sign
            self.size += sign * node.size
            self.stored_size += sign * node.bytes_stored
