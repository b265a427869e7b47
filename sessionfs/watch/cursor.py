"""A place in one session's log, from which the records are read that come after it: each once, in order, verified.

A cursor holds no descriptor between two reads, so that a thousand sessions can be followed in a process that may open a
thousand files. What has the log's name may be another log when it is opened again: the session was deleted (then the
rest of its log is in the trash), and perhaps a new one was made under its id. So a log is known by what is in it, as
each record's chain tells it from all others; the number of a file says nothing, as filesystems use it again.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from sessionfs.durable import Disk
from sessionfs.errors import Conflict, from_os_error
from sessionfs.log import NoSuchLog, Position, Record
from sessionfs.log.appends import is_after, read_batch
from sessionfs.log.framing import written_chain
from sessionfs.log.lines import line_at, opened
from sessionfs.log.pages import Place
from sessionfs.store.deleted import trashed_logs
from sessionfs.store.layout import Layout

# What is read of one log before it is another's turn.
_READ_BYTES = 256 << 10
_ENDING_BYTES = 2 << 10  # of a log: holds the record of a deletion

_SEQ = re.compile(rb'\{"seq":(\d{1,18}),')


class LogRewritten(Conflict):
    """Records that had been read are not in the log any more."""


class Known(NamedTuple):
    """A log as one may meet it again. Nothing of it is verified."""

    first: str  # the chain of its first line
    last: str  # that of its last one
    last_seq: int  # the number of the last record; 0 when it does not end with a short one, as of a deletion


class Cursor:
    """A place in the log of one session. Not thread-safe.

    ``position`` is the place; ``path`` where the log was when it was opened last; ``first`` the chain of its first
    record.
    """

    __slots__ = ("_disk", "_layout", "_seen", "first", "path", "position", "session_id")

    def __init__(self, disk: Disk, layout: Layout, session_id: str, path: str, first: str) -> None:
        """Begin before the first record.

        Args:
            path: Of the log: where the session's log is, or in the trash.
            first: Which log that is; see :func:`look_at`.
        """
        self.session_id = session_id
        self.position = Position(0, 0, session_id, 0)
        self.first = first
        self.path = path
        self._disk = disk
        self._layout = layout
        self._seen: tuple[int, ...] | None = None  # what the file was when nothing was left to read

    @property
    def is_in_place(self) -> bool:
        """Whether it was the log of the session when it was opened last, rather than in the trash."""
        return self.path == self._layout.log(self.session_id)

    def seek(self, place: Place) -> bool:
        """Go on from *place*, which somebody has read up to; False when that was not in this log.

        Raises:
            Error: The log cannot be read.
        """
        self.position = Position(place.seq, place.offset, place.chain, 0)
        try:
            fd = self._open()
            if fd is None:
                return False
            try:
                return is_after(self._disk, fd, self.position)
            finally:
                self._disk.close(fd)
        except OSError as failure:
            raise from_os_error(failure, f"read {self.path}") from failure

    def has_changed(self) -> bool:
        """Say whether the file is another one, or another length, than when it was read last. Costs 2 us."""
        return self._look() != self._seen

    def read(self) -> list[Record] | None:
        """Return the next records, 256 KiB of them or one append; none when there are no more now.

        Returns:
            None when the log has gone: it is nowhere, and there will be nothing more.

        Raises:
            CorruptLog: The log is damaged here.
            LogRewritten: The log was cut back behind this place, and goes on differently.
            Error: It cannot be read.
        """
        try:
            self._seen = self._look()
            fd = self._open()
            if fd is None:
                return None
            try:
                records = self._read(fd)
            finally:
                self._disk.close(fd)
        except OSError as failure:
            raise from_os_error(failure, f"read {self.path}") from failure
        if records:
            self._seen = None  # there may be more
        return records

    def _read(self, fd: int) -> list[Record]:
        size = self._disk.size(fd)
        records, position, damage = read_batch(self._disk, fd, self.path, self.position, end=size, length=_READ_BYTES)
        if not records:
            if size < position.offset or not is_after(self._disk, fd, position):
                raise LogRewritten(
                    f"{self.path} was cut back to before record {position.seq} and goes on differently; "
                    "what was read of it is no longer so: watch the session anew"
                )
            if damage is not None:
                raise damage
        self.position = position
        return records

    def _look(self) -> tuple[int, ...]:
        return self._disk.status_at(self.path) or ()

    # Which file

    def _open(self) -> int | None:
        """Open the log that this place is in; None when it is nowhere."""
        in_place = self._layout.log(self.session_id)
        fd = self._open_mine(self.path)
        if fd is None and self.path != in_place:
            fd = self._open_mine(in_place)
        if fd is None:
            paths = trashed_logs(self._disk, self._layout, self.session_id)
            fd = next((fd for path in paths if (fd := self._open_mine(path)) is not None), None)
        return fd

    def _open_mine(self, path: str) -> int | None:
        try:
            fd = self._disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if self._is_mine(fd):
            self.path = path
            return fd
        self._disk.close(fd)
        return None

    def _is_mine(self, fd: int) -> bool:
        if self.position.offset and is_after(self._disk, fd, self.position):
            return True
        # Nothing of it has been read yet, or it was cut back.
        line = line_at(self._disk, fd, 0)
        return line is not None and written_chain(line) == self.first


def look_at(disk: Disk, path: str) -> Known | None:
    """Return which log is at *path*; None when there is none, or when it has no first record yet.

    Raises:
        Error: It cannot be read.
    """
    try:
        with opened(disk, path) as fd:
            first, size = line_at(disk, fd, 0), disk.size(fd)
            ending = disk.pread(fd, _ENDING_BYTES, max(0, size - _ENDING_BYTES))
    except NoSuchLog:
        return None
    if first is None:
        return None
    last = ending[:-1].rpartition(b"\n")[2]
    seq = _SEQ.match(last)
    return Known(written_chain(first), written_chain(last), 0 if seq is None else int(seq[1]))
