"""What processes that have ended left in ``tmp/``, and may be deleted."""

from __future__ import annotations

from collections.abc import Iterator

from sessionfs.durable.disk import is_abandoned
from sessionfs.fsck.fault import Fault
from sessionfs.store.store import Store


def list_leftovers(store: Store) -> Iterator[Fault]:
    """Yield the files without a name yet, of processes that have ended."""
    for name in sorted(store.disk.listdir(store.layout.staging)):
        if is_abandoned(name):
            yield Fault(
                "leftover", f"tmp/{name}", "a process that has ended was writing it; gc deletes it", is_damage=False
            )
