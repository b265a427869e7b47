"""Sessions: one unit of work each.

``ids``        what they are called
``lifecycle``  active, suspended, completed, failed, archived: the table of steps
``fields``     what a session says about itself, as its records add up
``info``       what callers see, and lists of it
"""

from sessionfs.sessions.fields import (
    BadField,
    Configured,
    Created,
    Deleted,
    Fields,
    Fork,
    Forked,
    Merged,
    Moved,
    Pin,
    Pinned,
    Replayed,
    Restored,
    Templated,
    Updated,
    check_metadata,
    check_name,
    check_tags,
)
from sessionfs.sessions.ids import BadActor, BadSessionId, MakeId, check_actor, check_id, uuid7
from sessionfs.sessions.info import SORT_KEYS, BadFilter, Filter, SessionInfo, arrange
from sessionfs.sessions.lifecycle import (
    FINISHED,
    STATUS_AFTER,
    TRANSITIONS,
    BadStatus,
    BadTransition,
    Status,
    parse_status,
    transition,
)

__all__ = [
    "FINISHED",
    "SORT_KEYS",
    "STATUS_AFTER",
    "TRANSITIONS",
    "BadActor",
    "BadField",
    "BadFilter",
    "BadSessionId",
    "BadStatus",
    "BadTransition",
    "Configured",
    "Created",
    "Deleted",
    "Fields",
    "Filter",
    "Fork",
    "Forked",
    "MakeId",
    "Merged",
    "Moved",
    "Pin",
    "Pinned",
    "Replayed",
    "Restored",
    "SessionInfo",
    "Status",
    "Templated",
    "Updated",
    "arrange",
    "check_actor",
    "check_id",
    "check_metadata",
    "check_name",
    "check_tags",
    "parse_status",
    "transition",
    "uuid7",
]
