"""One session, as Python sees it."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sessionfs.api.artifacts import Artifacts
from sessionfs.api.exchanging import Exporting
from sessionfs.api.keeping import Keeping
from sessionfs.api.reading import Described, Path
from sessionfs.api.recording import Recording
from sessionfs.api.replaying import Replaying
from sessionfs.api.returning import Returning
from sessionfs.api.state import State
from sessionfs.api.times import Time, to_ns
from sessionfs.api.travelling import Travelling
from sessionfs.events.event import Event
from sessionfs.events.provenance import Step, trace
from sessionfs.events.query import Query
from sessionfs.events.reading import read as read_events
from sessionfs.events.whole import Verdict, verify
from sessionfs.sessions import FINISHED, SessionInfo
from sessionfs.store import session as domain

if TYPE_CHECKING:
    from sessionfs.analytics.timeline import Timeline
    from sessionfs.api.store import Store


class Session(Described, Recording, Travelling, Returning, Replaying, Keeping, Exporting):
    """A session. Thread-safe; what it says is always what is so now, whichever process changed it.

    As a context manager it completes when the block ends, and fails with the exception's text when it raises.
    """

    def __init__(self, session: domain.Session, store: Store) -> None:
        """Wrap an open session of the floor below; ``store.sessions`` is the usual way."""
        self.core = session
        self.store = store
        self.artifacts = Artifacts(session)
        self.state = State(session)

    def info(self) -> SessionInfo:
        """Return everything it says about itself, at one moment.

        Raises:
            NotFound: It was deleted.
        """
        self.core.refresh()
        return self.core.info()

    @property
    def id(self) -> str:
        """Its id, unique in the store."""
        return self.core.id

    # Life

    def suspend(self) -> None:
        """Make it read-only for a while.

        Raises:
            Conflict: From its status that is not possible; so with the other steps.
        """
        self.core.suspend()

    def resume(self) -> None:
        """Go on with it after :meth:`suspend`."""
        self.core.resume()

    def complete(self) -> None:
        """End it well. It stays readable, and mountable."""
        self.core.complete()

    def fail(self, reason: str) -> None:
        """End it badly; *reason* says why."""
        self.core.fail(reason)

    def archive(self) -> None:
        """Put it away, after it has completed or failed."""
        self.core.archive()

    def save(self) -> str:
        """Write a snapshot, and return its oid. It is fast to open either way; this makes it faster."""
        return self.core.save()

    def update(self, **changes: Any) -> None:
        """Set ``name``, ``description``, ``tags`` or ``metadata``; what is not given stays.

        Raises:
            InvalidInput: One of them cannot be what was given; nothing was changed.
            Denied: The session is not active.
        """
        self.core.update(**changes)

    def delete(self) -> str:
        """Move it to the trash, and return the directory it has there.

        Raises:
            Denied: It, or something in it, is pinned.
        """
        return self.store.sessions.delete(self)

    def children(self) -> list[Session]:
        """Return the sessions whose parent it is."""
        return self.store.sessions.list(parent=self)

    # History

    def events(
        self,
        *types: str,
        start: int = 0,
        end: int | None = None,
        since: Time | None = None,
        until: Time | None = None,
        actor: str | None = None,
        correlation: str | None = None,
        text: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
        follow: bool = False,
    ) -> Iterator[Event]:
        """Yield the events of its log that match all that is given, the oldest first.

        Args:
            types: Any of these; globs such as ``tool.*``.
            start, end: Numbers: from *start*, and below *end*.
            since, until: Times: from *since*, and before *until*.
            actor: Who recorded it; a glob.
            correlation: The id that it shares with others.
            text: In its data, whatever the case.
            reverse: The newest first.
            limit: So many at most.
            follow: Then wait for those to come, until the session is deleted; see also :meth:`Store.watch`.

        Raises:
            Corrupt: At a damaged record, after all good ones before it.
            InvalidInput: No event can be what was asked for.
        """
        query = Query(
            types=types,
            start=start,
            end=end,
            since_ns=to_ns(since),
            until_ns=to_ns(until),
            actor=actor,
            correlation=correlation,
            text=text,
            reverse=reverse,
            limit=limit,
        )
        if follow:
            from sessionfs.api.following import follow as follow_events  # late: most programs follow nothing

            return follow_events(self, query)
        return read_events(self.store.core, self.id, query)

    def timeline(self) -> Timeline:
        """Return what it and those that descend from it did, against time."""
        return self.store.timeline(self)

    def why(self, path: Path) -> list[Step]:
        """Return what the artifact at *path* was made from, back to what nobody made; itself first.

        Raises:
            NotFound: There is none.
        """
        return trace(self.store.core, self.artifacts[path].id)

    def log_head(self) -> str:
        """Return the chain of its newest record, which vouches for all before it; see :meth:`verify_log`."""
        self.core.refresh()
        return self.core.log.position.chain

    def verify_log(self, head: str | None = None) -> Verdict:
        """Read its whole log, and say whether it is what was written.

        Args:
            head: What :meth:`log_head` returned once; nothing up to there may have changed.
        """
        return verify(self.store.core, self.id, head=head)

    def sync(self) -> None:
        """Put all that it says now on stable storage, whichever process wrote it.

        Durability:
            It survives a power cut when this returns, in either mode.
        """
        self.core.refresh()
        self.core.log.owe()
        self.store.sync()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.info().status in FINISHED:
            return  # the block ended it itself
        if error is None:
            self.complete()
        else:
            self.fail(str(error) or type(error).__name__)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Session) and (self.store.path, self.id) == (other.store.path, other.id)

    def __hash__(self) -> int:
        return hash((self.store.path, self.id))

    def __repr__(self) -> str:
        return f"<sessionfs.Session {self.id!r}>"
