"""Where the changes of a directory come from: told by the kernel, or found by looking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sessionfs.collect.mirror import Mirror
from sessionfs.collect.polled import Polled
from sessionfs.collect.tree import Tree
from sessionfs.watch.notification import has_notification


class TooManyWatches(Exception):
    """This user watches as many directories as the system allows."""


class Changes(Protocol):
    """Brings what happens in a directory into the mirror. Not thread-safe."""

    @property
    def unread(self) -> dict[str, OSError]:
        """What could not be looked at, by path, and why."""

    @property
    def fd(self) -> int | None:
        """Readable when something was told; None when nothing ever is."""

    @property
    def wait_seconds(self) -> float | None:
        """How long to wait before the next look; None when looking is not needed."""

    def pump(self) -> None:
        """Take what was told out of the kernel's queue, which is short; :meth:`apply` comes later."""

    def apply(self, now: float) -> bool:
        """Bring what happened into the mirror, and say whether anything did.

        Args:
            now: In seconds of the monotonic clock.

        Raises:
            DirectoryGone: The directory itself is not there any more.
        """

    def rescan(self, now: float) -> bool:
        """Look at everything; the same as :meth:`apply` otherwise."""

    def let_go(self) -> None:
        """Note that a burst is over: what left its place in it will not appear in another one."""

    def close(self) -> None:
        """Let go of what it holds."""


class Switching:
    """What is told, until there is too much to be told of: then everything is looked at again and again."""

    def __init__(self, told: Changes, polled: Changes, complain: Callable[[str], None]) -> None:
        """Prepare it.

        Args:
            told: Its :meth:`apply` and :meth:`rescan` may raise :class:`TooManyWatches`.
            polled: What takes its place.
            complain: Called with the reason when it does.
        """
        self._now: Changes = told
        self._polled = polled
        self._complain = complain

    @property
    def unread(self) -> dict[str, OSError]:
        return self._now.unread

    @property
    def fd(self) -> int | None:
        return self._now.fd

    @property
    def wait_seconds(self) -> float | None:
        return self._now.wait_seconds

    def pump(self) -> None:
        self._now.pump()

    def apply(self, now: float) -> bool:
        try:
            return self._now.apply(now)
        except TooManyWatches:
            return self._switch(now)

    def rescan(self, now: float) -> bool:
        try:
            return self._now.rescan(now)
        except TooManyWatches:
            return self._switch(now)

    def let_go(self) -> None:
        self._now.let_go()

    def close(self) -> None:
        self._now.close()

    def _switch(self, now: float) -> bool:
        self._complain(
            "too many directories to be told of changes (fs.inotify.max_user_watches), so it is "
            "looked at again and again"
        )
        self._now.close()
        self._now = self._polled
        self._now.rescan(now)
        return True  # what was told before that is in the mirror already, and so is no news to the look


def open_changes(tree: Tree, mirror: Mirror, complain: Callable[[str], None], *, poll: bool = False) -> Changes:
    """Return what brings the changes of *tree* into *mirror*; look at everything first.

    Args:
        complain: Called with the reason when it is looked at again and again from now on, instead of being told.
        poll: Do not wait to be told, even where the kernel tells.
    """
    polled = Polled(tree, mirror)
    if poll or not has_notification(tree.root):
        return polled
    try:
        from sessionfs.collect.told import Notified  # late: where there is no inotify, it cannot be imported

        return Switching(Notified(tree, mirror), polled, complain)
    except (OSError, ImportError):
        return polled
