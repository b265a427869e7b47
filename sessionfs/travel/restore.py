"""Bringing an earlier moment of a session back, as new records: what was written in between stays in the log.

Everything is decided with the session's lock held, on a copy of what it is now (see ``plan``), and appended in one go:
all of the records or none. The last of them, ``session.restored``, says what was done, and names the checkpoint that
was made of the moment before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import asdict, replace

from sessionfs import sessions
from sessionfs.artifacts import NoSuchArtifact, NotADirectory, Tree, check_path, text_of
from sessionfs.store.fold import Fold
from sessionfs.store.session import Session
from sessionfs.travel.appending import Changed, Prepared, begin_plan, carry_out
from sessionfs.travel.automatic import free_name
from sessionfs.travel.difference import Change, StateChange, compare_states, compare_trees, pair_renames
from sessionfs.travel.moment import Moment
from sessionfs.travel.plan import Names, Plan, names_in
from sessionfs.travel.resolve import resolve_moment
from sessionfs.travel.view import view_at

RESTORE, UNDO, REDO = "restore", "undo", "redo"


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What bringing a moment back has changed."""

    kind: str  # "restore", "undo" or "redo"
    to: int  # the moment: after the record with this number
    seq: int | None  # number of the record that says so; None when there was nothing to change
    checkpoint: str | None  # of what was before
    changes: tuple[Changed, ...]
    operations: tuple[int, ...] = ()  # numbers of the first records of what was undone, or redone

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {**asdict(self), "changes": [change.to_dict() for change in self.changes]}


def restore(session: Session, moment: Moment, paths: Collection[str] = ()) -> Restored:
    """Make the artifacts and the state of *session* what they were at *moment*; or only what is at *paths*, and below.

    Raises:
        NoSuchMoment, CorruptLog: As :func:`resolve_moment`.
        NoSuchArtifact: There is nothing at one of *paths*, now or then.
        NotADirectory: What one of them was in is now something else.
        SessionNotWritable, LimitReached: Nothing was changed.

    Durability:
        As the durability mode says.
    """
    session.refresh()
    session.check_writable()
    view = view_at(session, resolve_moment(session, moment))
    wanted = tuple(sorted({check_path(path) for path in paths}))
    said = sessions.Restored(kind=RESTORE, to=view.seq, paths=tuple(map(text_of, wanted)))
    return bring_back(session, lambda: Target(view.fold, view.lock, said), wanted)


class Target(NamedTuple):
    """What a session is to become."""

    fold: Fold
    lock: AbstractContextManager[bool]  # nobody else reads the fold while it is held
    said: sessions.Restored  # what the record will say, but for the checkpoint


def bring_back(session: Session, find: Callable[[], Target], paths: Collection[str] = ()) -> Restored:
    """Make *session* what *find* returns; it is called with the session's lock held.

    Args:
        paths: Only these artifacts, and no state.
    """
    bringing = _Bringing(session, find, paths)
    seq = carry_out(session, bringing.prepare)
    return bringing.result(seq)


class _Bringing:
    """One bringing back."""

    def __init__(self, session: Session, find: Callable[[], Target], paths: Collection[str]) -> None:
        self._session = session
        self._find = find
        self._paths = paths

    def prepare(self) -> Prepared | None:
        session = self._session
        target = self._find()
        self._said = said = target.said
        with target.lock:
            changes = _Changes(session.fold, target.fold, self._paths)
            self._shown = changes.shown()
            if changes.are_none and said.kind == RESTORE:
                return None
            snapshot, plan = begin_plan(session)
            changes.plan(plan)
            includes = target.fold.fields.includes
        if not plan.records and said.kind == RESTORE:
            return None  # only which inodes directories are, for instance
        if said.kind != REDO:
            said = replace(said, checkpoint=free_name(session, said.kind))
        if not self._paths and includes != session.fold.fields.includes:
            said = replace(said, includes=includes)  # what was merged since can be merged again
        self._said = said
        return Prepared(snapshot, plan, ("session.restored", said), said.checkpoint, f"made by {said.kind}")

    def result(self, seq: int | None) -> Restored:
        said = self._said
        return Restored(
            kind=said.kind,
            to=said.to,
            seq=seq,
            checkpoint=said.checkpoint,
            changes=self._shown,
            operations=said.operations,
        )


class _Changes:
    """How a session differs from what it is to be."""

    def __init__(self, now: Fold, target: Fold, paths: Collection[str]) -> None:
        self._target = target
        self._paths = paths
        self._all = compare_trees(now.tree, target.tree, times=True, identity=True)
        self._chosen = _chosen(self._all, now.tree, target.tree, paths) if paths else self._all
        self._state: list[StateChange] = [] if paths else compare_states(now.state, target.state)

    @property
    def are_none(self) -> bool:
        """Whether nothing is different."""
        return not self._chosen and not self._state

    def plan(self, plan: Plan) -> None:
        """Add the records to *plan*."""
        chosen = {change.path for change in self._chosen}
        others = [change for change in self._all if change.path not in chosen]
        plan.change_tree(
            self._chosen,
            names=self._names(),
            taken=[change.before.ino for change in others if change.before is not None],
        )
        plan.change_attributes(compare_trees(plan.fold.tree, self._target.tree, self._paths, times=True))
        plan.change_state(self._state)

    def _names(self) -> Names:
        names = names_in(self._target.tree)
        if not self._paths:
            return names
        return lambda ino: [path for path in names(ino) if _is_below(path, self._paths)]

    def shown(self) -> tuple[Changed, ...]:
        """Return them as people see them: what moved once, and not what another inode says just as well."""
        seen = [change for change in self._chosen if change.before is None or change.after is None or _is_seen(change)]
        artifacts = [
            Changed("artifact", change.path, change.kind, change.renamed_from) for change in pair_renames(seen)
        ]
        return (*artifacts, *(Changed("state", change.key, change.kind) for change in self._state))


def _is_seen(change: Change) -> bool:
    """Say whether *change* is one to people: not of a directory's times, which move with what is in it."""
    unseen = {"ino", "links"}
    if change.after is not None and change.after.is_directory:
        unseen.add("mtime")
    return not unseen.issuperset(change.fields)


def _is_below(path: str, paths: Collection[str]) -> bool:
    return any(path == above or path.startswith(above + "/") for above in paths)


def _chosen(changes: list[Change], now: Tree, target: Tree, paths: Collection[str]) -> list[Change]:
    """Return what of *changes* is at *paths* or below, and the directories that these need."""
    needed: set[str] = set()
    for path in paths:
        then = target.find(path)
        if then is None and now.find(path) is None:
            raise NoSuchArtifact(f"there is no artifact {text_of(path)!r}, neither now nor at that moment")
        above = path.rpartition("/")[0]
        while then is not None and above:
            there = now.find(above)
            if there is None:
                needed.add(above)
            elif not there.is_directory:
                raise NotADirectory(
                    f"{text_of(path)!r} cannot be brought back: {text_of(above)!r} is now a {there.kind}; "
                    "name that as well to replace it"
                )
            above = above.rpartition("/")[0]
    return [change for change in changes if change.path in needed or _is_below(change.path, paths)]
