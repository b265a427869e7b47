"""Times that are in no record: what becomes of them when the kernel lets go of an inode.

The kernel forgets inodes whenever it needs memory. What is looked up again must not look older than it did before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.artifacts import Node

if TYPE_CHECKING:
    from sessionfs.mount.artifacts import ArtifactInode

Came = tuple[int, str]
"""When a file that is in no record last came or went in a directory, and what mtime of it was recorded then."""

NEVER: Came = (0, "")

# About 250 bytes each. The oldest go; their times are as recorded again.
_LIMIT_COUNT = 50_000


class UnrecordedTimes:
    """The times of nodes that the kernel does not know at the moment."""

    def __init__(self, limit_count: int = _LIMIT_COUNT) -> None:
        self._limit_count = limit_count
        self._by_node: dict[Node, tuple[int, int | None, Came]] = {}

    def keep(self, inode: ArtifactInode) -> None:
        """Keep the times of an inode that the kernel lets go of, if any are in no record."""
        touched_ns = inode.touched_ns if inode.touched_ns > inode.node.ctime_ns else 0
        came = inode.came if inode.entered_ns is not None else NEVER
        if (touched_ns or inode.read_ns is not None or came is not NEVER) and inode.path is not None:
            self._by_node[inode.node] = (touched_ns, inode.read_ns, came)
            if len(self._by_node) > self._limit_count:
                del self._by_node[next(iter(self._by_node))]

    def show(self, inode: ArtifactInode) -> None:
        """Give a new inode the times that its node had."""
        times = self._by_node.get(inode.node)
        if times is not None:
            inode.touched_ns, inode.read_ns, inode.came = times

    def drop(self, node: Node) -> None:
        """Forget the times of a node that the kernel knows again: its inode has them."""
        self._by_node.pop(node, None)
