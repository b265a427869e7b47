"""The whole check, in the order in which one thing rests on another."""

from __future__ import annotations

from collections.abc import Iterator

from sessionfs import refs
from sessionfs.artifacts import text_of
from sessionfs.errors import Corrupt
from sessionfs.fsck.fault import Fault
from sessionfs.fsck.objects import Found, Progress, check_objects
from sessionfs.fsck.sessions import check_session
from sessionfs.store.store import Store
from sessionfs.store.unsaved import list_unsaved


def check(store: Store, *, progress: Progress | None = None) -> Iterator[Fault]:
    """Yield every fault of *store*, beginning with its objects. Writes nothing.

    Args:
        progress: Called with the bytes of objects that are done, and all there are.

    Concurrency:
        The store may be in use: what is written meanwhile is checked or left out, and is no fault.
    """
    session_ids = store.session_ids()
    found = Found()
    yield from check_objects(store, found, progress)
    for session_id in session_ids:
        yield from check_session(store, session_id, found)
    yield from _check_head(store)
    yield from _list_unsaved(store)


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
