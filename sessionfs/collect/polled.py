"""A working directory on a filesystem that tells nobody of changes: it is looked at again and again."""

from __future__ import annotations

import time

from sessionfs.collect.matching import compare
from sessionfs.collect.mirror import Mirror
from sessionfs.collect.tree import Tree

INTERVAL_SECONDS = 1.0

# Looking takes at most this part of the time.
_LOOKING_PART = 0.1


class Polled:
    """The changes of a directory, as they are found. The same as :class:`sessionfs.collect.told.Notified`."""

    fd = None

    def __init__(self, tree: Tree, mirror: Mirror) -> None:
        self._tree = tree
        self._mirror = mirror
        self._next = 0.0
        self.unread: dict[str, OSError] = {}

    @property
    def wait_seconds(self) -> float:
        """How long to wait for the next look."""
        return max(0.0, self._next - time.monotonic())

    def pump(self) -> None:
        """Nothing is told."""

    def apply(self, now: float) -> bool:
        """Look, if it is time to; say whether anything was not as before.

        Raises:
            DirectoryGone: The directory itself is not there.
        """
        return now >= self._next and self.rescan(now)

    def rescan(self, now: float) -> bool:
        """Look at everything; the same as :meth:`apply` otherwise."""
        listing = self._tree.list("", lambda path: None)
        self.unread |= listing.unread
        news = compare(self._mirror, self._mirror.root, listing.found, unread=frozenset(listing.unread))
        for node in news:
            node.changed_at = now
            node.may_be_open = True
        done = time.monotonic()
        self._next = done + max(INTERVAL_SECONDS, (done - now) / _LOOKING_PART)
        return bool(news or self._mirror.lost)

    def let_go(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""
