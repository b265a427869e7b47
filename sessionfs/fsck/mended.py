"""Objects that are not whole, made whole: from a copy, from the log, or by turning one bit back."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from sessionfs.errors import Corrupt, Error, NotFound
from sessionfs.fsck.bits import MAX_BYTES, turn_back
from sessionfs.fsck.found import whole_copy
from sessionfs.log import Position
from sessionfs.objects import ObjectFile
from sessionfs.oid import ObjectId, hash_bytes
from sessionfs.sessions import Moved
from sessionfs.store import past
from sessionfs.store import snapshot as snapshots
from sessionfs.store.aside import Aside
from sessionfs.store.session import Session
from sessionfs.store.store import Store


class Lost(NamedTuple):
    """An object that is needed, and not whole where it is looked for."""

    oid: ObjectId
    kind: str
    session_ids: tuple[str, ...]  # that need it


class Mended(NamedTuple):
    """An object that was found after all."""

    how: str  # for people
    store: Store | None = None  # that has it whole
    content: bytes | None = None  # else, its content


def find(lost: Lost, store: Store, others: Sequence[Store]) -> Mended | None:
    """Return where the content of an object can be had; None when it is gone. Writes nothing."""
    for other in (store, *others):
        if whole_copy(other.objects, lost.oid, lost.kind) is not None:
            return Mended("another copy in this store" if other is store else f"from {other.path}", other)
    for session_id in lost.session_ids:
        content = _from_log(store.unread(session_id), lost)
        if content is not None:
            return Mended(f"from the log of session {session_id}", content=content)
    for file in store.objects.places(lost.oid):
        if file.kind == lost.kind and file.compression == "none" and file.stored_size <= MAX_BYTES:
            content = turn_back(store.objects.read_file(file), lambda tried: hash_bytes(tried) == lost.oid)
            if content is not None:
                return Mended("one bit of it had flipped", content=content)
    return None


def is_whole(store: Store, file: ObjectFile) -> bool:
    """Say whether a file is what its name says."""
    try:
        store.objects.verify(file)
    except (Corrupt, NotFound):
        return False
    return True


def put(lost: Lost, mended: Mended, store: Store, aside: Aside) -> None:
    """Put an object where it is looked for; what lay there and is not whole is set aside."""
    for file in list(store.objects.places(lost.oid)):
        if file.kind == lost.kind and not is_whole(store, file):
            aside.move_object(file)
    if mended.store is store:
        return
    if lost.kind == "blob":
        if mended.store is None:
            source = io.BytesIO(mended.content or b"")
            store.objects.put_stream(source)
            return
        with mended.store.objects.open(lost.oid) as reader:
            store.objects.put_pieces(reader.pieces())
        return
    content = mended.content
    if content is None and mended.store is not None:
        content = mended.store.objects.read_json(lost.kind, lost.oid)
    store.objects.put_json(lost.kind, content or b"")


def _from_log(session: Session, lost: Lost) -> bytes | None:
    try:
        if lost.kind == "tree":
            return past.recompute_tree(session, lost.oid)
        if lost.kind == "snapshot":
            return _recompute_snapshot(session, lost.oid)
    except (Error, ValueError):
        return None
    return None


def _recompute_snapshot(session: Session, oid: ObjectId) -> bytes | None:
    """Return the snapshot *oid* as the log adds up to it, if it is named there."""
    fold = past.begin(session, heal=False).fold
    position = Position(0, 0, session.id, 0)
    candidates: list[list[ObjectId]] = [[]]
    for line, record in session.log.lines():
        if record.type.startswith("session."):
            moved = _decode(record.data)
            if moved is not None and moved.snapshot == oid:
                for parents in candidates:
                    written = fold.tree.write(hash_bytes)
                    content = snapshots.encode(snapshots.describe(fold, written, position, parents))
                    if hash_bytes(content) == oid:
                        return content
            if moved is not None and moved.snapshot is not None:
                candidates.insert(0, [moved.snapshot])
        fold.apply(record)
        position = Position(record.seq + 1, position.offset + len(line), record.chain, record.base)
    return None


def _decode(data: msgspec.Raw) -> Moved | None:
    try:
        return msgspec.json.decode(data, type=Moved)
    except msgspec.MsgspecError:
        return None


def lost_of(faults: Iterable[tuple[ObjectId, str, tuple[str, ...]]]) -> list[Lost]:
    """Return each object of *faults* (oid, kind, sessions) once; what others consist of first."""
    sessions: dict[tuple[ObjectId, str], dict[str, None]] = {}
    for oid, kind, session_ids in faults:
        sessions.setdefault((oid, kind), {}).update(dict.fromkeys(session_ids))
    return [Lost(oid, kind, tuple(ids)) for (oid, kind), ids in sessions.items()]
