"""Reading requests without a turn of the event loop for each.

pyfuse3 waits in trio before every request, behind a ``trio.Lock``: up to two turns of the loop, for handlers that take
5 us. It finds trio by its module-level name, which its own asyncio adapter replaces, and so do we: with a lock that
costs nothing while nobody competes for it, and a ``wait_readable`` that first looks whether a request is there:
one request 14.5 us instead of 24.6, with client and server on one processor.

What this asks of handlers: before one truly waits (for a worker, or for a lock that a worker's handler holds) it lets
another task read requests meanwhile (:func:`in_worker`, :func:`holding`). One that forgets holds up the others.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from types import ModuleType, TracebackType
from typing import Any, TypeVar

import pyfuse3
import trio

# How long to wait for the next request with the loop standing still: a program that has just been answered asks
# again after 5 to 50 us. With several processors this one stays awake for that long, because waking it from another
# costs more than everything else together (measured on a virtual machine with two: one request 59 us instead of 20,
# `cp -a` of 2,450 files 2.3 s instead of 1.8). An idle mount sleeps.
_AWAKE_NS = 60_000
_STILL_SECONDS = 0.000_1

# The loop has other work too: the ends of workers, watched changes, signals.
_REQUESTS_PER_TURN = 32

_FIRST_REQUEST_OF_KERNEL = 2  # the first is INIT, see ``connection``

# select(2) cannot watch larger ones.
_LAST_SELECTABLE = 1023

_R = TypeVar("_R")


class ReadLock:
    """Lets one task at a time wait for requests; wakes the next only when the holder will not be back."""

    _current: ReadLock | None = None

    def __init__(self) -> None:
        self._is_held = False
        self._waiting: deque[trio.lowlevel.Task] = deque()
        ReadLock._current = self

    async def __aenter__(self) -> None:
        if not self._is_held:
            self._is_held = True
            return
        task = trio.lowlevel.current_task()
        self._waiting.append(task)

        def abort(_: object) -> trio.lowlevel.Abort:
            self._waiting.remove(task)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)  # woken as the holder

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_held = False

    def hand_over(self) -> None:
        """Wake another task, as the holder."""
        if not self._is_held and self._waiting:
            self._is_held = True
            trio.lowlevel.reschedule(self._waiting.popleft())


class _Lowlevel:
    """``trio.lowlevel``, as far as pyfuse3 uses it."""

    current_task = staticmethod(trio.lowlevel.current_task)
    current_trio_token = staticmethod(trio.lowlevel.current_trio_token)
    notify_closing = staticmethod(trio.lowlevel.notify_closing)

    def __init__(self, take_over: Callable[[], None], nothing_waits: Callable[[], None]) -> None:
        self._take_over = take_over
        self._nothing_waits = nothing_waits
        self._requests = 0
        self._stays_awake = len(os.sched_getaffinity(0)) > 1

    async def wait_readable(self, fd: int) -> None:
        """Return when a request is there, at once if one is there or comes very soon."""
        self._requests += 1
        if self._requests == _FIRST_REQUEST_OF_KERNEL:
            self._take_over()
        if self._requests % _REQUESTS_PER_TURN == 0:
            await trio.lowlevel.checkpoint()
        if fd > _LAST_SELECTABLE or not self._comes_soon(fd):
            self._nothing_waits()
            await trio.lowlevel.wait_readable(fd)

    def _comes_soon(self, fd: int) -> bool:
        if _working:
            # Staying awake would take the interpreter from the worker after each of its system calls: an fsync took 950
            # us instead of 400.
            return bool(select.select([fd], [], [], 0)[0])
        if not self._stays_awake:
            return bool(select.select([fd], [], [], _STILL_SECONDS)[0])
        end_ns = time.perf_counter_ns() + _AWAKE_NS
        while not select.select([fd], [], [], 0)[0]:
            if time.perf_counter_ns() > end_ns:
                return False
        return True


class _Nursery:
    """A nursery for tasks that read requests."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    def start_soon(self, task: Callable[..., Awaitable[None]], *args: Any, name: str) -> None:
        """Start *task*; when it ends, the next one reads, and so learns whether there is an end to it all."""

        async def then_hand_over() -> None:
            try:
                await task(*args)
            finally:
                let_others_read()

        self._nursery.start_soon(then_hand_over, name=name)


@contextlib.asynccontextmanager
async def _open_nursery() -> AsyncIterator[_Nursery]:
    async with trio.open_nursery() as nursery:
        yield _Nursery(nursery)


class _Trio(ModuleType):
    """What pyfuse3 finds under the name ``trio``."""

    Lock = ReadLock
    ClosedResourceError = trio.ClosedResourceError
    open_nursery = staticmethod(_open_nursery)

    def __init__(self, take_over: Callable[[], None], nothing_waits: Callable[[], None]) -> None:
        super().__init__("trio")
        self.lowlevel = _Lowlevel(take_over, nothing_waits)


def install(take_over: Callable[[], None], nothing_waits: Callable[[], None]) -> None:
    """Make pyfuse3 read requests this way.

    Args:
        take_over: Called between libfuse's INIT and the first request of the kernel.
        nothing_waits: Called whenever every request that the kernel has made so far has been read.
    """
    vars(pyfuse3)["trio"] = _Trio(take_over, nothing_waits)


def let_others_read() -> None:
    """Let another task read requests: this one is about to wait for something else."""
    if ReadLock._current is not None:
        ReadLock._current.hand_over()


_working: set[trio.lowlevel.Task] = set()  # who waits for a worker


async def in_worker(function: Callable[..., _R], *args: Any) -> _R:
    """Return what *function* returns, called in a worker; requests are answered meanwhile."""
    task = trio.lowlevel.current_task()
    _working.add(task)
    try:
        let_others_read()
        return await trio.to_thread.run_sync(function, *args)
    finally:
        _working.discard(task)


class holding:
    """A context that holds *lock*; requests are answered while it is waited for."""

    __slots__ = ("_lock",)

    def __init__(self, lock: trio.Lock) -> None:
        self._lock = lock

    async def __aenter__(self) -> None:
        try:
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            let_others_read()
            await self._lock.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
