"""Refs that are garbled: their good lines stay; one that has none is looked for in the log."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from sessionfs import refs
from sessionfs.oid import ObjectId
from sessionfs.sessions import Moved
from sessionfs.store.aside import Aside
from sessionfs.store.reach import read_from
from sessionfs.store.store import Store


def mend_ref(store: Store, where: str, gone: Collection[ObjectId], aside: Aside | None) -> str | None:
    """Mend the ref at *where* (in the store), and say how.

    Args:
        gone: Snapshots that it must not name.
        aside: Where what it was is kept; None to change nothing.
    """
    path = f"{store.path}/{where}"
    content = read_from(store.disk, path, 0)
    kept = [line for line in content.split(b"\n")[:-1] if _is_good(line, gone)]
    parts = where.split("/")
    how = "its good lines were kept"
    if (not kept or kept[-1].startswith(refs.NONE.encode())) and len(parts) == 4:
        line = _from_log(store, parts[1], parts[3], gone)
        if line is not None:
            kept.append(line)
            how = "the session's log says what it was"
    good = b"".join(line + b"\n" for line in kept)
    if good == content:
        return None
    if aside is not None:
        aside.exchange(path, good, 0, where.replace("/", "."))
    return how if kept else "nothing of it could be read: it names nothing now"


def _is_good(line: bytes, gone: Collection[ObjectId]) -> bool:
    return refs.good_length(line + b"\n", lambda entry: entry.value not in gone) > 0


def _from_log(store: Store, session_id: str, name: str, gone: Collection[ObjectId]) -> bytes | None:
    """Return the line of the checkpoint *name*, as the session's log has it."""
    found = None
    for _, record in store.unread(session_id).log.lines():
        if record.type == "session.saved" and b'"checkpoint"' in bytes(record.data):
            moved = msgspec.json.decode(record.data, type=Moved)
            if moved.checkpoint == name and moved.snapshot is not None and moved.snapshot not in gone:
                found = f"{moved.snapshot} {record.time} {record.actor}".encode()
    return found
