"""The shelves: that each can be read, and has what it says. The logs on them are checked as all logs are.

One that is damaged is written anew, with what can be read of it or had from elsewhere, and then set aside.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sessionfs.errors import Corrupt
from sessionfs.fsck.bits import turn_back
from sessionfs.fsck.fault import Fault
from sessionfs.fsck.logs import good_part
from sessionfs.store.aside import Aside
from sessionfs.store.reach import read_from
from sessionfs.store.shelf import DamagedShelf, Read, Row, unpack
from sessionfs.store.shelf_disk import LOG
from sessionfs.store.shelves import Placed, Shelving
from sessionfs.store.store import Store


class Reshelved(NamedTuple):
    """What becomes of a session that could not be read."""

    session_id: str | None  # None when it cannot be told which
    how: str | None  # it was had again, for people; None when it is lost


def check_shelves(store: Store) -> Iterator[Fault]:
    """Yield what is wrong with the shelves of *store*."""
    if store.disk.size_at(store.layout.shelf) is None:
        return
    for path, message in store.disk.shelves.damage().items():
        yield Fault("damaged-shelf", os.path.relpath(path, store.path), message)


def mend_shelf(store: Store, path: str, others: Sequence[Store], aside: Aside | None) -> Iterator[Reshelved]:
    """Put what counts of the damaged shelf at *path* on a new one, and yield what could not be read of it.

    Args:
        others: Stores from which to take that.
        aside: Where the old shelf is kept; None to change nothing.

    Durability:
        Survives a power cut. A crash in between leaves sessions on both: the next repair begins again.
    """
    shelves = store.disk.shelves
    with contextlib.nullcontext() if aside is None else shelves.locked(store.unsynced):
        whole: list[Shelving] = []
        for placed in shelves.live({path}):
            try:
                whole.append(shelves.shelving(placed))
            except DamagedShelf:
                mended = _mended(store, placed, others)
                if mended is not None:
                    # As of now: whoever has seen that it was damaged looks at it again.
                    whole.append(Shelving(placed.row.id, store.disk.now_ns(), [*mended[1].items()]))
                yield Reshelved(placed.row.id, None if mended is None else mended[0])
        if path in shelves.incomplete():
            yield Reshelved(None, None)
        if aside is not None:
            if whole:
                shelves.write(store.unsynced, whole)
            aside.move(path)


def _mended(store: Store, placed: Placed, others: Sequence[Store]) -> tuple[str, dict[str, bytes]] | None:
    """Return the files of a session that cannot be read, and how they were had; None when they are lost."""
    row = placed.row
    frame = store.disk.shelves.frame(placed)
    right = frame if _is_right(frame, row) else turn_back(frame, lambda tried: _is_right(tried, row))
    if right is not None:
        return "a single bit of it had flipped", unpack(_reading(right), row)
    for other in others:
        with contextlib.suppress(Corrupt):  # it cannot be read there either
            files = {name: _beginning(other, row.id, name, size) for name, size in row.files}
            if good_part(files[LOG], row.id)[0] == row.log_size:
                return f"from {other.path}", {name: content for name, content in files.items() if content}
    return None


def _is_right(frame: bytes | bytearray, row: Row) -> bool:
    try:
        unpack(_reading(frame), row)
    except DamagedShelf:
        return False
    return True


def _reading(frame: bytes | bytearray) -> Read:
    return lambda length, offset: bytes(frame[offset : offset + length])


def _beginning(other: Store, session_id: str, name: str, length: int) -> bytes:
    """Return as much of a file of a session in *other* as a shelf here has: it may have grown there."""
    return read_from(other.disk, f"{other.layout.session(session_id)}/{name}", 0)[:length]
