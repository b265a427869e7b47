"""Which objects are needed: what a mark of everything finds, and what was appended since."""

from __future__ import annotations

from sessionfs.errors import Corrupt
from sessionfs.log.damage import UnreadableLog
from sessionfs.objects import ObjectFile
from sessionfs.objects.trashed import PREFIX
from sessionfs.oid import ObjectId
from sessionfs.store.reach import Named, Objects, list_files, named_by_session
from sessionfs.store.store import Store


class UncertainNeeds(Corrupt):
    """Something that says what is needed is damaged or missing, so nothing can be called unneeded."""


class Mark:
    """A mark of all that the logs, refs, snapshots and other files of a store need.

    Each session is asked for itself: what it has given up (see :mod:`sessionfs.store.pruned`) another one may need.
    """

    def __init__(self, store: Store, files: list[ObjectFile], in_trash: list[ObjectFile], young_ns: int) -> None:
        """Look at everything.

        Args:
            files: Every object but those in the trash.
            in_trash: Those.
            young_ns: Of *files*, what is younger (a time) is needed, too, with all that it names: somebody may be about
                to record it.

        Raises:
            UncertainNeeds: Nothing may be removed before a repair.
        """
        self._store = store
        self._objects = Objects(store.objects, [*files, *in_trash])
        self._ends: dict[str, int] = {}
        self.needed: set[ObjectId] = set()
        try:
            store.disk.check_shelves()
            for session_id in store.session_ids():
                self._add_session(session_id)
            self._add_other_files()
        except UnreadableLog as failure:
            raise UncertainNeeds(f"{failure}; nothing was removed: run sessionfs fsck --repair first") from failure
        self._add_young(files, young_ns)
        if self._objects.unreadable:
            some = sorted(self._objects.unreadable)[0]
            raise UncertainNeeds(
                f"{len(self._objects.unreadable)} objects that say what else is needed are missing or damaged, {some} "
                "is one; nothing was removed: run sessionfs fsck --repair first"
            )

    def catch_up(self) -> None:
        """Take in what was appended, or begun, since."""
        store = self._store
        for session_id in store.session_ids():
            path = store.layout.log(session_id)
            if session_id not in self._ends:
                self._add_session(session_id)
            elif (store.disk.size_at(path) or 0) != self._ends[session_id]:
                named = Named()
                self._ends[session_id] = named.add_file(store.disk, path, self._ends[session_id])
                named.pruned.clear()  # the next run finds it out
                self._objects.needed(named, self.needed)
        self._add_other_files()

    def _add_session(self, session_id: str) -> None:
        store = self._store
        # Measured before it is read: what is appended meanwhile is read again.
        self._ends[session_id] = store.disk.size_at(store.layout.log(session_id)) or 0
        named = named_by_session(store.disk, store.layout, session_id)
        if named.pruned:
            self.needed |= self._objects.needed(named)
        else:
            self._objects.needed(named, self.needed)

    def _add_other_files(self) -> None:
        """Take in what the refs, HEAD, the journals in tmp/, and the sessions in the trash name."""
        store, layout = self._store, self._store.layout
        named = Named()
        for session_id in store.session_ids():
            for path in list_files(store.disk, layout.refs(session_id)):
                named.add_file(store.disk, path)
        for path in list_files(store.disk, layout.staging):
            named.add_file(store.disk, path)
        objects = {f"{layout.trash}/{name}" for name in store.disk.listdir(layout.trash) if name.startswith(PREFIX)}
        for path in list_files(store.disk, layout.trash, skip=objects):
            named.add_file(store.disk, path)
        named.pruned.clear()
        self._objects.needed(named, self.needed)

    def _add_young(self, files: list[ObjectFile], young_ns: int) -> None:
        named = Named()
        modified: dict[str, bool] = {}
        for file in files:
            if file.path not in modified:
                modified[file.path] = (self._store.disk.modified_ns(file.path) or 0) >= young_ns
            if modified[file.path]:
                named.oids.add(file.oid)
        self._objects.needed(named, self.needed)
