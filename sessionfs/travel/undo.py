"""Taking back the newest operations of a session, and taking that back."""

from __future__ import annotations

from threading import RLock

from sessionfs import sessions
from sessionfs.artifacts import Node, Tree, text_of
from sessionfs.errors import Conflict, InvalidInput
from sessionfs.log import Record
from sessionfs.store import past
from sessionfs.store.fold import Fold, InconsistentLog
from sessionfs.store.session import Session
from sessionfs.travel.effect import Undoable, find_redoable, find_undoable
from sessionfs.travel.moment import AfterRecord
from sessionfs.travel.resolve import resolve_moment
from sessionfs.travel.restore import REDO, UNDO, Restored, Target, bring_back
from sessionfs.travel.view import view_at


class BadCount(InvalidInput):
    """A number of operations that cannot be asked for."""


class RestsOnUndone(Conflict):
    """What is to be undone cannot be without something that would stay."""


def undo(session: Session, count: int = 1) -> Restored:
    """Take the newest *count* operations back: the session becomes what it would be if they had not happened.

    What others did meanwhile, in operations that are not among these, stays.

    Raises:
        NothingToUndo: There are not so many operations that are in effect.
        RestsOnUndone: Another operation was going on at the same time, and needs what they made.
        SessionNotWritable, BadCount: Nothing was changed.

    Durability:
        As the durability mode says.
    """
    _check_count(count)

    def find() -> Target:
        found = find_undoable(session, count)
        said = sessions.Restored(kind=UNDO, to=found.place.seq - 1, operations=found.operations)
        if found.others:
            return Target(_without(session, found), RLock(), said)
        view = view_at(session, found.position)
        return Target(view.fold, view.lock, said)

    return bring_back(session, find)


def redo(session: Session, count: int = 1) -> Restored:
    """Take the newest *count* undoings back, if nothing else was changed since.

    Raises:
        NothingToRedo: There are not so many.
        SessionNotWritable, BadCount: Nothing was changed.

    Durability:
        As the durability mode says.
    """
    _check_count(count)

    def find() -> Target:
        found = find_redoable(session, count)
        view = view_at(session, resolve_moment(session, AfterRecord(found.to)))
        said = sessions.Restored(kind=REDO, to=found.to, operations=found.operations)
        return Target(view.fold, view.lock, said)

    return bring_back(session, find)


def _without(session: Session, found: Undoable) -> Fold:
    """Return what the session would be without what is to be undone, and with all else that happened."""
    fold = past.fold_at(session, found.position).fold
    for record in found.others:
        try:
            fold.apply(record)
        except InconsistentLog as failure:
            raise RestsOnUndone(
                f"record {record.seq} ({record.type}) of session {session.id} was written by another operation at the "
                f"same time, and rests on what would be undone: undo more, or restore a moment: {failure.__cause__}"
            ) from failure
    if any(map(_may_bring_back, found.others)):
        _check_inodes(session, fold.tree)
    return fold


def _may_bring_back(record: Record) -> bool:
    """Say whether *record* may store an inode that was there before: such a one says who made it."""
    return record.type == "artifact.stored" and (record.data_oid is not None or b'"created_by"' in bytes(record.data))


def _check_inodes(session: Session, tree: Tree) -> None:
    """Check that nothing is there twice: brought back by another operation, and never gone without what is undone."""
    paths: dict[int, tuple[str, Node]] = {}
    for path, node in tree.walk():
        other, known = paths.setdefault(node.ino, (path, node))
        if known is not node:
            raise RestsOnUndone(
                f"{text_of(path)!r} and {text_of(other)!r} would be one artifact of session {session.id}: another "
                "operation brought it back at the same time, after what would be undone had taken it away: undo more, "
                "or restore a moment"
            )


def _check_count(count: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise BadCount(f"{count!r} operations cannot be taken back: a number of 1 or more is needed")
