"""The objects of a copy: all of a store's, or what some records need; and one barrier behind them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator

from sessionfs.backup.done import Damaged
from sessionfs.backup.logs import good_lines
from sessionfs.durable import Mode, SyncedAtOnce
from sessionfs.errors import Corrupt, NotFound, from_os_error
from sessionfs.log.pages import Place
from sessionfs.log.record import parse_line
from sessionfs.objects.copying import Copied
from sessionfs.oid import ObjectId
from sessionfs.store import references
from sessionfs.store.content import open_objects
from sessionfs.store.pruned import pruned_oids
from sessionfs.store.store import Store

Progress = Callable[[int], None]
"""Called with the bytes of objects that have been copied."""


class ObjectCopying:
    """Objects on their way from one store into another."""

    def __init__(self, source: Store, target: Store, progress: Progress | None) -> None:
        self._source = source
        self._progress = progress
        self._owed = SyncedAtOnce(target.disk, target.path)
        # Not synced one by one, whatever the mode: nothing names them before the barrier.
        config = target.config._replace(mode=Mode.RELAXED)
        self._objects = open_objects(target.layout, config, target.disk, self._owed)
        self._copier = self._objects.copier(source.objects)
        self._complete: set[ObjectId] = set()  # snapshots and trees below which all that was to be had is there
        self.missing: list[Damaged] = []
        """What records name, and the source does not have."""

    @property
    def done(self) -> Copied:
        """How much has been copied."""
        return self._copier.done

    @property
    def damaged(self) -> list[Damaged]:
        """What was not copied, because it is not what its name says."""
        root = self._source.path
        return [Damaged(os.path.relpath(str(file.place), root), said) for file, said in self._copier.damaged.items()]

    def copy_all(self) -> None:
        """Copy all that the target lacks."""
        for file in self._source.objects.list():
            self._copier.add(file)
            self._tell()
        self._copier.finish()
        self._tell()

    def copy(self, oids: Iterable[ObjectId]) -> None:
        """Copy those of *oids* that the target lacks, and the source has."""
        for oid in oids:
            for file in self._source.objects.places(oid):
                self._copier.add(file)
                break
            self._tell()
        self._copier.finish()
        self._tell()

    def check(self, session_id: str, start: Place, end: Place) -> None:
        """Make sure that the target has what records name: their data, their content, and all below their snapshots.

        What of it lies in the trash of the source is copied, too: a gc that was killed left it there, or one that a
        record had overtaken. What is nowhere is noted.

        Args:
            start, end: Between these places of its log the records are new.
        """
        pruned = pruned_oids(good_lines(self._source, session_id, start, end))
        for line in good_lines(self._source, session_id, start, end):
            record = parse_line(line[:-1])
            if record is None:
                continue
            try:
                named = list(references.references(record, self._source.objects))
            except (Corrupt, NotFound) as failure:
                self.missing.append(Damaged(f"{session_id}:{record.seq}", str(failure)))
                continue
            where = f"{session_id}:{record.seq}"
            for reference in named:
                for lost in self._bring(reference, pruned):
                    self.missing.append(Damaged(where, f"its {lost.kind} {lost.oid} is missing or damaged"))

    def _bring(self, named: references.Reference, pruned: Collection[ObjectId]) -> Iterator[references.Reference]:
        """Copy what the target still lacks of what a record names, and below that; yield what is nowhere.

        Content that only a tree names may be nowhere: that shows an earlier moment, and was given up since.
        """
        waiting = [named]
        while waiting:
            one = waiting.pop()
            if one.oid in pruned or one.oid in self._complete:
                continue
            if not self._has(one):
                yield from () if one.kind == "blob" and one is not named else (one,)
            elif one.kind != "blob":
                self._complete.add(one.oid)
                waiting += references.named_in(one, self._objects)

    def _has(self, reference: references.Reference) -> bool:
        if self._objects.is_in_place(reference.oid):
            return True
        self._source.objects.rescue(reference.oid)  # or it came out with what names it
        self.copy([reference.oid])
        return self._objects.is_in_place(reference.oid)

    def sync(self) -> None:
        """Put all that was copied on stable storage: from here on records may name it."""
        try:
            self._objects.rest()
            self._owed.sync()
        except OSError as failure:
            raise from_os_error(failure, "sync what was copied") from failure

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.done.size)
