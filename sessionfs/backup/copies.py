"""Backups, what is restored from them whole, and clones: a whole store, in another directory.

A backup is an ordinary store: it opens, mounts and passes fsck, and nothing is needed to read it but what reads any
store.
"""

from __future__ import annotations

import os

from sessionfs.backup.done import Copied
from sessionfs.backup.objects import Progress
from sessionfs.backup.target import Unfinished, check_apart, check_store, open_backup
from sessionfs.backup.whole import copy_store
from sessionfs.store.identity import identity_of, new_identity
from sessionfs.store.store import Store


def backup(store: Store, path: str, *, progress: Progress | None = None) -> Copied:
    """Make the backup of *store* at *path*, or bring it up to date.

    Only what is new is copied. Nothing is removed from the backup: what was deleted in the store since stays.

    Args:
        progress: Is told how many bytes of objects have been copied.

    Raises:
        OtherStore, StoreExists: Something else is there.
        Entangled: It lies in the store.
        NoSpace, ReadOnlyStore: The backup is a whole store all the same; try again.

    Durability:
        Survives a power cut. After a kill at any moment the backup is a whole store, and the next run goes on.

    Concurrency:
        The store may be in use.
    """
    path = os.path.abspath(path)
    target = open_backup(store, path)
    try:
        return copy_store(store, target, hooks=True, progress=progress)
    finally:
        target.close()


def restore_store(source: str, path: str, *, progress: Progress | None = None) -> Copied:
    """Make what the backup *source* holds the store at *path*, where nothing may be.

    Raises:
        NotEmpty: Something is there.
        NotAStore: *source* is no store.

    Durability:
        Survives a power cut. It appears complete or not at all; doing it again after a kill goes on where that was.
    """
    return _copy_new(source, path, progress, is_clone=False)


def clone(source: str, path: str, *, progress: Progress | None = None) -> Copied:
    """Make a store at *path*, where nothing may be, with all sessions of the store *source*, and an id of its own.

    Hooks are not copied: they would be programs from elsewhere that run here.

    Raises, Durability:
        As of :func:`restore_store`.
    """
    return _copy_new(source, path, progress, is_clone=True)


def _copy_new(source_path: str, path: str, progress: Progress | None, *, is_clone: bool) -> Copied:
    check_store(source_path)
    source = Store(source_path)
    check_apart(source.path, path)
    unfinished = Unfinished(path, source.path, identity_of(source.disk, source.layout))
    done = copy_store(source, unfinished.store, hooks=not is_clone, progress=progress)
    unfinished.finish(new_identity() if is_clone else None).close()
    source.close()
    return done._replace(path=unfinished.path)
