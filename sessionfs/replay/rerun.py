"""Calling again what was called, with the parameters that were recorded, and comparing what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from sessionfs.errors import InvalidInput
from sessionfs.events import callers
from sessionfs.events.event import Event

PARAMETERS_OF = {callers.TOOL: callers.PARAMETERS, callers.AGENT: "input"}
"""Where the data of a record have what was given, by type; these can be called again."""


class CannotRerun(InvalidInput):
    """An event that records no call."""


class CallFailed(Exception):
    """Raised by what calls again, to say in words that the call failed."""


class CallAgain(msgspec.Struct, frozen=True):
    """A call as it was recorded."""

    event: Event
    name: str  # of the tool or the agent
    parameters: Any
    result: Any  # UNSET when none was recorded
    error: tuple[str, str] | None  # the type and the message of what it failed with


class Differing(msgspec.Struct, frozen=True):
    """Something that came out differently."""

    where: str  # JSON pointer into the result (RFC 6901); "" is all of it; "error" without a slash: whether it failed
    recorded: Any  # UNSET where nothing was
    now: Any  # likewise

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready; a side with nothing is left out."""
        sides = {"recorded": self.recorded, "now": self.now}
        return {"where": self.where, **{side: value for side, value in sides.items() if value is not UNSET}}


class Rerun(msgspec.Struct, frozen=True, kw_only=True):
    """What came of calling again."""

    event: str  # "<session>:<seq>"
    name: str
    differences: tuple[Differing, ...]
    compared: bool  # whether a result or a failure had been recorded

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        differences = [differing.to_dict() for differing in self.differences]
        return {"event": self.event, "name": self.name, "compared": self.compared, "differences": differences}


def recorded_call(event: Event) -> CallAgain:
    """Return the call that *event* records.

    Raises:
        CannotRerun: None.
    """
    data = event.data
    if event.type not in PARAMETERS_OF or not isinstance(data, dict):
        raise CannotRerun(
            f"event {event.id} ({event.type}) records no call that could be made again; these do: "
            f"{', '.join(PARAMETERS_OF)}"
        )
    failed = callers.ERROR_TYPE in data
    return CallAgain(
        event=event,
        name=str(data.get(callers.NAME_OF[event.type], "")),
        parameters=data.get(PARAMETERS_OF[event.type]),
        result=data.get(callers.RESULT_OF[event.type], UNSET),
        error=(str(data[callers.ERROR_TYPE]), str(data.get(callers.ERROR_MESSAGE, ""))) if failed else None,
    )


def rerun(event: Event, function: Callable[[CallAgain], Any]) -> Rerun:
    """Call *function* with the call that *event* records, and compare what it returns with what was recorded.

    What it raises means that the call failed, as it may have done before; of failures only that there was one counts.

    Raises:
        CannotRerun: *event* records no call.
    """
    call = recorded_call(event)
    result: Any = UNSET
    error: tuple[str, str] | None = None
    try:
        result = _as_json(function(call))
    except Exception as failure:
        error = ("", str(failure)) if isinstance(failure, CallFailed) else callers.described(failure)
    compared = call.error is not None or call.result is not UNSET
    return Rerun(event=event.id, name=call.name, differences=tuple(_compare(call, result, error)), compared=compared)


def _compare(call: CallAgain, result: Any, error: tuple[str, str] | None) -> Iterator[Differing]:
    if (call.error is None) != (error is None):
        yield Differing("error", _said(call.error), _said(error))
    elif error is None and call.result is not UNSET:
        yield from compare_values(call.result, result)


def _said(error: tuple[str, str] | None) -> str | UnsetType:
    return UNSET if error is None else ": ".join(filter(None, error))


def _as_json(value: Any) -> Any:
    """Return *value* as it would come back from a record."""
    return msgspec.json.decode(msgspec.json.encode(value))


def compare_values(recorded: Any, now: Any) -> Iterator[Differing]:
    """Yield where two JSON values differ, from the outside in; what differs in kind is not looked into."""
    # A value may be nested deeper than Python's stack.
    waiting: list[tuple[str, Any, Any]] = [("", recorded, now)]
    while waiting:
        where, old, new = waiting.pop()
        if isinstance(old, dict) and isinstance(new, dict):
            keys = dict.fromkeys((*old, *new))
            inner = [(key, old.get(key, UNSET), new.get(key, UNSET)) for key in keys]
        elif isinstance(old, list) and isinstance(new, list):
            pairs = zip_longest(old, new, fillvalue=UNSET)
            inner = [(str(at), one, other) for at, (one, other) in enumerate(pairs)]
        else:
            if not _is_same(old, new):
                yield Differing(where, old, new)
            continue
        waiting += [(f"{where}/{_escaped(key)}", one, other) for key, one, other in reversed(inner)]


def _is_same(one: Any, other: Any) -> bool:
    # To Python True is 1; in JSON it is not.
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
