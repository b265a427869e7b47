"""The same work on many things, in several processes of this program."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_work: tuple[Callable[[Any], Any], Sequence[Any]] | None = None  # of this process, for its children


def in_processes(run: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> Iterator[Result]:
    """Yield ``run(item)`` for each of *items*, in their order, worked out by *jobs* processes.

    They are forked, so *run* may be anything; what it returns is pickled. Not for a program that has other threads.

    Raises:
        BrokenProcessPool: One of them was killed.
    """
    global _work
    # Late: 20 ms, and a small store is checked without.
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    _work = run, items
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("fork"), initializer=_ignore_interrupts)
    try:
        yield from pool.map(_run_one, range(len(items)))
    finally:
        pool.shutdown(cancel_futures=True)
        _work = None


def usable_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends them


def _run_one(number: int) -> Any:
    assert _work is not None
    run, items = _work
    return run(items[number])
