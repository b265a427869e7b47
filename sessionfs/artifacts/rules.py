"""Whether a change of a tree is allowed: asked under the log's lock, before the change's record is written.

The rules are those of POSIX; what is refused changes nothing.
"""

from __future__ import annotations

import errno

from sessionfs.artifacts.directory import Directory
from sessionfs.artifacts.names import split, text_of
from sessionfs.artifacts.node import Node
from sessionfs.artifacts.tree import NoSuchArtifact, NotADirectory, Tree
from sessionfs.errors import Conflict, Denied, InvalidInput

# What ext4 allows; programs that make many links (backups) know how to go on after EMLINK.
MAX_LINKS = 65_000


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


class LinkedDirectory(Denied):
    """A directory has one name only."""

    errno = errno.EPERM


class TooManyLinks(Conflict):
    """An inode cannot have more names."""

    errno = errno.EMLINK


def check_file(tree: Tree, path: str) -> Node | None:
    """Return the file at *path*, None if there is nothing and its parent may be made.

    Raises:
        IsADirectory: A directory or special file is there.
        NotADirectory: One of its parents is no directory.
    """
    node = tree.find(path)
    if node is None:
        check_parents(tree, path)
    elif not node.is_file:
        raise IsADirectory(f"{text_of(path)!r} is a {node.kind}, not a file")
    return node


def check_free(tree: Tree, path: str) -> None:
    """Check that something new can be made at *path*.

    Raises:
        ArtifactExists: Something is there.
        NotADirectory: One of its parents is no directory.
    """
    node = tree.find(path)
    if node is not None:
        raise ArtifactExists(f"there is already a {node.kind} {text_of(path)!r}")
    check_parents(tree, path)


def check_parents(tree: Tree, path: str) -> None:
    """Check that everything above *path* is a directory or missing."""
    parent, _ = split(path)
    while parent:
        node = tree.find(parent)
        if node is not None:
            if not node.is_directory:
                raise NotADirectory(f"{text_of(parent)!r} is a {node.kind}, so it cannot hold {text_of(path)!r}")
            return
        parent, _ = split(parent)


def missing_parents(tree: Tree, path: str) -> list[str]:
    """Return the directories above *path* that do not exist, outermost first."""
    missing: list[str] = []
    parent, _ = split(path)
    while parent and tree.find(parent) is None:
        missing.append(parent)
        parent, _ = split(parent)
    return missing[::-1]


def check_link(tree: Tree, source: str, target: str) -> None:
    """Check that *target* can become another name of the inode at *source*.

    Raises:
        NoSuchArtifact: There is no *source*, or no directory for *target*.
        ArtifactExists, NotADirectory: As :func:`check_free`.
        LinkedDirectory, TooManyLinks: The inode cannot have another name.
    """
    node = tree.resolve(source)
    _check_place(tree, source, target)
    check_free(tree, target)
    if node.is_directory:
        raise LinkedDirectory(f"{text_of(source)!r} is a directory, so it cannot have another name")
    if node.links >= MAX_LINKS:
        raise TooManyLinks(f"{text_of(source)!r} has {node.links} names already; more are not possible")


def check_rename(tree: Tree, source: str, target: str) -> bool:
    """Check that *source* can be renamed to *target*, by the rules of rename(2).

    Returns:
        False if they are the same artifact, so that nothing is to be done.

    Raises:
        NoSuchArtifact: There is no *source*, or no directory for *target*.
        IsADirectory, NotADirectory, DirectoryNotEmpty: What is at *target* cannot be replaced by it.
        IntoItself: *target* is below *source*.
    """
    node = tree.resolve(source)
    if target == source:
        return False
    _check_not_below(source, target)
    _check_place(tree, source, target)
    replaced = tree.find(target)
    if replaced is None:
        return True
    if isinstance(replaced, Directory):
        if not node.is_directory:
            raise IsADirectory(f"{text_of(target)!r} is a directory; {text_of(source)!r} cannot replace it")
        check_empty(replaced)
    elif node.is_directory:
        raise NotADirectory(f"{text_of(target)!r} is a {replaced.kind}; a directory cannot replace it")
    return replaced is not node


def check_exchange(tree: Tree, first: str, second: str) -> bool:
    """Check that *first* and *second* can change places.

    Returns:
        False if they are the same artifact, so that nothing is to be done.

    Raises:
        NoSuchArtifact: One of them is missing.
        IntoItself: One is below the other.
    """
    same = tree.resolve(first) is tree.resolve(second)
    if first != second:
        _check_not_below(first, second)
        _check_not_below(second, first)
    return not same


def _check_place(tree: Tree, source: str, target: str) -> None:
    """Check that there is a directory for *target*."""
    check_parents(tree, target)
    parent, _ = split(target)
    if tree.find(parent) is None:
        raise NoSuchArtifact(f"there is no directory {text_of(parent)!r} for {text_of(source)!r}")


def check_empty(directory: Directory) -> None:
    """Check that *directory* has no entries.

    Raises:
        DirectoryNotEmpty: It has.
    """
    count = directory.entry_count()
    if count:
        raise DirectoryNotEmpty(f"the directory {text_of(directory.path)!r} is not empty: it has {count} entries")


def _check_not_below(path: str, other: str) -> None:
    if other.startswith(path + "/"):
        raise IntoItself(f"{text_of(path)!r} cannot be moved below itself, to {text_of(other)!r}")
