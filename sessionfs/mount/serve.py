"""Serving one mount until it ends: the process that ``daemon`` starts, or the foreground.

However it ends - ``umount``, SIGTERM, SIGINT, SIGHUP - what is written and not yet recorded becomes versions, and
everything is synced. SIGKILL loses only what was not closed.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
from collections.abc import Callable
from functools import partial

import pyfuse3
import trio

from sessionfs.clock import file_clock, format_time
from sessionfs.durable import BackgroundSync
from sessionfs.durable.read_only import ReadOnlyDisk
from sessionfs.errors import Error
from sessionfs.mount import ask, inodes, loop
from sessionfs.mount.changes import Invalidator, Watcher
from sessionfs.mount.connection import Connection
from sessionfs.mount.mountpoint import claim
from sessionfs.mount.operations import Operations
from sessionfs.mount.options import MountOptions, fuse_options
from sessionfs.mount.shown import Shown
from sessionfs.mount.table import find_mount
from sessionfs.mount.view import View
from sessionfs.store.store import Store

log = logging.getLogger(__name__)

# How many requests may wait at once: for workers, and for hooks, which make requests themselves.
MAX_TASKS = 256

# The last one comes when the terminal of a mount in the foreground closes.
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# How long the kernel may keep what it was told where no changes can be watched: a store that cannot be written, and
# that is a copy without the directory ``changed``.
_UNWATCHED_SECONDS = 1.0


def serve(
    store_path: str,
    mountpoint: str,
    options: MountOptions,
    *,
    ready: Callable[[], None],
    log_path: str | None = None,
) -> None:
    """Mount the store and answer requests until it is unmounted.

    Args:
        ready: Called once the mount answers.
        log_path: Where this process logs, if that is a file: the mount says so to whoever asks.

    Raises:
        CannotMount: The system refused.
        MountpointTaken, BadMountpoint, NoMountpoint, MountDenied: Nothing can be mounted there.
        Error: The store cannot be opened, or something could not be stored at the end.
    """
    logging.getLogger("pyfuse3").addFilter(_is_wrong)
    store = Store(store_path, disk=ReadOnlyDisk() if options.read_only else None, clock=file_clock)
    if options.session is not None:
        store.session(options.session)
    watcher = _watch(store, options)
    inodes.show(Shown(options.uid, options.gid, options.umask, _cache_seconds(options, watcher)))
    invalidator = Invalidator()
    view = View(store, invalidator, only=options.session)
    _tell(view, options, log_path)
    with claim(mountpoint, store.path):
        connection = Connection(mountpoint, fuse_options(options, store.path))
        device = _device(mountpoint)
    operations = Operations(view)
    loop.install(connection.take_over, operations.nothing_waits)
    try:
        pyfuse3.init(operations, f"/dev/fd/{connection.fd}", set())
    except BaseException:
        connection.unmount()
        raise
    background = BackgroundSync(store.unsynced, store.sync, store.config.sync_interval_ns)
    try:
        trio.run(partial(_serve, view, invalidator, watcher, ready))
    finally:
        pyfuse3.close(unmount=False)
        # It may have been detached, and another store mounted there since.
        if device is not None and _device(mountpoint) == device:
            connection.unmount()
        background.stop()
        store.close()


# How a reply fails when nobody waits for it any more: the request was the last one before the end, or was interrupted.
_NOBODY_WAITS = tuple(os.strerror(number) for number in (errno.ENOENT, errno.ENODEV))


def _is_wrong(record: logging.LogRecord) -> bool:
    """Say whether what pyfuse3 logs is about something that is wrong."""
    message = record.getMessage()
    return not ("fuse_reply_" in message and message.endswith(_NOBODY_WAITS))


def _watch(store: Store, options: MountOptions) -> Watcher | None:
    """Return what watches the store; None where that is impossible, because it cannot even be prepared."""
    changed = store.layout.changed
    return Watcher(changed) if os.path.isdir(changed) or not options.read_only else None


def _cache_seconds(options: MountOptions, watcher: Watcher | None) -> float | None:
    if watcher is not None:
        return options.cache_seconds
    return _UNWATCHED_SECONDS if options.cache_seconds is None else min(options.cache_seconds, _UNWATCHED_SECONDS)


def _device(mountpoint: str) -> str | None:
    mount = find_mount(mountpoint)
    return None if mount is None else mount.device


def _tell(view: View, options: MountOptions, log_path: str | None) -> None:
    """Let the mount's root say what :mod:`sessionfs.mount.ask` asks it."""
    about = {
        "pid": os.getpid(),
        "since": format_time(view.started_ns),
        "session": options.session,
        "options": options.words(),
        "log": log_path,
    }

    def reset_stats() -> bytes:
        view.stats.reset()
        return b""

    view.told[ask.ABOUT] = lambda: json.dumps(about).encode()
    view.told[ask.STATS] = lambda: json.dumps(view.stats.document()).encode()
    view.told[ask.RESET_STATS] = reset_stats


async def _serve(view: View, invalidator: Invalidator, watcher: Watcher | None, ready: Callable[[], None]) -> None:
    invalidator.start()
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(_end_on_signal)
            if watcher is not None:
                nursery.start_soon(watcher.watch, view.session_changed)
            nursery.start_soon(view.keeper.run, view)
            nursery.start_soon(view.hooks.run)
            nursery.start_soon(_announce, ready)
            await pyfuse3.main(max_tasks=MAX_TASKS)
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await store_everything(view)
            await view.hooks.finish()
            view.keeper.close()
    invalidator.stop()


async def _announce(ready: Callable[[], None]) -> None:
    ready()


async def _end_on_signal(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    # What is ignored stays ignored: nohup(1) does that to SIGHUP, a shell to SIGINT of what it runs with "&".
    ending = [number for number in _ENDING_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    with trio.open_signal_receiver(*ending) as signals:
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
        except Exception:
            log.exception("%s could not be stored", file.path)  # and the others must not suffer for it
