"""Which store a directory is: the file ``id``, a UUID.

A backup, like any copy of the files, has the id of the store that it was made of; a clone has one of its own. So a
backup is never made over another store. A store that was made before there were ids gets its own when it is first
backed up.
"""

from __future__ import annotations

import os
import re

from sessionfs.clock import system_clock
from sessionfs.durable import Disk, Mode, Unsynced, publish
from sessionfs.errors import Corrupt, from_os_error
from sessionfs.sessions import uuid7
from sessionfs.store.layout import Layout

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


class DamagedIdentity(Corrupt):
    """The file ``id`` holds no id."""


def new_identity() -> str:
    """Return an id that no other store has."""
    return uuid7(system_clock)


def read_identity(disk: Disk, layout: Layout) -> str | None:
    """Return the id of a store; None when it has none yet.

    Raises:
        DamagedIdentity: Its file holds something else.
    """
    try:
        fd = disk.open(layout.identity, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as failure:
        raise from_os_error(failure, f"read {layout.identity}") from failure
    try:
        text = disk.pread(fd, 100, 0).decode("ascii", "replace")
    finally:
        disk.close(fd)
    return parse_identity(text, layout.identity)


def parse_identity(text: str, path: str) -> str:
    """Return the id that the file at *path* with this *text* holds.

    Raises:
        DamagedIdentity: None.
    """
    line, newline, rest = text.partition("\n")
    if not newline or rest or _ID.fullmatch(line) is None:
        raise DamagedIdentity(
            f"{path} holds {text[:40]!r}, which is no store's id; take it from a backup, or remove it"
        )
    return line


def write_identity(disk: Disk, layout: Layout, identity: str, *, replace: bool = False) -> None:
    """Give a store an id, if it has none; with *replace*, also if it has one.

    Durability:
        Survives a power cut.
    """
    text = f"{identity}\n".encode()
    try:
        publish(disk, Unsynced(disk), Mode.FULL, text, layout.identity, staging=layout.staging, replace=replace)
    except OSError as failure:
        raise from_os_error(failure, f"write {layout.identity}") from failure


def identity_of(disk: Disk, layout: Layout) -> str:
    """Return the id of a store, which gets one if it has none."""
    found = read_identity(disk, layout)
    if found is None:
        write_identity(disk, layout, new_identity())
        found = read_identity(disk, layout)
        assert found is not None
    return found
