"""Work on several threads whose results are given in the order of what was to be done, while it is being done.

What a worker has ready before its turn waits in a channel, which holds so much and no more; then the worker waits.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Results of one worker that nobody has asked for yet: so many, or fewer that are long.
_WAITING = 64
_WAITING_BYTES = 2 << 20


class Stopped(Exception):
    """Nobody wants more results."""


class _Channel(Generic[Result]):
    """The results of one piece of work."""

    def __init__(self, length: Callable[[Result], int]) -> None:
        self._length = length
        self._ready: deque[Result] = deque()
        self._ready_bytes = 0
        self._changed = threading.Condition()
        self._is_over = self._is_stopped = False
        self._failure: BaseException | None = None

    def put(self, result: Result) -> None:
        with self._changed:
            while (len(self._ready) >= _WAITING or self._ready_bytes >= _WAITING_BYTES) and not self._is_stopped:
                self._changed.wait()
            if self._is_stopped:
                raise Stopped
            self._ready.append(result)
            self._ready_bytes += self._length(result)
            self._changed.notify_all()

    def end(self, failure: BaseException | None) -> None:
        with self._changed:
            self._is_over, self._failure = True, failure
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def results(self) -> Iterator[Result]:
        while True:
            with self._changed:
                while not self._ready and not self._is_over:
                    self._changed.wait()
                ready = list(self._ready)
                self._ready.clear()
                self._ready_bytes = 0
                self._changed.notify_all()
                if not ready:
                    if self._failure is not None:
                        raise self._failure
                    return
            yield from ready


def each_in_order(
    items: Iterable[Item],
    work: Callable[[Item], Generator[Result]],
    *,
    workers: int,
    length: Callable[[Result], int],
    stopped: threading.Event | None = None,
) -> Iterator[Result]:
    """Yield what *work* gives for each of *items*, in their order.

    Args:
        work: Runs in a thread of its own.
        workers: How many of these there are; twice as many items are begun before they are asked for.
        length: About how many bytes a result takes, so that few wait that are long.
        stopped: Set when nobody wants more results, for work that takes long without giving any.

    Raises:
        Exception: What *work* raised, after the results before it.
        KeyboardInterrupt: At once; work that has begun may go on for a while, and nobody is told what it finds.
    """

    def run(item: Item, channel: _Channel[Result]) -> None:
        failure: BaseException | None = None
        try:
            with contextlib.closing(work(item)) as results:
                for result in results:
                    channel.put(result)
        except Stopped:
            pass
        except BaseException as raised:
            failure = raised
        channel.end(failure)

    waiting: deque[_Channel[Result]] = deque()
    coming = iter(items)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="sessionfs-search")
    wait = True
    try:
        while True:
            while len(waiting) < 2 * workers and (item := next(coming, None)) is not None:
                channel: _Channel[Result] = _Channel(length)
                pool.submit(run, item, channel)
                waiting.append(channel)
            if not waiting:
                return
            yield from waiting[0].results()
            waiting.popleft()
    except KeyboardInterrupt:
        wait = False  # a search in one text cannot be stopped before its time is over
        raise
    finally:
        if stopped is not None:
            stopped.set()
        for channel in waiting:
            channel.stop()
        pool.shutdown(wait=wait, cancel_futures=True)
