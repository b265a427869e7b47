"""A snapshot: the fold of a session at one place of its log, as an object.

Opening a session starts from the newest one. It saves time and holds nothing that the log does not: when it is
missing or damaged, the fold starts from the first record.
"""

from __future__ import annotations

import msgspec

from sessionfs.artifacts import Entry, Tree
from sessionfs.errors import Corrupt
from sessionfs.log import Position
from sessionfs.objects import ObjectDatabase
from sessionfs.oid import ObjectId
from sessionfs.sessions import Fields
from sessionfs.state import State, Value
from sessionfs.store.fold import Fold
from sessionfs.store.hook_history import HookHistory


class DamagedSnapshot(Corrupt):
    """A snapshot object is not what a snapshot is, or belongs to another session."""


class Snapshot(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the object holds, as canonical JSON."""

    session: Fields
    position: Position  # the first record that it does not cover
    root: Entry
    linked: ObjectId | None = None  # the table of inodes with several names
    state: dict[str, Value]
    hooks: dict[str, HookHistory] = {}
    artifact_count: int
    size: int
    stored_size: int
    parents: list[ObjectId]  # the snapshots it came from


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Snapshot)


def write(objects: ObjectDatabase, fold: Fold, position: Position, parents: list[ObjectId]) -> ObjectId:
    """Write the tree objects that changed, then the snapshot that names them, and return its id.

    Durability:
        relaxed: survives this process. full: survives a power cut.
    """
    written = fold.tree.write(lambda data: objects.put_json("tree", data))
    return objects.put_json("snapshot", encode(describe(fold, written, position, parents)))


def describe(
    fold: Fold, written: tuple[Entry, ObjectId | None], position: Position, parents: list[ObjectId]
) -> Snapshot:
    """Return the snapshot of *fold*, whose tree is *written*: the root, and the table of linked inodes."""
    root, linked = written
    return Snapshot(
        session=fold.fields,
        position=position,
        root=root,
        linked=linked,
        state=fold.state.values,
        hooks=fold.hooks,
        artifact_count=fold.tree.artifact_count,
        size=fold.tree.size,
        stored_size=fold.tree.stored_size,
        parents=parents,
    )


def encode(snapshot: Snapshot) -> bytes:
    """Return a snapshot as canonical JSON."""
    return _encoder.encode(snapshot)


def read(objects: ObjectDatabase, oid: ObjectId) -> Snapshot:
    """Return a snapshot.

    Raises:
        NoSuchObject, DamagedObject: The object is missing or damaged.
        DamagedSnapshot: It is no snapshot.
    """
    try:
        return _decoder.decode(objects.read_json("snapshot", oid))
    except msgspec.MsgspecError as failure:
        raise DamagedSnapshot(f"the snapshot {oid} cannot be read: {failure}") from failure


def restore(objects: ObjectDatabase, snapshot: Snapshot, fold: Fold) -> Position:
    """Set *fold* to what *snapshot* says, and return the place in the log from which to go on."""
    fold.fields = snapshot.session
    fold.tree = Tree.restore(
        snapshot.root,
        fold.load_tree,
        linked=snapshot.linked,
        artifact_count=snapshot.artifact_count,
        size=snapshot.size,
        stored_size=snapshot.stored_size,
    )
    fold.state = State(objects.read, {key: _detached(value) for key, value in snapshot.state.items()})
    fold.hooks = snapshot.hooks
    return snapshot.position


def _detached(value: Value) -> Value:
    """Return *value* with JSON of its own, so that it does not keep the snapshot's bytes alive."""
    if isinstance(value.json, msgspec.Raw):
        value.json = value.json.copy()
    return value
