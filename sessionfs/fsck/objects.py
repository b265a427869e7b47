"""Objects against their names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from sessionfs.errors import Corrupt, NotFound
from sessionfs.fsck.fault import Fault
from sessionfs.objects import BrokenPieces, ObjectFile, Verifier
from sessionfs.oid import ObjectId
from sessionfs.store.store import Store

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes there are."""


class Found:
    """Which objects a store has, and which of them are whole."""

    def __init__(self) -> None:
        self.present: dict[ObjectId, set[str]] = {}  # kinds, by oid
        self.damaged: set[ObjectId] = set()

    def has(self, oid: ObjectId, kind: str) -> bool:
        """Say whether there is an object of this name and kind, whole or not."""
        return kind in self.present.get(oid, ())


def check_objects(store: Store, found: Found, progress: Progress | None) -> Iterator[Fault]:
    """Hash every object; fills *found* on the way.

    Content in pieces comes last, the shorter before the longer: they have most of their pieces in common.
    """
    yield from _check_packs(store)
    verifier = store.objects.verifier()
    files = list(store.objects.list())
    in_pieces = [file for file in files if file.compression == "chunks"]
    ordered = [file for file in files if file.compression != "chunks"] + sorted(in_pieces, key=verifier.size)
    total = sum(file.stored_size for file in files)
    done = 0
    for file in ordered:
        for fault in _check(store, verifier, file):
            found.damaged.add(file.oid)
            yield fault
        found.present.setdefault(file.oid, set()).add(file.kind)
        done += file.stored_size
        if progress is not None:
            progress(done, total)


def _check_packs(store: Store) -> Iterator[Fault]:
    for path, start, end, is_followed in store.objects.damaged_packs():
        where = f"{os.path.relpath(path, store.path)} at {start}"
        if is_followed:
            yield Fault("damaged-pack", where, f"{end - start} bytes are no object; what they were cannot be told")
        else:
            message = f"its last {end - start} bytes are no object: a writer was killed, or is at work"
            yield Fault("torn-pack", where, message, is_damage=False)


def _check(store: Store, verifier: Verifier, file: ObjectFile) -> Iterator[Fault]:
    where = os.path.relpath(str(file.place), store.path)
    try:
        verifier.verify(file)
    except BrokenPieces as failure:
        for fault in failure.faults:
            yield Fault("broken-pieces", where, f"object {file.oid} is damaged: {fault}")
    except Corrupt as failure:
        yield Fault("damaged-object", where, str(failure))
    except NotFound:
        return  # moved to the trash since it was listed
