"""sessionfs: sessions and their artifacts, kept as plain files, mounted as a filesystem.

    import sessionfs

    store = sessionfs.open("runs", create=True)
    with store.sessions.create(name="Q4") as session:
        session.artifacts.put("report.txt", b"...")

The floors of the package, from the ground up; each imports only from those below (import-linter sees to it):

    oid clock locks errors        ids, time, file locks, the kinds of error
    durable                       how bytes reach the disk, and when they are safe there
    objects                       immutable content named by its hash
    log refs                      append-only history; mutable names
    sessions artifacts state      what the records of a session add up to
    store                         all of it together: the one way in which anything changes
    fsck                          services: readings of the store
    api                           Python
    mount                         FUSE
    cli                           the command line; the only place that prints and exits

Names are imported when they are first used, so that the command line starts fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionfs.errors import Conflict, Corrupt, Denied, Error, InvalidInput, NotFound, Unsupported

if TYPE_CHECKING:
    from sessionfs.api import Artifact, Artifacts, Session, Sessions, State, Store, open

__version__ = "0.1.0"

__all__ = [
    "Artifact",
    "Artifacts",
    "Conflict",
    "Corrupt",
    "Denied",
    "Error",
    "InvalidInput",
    "NotFound",
    "Session",
    "Sessions",
    "State",
    "Store",
    "Unsupported",
    "__version__",
    "open",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from sessionfs import api

        return getattr(api, name)
    raise AttributeError(f"module 'sessionfs' has no attribute {name!r}")
