"""Watching: what is appended to the logs of a store, by whichever process, as it happens."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

from sessionfs.errors import Error
from sessionfs.log import Record
from sessionfs.store.store import Store
from sessionfs.watch.logs import Logs, Start
from sessionfs.watch.notices import open_notices
from sessionfs.watch.waiting import wait, wait_as_task

Made = TypeVar("Made")

Make = Callable[[str, Record], Made | None]
"""Makes of a session's id and its record what is given; None leaves the record out."""

# While events come in a stream, they are taken together: woken for each of 2,000 a second, a process does little else.
# The first one after a pause is not kept waiting.
_PAUSE_SECONDS = 0.005

# So many are made at a time; the others stay in the logs.
_AT_ONCE = 256

# Looking at all logs takes at most this part of the time, however many there are.
_LOOKING_PART = 0.25


class Watch(Generic[Made]):
    """Every record appended since it was made, each once, those of a session in order.

    An iterator, an asynchronous iterator under trio and asyncio, and a context manager; :meth:`read` gives several at
    once. It ends when it is closed, and when the sessions that were named are deleted. One thread or task takes from it
    at a time; any thread may close it.
    """

    def __init__(
        self,
        store: Store,
        session_ids: Iterable[str] | None,
        make: Make[Made],
        *,
        start: Start = None,
        poll: bool | None = None,
        on_error: Callable[[str, Error], None] | None = None,
    ) -> None:
        """Begin.

        Args:
            session_ids: Of sessions that exist; None for all, also those to come.
            start: Give what is there already, too, from these records on.
            poll: Look instead of being told; by default where nobody tells. See :func:`open_notices`.
            on_error: Called with a session's id when its log cannot be read on, and the others are watched further; by
                default that is raised, after all that came before it.

        Raises:
            Error: The store cannot be read.
        """
        chosen = None if session_ids is None else list(session_ids)
        self._make = make
        self._on_error = on_error
        self._ready: deque[Made] = deque()
        self._failure: Error | None = None
        self._is_closed = False
        self._taking = threading.Lock()  # held by who takes, so that nothing is closed under them
        self._taken_at = 0.0
        # First, so that what happens while the logs are looked at is told.
        self._notices = open_notices(store.layout, chosen, poll=poll)
        self._waking = _Waking(self._notices.fd)
        try:
            self._logs = Logs(store.disk, store.layout, chosen, start)
        except BaseException:
            self.close()
            raise
        self._look_at = self._next_look(0.0)

    # Taking

    def read(self, timeout_seconds: float | None = None) -> list[Made]:
        """Return what has come, at least one; waits for it.

        Args:
            timeout_seconds: None for ever.

        Returns:
            Nothing when the time is over, or when it has ended.

        Raises:
            Error: A log cannot be read on, and there is no ``on_error``.
        """
        with self._taking:
            for fd, seconds in self._waits(timeout_seconds):
                wait(fd, seconds)
            taken = list(self._ready)
            self._ready.clear()
        self._let_go_if_closed()
        return taken

    def __iter__(self) -> Watch[Made]:
        return self

    def __next__(self) -> Made:
        with self._taking:
            for fd, seconds in self._waits(None):
                wait(fd, seconds)
            if self._ready:
                return self._ready.popleft()
        self._let_go_if_closed()
        raise StopIteration

    def __aiter__(self) -> Watch[Made]:
        return self

    async def __anext__(self) -> Made:
        with self._taking:
            if not self._ready:
                await wait_as_task(self._waking.fd, 0)  # others get their turn, also while there is always something
            for fd, seconds in self._waits(None):
                await wait_as_task(fd, seconds)
            if self._ready:
                return self._ready.popleft()
        self._let_go_if_closed()
        raise StopAsyncIteration

    @property
    def has_ended(self) -> bool:
        """Whether nothing will come any more."""
        return self._is_closed or (self._logs.is_over and self._failure is None)

    # Ending

    def close(self) -> None:
        """End it; who waits for an event is told that there is none. What has not been taken is dropped."""
        self._is_closed = True
        self._waking.wake()
        self._let_go_if_closed()

    def __enter__(self) -> Watch[Made]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_waking"):
            self._let_go()

    def _let_go_if_closed(self) -> None:
        if self._is_closed and self._taking.acquire(blocking=False):  # else who takes does it afterwards
            try:
                self._let_go()
            finally:
                self._taking.release()

    def _let_go(self) -> None:
        self._ready.clear()
        self._waking.close()
        self._notices.close()

    # Inside

    def _waits(self, timeout_seconds: float | None) -> Iterator[tuple[int, float | None]]:
        """Make something ready; yields what has to be waited for meanwhile: a descriptor, and for how many seconds."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not self._ready and not self.has_ended:
            now = time.monotonic()
            pause = self._taken_at + _PAUSE_SECONDS - now
            if pause > 0 and not self._logs.has_waiting and (deadline is None or deadline > now):
                yield self._waking.closing_fd, pause
                continue
            self._take(now)
            if self._ready or self._logs.has_waiting or self.has_ended:
                continue
            if deadline is not None and deadline <= now:
                return
            ends = [end for end in (deadline, self._look_at) if end is not None]
            yield self._waking.fd, max(0.0, min(ends) - now) if ends else None

    def _take(self, now: float) -> None:
        """Make what can be read now ready; raise what is wrong once all before it has been taken."""
        if self._notices.fd is not None:
            self._logs.changed(self._notices.read())
        if self._look_at is not None and self._look_at <= now:
            self._logs.changed(None)
            self._look_at = self._next_look(time.monotonic() - now)
        while self._failure is None and len(self._ready) < _AT_ONCE and (portion := self._logs.read()) is not None:
            self._taken_at = now
            for record in portion.records:
                made = self._make(portion.session_id, record)
                if made is not None:
                    self._ready.append(made)
            if portion.failure is None:
                continue
            if self._on_error is None:
                self._failure = portion.failure
            else:
                self._on_error(portion.session_id, portion.failure)
        if self._failure is not None and not self._ready:
            failure, self._failure = self._failure, None
            raise failure

    def _next_look(self, took_seconds: float) -> float | None:
        """Return when all logs are to be looked at next, by the monotonic clock; None for never."""
        every = self._notices.look_seconds
        return None if every is None else time.monotonic() + max(every, took_seconds / _LOOKING_PART)


class _Waking:
    """What ends the waiting: notices, and a pipe by which another thread does.

    ``fd`` is readable when one of the two is, ``closing_fd`` when the latter is.
    """

    def __init__(self, notices_fd: int | None) -> None:
        self._lock = threading.Lock()
        self.closing_fd, self._writing_fd = os.pipe()
        self._epoll: select.epoll | None = None
        self.fd = self.closing_fd
        if notices_fd is not None:
            self._epoll = select.epoll()
            for fd in (self.closing_fd, notices_fd):
                self._epoll.register(fd, select.EPOLLIN)
            self.fd = self._epoll.fileno()

    def wake(self) -> None:
        """End the waiting, and all to come."""
        with self._lock:
            if self._writing_fd >= 0:
                os.write(self._writing_fd, b"\0")

    def close(self) -> None:
        """Let go of the descriptors."""
        with self._lock:
            if self._writing_fd < 0:
                return
            if self._epoll is not None:
                self._epoll.close()
            os.close(self.closing_fd)
            os.close(self._writing_fd)
            self._writing_fd = -1
