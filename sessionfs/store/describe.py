"""What callers see of a session at one moment, from what its records added up to then."""

from __future__ import annotations

from sessionfs.clock import parse_time
from sessionfs.errors import Corrupt
from sessionfs.sessions import SessionInfo, Status
from sessionfs.store.fold import Fold


def describe(fold: Fold, *, event_count: int, damage: Corrupt | None = None) -> SessionInfo:
    """Return what *fold* says about its session.

    Args:
        event_count: How many records it is made of; none means that a damaged log has no good one.
        damage: What is wrong with the log, if anything.
    """
    fields = fold.fields
    return SessionInfo(
        id=fields.id,
        name=fields.name,
        description=fields.description,
        tags=fields.tags,
        metadata=fields.metadata,
        parent=fields.parent,
        status=fields.status if event_count else Status.FAILED,
        reason=fields.reason if event_count else str(damage),
        created_by=fields.created_by,
        created_ns=parse_time(fields.created_at),
        updated_ns=parse_time(fields.updated_at),
        started_ns=parse_time(fields.started_at),
        ended_ns=None if fields.ended_at is None else parse_time(fields.ended_at),
        artifact_count=fold.tree.artifact_count,
        size=fold.tree.size,
        stored_size=fold.tree.stored_size,
        event_count=event_count,
        state_count=len(fold.state),
        damage=None if damage is None else str(damage),
        template=fields.template,
    )
