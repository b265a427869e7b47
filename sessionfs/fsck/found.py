"""What is known of a store's objects while it is checked."""

from __future__ import annotations

from typing import NamedTuple

from sessionfs.errors import Corrupt, Denied, NotFound
from sessionfs.fsck.fault import Use
from sessionfs.objects import ObjectDatabase, ObjectFile
from sessionfs.oid import ObjectId

# Of each damaged object: a hundred lines say no more than these about how bad it is.
MAX_USES = 100


class Damaged(NamedTuple):
    """One place where an object should be whole, and is not."""

    file: ObjectFile
    kind: str  # of the fault
    message: str


class Found:
    """Which objects a store has, which of them are whole, and what needs those that are not."""

    def __init__(self, objects: ObjectDatabase) -> None:
        self._objects = objects
        self.present: dict[ObjectId, set[str]] = {}  # kinds, by oid
        self.damaged: dict[ObjectId, list[Damaged]] = {}
        self._uses: dict[ObjectId, dict[Use, None]] = {}  # a dict keeps the order
        self._lists: dict[ObjectId, set[ObjectId]] = {}  # by piece: the blobs that are broken because of it

    def has(self, oid: ObjectId, kind: str) -> bool:
        """Say whether there is an object of this name and kind, whole or not."""
        if kind in self.present.get(oid, ()):
            return True
        return self._objects.has(oid, kind)  # it may have been put since the objects were listed

    def add_damaged(self, damaged: Damaged) -> None:
        """Note that an object is not whole in one place."""
        oid = damaged.file.oid
        self.damaged.setdefault(oid, []).append(damaged)
        for piece in self._objects.pieces(oid):
            self._lists.setdefault(piece, set()).add(oid)

    def note_use(self, oid: ObjectId, use: Use) -> None:
        """Note what needs an object, if that is not whole."""
        if oid in self.damaged:
            uses = self._uses.setdefault(oid, {})
            if len(uses) < MAX_USES:
                uses[use] = None

    def uses(self, oid: ObjectId) -> tuple[Use, ...]:
        """Return what needs an object that is not whole, by itself or as a piece."""
        found: dict[Use, None] = {}
        waiting, seen = [oid], {oid}
        while waiting:
            one = waiting.pop()
            found |= self._uses.get(one, {})
            waiting += self._lists.get(one, set()) - seen
            seen |= self._lists.get(one, set())
        return tuple(found)


def whole_copy(objects: ObjectDatabase, oid: ObjectId, kind: str) -> ObjectFile | None:
    """Return where an object is that is what its name says; None when it is nowhere. Hashes what it finds."""
    for file in objects.places(oid):
        if file.kind == kind:
            try:
                objects.verify(file)
                return file
            except (Corrupt, Denied, NotFound):
                continue
    return None
