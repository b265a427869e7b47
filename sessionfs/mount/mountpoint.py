"""Where a store can be mounted: checks that say in a sentence why not, and a claim that only one process can have.

What the process of an earlier mount left there when it was killed is taken away under that claim.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from hashlib import blake2b

from sessionfs.errors import Conflict, Denied, InvalidInput, NotFound, Unsupported
from sessionfs.mount.ask import State, ask
from sessionfs.mount.options import MountOptions
from sessionfs.mount.table import find_mount, is_mountpoint, list_mounts

DEVICE = "/dev/fuse"
FUSE_CONFIG = "/etc/fuse.conf"


class NoFuse(Unsupported):
    """This machine cannot mount."""


class BadMountpoint(InvalidInput):
    """Nothing can be mounted there."""


class NoMountpoint(NotFound):
    """The directory to mount on does not exist."""


class MountpointTaken(Conflict):
    """Something is in the way."""

    errno = errno.EBUSY


class MountDenied(Denied):
    """This user may not mount there, or not so."""


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


def check_rights(options: MountOptions) -> None:
    """Check that this user may mount with *options*.

    Raises:
        MountDenied: They may not.
    """
    if os.geteuid() == 0 or not options.allow_other or _others_allowed():
        return
    raise MountDenied(
        f"allow_other is not allowed to you: {FUSE_CONFIG} has no line user_allow_other; "
        "leave it out, or ask root to add that line"
    )


def _others_allowed() -> bool:
    try:
        with open(FUSE_CONFIG, encoding="utf-8", errors="replace") as file:
            return any(line.partition("#")[0].strip() == "user_allow_other" for line in file)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True  # fusermount3, which may read it, decides


def check_mountpoint(mountpoint: str, store_path: str) -> None:
    """Check that the store at *store_path* can be mounted on *mountpoint*; both without symbolic links.

    A mount whose process was killed is not in the way: :func:`claim` takes it away.

    Raises:
        NoMountpoint, BadMountpoint, MountpointTaken, MountDenied: It can't.
    """
    if is_dead(mountpoint):
        return
    if is_mountpoint(mountpoint):
        raise MountpointTaken(
            f"something is already mounted on {mountpoint}; end it first: sessionfs umount {mountpoint}"
        )
    _check_directory(mountpoint)
    _check_apart(mountpoint, store_path)
    _check_empty(mountpoint)


def is_dead(mountpoint: str) -> bool:
    """Say whether a store was mounted there by a process that has ended."""
    mount = find_mount(mountpoint)
    return mount is not None and ask(mount).state is State.DEAD


def _check_directory(mountpoint: str) -> None:
    try:
        found = os.stat(mountpoint)
    except FileNotFoundError as failure:
        raise NoMountpoint(f"there is no directory {mountpoint}; make it first: mkdir {mountpoint}") from failure
    except OSError as failure:
        raise BadMountpoint(f"cannot mount on {mountpoint}: {failure.strerror}; name another directory") from failure
    if not stat.S_ISDIR(found.st_mode):
        raise BadMountpoint(f"{mountpoint} is not a directory; a store is mounted on an empty one")
    if os.geteuid() == 0:
        return
    if not os.access(mountpoint, os.R_OK | os.W_OK | os.X_OK):
        raise MountDenied(f"you may not mount on {mountpoint}: you cannot write to it; name a directory of your own")
    if found.st_mode & stat.S_ISVTX and found.st_uid != os.geteuid():
        raise MountDenied(f"you may not mount on {mountpoint}: it is shared by all; make a directory in it: mkdir")


def _check_apart(mountpoint: str, store_path: str) -> None:
    store = os.path.realpath(store_path)
    if _holds(store, mountpoint):
        raise BadMountpoint(f"{mountpoint} is inside the store {store}; name a directory outside of it")
    if _holds(mountpoint, store):
        raise BadMountpoint(f"{mountpoint} holds the store {store}, which the mount would hide; name another directory")
    for mount in list_mounts():
        if _holds(mount.mountpoint, mountpoint) and os.path.realpath(mount.store) == store:
            raise BadMountpoint(
                f"{mountpoint} is inside a mount of the same store, on {mount.mountpoint}; "
                "name a directory outside of it"
            )


def _holds(directory: str, path: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _check_empty(mountpoint: str) -> None:
    entries = os.listdir(mountpoint)
    if entries:
        raise MountpointTaken(
            f"{mountpoint} is not empty (it has {sorted(entries)[0]!r}), and a mount would hide that; "
            "name an empty directory"
        )


# Claiming


@contextlib.contextmanager
def claim(mountpoint: str, store_path: str) -> Iterator[None]:
    """Be the only one that mounts on *mountpoint* until this ends, with nothing in the way any more.

    Raises:
        MountpointTaken: Somebody else is mounting there at this moment, or has mounted.
        NoMountpoint, BadMountpoint, MountDenied: Nothing can be mounted there.
    """
    with _alone(mountpoint):
        if is_dead(mountpoint):
            detach(mountpoint)
        check_mountpoint(mountpoint, store_path)
        yield


def clear_dead(mountpoint: str) -> None:
    """Take away what a killed process left mounted on *mountpoint*, unless somebody else does just that.

    Raises:
        MountpointTaken: Somebody is mounting there at this moment.
    """
    with _alone(mountpoint):
        if is_dead(mountpoint):
            detach(mountpoint)


@contextlib.contextmanager
def _alone(mountpoint: str) -> Iterator[None]:
    # An abstract socket is a lock that belongs to no file (a dead mount cannot be opened), that all users share, and
    # that ends with its process. Mounts are seen in one mount namespace, sockets in one network namespace.
    seen_in = os.stat("/proc/self/ns/mnt").st_ino
    name = blake2b(f"{seen_in}:{mountpoint}".encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        try:
            lock.bind(f"\0sessionfs-mount-{name}")
        except OSError as failure:
            if failure.errno != errno.EADDRINUSE:
                raise
            raise MountpointTaken(
                f"another process is mounting on {mountpoint} at this moment; see: sessionfs mounts"
            ) from failure
        yield


# Unmounting


class CannotUnmount(Conflict):
    """The system refused; the message is its own."""

    errno = errno.EBUSY


def detach(mountpoint: str) -> None:
    """Take the mount out of the tree of files at once; those who use it go on.

    Raises:
        CannotUnmount: The system refused.
    """
    run_unmount(mountpoint, lazy=True)


def run_unmount(mountpoint: str, *, lazy: bool) -> None:
    """Call the system's program that unmounts.

    Raises:
        CannotUnmount: It refused.
        NoFuse: There is no such program.
    """
    if os.geteuid() == 0:
        command = ["umount", *(["-l"] if lazy else []), mountpoint]
    else:
        command = ["fusermount3", "-u", *(["-z"] if lazy else []), mountpoint]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as failure:
        raise NoFuse(f"cannot unmount: there is no {command[0]} here; install it, or ask root") from failure
    if done.returncode != 0:
        reason = done.stderr.strip() or f"{command[0]} ended with {done.returncode}"
        raise CannotUnmount(f"{mountpoint} could not be unmounted: {reason}")


def name_of_user(uid: int) -> str:
    """Return the name of a user, or its number where there is no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
