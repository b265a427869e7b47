"""What plumbing verbs share: the objects and refs of a store, without opening the store.

These verbs may cost 4 times an empty Python as whole processes (DESIGN section 11), about 40 ms. Opening a store
imports msgspec, which is 27 ms; the object database and the refs need none of it.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING

from sessionfs.cli.call import is_moment
from sessionfs.durable import Unsynced, disk_at
from sessionfs.errors import InvalidInput, NotFound, from_os_error
from sessionfs.oid import ObjectId, is_oid, is_oid_prefix
from sessionfs.store.content import open_objects, read_config
from sessionfs.store.layout import Layout, check_format
from sessionfs.store.shelf_disk import ShelfDisk
from sessionfs.store.synced import Synced

if TYPE_CHECKING:
    from sessionfs.cli.call import Call


class AmbiguousOid(InvalidInput):
    """Several objects could be meant."""


class Plumbing:
    """A store's objects and refs; a context, which syncs once at its end."""

    def __init__(self, call: Call) -> None:
        """Open it."""
        self.call = call
        self.layout = Layout(os.path.abspath(call.store_path()))
        check_format(self.layout.root)
        self.config = read_config(self.layout.config)
        below = disk_at(self.layout.root)
        self.disk = ShelfDisk(below, self.layout)
        self.unsynced = Unsynced(below)
        self.objects = open_objects(self.layout, self.config, below, self.unsynced)
        if not Synced(self.disk, self.layout.synced, self.layout.staging).is_current():
            call.open_store().close()  # which sees what a power cut may have left

    def __enter__(self) -> Plumbing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.unsynced.sync()
        except OSError as failure:
            raise from_os_error(failure, f"sync the store {self.layout.root}") from failure

    def find_oids(self, prefix: str) -> list[ObjectId]:
        """Return the ids that start with *prefix*, each once; none when it cannot be one."""
        if not is_oid_prefix(prefix):
            return []
        if is_oid(prefix):
            oid = ObjectId(prefix)
            return [oid] if self.objects.exists(oid) else []
        return list(dict.fromkeys(file.oid for file in self.objects.list(prefix)))

    def resolve_oid(self, text: str) -> ObjectId:
        """Return the object that *text* names: an id, or a unique prefix of one with at least 4 digits.

        Raises:
            NotFound: There is none.
            AmbiguousOid: There are several.
        """
        found = self.find_oids(text)
        if not found:
            raise NotFound(f"no object has the id {text!r}, or starts with it (at least 4 hex digits are needed)")
        return only(found, text)

    def session_ids(self) -> list[str]:
        """Return the ids of all sessions, sorted."""
        try:
            return sorted(self.disk.listdir(self.layout.sessions))
        except OSError as failure:
            raise from_os_error(failure, f"list the sessions of {self.layout.root}") from failure

    def resolve_session(self, text: str) -> str:
        """Return the id of the session that *text* names, as the porcelain does.

        An id or a unique prefix is found in a directory's listing; only for a name are sessions opened.
        """
        if text == "@":
            text = self.call.env.get("SESSIONFS_SESSION") or self._head() or text
        ids = self.session_ids()
        matching = [text] if text in ids else [session_id for session_id in ids if text and session_id.startswith(text)]
        if len(matching) == 1:
            return matching[0]
        with self.call.open_store() as store:  # a name; or it raises, with the same words as everywhere
            return self.call.session(store, text).id

    def resolve_moment(self, text: str) -> tuple[str, int | None]:
        """Return the id of the session that *text* names, and the number of the last record of its moment, if any."""
        if not is_moment(text):
            return self.resolve_session(text), None
        with self.call.open_store() as store:
            session, moment = self.call.moment(store, text)
            return session.id, session.at(moment or "now").seq

    def _head(self) -> str | None:
        from sessionfs import refs

        return refs.read(self.disk, self.layout.head)


def only(found: list[ObjectId], text: str) -> ObjectId:
    """Return the one id in *found*.

    Raises:
        AmbiguousOid: *text* could be several.
    """
    if len(found) > 1:
        shown = ", ".join(oid[:16] for oid in found[:5]) + (", …" if len(found) > 5 else "")
        raise AmbiguousOid(f"{text!r} could be {len(found)} objects ({shown}); write more of it")
    return found[0]
