"""Forks: sessions that begin with what another one is, or was, in constant time and space.

The first record of a fork says where in its parent's log it begins, and nothing is copied (see
:mod:`sessionfs.store.past`). So the parent's log must stay as long as a fork needs it: a fork is made with the parent's
lock held and is noted in its log, and whoever deletes the parent first gives each fork a snapshot of its beginning.

Locks: the parent's before the child's; the child of a child comes after both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionfs.artifacts import text_of
from sessionfs.durable import Mode
from sessionfs.errors import Conflict, Corrupt, NotFound
from sessionfs.log import Draft, Position
from sessionfs.oid import ObjectId
from sessionfs.sessions import Created, Fork, Forked, Moved, check_name
from sessionfs.store import past
from sessionfs.store import snapshot as snapshots
from sessionfs.store.pruned import pruned_from
from sessionfs.store.session import Session, checked_changes

if TYPE_CHECKING:
    from sessionfs.store.store import Store


class ForkCannotBeKept(Conflict):
    """A session cannot be deleted, because a fork of it would be lost."""


class ContentGone(NotFound):
    """What a session held at that moment is not in the store any more."""


def make(store: Store, parent: Session, child: Session, at: Position | None, fields: dict[str, Any]) -> Session:
    """Make a fork of *parent* and return it; what it holds is read when somebody looks.

    Args:
        parent: Up to date, as far as its log goes.
        child: The session to be made, of which nothing has been read.
        at: Where in the parent's log it begins; now by default.
        fields: Its ``name``; ``description``, ``tags`` and ``metadata`` where they are to differ from the parent's.

    Raises:
        SessionExists, BadField: Nothing was made.
        ContentGone: What the parent held there has been given up.

    Durability:
        As the durability mode says. The parent's log is synced no later than the first record of the fork.

    Concurrency:
        Holds the parent's lock, so that nobody deletes it before it is known to have a fork.
    """
    if at is not None:
        _check_content(parent, at)
    if parent.damage is not None:
        # It cannot be noted there, so the fork must not need its log. (Nobody can delete it before it is repaired.)
        position = at if at is not None else parent.log.position
        with parent.objects.holding(()):  # the fork's own record is the first to name that snapshot, and its trees
            drafts = [*_first(parent, child, position, fields), _keeping(parent, position)]
            return store.create_from(child, lambda child: child.append_unread(drafts))
    with parent.noting():
        position = at if at is not None else parent.log.position
        drafts = _first(parent, child, position, fields)

        def write(child: Session) -> None:
            parent.note("session.forked", Forked(child.id, position.seq))
            if store.config.mode is Mode.FULL:
                parent.log.sync()
            else:
                parent.log.owe()
            child.append_unread(drafts)

        return store.create_from(child, write)


def _check_content(parent: Session, at: Position) -> None:
    """Check that what *parent* held at an earlier place is there still; nothing is read unless something was given up.

    Raises:
        ContentGone: It is not.
    """
    pruned = {oid for oid in pruned_from(parent, at) if not parent.objects.has(oid, "blob")}
    if not pruned:
        return
    tree = past.fold_at(parent, at).fold.tree
    gone = sorted(text_of(path) for path, node in tree.walk() if node.oid in pruned)
    if gone:
        shown = ", ".join(gone[:3]) + (", …" if len(gone) > 3 else "")
        raise ContentGone(
            f"session {parent.id} cannot be forked after its record {at.seq - 1}: the content of {len(gone)} artifacts "
            f"then ({shown}) has been given up since; fork a later moment, or the present"
        )


def _first(parent: Session, child: Session, position: Position, fields: dict[str, Any]) -> list[Draft]:
    """Return the first records of the fork."""
    named = {**fields}
    created = Created(
        id=child.id,
        name=check_name(named.pop("name", None)),
        parent=parent.id,
        fork=Fork(parent.id, position.seq, position.offset, position.chain, position.base),
    )
    drafts = [child.draft("session.created", created)]
    if named:
        drafts.append(child.draft("session.updated", checked_changes(named)))
    return drafts


def _keeping(parent: Session, position: Position) -> Draft:
    """Write a snapshot of *parent* at *position*, and return the record that makes a fork begin with it."""
    begun = past.fold_at(parent, position)
    return parent.draft("session.saved", Moved(beginning=_write(parent, begun, position)))


def _write(session: Session, begun: past.Past, position: Position) -> ObjectId:
    return snapshots.write(session.objects, begun.fold, position, [] if begun.snapshot is None else [begun.snapshot])


def keep_beginnings(store: Store, parent: Session) -> None:
    """Give each fork of *parent* a snapshot of what it began with, because the parent's log is about to go.

    The caller holds the parent's lock.

    Raises:
        ForkCannotBeKept: One of them is damaged, so that nothing can be recorded in it.

    Durability:
        In either mode it survives a power cut when this returns: the parent's log may be out of reach before the next
        sync, and a fork without either is lost.
    """
    if not parent.fold.fields.forked:
        return
    is_kept = False
    for session_id in store.session_ids():
        try:
            fork = past.fork_of(store.unread(session_id))
            if fork is None or fork.session != parent.id:
                continue
            child = store.session(session_id)
            with child.writing(), child.objects.holding(()):
                oid = _write(child, past.begin(child), fork.position)
                child.save_beginning(oid)
            is_kept = True
        except NotFound:
            continue  # deleted, or never came to be
        except Corrupt as failure:
            raise ForkCannotBeKept(
                f"session {parent.id} cannot be deleted: its fork {session_id} begins with it, and cannot be given "
                f"what it needs: {failure}"
            ) from failure
    if is_kept:
        store.sync()
