"""What one session has to do with hooks: they are asked before the lock is taken, and told after it is released.

What hooks did before a change is recorded in the same append as the change; if there is no change after all, by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from sessionfs.artifacts import Applied
from sessionfs.errors import Error
from sessionfs.log import Draft
from sessionfs.store.hook_history import TYPE_OF
from sessionfs.store.hooked import Action, Asked, Hooks, Report, encode

if TYPE_CHECKING:
    from sessionfs.store.session import Session

Done = tuple[Asked, int]
"""A change that was asked about, and the number of its record."""

NOTHING_DONE: list[Done] = []


class Asking:
    """The hooks of one session. Thread-safe; without hooks, ``ask`` is one comparison."""

    __slots__ = ("_asked", "_done", "_session", "hooks", "is_pending")

    def __init__(self, session: Session, hooks: Hooks | None) -> None:
        self.hooks = hooks
        self.is_pending = False  # whether finish() has something to do
        self._session = session
        self._asked: list[Asked] = []  # hooks let it pass, and what they did is in no record yet
        self._done: list[Done] = []

    def ask(self, point: str, describe: Callable[[], Action]) -> Asked | None:
        """Ask the hooks of *point*, if there are any. The caller does not hold the lock.

        Args:
            describe: Says what is about to happen.

        Raises:
            HookVeto, HookFailed: It must not be done.
        """
        hooks = self.hooks
        at = None if hooks is None else hooks.at(point, self._session)
        if at is None:
            return None
        asked = Asked(at, self._session, describe())
        if asked.reports:
            self._asked.append(asked)
            self.is_pending = True
        return asked

    def append(self, asked: Asked | None, changes: list[tuple[str, Any]]) -> list[Applied | None]:
        """Append records as :meth:`Session.append_all` does, and what hooks did before; they are told of the last one.

        Raises:
            NoSpace, ReadOnlyStore, BadRecord: Nothing was written.
        """
        session = self._session
        if asked is None:
            return session.append_all(changes)
        if not asked.reports:
            applied = session.append_all(changes)
        else:
            drafts = [session.draft(type, data) for type, data in changes]
            reports = self._taken(asked)
            both: list[Any] = [*reports, *(data for _, data in changes)]
            applied = session.append_drafts([*map(_draft, reports), *drafts], both)[len(reports) :]
        self.tell(asked)
        return applied

    def record(self, asked: Asked | None) -> None:
        """Append what hooks did when they were asked, before what is appended next; the caller holds the lock."""
        reports = [] if asked is None else self._taken(asked)
        if reports:
            self._session.append_drafts([*map(_draft, reports)], reports)

    def tell(self, asked: Asked | None, seq: int | None = None) -> None:
        """Tell hooks, when the lock is released, that what they were asked about is done.

        Args:
            seq: Number of the record that did it; the one that was appended last by default.
        """
        if asked is not None:
            self._done.append((asked, self._session.log.position.seq - 1 if seq is None else seq))
            self.is_pending = True

    def finish(self) -> list[Done]:
        """Return what hooks have to be told; called with the lock held, at the end of the outermost ``writing``."""
        self.is_pending = False
        done = NOTHING_DONE  # not the list that others go on filling: this one is read without the lock
        if self._done:
            done, self._done = self._done, []
        if self._asked:
            asked, self._asked = self._asked, []
            reports = [report for one in asked for report in one.take()]
            if reports:
                # The change was refused, or there was nothing to do. When this cannot be written either, nobody needs
                # to hear of it: what the caller hears is why there was no change.
                with contextlib.suppress(Error):
                    self._session.append_drafts([*map(_draft, reports)], reports)
        return done

    def note(self, reports: Sequence[Report]) -> None:
        """Record what hooks did, whatever the session's status is: it changes nothing but history.

        Raises:
            CorruptLog, LockHeld, NoSuchSession, NoSpace, ReadOnlyStore: Nothing was recorded.
        """
        with self._session.writing():
            self._session.append_drafts([*map(_draft, reports)], list(reports))

    def _taken(self, asked: Asked) -> list[Report]:
        """Return what hooks did so far, to be recorded by the caller, who holds the lock."""
        if asked in self._asked:  # else what another thread did meanwhile has recorded it
            self._asked.remove(asked)
        return asked.take()


def _draft(report: Report) -> Draft:
    return Draft(TYPE_OF[type(report)], msgspec.Raw(encode(report)))
