"""Keeping a store small: gc, packs, the trash, rules of retention. What that takes is imported late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from sessionfs.api.times import Duration, to_duration_ns

if TYPE_CHECKING:
    from sessionfs.api.store import Store
    from sessionfs.retention.gc import Collected
    from sessionfs.retention.pins import PinInfo
    from sessionfs.retention.plan import Step
    from sessionfs.retention.repack import Progress, Repacked
    from sessionfs.retention.trash import Trashed


class Upkeep:
    """The part of :class:`sessionfs.Store` that keeps it small."""

    def gc(self, *, grace: Duration | None = None, dry_run: bool = False) -> Collected:
        """Move what nothing needs to the trash, and delete what has been there for ``retention.trash_grace``.

        Beside readers and writers in any number of processes: who needs what is in the trash takes it back unasked.

        Args:
            grace: How old an object must be to go: seconds, a timedelta, or text as in ``"1h"``;
                ``retention.trash_grace`` by default.
            dry_run: Only say what would be done.

        Raises:
            Conflict: Another gc or repack is at work.
            Corrupt: What says what is needed is damaged; nothing was removed.
        """
        from sessionfs.retention.gc import collect

        grace_ns = None if grace is None else to_duration_ns(grace)
        return collect(cast("Store", self).core, grace_ns=grace_ns, dry_run=dry_run)

    def repack(self, *, dry_run: bool = False, progress: Progress | None = None) -> Repacked:
        """Put small objects, and the logs of archived sessions, into packs: quicker to copy, and less of the disk.

        Args:
            dry_run: Only count.
            progress: Called with how many are done, and how many there are.

        Raises:
            Conflict: Another gc or repack is at work.
        """
        from sessionfs.retention.repack import repack

        return repack(cast("Store", self).core, dry_run=dry_run, progress=progress)

    @property
    def retention(self) -> Retention:
        """What the rules in config.toml, and those of sessions, ask for."""
        return Retention(cast("Store", self))

    @property
    def trash(self) -> Trash:
        """What was deleted and is still there."""
        return Trash(cast("Store", self))

    @property
    def pins(self) -> list[PinInfo]:
        """What is kept whatever the rules say, in all sessions."""
        from sessionfs.retention.pins import all_sessions, list_pins

        return list(list_pins(all_sessions(cast("Store", self).core)))


class Retention:
    """The rules of a store, applied: see ``[retention]`` in config.toml, and :meth:`Session.configure`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def plan(self) -> list[Step]:
        """Return what the rules ask for now, with reasons; nothing is done."""
        from sessionfs.retention.plan import plan

        return list(plan(self._store.core))

    def run(self) -> list[Step]:
        """Suspend what is idle, archive and delete what has ended, give up old versions; return what was done.

        Sessions go to the trash; versions go there with the next :meth:`Store.gc`. Each step is in the session's log,
        and hooks may veto it: see ``problem`` of a step.
        """
        from sessionfs.retention.plan import run

        return list(run(self._store.core))


class Trash:
    """The trash of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __iter__(self) -> Iterator[Trashed]:
        from sessionfs.retention.trash import list_trash

        return iter(list(list_trash(self._store.core)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def restore(self, name: str) -> int:
        """Take something back: a session by its id, anything by its name; return how many things it was.

        Raises:
            NotFound: It is not in the trash.
            Conflict: There is a session of that id again; or gc or repack is at work.
        """
        from sessionfs.retention.trash import find, restore

        return restore(self._store.core, find(self._store.core, name))

    def empty(self, *, older_than: Duration = 0) -> tuple[int, int]:
        """Delete what is in the trash, for good; return how many files, and their bytes.

        What something needs after all comes back instead.
        """
        from sessionfs.retention.gc import empty_trash

        return empty_trash(self._store.core, older_ns=to_duration_ns(older_than))
