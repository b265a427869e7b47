"""Pins, as people ask for them: with a check that there is what is to be kept, and a list of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sessionfs.artifacts import from_text
from sessionfs.errors import NotFound
from sessionfs.store import pinned
from sessionfs.store.session import Session
from sessionfs.store.store import Store
from sessionfs.travel.versions import versions_of


class NothingToPin(NotFound):
    """There is and was no such artifact."""


class NotPinned(NotFound):
    """It was not pinned."""


class PinInfo(NamedTuple):
    """One pin."""

    session_id: str
    path: str  # of an artifact, in text form; "" for the whole session
    time: str  # since when, RFC 3339
    actor: str
    message: str

    @property
    def target(self) -> str:
        """What was pinned, as the command line takes it."""
        return f"{self.session_id}:{self.path}" if self.path else self.session_id

    def to_dict(self) -> dict[str, str | None]:
        """Return it JSON-ready."""
        return {**self._asdict(), "path": self.path or None, "target": self.target}


def pin(session: Session, path: str = pinned.WHOLE, message: str = "") -> bool:
    """Keep a session, or what is or was at *path* (in text form) with all its versions, whatever the rules say.

    Returns:
        False if it was pinned so already.

    Raises:
        NothingToPin: There never was anything at *path*.
        CorruptLog: The session is damaged: nothing can be recorded in it.
    """
    session.refresh()
    with session.lock:
        is_there = path == pinned.WHOLE or session.tree.find(from_text(path)) is not None
    if not is_there and versions_of(session).is_directory(from_text(path)) is None:
        raise NothingToPin(f"there is and was no artifact {path!r} in session {session.id}, so it cannot be pinned")
    return pinned.pin(session, path, message)


def unpin(session: Session, path: str = pinned.WHOLE) -> None:
    """Let the rules decide again.

    Raises:
        NotPinned: It was not.
    """
    if not pinned.unpin(session, path):
        what = f"{session.id}:{path}" if path else session.id
        raise NotPinned(f"{what!r} is not pinned; see: sessionfs pins {session.id}")


def list_pins(sessions: Iterable[Session]) -> Iterator[PinInfo]:
    """Yield the pins of *sessions*, by path."""
    for session in sessions:
        for path, one in sorted(session.fold.fields.pins.items()):
            yield PinInfo(session.id, path, one.time, one.actor, one.message)


def all_sessions(store: Store) -> Iterator[Session]:
    """Yield every session that can be opened."""
    for session_id in store.session_ids():
        try:
            yield store.session(session_id)
        except NotFound:
            continue
