"""Which run of the machine wrote to the store last, and since when what was written may not be on stable storage.

In ``relaxed`` mode a power cut can leave an object empty or full of zeros under its right name, and a record that names
it. Whoever opens a store for the first time after a cut must know what may be so. The file ``synced`` says it::

    <boot id> <time> <device>:<file>

Everything that was written before the time was on stable storage when the line was written. Another boot id, or another
device (a snapshot of a disk that was in use), means that there may have been a cut since: see
:mod:`sessionfs.store.suspicion`. The last word is the file's own inode: in a copy it is another one, and a copy is not
what a power cut leaves.

The file is replaced as a whole, once every few minutes while something is written, and never edited in place. That
rsync's quick check may miss a line of the same length does not matter, because a copy is not asked. A store without the
file is trusted, and gets one.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import NamedTuple

from sessionfs.clock import NS_PER_SECOND, MalformedTime, format_time, parse_time
from sessionfs.durable import Disk, Mode, Unsynced, place, write_all
from sessionfs.errors import Error

# What a power cut makes suspicious is what was written in this time; checking it hashes that once.
RENEWED_NS = 300 * NS_PER_SECOND

# The times of files move in steps of up to 10 ms, and some filesystems keep whole seconds.
_MARGIN_NS = 2 * NS_PER_SECOND

_FILE_MODE = 0o644
_LINE = re.compile(r"([0-9A-Za-z-]{1,64}) (\S{30}) (\d+):(\d+)\n")


class Note(NamedTuple):
    """What the file says, and what it is."""

    boot_id: str
    since_ns: int
    written_on: tuple[int, int]  # device and inode, as the line says
    identity: tuple[int, int]  # as they are

    @property
    def is_copy(self) -> bool:
        """Whether the file is a copy of the one that was written."""
        return self.written_on[1] != self.identity[1]

    @property
    def suspect_ns(self) -> int:
        """The time from which on what was written is suspect after a power cut."""
        return self.since_ns - _MARGIN_NS

    def is_of(self, boot_id: str) -> bool:
        """Say whether it was written in the run *boot_id* of the machine, to the filesystem as it is mounted now."""
        return (boot_id, self.written_on) == (self.boot_id, self.identity)


class Synced:
    """The file ``synced`` of one store. Thread-safe."""

    def __init__(self, disk: Disk, path: str, staging: str) -> None:
        """Look at the file at *path*.

        Args:
            staging: A directory on the same filesystem, for a file without a name.
        """
        self._disk = disk
        self._path = path
        self._staging = staging
        self._since_ns: int | None = None

    def is_current(self) -> bool:
        """Say whether there has been no power cut since it was written, as far as can be told."""
        boot_id = self._disk.boot_id()
        if boot_id is None:
            return True
        try:
            note = self.read()
        except OSError:
            return False
        return note is not None and note.is_of(boot_id) and note.since_ns <= self._disk.now_ns()

    def read(self) -> Note | None:
        """Return what it says; None when there is none. One that cannot be understood makes everything suspect."""
        try:
            fd = self._disk.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            text = self._disk.pread(fd, 256, 0).decode("ascii", "replace")
            identity = self._disk.identity(fd)
        finally:
            self._disk.close(fd)
        match = _LINE.fullmatch(text)
        try:
            note = (
                Note("", 0, identity, identity)
                if match is None
                else Note(match[1], parse_time(match[2]), (int(match[3]), int(match[4])), identity)
            )
        except MalformedTime:
            note = Note("", 0, identity, identity)
        self._since_ns = note.since_ns
        return note

    def write(self, boot_id: str, since_ns: int) -> None:
        """Say that everything written before *since_ns* is on stable storage.

        Durability:
            Survives a power cut.
        """
        disk = self._disk
        temporary = disk.create_temporary(self._staging, _FILE_MODE)
        try:
            device, inode = disk.identity(temporary.fd)
            write_all(disk, temporary.fd, f"{boot_id} {format_time(since_ns)} {device}:{inode}\n".encode())
            place(disk, Unsynced(disk), Mode.FULL, temporary, self._path, replace=True)
        finally:
            disk.discard_temporary(temporary)
        self._since_ns = since_ns

    def begin(self) -> None:
        """Begin one that says that everything is on stable storage, where that is nobody's promise: in a copy."""
        boot_id = self._disk.boot_id()
        if boot_id is not None:
            self.write(boot_id, self._disk.now_ns())

    def renew_if_old(self) -> None:
        """Sync the whole filesystem and say so, if that is some minutes ago, or the clock has gone back since."""
        if self._since_ns is None or not 0 <= self._disk.now_ns() - self._since_ns < RENEWED_NS:
            self.renew()

    def renew(self) -> bool:
        """Sync the whole filesystem, whoever wrote to it, and say so; False when that was not possible.

        It promises nothing to anybody by itself: what has failed to be synced stays suspect, and who owes it a sync
        meets the error with its own.
        """
        boot_id = self._disk.boot_id()
        since_ns = self._disk.now_ns()
        if boot_id is None:
            return False
        with contextlib.suppress(OSError):
            self._disk.sync_filesystem(os.path.dirname(self._path))
            # Who may not write it, or finds no space: it stays as it is, and makes more suspect than need be.
            with contextlib.suppress(OSError, Error):
                self.write(boot_id, since_ns)
            return True
        return False

    def suspect_ns(self) -> int:
        """Return the time from which on what was written may not be on stable storage."""
        note = self.read()
        return 0 if note is None else note.suspect_ns
