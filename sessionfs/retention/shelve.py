"""Putting archived sessions on shelves: many logs and refs in one file, which is quicker to copy and smaller.

A session is removed from ``sessions/`` when the shelf that has it is on stable storage, and with the locks of its log
and its refs held: if anything was appended since it was read, it stays. The log goes first: without it there, the
session is on the shelf. Whoever waited for one of these locks finds that the file has no name any more, opens it anew,
and so takes the session off the shelf. Between the two it is in both places, and whoever looks finds it in the first;
so a crash at any moment loses nothing.

Who deletes a session, makes a ref in one, or takes one off a shelf holds the lock of the shelves meanwhile, which is
held here for a batch from reading it to removing it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from sessionfs.errors import Error, from_os_error
from sessionfs.sessions import Status
from sessionfs.store.reach import list_files, read_from
from sessionfs.store.shelf import DamagedShelf
from sessionfs.store.shelf_disk import LOG
from sessionfs.store.shelves import Shelving
from sessionfs.store.store import Store

# What is larger wastes little of its last block.
MAX_LOG_BYTES = 4 << 20

# Whoever deletes a session waits for one batch: less than a second.
_BATCH_BYTES = 16 << 20
_BATCH_SESSIONS = 500

_ARCHIVED = b'"type":"session.archived"'


class Shelved(NamedTuple):
    """What was done."""

    session_count: int  # that were put on a shelf
    size: int  # bytes of their logs and refs
    shelf_count: int  # new shelves


def count_archived(store: Store) -> tuple[int, int]:
    """Return how many sessions could be put on a shelf, and their bytes."""
    count = size = 0
    for batch in _batches(store):
        found = [one for session_id in batch if (one := _archived(store, session_id)) is not None]
        count, size = count + len(found), size + sum(map(_size, found))
    return count, size


def shelve(store: Store) -> Shelved:
    """Put every archived session that is in ``sessions/`` on a shelf. The caller is alone in repacking.

    Raises:
        NoSpace, ReadOnlyStore: What had not been put on a shelf is where it was.

    Durability:
        What is on a shelf survives a power cut.

    Concurrency:
        Safe beside readers and writers. A session that somebody changes meanwhile stays where it is.
    """
    count = size = shelf_count = 0
    shelves = store.disk.shelves
    try:
        _put_together(store)
        for session_ids in _batches(store):
            with shelves.locked(store.unsynced):
                # Read now: whoever deletes one of them has said so in its log before, or waits for this lock.
                batch = [one for session_id in session_ids if (one := _archived(store, session_id)) is not None]
                if not batch:
                    continue
                path = shelves.write(store.unsynced, batch)
                shelves.bury([one.session_id for one in batch], but=path)
                shelf_count += 1
                for one in batch:
                    if _remove(store, one):
                        count, size = count + 1, size + _size(one)
                store.disk.sync_directory(store.layout.sessions)
    except OSError as failure:
        raise from_os_error(failure, "put archived sessions on a shelf") from failure
    return Shelved(count, size, shelf_count)


def _put_together(store: Store) -> None:
    """Put what counts of shelves that are worn on a new one."""
    shelves, layout = store.disk.shelves, store.layout
    if store.disk.below.size_at(layout.shelf) is None:
        return
    for worn in _grouped(store, sorted(shelves.worn())):
        whole: list[str] = []
        with shelves.locked(store.unsynced):
            known = shelves.live(worn)
            live: list[Shelving] = []
            for path in sorted(worn):
                with contextlib.suppress(DamagedShelf):  # it stays as it is, for fsck
                    live += [shelves.shelving(placed) for placed in known if placed.path == path]
                    whole.append(path)
            if live:
                shelves.write(store.unsynced, live)
            for path in whole:
                shelves.remove(path)
            store.disk.sync_directory(layout.shelf)


def _grouped(store: Store, paths: list[str]) -> Iterator[set[str]]:
    group: set[str] = set()
    size = 0
    for path in paths:
        group.add(path)
        size += store.disk.below.size_at(path) or 0
        if size >= _BATCH_BYTES:
            yield group
            group, size = set(), 0
    if group:
        yield group


def _batches(store: Store) -> Iterator[list[str]]:
    """Yield the ids of sessions that may be archived: so many at once as others can wait for."""
    batch: list[str] = []
    size = 0
    for session_id in sorted(store.disk.below.listdir(store.layout.sessions)):
        path = store.layout.log(session_id)
        length = store.disk.below.size_at(path)
        if length is None or length > MAX_LOG_BYTES or _ARCHIVED not in read_from(store.disk.below, path, 0):
            continue  # without opening it
        batch.append(session_id)
        size += length
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_SESSIONS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _size(one: Shelving) -> int:
    return sum(len(content) for _, content in one.files)


def _archived(store: Store, session_id: str) -> Shelving | None:
    """Return a session as a shelf gets it; None if it is not archived, or damaged."""
    one = _read(store, session_id)
    with contextlib.suppress(Error):
        session = store.session(session_id)
        if session.status is Status.ARCHIVED and session.damage is None:
            return one
    return None


def _read(store: Store, session_id: str) -> Shelving:
    disk, path = store.disk.below, store.layout.log(session_id)
    modified_ns = disk.modified_ns(path) or 0
    refs = [(f"refs/{os.path.basename(ref)}", ref) for ref in list_files(disk, store.layout.refs(session_id))]
    files = [(LOG, path), *refs]
    return Shelving(session_id, modified_ns, [(name, read_from(disk, where, 0)) for name, where in files])


def _remove(store: Store, one: Shelving) -> bool:
    """Remove from ``sessions/`` what a shelf has; False if it has changed since, or somebody is about to change it."""
    disk, place = store.disk.below, store.layout.session(one.session_id)
    with contextlib.ExitStack() as locked:
        for name, _ in one.files:
            try:
                fd = disk.open(f"{place}/{name}", os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
            locked.callback(disk.close, fd)
            if not disk.try_lock(fd):
                return False
        if dict(_read(store, one.session_id).files) != dict(one.files):
            return False
        for name, _ in one.files:  # the log first: without it, the session is on the shelf
            disk.unlink(f"{place}/{name}")
    for directory in (f"{place}/refs", place):
        with contextlib.suppress(OSError):  # the one has no refs; the other holds what is not ours
            os.rmdir(directory)
    store.forget(one.session_id)
    return True
