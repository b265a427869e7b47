"""Which objects a record needs: what must be there, and whole, for the record to be believed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import msgspec

from sessionfs.artifacts.tree_object import DamagedTree, decode_tree
from sessionfs.errors import Error
from sessionfs.log import Draft, Record
from sessionfs.objects import ObjectDatabase
from sessionfs.oid import ObjectId
from sessionfs.store import snapshot as snapshots
from sessionfs.store.pruned import NAMING


class Reference(NamedTuple):
    """One object that a record names."""

    oid: ObjectId
    kind: str  # "blob", "tree" or "snapshot"


class _Content(msgspec.Struct):
    oid: ObjectId | None = None
    old_oid: ObjectId | None = None
    new_oid: ObjectId | None = None


class _Snapshots(msgspec.Struct):
    snapshot: ObjectId | None = None
    beginning: ObjectId | None = None


_decode_content = msgspec.json.Decoder(_Content).decode
_decode_snapshots = msgspec.json.Decoder(_Snapshots).decode


def named_by(drafts: list[Draft]) -> list[ObjectId]:
    """Return the objects that records to be appended name, as far as these must be there."""
    named: list[ObjectId | None] = []
    for draft in drafts:
        if draft.data_oid is not None:
            named.append(draft.data_oid)
        elif draft.data is not None and draft.type in NAMING:
            if draft.type.startswith("session."):
                said = _decode_snapshots(draft.data)
                named += [said.snapshot, said.beginning]
            else:
                content = _decode_content(draft.data)
                named += [content.oid, content.new_oid]
    return [oid for oid in named if oid is not None]


def references(record: Record, objects: ObjectDatabase) -> Iterator[Reference]:
    """Yield what *record* names, its own data first. Of callers' events only that: the rest is their affair.

    Raises:
        NoSuchObject, DamagedObject: Its own data, which lie in an object, cannot be read.
    """
    text: bytes | msgspec.Raw = record.data
    if record.data_oid is not None:
        yield Reference(record.data_oid, "blob")
        text = objects.read(record.data_oid)
    try:
        if record.type.startswith(("artifact.", "state.")):
            content = _decode_content(text)
            for oid in (content.oid, content.old_oid, content.new_oid):
                if oid is not None:
                    yield Reference(oid, "blob")
        elif record.type.startswith("session."):
            named = _decode_snapshots(text)
            for oid in (named.snapshot, named.beginning):
                if oid is not None:
                    yield Reference(oid, "snapshot")
    except msgspec.MsgspecError:
        return  # the fold says what is wrong with it


def has_all(record: Record, objects: ObjectDatabase, pruned: Collection[ObjectId] = ()) -> bool:
    """Say whether all that *record* needs is there, as far as a look without hashing tells.

    Args:
        pruned: What its log says has been given up; nobody needs it.
    """
    try:
        return all(
            reference.oid in pruned or _is_there(reference, objects) for reference in references(record, objects)
        )
    except Error:
        return False


def has_snapshot(oid: ObjectId, objects: ObjectDatabase) -> bool:
    """Say whether a snapshot is there with all its trees. What is read of them is checked against their names."""
    waiting = [Reference(oid, "snapshot")]
    seen: set[ObjectId] = set()
    try:
        while waiting:
            reference = waiting.pop()
            if reference.kind != "blob" and reference.oid not in seen:
                seen.add(reference.oid)
                waiting += named_in(reference, objects)
    except Error:
        return False
    return True


def named_in(reference: Reference, objects: ObjectDatabase) -> list[Reference]:
    """Return what a snapshot or a tree names: trees, and blobs.

    Raises:
        NoSuchObject, DamagedObject, DamagedSnapshot, DamagedTree: It cannot be read.
    """
    if reference.kind == "snapshot":
        snapshot = snapshots.read(objects, reference.oid)
        trees = [oid for oid in (snapshot.root.tree, snapshot.linked) if oid is not None]
        blobs = [value.oid for value in snapshot.state.values() if value.oid is not msgspec.UNSET]
    else:
        try:
            tree = decode_tree(objects.read_json("tree", reference.oid))
        except msgspec.MsgspecError as failure:
            raise DamagedTree(f"the tree {reference.oid} cannot be read: {failure}") from failure
        trees = tree.trees()
        blobs = [entry.oid for entry in tree.entries if entry.oid is not None]
    return [*(Reference(oid, "tree") for oid in trees), *(Reference(oid, "blob") for oid in blobs)]


def _is_there(reference: Reference, objects: ObjectDatabase) -> bool:
    if reference.kind == "snapshot":
        return has_snapshot(reference.oid, objects)
    return objects.has(reference.oid, reference.kind)
