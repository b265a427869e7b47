"""Asking a mount about itself, and living with one that does not answer.

Its root has attributes that are not listed: ``user.sessionfs.mount`` says which process serves it and how,
``user.sessionfs.stats`` what it has answered. A stopped process would keep whoever asks waiting for ever, and root may
not look into what a user mounted; so a child asks, as the one who mounted it, and need not come back.
"""

from __future__ import annotations

import enum
import errno
import json
import os
import select
import signal
import warnings
from typing import Any, NamedTuple, NoReturn

from sessionfs.errors import Conflict, Denied, Error
from sessionfs.mount.table import Mounted, resolve_mount

ABOUT = b"user.sessionfs.mount"
STATS = b"user.sessionfs.stats"
RESET_STATS = b"user.sessionfs.stats.reset"
"""Empty; who reads it makes the counting begin again. A read-only mount's attributes could not be set."""

SERVER_MODULE = "sessionfs.mount"
"""What the interpreter runs in the background."""

_PATIENCE_SECONDS = 2.0


class NoAnswer(Conflict):
    """A mount does not answer."""


class HiddenMount(Denied):
    """A mount that this user may not look into."""


class State(enum.Enum):
    """How a mount is."""

    SERVING = "serving"
    DEAD = "dead"  # its process has ended
    SILENT = "silent"  # its process is there, or seems to be, and does not answer
    HIDDEN = "hidden"  # somebody else's


_STATE_OF = {
    0: State.SERVING,
    errno.ENOTCONN: State.DEAD,
    errno.ECONNABORTED: State.DEAD,
    errno.EACCES: State.HIDDEN,
    errno.EPERM: State.HIDDEN,
}


class Answer(NamedTuple):
    """What a mount said: the document, where it is serving and has one."""

    state: State
    told: dict[str, Any]

    @property
    def pid(self) -> int | None:
        """The process that serves it, if known."""
        pid = self.told.get("pid")
        return pid if isinstance(pid, int) else None


def ask(mount: Mounted, name: bytes = ABOUT) -> Answer:
    """Return what *mount* says about itself under *name*; it has two seconds."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Forking beside threads: the child makes system calls and ends.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _ask_as_owner(mount, name, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        answered, _, _ = select.select([answers], [], [], _PATIENCE_SECONDS)
        text = answers.read() if answered else b""
    if not text:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, os.WNOHANG)  # it may be stuck where no signal reaches it
        return Answer(State.SILENT, {})
    os.waitpid(child, 0)
    number, _, document = text.partition(b"\n")
    state = _STATE_OF.get(int(number), State.SERVING)
    return Answer(state, json.loads(document) if document else {})


def read_stats(mountpoint: str, *, reset: bool = False) -> dict[str, Any]:
    """Return what the mount on *mountpoint* has answered: a record for each kind of request, the costliest first.

    Args:
        reset: Begin to count again.

    Raises:
        NotMounted: No store is mounted there.
        NoAnswer, HiddenMount: The mount cannot be asked.
    """
    mount = resolve_mount(mountpoint)
    answer = ask(mount, STATS)
    if answer.state is not State.SERVING or "requests" not in answer.told:
        raise no_answer(mount, answer.state)
    if reset:
        ask(mount, RESET_STATS)
    records = [
        {"request": kind, **counted, "mean_us": round(counted["total_us"] / counted["count"], 1)}
        for kind, counted in answer.told["requests"].items()
    ]
    records.sort(key=lambda record: record["total_us"], reverse=True)
    return {"mountpoint": mount.mountpoint, "since": answer.told["since"], "requests": records}


def no_answer(mount: Mounted, state: State) -> Error:
    """Return the error that says why *mount* said nothing, or not what it was asked."""
    point = mount.mountpoint
    if state is State.HIDDEN:
        return HiddenMount(f"the mount on {point} is somebody else's; ask them, or root")
    if state is State.DEAD:
        return NoAnswer(f"the process of the mount on {point} has died; clean up with: sessionfs umount {point}")
    if state is State.SERVING:
        return NoAnswer(f"the mount on {point} is of another version of sessionfs, and does not say; mount it again")
    return NoAnswer(f"the mount on {point} does not answer; try again, or end it: sessionfs umount --force {point}")


def find_server(mount: Mounted) -> int | None:
    """Return the process in the background that serves *mount*, which does not say so itself; None if that is unclear.

    It is told by its command line, which is the order to mount.
    """
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal() and _serves(name, mount):
            found.append(int(name))
    return found[0] if len(found) == 1 else None


def _serves(pid: str, mount: Mounted) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return False  # it has ended
    if SERVER_MODULE.encode() not in words:
        return False
    order = words[words.index(SERVER_MODULE.encode()) + 1]
    return f'"mountpoint": {json.dumps(mount.mountpoint)}'.encode() in order


def _ask_as_owner(mount: Mounted, name: bytes, writing: int) -> NoReturn:
    try:
        if os.geteuid() == 0 and mount.user_id != 0:
            os.setgroups([])
            os.setresgid(mount.group_id, mount.group_id, mount.group_id)
            os.setresuid(mount.user_id, mount.user_id, mount.user_id)
        text = b"0\n" + os.getxattr(mount.mountpoint, name)
    except OSError as failure:
        text = b"%d\n" % (failure.errno or 0)
    except BaseException:
        os._exit(1)
    os.write(writing, text)
    os._exit(0)
