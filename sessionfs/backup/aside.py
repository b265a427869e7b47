"""A session that has to make room for another one of its id: it goes to the trash, as one that was deleted."""

from __future__ import annotations

import contextlib

from sessionfs.errors import Corrupt, NotFound, from_os_error
from sessionfs.store import forks
from sessionfs.store.deleted import new_place
from sessionfs.store.store import Store


def set_aside(store: Store, session_id: str) -> str:
    """Move a session to the trash as it is, and return where it is there; ``trash restore`` brings it back.

    Forks of it get a snapshot of what they begin with first, as far as it can be read.

    Durability:
        As the durability mode says.
    """
    with contextlib.suppress(Corrupt, NotFound):
        session = store.session(session_id)
        with session.writing():
            forks.keep_beginnings(store, session)
    place = new_place(store, session_id)
    try:
        store.disk.rename(store.layout.session(session_id), place)
        store.disk.sync_directory(store.layout.trash)
    except OSError as failure:
        raise from_os_error(failure, f"move session {session_id} to the trash of {store.path}") from failure
    store.forget(session_id)
    return place
