"""The types of event there are, and what each says that happened."""

from __future__ import annotations

import re

from sessionfs.errors import InvalidInput

CUSTOM = "custom."

TYPES = {
    "session.created": "a session began",
    "session.updated": "its name, description, tags or metadata were set",
    "session.suspended": "it became read-only for a while",
    "session.resumed": "it became active again",
    "session.completed": "it ended well",
    "session.failed": "it ended badly",
    "session.archived": "it was put away",
    "session.saved": "a snapshot of it was written",
    "session.restored": "an earlier moment of it was brought back",
    "session.forked": "another session began as its copy",
    "session.merged": "what had changed in a fork was brought back",
    "session.replayed": "what had happened in the session it is a fork of happened here, with changes",
    "session.deleted": "it was moved to the trash",
    "session.configured": "limits, a timeout or rules of retention of its own were set",
    "session.pinned": "it, or an artifact, is to be kept whatever the rules say",
    "session.unpinned": "it, or an artifact, is kept as the rules say again",
    "session.pruned": "objects that it names are gone: given up, or lost",
    "session.imported": "its artifacts and state were ordinary files, or an export of another session",
    "session.recovered": "it was taken out of the trash",
    "artifact.stored": "a version of a file was stored, or something else was made",
    "artifact.updated": "attributes of an artifact were set",
    "artifact.renamed": "an artifact was moved",
    "artifact.deleted": "an artifact was removed",
    "artifact.retrieved": "the content of an artifact was read",
    "state.changed": "a key of the state was set or deleted",
    "agent.executed": "an agent took a turn",
    "tool.invoked": "a tool was called",
    "workflow.started": "a workflow began",
    "workflow.completed": "a workflow ended",
    "error.occurred": "something failed",
    "warning.raised": "something looks wrong",
    "hook.ran": "a hook was run",
    "hook.skipped": "a hook was not run: its circuit breaker is open",
}
"""Besides these there is any ``custom.*``."""

_SPECIAL = re.compile(r"[*?\[]")


class UnknownType(InvalidInput):
    """No event has such a type."""


def check_pattern(pattern: str) -> str:
    """Return *pattern* if a type can match it: a type, or a glob with ``*``, ``?`` and ``[…]``.

    Raises:
        UnknownType: None can. A mistyped type would otherwise look like events that did not happen.
    """
    from fnmatch import fnmatchcase

    if not isinstance(pattern, str):
        raise UnknownType(f"a type of event is text, not {type(pattern).__name__}")
    literal = _SPECIAL.split(pattern, maxsplit=1)[0]
    may_be_custom = literal.startswith(CUSTOM) or (literal != pattern and CUSTOM.startswith(literal))
    if may_be_custom or any(fnmatchcase(known, pattern) for known in TYPES):
        return pattern
    raise UnknownType(f"no event has the type {pattern!r}{_nearest(pattern)}; custom ones start with {CUSTOM!r}")


def _nearest(pattern: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(pattern, TYPES, n=2, cutoff=0.5)
    return f" (did you mean {' or '.join(close)}?)" if close else f"; there are: {', '.join(TYPES)}"
