"""sessionfs: sessions and their artifacts, kept as plain files, mounted as a filesystem.

    import sessionfs

    store = sessionfs.open("runs", create=True)
    with store.sessions.create(name="Q4") as session:
        session.artifacts.put("report.txt", b"...")

The floors of the package, from the ground up; each imports only from those below (import-linter sees to it):

    oid clock locks errors        ids, time, file locks, the kinds of error
    shown                         values as people see them
    correlation                   what records made together have in common
    durable                       how bytes reach the disk, and when they are safe there
    objects                       immutable content named by its hash
    log refs                      append-only history; mutable names
    sessions artifacts state      what the records of a session add up to
    store                         all of it together: the one way in which anything changes
    events                        services: readings of the store
    travel                        any moment of a session, and ways back
    query                         which artifacts or sessions are meant
    fsck retention backup         checked and repaired; how long it is kept, and gc; copied
    hooks watch replay            what is called before and after changes; what happens; what happened, once more
    index                         what the logs say, to be searched
    search                        patterns and words in contents
    analytics                     how many, how large, how long; what was done
    templates                     what sessions begin with
    api                           Python
    mount collect                 FUSE; directories that are watched
    ui                            a browser in the terminal
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
        Brought,
        Bundled,
        CallAgain,
        Changed,
        Checkpoint,
        Clash,
        Copied,
        Difference,
        Event,
        Exported,
        Found,
        FoundArtifact,
        Hit,
        Imported,
        Impossible,
        MatchedLine,
        Member,
        Merge,
        Operation,
        Patterns,
        Replay,
        Rerun,
        Restored,
        Session,
        Sessions,
        SessionView,
        Space,
        State,
        StateDifference,
        Stats,
        Store,
        Timeline,
        Version,
        WhatIf,
        clone,
        correlate,
        environment,
        open,
        restore_backup,
        verify_bundle,
    )

__version__ = "0.1.0"

__all__ = [
    "Artifact",
    "ArtifactChange",
    "Artifacts",
    "Block",
    "Brought",
    "Bundled",
    "CallAgain",
    "Changed",
    "Checkpoint",
    "Clash",
    "Conflict",
    "Copied",
    "Corrupt",
    "Denied",
    "Difference",
    "Error",
    "Event",
    "Exported",
    "Found",
    "FoundArtifact",
    "Hit",
    "Imported",
    "Impossible",
    "InvalidInput",
    "MatchedLine",
    "Member",
    "Merge",
    "NotFound",
    "Operation",
    "Patterns",
    "Replay",
    "Rerun",
    "Restored",
    "Session",
    "SessionView",
    "Sessions",
    "Space",
    "State",
    "StateDifference",
    "Stats",
    "Store",
    "Timeline",
    "Unsupported",
    "Version",
    "WhatIf",
    "__version__",
    "clone",
    "correlate",
    "environment",
    "open",
    "restore_backup",
    "verify_bundle",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name in __all__:
        from sessionfs import api

        return getattr(api, name)
    raise AttributeError(f"module 'sessionfs' has no attribute {name!r}")
