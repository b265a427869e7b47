"""A session as it was at one moment, as Python sees it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sessionfs import travel
from sessionfs.api.reading import ArtifactsView, Described, StateView
from sessionfs.clock import to_datetime
from sessionfs.events.event import Event
from sessionfs.sessions import SessionInfo

if TYPE_CHECKING:
    from sessionfs.api.session import Session


class SessionView(Described):
    """A session after its record number ``seq``: everything that reads, and nothing that changes. Thread-safe.

    What it says stays the same, whatever happens to the session later.
    """

    def __init__(self, session: Session, view: travel.View) -> None:
        """Wrap a view of the floor below; :meth:`Session.at` is the usual way."""
        self.core = view
        self.session = session
        self.artifacts = ArtifactsView(view, session.core)
        self.state = StateView(view)

    def info(self) -> SessionInfo:
        """Return everything it said about itself then."""
        return self.core.info()

    @property
    def id(self) -> str:
        """The session's id."""
        return self.core.session_id

    @property
    def seq(self) -> int:
        """The number of the last record that had been written."""
        return self.core.seq

    @property
    def time(self) -> datetime:
        """When that record was written."""
        return to_datetime(self.core.time_ns)

    def events(self, *types: str, end: int | None = None, **query: Any) -> Iterator[Event]:
        """Yield the events of its log up to this moment; otherwise as :meth:`Session.events`."""
        last = self.core.position.seq
        return self.session.events(*types, end=last if end is None else min(end, last), **query)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SessionView) and (self.session, self.seq) == (other.session, other.seq)

    def __hash__(self) -> int:
        return hash((self.session, self.seq))

    def __repr__(self) -> str:
        return f"<sessionfs.SessionView of {self.id!r} after record {self.seq}>"
