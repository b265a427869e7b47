"""The mount as a process: starting it, in the background or not, and ending it.

The background process is a fresh interpreter (``python -m sessionfs.mount``), so that nothing of the caller - threads,
locks, descriptors - lives on in it. It tells through a pipe when the mount answers, or why there is none. Its log is
``STORE/tmp/mount-<mount point>.log``; what is quiet leaves none behind.
"""

from __future__ import annotations

import errno
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from typing import TextIO

from sessionfs import errors
from sessionfs.errors import Conflict, InvalidInput, NotFound, Unsupported
from sessionfs.mount.table import find_mount, is_mountpoint
from sessionfs.store.store import Store

DEVICE = "/dev/fuse"

_END_SECONDS = 60.0  # for the process to store and sync what is left, after the unmounting


class NoFuse(Unsupported):
    """This machine cannot mount."""


class BadMountpoint(InvalidInput):
    """Nothing can be mounted there."""


class NoMountpoint(NotFound):
    """The directory to mount on does not exist."""


class MountpointTaken(Conflict):
    """Something is in the way."""

    errno = errno.EBUSY


class NotMounted(NotFound):
    """No store is mounted there."""


class InUse(Conflict):
    """The mount is in use."""

    errno = errno.EBUSY


class MountFailed(Unsupported):
    """The mounting process ended before the mount answered."""


def mount(
    store_path: str,
    mountpoint: str,
    *,
    session: str | None = None,
    foreground: bool = False,
    stderr: TextIO,
) -> int:
    """Mount the store at *store_path* on the directory *mountpoint*.

    Args:
        session: Mount this session only; its id.
        foreground: Return when it is unmounted; else when the mount answers.
        stderr: Is told where it is mounted, and how to stop it.

    Returns:
        The exit code, 0.

    Raises:
        NoFuse, BadMountpoint, NoMountpoint, MountpointTaken, MountFailed: Nothing is mounted.
        Error: The store or the session cannot be opened.
    """
    store = Store(os.path.abspath(store_path))
    if session is not None:
        store.session(session)
    store.close()
    mountpoint = os.path.realpath(mountpoint)
    check_fuse()
    check_mountpoint(mountpoint)

    def say() -> None:
        where = store.path if session is None else f"session {session} of {store.path}"
        stderr.write(f"mounted {where} on {mountpoint}; end it with: sessionfs umount {mountpoint}\n")
        stderr.flush()

    if foreground:
        from sessionfs.mount.serve import serve

        serve(store.path, mountpoint, session=session, ready=say)
    else:
        _start(store, mountpoint, session)
        say()
    return 0


def umount(mountpoint: str, *, stderr: TextIO | None = None) -> int:
    """End the mount on *mountpoint*; everything is stored and synced when this returns.

    Returns:
        The exit code, 0.

    Raises:
        NotMounted: No store is mounted there.
        InUse: Files in it are open, or somebody works in it.
    """
    mountpoint = _real_path(mountpoint)
    if find_mount(mountpoint) is None:
        raise NotMounted(f"no store is mounted on {mountpoint}; see: grep sessionfs /proc/mounts")
    process = _process_of(mountpoint)
    _unmount(mountpoint, lazy=process is None)
    if process is not None:
        _wait_for(process)
    return 0


# Before mounting


def check_fuse() -> None:
    """Check that this machine can mount.

    Raises:
        NoFuse: The message says what is missing.
    """
    if not os.path.exists(DEVICE):
        raise NoFuse(
            f"cannot mount: there is no {DEVICE} here; load the kernel module fuse, or give it to the container"
        )
    if os.geteuid() != 0 and shutil.which("fusermount3") is None:
        raise NoFuse("cannot mount: there is no fusermount3 here; install the package fuse3")
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        raise NoFuse(f"cannot mount: you may not use {DEVICE}; ask for it to be readable and writable by you")
    try:
        import pyfuse3  # noqa: F401
    except ImportError as failure:
        raise NoFuse(f"cannot mount: {failure}; install the package fuse3 and the Python package pyfuse3") from failure


def check_mountpoint(mountpoint: str) -> None:
    """Check that a store can be mounted on *mountpoint*; what a killed mount left there is taken away first.

    Raises:
        NoMountpoint, BadMountpoint, MountpointTaken: It can't.
    """
    try:
        os.statvfs(mountpoint)  # stat the kernel would answer by itself
    except OSError as failure:
        if failure.errno == errno.ENOTCONN:  # its process was killed
            _unmount(mountpoint, lazy=True)
    if is_mountpoint(mountpoint):
        raise MountpointTaken(
            f"something is already mounted on {mountpoint}; end it first: sessionfs umount {mountpoint}"
        )
    try:
        entries = os.listdir(mountpoint)
    except FileNotFoundError as failure:
        raise NoMountpoint(f"there is no directory {mountpoint}; make it first: mkdir {mountpoint}") from failure
    except NotADirectoryError as failure:
        raise BadMountpoint(f"{mountpoint} is not a directory; a store is mounted on an empty one") from failure
    except OSError as failure:
        raise errors.from_os_error(failure, f"look into {mountpoint}") from failure
    if entries:
        raise MountpointTaken(
            f"{mountpoint} is not empty (it has {sorted(entries)[0]!r}), and a mount would hide that; "
            "name an empty directory"
        )


# The background process


def log_path(store: Store, mountpoint: str) -> str:
    """Return where the mount on *mountpoint* logs to."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", mountpoint).strip("-")[-150:]
    return f"{store.layout.staging}/mount-{name}.log"


def _start(store: Store, mountpoint: str, session: str | None) -> None:
    log = log_path(store, mountpoint)
    reading, writing = os.pipe()
    order = {"store": store.path, "mountpoint": mountpoint, "session": session, "ready_fd": writing, "log": log}
    log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "sessionfs.mount", json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log_fd,
            pass_fds=(writing,),
            start_new_session=True,
        )
    finally:
        os.close(log_fd)
        os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answers:
        answer = answers.readline()
    if answer:
        _check_answer(answer)
        os.statvfs(mountpoint)  # returns when the mount answers
        process.returncode = 0  # it lives on; this object need not warn of that
        return
    code = process.wait()
    raise MountFailed(f"the mount on {mountpoint} ended before it answered (exit code {code}): {_last_line(log)}")


def _check_answer(answer: str) -> None:
    told = json.loads(answer)
    if told.get("error") is None:
        return
    kind = getattr(errors, told["kind"], MountFailed)
    raise kind(told["error"])


def _last_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().strip().splitlines()
    except OSError:
        lines = []
    return f"{lines[-1]}; see {path}" if lines else f"it left no word in {path}"


# Unmounting


def _real_path(mountpoint: str) -> str:
    # Of the parent only: the mount itself may not answer.
    parent, name = os.path.split(os.path.abspath(mountpoint))
    return os.path.join(os.path.realpath(parent), name) if name else "/"


def _process_of(mountpoint: str) -> int | None:
    """Return a descriptor for the mount's process, or None if it has gone."""
    try:
        return os.pidfd_open(int(os.getxattr(mountpoint, "user.sessionfs.pid")))
    except (OSError, ValueError):
        return None


def _wait_for(process: int) -> None:
    try:
        ended, _, _ = select.select([process], [], [], _END_SECONDS)
        if not ended:
            signal.pidfd_send_signal(process, signal.SIGTERM)
            select.select([process], [], [], _END_SECONDS)
    finally:
        os.close(process)


def _unmount(mountpoint: str, *, lazy: bool) -> None:
    if os.geteuid() == 0:
        command = ["umount", "-l", mountpoint] if lazy else ["umount", mountpoint]
    else:
        command = ["fusermount3", "-u", *(["-z"] if lazy else []), mountpoint]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as failure:
        raise NoFuse(f"cannot unmount: there is no {command[0]} here") from failure
    if done.returncode != 0:
        reason = done.stderr.strip() or f"{command[0]} ended with {done.returncode}"
        raise InUse(f"{mountpoint} could not be unmounted: {reason}; close what is open in it and try again")
