"""What the kernel tells of a working directory, brought into the mirror as it is told.

Each directory has a watch of its own; a rename in two halves is joined by its cookie. When the kernel's queue was full,
or anything else is unclear, everything is looked at again.
"""

from __future__ import annotations

import errno
from collections import deque

from sessionfs.collect.matching import compare
from sessionfs.collect.mirror import Mirror, Node
from sessionfs.collect.source import TooManyWatches
from sessionfs.collect.tree import DirectoryGone, Tree
from sessionfs.watch.inotify import Constants, Inotify, Told

_MASK = (
    Constants.IN_CREATE
    | Constants.IN_MODIFY
    | Constants.IN_CLOSE_WRITE
    | Constants.IN_ATTRIB
    | Constants.IN_MOVED_FROM
    | Constants.IN_MOVED_TO
    | Constants.IN_DELETE
    | Constants.IN_DELETE_SELF
    | Constants.IN_MOVE_SELF
    | Constants.IN_ONLYDIR
    | Constants.IN_DONT_FOLLOW
    | Constants.IN_EXCL_UNLINK
)
_LOST = Constants.IN_DELETE_SELF | Constants.IN_MOVE_SELF | Constants.IN_UNMOUNT

# What waits to be brought into the mirror while a large file is stored; beyond that everything is looked at again.
_MAX_WAITING = 1 << 18


class Notified:
    """The changes of a directory, as the kernel tells them. Not thread-safe."""

    wait_seconds = None

    def __init__(self, tree: Tree, mirror: Mirror) -> None:
        """Begin; nothing is watched before :meth:`rescan`.

        Raises:
            OSError, ImportError: There is no inotify for this process.
        """
        self._tree = tree
        self._mirror = mirror
        self._inotify = Inotify()
        self._node_of: dict[int, Node] = {}
        self._watch_of: dict[Node, int] = {}
        self._moving: dict[int, Node] = {}  # by cookie: what has left its place, and may appear in another one
        self._waiting: deque[Told] = deque()
        self._is_lost = True
        self.unread: dict[str, OSError] = {}

    @property
    def fd(self) -> int:
        """Readable when something was told."""
        return self._inotify.fd

    def pump(self) -> None:
        """Take what the kernel has to tell out of its queue, which is short; :meth:`apply` comes later."""
        while told := self._inotify.read():
            self._waiting += told
            if len(self._waiting) > _MAX_WAITING:
                self._waiting.clear()
                self._is_lost = True

    def apply(self, now: float) -> bool:
        """Bring what was told into the mirror; say whether that concerns anything that is collected.

        Args:
            now: In seconds of the monotonic clock.

        Raises:
            DirectoryGone: The directory itself was deleted, moved or unmounted.
            TooManyWatches: A directory could not be watched.
        """
        self.pump()
        has_changed = False
        while self._waiting and not self._is_lost:
            has_changed |= self._apply(self._waiting.popleft(), now)
        if self._is_lost:
            self._rescan(now)
            has_changed = True
        return has_changed

    def rescan(self, now: float) -> bool:
        """Look at everything; the same as :meth:`apply` otherwise."""
        self._is_lost = True
        return self.apply(now)

    def let_go(self) -> None:
        """Watch what is gone no more: a burst is over, and what left its place in it will not appear."""
        self._moving.clear()
        for top in self._mirror.gone:
            for node in (top, *top.below()):
                watch = self._watch_of.pop(node, None)
                if watch is not None and self._node_of.get(watch) is node:
                    del self._node_of[watch]
                    self._inotify.remove(watch)

    def close(self) -> None:
        """Watch no more."""
        self._inotify.close()

    # Everything

    def _rescan(self, now: float) -> None:
        self._is_lost = False
        self._waiting.clear()
        self._moving.clear()
        self._scan(self._mirror.root, now)

    def _scan(self, top: Node, now: float) -> None:
        """Look at, and watch, everything below a directory."""
        watches: dict[str, int] = {}

        def enter(path: str) -> None:
            # Before it is read: what happens meanwhile is told, and nothing is missed between the two.
            watches[path] = self._watch(path)

        listing = self._tree.list(top.path, enter)
        self.unread |= listing.unread
        for node in compare(self._mirror, top, listing.found, unread=frozenset(listing.unread)):
            node.changed_at = now
            node.may_be_open = True
        for path, watch in watches.items():
            found = self._mirror.find(path)
            if found is not None:
                self._node_of[watch] = found
                self._watch_of[found] = watch

    def _watch(self, path: str) -> int:
        try:
            return self._inotify.add(self._tree.place(path), _MASK)
        except OSError as failure:
            if failure.errno == errno.ENOSPC:
                raise TooManyWatches from failure
            raise

    # One event

    def _apply(self, told: Told, now: float) -> bool:
        if told.is_overflow:
            self._is_lost = True
            return True
        node = self._node_of.get(told.watch)
        if node is None:
            return False
        if not told.name:
            return self._apply_to_directory(told, node)
        if not self._mirror.is_here(node):
            return False
        path = f"{node.path}/{told.name}" if node is not self._mirror.root else told.name
        if told.mask & Constants.IN_MOVED_FROM:
            return self._leave(node, told)
        if told.mask & Constants.IN_MOVED_TO:
            return self._arrive(node, told, path, now)
        if told.mask & Constants.IN_CREATE:
            return self._appear(node, told.name, path, now)
        known = node.children.get(told.name)
        if known is None:
            return False
        if told.mask & Constants.IN_DELETE:
            self._mirror.remove(known)
            return True
        if told.mask & (Constants.IN_MODIFY | Constants.IN_CLOSE_WRITE):
            known.may_be_open = bool(told.mask & Constants.IN_MODIFY)
        known.changed_at = now
        self._mirror.changed[known] = None
        return True

    def _apply_to_directory(self, told: Told, node: Node) -> bool:
        if told.mask & _LOST and node is self._mirror.root:
            raise DirectoryGone(self._tree.root)
        if told.mask & Constants.IN_IGNORED:
            del self._node_of[told.watch]
        return False  # its own attributes are told by the directory it is in, too

    def _leave(self, parent: Node, told: Told) -> bool:
        node = parent.children.get(told.name)
        if node is None:
            return False
        self._mirror.remove(node, may_return=True)
        self._moving[told.cookie] = node
        return True

    def _arrive(self, parent: Node, told: Told, path: str, now: float) -> bool:
        node = self._moving.pop(told.cookie, None)
        if node is None:
            return self._appear(parent, told.name, path, now)
        patterns = self._tree.patterns
        if not (patterns.enters(path) if node.is_directory else patterns.takes(path, is_directory=False)):
            return self._appear(parent, told.name, path, now)
        self._mirror.move(node, parent, told.name)
        node.changed_at = now
        if node.is_directory:
            self._scan(node, now)  # other patterns may hold there
        return True

    def _appear(self, parent: Node, name: str, path: str, now: float) -> bool:
        known = parent.children.get(name)
        try:
            found = self._tree.look(path)
        except OSError as failure:
            self.unread[path] = failure
            return False
        if found is None:
            if known is not None:
                self._mirror.remove(known)
            return known is not None
        if known is None or known.found is None or (known.kind, known.found.ino) != (found.kind, found.ino):
            known = self._mirror.add(parent, name, found.kind)  # else it was seen before this was told
        self._mirror.changed[known] = None
        known.found = found
        known.changed_at = now
        known.may_be_open = True
        if known.is_directory:
            self._scan(known, now)
        return True
