"""Commands of the user's that are run for an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.correlation import correlate, environment

if TYPE_CHECKING:
    from sessionfs.api import Store
    from sessionfs.cli.call import Call
    from sessionfs.events.event import Event


def event_environment(call: Call, store: Store, event: Event) -> dict[str, str]:
    """Return the environment of a command for *event*: what names it, and what it is a part of.

    What the command records follows from the event.
    """
    with correlate(event.correlation_id, cause=event.id, trace=event.trace):
        return {
            **call.env,
            **environment(),
            "SESSIONFS_STORE": store.path,
            "SESSIONFS_SESSION": event.session,
            "SESSIONFS_EVENT_SEQ": str(event.seq),
            "SESSIONFS_EVENT_TYPE": event.type,
        }


def ended_with(code: int) -> str:
    """Return how a command ended, in words: *code* is that of ``subprocess``."""
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
