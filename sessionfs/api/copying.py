"""Copies of stores and sessions, as Python asks for them. What that takes is imported late: most programs never do."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from sessionfs.store import store as domain

if TYPE_CHECKING:
    from sessionfs.api.session import Session
    from sessionfs.api.store import Store
    from sessionfs.backup.done import Copied
    from sessionfs.backup.objects import Progress

Place = str | os.PathLike[str]


class Copying:
    """The part of :class:`sessionfs.Store` that copies it, or sessions of it."""

    def backup(self, place: Place, *, verify: bool = False, progress: Progress | None = None) -> Copied:
        """Make a backup of the store at *place*, or bring it up to date; the store may be in use.

        A backup is an ordinary store. Only what is new is copied; what was deleted in the store since stays in it.

        Args:
            place: A directory; or ``host:path``, which rsync copies to over ssh.
            verify: Read all of the backup afterwards, and name what is damaged there.
            progress: Called with the bytes of objects that have been copied.

        Raises:
            Conflict: Something else than a backup of this store is there; or there is no space.
            InvalidInput: It lies in the store.

        Durability:
            Survives a power cut. Interrupted at any moment, it is a whole store, and the next run goes on.
        """
        from sessionfs.backup import copies, remote

        core = cast("Store", self).core
        where = os.fspath(place)
        if remote.is_remote(where):
            from sessionfs.backup.remote_backup import backup_to

            return backup_to(core, where, verify=verify, progress=progress)
        done = copies.backup(core, where, progress=progress)
        return _verified(done) if verify else done

    def fetch(
        self, source: Place, sessions: Iterable[str] | None = None, *, progress: Progress | None = None
    ) -> Copied:
        """Bring sessions from the store *source* into this one: those that it lacks, and what is new in others.

        A session is brought whole or not at all. One that has another history here is refused, and so is one that is
        damaged there; the result says which. A fork brings the session that it was forked from.

        Args:
            source: A directory.
            sessions: Their ids, unique starts of these, or unique names, in *source*; all by default.
            progress: Called with the bytes of objects that have been copied.

        Raises:
            NotFound: There is no such store or session; nothing was brought.

        Durability:
            Survives a power cut.
        """
        return self._bring_from(source, sessions, also_damaged=False, progress=progress)

    def restore_backup(self, backup: Place, sessions: Iterable[str], *, progress: Progress | None = None) -> Copied:
        """Bring sessions back from a backup of this store, or any other store.

        As :meth:`fetch`; but a session of which something is damaged there comes without that, and the result says so.
        One that is here already gets what the backup has more of it. One that has another history here is refused:
        delete it first, which moves it to the trash. :func:`sessionfs.restore_backup` restores all of a store.
        """
        return self._bring_from(backup, sessions, also_damaged=True, progress=progress)

    def push(
        self, target: Place, sessions: Iterable[str | Session] | None = None, *, progress: Progress | None = None
    ) -> Copied:
        """Bring sessions from this store into the store *target*; as :meth:`fetch`, the other way round."""
        from sessionfs.backup.sessions import bring

        core = cast("Store", self).core
        chosen = None if sessions is None else [one if isinstance(one, str) else one.id for one in sessions]
        ids = None if chosen is None else [core.resolve(text).id for text in chosen]
        other = _open(target)
        try:
            return bring(core, other, ids, progress=progress)
        finally:
            other.close()

    def _bring_from(
        self, source: Place, sessions: Iterable[str] | None, *, also_damaged: bool, progress: Progress | None
    ) -> Copied:
        from sessionfs.backup.sessions import bring

        other = _open(source)
        try:
            ids = None if sessions is None else [other.resolve(text).id for text in sessions]
            return bring(other, cast("Store", self).core, ids, also_damaged=also_damaged, progress=progress)
        finally:
            other.close()


def clone(source: Place, path: Place, *, progress: Progress | None = None) -> Copied:
    """Make a store at *path* with all sessions of the store *source*, and an id of its own.

    Args:
        source: A directory; or ``host:path``, which rsync copies from over ssh.
        path: Where nothing may be, or an empty directory.
        progress: Called with the bytes of objects that have been copied.

    Raises:
        NotFound: There is no store.
        Conflict: Something is at *path*.

    Durability:
        Survives a power cut. It appears complete or not at all; doing it again goes on where it was interrupted.
    """
    return _copy_new(source, path, is_clone=True, progress=progress)


def restore_backup(backup: Place, path: Place, *, progress: Progress | None = None) -> Copied:
    """Make the store at *path* what the *backup* holds, hooks and id included; otherwise as :func:`clone`."""
    return _copy_new(backup, path, is_clone=False, progress=progress)


def _copy_new(source: Place, path: Place, *, is_clone: bool, progress: Progress | None) -> Copied:
    from sessionfs.backup import copies, remote

    where, target = os.fspath(source), os.fspath(path)
    if remote.is_remote(where):
        from sessionfs.backup.remote_clone import copy_from

        return copy_from(where, target, is_clone=is_clone)
    copy = copies.clone if is_clone else copies.restore_store
    return copy(where, target, progress=progress)


def _open(place: Place) -> domain.Store:
    """Open the store in a directory, for bringing sessions.

    Raises:
        OnlyDirectories: It is on another machine.
    """
    from sessionfs.backup import remote

    where = os.fspath(place)
    if remote.is_remote(where):
        raise remote.OnlyDirectories(
            f"{where} is on another machine, and sessions are brought between directories only; clone it first "
            f"(sessionfs clone {where} DIR) and use DIR, or send a file: sessionfs bundle create"
        )
    return domain.Store(where)


def _verified(done: Copied) -> Copied:
    """Return *done* with what is damaged in the copy."""
    from sessionfs.backup.done import Damaged
    from sessionfs.fsck import check

    faults = [fault for fault in check(domain.Store(done.path)) if fault.is_damage]
    found = [Damaged(f"{done.path}/{fault.where}", fault.message) for fault in faults]
    return done._replace(damaged=(*done.damaged, *found))
