"""The whole check, in the order in which one thing rests on another."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence

from sessionfs import refs
from sessionfs.artifacts import text_of
from sessionfs.errors import Corrupt
from sessionfs.fsck.fault import Fault
from sessionfs.fsck.found import Found, whole_copy
from sessionfs.fsck.leftovers import list_leftovers
from sessionfs.fsck.objects import Progress, check_objects, check_packs
from sessionfs.fsck.sessions import check_session
from sessionfs.fsck.shelves import check_shelves
from sessionfs.objects import ObjectFile
from sessionfs.oid import ObjectId
from sessionfs.store.reach import Objects, named_by_session
from sessionfs.store.store import Store
from sessionfs.store.unsaved import list_unsaved


def check(
    store: Store,
    *,
    quick: bool = False,
    session_ids: Collection[str] | None = None,
    jobs: int = 1,
    others: Sequence[Store] = (),
    progress: Progress | None = None,
) -> Iterator[Fault]:
    """Yield every fault of *store*, beginning with its objects. Writes nothing.

    Args:
        quick: Check structure only: nothing is hashed but the logs, and snapshots are not compared with them.
        session_ids: Check these sessions and what they need; all, and all objects, by default.
        jobs: How many processes hash objects at once, if there is enough to do. More than one only from a program
            without other threads.
        others: Stores in which to look for what is damaged or missing.
        progress: Called with the bytes of objects that are done, and all there are.

    Concurrency:
        The store may be in use: what is written meanwhile is checked or left out, and is no fault.
    """
    chosen = store.session_ids() if session_ids is None else sorted(session_ids)
    files = list(store.objects.list(every=True))
    if session_ids is not None:
        files = _needed(store, chosen, files)
    found = Found(store.objects)
    verifier = store.objects.verifier()
    verify = verifier.look if quick else verifier.verify
    check_objects(store, found, files, verify, jobs=jobs, progress=progress)
    of_sessions: Iterator[Fault] = (
        _with_copies(fault, store, others)
        for session_id in chosen
        for fault in check_session(store, session_id, found, quick=quick)
    )
    if session_ids is None:
        yield from check_packs(store)
        yield from check_shelves(store)
    if found.damaged:
        # What needs them is known when the sessions have been read.
        of_sessions = iter(list(of_sessions))
        yield from _damaged_objects(store, found, others)
    yield from of_sessions
    yield from _check_head(store)
    if session_ids is None:
        yield from list_leftovers(store)
        yield from _list_unsaved(store)


def _needed(store: Store, session_ids: list[str], files: list[ObjectFile]) -> list[ObjectFile]:
    objects = Objects(store.objects, files)
    needed: set[ObjectId] = set()
    for session_id in session_ids:
        needed |= objects.needed(named_by_session(store.disk, store.layout, session_id))
    return [file for file in files if file.oid in needed]


def _damaged_objects(store: Store, found: Found, others: Sequence[Store]) -> Iterator[Fault]:
    for oid, places in found.damaged.items():
        copies = _copies(oid, places[0].file.kind, store, others)
        for damaged in places:
            where = os.path.relpath(str(damaged.file.place), store.path)
            fault = Fault(damaged.kind, where, damaged.message, oid=oid, object_kind=damaged.file.kind)
            yield fault._replace(touched=found.uses(oid), copies=copies)


def _with_copies(fault: Fault, store: Store, others: Sequence[Store]) -> Fault:
    if fault.oid is None or fault.object_kind is None:
        return fault
    return fault._replace(copies=_copies(fault.oid, fault.object_kind, store, others))


def _copies(oid: ObjectId, kind: str, store: Store, others: Sequence[Store]) -> tuple[str, ...]:
    copies = [whole_copy(one.objects, oid, kind) for one in (store, *others)]
    return tuple(str(file.place) for file in copies if file is not None)


def _list_unsaved(store: Store) -> Iterator[Fault]:
    for unsaved in list_unsaved(store.layout.staging):
        where = f"{unsaved.session_id}:{text_of(unsaved.path)}"
        message = "it was written and not closed when its mount ended; get it with: sessionfs fsck --recover DIR"
        yield Fault("unsaved", where, message, unsaved.session_id, is_damage=False)


def _check_head(store: Store) -> Iterator[Fault]:
    try:
        current = refs.read(store.disk, store.layout.head)
    except Corrupt as failure:
        yield Fault("damaged-ref", "HEAD", str(failure))
        return
    if current is not None and current not in store.session_ids():
        yield Fault("dangling-head", "HEAD", f"the current session {current} is not in the store", is_damage=False)
