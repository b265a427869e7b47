"""What processes that have ended left in ``tmp/``, and may be deleted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from sessionfs.fsck.fault import Fault
from sessionfs.store.store import Store

_TEMPORARY = re.compile(r"(\d{1,10})\.\d+\.[0-9a-f]{12}")


def list_leftovers(store: Store) -> Iterator[Fault]:
    """Yield the files without a name yet, of processes that have ended."""
    for name in sorted(store.disk.listdir(store.layout.staging)):
        temporary = _TEMPORARY.fullmatch(name)
        if temporary is not None and not os.path.exists(f"/proc/{temporary[1]}"):
            yield Fault(
                "leftover", f"tmp/{name}", "a process that has ended was writing it; gc deletes it", is_damage=False
            )
