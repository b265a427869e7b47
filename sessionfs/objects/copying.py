"""Taking objects from one database into another, in the form that they have there: nothing is compressed again.

What is copied is checked against its name on the way; what is damaged is not copied, and nothing that is whole is ever
replaced. Small objects that lie in a pack there go into a pack here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple, cast

from sessionfs.durable import Temporary, pwrite_all
from sessionfs.errors import Corrupt, from_os_error
from sessionfs.objects.blobs import Blobs, check_name, reading
from sessionfs.objects.files import SUFFIXES_OF_KIND, ObjectFiles, object_file
from sessionfs.objects.joined import JoinedReader
from sessionfs.objects.packing import New
from sessionfs.objects.reader import PIECE_BYTES
from sessionfs.objects.stored import NoSuchObject, ObjectFile, Place
from sessionfs.objects.verify import Verifier
from sessionfs.oid import Hasher

# A group of a pack has about a MiB; one write for several of them.
_BATCH_BYTES = 4 << 20

_ZEROS = bytes(PIECE_BYTES)


class Copied(NamedTuple):
    """How much has been copied so far."""

    object_count: int = 0
    size: int = 0  # bytes of their files

    def plus(self, file: ObjectFile) -> Copied:
        """Return it with one object more."""
        return Copied(self.object_count + 1, self.size + file.stored_size)


class Copier:
    """Copies from one database into another. Not thread-safe.

    Lists of pieces come last, the short ones first: a version that extends another one is then only read from where it
    ends (see :mod:`sessionfs.objects.verify`).
    """

    def __init__(self, source: tuple[ObjectFiles, Blobs], target: tuple[ObjectFiles, Blobs]) -> None:
        self._source, self._blobs = source
        self._target, target_blobs = target
        self._verifier = Verifier(self._blobs)
        self._target_verifier = Verifier(target_blobs)
        self._batch: dict[tuple[str, str], New] = {}
        self._batch_bytes = 0
        self._lists: list[ObjectFile] = []
        self.done = Copied()
        self.damaged: dict[ObjectFile, str] = {}
        """What was not copied, because it is not what its name says; and why."""
        self._target.packs.refresh()

    def add(self, file: ObjectFile) -> None:
        """Copy an object of the source, if it is not in its place in the target.

        Raises:
            NoSpace, ReadOnlyStore: What was copied before is there, except for what :meth:`finish` would have written.
        """
        if self.has(file):
            return
        if file.compression == "chunks":
            self._lists.append(file)
        else:
            self._copy(file)

    def finish(self) -> None:
        """Copy what has been waiting: lists of pieces, and what goes into a pack."""
        lists, self._lists = self._lists, []
        for file in sorted(lists, key=self._verifier.size):
            self._copy_list(file)
        self._write_batch()

    def _copy_list(self, file: ObjectFile) -> None:
        """Copy a list, and before it the pieces that are not there: they may be younger than the look for objects."""
        try:
            with _checking():
                self._verifier.verify(file)
                with self._blobs.open_file(file) as reader:
                    pieces = {piece.oid for piece in cast(JoinedReader, reader).listed.pieces}
        except _NotWhole as failure:
            self.damaged[file] = str(failure)
            return
        for oid in pieces:
            place = next(self._source.places(oid), None)
            if place is not None and not self.has(place):
                if place.compression == "chunks":
                    self._copy_list(place)  # as deep as lists go, which has been verified
                else:
                    self._copy(place)
        if not self.has(file):  # two lists that wait may have had the same piece
            self._copy(file)

    def has(self, file: ObjectFile) -> bool:
        """Say whether the target has an object where it is looked for first, and it looks whole.

        In the same form and of the same length it is believed; anything else is hashed.
        """
        suffix = self._source.suffix(file)
        if (file.oid, suffix) in self._batch:
            return True
        place = self._place(file, suffix)
        if place is not None and place.length == file.stored_size:
            return True
        forms = [suffix, *(other for other in SUFFIXES_OF_KIND[file.kind] if other != suffix)]
        return any(self._is_whole(file, form) for form in forms)

    def _place(self, file: ObjectFile, suffix: str) -> Place | None:
        """Return where the target has an object in this form; the trash does not count."""
        files = self._target
        path = files.path(file.oid, suffix)
        size = files.disk.size_at(path)
        if size is not None:
            return Place(path, None, size)
        packed = files.packs.find(file.oid, suffix, refresh=False)
        return None if packed is None else Place(packed[0], packed[1].start, packed[1].length)

    def _is_whole(self, file: ObjectFile, suffix: str) -> bool:
        place = self._place(file, suffix)
        if place is None:
            return False
        try:
            self._target_verifier.verify(object_file(file.oid, suffix, place))
        except (Corrupt, NoSuchObject):
            return False
        return True

    def _copy(self, file: ObjectFile) -> None:
        try:
            if file.start is not None:
                self._pack(file)
            else:
                self._copy_file(file)
        except _NotWhole as failure:
            self.damaged[file] = str(failure)
            return
        self.done = self.done.plus(file)

    # Into a pack

    def _pack(self, file: ObjectFile) -> None:
        with _checking():
            if file.compression != "chunks":
                self._verifier.verify(file)
            data = self._source.read(file.path, file.stored_size, file.start or 0)
        if data is None or len(data) != file.stored_size:
            raise _gone(file)
        suffix = self._source.suffix(file)
        self._batch[file.oid, suffix] = (file.oid, suffix, data)
        self._batch_bytes += len(data)
        if self._batch_bytes >= _BATCH_BYTES:
            self._write_batch()

    def _write_batch(self) -> None:
        if self._batch:
            self._target.packs.add(list(self._batch.values()))
        self._batch = {}
        self._batch_bytes = 0

    # Into a file of its own

    def _copy_file(self, file: ObjectFile) -> None:
        hasher = Hasher() if file.compression == "none" else None
        with _checking():
            if file.compression == "lz4":
                self._verifier.verify(file)
            fd = self._source.open(file.path)
        if fd is None:
            raise _gone(file)
        try:
            self._write_file(file, fd, hasher)
        except OSError as failure:
            raise from_os_error(failure, f"copy an object of {file.stored_size} bytes") from failure
        finally:
            self._source.disk.close(fd)

    def _write_file(self, file: ObjectFile, fd: int, hasher: Hasher | None) -> None:
        path = self._target.path(file.oid, self._source.suffix(file))
        temporary = self._target.create_temporary()
        try:
            self._copy_bytes(file, fd, temporary, hasher)
            if hasher is not None:
                with _checking():
                    check_name(file.oid, hasher.oid())
            damaged = path if self._target.disk.size_at(path) is not None else None
            self._target.place(temporary, path, damaged)
        finally:
            self._target.disk.discard_temporary(temporary)

    def _copy_bytes(self, file: ObjectFile, fd: int, temporary: Temporary, hasher: Hasher | None) -> None:
        """Copy the bytes of a file; what is a hole in it becomes one."""
        source, target = self._source.disk, self._target.disk
        offset, size = 0, file.stored_size
        while offset < size:
            with _checking(), reading(file.oid):
                start = min(source.next_data(fd, offset), size)
                data = source.pread(fd, min(PIECE_BYTES, size - offset), offset) if start == offset else b""
            if start == offset and not data:
                raise _NotWhole(f"{file.path} has become shorter")
            if hasher is not None:
                _hash_zeros(hasher, start - offset)
                hasher.update(data)
            if data:
                pwrite_all(target, temporary.fd, data, offset)
            elif start == size:
                target.truncate(temporary.fd, size)
            offset = start + len(data)


class _NotWhole(Exception):
    """What is to be copied cannot be: the source's fault, and not the target's."""


@contextlib.contextmanager
def _checking() -> Iterator[None]:
    try:
        yield
    except (Corrupt, NoSuchObject) as failure:
        raise _NotWhole(str(failure)) from failure


def _gone(file: ObjectFile) -> _NotWhole:
    return _NotWhole(f"object {file.oid} has gone from {file.place}")


def _hash_zeros(hasher: Hasher, length: int) -> None:
    while length > 0:
        hasher.update(memoryview(_ZEROS)[: min(length, PIECE_BYTES)])
        length -= PIECE_BYTES
