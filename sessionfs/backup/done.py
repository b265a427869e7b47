"""What copying came to, as values."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple


class Outcome(Enum):
    """What became of one session."""

    NEW = "new"  # it was not there
    EXTENDED = "extended"  # what was there was the beginning of it
    UNCHANGED = "unchanged"  # it was there
    AHEAD = "ahead"  # what is there goes on where it ends: nothing was changed
    REPLACED = "replaced"  # what was there went another way, and is in the trash of the copy
    REFUSED = "refused"  # nothing was changed; the message says why


class Brought(NamedTuple):
    """One session that was to be brought to another store."""

    session_id: str
    outcome: Outcome
    record_count: int = 0  # that were added
    message: str = ""  # what is wrong, if anything

    @property
    def is_done(self) -> bool:
        """Whether it is there now, all of it."""
        return self.outcome is not Outcome.REFUSED and not self.message

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "session": self.session_id,
            "outcome": self.outcome.value,
            "record_count": self.record_count,
            "message": self.message or None,
        }


class Damaged(NamedTuple):
    """Something of the source that is not what it should be; it was not copied."""

    where: str
    message: str

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return self._asdict()


class Copied(NamedTuple):
    """What was copied from one store into another."""

    path: str  # of the copy
    sessions: tuple[Brought, ...]  # those that had something new, or about which there is something to say
    session_count: int  # that were looked at
    object_count: int  # that were copied
    size: int  # bytes of these
    damaged: tuple[Damaged, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all of the source is there now."""
        return not self.damaged and all(session.is_done for session in self.sessions)

    @property
    def record_count(self) -> int:
        """How many records were copied."""
        return sum(session.record_count for session in self.sessions)

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "path": self.path,
            "session_count": self.session_count,
            "record_count": self.record_count,
            "object_count": self.object_count,
            "size": self.size,
            "whole": self.is_whole,
            "sessions": [session.to_dict() for session in self.sessions],
            "damaged": [damaged.to_dict() for damaged in self.damaged],
        }
