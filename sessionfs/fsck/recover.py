"""Getting back what was written to a mount that was killed, and never closed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from sessionfs.artifacts import check_path
from sessionfs.errors import Error, from_os_error
from sessionfs.fsck.fault import Fault
from sessionfs.sessions import check_id
from sessionfs.store.store import Store
from sessionfs.store.unsaved import Unsaved, discard, list_unsaved

_PIECE_BYTES = 1 << 20


class Recovered(NamedTuple):
    """A file that was written."""

    session_id: str
    path: str  # in the session
    target: str  # the plain file
    size: int


def recover(store: Store, directory: str) -> Iterator[Recovered | Fault]:
    """Write what ended mounts left unsaved to ``directory/<session>/<path>``, and remove each journal that is done.

    A file that is there already is kept: the new one gets ``.1``, ``.2``, … behind its name. No session is changed.

    Yields:
        What was written, and a fault for what could not be; its journal stays.

    Raises:
        NoSpace, Denied: The directory cannot be written; the journal stays.
    """
    journals: dict[str, bool] = {}
    for unsaved in list(list_unsaved(store.layout.staging)):
        journals.setdefault(unsaved.journal, True)
        try:
            yield _write(store, unsaved, directory)
        except Error as failure:
            journals[unsaved.journal] = False
            yield Fault("unsaved", f"{unsaved.session_id}:{unsaved.path}", str(failure), unsaved.session_id)
    for journal, is_done in journals.items():
        if is_done:
            discard(journal)


def _write(store: Store, unsaved: Unsaved, directory: str) -> Recovered:
    staged = unsaved.content(store.objects)
    try:
        target = f"{directory}/{check_id(unsaved.session_id)}/{check_path(unsaved.path)}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        fd, target = _create(target)
        with os.fdopen(fd, "wb") as file:
            for offset in range(0, staged.size, _PIECE_BYTES):
                file.write(staged.pread(_PIECE_BYTES, offset))
            file.flush()
            os.fsync(fd)
        return Recovered(unsaved.session_id, unsaved.path, target, staged.size)
    except OSError as failure:
        raise from_os_error(failure, f"write what was unsaved of {unsaved.path!r} to {directory}") from failure
    finally:
        staged.discard()


def _create(path: str) -> tuple[int, str]:
    """Create a file at *path*, or at the first free name after it; return its descriptor and name."""
    number = 0
    while True:
        target = f"{path}.{number}" if number else path
        try:
            return os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), target
        except FileExistsError:
            number += 1
