"""Which events are meant, as people write it. Pure.

Grammar: words, all of which must fit; quoted as in a shell where they hold spaces::

    type=tool.*             its type; a glob. tool.* alone is the same
    seq=17, seq=17..20      its number. 17 alone is the same
    actor=uid:*             who recorded it; a glob
    correlation=order-17    the id that it shares with others
    text=timeout            in its data, whatever the case
    path=reports/*          the artifact that it is about; a glob, * goes across /
    failed                  error.occurred, and whatever says what it failed with
"""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from sessionfs.errors import InvalidInput
from sessionfs.events import callers
from sessionfs.events.event import Event
from sessionfs.events.query import Accepts, Query

FAILED = "failed"

_SEQ = re.compile(r"(\d{1,18})(?:\.\.(\d{1,18}))?")
_FORMS = "type=GLOB, seq=N or seq=N..M, actor=GLOB, correlation=ID, text=TEXT, path=GLOB, failed"


class BadCondition(InvalidInput):
    """A text that says of no event that it is meant."""


class Condition(msgspec.Struct, frozen=True):
    """What an event must be."""

    query: Query
    path: str | None = None
    failed: bool = False

    def accepts(self) -> Accepts:
        """Return what says of an event whether it is meant."""
        query, path, failed = self.query, self.path, self.failed
        is_such = query.accepts()
        last = query.end

        def accepts(event: Event) -> bool:
            if event.seq < query.start or (last is not None and event.seq >= last):
                return False
            if is_such is not None and not is_such(event):
                return False
            return (path is None or _is_about(event, path)) and (not failed or has_failed(event))

        return accepts


def parse_condition(text: str) -> Condition:
    """Return the condition that *text* is; see the grammar above.

    Raises:
        BadCondition, UnknownType, BadQuery, BadCorrelation: It is none.
    """
    try:
        words = shlex.split(text)
    except ValueError as failure:
        raise BadCondition(f"{text!r} cannot be understood: {failure}") from failure
    if not words:
        raise BadCondition(f"nothing was said of which events are meant; write some of: {_FORMS}")
    said: dict[str, Any] = {}
    for word in words:
        key, value = _key_and_value(word)
        if key in said:
            raise BadCondition(f"{text!r} says {key} twice; an event has one")
        said[key] = value
    path, failed = said.pop("path", None), said.pop(FAILED, False)
    start, end = said.pop("seq", (0, None))
    types = tuple(said.pop("type", ()))
    return Condition(Query(types=types, start=start, end=end, **said), path=path, failed=failed)


def has_failed(event: Event) -> bool:
    """Say whether an event is that something failed."""
    return event.type == callers.ERROR or (isinstance(event.data, dict) and callers.ERROR_TYPE in event.data)


def _key_and_value(word: str) -> tuple[str, Any]:
    key, equals, value = word.partition("=")
    if not equals:
        if word == FAILED:
            return FAILED, True
        return ("seq", _numbers(word)) if _SEQ.fullmatch(word) else ("type", [word])
    if key not in ("type", "seq", "actor", "correlation", "text", "path") or not value:
        raise BadCondition(f"{word!r} says of no event that it is meant; write some of: {_FORMS}")
    if key == "seq":
        return key, _numbers(value)
    return key, [value] if key == "type" else value


def _numbers(text: str) -> tuple[int, int]:
    found = _SEQ.fullmatch(text)
    if found is None:
        raise BadCondition(f"{text!r} is no number of an event; write seq=17, or seq=17..20")
    first = int(found[1])
    return first, (first if found[2] is None else int(found[2])) + 1


def _is_about(event: Event, pattern: str) -> bool:
    if not event.type.startswith("artifact.") or not isinstance(event.data, dict):
        return False
    paths = (event.data.get("path"), event.data.get("to"))
    return any(isinstance(path, str) and fnmatchcase(path, pattern) for path in paths)
