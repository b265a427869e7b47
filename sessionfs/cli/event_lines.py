"""Events as lines: five fields for scripts, something to read for people, a JSON object for programs that follow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from sessionfs.cli.call import Call
from sessionfs.cli.exits import message_of
from sessionfs.errors import Corrupt, Error
from sessionfs.events.event import Event
from sessionfs.events.summary import is_failure, summary
from sessionfs.shown import human_time

_COLOURS = {"error.occurred": "red", "session.failed": "red", "warning.raised": "yellow"}


def say_of_session(call: Call, verb: str, session: str, failure: Error) -> None:
    """Say what is wrong with a session, while others are gone on with."""
    call.say(f"sessionfs: {verb}: session {session}: {message_of(failure)}")


def each(call: Call, verb: str, events: Iterable[Event], do: Callable[[Event], None]) -> bool:
    """Do something with each event; say of which the data are lost, and return whether none are."""
    are_there = True
    for event in events:
        try:
            do(event)
        except Corrupt as failure:
            say_of_session(call, verb, event.session, failure)
            are_there = False
    return are_there


def write_event(call: Call, event: Event, *, indent: str = "") -> None:
    """Write one event as a line: what people see on a terminal, fields elsewhere, an object with ``--json``.

    Args:
        indent: What a person sees before it, to show what it belongs to.
    """
    if call.out.as_json:
        call.out.text(json.dumps(event.to_dict(), ensure_ascii=True) + "\n")
    elif call.out.is_terminal:
        colour = _COLOURS.get(event.type, "red" if is_failure(event) else "")
        parts = (
            human_time(event.time),
            indent + call.out.colour(colour, event.id),
            call.out.colour(colour or "bold", event.type),
            summary(event),
        )
        call.out.text("  ".join(part for part in parts if part) + "\n")
    else:
        call.out.line(indent + event.id, event.time, event.type, event.actor, event.data_json.decode())
