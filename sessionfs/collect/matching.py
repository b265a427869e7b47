"""Comparing what was known of a directory with what is there now, where nobody has told what happened meanwhile. Pure.

What has vanished and what is new may be the same: renamed. It is taken for that when the inode is the same, and, as a
filesystem gives the numbers of what was deleted to what is new, a file's length and time too, or something that is in a
directory; what a file holds is read again in any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sessionfs.collect.mirror import Found, Mirror, Node

Listing = Mapping[str, Found]
"""What is there now, by path from the directory on."""

Key = tuple[str, int]
"""Kind and inode."""


def compare(mirror: Mirror, top: Node, listing: Listing, *, unread: frozenset[str] = frozenset()) -> list[Node]:
    """Bring *mirror* up to date, and return what is new, or not as it was when it was looked at last.

    Args:
        top: The directory that was looked into.
        listing: All that is collected below it.
        unread: Paths of directories in *listing* that could not be read; what was known of them stays.
    """
    where = {(found.kind, found.ino): path for path, found in listing.items()}
    _let_go(mirror, top, listing, where, unread)
    lost = {key: node for node in _lost(mirror) if (key := _key(node)) is not None}
    news: list[Node] = []
    for path in sorted(listing, key=lambda path: path.count("/")):
        found = listing[path]
        node = mirror.find(path)
        if node is None:
            above, _, name = path.rpartition("/")
            parent = mirror.find(above)
            if parent is None:
                continue  # in something that cannot be there
            node = lost.get((found.kind, found.ino))
            if node is not None and not mirror.is_here(node) and _is_as_known(node, path, listing):
                mirror.move(node, parent, name)
                _let_go(mirror, node, listing, where, unread)
            else:
                node = mirror.add(parent, name, found.kind)
        if node.taken != found:
            mirror.changed[node] = None
        if node.found != found:
            news.append(node)
        node.found = found
    return news


def _let_go(mirror: Mirror, top: Node, listing: Listing, where: Mapping[Key, str], unread: frozenset[str]) -> None:
    """Take out of *top* what is not there, or is elsewhere, by the *listing*."""
    waiting = [(top, top.path)]
    while waiting:
        directory, path = waiting.pop()
        if path in unread:
            continue
        for name, node in list(directory.children.items()):
            below = f"{path}/{name}" if path else name
            found = listing.get(below)
            if found is None or found.kind != node.kind or _is_elsewhere(node, found, where):
                mirror.remove(node, may_return=True)
            elif node.is_directory:
                waiting.append((node, below))


def _is_elsewhere(node: Node, found: Found, where: Mapping[Key, str]) -> bool:
    key = _key(node)
    return key is not None and key[1] != found.ino and key in where


def _lost(mirror: Mirror) -> Iterator[Node]:
    for top in mirror.lost:
        yield top
        yield from top.below()


def _key(node: Node) -> Key | None:
    known = node.found or node.taken
    return None if known is None else (node.kind, known.ino)


def _is_as_known(node: Node, path: str, listing: Listing) -> bool:
    """Say whether what was found at *path* can be *node*, as that was seen last."""
    known = node.found or node.taken
    if node.is_directory:
        return not node.children or any(f"{path}/{name}" in listing for name in node.children)
    found = listing[path]
    return known is not None and (known.size, known.mtime_ns) == (found.size, found.mtime_ns)
