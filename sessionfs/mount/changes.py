"""Keeping the kernel's knowledge true: what other processes do is read at once, and the kernel is told.

Each append touches the session's mark in ``STORE/changed``. inotify tells of that (:mod:`sessionfs.watch.notices`), the
loop reads the new records, and what they changed is invalidated from a thread: the kernel may block an invalidation
until a request that is under way has been answered, and the loop has to answer it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable
from typing import TypeVar

import pyfuse3
import trio

from sessionfs.watch.notices import Marks

log = logging.getLogger(__name__)

_Task = Callable[[], None]
_K = TypeVar("_K", bound=Hashable)


class Invalidator:
    """Tells the kernel, in order, what it may no longer believe."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        # Numbers of inodes that have pages, or names, to be forgotten, and these names; and how often.
        self._pages: Counter[int] = Counter()
        self._names: Counter[int] = Counter()
        self._entries: Counter[tuple[int, bytes]] = Counter()
        # What counts down names that it has forgotten, and those that it had forgotten when requests were last read.
        self._heard: deque[_Task] = deque()
        self._due: list[_Task] = []
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
        of_entry = self._counted(self._entries, (directory, name))
        of_inode = None if of is None else self._counted(self._names, of)

        def heard() -> None:
            # What the kernel asked before it heard of this has yet to be read.
            self._heard.append(of_entry)
            if of_inode is not None:
                self._heard.append(of_inode)

        self._forget(lambda: pyfuse3.invalidate_entry(number, pyfuse3.FileNameT(name)), heard)

    def inode(self, number: int, *, content: bool) -> None:
        """Forget the attributes of an inode, and its pages if its *content* changed."""
        known = pyfuse3.InodeT(number)
        if content:
            self._forget(lambda: pyfuse3.invalidate_inode(known), self._counted(self._pages, number))
        else:
            self._tasks.put(lambda: pyfuse3.invalidate_inode(known, attr_only=True))

    def is_forgetting_pages(self, number: int) -> bool:
        """Say whether the kernel may have pages of an inode still that it has to forget."""
        return number in self._pages

    def is_forgetting_names(self, number: int) -> bool:
        """Say whether the kernel found an inode by a name that it has no more, when it asked what is read next."""
        return number in self._names

    def is_forgetting_entry(self, directory: int, name: bytes) -> bool:
        """Say whether the kernel may have something else at *name* in a directory than what is there."""
        return (directory, name) in self._entries

    @property
    def is_forgetting_any_name(self) -> bool:
        """Whether there is any name that the kernel has to forget."""
        return bool(self._entries)

    def requests_were_read(self) -> None:
        """Note that what the kernel asked so far has been read: it goes by no name that it had forgotten before.

        What it forgot since the last time may have come between the look at its requests and this call.
        """
        for count_down in self._due:
            count_down()
        self._due = [self._heard.popleft() for _ in range(len(self._heard))]

    def _counted(self, counter: Counter[_K], key: _K) -> _Task:
        """Count *key* once more, and return what counts it once less."""
        with self._counting:
            counter[key] += 1

        def done() -> None:
            with self._counting:
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]

        return done

    def _forget(self, task: _Task, done: _Task) -> None:
        """Call *task* when its turn comes, and *done* after it."""

        def both() -> None:
            try:
                task()
            finally:
                done()

        self._tasks.put(both)

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
