"""What differs between two trees, and between two states: values, path by path.

Directories that name the same tree object are equal, whatever they hold, and are not read: comparing costs what has
changed, not what there is. Inodes with several names say in a table of their own what is said about them (see
:mod:`sessionfs.artifacts.linked`), so that short cut is taken only when the two tables are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec
from msgspec import UNSET

from sessionfs.artifacts import Directory, Node, Tree
from sessionfs.artifacts.directory import differing
from sessionfs.state import State, Value

# What makes the content of an artifact, and what is said about it. When it was stored, as which version and under which
# id differs between any two moments of the same artifact, and is no difference of its own.
CONTENT_FIELDS = ("kind", "oid", "target", "rdev")
ATTRIBUTE_FIELDS = ("mode", "uid", "gid", "type", "mime_type", "description", "tags", "metadata", "xattrs")
TIME_FIELDS = ("mtime", "atime")
# Which inode it is, and how many names that has: compared by those who bring inodes back, not only what they hold.
IDENTITY_FIELDS = ("ino", "links")


class Change(msgspec.Struct, frozen=True):
    """One path at which two trees differ.

    Attributes:
        path: Where, from the session's root; of something renamed where it is now.
        before: What was there; None for nothing.
        after: What is there; None for nothing.
        fields: Which of the fields above differ; none when one side is missing.
        renamed_from: Where *before* was, when it is the same inode as *after* at another path.
    """

    path: str
    before: Node | None
    after: Node | None
    fields: tuple[str, ...] = ()
    renamed_from: str | None = None

    @property
    def kind(self) -> str:
        """``added``, ``deleted``, ``renamed`` or ``modified``."""
        if self.renamed_from is not None:
            return "renamed"
        if self.before is None:
            return "added"
        return "deleted" if self.after is None else "modified"

    @property
    def has_other_content(self) -> bool:
        """Whether what is in it differs, and not only what is said about it."""
        if self.before is None or self.after is None:
            return True
        return any(field in CONTENT_FIELDS for field in self.fields)


class StateChange(msgspec.Struct, frozen=True):
    """One key at which two states differ; None for no value."""

    key: str
    before: Value | None
    after: Value | None

    @property
    def kind(self) -> str:
        """``added``, ``deleted`` or ``modified``."""
        if self.before is None:
            return "added"
        return "deleted" if self.after is None else "modified"


def compare_trees(
    before: Tree, after: Tree, paths: Collection[str] = (), *, times: bool = False, identity: bool = False
) -> list[Change]:
    """Return every path at which two trees differ, sorted; a directory before what is in it.

    A directory that is on one side only is listed with everything below it. What is renamed is listed twice, deleted
    and added; :func:`pair_renames` puts the two together. Files that are being written and are in no record yet do not
    count.

    Args:
        paths: Compare only these and what is below them; everything by default.
        times: Also list what differs in its times alone (mtime, and an atime that somebody set).
        identity: Also list what is another inode, or has more or fewer names.

    Concurrency:
        The caller holds the locks of both trees: directories are read when they are looked at.
    """
    compared: tuple[str, ...] = (*CONTENT_FIELDS, *ATTRIBUTE_FIELDS)
    compared += TIME_FIELDS if times else ()
    compared += IDENTITY_FIELDS if identity else ()
    is_same_table = before.root.source.is_same_table(after.root.source)
    found: list[Change] = []
    for path in _topmost(paths):
        old, new = _recorded(before.find(path)), _recorded(after.find(path))
        _compare(path, old, new, compared, is_same_table, found)
    return sorted(found, key=lambda change: change.path.split("/"))


def pair_renames(changes: Collection[Change]) -> list[Change]:
    """Return *changes* with what was deleted at one path and added at another as one change, sorted by the new path.

    An artifact keeps its inode number for life, across renames and in forks, so this is no guess. What moved along
    with its directory and is otherwise the same is left out.
    """
    gone: dict[tuple[int, str], list[Change]] = {}
    for change in changes:
        if change.before is not None and change.after is None:
            gone.setdefault((change.before.ino, change.before.kind), []).append(change)
    sources: dict[str, Change] = {}  # by the new path
    for change in changes:
        if change.before is None and change.after is not None:
            same = gone.get((change.after.ino, change.after.kind))
            if same:
                sources[change.path] = same.pop(0)
    used = {id(source) for source in sources.values()}
    moved = {source.path: path for path, source in sources.items()}
    paired: list[Change] = []
    for change in changes:
        source = sources.get(change.path) if change.before is None else None
        if source is None:
            if id(change) not in used:
                paired.append(change)
            continue
        assert source.before is not None and change.after is not None
        fields = differing_fields(source.before, change.after, (*CONTENT_FIELDS, *ATTRIBUTE_FIELDS))
        if fields or not _moved_along(source.path, change.path, moved):
            paired.append(Change(change.path, source.before, change.after, fields, source.path))
    return sorted(paired, key=lambda change: change.path.split("/"))


def compare_states(before: State, after: State, keys: Collection[str] | None = None) -> list[StateChange]:
    """Return every key at which two states differ, sorted.

    Args:
        keys: Compare only these; all by default.
    """
    compared = {*before.values, *after.values} if keys is None else set(keys)
    changes = [StateChange(key, before.values.get(key), after.values.get(key)) for key in sorted(compared)]
    return [change for change in changes if not is_same_value(change.before, change.after)]


def _topmost(paths: Collection[str]) -> list[str]:
    """Return *paths* without those that are below another one of them; the root when there are none."""
    wanted = set(paths) or {""}
    if "" in wanted:
        return [""]
    return [path for path in sorted(wanted) if not any(above in wanted for above in _above(path))]


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _recorded(node: Node | None) -> Node | None:
    """Return *node*, unless no record names it yet. The root and directories of a session's life have no id either."""
    return node if node is None or node.id or node.is_directory else None


def _compare(
    path: str,
    before: Node | None,
    after: Node | None,
    compared: tuple[str, ...],
    is_same_table: bool,
    found: list[Change],
) -> None:
    # A tree may be deeper than Python's stack.
    waiting = [(path, before, after)]
    while waiting:
        path, before, after = waiting.pop()
        if before is None or after is None:
            if before is not None or after is not None:
                found.append(Change(path, before, after))
        else:
            fields = differing_fields(before, after, compared)
            if fields:
                found.append(Change(path, before, after, fields))
        old = before if isinstance(before, Directory) else None
        new = after if isinstance(after, Directory) else None
        if (old is None and new is None) or (is_same_table and _is_same_object(old, new)):
            continue
        for one, other, name in _pairs(old, new, is_same_table):
            waiting.append((f"{path}/{name}" if path else name, _recorded(one), _recorded(other)))


def _pairs(
    old: Directory | None, new: Directory | None, is_same_table: bool
) -> Iterator[tuple[Node | None, Node | None, str]]:
    """Yield what two directories have by each name, as far as it may differ."""
    if is_same_table and old is not None and new is not None:
        yield from differing(old, new)
        return
    before, after = ({} if one is None else one.entries() for one in (old, new))
    for name in before.keys() | after.keys():
        yield before.get(name), after.get(name), name


def _is_same_object(before: Directory | None, after: Directory | None) -> bool:
    return before is not None and after is not None and before.tree is not None and before.tree == after.tree


def differing_fields(before: Node, after: Node, compared: tuple[str, ...]) -> tuple[str, ...]:
    """Return which of the fields *compared* say something else of the two."""
    return tuple([field for field in compared if _value(before, field) != _value(after, field)])


def _value(node: Node, field: str) -> object:
    # An empty mapping and none at all say the same.
    return getattr(node, field) or None if field in ("metadata", "xattrs") else getattr(node, field)


def is_same_value(before: Value | None, after: Value | None) -> bool:
    """Say whether two values of a key, or none at all, are the same."""
    if before is None or after is None:
        return before is after
    if before.oid is not UNSET or after.oid is not UNSET:
        return before.oid == after.oid
    return bytes(before.json or b"") == bytes(after.json or b"")


def _moved_along(old: str, new: str, moved: dict[str, str]) -> bool:
    """Say whether *old* became *new* because a directory above it was renamed."""
    old_above, _, old_name = old.rpartition("/")
    new_above, _, new_name = new.rpartition("/")
    return old_name == new_name and old_above != "" and moved.get(old_above) == new_above
