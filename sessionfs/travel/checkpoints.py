"""The checkpoints of a session: named refs to its snapshots. How one is made is in ``mark``.

The snapshot says which place in the log it is of, so a checkpoint stands for a moment like any other; the ref says who
gave the name, when, and why.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from sessionfs import refs
from sessionfs.clock import parse_time
from sessionfs.errors import Conflict, Corrupt, NotFound, from_os_error
from sessionfs.log import Position
from sessionfs.objects import NoSuchObject
from sessionfs.oid import ObjectId
from sessionfs.store import snapshot as snapshots
from sessionfs.store.session import Session


class NoSuchCheckpoint(NotFound, KeyError):
    """The session has no checkpoint of this name."""


class LostCheckpoint(Corrupt):
    """A checkpoint names a snapshot that the store does not have."""


class CheckpointExists(Conflict):
    """The name is taken."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A moment with a name."""

    name: str
    oid: ObjectId  # of the snapshot
    seq: int  # of the last record before the moment
    chain: str  # of that record: it names the moment, whatever became of the log
    time_ns: int  # when that was written
    message: str
    created_ns: int  # when the name was given
    created_by: str


class _Place(NamedTuple):
    """What of a snapshot has to be known for each look at its checkpoint."""

    session_id: str
    position: Position
    time_ns: int


# By the snapshot's oid, so never wrong: a snapshot holds all of a session's state, and the mount asks at every path.
_places: dict[ObjectId, _Place] = {}
_MAX_PLACES = 256


def list_checkpoints(session: Session) -> list[Checkpoint]:
    """Return the checkpoints of *session* in the order of their moments.

    Raises:
        CorruptRef, LostCheckpoint, DamagedObject, DamagedSnapshot: One of them is damaged.
    """
    found = [find_checkpoint(session, name) for name in checkpoint_names(session)]
    return sorted((one for one in found if one is not None), key=lambda one: (one.seq, one.created_ns, one.name))


def checkpoint_names(session: Session) -> list[str]:
    """Return the names of refs that *session* has or had, sorted: some may have been deleted."""
    return refs.list_names(session.log.disk, _directory(session))


def find_checkpoint(session: Session, name: str) -> Checkpoint | None:
    """Return the checkpoint called *name*; None when there is none.

    Raises:
        CorruptRef, LostCheckpoint, DamagedObject, DamagedSnapshot: It is damaged.
        MalformedRefName: None can be called so.
    """
    entry = refs.newest(session.log.disk, _path(session, name))
    if entry is None:
        return None
    oid = ObjectId(entry.value)
    try:
        place = _places.get(oid) or _read_place(session, oid)
    except NoSuchObject as failure:
        raise LostCheckpoint(
            f"the checkpoint {name!r} of session {session.id} is snapshot {oid}, which is missing; see sessionfs fsck"
        ) from failure
    if place.session_id != session.id:
        raise snapshots.DamagedSnapshot(
            f"the checkpoint {name!r} of session {session.id} names a snapshot of session {place.session_id}; "
            f"delete it: sessionfs checkpoint --delete {session.id} {name}"
        )
    return Checkpoint(
        name=name,
        oid=oid,
        seq=place.position.seq - 1,
        chain=place.position.chain,
        time_ns=place.time_ns,
        message=entry.message,
        created_ns=entry.time_ns,
        created_by=entry.actor,
    )


def _read_place(session: Session, oid: ObjectId) -> _Place:
    snapshot = snapshots.read(session.objects, oid)
    place = _Place(snapshot.session.id, snapshot.position, parse_time(snapshot.session.updated_at))
    if len(_places) >= _MAX_PLACES:
        _places.clear()
    _places[oid] = place
    return place


def resolve_checkpoint(session: Session, name: str) -> Checkpoint:
    """Return the checkpoint called *name*; otherwise as :func:`find_checkpoint`.

    Raises:
        NoSuchCheckpoint: There is none.
    """
    found = find_checkpoint(session, name)
    if found is None:
        raise _no_such_checkpoint(session, name)
    return found


def point_checkpoint(session: Session, name: str, oid: ObjectId, *, message: str = "", replace: bool = False) -> None:
    """Let the checkpoint *name* be the snapshot *oid*.

    Raises:
        CheckpointExists: It is there already, and *replace* was not asked for; nothing was changed.
        BadMessage, MalformedRefName: Nothing was changed.

    Durability:
        relaxed: survives this process. full: survives a power cut.

    Concurrency:
        Of several who make the same one, one succeeds.
    """
    try:
        _update(session, name, oid, expected=None if replace else refs.NONE, message=message)
    except refs.StaleValue as failure:
        raise CheckpointExists(
            f"session {session.id} already has a checkpoint {name!r}; choose another name, or replace it"
        ) from failure


def delete_checkpoint(session: Session, name: str) -> ObjectId:
    """Take the name *name* away, and return the snapshot that it stood for. The moment itself stays, as all do.

    Raises:
        NoSuchCheckpoint: There is none.
        CorruptRef: It is damaged.
    """
    entry = refs.newest(session.log.disk, _path(session, name))
    if entry is None:
        raise _no_such_checkpoint(session, name)
    _update(session, name, refs.NONE, expected=entry.value)
    return ObjectId(entry.value)


def remove_checkpoint(session: Session, name: str) -> None:
    """Take the name *name* away with its history, as far as there is any.

    Raises:
        DiskFault, ReadOnlyStore: It is still there.
    """
    path = _path(session, name)
    try:
        session.log.disk.unlink(path)
    except FileNotFoundError:
        return
    except OSError as failure:
        raise from_os_error(failure, f"remove {path}") from failure


def _no_such_checkpoint(session: Session, name: str) -> NoSuchCheckpoint:
    return NoSuchCheckpoint(f"session {session.id} has no checkpoint {name!r}; see: sessionfs checkpoints {session.id}")


def _update(session: Session, name: str, value: str, *, expected: str | None, message: str = "") -> None:
    log = session.log
    path = _path(session, name)
    refs.update(
        log.disk,
        session.clock,
        log.unsynced,
        log.mode,
        path,
        value,
        actor=session.actor,
        expected=expected,
        message=message,
    )


def _path(session: Session, name: str) -> str:
    return f"{_directory(session)}/{refs.check_name(name)}"


def _directory(session: Session) -> str:
    return f"{session.log.path.rpartition('/')[0]}/refs"
