"""One session, as Python sees it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from sessionfs.api.artifacts import Artifacts
from sessionfs.api.state import State
from sessionfs.clock import to_datetime
from sessionfs.sessions import FINISHED, SessionInfo
from sessionfs.store import session as domain

if TYPE_CHECKING:
    from sessionfs.api.store import Store


class Session:
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

    @property
    def name(self) -> str | None:
        """Its name, if it has one."""
        return self.info().name

    @property
    def description(self) -> str | None:
        """Its description, if it has one."""
        return self.info().description

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags."""
        return self.info().tags

    @property
    def metadata(self) -> dict[str, Any]:
        """Its metadata; a copy, :meth:`update` sets them."""
        return dict(self.info().metadata)

    @property
    def parent(self) -> str | None:
        """The id of its parent, if it has one."""
        return self.info().parent

    @property
    def status(self) -> str:
        """``active``, ``suspended``, ``completed``, ``failed`` or ``archived``."""
        return self.info().status.value

    @property
    def reason(self) -> str | None:
        """Why it failed."""
        return self.info().reason

    @property
    def created_by(self) -> str:
        """Who made it."""
        return self.info().created_by

    @property
    def created_at(self) -> datetime:
        """When it was made."""
        return to_datetime(self.info().created_ns)

    @property
    def updated_at(self) -> datetime:
        """When anything in it changed last."""
        return to_datetime(self.info().updated_ns)

    @property
    def started_at(self) -> datetime:
        """When it became active first."""
        return to_datetime(self.info().started_ns)

    @property
    def ended_at(self) -> datetime | None:
        """When it completed or failed."""
        ended_ns = self.info().ended_ns
        return None if ended_ns is None else to_datetime(ended_ns)

    @property
    def artifact_count(self) -> int:
        """How many artifacts it has now, directories left out."""
        return self.info().artifact_count

    @property
    def size(self) -> int:
        """Bytes of content of its artifacts, each counted for itself."""
        return self.info().size

    @property
    def stored_size(self) -> int:
        """Bytes their objects take, each counted for itself."""
        return self.info().stored_size

    @property
    def event_count(self) -> int:
        """How many records its log has."""
        return self.info().event_count

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
        """Move it to the trash, and return the directory it has there."""
        return self.store.sessions.delete(self)

    def children(self) -> list[Session]:
        """Return the sessions whose parent it is."""
        return self.store.sessions.list(parent=self)

    # History

    def record(self, type: str, data: dict[str, Any] | None = None) -> int:
        """Append an event that changes nothing but history, and return its number."""
        return self.core.record(type, data or {})

    def events(self, start: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the records of its log from number *start*, as they stand there.

        Raises:
            Corrupt: At a damaged record, after all good ones before it.
        """
        for line, _ in self.core.records(start):
            yield msgspec.json.decode(line)

    def sync(self) -> None:
        """Put everything this process wrote on stable storage; see :meth:`Store.sync`."""
        self.store.sync()

    def to_dict(self) -> dict[str, Any]:
        """Return everything it says about itself, JSON-ready."""
        return self.info().to_dict()

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
