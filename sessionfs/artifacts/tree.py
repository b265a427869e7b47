"""The tree of a session: what the ``artifact.*`` records add up to.

The methods ``store update rename delete`` apply one record each; they are called for records that are in the log,
whoever wrote them, and by nobody else. Whether a change is allowed is asked before its record is written, see
:mod:`sessionfs.artifacts.rules`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from msgspec import UNSET

from sessionfs.artifacts import events
from sessionfs.artifacts.directory import Directory, complete, no_entries
from sessionfs.artifacts.linked import LoadTree, Source
from sessionfs.artifacts.names import encode, from_text, split, text_of
from sessionfs.artifacts.node import Entry, Node, entry_of, unusual
from sessionfs.errors import InvalidInput, NotFound
from sessionfs.oid import ObjectId

ROOT_INO = 1


class NoSuchArtifact(NotFound, KeyError):
    """Nothing has this path."""


class NotADirectory(InvalidInput):
    """A file stands where a directory is needed."""

    errno = errno.ENOTDIR


class Applied(NamedTuple):
    """What one record did, for those who cache: the mount invalidates these."""

    node: Node | None  # the node that appeared or changed
    removed: Node | None  # the node that lost a name, was replaced, or changed places with the other
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
            source=Source(load),
            parts=no_entries(),
        )
        return Tree(root)

    @staticmethod
    def restore(
        root: Entry, load: LoadTree, *, linked: ObjectId | None, artifact_count: int, size: int, stored_size: int
    ) -> Tree:
        """Return the tree that a snapshot names; directories are read when they are looked at.

        Args:
            linked: The table of inodes with several names, if there are any.
        """
        source = Source(load, linked)
        node = complete(Node(**{field: getattr(root, field) for field in root.__struct_fields__}), source)
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
                found = node.get(name)
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

    def walk(self, path: str = "") -> Iterator[tuple[str, Node]]:
        """Yield what is below *path*, with its path; sorted, a directory before what it holds. A file yields itself."""
        start = self.resolve(path)
        if not isinstance(start, Directory):
            yield path, start
            return
        for directory, name, node in _places(start):
            above = directory.path
            yield f"{above}/{name}" if above else name, node

    def path_of(self, node: Node) -> str | None:
        """Return a path of *node*; None when it hangs in this tree no more."""
        path = _path_below(self.root, node)
        if path is None and self.root.source.holds(node):
            # Names that are left stand in directories that nobody has read: reading one hangs the node into it.
            for _, _, found in _places(self.root):
                if found is node:
                    return _path_below(self.root, node)
        return path

    # Applying records

    def store(self, data: events.Stored, *, id: str, time: str, actor: str) -> Applied:
        """Apply ``artifact.stored``."""
        directory, name = self._parent(from_text(data.path))
        if data.link is not None:
            return self._link(self.resolve(from_text(data.link)), directory, name, time=time)
        node = directory.get(name)
        if node is None or not node.id or node.kind != data.kind or data.version is not None:
            return self._store_new(data, directory, name, node, id=id, time=time, actor=actor)
        self._count(node, -node.links)
        node.version += 1
        self._set_content(node, data)
        node.id = id
        node.mtime = node.ctime = time
        self._set_attributes(node, data)
        self._count(node, +node.links)
        self._touch(node)
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
        old_directory, old_name = self._parent(from_text(data.path))
        new_directory, new_name = self._parent(from_text(data.to))
        node = self.resolve(from_text(data.path))
        other = new_directory.get(new_name)
        if other is not None and not data.exchange:
            self._remove(new_directory, new_name, time=time)
            if node.is_file and other.is_file:
                node.version = max(node.version, other.version + 1)
        old_directory.take(old_name)
        if other is not None and data.exchange:
            new_directory.take(new_name)
            old_directory.put(old_name, other)
            other.ctime = time
            self._touch(other)
        new_directory.put(new_name, node)
        node.ctime = time
        self._touch(node)
        for directory, name in ((old_directory, old_name), (new_directory, new_name)):
            directory.touch(name)
            self._set_times(directory, time)
        return Applied(node, other, ((old_directory, old_name), (new_directory, new_name)))

    def delete(self, data: events.Deleted, *, time: str) -> Applied:
        """Apply ``artifact.deleted``."""
        directory, name = self._parent(from_text(data.path))
        node = self.resolve(from_text(data.path))
        self._remove(directory, name, time=time)
        self._set_times(directory, time)
        return Applied(None, node, ((directory, name),))

    # Nodes that are being written and are in no record yet (the mount's new files)

    def add_unrecorded(self, node: Node, directory: Directory) -> None:
        """Hang *node*, which has no id, into *directory* by its name; snapshots leave it out."""
        directory.put(node.name, node)

    def remove_unrecorded(self, node: Node) -> None:
        """Take a node that is in no record away."""
        directory = node.parent
        if directory is not None and directory.get(node.name) is node:
            directory.take(node.name)

    # Snapshots

    def write(self, put_tree: Callable[[bytes], ObjectId]) -> tuple[Entry, ObjectId | None]:
        """Write the tree objects of every directory that changed, and the table of linked inodes.

        Directories that did not change keep their objects, so a change costs its own path only.

        Returns:
            The root as an entry, and the name of the table; None when no inode has had several names.
        """
        for directory in reversed(_unwritten(self.root)):
            directory.write(put_tree)
        return entry_of(self.root), self.root.source.write(put_tree)

    def unwritten_count(self) -> int:
        """Return how many entries :meth:`write` would have to write."""
        source = self.root.source
        linked_count = len(source.nodes()) if source.is_changed else 0
        return linked_count + sum(directory.unwritten_count() for directory in _unwritten(self.root))

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
        if data.ino is None:
            raise NoSuchArtifact(f"there is no {data.kind} {data.path!r} of which this could be the next version")
        made = data.created_at or time
        new = Node if data.kind != "directory" else partial(Directory, source=directory.source, parts=no_entries())
        node = new(
            name=name,
            kind=data.kind,
            ino=data.ino,
            mtime=time,
            ctime=time,
            created_at=made,
            created_by=data.created_by or actor,
            id=id,
            version=data.version or 1,
        )
        self._set_content(node, data)
        self._set_attributes(node, data)
        if replaced is not None:
            self._remove(directory, name, time=time)
            if not replaced.id and type(replaced) is type(node):
                # Whoever holds it goes on with the same object, which now is what the record says and nothing else.
                for field in Node.__struct_fields__:
                    setattr(replaced, field, getattr(node, field))
                node, replaced = replaced, None
        directory.put(name, node)
        directory.touch(name)
        if data.created_at is None:
            self._set_times(directory, time)
        elif data.entered is not None:
            directory.mtime = data.entered
            directory.ctime = max(directory.ctime or data.entered, data.entered)
            self._touch(directory)
        self._count(node, +1)
        return Applied(node, replaced, ((directory, name),))

    def _link(self, node: Node, directory: Directory, name: str, *, time: str) -> Applied:
        source = directory.source
        unrecorded = directory.get(name)
        if unrecorded is not None:
            self._remove(directory, name, time=time)
        if not source.holds(node):
            source.add(node)
            self._touch_places(node)
        node.links += 1
        directory.put(name, node)
        directory.touch(name)
        node.ctime = time
        self._touch(node)
        self._set_times(directory, time)
        self._count(node, +1)
        return Applied(node, unrecorded, ((directory, name),))

    def _set_content(self, node: Node, data: events.Stored) -> None:
        node.oid = data.oid
        node.size = data.size
        node.stored_size = data.size if data.stored_size is None else data.stored_size
        node.compression = data.compression or ("none" if data.stored_size is None else "lz4")
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
        if data.ctime is not UNSET:
            node.ctime = data.ctime
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

    def _set_times(self, directory: Directory, time: str) -> None:
        """Note when the entries of *directory* changed."""
        directory.mtime = directory.ctime = time
        self._touch(directory)

    def _touch(self, node: Node) -> None:
        """Note that what is said about *node* changed."""
        if self.root.source.holds(node):
            self.root.source.touch()
        else:
            self._touch_places(node)

    def _touch_places(self, node: Node) -> None:
        if node.parent is not None:
            node.parent.touch(node.name)

    def _remove(self, directory: Directory, name: str, *, time: str) -> None:
        """Take the entry *name* out of *directory* and out of the counts, with everything below it."""
        node = directory.get(name)
        assert node is not None
        below = list(_places(node)) if isinstance(node, Directory) else []
        for above, inner, gone in below:
            self._drop(above, inner, gone, time=time)
        self._drop(directory, name, node, time=time)
        node.ctime = time
        if directory.get(name) is node:
            directory.take(name)
        directory.touch(name)

    def _drop(self, directory: Directory, name: str, node: Node, *, time: str) -> None:
        """Take one name of *node* out of the counts, and away from an inode that has others."""
        if node.id:
            self._count(node, -1)
        source = directory.source
        if source.holds(node):
            directory.take(name)
            node.links -= 1
            node.ctime = time
            source.touch()
            if node.links == 0:
                source.remove(node)

    def _count(self, node: Node, names: int) -> None:
        if not node.is_directory:
            self.artifact_count += names
            self.size += names * node.size
            self.stored_size += names * node.bytes_stored


def _places(directory: Directory) -> Iterator[tuple[Directory, str, Node]]:
    """Yield every name below *directory*: the directory it is in, the name, and the node; sorted, parents first."""
    # A tree may be deeper than Python's stack.
    waiting = [(directory, iter(sorted(directory.entries().items())))]
    while waiting:
        above, entries = waiting[-1]
        for name, node in entries:
            yield above, name, node
            if isinstance(node, Directory):
                waiting.append((node, iter(sorted(node.entries().items()))))
                break
        else:
            waiting.pop()


def _path_below(root: Node, node: Node) -> str | None:
    names: list[str] = []
    at = node
    while at is not root:
        names.append(at.name)
        if at.parent is None:
            return None
        at = at.parent
    return "/".join(reversed(names))


def _unwritten(root: Directory) -> list[Directory]:
    """Return the directories whose tree objects do not say what is so, each before those below it."""
    found = [root] if root.tree is None else []
    for directory in found:
        found += directory.unwritten_directories()
    return found
