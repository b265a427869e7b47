"""A place in one session's log, from which the records are read that come after it: each once, in order, verified.

A cursor holds no descriptor between two reads, so that a thousand sessions can be followed in a process that may open a
thousand files. What has the log's name may be another file when it is opened again: the session was deleted (then the
rest of its log is in the trash), perhaps a new one was made under its id, or the file was replaced by a copy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from sessionfs.durable import Disk
from sessionfs.errors import Conflict, from_os_error
from sessionfs.log import CorruptLog, Position, Record, parse_linked
from sessionfs.log.damage import is_damage
from sessionfs.log.framing import FRAMING_LENGTH, written_chain
from sessionfs.log.pages import Place
from sessionfs.store.layout import Layout

# What is read of one log before it is another's turn; holds any record whole.
_READ_BYTES = 256 << 10

FileId = tuple[int, int]
"""Device and inode."""


class LogRewritten(Conflict):
    """Records that had been read are not in the log any more."""


class Cursor:
    """A place in the log of one session. Not thread-safe.

    ``position`` is the place; ``file`` the file it is in.
    """

    __slots__ = ("_disk", "_layout", "_path", "_seen", "file", "position", "session_id")

    def __init__(self, disk: Disk, layout: Layout, session_id: str, path: str, file: FileId) -> None:
        """Begin before the first record.

        Args:
            path: Of the log: where the session's log is, or in the trash.
            file: Which file that is; see :func:`find_file`.
        """
        self.session_id = session_id
        self.position = Position(0, 0, session_id, 0)
        self.file = file
        self._disk = disk
        self._layout = layout
        self._path = path
        self._seen: tuple[int, ...] | None = None  # what the file was when nothing was left to read

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
                return _is_after(fd, self.position)
            finally:
                self._disk.close(fd)
        except OSError as failure:
            raise from_os_error(failure, f"read {self._path}") from failure

    def has_changed(self) -> bool:
        """Say whether the file is another one, or another length, than when it was read last. Costs 2 us."""
        return self._look() != self._seen

    def read(self) -> list[Record] | None:
        """Return the next records, at most 256 KiB of them; none when there are no more now.

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
            raise from_os_error(failure, f"read {self._path}") from failure
        if records:
            self._seen = None  # there may be more
        return records

    def _read(self, fd: int) -> list[Record]:
        position = self.position
        size = os.fstat(fd).st_size
        if size > position.offset:
            data = os.pread(fd, min(_READ_BYTES, size - position.offset), position.offset)
            records, self.position = parse_linked(data, position)
            if records:
                return records
        self._explain(fd, size)
        return []

    def _explain(self, fd: int, size: int) -> None:
        """Say why there is no next record: return when there is nothing or an incomplete one, and raise otherwise."""
        position = self.position
        if size < position.offset or not _is_after(fd, position):
            raise LogRewritten(
                f"{self._path} was cut back to before record {position.seq} and goes on differently; "
                "what was read of it is no longer so: watch the session anew"
            )
        if size == position.offset:
            return
        rest = b"".join(_pieces(fd, position.offset, size))
        # Read again: a writer may have put a record where an incomplete one had been while this was looking.
        if is_damage(rest, position.seq, position.chain) and os.pread(fd, len(rest), position.offset) == rest:
            raise CorruptLog(self._path, position.seq, position.offset)

    def _look(self) -> tuple[int, ...]:
        return self._disk.status_at(self._path) or ()

    # Which file

    def _open(self) -> int | None:
        """Open the file that this place is in; None when it is nowhere."""
        fd = _open(self._disk, self._path)
        if fd is not None:
            if self._is_mine(fd):
                return fd
            self._disk.close(fd)
        for path in trashed_logs(self._layout, self.session_id):
            if find_file(self._disk, path) == self.file:
                self._path = path
                return _open(self._disk, path)
        return None

    def _is_mine(self, fd: int) -> bool:
        found = self._disk.identity(fd)
        if found == self.file:
            return True
        if self.position.offset and _is_after(fd, self.position):
            self.file = found  # the same history, elsewhere: a copy in its place, or repack has put it on a shelf
            return True
        return False


def trashed_logs(layout: Layout, session_id: str) -> list[str]:
    """Return the paths of the logs of the deleted sessions that had this id, in the order of their deletion."""
    try:
        names = os.listdir(layout.trash)
    except FileNotFoundError:
        return []
    return [f"{layout.trash}/{name}/log" for name in sorted(names) if name.startswith(f"{session_id}@")]


def find_file(disk: Disk, path: str) -> FileId | None:
    """Return which file is at *path*; None when there is none."""
    status = disk.status_at(path)
    return None if status is None else status[:2]


def _open(disk: Disk, path: str) -> int | None:
    try:
        return disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _pieces(fd: int, offset: int, end: int) -> Iterator[bytes]:
    while offset < end and (piece := os.pread(fd, end - offset, offset)):
        yield piece
        offset += len(piece)


def _is_after(fd: int, position: Position) -> bool:
    """Say whether the record before *position* is in the file where it was."""
    if position.offset == 0:
        return True
    line = os.pread(fd, FRAMING_LENGTH + 1, position.offset - FRAMING_LENGTH - 1)
    return line.endswith(b"\n") and written_chain(line[:-1]) == position.chain
