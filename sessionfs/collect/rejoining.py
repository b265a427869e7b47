"""Taking up a directory again: what is known of it from the log, and what was renamed while nobody looked."""

from __future__ import annotations

from collections import defaultdict

from sessionfs.collect.mirror import Mirror, Node
from sessionfs.collect.patterns import Patterns
from sessionfs.collect.remembered import Known
from sessionfs.collect.storing import Storing


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


def rejoin(mirror: Mirror, storing: Storing) -> None:
    """Find what has vanished in what is new, by content: what is the same was renamed."""
    by_size: dict[int, list[Node]] = defaultdict(list)
    for top in mirror.lost:
        for node in (top, *top.below()):
            if node.kind == "file" and node.held_in is not None:
                artifact = storing.find(storing.path_in_session(node.held_path))
                if artifact is not None and artifact.size:  # all empty files are the same
                    by_size[artifact.size].append(node)
    for node in list(mirror.changed) if by_size else ():
        candidates = by_size.get(node.found.size) if node.found is not None else None
        if node.kind == "file" and node.held_in is None and candidates and mirror.is_here(node):
            _rejoin(mirror, storing, node, candidates)


def _rejoin(mirror: Mirror, storing: Storing, node: Node, candidates: list[Node]) -> None:
    try:
        oid = storing.put(node.path).oid
    except OSError:
        return  # gone or unreadable: whoever takes it says so
    for candidate in sorted(candidates, key=lambda one: one.name != node.name):
        artifact = storing.find(storing.path_in_session(candidate.held_path))
        if artifact is not None and artifact.oid == oid:
            candidates.remove(candidate)
            assert node.parent is not None
            mirror.move(candidate, node.parent, node.name)
            candidate.found, candidate.changed_at = node.found, node.changed_at
            candidate.may_be_open = node.may_be_open
            return
