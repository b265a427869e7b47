"""Watching: what is appended to the logs of a store, by whichever process, as it happens."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, NamedTuple, TypeVar

from sessionfs.errors import Error
from sessionfs.log import Record
from sessionfs.store.store import Store
from sessionfs.watch.logs import Logs, Portion, Start
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

# A turn ends after as many logs and records have been looked at, even if nothing came of them: 10 ms.
_LOOKED_AT_ONCE = 2000

# Looking at all logs takes at most this part of the time, however many there are.
_LOOKING_PART = 0.25


class _Failed(NamedTuple):
    """Stands among what was made, where something could not be read or made."""

    error: Error


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
            on_error: Called with a session's id when its log cannot be read on, or what is given not be made of a
                record; the others are watched further. By default that is raised, after all that came before it, and
                can be gone on after.

        Raises:
            Error: The store cannot be read.
        """
        chosen = None if session_ids is None else list(session_ids)
        self._make = make
        self._on_error = on_error
        self._ready: deque[Made | _Failed] = deque()
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
            timeout_seconds: None for ever; 0 for what is there now, however long it takes to look through that.

        Returns:
            Nothing when the time is over, or when it has ended.

        Raises:
            Error: A log cannot be read on, or nothing be made of a record, and there is no ``on_error``.
        """
        with self._taking:
            for fd, seconds in self._waits(timeout_seconds):
                wait(fd, seconds)
            taken = [self._next()] if self._ready else []
            while self._ready and not isinstance(self._ready[0], _Failed):
                taken.append(self._next())
        self._let_go_if_closed()
        return taken

    def __iter__(self) -> Watch[Made]:
        return self

    def __next__(self) -> Made:
        with self._taking:
            for fd, seconds in self._waits(None):
                wait(fd, seconds)
            if self._ready:
                return self._next()
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
                return self._next()
        self._let_go_if_closed()
        raise StopAsyncIteration

    @property
    def has_ended(self) -> bool:
        """Whether nothing will come any more."""
        return self._is_closed or (self._logs.is_over and not self._ready)

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
            if self._ready or self.has_ended:
                return
            is_late = deadline is not None and deadline <= now
            if self._logs.has_waiting and not (is_late and timeout_seconds):
                yield self._waking.closing_fd, 0.0  # others get their turn
                continue
            if is_late:
                return
            ends = [end for end in (deadline, self._look_at) if end is not None]
            yield self._waking.fd, max(0.0, min(ends) - now) if ends else None

    def _take(self, now: float) -> None:
        """Make what can be read now ready, in one turn."""
        if self._notices.fd is not None:
            self._logs.changed(self._notices.read())
        if (self._look_at is None) is not (self._look_seconds() is None):
            self._look_at = self._next_look(0.0)
        if self._look_at is not None and self._look_at <= now:
            self._logs.changed(None)
            self._look_at = self._next_look(time.monotonic() - now)
        looked_at = 0
        while (
            len(self._ready) < _AT_ONCE and looked_at < _LOOKED_AT_ONCE and (portion := self._logs.read()) is not None
        ):
            looked_at += 1 + len(portion.records)
            if portion.records:
                self._taken_at = now
            self._make_all(portion)

    def _make_all(self, portion: Portion) -> None:
        for record in portion.records:
            try:
                made = self._make(portion.session_id, record)
            except Error as failure:
                self._fail(portion.session_id, failure)
                continue
            if made is not None:
                self._ready.append(made)
        if portion.failure is not None:
            self._fail(portion.session_id, portion.failure)

    def _fail(self, session_id: str, failure: Error) -> None:
        if self._on_error is None:
            self._ready.append(_Failed(failure))
        else:
            self._on_error(session_id, failure)

    def _next(self) -> Made:
        """Take the next one; raises what stands in its place."""
        made = self._ready.popleft()
        if isinstance(made, _Failed):
            raise made.error
        return made

    def _look_seconds(self) -> float | None:
        return self._notices.look_seconds(self._logs.is_followed)

    def _next_look(self, took_seconds: float) -> float | None:
        """Return when all logs are to be looked at next, by the monotonic clock; None for never."""
        every = self._look_seconds()
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
