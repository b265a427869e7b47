"""What has to be recorded so that the session has everything where the directory has it. Pure.

The steps are chosen one by one, each from what the one before has left: whoever carries a step out sends back whether
it was done. Directories come before what is in them, and moves before deletions, so that nothing is deleted that lives
on elsewhere. Contents are none of its business.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

from sessionfs.collect.mirror import Mirror, Node


class MakeDirectory(NamedTuple):
    """Make a directory at *path*."""

    node: Node
    path: str


class Rename(NamedTuple):
    """Move what is at *path* to *to*; what is there, and is no directory, is replaced."""

    node: Node
    path: str
    to: str


class Exchange(NamedTuple):
    """Let what is at *path* and what is at *to* change places."""

    node: Node
    path: str
    to: str


class Delete(NamedTuple):
    """Remove what is at *path*, and what is in it."""

    node: Node
    path: str


Step = MakeDirectory | Rename | Exchange | Delete
Steps = Generator[Step, bool, None]
_Placing = Generator[Step, bool, bool]

# Where something stands in the session between two steps, when its place and that of others are in each other's way.
_ASIDE = ".sessionfs-moving-"


def arrange(mirror: Mirror, nodes: Iterable[Node]) -> Steps:
    """Give the steps that bring *nodes*, and the directories they are in, to their places, and take away what is gone.

    *mirror* says after each step what the session has then. A file that the session has not is not brought to its
    place, but that place is free for it when all is done. What is gone stays noted as that.
    """
    for node in sorted(nodes, key=lambda node: node.path.count("/")):
        if mirror.is_here(node):
            yield from _place(mirror, node)
    yield from _delete_gone(mirror)


def moves(mirror: Mirror, nodes: Iterable[Node]) -> dict[str, str | None]:
    """Return what becomes of the paths that the session has now: where they will be, None for nowhere.

    What is in a directory is not named when it stays in it.
    """
    found: dict[str, str | None] = {
        node.held_path: node.path
        for node in nodes
        if node.held_in is not None and not node.is_placed and mirror.is_here(node)
    }
    for node in _topmost_gone(mirror):
        found.setdefault(node.held_path, None)
    return found


def _place(mirror: Mirror, node: Node) -> _Placing:
    """Bring *node*, and what it is in, to their places; False when that cannot be done, or when *node* has no content
    yet that could be there.
    """
    way = []
    at = node
    while at.parent is not None and not at.is_placed:
        way.append((at, at.parent))
        at = at.parent
    for below, parent in reversed(way):
        if not (yield from _place_in(mirror, below, parent)):
            return False
    return True


def _place_in(mirror: Mirror, node: Node, parent: Node) -> _Placing:
    """Bring *node* to its place in *parent*, which is in its own; the same as :func:`_place` otherwise."""
    path = _join(parent, node.name)
    occupant = parent.held.get(node.name)
    if node.held_in is not None:
        return (yield from _move(mirror, node, parent, path, occupant))
    if occupant is not None and occupant.kind == node.kind and not mirror.is_here(occupant):
        mirror.supersede(node, occupant)
        return True
    if occupant is not None and not (yield from _evict(mirror, occupant)):
        return False
    if not node.is_directory or not (yield MakeDirectory(node, path)):
        return False
    mirror.hold(node, parent, node.name)
    return True


def _move(mirror: Mirror, node: Node, parent: Node, path: str, occupant: Node | None) -> _Placing:
    if occupant is not None:
        if mirror.is_here(occupant) and not _are_nested(node, occupant):
            if not (yield Exchange(node, node.held_path, occupant.held_path)):
                return False
            mirror.exchange(node, occupant)
            return True
        if not _is_replaced(mirror, node, occupant, path) and not (yield from _evict(mirror, occupant)):
            return False
    if not (yield Rename(node, node.held_path, path)):
        return False
    mirror.hold(node, parent, node.name)
    return True


def _is_replaced(mirror: Mirror, node: Node, occupant: Node, path: str) -> bool:
    """Say whether moving *node* to *path* replaces *occupant*, which is gone, as rename(2) does."""
    may_be = not (node.is_directory or occupant.is_directory or mirror.is_here(occupant))
    return may_be and occupant.held_path == path


def _evict(mirror: Mirror, occupant: Node) -> _Placing:
    """Free the place of what the session has there: set it aside, or delete it if it is gone."""
    if mirror.is_here(occupant):
        return (yield from _set_aside(mirror, occupant))
    for living in list(_living_in(mirror, occupant)):
        if not (yield from _set_aside(mirror, living)):
            return False
    if not (yield Delete(occupant, occupant.held_path)):
        return False
    mirror.release(occupant)
    return True


def _set_aside(mirror: Mirror, node: Node) -> _Placing:
    number = 0
    while f"{_ASIDE}{number}" in mirror.root.held:
        number += 1
    name = f"{_ASIDE}{number}"
    if not (yield Rename(node, node.held_path, name)):
        return False
    mirror.hold(node, mirror.root, name)
    mirror.changed[node] = None
    return True


def _delete_gone(mirror: Mirror) -> Steps:
    for node in list(_topmost_gone(mirror)):
        if any(True for _ in _living_in(mirror, node)):
            continue  # what could not be moved out of it must not go with it
        if (yield Delete(node, node.held_path)):
            mirror.release(node)


def _topmost_gone(mirror: Mirror) -> Iterator[Node]:
    """Yield what is gone and the session still has in something that is not gone."""
    for top in mirror.gone:
        for node in (top, *top.below()):
            if node.held_in is not None and mirror.is_here(node.held_in):
                yield node


def _living_in(mirror: Mirror, node: Node) -> Iterator[Node]:
    """Yield what the session has in *node* and the directory has elsewhere: the topmost."""
    waiting = list(node.held.values())
    while waiting:
        below = waiting.pop()
        if mirror.is_here(below):
            yield below
        else:
            waiting += below.held.values()


def _are_nested(node: Node, other: Node) -> bool:
    return _is_in(node, other) or _is_in(other, node)


def _is_in(node: Node, above: Node) -> bool:
    """Say whether the session has *node* in *above*."""
    at: Node | None = node
    while at is not None:
        if at is above:
            return True
        at = at.held_in
    return False


def _join(parent: Node, name: str) -> str:
    above = parent.held_path
    return f"{above}/{name}" if above else name
