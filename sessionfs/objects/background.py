"""Threads for what a writer need not wait for."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Run = Callable[[Callable[[], None]], None]
"""Runs a job, sooner or later, on any thread."""

_pool: tuple[int, ThreadPoolExecutor] | None = None


def run_in_background(job: Callable[[], None]) -> None:
    """Run *job* on one of this process's two threads for writing (they do not survive a fork).

    Raises:
        RuntimeError: The interpreter is ending.
    """
    global _pool
    if _pool is None or _pool[0] != os.getpid():
        from concurrent.futures import ThreadPoolExecutor  # late: most processes never get here

        _pool = (os.getpid(), ThreadPoolExecutor(2, thread_name_prefix="sessionfs-write"))
    _pool[1].submit(job)
