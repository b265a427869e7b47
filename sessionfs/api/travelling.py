"""What a session is asked about its past. What that takes is imported late: most programs never look back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias, cast

from sessionfs.artifacts import check_path

if TYPE_CHECKING:
    from sessionfs.api.checkpoints import Checkpoints
    from sessionfs.api.difference import Difference, Operation
    from sessionfs.api.reading import Path
    from sessionfs.api.session import Session
    from sessionfs.api.version import Version
    from sessionfs.api.view import SessionView
    from sessionfs.travel import Moment, View

    # A moment: a record's number, a time, or a text such as "10 minutes ago", "yesterday" or a checkpoint's name.
    When: TypeAlias = str | int | datetime | Moment


class Travelling:
    """The part of :class:`sessionfs.Session` that looks back."""

    def at(self, moment: When) -> SessionView:
        """Return the session as it was at *moment*: everything that reads, and nothing that changes.

        Args:
            moment: A record's number (after that record), a time (a datetime; without a zone UTC), or text: ``5``,
                ``2026-11-20T22:44``, ``10 minutes ago``, ``yesterday``, ``now``, a checkpoint's name.

        Raises:
            NotFound: The session has no such moment: it did not exist then, or that is in the future.
            InvalidInput: That is no moment.
            Corrupt: The log is damaged before it.
        """
        from sessionfs.api.view import SessionView
        from sessionfs.travel import moment_of, view_at

        session = cast("Session", self)
        return SessionView(session, view_at(session.core, moment_of(moment)))

    @property
    def checkpoints(self) -> Checkpoints:
        """The moments that have a name."""
        from sessionfs.api.checkpoints import Checkpoints

        return Checkpoints(cast("Session", self).core)

    def diff(
        self, before: When | SessionView, after: When | SessionView | Session = "now", paths: Iterable[Path] = ()
    ) -> Difference:
        """Return what changed from *before* to *after*; it is true when anything did.

        Args:
            before, after: Moments, as for :meth:`at`; views of this session or of another; a session as it is now.
            paths: Only these artifacts, and what is below them; no state then.

        Raises:
            NotFound, InvalidInput, Corrupt: As :meth:`at`.
        """
        from sessionfs.api.difference import Difference
        from sessionfs.travel.compare import compare_views

        session = cast("Session", self)
        chosen = [check_path(path) for path in ([paths] if isinstance(paths, str | bytes) else paths)]
        found = compare_views(_view(session, before), _view(session, after), chosen)
        return Difference(found.changes, found.state_changes, session.core)

    def operations(self, path: Path | None = None, *, until: When = "now") -> Iterator[Operation]:
        """Yield what was done in it, the newest first; events that change nothing are left out.

        Args:
            path: Only what changed this artifact, or what is in this directory; followed through renames.
            until: Begin with the operation before this moment.

        Raises:
            NotFound, InvalidInput, Corrupt: As :meth:`at`.
        """
        from sessionfs.api.difference import Operation
        from sessionfs.travel import moment_of
        from sessionfs.travel.changelog import read_operations

        session = cast("Session", self)
        checked = None if path is None else check_path(path)
        for operation in read_operations(session.core, moment_of(until), checked):
            yield Operation(operation, session.core)

    def versions(self, path: Path) -> list[Version]:
        """Return the versions of the file at *path*, the oldest first; of a deleted one those that it had.

        Raises:
            NotFound: No file was ever there.
        """
        from sessionfs.api.version import list_versions

        return list_versions(cast("Session", self).core, check_path(path))


def _view(session: Session, side: When | SessionView | Session) -> View:
    from sessionfs.api.view import SessionView

    if isinstance(side, SessionView):
        return side.core
    return side.at("now").core if isinstance(side, Travelling) else session.at(side).core
