"""Which logs have grown, and reading on in one of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sessionfs.durable import Disk
from sessionfs.errors import from_os_error
from sessionfs.index.sessions import FileState
from sessionfs.log import Position
from sessionfs.log.appends import Batch, read_batch
from sessionfs.log.damage import UnreadableLog
from sessionfs.log.lines import opened
from sessionfs.store.store import Store

_READ_BYTES = 1 << 20


class Moved(NamedTuple):
    """Sessions whose logs are not what they were."""

    changed: dict[str, FileState]  # what they are now
    gone: list[str]

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        return not self.changed and not self.gone


def find_moved(store: Store, known: Mapping[str, FileState]) -> Moved:
    """Return which sessions have moved, by looking at every log: 2 us each.

    The marks in ``changed/`` would say the same, but for writers that were killed before they touched one, and for
    copies of a store, which come without them.
    """
    layout = store.layout
    changed: dict[str, FileState] = {}
    try:
        names = os.listdir(layout.sessions)
        # Below one descriptor: to look up the whole path each time takes half as long again.
        directory = os.open(layout.sessions, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as failure:
        raise from_os_error(failure, f"list the sessions of {layout.root}") from failure
    gone = set(known)
    try:
        for name in names:
            try:
                status = os.stat(f"{name}/log", dir_fd=directory)
            except OSError:
                continue  # gone, being made, or not to be read: whoever reads it is told
            state = (status.st_ino, status.st_size, status.st_mtime_ns)
            if known.get(name) != state:
                changed[name] = state
            gone.discard(name)
    finally:
        os.close(directory)
    for name, state in store.disk.shelved().items():
        before = known.get(name)
        # Put on a shelf, it is as long as it was.
        if name not in changed and (before is None or (name in gone and before[1:] != state[1:])):
            changed[name] = state
        gone.discard(name)
    return Moved(changed, sorted(gone))


def look_at(store: Store, session_id: str) -> FileState | None:
    """Return what the log of a session is now; None when there is none."""
    try:
        status = store.disk.status_at(store.layout.log(session_id))
    except OSError:
        return None
    return None if status is None else status[1:]


def read_on(disk: Disk, path: str, start: Position) -> Iterator[Batch]:
    """Yield the whole, linked records of a log from *start*, some at a time; whoever reads on takes no lock.

    Raises:
        NoSuchLog: There is none.
        Error: It cannot be read.
    """
    try:
        with opened(disk, path) as fd:
            position, end = start, disk.size(fd)
            while (batch := read_batch(disk, fd, path, position, end=end, length=_READ_BYTES)).records:
                yield batch
                position = batch.position
            if batch.damage is not None:
                yield batch
    except UnreadableLog as failure:
        yield Batch([], start, failure)
