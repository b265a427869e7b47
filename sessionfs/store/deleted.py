"""A session whose log says that it is deleted goes to the trash, where those who were reading that log go on."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from sessionfs.durable import Disk
from sessionfs.durable.publish import make_directory, sync_name
from sessionfs.errors import from_os_error
from sessionfs.log.framing import written_type
from sessionfs.log.lines import last_line
from sessionfs.store.layout import Layout, parse_trashed

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
    try:
        try:
            fd = disk.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return _newest(store, session_id)
        try:
            disk.lock(fd, path)
            in_place = disk.status_at(path)
            if in_place is None or in_place[:2] != disk.identity(fd) or written_type(last_line(disk, fd)) != _TYPE:
                return _newest(store, session_id)
            target = new_place(store, session_id)
            try:
                disk.rename(layout.session(session_id), target)
            except FileNotFoundError:  # a copy of a store may lack empty directories
                make_directory(disk, store.unsynced, store.config.mode, layout.trash)
                disk.rename(layout.session(session_id), target)
        finally:
            disk.close(fd)
        with contextlib.suppress(FileNotFoundError):
            disk.unlink(layout.mark(session_id))
        store.unsynced.add_log(f"{target}/log")  # what was owed to it by its old name is owed still
        for name in (target, layout.session(session_id)):
            sync_name(disk, store.unsynced, store.config.mode, name)
    except OSError as failure:
        raise from_os_error(failure, f"move session {session_id} to the trash") from failure
    return target


def new_place(store: Store, session_id: str) -> str:
    """Return where a session goes in the trash: later than all others of its id, whatever the clock says.

    A clock can stand still between two deletions, as that of the mount does for milliseconds, or go back.

    Raises:
        Error: The trash cannot be read.
    """
    parsed = map(parse_trashed, trashed(store.disk, store.layout))
    times_ns = [one[1] for one in parsed if one is not None and one[0] == session_id]
    return store.layout.trashed(session_id, max([store.clock(), *(time_ns + 1 for time_ns in times_ns)]))


def _newest(store: Store, session_id: str) -> str:
    """Return where the session of this id is that was moved to the trash last."""
    logs = trashed_logs(store.disk, store.layout, session_id)
    return os.path.dirname(logs[-1]) if logs else store.layout.trash


def trashed(disk: Disk, layout: Layout) -> list[str]:
    """Return the names in the trash; none when the store has no trash, as a copy may have none.

    Raises:
        Error: It cannot be read.
    """
    try:
        return disk.listdir(layout.trash)
    except FileNotFoundError:
        return []
    except OSError as failure:
        raise from_os_error(failure, f"list {layout.trash}") from failure


def trashed_logs(disk: Disk, layout: Layout, session_id: str) -> list[str]:
    """Return the paths of the logs of the deleted sessions that had this id, in the order of their deletion.

    Raises:
        Error: The trash cannot be read.
    """
    names = sorted(name for name in trashed(disk, layout) if name.startswith(f"{session_id}@"))
    return [f"{layout.trash}/{name}/log" for name in names]
