"""What is being written and in no version yet, kept so that it survives the process that holds it.

A mount that is killed loses what was written to files that nobody has closed or synced. So each mount keeps a journal
in ``tmp/``: what was written lies in it until it is a version. The journal of a process that has ended tells what it
had not saved; ``sessionfs fsck`` lists that, and ``fsck --recover DIR`` writes it to plain files.

A journal is ``tmp/unsaved-<pid>-<random>``, locked (flock) by the process that writes it; a sequence of frames::

    frame = magic(4) generation(4) kind(1) file(8) offset(8) length(4) payload       little-endian

    BEGIN       payload: JSON {"session":…,"path":…,"oid":…}: a file is being written; oid is what it was begun from
    WRITE       payload: bytes that were written at offset
    TRUNCATE    offset: the length that was set
    CHECKPOINT  payload: JSON like BEGIN's: all of it up to here is the blob oid
    END         it is a version now, or nobody wants it

When no file is being written, the next frame goes to the beginning of the journal, with the next generation: frames of
an older one end what can be read. So a journal stays small, its pages are mostly overwritten before they reach the
disk, and a short-lived file costs three calls of ``pwritev``, 4 us.

Not for power cuts: what is to survive those is synced, and then it is a version.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from sessionfs.artifacts import from_text, text_of
from sessionfs.durable import Disk
from sessionfs.errors import from_os_error
from sessionfs.objects import ObjectDatabase, Staged
from sessionfs.oid import ObjectId

PREFIX = "unsaved-"

_HEADER = struct.Struct("<4sIBQQI")
_MAGIC = b"unsv"

_BEGIN, _WRITE, _TRUNCATE, _CHECKPOINT, _END = range(5)


class Place(msgspec.Struct, omit_defaults=True):
    """Whose content it is, and what it was begun from."""

    session: str
    path: str  # in text form
    oid: ObjectId | None = None


class Journal:
    """The journal of this process. Not thread-safe."""

    def __init__(self, disk: Disk, directory: str) -> None:
        """Begin one in *directory*; the file is made when something is written.

        Args:
            disk: Opens it; one that may not be written to refuses.
            directory: The store's ``tmp/``.
        """
        self._disk = disk
        self._directory = directory
        self._fd: int | None = None
        self._path = ""
        self._generation = 0
        self._end = 0
        self._last = 0
        self._places: dict[int, Place] = {}

    def begin(self, session_id: str, path: str, oid: ObjectId | None) -> int:
        """Note that a file is being written, beginning with the blob *oid* (None: with nothing); return its number.

        Raises:
            NoSpace, ReadOnlyStore: The journal cannot be written.
        """
        if not self._places:
            self._end = 0
            self._generation += 1
        self._last += 1
        place = Place(session_id, text_of(path), oid)
        self._append(_BEGIN, self._last, 0, msgspec.json.encode(place))
        self._places[self._last] = place
        return self._last

    def wrote(self, file: int, offset: int, data: bytes | memoryview) -> None:
        """Note that *data* was written at *offset*."""
        self._append(_WRITE, file, offset, data)

    def truncated(self, file: int, size: int) -> None:
        """Note that the length was set."""
        self._append(_TRUNCATE, file, size, b"")

    def checkpoint(self, file: int, path: str, oid: ObjectId) -> None:
        """Note that all that was written is the blob *oid*: what went before is needed no more."""
        place = Place(self._places[file].session, text_of(path), oid)
        self._append(_CHECKPOINT, file, 0, msgspec.json.encode(place))
        self._places[file] = place

    def end(self, file: int) -> None:
        """Note that a file is saved, or given up."""
        del self._places[file]
        self._append(_END, file, 0, b"")

    def close(self) -> None:
        """Remove the journal, unless it holds what is not saved."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        if not self._places:
            with contextlib.suppress(FileNotFoundError):  # with the store, if that was removed
                os.unlink(self._path)
        os.close(fd)

    def _append(self, kind: int, file: int, offset: int, payload: bytes | memoryview) -> None:
        header = _HEADER.pack(_MAGIC, self._generation, kind, file, offset, len(payload))
        try:
            if self._fd is None:
                self._open()
            assert self._fd is not None
            written = os.pwritev(self._fd, [header, payload], self._end)
            if written != len(header) + len(payload):
                raise OSError(28, "No space left on device")
        except OSError as failure:
            raise from_os_error(failure, "note what was written in the journal") from failure
        self._end += written

    def _open(self) -> None:
        self._path = f"{self._directory}/{PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
        self._fd = self._disk.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Unsaved(NamedTuple):
    """A file whose content was in no version when the process that wrote it ended."""

    journal: str  # path of the journal
    file: int  # its number there
    session_id: str
    path: str

    def content(self, objects: ObjectDatabase) -> Staged:
        """Return what it held.

        Raises:
            NoSuchObject, DamagedObject: What it was begun from is not there.
        """
        staged: Staged | None = None
        with open(self.journal, "rb") as journal:
            for kind, file, offset, payload in _frames(journal.fileno()):
                if file != self.file:
                    continue
                if kind in (_BEGIN, _CHECKPOINT):
                    if staged is not None:
                        staged.discard()
                    staged = objects.stage(msgspec.json.decode(payload, type=Place).oid)
                elif kind == _WRITE and staged is not None:
                    staged.pwrite(payload, offset)
                elif kind == _TRUNCATE and staged is not None:
                    staged.truncate(offset)
        assert staged is not None
        return staged


def list_unsaved(directory: str) -> Iterator[Unsaved]:
    """Yield what ended processes left unsaved, by the journals in *directory* (the store's ``tmp/``)."""
    for name in sorted(os.listdir(directory)):
        if name.startswith(PREFIX):
            yield from _of_journal(f"{directory}/{name}")


def unsaved_sessions(directory: str) -> set[str]:
    """Return the ids of the sessions of which something is unsaved, by the journals in *directory*, living or not."""
    found: set[str] = set()
    for name in os.listdir(directory):
        if not name.startswith(PREFIX):
            continue
        try:
            fd = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            found.update(place.session for place in _open_places(fd).values())
        finally:
            os.close(fd)
    return found


def discard(journal: str) -> None:
    """Remove a journal, whose content is saved or not wanted; one that is in use stays."""
    with _open_ended(journal) as fd:
        if fd is not None:
            os.unlink(journal)


def _of_journal(path: str) -> Iterator[Unsaved]:
    with _open_ended(path) as fd:
        if fd is None:
            return
        places = _open_places(fd)
    for file, place in places.items():
        yield Unsaved(path, file, place.session, from_text(place.path))


def _open_places(fd: int) -> dict[int, Place]:
    """Return what a journal has and no version has yet, by the numbers of the files."""
    places: dict[int, Place] = {}
    for kind, file, _, payload in _frames(fd):
        if kind in (_BEGIN, _CHECKPOINT):
            places[file] = msgspec.json.decode(payload, type=Place)
        elif kind == _END:
            places.pop(file, None)
    return places


@contextmanager
def _open_ended(path: str) -> Iterator[int | None]:
    """Give a descriptor of the journal at *path*; None if a living process writes it, or it has gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield fd
    finally:
        os.close(fd)


def _frames(fd: int) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield kind, file, offset and payload of each frame of the newest generation."""
    position = 0
    newest: int | None = None
    while len(header := os.pread(fd, _HEADER.size, position)) == _HEADER.size:
        magic, generation, kind, file, offset, length = _HEADER.unpack(header)
        if magic != _MAGIC or generation != (newest := generation if newest is None else newest):
            return
        payload = os.pread(fd, length, position + _HEADER.size)
        if len(payload) != length:
            return  # the process was killed in the middle of it
        yield kind, file, offset, payload
        position += _HEADER.size + length
