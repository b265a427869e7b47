"""Objects against their names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from sessionfs.errors import Corrupt, NotFound
from sessionfs.fsck.fault import Fault
from sessionfs.objects import ObjectFile
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
    """Hash every object; fills *found* on the way."""
    files = list(store.objects.list())
    total = sum(file.stored_size for file in files)
    done = 0
    for file in files:
        fault = _check(store, file)
        if fault is not None:
            found.damaged.add(file.oid)
            yield fault
        found.present.setdefault(file.oid, set()).add(file.kind)
        done += file.stored_size
        if progress is not None:
            progress(done, total)


def _check(store: Store, file: ObjectFile) -> Fault | None:
    try:
        store.objects.verify(file)
    except Corrupt as failure:
        return Fault("damaged-object", os.path.relpath(file.path, store.path), str(failure))
    except NotFound:
        return None  # moved to the trash since it was listed
    return None
