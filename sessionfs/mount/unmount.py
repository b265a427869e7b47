"""Ending a mount: wait until its process has stored and synced everything, or say who keeps it from ending."""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from collections.abc import Callable

from sessionfs.errors import Conflict, Denied
from sessionfs.mount import log_file
from sessionfs.mount.ask import State, ask, find_server, no_answer
from sessionfs.mount.mountpoint import CannotUnmount, clear_dead, detach, name_of_user, run_unmount
from sessionfs.mount.table import Mounted, resolve_mount
from sessionfs.mount.users import describe_users

Say = Callable[[str], None]

_END_SECONDS = 60.0  # for the process to store and sync what is left, after the unmounting

# A descriptor that was closed just now is let go of by the kernel a little later.
_CLOSING_SECONDS = 2.0
_AGAIN_SECONDS = 0.02


class NotYours(Denied):
    """Somebody else mounted it."""


class InUse(Conflict):
    """The mount is in use."""

    errno = errno.EBUSY


class StillEnding(Conflict):
    """It is unmounted, and its process has not ended."""

    errno = errno.EBUSY


def umount(mountpoint: str, *, lazy: bool = False, force: bool = False, say: Say = lambda message: None) -> int:
    """End the mount on *mountpoint*; everything is stored and synced when this returns.

    Args:
        lazy: If it is in use, take it out of the tree of files now; its process ends after the last one who uses it.
        force: End it now: what was written is stored, and those who use it get errors.
        say: Is told, in a sentence each, what is worth knowing although it is no error.

    Returns:
        The exit code, 0.

    Raises:
        NotMounted: No store is mounted there.
        NotYours: Somebody else mounted it.
        InUse: Files in it are open, or somebody works in it; the message names them.
        NoAnswer: Its process hangs; *force* or *lazy* help.
        StillEnding: It is unmounted, but its process goes on.
    """
    mount = resolve_mount(mountpoint)
    if os.geteuid() not in (0, mount.user_id):
        owner = name_of_user(mount.user_id)
        raise NotYours(f"{mount.mountpoint} was mounted by {owner}; only {owner} or root can unmount it")
    answer = ask(mount)
    if answer.state is State.DEAD:
        _end_dead(mount, say)
        return 0
    if answer.state is State.SILENT and not (lazy or force):
        raise no_answer(mount, answer.state)
    log = answer.told.get("log")
    pid = answer.pid if answer.pid is not None else find_server(mount)
    process = _process_of(pid)
    try:
        if force:
            _end_by_force(mount, process)
        elif lazy and _detached_in_use(mount, pid, say):
            return 0
        elif not lazy:
            _unmount_when_free(mount)
        if process is not None and not _ended(process, ask_again=not force):
            raise StillEnding(_still_ending(mount, pid))
    finally:
        if process is not None:
            os.close(process)
    if log is not None and log_file.says_something(log):
        say(f"it has logged what went wrong while it was mounted; see {log}")
    return 0


def _process_of(pid: int | None) -> int | None:
    """Return a descriptor for the mount's process; None if it is unknown or has gone."""
    if pid is None:
        return None
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


# Ways to end


def _end_dead(mount: Mounted, say: Say) -> None:
    clear_dead(mount.mountpoint)
    log = None if mount.read_only else log_file.remove_if_empty(log_file.path_for(mount.store, mount.mountpoint))
    reason = f"see {log}" if log is not None else "it was killed, and left no word"
    say(f"the process of the mount on {mount.mountpoint} had died; what it left is taken away; {reason}")


def _unmount_when_free(mount: Mounted) -> None:
    deadline = time.monotonic() + _CLOSING_SECONDS
    while True:
        try:
            run_unmount(mount.mountpoint, lazy=False)
            return
        except CannotUnmount as failure:
            users = describe_users(mount.mountpoint)
            if users is not None or time.monotonic() > deadline:
                raise InUse(_in_use(mount, users, failure)) from failure
        time.sleep(_AGAIN_SECONDS)


def _in_use(mount: Mounted, users: str | None, failure: CannotUnmount) -> str:
    point = mount.mountpoint
    advice = f"end them, or detach it from under them: sessionfs umount --lazy {point}"
    if users is not None:
        return f"cannot unmount {point}: it is in use by {users}; {advice}"
    others = "" if os.geteuid() == 0 else " that you may see"
    return f"{failure}; no process{others} has anything open in it; try again, or: sessionfs umount --lazy {point}"


def _detached_in_use(mount: Mounted, pid: int | None, say: Say) -> bool:
    """Detach it, and say whether somebody goes on using it."""
    users = describe_users(mount.mountpoint)
    detach(mount.mountpoint)
    if users is None:
        return False
    served = "its process" if pid is None else f"its process {pid}"
    say(f"{mount.mountpoint} is detached, and still in use by {users}; {served} ends after them, with all stored")
    return True


def _end_by_force(mount: Mounted, process: int | None) -> None:
    detach(mount.mountpoint)
    if process is not None:
        _signal(process)


def _signal(process: int) -> None:
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
    except ProcessLookupError:
        return  # it was quicker


def _ended(process: int, *, ask_again: bool) -> bool:
    """Wait for the process; say whether it has ended. If it doesn't, it is asked to, unless it was already."""
    ended = bool(select.select([process], [], [], _END_SECONDS)[0])
    if not ended and ask_again:
        _signal(process)
        ended = bool(select.select([process], [], [], _END_SECONDS)[0])
    return ended


def _still_ending(mount: Mounted, pid: int | None) -> str:
    return (
        f"{mount.mountpoint} is unmounted, but its process {pid} has not ended; wait for it, or end it: "
        f"kill -9 {pid} loses only what was not closed"
    )
