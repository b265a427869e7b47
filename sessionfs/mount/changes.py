"""Keeping the kernel's knowledge true: what other processes do is read at once, and the kernel is told.

Each append touches the session's mark in ``STORE/changed``. inotify tells of that (:mod:`sessionfs.watch.notices`), the
loop reads the new records, and what they changed is invalidated from a thread: the kernel may block an invalidation
until a request that is under way has been answered, and the loop has to answer it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable

import pyfuse3
import trio

from sessionfs.watch.notices import Marks

log = logging.getLogger(__name__)

_Task = Callable[[], None]


class Invalidator:
    """Tells the kernel, in order, what it may no longer believe."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        # Numbers of inodes that have pages, or names, to be forgotten, and how often.
        self._pages: Counter[int] = Counter()
        self._names: Counter[int] = Counter()
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="sessionfs-invalidate", daemon=True)

    def start(self) -> None:
        """Begin; what was asked for before is done first."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what was asked for. The loop must still answer requests meanwhile."""
        self._tasks.put(None)
        self._thread.join(timeout=5)

    def entry(self, directory: int, name: bytes, *, of: int | None = None) -> None:
        """Forget what *name* is in the directory with this number, or that it is missing.

        Args:
            of: Number of the inode that had the name.
        """
        number = pyfuse3.InodeT(directory)
        self._forget(self._names, of, lambda: pyfuse3.invalidate_entry(number, pyfuse3.FileNameT(name)))

    def inode(self, number: int, *, content: bool) -> None:
        """Forget the attributes of an inode, and its pages if its *content* changed."""
        known = pyfuse3.InodeT(number)
        if content:
            self._forget(self._pages, number, lambda: pyfuse3.invalidate_inode(known))
        else:
            self._tasks.put(lambda: pyfuse3.invalidate_inode(known, attr_only=True))

    def is_forgetting_pages(self, number: int) -> bool:
        """Say whether the kernel may have pages of an inode still that it has to forget."""
        return number in self._pages

    def is_forgetting_names(self, number: int) -> bool:
        """Say whether the kernel may find an inode still by a name that it has no more."""
        return number in self._names

    def _forget(self, counter: Counter[int], number: int | None, task: _Task) -> None:
        if number is None:
            self._tasks.put(task)
            return

        def counted() -> None:
            try:
                task()
            finally:
                with self._counting:
                    counter[number] -= 1
                    if not counter[number]:
                        del counter[number]

        with self._counting:
            counter[number] += 1
        self._tasks.put(counted)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except FileNotFoundError:
                pass  # the kernel did not know it
            except OSError as failure:
                log.warning("the kernel could not be told of a change: %s", failure)


# Our own appends come in bursts of thousands a second; the kernel merges equal events that wait to be read.
_PAUSE_SECONDS = 0.01


class Watcher:
    """Tells whose mark was touched, made or removed."""

    def __init__(self, directory: str) -> None:
        """Begin to watch.

        Raises:
            OSError: The directory cannot be watched (for instance, too many are).
        """
        self._marks = Marks(directory)

    async def watch(self, changed: Callable[[str | None], None]) -> None:
        """Call *changed* with each session's id, for ever; with None when so much happened that it may be any."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._marks.fd)
                session_ids = self._marks.read()
                for session_id in [None] if session_ids is None else session_ids:
                    changed(session_id)
                await trio.sleep(_PAUSE_SECONDS)
        finally:
            self._marks.close()
