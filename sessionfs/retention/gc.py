"""Garbage collection: what nothing needs goes to the trash, and what has been there long enough is deleted.

Beside writers in any number of processes; nobody waits for more than 10 ms. The order of the steps is the argument:

1. List what is in the trash.
2. Wait until nobody is between looking for an object and recording it (:mod:`sessionfs.objects.holding`).
3. Mark: read all logs to their ends, and all else that names objects.
4. Move what is unneeded, and older than the grace, to the trash.
5. Wait as in 2, read what was appended meanwhile, and take back what that names.
6. Delete what was in the trash at 1, has been there for the grace, and is not needed; what is needed comes back.

Who records an object first makes sure that it is in its place, with a lock that 2 and 5 wait for, and takes it out of
the trash if it is there. So a record that names an object was either written before 2, and 3 has read it; or its writer
looked after 1, and took the object out of the trash, where 6 does not find it. A process that was stopped between
looking and recording makes 2 fail, and nothing is deleted. How long things take, and what clocks say, does not matter.

A crash leaves each object in one of the two places, and both are looked at.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from sessionfs.durable import Mode, write_all
from sessionfs.durable.disk import is_abandoned
from sessionfs.durable.publish import OBJECT_MODE, make_directory
from sessionfs.objects import ObjectFile
from sessionfs.objects.files import SUFFIX_OF_COMPRESSION, SUFFIX_OF_KIND
from sessionfs.objects.trashed import NAME
from sessionfs.oid import ObjectId
from sessionfs.retention.alone import alone
from sessionfs.retention.marking import Mark
from sessionfs.retention.trash import Trashed, is_objects, list_trash, remove_tree
from sessionfs.store.layout import BUNDLE_PREFIX
from sessionfs.store.store import Store

# A pack is written anew when so much of it is unneeded.
_DEAD_SHARE = 0.25

_SLICE_FILES = 64  # are deleted in about a millisecond
_NAMING_FIRST = {"snapshot": 0, "tree": 1, "blob": 2}


class Collected(NamedTuple):
    """What a collection did, or would do."""

    trashed_count: int = 0  # objects that went to the trash
    trashed_size: int = 0  # bytes of their files
    deleted_count: int = 0  # files that were deleted for good
    deleted_size: int = 0
    returned_count: int = 0  # objects that came back out of the trash
    kept_count: int = 0  # objects that are needed, or young
    directory: str | None = None  # what went to the trash is there

    def to_dict(self) -> dict[str, int | str | None]:
        """Return it JSON-ready."""
        return self._asdict()


def collect(
    store: Store, *, grace_ns: int | None = None, trash_grace_ns: int | None = None, dry_run: bool = False
) -> Collected:
    """Collect the garbage of *store*.

    Args:
        grace_ns: How old an unneeded object must be to go to the trash; as long as things stay in the trash by default.
        trash_grace_ns: How long things stay there; ``retention.trash_grace`` by default.

    Raises:
        LockHeld: Somebody else collects; or somebody was stopped while recording.
        UncertainNeeds: Something that says what is needed is damaged. Nothing was removed.

    Durability:
        A crash at any moment loses nothing that is needed.

    Concurrency:
        Safe beside readers and writers; one at a time.
    """
    trash_grace_ns = store.config.trash_grace_ns if trash_grace_ns is None else trash_grace_ns
    with alone(store):
        return _Collection(store, trash_grace_ns if grace_ns is None else grace_ns, trash_grace_ns, dry_run).run()


def empty_trash(store: Store, *, older_ns: int = 0) -> tuple[int, int]:
    """Delete what has been in the trash for *older_ns*; of objects, what nothing needs. What is needed comes back.

    Returns:
        How many files were deleted, and their bytes.

    Raises:
        LockHeld, UncertainNeeds: As :func:`collect`.
    """
    never_ns = 1 << 62  # nothing new goes to the trash
    done = collect(store, grace_ns=never_ns, trash_grace_ns=older_ns)
    return done.deleted_count, done.deleted_size


@contextlib.contextmanager
def nobody_records(store: Store) -> Iterator[None]:
    """Hold the lock that everybody needs who records objects: for milliseconds only."""
    fd = store.disk.open(store.layout.gc_lock, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC)
    try:
        store.disk.lock(fd, store.layout.gc_lock)
        yield
    finally:
        store.disk.close(fd)


class _Collection:
    """One time that it is done."""

    def __init__(self, store: Store, grace_ns: int, trash_grace_ns: int, dry_run: bool) -> None:
        self._store = store
        self._dry_run = dry_run
        self._now_ns = store.clock()
        self._young_ns = self._now_ns - grace_ns
        self._stale_ns = self._now_ns - trash_grace_ns
        self._directory = store.layout.trashed(NAME, self._now_ns)

    def run(self) -> Collected:
        store = self._store
        if not self._dry_run:
            self._clear_bundles()
        trash = list(list_trash(store))
        with nobody_records(store):
            pass
        in_trash = [file for one in trash if is_objects(one) for file in self._objects_in(one)]
        files = list(store.objects.list())
        mark = Mark(store, files, in_trash, self._young_ns)
        dead = [file for file in files if file.oid not in mark.needed]
        dead.sort(key=lambda file: (_NAMING_FIRST[file.kind], file.compression != "chunks"))
        packs = self._packs_to_rewrite(files, dead)
        dead = [file for file in dead if file.start is None or file.path in packs]
        back = [file for file in in_trash if file.oid in mark.needed]
        moved = sum(file.stored_size for file in dead)
        result = Collected(len(dead), moved, returned_count=len(back), kept_count=len(files) - len(dead))
        if self._dry_run:
            stale = [one for one in trash if self._is_stale(one)]
            count = sum(one.file_count for one in stale)
            return result._replace(deleted_count=count, deleted_size=sum(one.size for one in stale))
        if dead:
            make_directory(store.disk, store.unsynced, Mode.FULL, self._directory)
            self._move(dead, packs, mark)
            with nobody_records(store):
                pass
            mark.catch_up()
            back += [file for file in dead if file.oid in mark.needed]
        for file in back:
            store.objects.rescue(file.oid)
        count, size = self._delete(trash, mark)
        self._clear_staging()
        return result._replace(deleted_count=count, deleted_size=size, directory=self._directory if dead else None)

    def _objects_in(self, one: Trashed) -> Iterator[ObjectFile]:
        directory = f"{self._store.layout.trash}/{one.name}"
        for name in self._store.disk.listdir(directory):
            path = f"{directory}/{name}"
            oid, dot, ending = name.partition(".")
            kind = next((kind for kind, suffix in SUFFIX_OF_KIND.items() if suffix == dot + ending), "blob")
            compression = next((one for one, suffix in SUFFIX_OF_COMPRESSION.items() if suffix == dot + ending), "none")
            yield ObjectFile(ObjectId(oid), kind, compression, path, self._store.disk.size_at(path) or 0)

    # To the trash

    def _packs_to_rewrite(self, files: list[ObjectFile], dead: list[ObjectFile]) -> set[str]:
        """Return the packs of which so much is unneeded that writing them anew pays."""
        total: dict[str, int] = {}
        gone: dict[str, int] = {}
        for counted, some in ((total, files), (gone, dead)):
            for file in some:
                if file.start is not None:
                    counted[file.path] = counted.get(file.path, 0) + file.stored_size
        return {path for path, size in gone.items() if size >= _DEAD_SHARE * total[path]}

    def _move(self, dead: list[ObjectFile], packs: set[str], mark: Mark) -> None:
        store = self._store
        for file in dead:
            if file.start is None:
                with contextlib.suppress(FileNotFoundError):  # somebody has written it again in another form
                    store.disk.rename(file.path, f"{self._directory}/{_name(file)}")
            else:
                self._write_out(file)
        store.disk.sync_directory(self._directory)
        for path in sorted(packs):
            unneeded = {file.oid for file in dead if file.path == path}
            store.objects.repack(path, lambda oid, unneeded=unneeded: oid not in unneeded)  # type: ignore[misc]

    def _write_out(self, file: ObjectFile) -> None:
        """Write an object that lies in a pack to a file of its own in the trash, before its pack goes."""
        disk = self._store.disk
        temporary = disk.create_temporary(self._store.layout.staging, OBJECT_MODE)
        try:
            write_all(disk, temporary.fd, self._store.objects.read_file(file))
            # Named when it is whole: somebody may look for it there. Synced when it is named: see publish.place.
            disk.name_temporary(temporary, f"{self._directory}/{_name(file)}", replace=True)
            disk.fsync(temporary.fd)
        finally:
            disk.discard_temporary(temporary)

    # Away

    def _is_stale(self, one: Trashed) -> bool:
        return one.time_ns <= self._stale_ns

    def _delete(self, trash: list[Trashed], mark: Mark) -> tuple[int, int]:
        """Delete what has been in the trash long enough; of objects, what nothing needs."""
        store = self._store
        count = size = 0
        for one in trash:
            if not self._is_stale(one):
                continue
            directory = f"{store.layout.trash}/{one.name}"
            if not is_objects(one):
                more = remove_tree(store, directory, lambda _: True)
                count, size = count + more[0], size + more[1]
                continue
            files = [file for file in self._objects_in(one) if file.oid not in mark.needed]
            for start in range(0, len(files), _SLICE_FILES):
                paths = {file.path: file.stored_size for file in files[start : start + _SLICE_FILES]}
                with nobody_records(store):
                    for path, length in paths.items():
                        with contextlib.suppress(FileNotFoundError):  # taken out meanwhile
                            store.disk.unlink(path)
                            count, size = count + 1, size + length
            remove_tree(store, directory, lambda _: False)
        return count, size

    def _clear_bundles(self) -> None:
        """Delete what killed processes left that were taking in bundles: none is at work, because we are alone."""
        store = self._store
        for name in store.disk.listdir(store.layout.staging):
            if name.startswith(BUNDLE_PREFIX):
                remove_tree(store, f"{store.layout.staging}/{name}", lambda _: True)

    def _clear_staging(self) -> None:
        """Delete what processes that have ended were writing, and old torn tails."""
        store = self._store
        for name in store.disk.listdir(store.layout.staging):
            path = f"{store.layout.staging}/{name}"
            is_over = is_abandoned(name)
            is_torn = name.startswith("torn-") and (store.disk.modified_ns(path) or 0) <= self._stale_ns
            if is_over or is_torn:
                remove_tree(store, path, lambda _: True)


def _name(file: ObjectFile) -> str:
    suffix = SUFFIX_OF_KIND.get(file.kind) or SUFFIX_OF_COMPRESSION[file.compression]
    return file.oid + suffix
