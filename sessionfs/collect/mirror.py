"""What is where in the working directory, and where the session has it: two trees over the same nodes. Pure.

What happens in the directory moves nodes in the one tree at once; what is recorded moves them in the other. As long as
a node has two different places, something has to be recorded; see :mod:`sessionfs.collect.plan`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Found(NamedTuple):
    """What is at a path of the directory: what says, as long as it is the same, that nothing has changed there.

    Times in nanoseconds. Only ``kind`` and ``ino`` count for a directory.
    """

    kind: str  # "file", "directory" or "symlink"
    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int
    mode: int  # permission bits


class Node:
    """A file, directory or symbolic link.

    In the directory it is ``name`` in ``parent``, and holds ``children``; ``parent`` is None when it is not there. The
    session has it as ``held_name`` in ``held_in``, and has ``held`` in it; ``held_in`` is None when it has it not.
    ``held_for`` is the name in the directory that it was recorded for, and by which ``held`` finds it: a hook may have
    chosen another one.
    """

    __slots__ = (
        "changed_at", "children", "found", "held", "held_for", "held_in", "held_name", "kind", "may_be_open", "name",
        "parent", "taken",
    )  # fmt: skip

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.name = ""
        self.parent: Node | None = None
        self.children: dict[str, Node] = {}
        self.held_name = ""
        self.held_for = ""
        self.held_in: Node | None = None
        self.held: dict[str, Node] = {}
        self.found: Found | None = None  # what it was when it was looked at last
        self.taken: Found | None = None  # what it was when it was collected
        self.may_be_open = False  # somebody was seen to open it for writing, and not to close it
        self.changed_at = 0.0  # when that was seen last, in seconds of the monotonic clock

    @property
    def is_directory(self) -> bool:
        return self.kind == "directory"

    @property
    def is_placed(self) -> bool:
        """Whether the session has it where it is."""
        return self.held_in is not None and self.held_in is self.parent and self.held_for == self.name

    @property
    def path(self) -> str:
        """Where it is in the directory; "" for the directory itself."""
        names = []
        node = self
        while node.parent is not None:
            names.append(node.name)
            node = node.parent
        return "/".join(reversed(names))

    @property
    def held_path(self) -> str:
        """Where the session has it, below where the directory is collected to."""
        names = []
        node = self
        while node.held_in is not None:
            names.append(node.held_name)
            node = node.held_in
        return "/".join(reversed(names))

    def below(self) -> Iterator[Node]:
        """Yield everything in it, a directory before what is in that."""
        waiting = list(self.children.values())
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.children.values()

    def held_below(self) -> Iterator[Node]:
        """Yield everything that the session has in it, a directory before what is in that."""
        waiting = list(self.held.values())
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.held.values()

    def __repr__(self) -> str:
        return f"<Node {self.path!r} held as {self.held_path!r}>"


class Mirror:
    """The two trees. Their root is the directory itself, which the session has from the beginning.

    Attributes:
        changed: Nodes that are new, moved, or may have changed; also such as have left the directory since, with what
            they were in, and may come back with it.
        gone: Nodes that have left the directory: the topmost.
        lost: Those of them that may be found in it again, because nobody has seen that they were deleted.
    """

    def __init__(self) -> None:
        self.root = Node("directory")
        self.changed: dict[Node, None] = {}
        self.gone: dict[Node, None] = {}
        self.lost: dict[Node, None] = {}

    def find(self, path: str) -> Node | None:
        """Return what is at *path* in the directory, as far as is known."""
        node: Node | None = self.root
        for name in path.split("/") if path else ():
            node = node.children.get(name) if node is not None else None
        return node

    def is_here(self, node: Node) -> bool:
        """Say whether *node* is in the directory."""
        while node.parent is not None:
            node = node.parent
        return node is self.root

    # In the directory

    def add(self, parent: Node, name: str, kind: str) -> Node:
        """Note that something new is *name* in *parent*; what was there is gone."""
        node = Node(kind)
        self._put(node, parent, name)
        return node

    def move(self, node: Node, parent: Node, name: str) -> None:
        """Note that *node* is *name* in *parent* now; what was there is gone."""
        self.gone.pop(node, None)
        self.lost.pop(node, None)
        if node.parent is not None:
            del node.parent.children[node.name]
            node.parent = None
        self._put(node, parent, name)

    def remove(self, node: Node, *, may_return: bool = False) -> None:
        """Note that *node*, and all that is in it, is not in the directory any more."""
        if node.parent is not None:
            del node.parent.children[node.name]
            node.parent = None
            self.gone[node] = None
            if may_return:
                self.lost[node] = None

    def _put(self, node: Node, parent: Node, name: str) -> None:
        replaced = parent.children.get(name)
        if replaced is not None:
            self.remove(replaced)
        node.parent, node.name = parent, name
        parent.children[name] = node
        self.changed[node] = None

    # In the session

    def hold(self, node: Node, parent: Node, name: str, held_name: str | None = None) -> None:
        """Note that the session has *node* in *parent*; it has what was there no more.

        Args:
            name: What it is called in the directory.
            held_name: What it is called in the session, if that is not the same.
        """
        replaced = parent.held.get(name)
        if replaced is not None and replaced is not node:
            self.release(replaced)
        if node.held_in is not None:
            del node.held_in.held[node.held_for]
        self._hold(node, parent, name, held_name or name)

    def release(self, node: Node) -> None:
        """Note that the session has *node*, and what is in it, no more."""
        for below in list(node.held_below()):
            below.held_in, below.held = None, {}
        node.held = {}
        if node.held_in is not None:
            del node.held_in.held[node.held_for]
            node.held_in = None

    def exchange(self, node: Node, other: Node) -> None:
        """Note that two nodes have changed places in the session."""
        first, second = ((one.held_in, one.held_for, one.held_name) for one in (node, other))
        for one, (parent, name, held_name) in ((node, second), (other, first)):
            assert parent is not None
            self._hold(one, parent, name, held_name)

    def supersede(self, node: Node, gone: Node) -> None:
        """Let *node*, which the session has not, be what it has as *gone*: the next version of it."""
        parent = gone.held_in
        assert parent is not None and node.held_in is None
        self._hold(node, parent, gone.held_for, gone.held_name)
        node.held = gone.held
        for below in node.held.values():
            below.held_in = node
        gone.held_in, gone.held = None, {}

    def _hold(self, node: Node, parent: Node, name: str, held_name: str) -> None:
        node.held_in, node.held_for, node.held_name = parent, name, held_name
        parent.held[name] = node
