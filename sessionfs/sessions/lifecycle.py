"""The lifecycle of a session: which status may follow which, as one table."""

from __future__ import annotations

from enum import Enum

from sessionfs.errors import Conflict, InvalidInput


class Status(Enum):
    """Where a session is in its life."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    FAILED = "failed"
    ARCHIVED = "archived"


class BadStatus(InvalidInput):
    """The word is no status."""


class BadTransition(Conflict):
    """This status cannot follow that one; nothing was changed."""


# The record that each step writes. A step that is not here is an error.
TRANSITIONS: dict[Status, dict[Status, str]] = {
    Status.ACTIVE: {
        Status.SUSPENDED: "session.suspended",
        Status.COMPLETED: "session.completed",
        Status.FAILED: "session.failed",
    },
    Status.SUSPENDED: {
        Status.ACTIVE: "session.resumed",
        Status.COMPLETED: "session.completed",
        Status.FAILED: "session.failed",
    },
    Status.COMPLETED: {Status.ARCHIVED: "session.archived"},
    Status.FAILED: {Status.ARCHIVED: "session.archived"},
    Status.ARCHIVED: {},
}

STATUS_AFTER: dict[str, Status] = {event: new for steps in TRANSITIONS.values() for new, event in steps.items()}

FINISHED = frozenset({Status.COMPLETED, Status.FAILED, Status.ARCHIVED})
"""From these nobody comes back to being active."""


def parse_status(word: str) -> Status:
    """Return the status that *word* names.

    Raises:
        BadStatus: None.
    """
    try:
        return Status(word)
    except ValueError as failure:
        known = ", ".join(status.value for status in Status)
        raise BadStatus(f"{word!r} is no status; these are: {known}") from failure


def transition(session_id: str, current: Status, new: Status) -> str:
    """Return the type of the record that moves a session from *current* to *new*.

    Raises:
        BadTransition: That step does not exist; the message names both.
    """
    event = TRANSITIONS[current].get(new)
    if event is None:
        possible = " or ".join(status.value for status in TRANSITIONS[current]) or "nothing"
        raise BadTransition(
            f"session {session_id} is {current.value} and cannot become {new.value}; "
            f"from {current.value} it can become {possible}"
        )
    return event
