"""Collecting: what happens in a working directory becomes versions of artifacts.

What happens is brought into the mirror at once. When nothing has happened for a moment, that was a burst: it is
recorded as one operation. Files that somebody still writes to are left for the next one.
"""

from __future__ import annotations

import contextvars
import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from types import TracebackType

from sessionfs.api import Session
from sessionfs.artifacts import check_path
from sessionfs.collect.bursts import Bursts, Timing
from sessionfs.collect.claim import claim, resolve_directory, shunned_places
from sessionfs.collect.mirror import Mirror
from sessionfs.collect.patterns import Patterns
from sessionfs.collect.remembered import Source
from sessionfs.collect.source import Changes, open_changes
from sessionfs.collect.storing import Change, Storing
from sessionfs.collect.tree import Tree
from sessionfs.store.artifacts import encode_attributes

Tell = Callable[[Change], None]
Complain = Callable[[str, str], None]


class Collector:
    """Collects one directory into one session: a context manager.

    Entering takes in what is there. What comes after that is taken in by :meth:`run`, and the rest when it is left.
    """

    def __init__(
        self,
        session: Session,
        directory: str,
        *,
        to: str = "",
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        everything: bool = False,
        type: str | None = None,
        timing: Timing = Timing(),  # noqa: B008 (it cannot be changed)
        poll: bool = False,
        tell: Tell = lambda change: None,
        complain: Complain = lambda path, why: None,
    ) -> None:
        """Prepare it.

        Args:
            to: Where in the session; its root by default.
            include, exclude, everything: What; see :class:`sessionfs.collect.patterns.Patterns`.
            type: Of new artifacts.
            poll: Look again and again, even where the kernel tells.
            tell: Called with what was recorded.
            complain: Called with the path of what could not be taken ("" for the directory), and why.

        Raises:
            NoDirectory, BadDirectory, BadPattern, BadName, BadAttribute: It cannot be collected so.
        """
        encode_attributes({} if type is None else {"type": type})  # refused here, not for each file
        store = session.store.core
        patterns = Patterns(include, exclude, everything=everything)
        self.directory = resolve_directory(directory, store.path)
        self._source = Source(self.directory, check_path(to) if to else "")
        self._session = session
        self._complain = complain
        self._timing = timing
        self._mirror = Mirror()
        self._tree = Tree(self.directory, patterns, shunned_places(store.path))
        storing = Storing(
            session, self._tree, self._mirror, to=self._source.to, type=type, tell=tell, complain=complain
        )
        self._bursts = Bursts(session, self._source, self._tree, self._mirror, storing, timing)
        self._poll = poll
        self._changes: Changes
        self._open = ExitStack()
        self._stopping, self._stop_fd = -1, -1
        self._begun: float | None = None  # when something happened first that is not recorded
        self._due: float | None = None  # when to record

    def __enter__(self) -> Collector:
        """Take up what is known of the directory, and take in what is there.

        Raises:
            AlreadyCollected: Another process does that.
            Error: The session cannot be written to.
        """
        with self._open:
            self._changes = open_changes(self._tree, self._mirror, partial(self._complain, ""), poll=self._poll)
            self._open.callback(self._changes.close)
            self._stopping, self._stop_fd = os.pipe()
            for fd in (self._stopping, self._stop_fd):
                self._open.callback(os.close, fd)
            self._open.enter_context(claim(self._session.store.path, self._session.id, *self._source))
            self._session.core.refresh()
            self._session.core.check_writable()
            self._bursts.restore()
            self._look(time.monotonic(), everything=True)
            self._record(at_once=True)
            self._open = self._open.pop_all()
        return self

    def take_in(self, *, is_last: bool = False) -> None:
        """Take in what has happened up to now, without waiting for the end of the burst.

        Args:
            is_last: Also files that somebody still writes to, as they are.
        """
        self._look(time.monotonic(), everything=self._changes.fd is None)
        self._record(at_once=True, is_last=is_last)

    def run(self) -> None:
        """Take in what happens, until :meth:`stop`.

        Raises:
            DirectoryGone: The directory is not there any more.
            Error: The session cannot be written to any more.
        """
        while True:
            self._look(time.monotonic())
            if self._due is not None and self._due <= time.monotonic():
                self._record()
            if self._wait():
                return

    def stop(self) -> None:
        """Let :meth:`run` return; from any thread, or a signal's handler."""
        os.write(self._stop_fd, b"\0")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take in the rest, unless something went wrong."""
        with self._open:
            if error is None:
                self.take_in(is_last=True)
                self._bursts.say_all()

    # Inside

    def _look(self, now: float, *, everything: bool = False) -> None:
        """Bring what happened into the mirror, and note when that is to be recorded."""
        has_changed = self._changes.rescan(now) if everything else self._changes.apply(now)
        for path, failure in self._changes.unread.items():
            self._complain(path, failure.strerror or str(failure))
        self._changes.unread.clear()
        if has_changed:
            self._begun = now if self._begun is None else self._begun
            self._due = min(now + self._timing.debounce, self._begun + self._timing.longest)

    def _record(self, *, at_once: bool = False, is_last: bool = False) -> None:
        self._begun = None
        self._due = self._bursts.record(self._changes, time.monotonic(), at_once=at_once, is_last=is_last)

    def _wait(self) -> bool:
        """Wait until something happens or is due; True when it is to stop."""
        now = time.monotonic()
        waits = [self._changes.wait_seconds, None if self._due is None else max(0.0, self._due - now)]
        seconds = min((wait for wait in waits if wait is not None), default=None)
        poller = select.poll()  # anew each time: the descriptor of the changes may be another one, or closed
        for fd in (self._stopping, self._changes.fd):
            if fd is not None:
                poller.register(fd, select.POLLIN)
        told = poller.poll(None if seconds is None else seconds * 1000)
        return any(fd == self._stopping for fd, _ in told)


class CollectingThread:
    """A collector that runs on a thread of its own, in the context of its maker."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._failure: BaseException | None = None
        run = partial(contextvars.copy_context().run, self._run)
        self._thread = threading.Thread(target=run, name="sessionfs-collect", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self) -> None:
        """End it.

        Raises:
            Error: What had ended it before.
        """
        self._collector.stop()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._collector.run()
        except Exception as failure:
            self._failure = failure
