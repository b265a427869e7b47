"""Directories in memory: what is in them is read from their tree objects when somebody first looks, part by part."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from sessionfs.artifacts.names import from_text, text_of
from sessionfs.artifacts.node import KINDS, Node, entry_of, pointer_to
from sessionfs.artifacts.tree_object import (
    MAX_UNDIVIDED,
    DamagedTree,
    ListedPart,
    begins_part,
    decode_tree,
    format_parts,
    format_tree,
)
from sessionfs.oid import ObjectId

if TYPE_CHECKING:
    from sessionfs.artifacts.linked import Source


class Part:
    """Some of a directory's entries: those from the name ``first`` on, up to the next part's."""

    __slots__ = ("directory_count", "entry_count", "first", "nodes", "tree")

    def __init__(
        self,
        first: str,
        tree: ObjectId | None,
        nodes: dict[str, Node] | None,
        entry_count: int = 0,
        directory_count: int = 0,
    ) -> None:
        """Take what is known of it.

        Args:
            tree: Its tree object; None when something in or below it has changed since.
            nodes: By name; None while they have not been read.
            entry_count, directory_count: How many the object has, of all entries and of directories.
        """
        self.first = first
        self.tree = tree
        self.nodes = nodes
        self.entry_count = entry_count
        self.directory_count = directory_count


def no_entries() -> list[Part]:
    """Return what a new directory holds."""
    return [Part("", None, {})]


class Directory(Node, eq=False, kw_only=True):
    """A directory. Small ones have one part, which is all of it.

    ``tree`` names its tree object; None means that something in or below it has changed since.
    """

    source: Any  # Source
    parts: Any = None  # list[Part]; None while nobody has looked
    firsts: Any = None  # list[str]: where they begin
    directories: int = 0  # how many of its entries are directories, once somebody has looked

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return True

    # Looking

    def get(self, name: str) -> Node | None:
        """Return what is called *name* in it, or None.

        Raises:
            DamagedTree, NoSuchObject: Its tree object cannot be read.
        """
        return self._nodes(self._part_of(name)).get(name)

    def entries(self) -> dict[str, Node]:
        """Return all that is in it, by name; changed by :meth:`put` and :meth:`take` alone.

        Raises:
            DamagedTree, NoSuchObject: As :meth:`get`.
        """
        parts = self._opened()
        if len(parts) == 1:
            return self._nodes(parts[0])
        merged: dict[str, Node] = {}
        for part in parts:
            merged.update(self._nodes(part))
        return merged

    def entry_count(self) -> int:
        """Return how many entries it has."""
        return sum(part.entry_count if part.nodes is None else len(part.nodes) for part in self._opened())

    def directory_count(self) -> int:
        """Return how many of its entries are directories."""
        self._opened()
        return self.directories

    # Changing

    def put(self, name: str, node: Node) -> None:
        """Hang *node* in it; the name must be free."""
        self._nodes(self._part_of(name))[name] = node
        self.directories += node.is_directory
        node.hang_at(self, name)

    def take(self, name: str) -> Node:
        """Take the entry *name* out and return what it was."""
        node = self._nodes(self._part_of(name)).pop(name)
        self.directories -= node.is_directory
        node.take_from(self, name)
        return node

    def touch(self, name: str) -> None:
        """Note that the tree objects that have the entry *name*, or are above it, no longer say what is so."""
        directory: Directory | None = self
        while directory is not None:
            part = directory._part_of(name)
            if part.tree is None:
                return
            directory._nodes(part)  # while the object is still known by name
            part.tree = directory.tree = None
            directory, name = directory.parent, directory.name

    # Tree objects

    def unwritten_count(self) -> int:
        """Return how many entries :meth:`write` would have to write; a part's line counts as half of one."""
        parts = self._opened()
        changed = sum(len(self._nodes(part)) for part in parts if part.tree is None)
        return changed + (len(parts) // 2 if len(parts) > 1 else 0)

    def unwritten_directories(self) -> list[Directory]:
        """Return the directories in it whose tree objects do not say what is so."""
        changed = (self._nodes(part).values() for part in self._opened() if part.tree is None)
        return [node for nodes in changed for node in nodes if isinstance(node, Directory) and node.tree is None]

    def write(self, put_tree: Callable[[bytes], ObjectId]) -> None:
        """Write the tree objects of the parts that changed, and its own. What is in no record is left out."""
        parts = self._divided()
        for part in parts:
            if part.tree is None:
                nodes = [(name, node) for name, node in sorted(self._nodes(part).items()) if node.id]
                holds = self.source.holds
                part.tree = put_tree(
                    format_tree([pointer_to(name, node) if holds(node) else entry_of(node) for name, node in nodes])
                )
                part.entry_count = len(nodes)
                part.directory_count = sum(node.is_directory for _, node in nodes)
        self._set_parts(parts)
        self.tree = parts[0].tree if len(parts) == 1 else put_tree(format_parts([_listed(part) for part in parts]))

    def _divided(self) -> list[Part]:
        """Return its parts as they must be written: where they begin follows from the names that are recorded."""
        parts = self._opened()
        recorded_count = sum(
            part.entry_count if part.tree is not None else sum(1 for node in self._nodes(part).values() if node.id)
            for part in parts
        )
        if recorded_count <= MAX_UNDIVIDED:
            return parts if len(parts) == 1 else [Part("", None, self.entries())]
        divided: list[Part] = []
        for part in parts:
            if part.tree is not None:
                divided.append(part)
                continue
            for name, node in sorted(self._nodes(part).items()):
                if not divided or (node.id and begins_part(name)):
                    divided.append(Part(name, None, {}))
                elif divided[-1].tree is not None:  # the name that began this part has gone: the one before goes on
                    divided[-1] = Part(divided[-1].first, None, dict(self._nodes(divided[-1])))
                self._nodes(divided[-1])[name] = node
        divided[0].first = ""
        return divided

    # Inside

    def _opened(self) -> list[Part]:
        parts: list[Part] | None = self.parts
        if parts is None:
            parts = self._read_parts()
            self.directories = sum(part.directory_count for part in parts)
            self._set_parts(parts)
        return parts

    def _set_parts(self, parts: list[Part]) -> None:
        self.parts = parts
        self.firsts = [part.first for part in parts] if len(parts) > 1 else None

    def _part_of(self, name: str) -> Part:
        parts = self._opened()
        return parts[0] if self.firsts is None else parts[bisect_right(self.firsts, name) - 1]

    def _nodes(self, part: Part) -> dict[str, Node]:
        if part.nodes is None:
            assert part.tree is not None
            read = self._decoded(part.tree)
            if read.parts:
                raise self._damaged("a part of it is in parts")
            part.nodes = self._hung(read.entries)
        return part.nodes

    def _read_parts(self) -> list[Part]:
        assert self.tree is not None
        read = self._decoded(self.tree)
        if not read.parts:
            nodes = self._hung(read.entries)
            return [Part("", self.tree, nodes, len(nodes), sum(node.is_directory for node in nodes.values()))]
        parts = [Part(from_text(part.first), part.tree, None, part.entries, part.directories) for part in read.parts]
        firsts = [part.first for part in parts]
        if firsts[0] != "" or firsts != sorted(set(firsts)):
            raise self._damaged("its parts are not in order")
        return parts

    def _decoded(self, tree: ObjectId) -> Any:
        try:
            return decode_tree(self.source.load(tree))
        except (msgspec.MsgspecError, ValueError) as failure:
            raise self._damaged(str(failure)) from failure

    def _hung(self, read: list[Node]) -> dict[str, Node]:
        """Return decoded nodes by name, hung below this directory."""
        source = self.source
        entries: dict[str, Node] = {}
        try:
            for entry in read:
                node = source.resolve(entry.ino) if entry.linked else complete(entry, source)
                name = from_text(entry.name) if "\\" in entry.name else entry.name
                node.hang_at(self, name)
                entries[name] = node
        except ValueError as failure:
            raise self._damaged(str(failure)) from failure
        return entries

    def _damaged(self, why: str) -> DamagedTree:
        return DamagedTree(f"the tree of {self.path or 'the root'} cannot be read: {why}")


def differing(old: Directory, new: Directory) -> Iterator[tuple[Node | None, Node | None, str]]:
    """Yield what may differ between two directories: what each has by a name, and that.

    Parts that both have as the same object are not read.
    """
    shared = {part.tree for part in old._opened()} & {part.tree for part in new._opened()} - {None}
    before, after = (
        {name: node for part in one._opened() if part.tree not in shared for name, node in one._nodes(part).items()}
        for one in (old, new)
    )
    for name in before.keys() | after.keys():
        yield before.get(name), after.get(name), name


def complete(node: Node, source: Source) -> Node:
    """Turn a decoded *node* into one that is used in memory; it hangs nowhere yet.

    Raises:
        ValueError: It is of an unknown kind.
    """
    if node.target is not None:
        node.target = from_text(node.target)
    if node.ctime is None:
        node.ctime = node.mtime
    if node.created_at is None:
        node.created_at = node.mtime
    if node.stored_size is None:
        node.stored_size = node.size
    if node.kind == "directory":
        fields = {field: getattr(node, field) for field in Node.__struct_fields__}
        return Directory(**fields, source=source)
    if node.kind not in KINDS:
        raise ValueError(f"{node.name!r} is of the unknown kind {node.kind!r}")
    return node


def _listed(part: Part) -> ListedPart:
    assert part.tree is not None
    return ListedPart(text_of(part.first), part.tree, part.entry_count, part.directory_count)
