"""Keeping the kernel's knowledge true: what other processes do is read at once, and the kernel is told.

Each append touches the session's mark in ``STORE/changed``; watchdog tells us of that on a thread of its own, and the
loop reads the new records. What they changed is invalidated from yet another thread: the kernel may block an
invalidation until a request that is under way has been answered, and the loop has to answer it.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable

import pyfuse3
import trio
from watchdog import events
from watchdog.observers import Observer

log = logging.getLogger(__name__)

_Task = Callable[[], None]


class Invalidator:
    """Tells the kernel, in order, what it may no longer believe."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sessionfs-invalidate", daemon=True)

    def start(self) -> None:
        """Begin; what was asked for before is done first."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what was asked for. The loop must still answer requests meanwhile."""
        self._tasks.put(None)
        self._thread.join(timeout=5)

    def entry(self, directory: int, name: bytes) -> None:
        """Forget what *name* is in the directory with this number, or that it is missing."""
        number = pyfuse3.InodeT(directory)
        self._tasks.put(lambda: pyfuse3.invalidate_entry(number, pyfuse3.FileNameT(name)))

    def inode(self, number: int, *, content: bool) -> None:
        """Forget the attributes of an inode, and its pages if its *content* changed."""
        known = pyfuse3.InodeT(number)
        self._tasks.put(lambda: pyfuse3.invalidate_inode(known, attr_only=not content))

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except FileNotFoundError:
                pass  # the kernel did not know it
            except OSError as failure:
                log.warning("the kernel could not be told of a change: %s", failure)


class _Marks(events.FileSystemEventHandler):
    def __init__(self, token: trio.lowlevel.TrioToken, changed: Callable[[str], None]) -> None:
        self._token = token
        self._changed = changed

    def dispatch(self, event: events.FileSystemEvent) -> None:
        name = os.path.basename(os.fsdecode(event.src_path))
        try:
            # Several touches of one mark before the loop comes to it are one.
            self._token.run_sync_soon(self._changed, name, idempotent=True)
        except trio.RunFinishedError:
            return  # the mount is ending


class Watcher:
    """Calls back, on the loop's thread, for every session whose mark is touched, made or removed."""

    def __init__(self, directory: str, changed: Callable[[str], None]) -> None:
        """Start it, on the loop's thread.

        Raises:
            OSError: The directory cannot be watched (for instance, too many watches).
        """
        os.makedirs(directory, exist_ok=True)  # a copy of a store comes without it
        self._observer = Observer()
        handler = _Marks(trio.lowlevel.current_trio_token(), changed)
        # Only these: each kind more is an event more for every record that we write ourselves.
        kinds: list[type[events.FileSystemEvent]] = [
            events.FileCreatedEvent,
            events.FileDeletedEvent,
            events.FileModifiedEvent,
            events.FileAttribEvent,
        ]
        self._observer.schedule(handler, directory, event_filter=kinds)
        self._observer.start()

    def stop(self) -> None:
        """Stop watching."""
        self._observer.stop()
        self._observer.join(timeout=5)
