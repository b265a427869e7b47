"""The whole that is mounted: the store, its inodes, and the sessions that somebody has looked at."""

from __future__ import annotations

import os
from collections.abc import Callable

from sessionfs.errors import NotFound
from sessionfs.mount.changes import Invalidator
from sessionfs.mount.files import ArtifactFile
from sessionfs.mount.find import Find
from sessionfs.mount.hooks import MountHooks
from sessionfs.mount.inodes import Inode, InodeTable
from sessionfs.mount.keeper import Keeper
from sessionfs.mount.mounted import MountedSession
from sessionfs.mount.namespace import ByKey, ByName, Objects, Root, Sessions, Virtual, virtual_number
from sessionfs.mount.overview import Overview
from sessionfs.mount.session_files import SessionDirectory
from sessionfs.mount.stats import Stats
from sessionfs.store.session import NoSuchSession
from sessionfs.store.store import Store

_ALL_ENTRIES: dict[str, Callable[[View, str], Virtual]] = {
    "sessions": Sessions,
    "by-name": ByName,
    "by-tag": ByKey,
    "by-status": ByKey,
    "by-date": ByKey,
    "objects": Objects,
    "find": Find,
}


class View:
    """What one mount shows."""

    def __init__(self, store: Store, invalidator: Invalidator, *, only: str | None = None) -> None:
        """Prepare it.

        Args:
            only: The one session that can be reached; None for all, and the store's objects.
        """
        self.store = store
        self.hooks = MountHooks(store)
        self.only = only
        self.inodes = InodeTable()
        self.overview = Overview(store)
        self.keeper = Keeper(store)
        self.uid = os.geteuid()
        self.gid = os.getegid()
        self.started_ns = store.clock()
        self.stats = Stats(store.clock)
        self.told: dict[bytes, Callable[[], bytes]] = {}  # attributes of the root that are not listed, see ``ask``
        self.root_entries = _ALL_ENTRIES if only is None else {"sessions": Sessions}
        self._invalidator = invalidator
        self._mounted: dict[str, MountedSession] = {}
        self.inodes.remember(Root(self, ""))

    # Inodes

    def virtual(self, path: str, kind: Callable[[View, str], Virtual]) -> Inode:
        """Return the virtual inode at *path*: the one that the kernel knows, or a new one of *kind*."""
        known = self.inodes.find(virtual_number(path))
        if isinstance(known, Virtual) and known.path == path:
            return known
        return kind(self, path)

    def number_of(self, path: str) -> int:
        """Return the number of the virtual inode at *path*."""
        return virtual_number(path)

    def number_for(self, path: str) -> int:
        """Return the number for a new virtual inode at *path*."""
        return self.inodes.free_number(virtual_number(path)) if path else virtual_number(path)

    def has_good_pages(self, inode: Inode) -> bool:
        """Say whether what the kernel has of a file's content is so: of what others do it is told a moment later."""
        return not self._invalidator.is_forgetting_pages(inode.number)

    def requests_were_read(self) -> None:
        """Note that whatever the kernel asked before it was told of a change has been looked at."""
        self._invalidator.requests_were_read()

    # Sessions

    def session_ids(self) -> list[str]:
        """Return the ids of the sessions that can be reached, sorted."""
        ids = self.store.session_ids()
        return ids if self.only is None else [session_id for session_id in ids if session_id == self.only]

    def session_directory(self, session_id: str) -> Inode | None:
        """Return ``sessions/<id>``, or None when there is no such session."""
        try:
            self.mounted(session_id)
        except NotFound:
            return None
        return self.virtual(f"sessions/{session_id}", SessionDirectory)

    def mounted(self, session_id: str) -> MountedSession:
        """Return a session, opening it when somebody first looks.

        Raises:
            NoSuchSession: There is none, or it cannot be reached here.
            BadSessionId: None can be called so.
        """
        known = self._mounted.get(session_id)
        if known is not None:
            try:
                known.refresh()
                return known
            except NotFound:
                self.forget_session(session_id)
        if self.only not in (None, session_id):
            raise NoSuchSession(f"the session {session_id!r} cannot be reached in this mount")
        session = self.store.session(session_id)
        if session.fold.fields.deleted:
            # The store still has the one that was deleted; another may have been created under its id since.
            session.log.rest()
            session.open()
        above = virtual_number(f"sessions/{session_id}")
        mounted = MountedSession(self.store, session, self.inodes, self._invalidator, self.keeper, self.hooks, above)
        self._mounted[session_id] = mounted
        return mounted

    def forget_session(self, session_id: str) -> None:
        """Let go of a session that was deleted."""
        self._mounted.pop(session_id, None)
        self.overview.changed(session_id)
        self._invalidator.entry(virtual_number("sessions"), session_id.encode())

    def session_changed(self, session_id: str | None) -> None:
        """Another process (or we) touched a session's mark: it has new records, is new, or is gone; None for all."""
        if session_id is None:
            for known in {*self._mounted, *self.store.session_ids()}:
                self.session_changed(known)
            return
        self.overview.changed(session_id)
        mounted = self._mounted.get(session_id)
        if mounted is None:
            self._invalidator.inode(virtual_number("sessions"), content=False)
            return
        try:
            mounted.refresh()
        except NotFound:
            self.forget_session(session_id)

    # The end

    def files_being_written(self) -> list[ArtifactFile]:
        """Return the files whose content is in no record yet."""
        return [
            inode
            for inode in self.inodes.all()
            if isinstance(inode, ArtifactFile) and inode.unsettled and inode.path is not None
        ]
