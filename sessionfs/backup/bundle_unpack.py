"""Taking a bundle into a store.

Its logs and refs go into a scratch store below ``tmp/``, whose objects are those of the store itself; objects are
checked and put there, where no record names them yet. When the bundle has been read to its end, and its hash is right,
the scratch store is fetched from like any other: see :mod:`sessionfs.backup.sessions`, which has the rules for what is
there already. So whatever interrupts it leaves objects for the next gc, and each session as it was or a place further;
doing it again goes on from there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from sessionfs.backup.bundle_check import Order, check_log, damaged
from sessionfs.backup.bundle_format import BundleReader, Part, Section
from sessionfs.backup.done import Copied
from sessionfs.backup.lease import leased
from sessionfs.backup.logs import log_of
from sessionfs.backup.sessions import bring
from sessionfs.durable import Mode, OsDisk, SyncedAtOnce
from sessionfs.errors import NotFound, from_os_error
from sessionfs.log.lines import opened
from sessionfs.objects import ObjectDatabase
from sessionfs.objects.copying import Copied as Read
from sessionfs.objects.files import object_file
from sessionfs.objects.stored import Place as FilePlace
from sessionfs.oid import ObjectId
from sessionfs.store.content import open_objects
from sessionfs.store.layout import BUNDLE_PREFIX
from sessionfs.store.store import Store

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

_READ_BYTES = 1 << 20

# What the scratch store has in common with the store.
_SHARED = ("objects", "trash", "locks")


class MissingPrerequisite(NotFound):
    """A bundle begins where the store has not got to."""


class NotInBundle(NotFound):
    """A bundle does not have this session."""


def unbundle(
    store: Store,
    source: BinaryIO,
    name: str,
    session_ids: Iterable[str] | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> Copied:
    """Take the sessions of a bundle into *store*.

    Args:
        name: What to call the bundle in messages.
        session_ids: Only these, with what they were forked from; all by default.
        progress: Called with how many bytes of the bundle's objects have been read more.

    Raises:
        DamagedBundle: It is cut short or was changed; no session was taken over.
        NewerBundle: This build does not know its format.
        MissingPrerequisite: It needs records that the store does not have; nothing was read.
        NotInBundle: It does not have one of *session_ids*; nothing was read.
        NoSpace, ReadOnlyStore: Not all was taken over; what was stays.

    Durability:
        Survives a power cut.
    """
    reader = BundleReader(source, name)
    parts = reader.header.sessions
    wanted = None if session_ids is None else list(session_ids)
    for one in wanted or ():
        if all(part.id != one for part in parts):
            raise NotInBundle(f"{name} does not have the session {one!r}; it has {_listed(part.id for part in parts)}")
    _check_prerequisites(store, parts, name)
    with leased(store), _scratch(store) as scratch:
        read = _read(reader, store, scratch, progress)
        scratch.path = name  # what messages call it; its layout knows where it is
        return bring(scratch, store, wanted)._replace(object_count=read.object_count, size=read.size)


def _check_prerequisites(store: Store, parts: Iterable[Part], name: str) -> None:
    missing = [part for part in parts if part.start.seq and not log_of(store, part.id).has(part.start)]
    if missing:
        said = _listed(f"{part.id} up to record {part.start.seq - 1}" for part in missing)
        raise MissingPrerequisite(
            f"{name} goes on where this store has not got to: it needs {said}; take the bundle before it in first, or "
            "have one made without --since"
        )


def _read(reader: BundleReader, store: Store, scratch: Store, progress: Callable[[int], None] | None) -> Read:
    owed = SyncedAtOnce(store.disk, store.path)
    # Not synced one by one, whatever the mode: nothing names them before the barrier at the end.
    objects = open_objects(store.layout, store.config._replace(mode=Mode.RELAXED), store.disk, owed)
    intake = _Objects(reader, objects, f"{scratch.layout.staging}/objects", progress)
    order = Order(reader)
    try:
        for section in reader.sections():
            part = order.check(section)
            if part is not None:
                _write_log(reader, part, store, scratch)
            elif section.kind == "ref":
                _write_ref(reader, section, scratch)
            else:
                intake.take(section)
        order.finish()
        intake.finish()
        objects.rest()
        owed.sync()
        return intake.done
    except OSError as failure:
        raise from_os_error(failure, f"take {reader.name} in") from failure


def _write_log(reader: BundleReader, part: Part, store: Store, scratch: Store) -> None:
    """Write what the store has of a log up to where the bundle begins, and the bundle's lines behind that."""
    path = scratch.layout.log(part.id)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        if part.start.offset:
            _copy_beginning(store, part, file)
        for line in check_log(reader, part):
            file.write(line)


def _copy_beginning(store: Store, part: Part, file: BinaryIO) -> None:
    done, end = 0, part.start.offset
    with opened(store.disk, store.layout.log(part.id)) as fd:
        while done < end and (data := store.disk.pread(fd, min(_READ_BYTES, end - done), done)):
            file.write(data)
            done += len(data)


def _write_ref(reader: BundleReader, section: Section, scratch: Store) -> None:
    directory = scratch.layout.refs(section.session_id)
    os.makedirs(directory, exist_ok=True)
    with open(f"{directory}/{section.name}", "wb") as file:
        file.writelines(reader.pieces())


class _Objects:
    """Objects on their way from the bundle into the store, each in the form that it has there, and checked."""

    def __init__(
        self, reader: BundleReader, objects: ObjectDatabase, directory: str, progress: Callable[[int], None] | None
    ) -> None:
        self._reader = reader
        # From its own files to its own files, because pieces may be in either.
        self._copier = objects.copier(objects)
        self._directory = directory
        self._progress = progress
        os.mkdir(directory)

    def take(self, section: Section) -> None:
        """Put the object that comes next into the store; a list of pieces waits for its pieces."""
        path = f"{self._directory}/{section.name}{section.suffix}"
        with open(path, "wb") as file:
            for piece in self._reader.pieces():
                file.write(piece)
                if self._progress is not None:
                    self._progress(len(piece))
        self._copier.add(object_file(ObjectId(section.name), section.suffix, FilePlace(path, None, section.length)))
        self._check()
        if section.suffix != ".chunks":
            os.unlink(path)

    def finish(self) -> None:
        """Put the lists of pieces into the store."""
        self._copier.finish()
        self._check()

    @property
    def done(self) -> Read:
        """How much was not there yet."""
        return self._copier.done

    def _check(self) -> None:
        for file, said in self._copier.damaged.items():
            raise damaged(self._reader, f"object {file.oid} is not what its name says: {said}")


def _leave(fd: FileDescriptorLike) -> None:
    """Sync nothing."""


class _Fleeting(OsDisk):
    """The disk, without waiting for it: nothing in the scratch store is there for longer than this process."""

    fsync = staticmethod(_leave)
    fdatasync = staticmethod(_leave)

    def sync_directory(self, path: str) -> None:
        """Sync nothing; so with the others."""

    def sync_all(self, path: str) -> None:
        pass

    def sync_filesystem(self, path: str) -> None:
        pass


@contextlib.contextmanager
def _scratch(store: Store) -> Iterator[Store]:
    """Make a store below ``tmp/`` that shares the objects of *store*; it is gone at the end.

    Whatever killed processes have left of such is removed first: its directory is locked by the process that uses it.
    """
    try:
        _remove_abandoned(store)
        directory = f"{store.layout.staging}/{BUNDLE_PREFIX}{os.urandom(6).hex()}"
        os.mkdir(directory, 0o700)
        fd = _locked(directory)
        try:
            Store.create(directory, disk=_Fleeting())
            for shared in _SHARED:
                shutil.rmtree(f"{directory}/{shared}")
                os.symlink(f"../../{shared}", f"{directory}/{shared}")
            yield Store(directory, disk=_Fleeting())
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            if fd is not None:
                os.close(fd)
    except OSError as failure:
        raise from_os_error(failure, f"stage a bundle in {store.layout.staging}") from failure


def _remove_abandoned(store: Store) -> None:
    for name in os.listdir(store.layout.staging):
        if name.startswith(BUNDLE_PREFIX):
            directory = f"{store.layout.staging}/{name}"
            fd = _locked(directory)
            if fd is not None:
                shutil.rmtree(directory, ignore_errors=True)
                os.close(fd)


def _locked(directory: str) -> int | None:
    """Return a descriptor that holds the lock of *directory*; None when another process does, or it has gone."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
