"""Taking up a directory again: what is known of it from the log, and what was renamed while nobody looked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from sessionfs.collect.mirror import Mirror, Node
from sessionfs.collect.patterns import Patterns
from sessionfs.collect.remembered import Known
from sessionfs.collect.storing import Storing
from sessionfs.oid import ObjectId


def restore(mirror: Mirror, known: Known, storing: Storing, patterns: Patterns) -> None:
    """Fill an empty *mirror* with what was collected before, as far as the session still has it.

    What somebody has removed from the session since is known, too: it is not taken again before it changes. What is not
    collected any more, by other *patterns*, is forgotten: the session keeps it, whatever becomes of it.
    """
    for path, entry in known.items():
        above, _, name = path.rpartition("/")
        parent = mirror.find(above)
        if parent is None or not parent.is_directory or not _is_collected(patterns, path, entry.kind):
            continue
        node = mirror.add(parent, name, entry.kind)
        node.found, node.taken = entry.hint, entry.found
        artifact = storing.find(storing.path_in_session(path))
        if artifact is not None and artifact.kind == entry.kind and (parent is mirror.root or parent.is_placed):
            mirror.hold(node, parent, name)
    mirror.changed.clear()
    mirror.gone.clear()


def _is_collected(patterns: Patterns, path: str, kind: str) -> bool:
    return patterns.enters(path) if kind == "directory" else patterns.takes(path, is_directory=False)


def rejoin(mirror: Mirror, storing: Storing, pump: Callable[[], None]) -> None:
    """Find what has vanished in what is new, by content: what is the same was renamed.

    Args:
        pump: Called between two files that are read.
    """
    lost = _Lost(mirror, storing)
    for node in list(mirror.changed) if lost.sizes else ():
        is_new = node.kind == "file" and node.held_in is None and mirror.is_here(node)
        if is_new and node.found is not None and node.found.size in lost.sizes:
            _rejoin(mirror, storing, node, lost)
            pump()


class _Lost:
    """Files that have vanished, as far as the session has them, by what it has."""

    def __init__(self, mirror: Mirror, storing: Storing) -> None:
        self.sizes: set[int] = set()  # in bytes
        self._by_content: dict[ObjectId, dict[str, list[Node]]] = defaultdict(lambda: defaultdict(list))  # and name
        for node in (node for top in mirror.lost for node in (top, *top.below())):
            if node.kind != "file" or node.held_in is None:
                continue
            artifact = storing.find(storing.path_in_session(node.held_path))
            if artifact is not None and artifact.oid is not None and artifact.size:  # all empty files are the same
                self.sizes.add(artifact.size)
                self._by_content[artifact.oid][node.name].append(node)

    def take(self, oid: ObjectId, name: str) -> Node | None:
        """Return one that held *oid*, called *name* if there is one, and keep it no longer; None when there is none."""
        by_name = self._by_content.get(oid)
        if not by_name:
            return None
        if name not in by_name:
            name = next(iter(by_name))
        node = by_name[name].pop()
        if not by_name[name]:
            del by_name[name]
        return node


def _rejoin(mirror: Mirror, storing: Storing, node: Node, lost: _Lost) -> None:
    try:
        oid = storing.put(node.path).oid
    except OSError:
        return  # gone or unreadable: whoever takes it says so
    found = lost.take(oid, node.name)
    if found is not None:
        assert node.parent is not None
        mirror.move(found, node.parent, node.name)
        found.found, found.changed_at = node.found, node.changed_at
        found.may_be_open = node.may_be_open
