"""The two durable writes: publish a file under its name, append to a file.

The order of the steps is the argument; each step says why it stands where it stands. DESIGN section 6 has the
measurements (simulated power cuts on five filesystems) behind it.
"""

from __future__ import annotations

import contextlib
import os
from enum import Enum

from sessionfs.durable.disk import Disk, Temporary, write_all
from sessionfs.durable.unsynced import Unsynced


class Mode(Enum):
    """What a call has promised when it returns (``durability.mode``)."""

    RELAXED = "relaxed"  # survives any crash of any process
    FULL = "full"  # survives a power cut


OBJECT_MODE = 0o444  # as git: an object is never edited, and an editor opened on one by accident says so


def publish(
    disk: Disk,
    unsynced: Unsynced,
    mode: Mode,
    data: bytes | bytearray | memoryview,
    target: str,
    *,
    staging: str,
    replace: bool = False,
) -> bool:
    """Make a file with *data* appear at *target*, whole or not at all.

    Args:
        staging: The directory for temporary files; on the same filesystem as *target*.
        replace: Put it there even if the name exists (a damaged object is written again).

    Returns:
        False if the name was there already and *replace* is not set.

    Durability:
        relaxed: survives this process, and a power cut after the next sync. full: survives a power cut.
    """
    temporary = disk.create_temporary(staging, OBJECT_MODE)
    try:
        write_all(disk, temporary.fd, data)
        return place(disk, unsynced, mode, temporary, target, replace=replace)
    finally:
        disk.discard_temporary(temporary)


def place(
    disk: Disk, unsynced: Unsynced, mode: Mode, temporary: Temporary, target: str, *, replace: bool = False
) -> bool:
    """Make the complete *temporary* file appear at *target*; the second half of :func:`publish`."""
    if mode is Mode.FULL:
        # Before the name: a name that is on disk before its data shows an empty or zeroed file after a power cut.
        disk.fsync(temporary.fd)
    try:
        placed = disk.name_temporary(temporary, target, replace=replace)
    except FileNotFoundError:
        # A copy of a store may lack empty directories; the directory is made again, and its own name synced.
        directory = os.path.dirname(target)
        make_directory(disk, unsynced, mode, directory)
        placed = disk.name_temporary(temporary, target, replace=replace)
    if mode is Mode.FULL:
        # Again, now that it has a name: what was synced without one says of itself that it has none, and ext4 without a
        # journal keeps that, so that e2fsck takes the file for a deleted one (seen by tools/torture --faults).
        if placed:
            disk.fsync(temporary.fd)
        else:
            # Somebody else placed it: their syncs may not have happened yet, and our caller's record needs them. If it
            # has gone again, to the trash, whoever records it takes it out and syncs it.
            with contextlib.suppress(FileNotFoundError):
                sync_file(disk, target)
        disk.sync_directory(os.path.dirname(target))
    else:
        # Also when somebody else placed it: they may be killed before they sync, and our caller's record needs it.
        unsynced.add_file(target)
    return placed


def sync_file(disk: Disk, path: str) -> None:
    """Put the file at *path* on stable storage; FileNotFoundError when it has gone."""
    fd = disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        disk.fsync(fd)
    finally:
        disk.close(fd)


def make_directory(disk: Disk, unsynced: Unsynced, mode: Mode, path: str) -> None:
    """Make the directory at *path*, or accept that it is there.

    Durability:
        relaxed: its name survives a power cut after the next sync. full: it survives a power cut.
    """
    with contextlib.suppress(FileExistsError):
        disk.mkdir(path)
    # Also when somebody else made it: they may not have synced it yet.
    sync_name(disk, unsynced, mode, path)


def sync_name(disk: Disk, unsynced: Unsynced, mode: Mode, path: str) -> None:
    """Make the name *path*, which may be new, as safe as the mode says."""
    directory = path.rpartition("/")[0]  # a fifth of what dirname costs, which every new session would feel
    if mode is Mode.FULL:
        disk.sync_directory(directory)
    else:
        unsynced.add_directory(directory)


def append(disk: Disk, fd: int, data: bytes, end: int) -> None:
    """Add *data* at the end of the file, all of it or nothing.

    The caller holds the file's lock and has read up to *end*, its length in bytes. What a failed write left is cut
    off again; if even that fails, the next writer finds a torn tail and sets it aside.

    Durability:
        Survives this process. The caller syncs outside the lock (see :class:`GroupCommit`): a sync under it let
        eight processes append 3,200 events a second instead of 7,400.
    """
    try:
        written = disk.write(fd, data)
        if written != len(data):
            # A short write means a full disk or a signal; the next call says which, by its error.
            write_all(disk, fd, memoryview(data)[written:])
    except OSError:
        disk.truncate(fd, end)
        raise
