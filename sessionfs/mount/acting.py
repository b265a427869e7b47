"""On whose behalf the mount records: the correlation context that the requesting process was started with.

A command that a program runs with :func:`sessionfs.environment` so goes on with that program's work when it uses the
mount, too; and a hook is known as one, whose changes call no hooks. What a process set in its own environment later
cannot be seen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sessionfs.correlation import VARIABLES, BadCorrelation, Context, current, parse_environment, within
from sessionfs.hooks import inside
from sessionfs.mount.loop import in_worker

# Reading an environment costs 20 us and a thread 100, as much as half a small file; a program makes many.
_KEPT_SECONDS = 1.0
_MOST_KEPT = 1000

_NAMES = {name.encode(): name for name in (*VARIABLES, inside.VARIABLE)}


class Asker(NamedTuple):
    """What a process that asks for something was started with."""

    context: Context | None = None
    inside: frozenset[str] = frozenset()  # the stores whose hooks it belongs to, see ``sessionfs.hooks.inside``

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Do something on its behalf."""
        with within(self.context), inside.within(self.inside):
            yield


NOBODY = Asker()


def asker_now() -> Asker:
    """Return on whose behalf something is done just now."""
    return Asker(current(), inside.stores())


class Askers:
    """The processes that changed something lately."""

    def __init__(self, store_key: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store_key = store_key
        self._monotonic = monotonic
        self._known: dict[int, tuple[float, Asker]] = {}

    async def of(self, pid: int) -> Asker:
        """Return what a process was started with; nobody when it has gone, or is not ours to look at.

        Concurrency:
            A thread looks: the kernel lets nobody read the environment of a process that waits for a page of a mapped
            file while it changes its mappings, and that page may have to come from this mount's loop.
        """
        now = self._monotonic()
        known = self._known.get(pid)
        if known is not None and known[0] > now:
            return known[1]
        asker = await in_worker(read_asker, pid, self._store_key)
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
        self._known[pid] = (now + _KEPT_SECONDS, asker)
        return asker


def read_asker(pid: int, store_key: str) -> Asker:
    """Return what a process was started with; nobody as above. What makes no sense is left out."""
    if os.path.exists(f"/proc/self/task/{pid}"):
        return Asker(inside=frozenset({store_key}))  # a thread of ours: only functions that are hooks use the mount
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environ = file.read()
    except OSError:
        return NOBODY
    found: dict[str, str] = {}
    for entry in environ.split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name in _NAMES:
            found[_NAMES[name]] = value.decode("utf-8", "surrogateescape")
    stores = inside.parse(found)
    try:
        return Asker(parse_environment(found), stores)
    except BadCorrelation:
        return Asker(None, stores)  # another program's business; what it asked for is done all the same
