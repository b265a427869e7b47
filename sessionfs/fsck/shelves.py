"""The shelves: that each can be read, and has what it says. The logs on them are checked as all logs are."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sessionfs.fsck.fault import Fault
from sessionfs.store.store import Store


def check_shelves(store: Store) -> Iterator[Fault]:
    """Yield what is wrong with the shelves of *store*."""
    if store.disk.size_at(store.layout.shelf) is None:
        return
    for path, message in store.disk.shelves.damage().items():
        yield Fault("damaged-shelf", os.path.relpath(path, store.path), message)
