"""Where the changes of a directory come from: told by the kernel, or found by looking."""

from __future__ import annotations

from typing import Protocol

from sessionfs.collect.mirror import Mirror
from sessionfs.collect.polled import Polled
from sessionfs.collect.tree import Tree
from sessionfs.watch.notification import has_notification


class TooManyWatches(Exception):
    """This user watches as many directories as the system allows."""


class Changes(Protocol):
    """Brings what happens in a directory into the mirror. Not thread-safe."""

    unread: dict[str, OSError]
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
            TooManyWatches: Not all of it can be watched.
        """

    def rescan(self, now: float) -> bool:
        """Look at everything; the same as :meth:`apply` otherwise."""

    def let_go(self) -> None:
        """Note that a burst is over: what left its place in it will not appear in another one."""

    def close(self) -> None:
        """Let go of what it holds."""


def open_changes(tree: Tree, mirror: Mirror, *, poll: bool = False) -> Changes:
    """Return what brings the changes of *tree* into *mirror*; look at everything first.

    Args:
        poll: Do not wait to be told, even where the kernel tells.
    """
    if poll or not has_notification(tree.root):
        return Polled(tree, mirror)
    try:
        from sessionfs.collect.told import Notified  # late: where there is no inotify, it cannot be imported

        return Notified(tree, mirror)
    except (OSError, ImportError):
        return Polled(tree, mirror)
