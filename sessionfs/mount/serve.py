"""Serving one mount until it ends: the process that ``daemon`` starts, or the foreground.

However it ends - ``umount``, SIGTERM, SIGINT - what is written and not yet recorded becomes versions, and everything is
synced. SIGKILL loses only what was not closed.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from functools import partial

import pyfuse3
import trio

from sessionfs.durable import BackgroundSync
from sessionfs.errors import Error
from sessionfs.mount import loop
from sessionfs.mount.changes import Invalidator, Watcher
from sessionfs.mount.connection import Connection
from sessionfs.mount.operations import Operations
from sessionfs.mount.view import View
from sessionfs.store.store import Store

log = logging.getLogger(__name__)

FILESYSTEM = "sessionfs"

# How many requests may wait for workers at once.
MAX_TASKS = 16


def serve(
    store_path: str,
    mountpoint: str,
    *,
    session: str | None = None,
    ready: Callable[[], None],
) -> None:
    """Mount the store and answer requests until it is unmounted.

    Args:
        session: Mount this session only.
        ready: Called once the mount answers.

    Raises:
        CannotMount: The system refused.
        Error: The store cannot be opened, or something could not be stored at the end.
    """
    store = Store(store_path)
    if session is not None:
        store.session(session)
    invalidator = Invalidator()
    view = View(store, invalidator, only=session)
    options = {"default_permissions", f"fsname={_option(store.path)}", f"subtype={FILESYSTEM}"}
    connection = Connection(mountpoint, options)
    loop.install(connection.take_over)
    pyfuse3.init(Operations(view), f"/dev/fd/{connection.fd}", set())
    background = BackgroundSync(store.unsynced, store.sync, store.config.sync_interval_ns)
    try:
        trio.run(partial(_serve, view, invalidator, ready))
    finally:
        pyfuse3.close(unmount=False)
        connection.unmount()
        background.stop()
        store.close()


async def _serve(view: View, invalidator: Invalidator, ready: Callable[[], None]) -> None:
    watcher = Watcher(view.store.layout.changed)
    invalidator.start()
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(_end_on_signal)
            nursery.start_soon(watcher.watch, view.session_changed)
            nursery.start_soon(_announce, ready)
            await pyfuse3.main(max_tasks=MAX_TASKS)
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await store_everything(view)
    invalidator.stop()


async def _announce(ready: Callable[[], None]) -> None:
    ready()


async def _end_on_signal(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            pyfuse3.terminate()
            return


async def store_everything(view: View) -> None:
    """Make versions of all that is written and not recorded, and say in the log what could not be."""
    for file in view.files_being_written():
        try:
            await file.store_version()
        except Error as failure:
            log.error("%s could not be stored: %s", file.path, failure)


def _option(text: str) -> str:
    """Return *text* as the value of a mount option: a comma would end it, and libfuse takes ASCII."""
    return text.encode("ascii", "backslashreplace").decode().replace("\\", "\\\\").replace(",", "\\,")
