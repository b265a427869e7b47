"""What is to be kept whatever the rules say: a whole session, or an artifact with all its versions.

``session.pinned`` and ``session.unpinned`` name a path; the empty one is the session with all that is in it. A pin goes
along when what it is at is renamed. It does not keep anybody from changing the artifact, or from removing it: what it
was stays in the log, and pinned is that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sessionfs.errors import Denied
from sessionfs.sessions import Pin, Pinned

if TYPE_CHECKING:
    from sessionfs.store.session import Session

WHOLE = ""
"""The path of the pin on a session itself."""


class SessionPinned(Denied):
    """What is pinned stays."""


def pin(session: Session, path: str = WHOLE, message: str = "") -> bool:
    """Keep what is at *path* (in text form), whatever the status of *session*; False if it was pinned already.

    Durability:
        As the durability mode says.
    """
    with session.writing():
        known = session.fold.fields.pins.get(path)
        if known is not None and known.message == message:
            return False
        session.append("session.pinned", Pinned(path=path, message=message))
        return True


def unpin(session: Session, path: str = WHOLE) -> bool:
    """Let the rules decide again about what is at *path* (in text form); False if it was not pinned."""
    with session.writing():
        if path not in session.fold.fields.pins:
            return False
        session.append("session.unpinned", Pinned(path=path))
        return True


def covers(pins: Mapping[str, Pin], path: str) -> bool:
    """Say whether what is at *path* (in text form) is pinned: itself, or what it is in."""
    if not pins:
        return False
    while path and path not in pins:
        path = path.rpartition("/")[0]
    return path in pins


def check_unpinned(session: Session) -> None:
    """Check that *session* may go.

    Raises:
        SessionPinned: It, or something in it, is pinned.
    """
    pins = session.fold.fields.pins
    if not pins:
        return
    path, pinned = next(iter(sorted(pins.items())))
    what = f"session {session.id}" if path == WHOLE else f"{path!r} in session {session.id}"
    more = f" ({pinned.message})" if pinned.message else ""
    target = session.id if path == WHOLE else f"{session.id}:{path}"
    others = f", and {len(pins) - 1} more are" if len(pins) > 1 else ""
    raise SessionPinned(
        f"{what} has been pinned since {pinned.time[:19]}Z by {pinned.actor}{more}{others}, so session {session.id} "
        f"is not deleted; if it may go: sessionfs unpin {target!r}"
    )
