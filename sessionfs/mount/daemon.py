"""Starting a mount: in the background, or not. ``unmount`` ends it.

The background process is a fresh interpreter (``python -m sessionfs.mount``), so that nothing of the caller - threads,
locks, descriptors, terminal - lives on in it. It tells through a pipe when the mount answers, or why there is none. Its
log is ``STORE/tmp/mount-<mount point>.log``; what is quiet leaves none behind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import TextIO

from sessionfs import errors
from sessionfs.errors import Denied, Unsupported
from sessionfs.mount.ask import SERVER_MODULE
from sessionfs.mount.log_file import open_log, remove_if_empty
from sessionfs.mount.mountpoint import check_fuse, check_mountpoint, check_rights, clear_dead, is_dead
from sessionfs.mount.options import MountOptions, fuse_options
from sessionfs.store.store import Store


class MountFailed(Unsupported):
    """The mounting process ended before the mount answered."""


class StoreNotWritable(Denied):
    """This user may only read the store."""


def mount(
    store_path: str,
    mountpoint: str,
    *,
    session: str | None = None,
    options: MountOptions | None = None,
    foreground: bool = False,
    stderr: TextIO,
    ready: Callable[[], None] = lambda: None,
) -> int:
    """Mount the store at *store_path* on the directory *mountpoint*.

    Args:
        session: Mount this session only; its id. It wins over that of the *options*.
        foreground: Return when it is unmounted; else when the mount answers.
        stderr: Is told where it is mounted, and how to stop it.
        ready: Called when the mount answers.

    Returns:
        The exit code, 0.

    Raises:
        NoFuse, BadMountpoint, NoMountpoint, MountpointTaken, MountDenied, OptionForRoot: Nothing is mounted.
        StoreNotWritable: It can only be mounted read-only.
        MountFailed, CannotMount: The system did not want to.
        Error: The store or the session cannot be opened.
    """
    chosen = options if options is not None else MountOptions()
    if session is not None:
        chosen = chosen._replace(session=session)
    store_path, mountpoint = os.path.abspath(store_path), os.path.realpath(mountpoint)
    _check_store(store_path, chosen)
    check_fuse()
    check_rights(chosen)
    fuse_options(chosen, store_path)
    check_mountpoint(mountpoint, store_path)
    instead = ", in place of a mount whose process had died" if is_dead(mountpoint) else ""

    def say() -> None:
        where = store_path if chosen.session is None else f"session {chosen.session} of {store_path}"
        how = ", read-only" if chosen.read_only else ""
        stderr.write(f"mounted {where} on {mountpoint}{how}{instead}; end it with: sessionfs umount {mountpoint}\n")
        stderr.flush()
        ready()

    if foreground:
        from sessionfs.mount.serve import serve

        serve(store_path, mountpoint, chosen, ready=say)
    else:
        start(store_path, mountpoint, chosen)
        say()
    return 0


def _check_store(store_path: str, options: MountOptions) -> None:
    store = Store(store_path)
    if options.session is not None:
        store.session(options.session)
    store.close()
    if not options.read_only and not all(
        os.access(path, os.W_OK) for path in (store.layout.sessions, store.layout.objects, store.layout.staging)
    ):
        raise StoreNotWritable(
            f"you may only read the store {store_path}; mount it with --read-only, or ask for the right to write to it"
        )


# The background process


def start(store_path: str, mountpoint: str, options: MountOptions) -> None:
    """Start the process that serves the mount; returns when it answers.

    Raises:
        MountFailed: It ended before; its log says why.
        Error: What it could not do.
    """
    log_fd, log = open_log(store_path, mountpoint, read_only=options.read_only)
    try:
        answer, process = _start_process(store_path, mountpoint, options, log_fd, log)
    finally:
        os.close(log_fd)
    if answer:
        _check_answer(answer, log)
        os.statvfs(mountpoint)  # returns when the mount answers
        process.returncode = 0  # it lives on; this object need not warn of that
        return
    code = process.wait()
    raise MountFailed(f"the mount on {mountpoint} ended before it answered (exit code {code}): {_last_line(log)}")


def _start_process(
    store_path: str, mountpoint: str, options: MountOptions, log_fd: int, log: str
) -> tuple[str, subprocess.Popen[bytes]]:
    """Return the process and what it answered: a line, or nothing if it ended before."""
    reading, writing = os.pipe()
    order = {
        "store": store_path,
        "mountpoint": mountpoint,
        "options": options._asdict(),
        "ready_fd": writing,
        "log": log,
    }
    try:
        process = subprocess.Popen(
            # -P: no module is imported from the directory in which somebody happens to mount.
            [sys.executable, "-P", "-m", SERVER_MODULE, json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log_fd,
            pass_fds=(writing,),
            start_new_session=True,
        )
    finally:
        os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answers:
        try:
            return answers.readline(), process
        except BaseException:  # Ctrl-C: nothing is left behind that nobody knows of
            process.terminate()
            process.wait()
            clear_dead(mountpoint)
            raise


def _check_answer(answer: str, log: str) -> None:
    told = json.loads(answer)
    if told.get("error") is None:
        return
    remove_if_empty(log)
    kind = getattr(errors, told["kind"], MountFailed)
    raise kind(told["error"])


def _last_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().strip().splitlines()
    except OSError:
        lines = []
    return f"{lines[-1]}; see {path}" if lines else f"it left no word in {path}"
