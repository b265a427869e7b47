"""A session whose log says that it is deleted goes to the trash, under a name that says when."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from sessionfs.durable.publish import sync_name
from sessionfs.errors import from_os_error
from sessionfs.log.framing import written_type
from sessionfs.log.lines import last_line

if TYPE_CHECKING:
    from sessionfs.store.store import Store

_TYPE = "session.deleted"


def move_to_trash(store: Store, session_id: str) -> str:
    """Move a deleted session from its place to the trash, unless somebody has done that, and return where it is there.

    Raises:
        LockHeld: Another process kept its log's lock too long.
        NoSpace, ReadOnlyStore, DiskFault: It is where it was.

    Durability:
        relaxed: survives this process, and a power cut after the next sync. full: survives a power cut.

    Concurrency:
        Whoever makes a session with an id that a deleted one still has moves that away first. So this looks, with the
        lock of what it moves, whether that is still the deleted one.
    """
    disk, layout = store.disk, store.layout
    path = layout.log(session_id)
    target = layout.trashed(session_id, store.clock())
    try:
        fd = disk.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            disk.lock(fd, path)
            in_place = disk.status_at(path)
            if in_place is None or in_place[:2] != disk.identity(fd) or written_type(last_line(disk, fd)) != _TYPE:
                return _place_of(store, session_id)
            disk.rename(layout.session(session_id), target)
        finally:
            disk.close(fd)
        with contextlib.suppress(FileNotFoundError):
            disk.unlink(layout.mark(session_id))
        store.unsynced.add_log(f"{target}/log")  # what was owed to it by its old name is owed still
        for name in (target, layout.session(session_id)):
            sync_name(disk, store.unsynced, store.config.mode, name)
    except FileNotFoundError:
        return _place_of(store, session_id)
    except OSError as failure:
        raise from_os_error(failure, f"move session {session_id} to the trash") from failure
    return target


def _place_of(store: Store, session_id: str) -> str:
    """Return where the session of this id is that was moved to the trash last."""
    trash = store.layout.trash
    names = [name for name in store.disk.listdir(trash) if name.startswith(f"{session_id}@")]
    return f"{trash}/{max(names)}" if names else trash
