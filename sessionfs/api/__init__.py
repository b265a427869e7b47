"""The Python API: what ``import sessionfs`` gives.

``store``      :func:`open`, the store and its sessions
``finding``    finding artifacts and sessions; ``searching`` in contents
``analysing``  numbers about them, and where the space is
``session``    one session
``recording``  what programs say that they do; ``blocks`` around what they are about to do
``travelling`` what it is asked about its past: ``view``, ``checkpoints``, ``difference``, ``version``
``returning``  going back, forking and merging
``replaying``  letting what happened happen again; ``replay`` goes through it
``reading``    what can be read of it, now or then; ``artifact`` is what that gives
``keeping``    how long it is kept: settings, pins; ``upkeep`` of a store: gc, packs, trash, retention
``templates``  what sessions begin with
``copying``    backups, clones, and sessions from one store to another
``exchanging`` sessions as ordinary files, and in bundles
``artifacts``  its artifacts, as a mapping, with verbs
``files``      artifacts as file objects
``state``      its state, as a mapping

What is about the past is imported when it is first used: most programs never look back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionfs.api.artifact import Artifact
from sessionfs.api.artifacts import Artifacts
from sessionfs.api.blocks import Block
from sessionfs.api.finding import Found, FoundArtifact
from sessionfs.api.recording import correlate
from sessionfs.api.searching import Hit, MatchedLine
from sessionfs.api.session import Session
from sessionfs.api.state import State
from sessionfs.api.store import Sessions, Store, open
from sessionfs.correlation import environment
from sessionfs.events.event import Event

if TYPE_CHECKING:
    from sessionfs.analytics.family import Member
    from sessionfs.analytics.patterns import Patterns
    from sessionfs.analytics.space import Space
    from sessionfs.analytics.stats import Stats
    from sessionfs.analytics.timeline import Timeline
    from sessionfs.api.copying import clone, restore_backup
    from sessionfs.api.difference import ArtifactChange, Difference, Operation, StateDifference
    from sessionfs.api.exchanging import verify_bundle
    from sessionfs.api.replay import Replay
    from sessionfs.api.version import Version
    from sessionfs.api.view import SessionView
    from sessionfs.backup.bundle_create import Bundled
    from sessionfs.backup.done import Brought, Copied
    from sessionfs.backup.export import Exported
    from sessionfs.backup.import_session import Imported
    from sessionfs.replay.rerun import CallAgain, Rerun
    from sessionfs.replay.what_if import Impossible, WhatIf
    from sessionfs.travel.appending import Changed
    from sessionfs.travel.checkpoints import Checkpoint
    from sessionfs.travel.merge import Clash, Merge
    from sessionfs.travel.restore import Restored

_LATE = {
    "ArtifactChange": "api.difference",
    "Brought": "backup.done",
    "CallAgain": "replay.rerun",
    "Changed": "travel.appending",
    "Checkpoint": "travel.checkpoints",
    "Clash": "travel.merge",
    "Copied": "backup.done",
    "Difference": "api.difference",
    "Impossible": "replay.what_if",
    "Member": "analytics.family",
    "Merge": "travel.merge",
    "Operation": "api.difference",
    "Patterns": "analytics.patterns",
    "Replay": "api.replay",
    "Rerun": "replay.rerun",
    "Restored": "travel.restore",
    "SessionView": "api.view",
    "Space": "analytics.space",
    "StateDifference": "api.difference",
    "Stats": "analytics.stats",
    "Timeline": "analytics.timeline",
    "Version": "api.version",
    "WhatIf": "replay.what_if",
    "clone": "api.copying",
    "restore_backup": "api.copying",
    "verify_bundle": "api.exchanging",
    "Bundled": "backup.bundle_create",
    "Exported": "backup.export",
    "Imported": "backup.import_session",
}

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
    "Copied",
    "Difference",
    "Event",
    "Exported",
    "Found",
    "FoundArtifact",
    "Hit",
    "Imported",
    "Impossible",
    "MatchedLine",
    "Member",
    "Merge",
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
    "Version",
    "WhatIf",
    "clone",
    "correlate",
    "environment",
    "open",
    "restore_backup",
    "verify_bundle",
]


def __getattr__(name: str) -> Any:
    module = _LATE.get(name)
    if module is None:
        raise AttributeError(f"module 'sessionfs.api' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"sessionfs.{module}"), name)
