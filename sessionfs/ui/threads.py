"""Threads that read for the screen, so that keys are answered meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

# The tables, the preview, the watch.
_THREADS = 4


class Threads:
    """Threads to read in, until nobody looks any more."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="sessionfs-ui")
        self._is_closed = False

    async def run(self, read: Callable[[], Result]) -> Result:
        """Call *read* in a thread, and return what it returns.

        Raises:
            asyncio.CancelledError: They have been closed.
        """
        if self._is_closed:
            raise asyncio.CancelledError("nobody looks any more")
        return await asyncio.get_running_loop().run_in_executor(self._pool, read)

    def close(self) -> None:
        """Let go of them; what they still read is of no use to anybody, nor what they are asked for on the way out."""
        self._is_closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
