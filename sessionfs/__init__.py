"""sessionfs: sessions and their artifacts, kept as plain files, mounted as a filesystem.

    import sessionfs

    store = sessionfs.open("runs", create=True)
    with store.sessions.create(name="Q4") as session:
        session.artifacts.put("report.txt", b"...")

The floors of the package, from the ground up; each imports only from those below (import-linter sees to it):

    oid clock locks errors        ids, time, file locks, the kinds of error
    correlation                   what records made together have in common
    durable                       how bytes reach the disk, and when they are safe there
    objects                       immutable content named by its hash
    log refs                      append-only history; mutable names
    sessions artifacts state      what the records of a session add up to
    store                         all of it together: the one way in which anything changes
    events                        services: readings of the store
    travel                        any moment of a session, and ways back
    query                         which artifacts or sessions are meant
    fsck
    hooks replay                  what is called before and after changes; what happened, once more
    index                         what the logs say, to be searched
    api                           Python
    mount                         FUSE
    cli                           the command line; the only place that prints and exits

Names are imported when they are first used, so that the command line starts fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionfs.errors import Conflict, Corrupt, Denied, Error, InvalidInput, NotFound, Unsupported

if TYPE_CHECKING:
    from sessionfs.api import (
        Artifact,
        ArtifactChange,
        Artifacts,
        Block,
        CallAgain,
        Changed,
        Checkpoint,
        Clash,
        Difference,
        Event,
        Found,
        FoundArtifact,
        Impossible,
        Merge,
        Operation,
        Replay,
        Rerun,
        Restored,
        Session,
        Sessions,
        SessionView,
        State,
        StateDifference,
        Store,
        Version,
        WhatIf,
        correlate,
        environment,
        open,
    )

__version__ = "0.1.0"

__all__ = [
    "Artifact",
    "ArtifactChange",
    "Artifacts",
    "Block",
    "CallAgain",
    "Changed",
    "Checkpoint",
    "Clash",
    "Conflict",
    "Corrupt",
    "Denied",
    "Difference",
    "Error",
    "Event",
    "Found",
    "FoundArtifact",
    "Impossible",
    "InvalidInput",
    "Merge",
    "NotFound",
    "Operation",
    "Replay",
    "Rerun",
    "Restored",
    "Session",
    "SessionView",
    "Sessions",
    "State",
    "StateDifference",
    "Store",
    "Unsupported",
    "Version",
    "WhatIf",
    "__version__",
    "correlate",
    "environment",
    "open",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from sessionfs import api

        return getattr(api, name)
    raise AttributeError(f"module 'sessionfs' has no attribute {name!r}")
