"""What is appended to the store, by whichever process, told as it happens, a few times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sessionfs.api import Store
from sessionfs.errors import Error
from sessionfs.ui.threads import Threads

# A screen that changes more often cannot be read.
_PAUSE_SECONDS = 0.25


async def follow(
    store: Store,
    threads: Threads,
    tell: Callable[[dict[str, int]], None],
    damaged: Callable[[str, Error], None],
) -> None:
    """Call *tell* with the sessions in which something has happened, and how many events, until it is cancelled;
    with none when it begins, because it is not known what happened before.

    Args:
        threads: Where it begins: all logs are looked at.
        damaged: Told of a session whose log cannot be read on.
    """
    loop = asyncio.get_running_loop()
    watch = await threads.run(lambda: store.watch(on_error=damaged))
    tell({})  # what has happened until now
    moved: dict[str, int] = {}
    pause: asyncio.TimerHandle | None = None

    def tell_all() -> None:
        nonlocal pause
        pause = None
        told = dict(moved)
        moved.clear()
        tell(told)

    try:
        async for event in watch:
            moved[event.session] = moved.get(event.session, 0) + 1
            if pause is None:
                pause = loop.call_later(_PAUSE_SECONDS, tell_all)
    finally:
        watch.close()
        if pause is not None:
            pause.cancel()
