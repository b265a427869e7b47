"""Compare-and-swap: a change is made only if what it replaces is what its caller thinks.

Checked with the log's lock held, after everything that others appended has been read: of several callers with the same
expectation one succeeds.
"""

from __future__ import annotations

import msgspec

from sessionfs.artifacts import Node, text_of
from sessionfs.errors import Conflict, InvalidInput
from sessionfs.oid import is_oid
from sessionfs.state import State


class Stale(Conflict):
    """What was to be replaced is not what the caller thought; nothing was changed."""


class BadCondition(InvalidInput):
    """A condition that nothing can meet."""


def check_artifact(path: str, known: Node | None, if_match: str | None, if_none_match: bool) -> None:
    """Check what is known of the artifact at *path*.

    Args:
        if_match: The oid that its content must have.
        if_none_match: There must be none.

    Raises:
        Stale: It is not so.
        BadCondition: *if_match* is no oid, or both are asked for.
    """
    if if_match is not None and (if_none_match or not is_oid(if_match)):
        raise BadCondition(
            f"the content that is to be replaced is named by its whole oid of 64 hex digits, not by {if_match!r}, and "
            "not together with the wish that there is none"
        )
    there = known is not None and bool(known.id)
    if if_none_match and there:
        raise Stale(f"there is already an artifact {text_of(path)!r}; nothing was changed")
    if if_match is not None and (known is None or known.oid != if_match):
        now = f"holds {known.oid}" if known is not None and there else "is not there"
        raise Stale(f"{text_of(path)!r} {now}, and not {if_match}: read it again and decide anew")


def check_value(key: str, state: State, if_match: bytes | None, if_none_match: bool) -> None:
    """Check what *key* is in *state*.

    Args:
        if_match: The JSON of the value that it must have.
        if_none_match: It must have none.

    Raises:
        Stale: It is not so.
    """
    if if_none_match and key in state:
        raise Stale(f"the state has a key {key!r} already; nothing was changed")
    if if_match is not None and (key not in state or _plain(state.get_json(key)) != _plain(if_match)):
        raise Stale(f"the value of {key!r} is not what was expected: read it again and decide anew")


def _plain(json: bytes) -> bytes:
    """Return *json* so that equal values have equal text: whatever the order of keys was."""
    return msgspec.json.encode(msgspec.json.decode(json), order="sorted")
