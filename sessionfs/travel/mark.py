"""Making a checkpoint: writing the snapshot of a moment, and giving it a name.

That of the present is a ``session.saved`` record that names the snapshot, then the ref. That of an earlier moment, or
of a session that cannot be written any more, is the ref alone: to give a moment a name changes nothing in the session.
"""

from __future__ import annotations

from sessionfs import refs
from sessionfs.errors import InvalidInput
from sessionfs.oid import ObjectId
from sessionfs.store import snapshot as snapshots
from sessionfs.store.session import Session
from sessionfs.travel.checkpoints import (
    Checkpoint,
    CheckpointExists,
    find_checkpoint,
    point_checkpoint,
    resolve_checkpoint,
)
from sessionfs.travel.moment import NOW, AtCheckpoint, BadMoment, Moment, Now, parse_moment
from sessionfs.travel.view import view_at


class BadCheckpointName(InvalidInput):
    """A name that no checkpoint can have."""


def make_checkpoint(
    session: Session, name: str, moment: Moment = NOW, *, message: str = "", replace: bool = False
) -> Checkpoint:
    """Give *moment* the name *name*.

    Raises:
        BadCheckpointName: No moment can be called so.
        CheckpointExists: The name is taken, and *replace* was not asked for.
        BadMessage: The message cannot be kept.
        NoSuchMoment, CorruptLog: As :func:`sessionfs.travel.view_at`.

    Durability:
        As the durability mode says.

    Concurrency:
        A caller that needs the checkpoint to be of what it will change next calls this inside ``session.writing()``.
    """
    check_checkpoint_name(name)
    refs.encode_message(message)  # before anything is written
    session.refresh()
    if not replace and find_checkpoint(session, name) is not None:
        raise CheckpointExists(
            f"session {session.id} already has a checkpoint {name!r}; choose another name, or replace it"
        )
    if isinstance(moment, Now) and session.is_writable:
        oid = session.save(checkpoint=name)
        point_checkpoint(session, name, oid, message=message, replace=replace)
    else:
        with session.objects.holding(()):  # until the ref names it, nobody else does
            point_checkpoint(session, name, _write(session, moment), message=message, replace=replace)
    return resolve_checkpoint(session, name)


def check_checkpoint_name(name: str) -> str:
    """Return *name* if a moment can be called so.

    Raises:
        BadCheckpointName: It is no name for a ref, or means another moment already: a number, a time, ``now``.
    """
    try:
        if parse_moment(name) == AtCheckpoint(name):
            return name
        meaning = "that is another moment already"
    except BadMoment:
        meaning = "letters, digits, '.', '_' and '-' are allowed, 128 at most"
    raise BadCheckpointName(f"{name!r} cannot be the name of a checkpoint: {meaning}; as in before-merge")


def _write(session: Session, moment: Moment) -> ObjectId:
    """Write the snapshot of *moment*, which no record will name."""
    view = view_at(session, moment)
    with view.lock:
        return snapshots.write(session.objects, view.fold, view.position, [])
