"""Waiting until a descriptor is readable: in a thread, or as a task of trio or asyncio, whichever runs."""

from __future__ import annotations

import math
import select
import sys


def wait(fd: int, seconds: float | None) -> None:
    """Wait until *fd* is readable, at most *seconds*; None for ever. Signals are handled meanwhile."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    poller.poll(None if seconds is None else math.ceil(seconds * 1000))


async def wait_as_task(fd: int, seconds: float | None) -> None:
    """Let other tasks run until *fd* is readable, at most *seconds*; None for ever.

    Raises:
        RuntimeError: Neither trio nor asyncio runs this.
    """
    trio = sys.modules.get("trio")  # whoever runs it has imported it
    if trio is not None and trio.lowlevel.in_trio_task():
        with trio.move_on_after(math.inf if seconds is None else seconds):
            await trio.lowlevel.wait_readable(fd)
        return
    import asyncio  # late: it takes longer to import than a verb may take to start

    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(fd, readable.set)
    try:
        await asyncio.wait_for(readable.wait(), seconds)
    except TimeoutError:
        return
    finally:
        loop.remove_reader(fd)
