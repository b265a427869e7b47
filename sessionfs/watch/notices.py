"""Who says that a session may have new records. None of them says what they are: that is read in the log.

``Marks`` watches one directory whatever the number of sessions: each append touches the session's mark there.
``Directories`` watches the sessions that are named, themselves: nothing wakes it but what happens to them.
``Looking`` says again and again that anything may have happened, where nobody tells.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Protocol

from sessionfs.store.layout import Layout
from sessionfs.watch.notification import has_notification

Changed = list[str] | None
"""The ids of sessions that may have new records, be new, or be gone, each once, in the order in which they were told;
None when it may be any."""

POLLING_SECONDS = 0.04
"""How often logs are looked at where nobody tells, as an event may be late by 0.1 s."""

# A writer that is killed between its append and its touch tells nobody, nor does one that may not touch. Its records
# are met with the session's next ones, or when all logs are looked at, which costs 2 us each.
_SWEEP_SECONDS = 5.0


class Notices(Protocol):
    """Where it is said that sessions may have changed."""

    @property
    def fd(self) -> int | None:
        """Readable when there is something to :meth:`read`; None when it never says so by itself."""

    def look_seconds(self, is_followed: Callable[[str], bool]) -> float | None:
        """Return how often all logs are to be looked at besides; None for never.

        Args:
            is_followed: Says of a session whether it has to be told of still.
        """

    def read(self) -> Changed:
        """Return what has been told since the last call; never waits."""

    def close(self) -> None:
        """Let go of what it holds."""


def open_notices(layout: Layout, session_ids: Iterable[str] | None, *, poll: bool | None = None) -> Notices:
    """Return who tells of changes in a store.

    Args:
        session_ids: Of these sessions only; None for all.
        poll: Look instead of being told; by default only where nobody tells: on a filesystem without notification, in
            a store that has no marks and cannot be given any, or when this user may watch no more.
    """
    if poll or (poll is None and not has_notification(layout.root)):
        return Looking()
    try:
        return Marks(layout.changed) if session_ids is None else Directories(layout, session_ids)
    except (OSError, ImportError):  # the latter where there is no inotify
        return Looking()


class Marks:
    """The marks in a store's ``changed/``: touched after each append, removed with their session."""

    def __init__(self, directory: str) -> None:
        """Begin to watch.

        Raises:
            OSError: The directory cannot be made or watched.
        """
        # Late: importing watchdog takes longer than starting most verbs, and who only looks does not need it.
        from sessionfs.watch.inotify import Constants, Inotify

        self._directory = directory
        self._gone = Constants.IN_DELETE_SELF | Constants.IN_MOVE_SELF | Constants.IN_UNMOUNT | Constants.IN_IGNORED
        self._mask = (
            Constants.IN_ATTRIB
            | Constants.IN_CREATE
            | Constants.IN_DELETE
            | Constants.IN_MOVED_TO
            | Constants.IN_DELETE_SELF
            | Constants.IN_MOVE_SELF
            | Constants.IN_ONLYDIR
        )
        self._inotify = Inotify()
        self._begin()

    @property
    def fd(self) -> int:
        return self._inotify.fd

    def read(self) -> Changed:
        changed: dict[str, None] = {}
        for told in self._inotify.read():
            if told.name:
                changed[told.name] = None
            elif told.is_overflow:
                return None
            elif told.mask & self._gone and told.watch == self._watch:
                # Somebody cleaned up: marks hold nothing, so they are made again.
                self._begin()
                return None
        return list(changed)

    def look_seconds(self, is_followed: Callable[[str], bool]) -> float | None:
        return _SWEEP_SECONDS

    def close(self) -> None:
        self._inotify.close()

    def _begin(self) -> None:
        os.makedirs(self._directory, exist_ok=True)  # a copy of a store comes without it
        self._watch = self._inotify.add(self._directory, self._mask)


class Directories:
    """The directories of some sessions: every write to one of their logs is told, whoever made it.

    A session that was put on a shelf has none: it is looked at until it is back in its place.
    """

    def __init__(self, layout: Layout, session_ids: Iterable[str]) -> None:
        """Begin to watch.

        Raises:
            OSError: One of them is not there, or cannot be watched.
        """
        from sessionfs.watch.inotify import Constants, Inotify

        self._layout = layout
        self._gone = Constants.IN_DELETE | Constants.IN_MOVE_SELF | Constants.IN_DELETE_SELF
        self._mask = (
            self._gone | Constants.IN_MODIFY | Constants.IN_CREATE | Constants.IN_MOVED_TO | Constants.IN_ONLYDIR
        )
        self._inotify = Inotify()
        self._id_of: dict[int, str] = {}
        self._untold: set[str] = set()  # sessions whose directories cannot be watched
        for session_id in session_ids:
            self._add(session_id)

    @property
    def fd(self) -> int:
        return self._inotify.fd

    def read(self) -> Changed:
        changed: dict[str, None] = {}
        for untold in sorted(self._untold):
            self._try(untold)
            if untold not in self._untold:
                changed[untold] = None
        for told in self._inotify.read():
            if told.is_overflow:
                return None
            session_id = self._id_of.get(told.watch)
            if session_id is not None and told.name in ("", "log"):
                changed[session_id] = None
                if told.mask & self._gone:
                    self._follow(told.watch, session_id)
        return list(changed)

    def look_seconds(self, is_followed: Callable[[str], bool]) -> float | None:
        return POLLING_SECONDS if any(map(is_followed, self._untold)) else None

    def close(self) -> None:
        self._inotify.close()

    def _follow(self, watch: int, session_id: str) -> None:
        """Watch the directory that has the session's name now, if there is one: the other is in the trash, or gone."""
        del self._id_of[watch]
        self._inotify.remove(watch)
        self._try(session_id)

    def _try(self, session_id: str) -> None:
        try:
            self._add(session_id)
        except OSError:  # there is none, or this user watches too much already
            self._untold.add(session_id)
        else:
            self._untold.discard(session_id)

    def _add(self, session_id: str) -> None:
        self._id_of[self._inotify.add(self._layout.session(session_id), self._mask)] = session_id


class Looking:
    """Nobody tells, so all logs are looked at."""

    fd = None

    def look_seconds(self, is_followed: Callable[[str], bool]) -> float | None:
        return POLLING_SECONDS

    def read(self) -> Changed:
        return None

    def close(self) -> None:
        return
