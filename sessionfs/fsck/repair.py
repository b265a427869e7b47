"""Repair: what can be had again is put back, what cannot is cut off or noted as lost, what is derived is made anew.

In rounds, because what is found in one may say more in the next: a tree that was put back names others. Nothing that
is taken away is destroyed (see ``store.aside``), and a session that was cut or has lost something says so in its log. A
second repair finds nothing to do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sessionfs.errors import Conflict, Corrupt, Error, NotFound
from sessionfs.fsck import logs, mended
from sessionfs.fsck.check import check
from sessionfs.fsck.fault import Fault
from sessionfs.fsck.objects import Progress
from sessionfs.fsck.refs import mend_ref
from sessionfs.fsck.shelves import mend_shelf
from sessionfs.objects import ObjectFile
from sessionfs.oid import ObjectId
from sessionfs.store import forks
from sessionfs.store.aside import REPAIR, Aside
from sessionfs.store.pruned import LOST, tombstones
from sessionfs.store.pruned import TYPE as PRUNED
from sessionfs.store.store import Store

_MAX_ROUNDS = 20  # as deep as trees of trees of lists go, and then some

_OBJECT_FAULTS = frozenset({"damaged-object", "broken-pieces", "missing-object"})
_LOG_FAULTS = frozenset({"damaged-log", "inconsistent-log", "torn-tail"})


class Repaired(NamedTuple):
    """One thing that was done, or that could not be."""

    action: str  # "restored", "cut", "lost", "rebuilt", "left"
    where: str
    message: str
    is_done: bool = True  # False for what is still wrong

    def to_dict(self) -> dict[str, str | bool]:
        """Return it JSON-ready."""
        return self._asdict()


def repair(
    store: Store,
    *,
    others: Sequence[Store] = (),
    jobs: int = 1,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Iterator[Repaired]:
    """Repair *store*, and yield what is done as it is done.

    Args:
        others: Stores from which to take what is damaged or missing here.
        jobs, progress: As for :func:`check`.
        dry_run: Only say what the first round would do.

    Durability:
        Survives a power cut when the last one has been yielded. A crash before that leaves work for another repair.

    Concurrency:
        For a store that nobody writes to: who has a session open that is cut gets an error with the next write.
    """
    aside = Aside(store, REPAIR, store.clock())
    for _ in range(_MAX_ROUNDS):
        faults = list(check(store, jobs=jobs, progress=progress))
        work = _Round(store, others, aside, faults, dry_run)
        yield from work.run()
        if dry_run or not work.has_changed:
            break
        store.close()
    if not dry_run:
        left = (fault for fault in faults if fault.is_damage)
        yield from (Repaired("left", fault.where, fault.message, is_done=False) for fault in left)
        store.sync_everything()


class _Round:
    """What is done about the faults of one check."""

    def __init__(self, store: Store, others: Sequence[Store], aside: Aside, faults: list[Fault], dry_run: bool) -> None:
        self._store = store
        self._others = others
        self._aside = aside
        self._faults = faults
        self._dry_run = dry_run
        self._gone: set[ObjectId] = set()
        self.has_changed = False

    def run(self) -> Iterator[Repaired]:
        yield from self._shelves()
        if self.has_changed and not self._dry_run:
            return  # a session that is there again needs what may be damaged
        yield from self._objects()
        if self.has_changed and not self._dry_run:
            return  # what is there again may change everything else
        yield from self._logs()
        if self.has_changed and not self._dry_run:
            return
        yield from self._snapshots()
        yield from self._refs()
        yield from self._packs()

    def _does(self, action: str, where: str, message: str) -> Repaired:
        self.has_changed = True
        return Repaired(action, where, message)

    # Shelves

    def _shelves(self) -> Iterator[Repaired]:
        for fault in self._faults:
            if fault.kind != "damaged-shelf":
                continue
            aside = None if self._dry_run else self._aside
            for one in mend_shelf(self._store, f"{self._store.path}/{fault.where}", self._others, aside):
                where = f"sessions/{one.session_id}"
                if one.session_id is None:
                    yield self._does("lost", fault.where, f"it cannot be told what else was on it: {fault.message}")
                elif one.how is None:
                    yield self._does("lost", where, f"it lay on {fault.where}, and nobody else has all of its log")
                else:
                    yield self._does("restored", where, one.how)
            yield self._does("rebuilt", fault.where, "what could be had of it is on a new shelf; it was set aside")

    # Objects

    def _objects(self) -> Iterator[Repaired]:
        for lost in self._lost():
            found = mended.find(lost, self._store, self._others)
            if found is None:
                self._gone.add(lost.oid)
                continue
            if found.store is self._store and all(path.start is not None for path in self._damaged(lost)):
                continue  # it is read from the whole copy already; the pack is written anew below
            if not self._dry_run:
                mended.put(lost, found, self._store, self._aside)
            yield self._does("restored", lost.oid, f"{lost.kind}: {found.how}")

    def _damaged(self, lost: mended.Lost) -> list[ObjectFile]:
        files = [file for file in self._store.objects.places(lost.oid) if file.kind == lost.kind]
        return [file for file in files if not mended.is_whole(self._store, file)]

    def _lost(self) -> list[mended.Lost]:
        named = []
        for fault in self._faults:
            if fault.kind in _OBJECT_FAULTS and fault.oid is not None and fault.object_kind is not None:
                session_ids = tuple(use.session_id for use in fault.touched)
                if fault.kind == "broken-pieces":
                    pieces = self._store.objects.pieces(fault.oid)
                    named += [(piece, "blob", session_ids) for piece in sorted(pieces) if not self._has(piece)]
                named.append((fault.oid, fault.object_kind, session_ids))
        return mended.lost_of(named)

    def _has(self, oid: ObjectId) -> bool:
        try:
            return any(mended.is_whole(self._store, file) for file in self._store.objects.places(oid))
        except (Corrupt, NotFound):
            return False

    # Logs

    def _logs(self) -> Iterator[Repaired]:
        damaged = {fault.session_id for fault in self._faults if fault.kind in _LOG_FAULTS}
        touched = {use.session_id for fault in self._faults if fault.oid in self._gone for use in fault.touched}
        for session_id in sorted(name for name in damaged | touched if name is not None):
            with contextlib.suppress(NotFound):
                yield from self._log(session_id, session_id in damaged)
        for oid in sorted(self._gone):
            for file in self._store.objects.places(oid):
                if file.start is None and not mended.is_whole(self._store, file):
                    if not self._dry_run:
                        self._aside.move_object(file)
                    yield self._does("lost", oid, "what is left of it was set aside")

    def _log(self, session_id: str, is_damaged: bool) -> Iterator[Repaired]:
        store = self._store
        if is_damaged:
            rejoined = logs.rejoin(store, session_id, self._others)
            if rejoined is not None:
                if not self._dry_run:
                    name = f"{session_id}.log-from-{rejoined.offset}"
                    path = store.layout.log(session_id)
                    self._aside.exchange(path, rejoined.content, rejoined.offset, name)
                yield self._does("restored", f"{session_id} log", rejoined.how)
                return
        session = store.unread(session_id)
        try:
            cut = logs.find_cut(session, self._gone)
        except Error:
            return  # what it begins with is gone: nothing here says what it was
        if cut is not None and cut.seq == 0:
            return  # not even its first record is whole: it is left as it is
        gone = logs.named_gone(session, self._gone, None if cut is None else cut.offset)
        gone |= {
            fault.oid
            for fault in self._faults
            for use in fault.touched
            if fault.oid in self._gone and use.session_id == session_id and (cut is None or use.seq < cut.seq)
        }
        if cut is not None:
            if not self._dry_run:
                self._cut(session_id, cut)
            yield self._does("cut", f"{session_id}:{cut.seq}", f"records cut off: {cut.record_count}; {cut.why}")
        if gone:
            if not self._dry_run:
                self._note_lost(session_id, gone)
            yield self._does("lost", session_id, f"{len(gone)} objects are gone, which the session now says")

    def _cut(self, session_id: str, cut: logs.Cut) -> None:
        store = self._store
        with contextlib.suppress(Corrupt, NotFound, Conflict):
            parent = store.session(session_id)
            with parent.writing():
                forks.keep_beginnings(store, parent)
        path = store.layout.log(session_id)
        self._aside.cut(path, cut.offset, f"{session_id}.log-from-{cut.offset}")
        store.forget(session_id)
        message = f"{cut.record_count} records were cut off by a repair: {cut.why}"
        data = {"message": message, "seq": cut.seq, "count": cut.record_count, "kept": self._aside.directory}
        session = store.session(session_id)
        with session.noting():
            session.note("warning.raised", data)

    def _note_lost(self, session_id: str, gone: set[ObjectId]) -> None:
        session = self._store.session(session_id)
        with session.noting():
            for tombstone in tombstones(gone, LOST):
                session.note(PRUNED, tombstone)

    # What is derived

    def _snapshots(self) -> Iterator[Repaired]:
        for fault in self._faults:
            if fault.kind not in ("wrong-snapshot", "damaged-snapshot") or fault.oid is None or not fault.session_id:
                continue
            if not self._dry_run:
                for file in self._store.objects.places(fault.oid):
                    if file.kind == "snapshot":
                        self._aside.move_object(file)
                self._store.forget(fault.session_id)
                self._note_lost(fault.session_id, {fault.oid})
            yield self._does("rebuilt", fault.where, "the wrong snapshot was set aside: the log says what it should")

    def _refs(self) -> Iterator[Repaired]:
        for fault in self._faults:
            if fault.kind == "damaged-ref" or (fault.oid in self._gone and "/refs/" in fault.where):
                done = mend_ref(self._store, fault.where, self._gone, None if self._dry_run else self._aside)
                if done is not None:
                    yield self._does("restored", fault.where, done)

    def _packs(self) -> Iterator[Repaired]:
        paths = {
            fault.where.partition(" at ")[0]
            for fault in self._faults
            if fault.where.startswith("objects/pack/") and fault.is_damage
        }
        for path in sorted(paths):
            whole = f"{self._store.path}/{path}"
            if not self._dry_run and not self._store.objects.rewrite_pack(whole, self._aside.make()):
                continue
            yield self._does("rebuilt", path, "what is whole in it is in a new pack; it was set aside")
