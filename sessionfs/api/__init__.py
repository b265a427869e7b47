"""The Python API: what ``import sessionfs`` gives.

``store``      :func:`open`, the store and its sessions
``finding``    finding artifacts and sessions
``session``    one session
``recording``  what programs say that they do; ``blocks`` around what they are about to do
``travelling`` what it is asked about its past: ``view``, ``checkpoints``, ``difference``, ``version``
``returning``  going back, forking and merging
``replaying``  letting what happened happen again; ``replay`` goes through it
``reading``    what can be read of it, now or then; ``artifact`` is what that gives
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
from sessionfs.api.session import Session
from sessionfs.api.state import State
from sessionfs.api.store import Sessions, Store, open
from sessionfs.correlation import environment
from sessionfs.events.event import Event

if TYPE_CHECKING:
    from sessionfs.api.difference import ArtifactChange, Difference, Operation, StateDifference
    from sessionfs.api.replay import Replay
    from sessionfs.api.version import Version
    from sessionfs.api.view import SessionView
    from sessionfs.replay.rerun import CallAgain, Rerun
    from sessionfs.replay.what_if import Impossible, WhatIf
    from sessionfs.travel.appending import Changed
    from sessionfs.travel.checkpoints import Checkpoint
    from sessionfs.travel.merge import Clash, Merge
    from sessionfs.travel.restore import Restored

_LATE = {
    "ArtifactChange": "api.difference",
    "CallAgain": "replay.rerun",
    "Changed": "travel.appending",
    "Checkpoint": "travel.checkpoints",
    "Clash": "travel.merge",
    "Difference": "api.difference",
    "Impossible": "replay.what_if",
    "Merge": "travel.merge",
    "Operation": "api.difference",
    "Replay": "api.replay",
    "Rerun": "replay.rerun",
    "Restored": "travel.restore",
    "SessionView": "api.view",
    "StateDifference": "api.difference",
    "Version": "api.version",
    "WhatIf": "replay.what_if",
}

__all__ = [
    "Artifact",
    "ArtifactChange",
    "Artifacts",
    "Block",
    "CallAgain",
    "Changed",
    "Checkpoint",
    "Clash",
    "Difference",
    "Event",
    "Found",
    "FoundArtifact",
    "Impossible",
    "Merge",
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
    "Version",
    "WhatIf",
    "correlate",
    "environment",
    "open",
]


def __getattr__(name: str) -> Any:
    module = _LATE.get(name)
    if module is None:
        raise AttributeError(f"module 'sessionfs.api' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"sessionfs.{module}"), name)
