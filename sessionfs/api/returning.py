"""What takes a session back, and what makes two of one and one of two. What that takes is imported late."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, cast

from sessionfs.artifacts import check_path
from sessionfs.errors import InvalidInput

if TYPE_CHECKING:
    from sessionfs.api.reading import Path
    from sessionfs.api.session import Session
    from sessionfs.api.travelling import When
    from sessionfs.travel.merge import Merge
    from sessionfs.travel.restore import Restored


class NoParent(InvalidInput):
    """A session without a parent was to be merged, and no other one was named."""


class Returning:
    """The part of :class:`sessionfs.Session` that goes back, forks and merges."""

    def operation(self) -> AbstractContextManager[None]:
        """Return a context in which all changes are one operation, which one :meth:`undo` takes back.

        It holds no lock: what others change meanwhile is not part of it.
        """
        return cast("Session", self).core.operation()

    def restore(self, moment: When, paths: Iterable[Path] = ()) -> Restored:
        """Make artifacts and state what they were at *moment*, as new records: nothing in the log is lost.

        Times, modes, tags, metadata and inode numbers come back too; versions go on counting. What was before is a
        checkpoint, which the result names. All of it happens, or nothing.

        Args:
            moment: As for :meth:`Session.at`.
            paths: Only these artifacts, and what is below them; no state then.

        Raises:
            NotFound: There is no such moment, or nothing was ever at one of *paths*.
            Denied: The session is not active.
            Conflict: A limit of config.toml would be exceeded.
        """
        from sessionfs.travel import moment_of
        from sessionfs.travel.restore import restore

        chosen = [check_path(path) for path in ([paths] if isinstance(paths, str | bytes) else paths)]
        return restore(cast("Session", self).core, moment_of(moment), chosen)

    def undo(self, count: int = 1) -> Restored:
        """Take the newest *count* operations on artifacts and state back; :meth:`redo` brings them back.

        What others did at the same time, in operations of their own, stays. Works across processes and restarts: what
        can be undone is read from the log.

        Raises:
            Conflict: There are not so many, or another operation rests on what would be undone; nothing was changed.
            Denied: The session is not active.
        """
        from sessionfs.travel.undo import undo

        return undo(cast("Session", self).core, count)

    def redo(self, count: int = 1) -> Restored:
        """Take the newest *count* undoings back.

        Raises:
            Conflict: There are not so many, or something else was changed since; nothing was changed.
            Denied: The session is not active.
        """
        from sessionfs.travel.undo import redo

        return redo(cast("Session", self).core, count)

    def fork(self, at: When = "now", *, id: str | None = None, **fields: Any) -> Session:
        """Return a new session, a child of this one, with its artifacts and state as they were at *moment*.

        Nothing is copied: it takes the same time and space whatever the session holds.

        Args:
            at: The moment, as for :meth:`Session.at`.
            id: A slug, unique in the store; a UUIDv7 by default.
            fields: Its ``name``; ``description``, ``tags`` and ``metadata`` where they are to differ from this one's.

        Raises:
            Conflict: The id is taken, or as many sessions are active as config.toml allows.
            NotFound: There is no such moment.
            InvalidInput: The id or a field cannot be what was given.
        """
        from sessionfs.api.session import Session as Wrapped

        session = cast("Session", self)
        position = None
        if at != "now":
            from sessionfs.travel import moment_of, resolve_moment

            position = resolve_moment(session.core, moment_of(at))
        child = session.store.core.fork_session(session.id, at=position, session_id=id, **fields)
        return Wrapped(child, session.store)

    def merge(self, into: Session | None = None, *, dry_run: bool = False) -> Merge:
        """Take what changed in this session since it was forked, or merged last, over into another one.

        Artifacts are compared path by path and state key by key. What both changed in different ways is a conflict;
        if there is any, nothing is taken over: look at ``conflicts`` in what is returned, make these the same in one of
        the two, and merge again.

        Args:
            into: Its parent by default. Any session with a moment in common: a child, or another child of its parent.
            dry_run: Only say what would be changed.

        Raises:
            InvalidInput: It has no parent and none was named; or the two have nothing in common, or are in two stores.
            Denied: *into* is not active.
        """
        from sessionfs.travel.merge import BadMerge, merge

        session = cast("Session", self)
        target = session.store.sessions[_parent(session)] if into is None else into
        if target.store.path != session.store.path:
            raise BadMerge(f"{session.id} and {target.id} are in different stores, which share no content")
        return merge(session.core, target.core, dry_run=dry_run)


def _parent(session: Session) -> str:
    parent = session.parent
    if parent is None:
        raise NoParent(f"session {session.id} has no parent; name the session to merge it into")
    return parent
