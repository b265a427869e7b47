"""Taking what one session changed over into another one, path by path and key by key.

Three states are compared: what both began with, and what each is now. What only the source changed is taken over; what
only the target changed stays; what both changed in the same way is so already. What both changed in different ways is a
conflict: these are listed, and nothing at all is taken over.
"""

from __future__ import annotations

from copy import copy
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import asdict, replace

from sessionfs import sessions
from sessionfs.artifacts import Node, text_of
from sessionfs.errors import InvalidInput
from sessionfs.store.session import Session
from sessionfs.travel.ancestry import Ancestor, common_ancestor
from sessionfs.travel.appending import Changed, Prepared, begin_plan, carry_out
from sessionfs.travel.automatic import free_name
from sessionfs.travel.difference import (
    ATTRIBUTE_FIELDS,
    CONTENT_FIELDS,
    IDENTITY_FIELDS,
    Change,
    StateChange,
    compare_states,
    compare_trees,
    differing_fields,
    is_same_value,
    pair_renames,
)
from sessionfs.travel.moment import NOW
from sessionfs.travel.plan import names_in
from sessionfs.travel.view import View, view_at

_FIELDS = (*CONTENT_FIELDS, *ATTRIBUTE_FIELDS)
_NAMES_ONLY = frozenset(IDENTITY_FIELDS)


class BadMerge(InvalidInput):
    """Sessions that cannot be merged: a session with itself, or one without a parent."""


class Clash(msgspec.Struct, frozen=True):
    """A path or key that both sessions changed in different ways."""

    what: str  # "artifact" or "state"
    name: str  # the path, or the key
    source: str  # what became of it there: "added", "deleted" or "modified"
    target: str

    def to_dict(self) -> dict[str, str]:
        """Return it JSON-ready: paths in text form."""
        name = text_of(self.name) if self.what == "artifact" else self.name
        return {"what": self.what, "name": name, "source": self.source, "target": self.target}


class Merge(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge has changed, or what it would change.

    With ``conflicts``, nothing was changed.
    """

    source: str
    target: str
    base: str  # the moment that both began with, as in ``q4@{17}``
    changes: tuple[Changed, ...]
    conflicts: tuple[Clash, ...]
    seq: int | None = None  # number of the record that says so; None when nothing was changed
    checkpoint: str | None = None  # of what the target was before

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        lists = {name: [one.to_dict() for one in getattr(self, name)] for name in ("changes", "conflicts")}
        return {**asdict(self), **lists}


def merge(source: Session, target: Session, *, dry_run: bool = False) -> Merge:
    """Take what *source* changed since both had the same over into *target*.

    Args:
        dry_run: Only say what would be changed.

    Returns:
        What was changed; or the conflicts, and then nothing was.

    Raises:
        Unrelated: They never had anything in common.
        BadMerge: They are one and the same.
        SessionNotWritable, LimitReached: Nothing was changed.

    Durability:
        As the durability mode says.
    """
    if source.id == target.id:
        raise BadMerge(f"session {source.id} cannot be merged with itself; name another one with --into")
    view = view_at(source, NOW)
    merging = _Merging(source, view, target)
    if dry_run:
        with target.writing():
            target.check_writable()
            merging.compare()
        return merging.result(None)
    return merging.result(carry_out(target, merging.prepare))


class _Compared(NamedTuple):
    """What both sessions changed since they had the same, and what is to be taken over of it."""

    base: Ancestor
    theirs: list[Change]  # of the source
    ours: list[Change]  # of the target
    wanted: list[Change]
    keys: list[StateChange]  # likewise
    conflicts: list[Clash]

    def shown(self) -> tuple[Changed, ...]:
        """Return what is taken over as people see it."""
        seen = [change for change in self.wanted if not _is_time_of_directory(change)]
        artifacts = [
            Changed("artifact", change.path, change.kind, change.renamed_from) for change in pair_renames(seen)
        ]
        return (*artifacts, *(Changed("state", change.key, change.kind) for change in self.keys))


class _Merging:
    """One merge."""

    def __init__(self, source: Session, view: View, target: Session) -> None:
        self._source = source
        self._view = view
        self._target = target
        self._outcome: Merge | None = None

    def compare(self) -> _Compared:
        """Find out what is to be done; the caller holds the target's lock."""
        view, target = self._view, self._target
        with view.lock:
            base = common_ancestor(self._source, view, target)
            theirs = compare_trees(base.fold.tree, view.tree, times=True, identity=True)
            ours = compare_trees(base.fold.tree, target.tree, times=True, identity=True)
            wanted, conflicts = _choose(theirs, ours)
            their_keys = compare_states(base.fold.state, view.state)
            keys, clashes = _choose_keys(their_keys, compare_states(base.fold.state, target.fold.state))
            compared = _Compared(base, theirs, ours, wanted, keys, [*conflicts, *clashes])
            self._outcome = Merge(
                source=self._source.id,
                target=target.id,
                base=base.name,
                changes=compared.shown(),
                conflicts=tuple(compared.conflicts),
            )
        return compared

    def prepare(self) -> Prepared | None:
        """Return what is to be appended to the target; its lock is held."""
        compared = self.compare()
        outcome = self.result(None)
        if outcome.conflicts or not outcome.changes:
            return None
        view, target = self._view, self._target
        snapshot, plan = begin_plan(target)
        with view.lock:
            plan.change_tree(
                [self._with_origin(change) for change in compared.wanted],
                names=names_in(view.tree),
                taken=self._inodes_elsewhere(compared),
                continues=False,
            )
            values = target.fold.state.values
            plan.change_state([StateChange(one.key, values.get(one.key), one.after) for one in compared.keys])
        said = sessions.Merged(
            session=self._source.id,
            seq=view.position.seq,
            includes=view.fields.includes,
            base=f"{compared.base.session_id}:{compared.base.seq - 1}",
            checkpoint=free_name(target, "merge"),
        )
        self._outcome = replace(outcome, checkpoint=said.checkpoint)
        message = f"made by the merge of {self._source.id}"
        return Prepared(snapshot, plan, ("session.merged", said), said.checkpoint, message)

    def result(self, seq: int | None) -> Merge:
        """Return what was done, by the record *seq*, or would be."""
        assert self._outcome is not None, "compare() comes first"
        return replace(self._outcome, seq=seq)

    def _inodes_elsewhere(self, compared: _Compared) -> set[int]:
        """Return the numbers of inodes that are at other paths in the target than what was common to both tells."""
        found = {change.after.ino for change in compared.ours if change.after is not None and _is_moved(change)}
        wanted = {change.path for change in compared.wanted}
        for change in compared.theirs:
            # The source has it elsewhere now, and something just like it here: here it stays, for that is no change.
            if change.before is not None and change.path not in wanted:
                there = self._target.tree.find(change.path)
                if there is not None and there.ino == change.before.ino:
                    found.add(there.ino)
        return found

    def _with_origin(self, change: Change) -> Change:
        """Return *change* with what is taken over naming the artifact of the source that it was made from."""
        if change.after is None or not change.after.is_file:
            return change
        after = copy(change.after)
        there = self._target.tree.find(change.path)
        if change.has_other_content:
            after.origin = after.id
        elif there is not None:
            after.origin = there.origin
        return replace(change, after=after)


def _choose(theirs: list[Change], ours: list[Change]) -> tuple[list[Change], list[Clash]]:
    """Return what the source changed and is to be taken over, and what both changed in different ways."""
    wanted: list[Change] = []
    conflicts: list[Clash] = []
    their_changes, our_changes = (
        {change.path: change for change in changes if _is_significant(change)} for changes in (theirs, ours)
    )
    for change in theirs:
        our = our_changes.get(change.path)
        if change.fields and _NAMES_ONLY.issuperset(change.fields):
            continue
        if our is None:
            above = _lost_above(change, our_changes)
            if above is None:
                wanted.append(change)
            elif _is_significant(change) and change.after is not None:
                conflicts.append(_clash(change.path, change, above))
        elif _is_significant(change) and not _is_same(change.after, our.after):
            conflicts.append(_clash(change.path, change, our))
    for path, our in our_changes.items():
        above = _lost_above(our, their_changes)
        if path not in their_changes and above is not None and our.after is not None:
            conflicts.append(_clash(path, above, our))
    return wanted, sorted(conflicts, key=lambda conflict: conflict.name.split("/"))


def _lost_above(change: Change, others: dict[str, Change]) -> Change | None:
    """Return which of *others* took a directory above *change* away."""
    above = change.path
    while "/" in above:
        above = above.rpartition("/")[0]
        other = others.get(above)
        if other is not None and (other.after is None or not other.after.is_directory):
            return other
    return None


def _choose_keys(theirs: list[StateChange], ours: list[StateChange]) -> tuple[list[StateChange], list[Clash]]:
    known = {change.key: change for change in ours}
    wanted: list[StateChange] = []
    conflicts: list[Clash] = []
    for change in theirs:
        our = known.get(change.key)
        if our is None:
            wanted.append(change)
        elif not is_same_value(change.after, our.after):
            conflicts.append(Clash("state", change.key, change.kind, our.kind))
    return wanted, conflicts


def _clash(path: str, their: Change, our: Change) -> Clash:
    return Clash("artifact", path, their.kind, our.kind)


def _is_significant(change: Change) -> bool:
    """Say whether *change* is more than one of times, or of which inode it is."""
    if change.before is None or change.after is None:
        return True
    return any(field in _FIELDS for field in change.fields)


def _is_time_of_directory(change: Change) -> bool:
    """Say whether a directory only got another time, as it does from whatever changes in it."""
    return change.after is not None and change.after.is_directory and not _is_significant(change)


def _is_moved(change: Change) -> bool:
    """Say whether another inode is there than before."""
    return change.before is None or "ino" in change.fields


def _is_same(one: Node | None, other: Node | None) -> bool:
    if one is None or other is None:
        return one is other
    return not differing_fields(one, other, _FIELDS)
