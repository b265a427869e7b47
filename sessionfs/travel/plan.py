"""The records that make the artifacts and the state of a session into others.

A plan works on a copy of the session's fold. Every record is applied to the copy as soon as it is decided on, by the
function that will apply it to the session. So the next one is decided on what will be so by then, and the whole is
known to be possible before any of it is written.

What is at its path becomes the next version of itself. An inode that is at another path is moved from there, with all
that is below it: one record for a directory however large. What can't be moved - it would have to go below itself, or
change places with something that must not go - is stored anew; its content is known, so none is written.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from typing import Any

from msgspec import UNSET

from sessionfs.artifacts import Applied, Node, Tree, events, text_of
from sessionfs.artifacts.names import split
from sessionfs.artifacts.node import format_mode
from sessionfs.log import Body
from sessionfs.state import Changed
from sessionfs.store.fold import Fold
from sessionfs.travel.difference import Change, StateChange

Record = tuple[str, Any]
"""A record that is to be appended: its type and what it says."""

Names = Callable[[int], Collection[str]]
"""Gives the paths at which an inode with several names is to be."""

# When records of a plan are applied to its copy: later than any other time, so that times that a record moves, and that
# have to be set again, are never those that are wanted by chance.
_PLANNED_AT = "9999-12-31T23:59:59.999999999Z"


class Plan:
    """What will be appended to a session, in order."""

    def __init__(self, copy: Fold, make_ino: Callable[[], int]) -> None:
        """Begin with nothing.

        Args:
            copy: What the session is now; it is changed, and belongs to this plan alone.
            make_ino: Gives numbers for inodes whose own is in use.
        """
        self.fold = copy
        self.records: list[Record] = []
        self.applied: list[Applied | None] = []  # what each of them did to the copy
        self._make_ino = make_ino
        self._sources: dict[int, list[str]] = {}  # where inodes are that are to be elsewhere, or nowhere
        self._goals: dict[int, str] = {}  # where they are to be
        self._taken: set[int] = set()  # inodes that stay where they are
        self._names: Names = lambda ino: ()
        self._continues = True
        self._first_names: dict[int, str] = {}  # of inodes with several names: one that is in its place

    def record(self, type: str, data: Any) -> None:
        """Add one record."""
        body = Body(seq=len(self.records), time=_PLANNED_AT, type=type, actor="", base=0)
        self.applied.append(self.fold.apply_decoded(body, data))
        self.records.append((type, data))

    # State

    def change_state(self, changes: Iterable[StateChange]) -> None:
        """Give each key the value that it is to have afterwards."""
        for change in changes:
            changed = Changed(change.key)
            if change.before is not None:
                changed.old, changed.old_oid = change.before.json, change.before.oid
            if change.after is not None:
                changed.new, changed.new_oid = change.after.json, change.after.oid
                changed.new_size = 0 if change.after.oid is UNSET else change.after.size
            self.record("state.changed", changed)

    # Artifacts

    def change_tree(
        self, changes: Sequence[Change], *, names: Names, taken: Collection[int] = (), continues: bool = True
    ) -> None:
        """Make what is at each path what it is to be afterwards.

        Args:
            changes: Sorted, a directory before what is in it. What is there before is what the copy's tree has, or what
                it had at some earlier time.
            taken: Numbers of inodes that are elsewhere in the tree, besides those that *changes* tell of.
            continues: What is not there goes on with the versions that it had.
        """
        self._names = names
        self._continues = continues
        self._taken.update(taken)
        for change in changes:
            before, after = change.before, change.after
            if before is not None and (after is None or after.ino != before.ino):
                self._sources.setdefault(before.ino, []).append(change.path)
            if after is not None and (before is None or after.ino != before.ino):
                self._goals[after.ino] = change.path
        for change in changes:
            if change.after is not None:
                self._place(change.path, change.after)
        self._remove_rest({change.path for change in changes if change.after is not None})

    def change_attributes(self, changes: Iterable[Change]) -> None:
        """Give each artifact, whose content is what it is to be, the attributes and times that it is to have."""
        for change in changes:
            assert change.before is not None and change.after is not None and not change.has_other_content, change
            self._update(change.path, change.before, change.after, moves_directories=True)

    def _remove_rest(self, wanted: Collection[str]) -> None:
        """Remove what is not *wanted* where it is now: it may have come there with its directory."""
        left = [(path.split("/"), ino) for ino, paths in self._sources.items() for path in paths if path not in wanted]
        for names, ino in sorted(left):
            path = "/".join(names)
            there = self._find(path)
            if there is not None and there.ino == ino:
                self._delete(path, there)

    def _find(self, path: str) -> Node | None:
        return self.fold.tree.find(path)

    def _place(self, path: str, wanted: Node) -> None:
        """Make what is at *path* what is *wanted* there; its directory is in its place already."""
        there = self._find(path)
        first = self._first_name(wanted) if wanted.links > 1 else None
        if first is not None and first != path:
            if there is not self._find(first):
                if there is not None:
                    self._delete(path, there)
                self.record("artifact.stored", events.Stored(path=text_of(path), kind=wanted.kind, link=text_of(first)))
            self._update(path, self.fold.tree.resolve(path), wanted)
            return
        if there is None or there.ino != wanted.ino or there.kind != wanted.kind:
            there = self._make_room(path, there)
            there = self._move_here(path, there, wanted)
        if there is not None and self._is_same(path, there, wanted):
            self._update(path, there, wanted)
        else:
            if there is not None and (there.is_directory or wanted.is_directory):
                self._delete(path, there)
                there = None
            self._create(path, wanted, there)
        self._taken.add(self.fold.tree.resolve(path).ino)
        if wanted.links > 1:
            self._first_names[wanted.ino] = path

    def _first_name(self, wanted: Node) -> str | None:
        """Return a path at which the inode with several names that is *wanted* is already."""
        placed = self._first_names.get(wanted.ino)
        if placed is not None:
            return placed
        for name in self._names(wanted.ino):
            there = self._find(name)
            if there is not None and there.ino == wanted.ino and there.kind == wanted.kind:
                return name
        return None

    def _is_same(self, path: str, there: Node, wanted: Node) -> bool:
        """Say whether what is *there* is what is *wanted*, but for what is in it and said about it."""
        if there.is_directory and wanted.is_directory:
            return True  # whichever it is: replacing it would replace all that is in it
        if (there.ino, there.kind) != (wanted.ino, wanted.kind):
            return False
        if there.links == 1:
            return True
        # If some of its names must not change with this one, it is not the same any more.
        changing = {path, *self._names(wanted.ino), *self._sources.get(there.ino, ())}
        return changing.issuperset(self._paths(there))

    def _paths(self, node: Node) -> list[str]:
        """Return all paths of an inode with several names."""
        return [path for path, found in self.fold.tree.walk() if found is node]

    def _make_room(self, path: str, there: Node | None) -> Node | None:
        """Move what is *there* to where it is to be, if it can go there now; return what is at *path* then."""
        goal = None if there is None else self._goals.get(there.ino)
        if there is None or goal is None or goal == path or not self._is_free(goal) or goal.startswith(path + "/"):
            return there
        self._rename(path, goal)
        return None

    def _is_free(self, path: str) -> bool:
        above = self._find(split(path)[0])
        return above is not None and above.is_directory and self._find(path) is None

    def _move_here(self, path: str, there: Node | None, wanted: Node) -> Node | None:
        """Move the inode that is *wanted* to *path*, if it can be; return what is at *path* then."""
        source = self._source(wanted)
        if source is None or source.startswith(path + "/") or path.startswith(source + "/"):
            return there
        is_wanted = there is not None and there.ino in self._goals and there.ino not in self._taken
        if there is not None and not is_wanted and (there.is_directory or wanted.is_directory):
            self._delete(path, there)
        self._rename(source, path, exchange=is_wanted)
        return self._find(path)

    def _source(self, wanted: Node) -> str | None:
        """Return a path from which the inode that is *wanted* can be taken."""
        if wanted.ino in self._taken:
            return None
        for path in self._sources.get(wanted.ino, ()):
            there = self._find(path)
            if there is not None and there.ino == wanted.ino and there.kind == wanted.kind:
                return path
        return None

    # Single records

    def _rename(self, source: str, target: str, *, exchange: bool = False) -> None:
        data = events.Renamed(path=text_of(source), to=text_of(target), exchange=exchange)
        self.record("artifact.renamed", data)
        moves = {source: target, target: source} if exchange else {source: target}
        moved = [node for node in map(self._find, moves.values()) if node is not None]
        # Most of what moves is a file, and there may be thousands: only of a directory others are below.
        inos = self._sources if any(node.is_directory for node in moved) else {node.ino for node in moved}
        for ino in inos:
            self._sources[ino] = [_moved(path, moves) for path in self._sources.get(ino, ())]

    def _delete(self, path: str, node: Node) -> None:
        self.record("artifact.deleted", events.Deleted(path=text_of(path), kind=node.kind))

    def _create(self, path: str, wanted: Node, replaced: Node | None) -> None:
        fields = {field: value for field, value in _attributes(wanted).items() if value or field not in _OPTIONAL}
        data = events.Stored(
            path=text_of(path),
            ino=self._make_ino() if self._is_in_use(wanted.ino) else wanted.ino,
            created_at=wanted.created_at,
            created_by=wanted.created_by,
            version=self._next_version(wanted, replaced),
            **_content(wanted),
            **fields,
        )
        self.record("artifact.stored", data)

    def _next_version(self, wanted: Node, replaced: Node | None) -> int | None:
        """Return the number with which *wanted* goes on; None when it is new here, and replaces nothing."""
        known = [node.version for node in (replaced, wanted if self._continues else None) if node is not None]
        return max(known) + wanted.is_file if known else None

    def _is_in_use(self, ino: int) -> bool:
        if ino in self._taken or ino in self.fold.tree.root.source.nodes():
            return True
        paths = self._sources.get(ino, ())
        return any(there is not None and there.ino == ino for there in map(self._find, paths))

    def _update(self, path: str, there: Node, wanted: Node, *, moves_directories: bool = False) -> None:
        old, new = _attributes(there), _attributes(wanted)
        if wanted.is_directory and not moves_directories:
            new["mtime"] = old["mtime"]  # set at the end, if at all: what changes in it moves it again
        fields = {field: value for field, value in new.items() if old[field] != value}
        if any(getattr(there, field) != getattr(wanted, field) for field in ("oid", "target", "rdev")):
            fields["mtime"] = new["mtime"]  # which a new version would move
            data = events.Stored(path=text_of(path), **_content(wanted), **fields)
            self.record("artifact.stored", data)
        elif fields:
            self.record("artifact.updated", events.Updated(path=text_of(path), **fields))


# What most artifacts do not have, and a new one need not say.
_OPTIONAL = frozenset({"atime", "type", "mime_type", "description", "tags", "metadata", "xattrs", "origin"})


def _content(node: Node) -> dict[str, Any]:
    return {
        "kind": node.kind,
        "oid": node.oid,
        "brought_back": node.id if node.is_file and node.id else None,
        "size": node.size if node.is_file else 0,
        "stored_size": None if node.compression == "none" else node.stored_size,
        "compression": "chunks" if node.compression == "chunks" else None,
        "target": None if node.target is None else text_of(node.target),
        "rdev": node.rdev,
    }


def _attributes(node: Node) -> dict[str, Any]:
    """Return what records say of an artifact besides its content."""
    return {
        "mode": format_mode(stat.S_IMODE(node.mode)),
        "uid": node.uid,
        "gid": node.gid,
        "mtime": node.mtime,
        "atime": node.atime,
        "type": node.type,
        "mime_type": node.mime_type,
        "description": node.description,
        "tags": node.tags,
        "metadata": node.metadata or {},
        "xattrs": node.xattrs or {},
        "origin": node.origin,
    }


def _moved(path: str, moves: dict[str, str]) -> str:
    """Return where *path* is after what it is, or is below, was moved."""
    for source, target in moves.items():
        if path == source or path.startswith(source + "/"):
            return target + path[len(source) :]
    return path


def names_in(tree: Tree) -> Names:
    """Return what gives the paths in *tree* of inodes with several names. The tree is read when it is first asked."""

    @cache
    def paths() -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for path, node in tree.walk():
            if node.links > 1:
                found.setdefault(node.ino, []).append(path)
        return found

    return lambda ino: paths().get(ino, ())
