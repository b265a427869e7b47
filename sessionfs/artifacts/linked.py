"""Inodes with several names (hard links), and where the directories of a tree are read from.

What is said about an inode - its content, mode, times - is said once. While it has one name, that name's entry says
it. From its second name on, it stands in a table of its session, and all its names are entries that only point there:
a change through one name is a change of all, in directories that nobody has read too. It stays in the table until its
last name is gone.

The table is a tree object like any other, its names the inode numbers; a snapshot names it.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sessionfs.artifacts.directory import complete
from sessionfs.artifacts.node import Node, entry_of
from sessionfs.artifacts.tree_object import DamagedTree, decode_tree, format_tree
from sessionfs.oid import ObjectId

LoadTree = Callable[[ObjectId], bytes]


class Source:
    """What the directories of one tree share: how tree objects are read, and the linked inodes."""

    def __init__(self, load: LoadTree, table: ObjectId | None = None) -> None:
        """Begin with the table of linked inodes that a snapshot names; None for an empty one."""
        self.load = load
        self._table = table  # None also when it has changed since it was written
        self._nodes: dict[int, Node] | None = {} if table is None else None

    def nodes(self) -> dict[int, Node]:
        """Return the linked inodes by number.

        Raises:
            DamagedTree, NoSuchObject: The table cannot be read.
        """
        if self._nodes is None:
            assert self._table is not None
            try:
                read = decode_tree(self.load(self._table)).entries
                self._nodes = {node.ino: complete(node, self) for node in read}
            except (msgspec.MsgspecError, ValueError) as failure:
                raise DamagedTree(f"the table of linked artifacts cannot be read: {failure}") from failure
        return self._nodes

    def resolve(self, ino: int) -> Node:
        """Return the linked inode *ino*.

        Raises:
            DamagedTree: There is none.
        """
        node = self.nodes().get(ino)
        if node is None:
            raise DamagedTree(f"inode {ino} has several names, and is not in the table of linked artifacts")
        return node

    def holds(self, node: Node) -> bool:
        """Say whether *node* stands in the table. Reads nothing: a linked node is only known once the table is."""
        return bool(self._nodes) and self._nodes is not None and self._nodes.get(node.ino) is node

    @property
    def is_changed(self) -> bool:
        """Whether the table has to be written."""
        return self._table is None and bool(self._nodes)

    def is_same_table(self, other: Source) -> bool:
        """Say whether both tables are known to be the same without reading them: one object, or both empty."""
        if self._table is not None or other._table is not None:
            return self._table == other._table
        return not self._nodes and not other._nodes

    def touch(self) -> None:
        """Note that the table object no longer says what is so."""
        self.nodes()
        self._table = None

    def add(self, node: Node) -> None:
        """Put *node* into the table."""
        self.nodes()[node.ino] = node
        self.touch()

    def remove(self, node: Node) -> None:
        """Take *node*, whose last name is gone, out of the table."""
        del self.nodes()[node.ino]
        self.touch()

    def write(self, put_tree: Callable[[bytes], ObjectId]) -> ObjectId | None:
        """Write the table if it changed, and return its name; None while it is empty."""
        if self.is_changed:
            entries = [entry_of(node) for node in self.nodes().values()]
            for entry in entries:
                entry.name = str(entry.ino)
            self._table = put_tree(format_tree(sorted(entries, key=lambda entry: entry.name)))
        return self._table
