"""Time travel: any moment of a session, read from its log, and ways back.

Reading:

``moment``       moments as people write them
``resolve``      from a moment to a place in the log
``view``         a session as it was there
``checkpoints``  places with names; ``mark`` gives one
``difference``   what differs between two trees or states; ``compare`` between two moments
``lines``        which lines differ; ``unified`` writes that as a patch
``versions``     every version of every artifact; ``numbering`` has the rules
``changelog``    what was done, operation by operation; ``noting`` says what each record changed

Changing, by new records alone:

``restore``      what was at a moment comes back
``undo``         the newest operations are taken back, and brought back
``merge``        what a child changed comes to its parent
``effect`` ``plan`` ``appending`` ``consent`` ``ancestry``  what these three stand on

Names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionfs.travel.difference import Change, StateChange, compare_states, compare_trees, pair_renames
    from sessionfs.travel.moment import NOW, AfterRecord, BadMoment, Moment, moment_of, parse_moment, split_moment
    from sessionfs.travel.resolve import BeforeSession, InFuture, NoSuchMoment, resolve_moment
    from sessionfs.travel.view import View, view_at

_MODULE_OF = {
    "Change": "difference",
    "StateChange": "difference",
    "compare_states": "difference",
    "compare_trees": "difference",
    "pair_renames": "difference",
    "NOW": "moment",
    "AfterRecord": "moment",
    "BadMoment": "moment",
    "Moment": "moment",
    "moment_of": "moment",
    "parse_moment": "moment",
    "split_moment": "moment",
    "BeforeSession": "resolve",
    "InFuture": "resolve",
    "NoSuchMoment": "resolve",
    "resolve_moment": "resolve",
    "View": "view",
    "view_at": "view",
}

__all__ = [
    "NOW",
    "AfterRecord",
    "BadMoment",
    "BeforeSession",
    "Change",
    "InFuture",
    "Moment",
    "NoSuchMoment",
    "StateChange",
    "View",
    "compare_states",
    "compare_trees",
    "moment_of",
    "pair_renames",
    "parse_moment",
    "resolve_moment",
    "split_moment",
    "view_at",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'sessionfs.travel' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"sessionfs.travel.{module}"), name)
