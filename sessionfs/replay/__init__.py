"""Replay: what happened in a session, once more, at its own pace or step by step.

Playing:

``tape``       the events of a session by their numbers
``pace``       when the next one is due
``standing``   artifacts and state at the present place
``replay``     going forwards, back and elsewhere
``condition``  which events are meant, as people write it

Doing it again:

``rerun``      what was called is called again, and the results are compared
``edits``      which events are to be dropped or to say something else
``happening``  whether an event can happen again, and what it says then
``what_if``    a fork in which the events happen again, but for those

Names are imported when they are first used; the functions ``rerun`` and ``what_if`` are in the modules of that name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionfs.replay.condition import BadCondition, Condition, has_failed, parse_condition
    from sessionfs.replay.pace import BadSpeed, Pace
    from sessionfs.replay.replay import OutOfRange, Replay
    from sessionfs.replay.rerun import CallAgain, Differing, Rerun
    from sessionfs.replay.what_if import Impossible, WhatIf

_MODULE_OF = {
    "BadCondition": "condition",
    "Condition": "condition",
    "has_failed": "condition",
    "parse_condition": "condition",
    "BadSpeed": "pace",
    "Pace": "pace",
    "OutOfRange": "replay",
    "Replay": "replay",
    "CallAgain": "rerun",
    "Differing": "rerun",
    "Rerun": "rerun",
    "Impossible": "what_if",
    "WhatIf": "what_if",
}

__all__ = [
    "BadCondition",
    "BadSpeed",
    "CallAgain",
    "Condition",
    "Differing",
    "Impossible",
    "OutOfRange",
    "Pace",
    "Replay",
    "Rerun",
    "WhatIf",
    "has_failed",
    "parse_condition",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'sessionfs.replay' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"sessionfs.replay.{module}"), name)
