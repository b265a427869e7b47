"""Whether a directory can be collected, and being the only one that collects it into a session."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from hashlib import blake2b

from sessionfs.errors import Conflict, InvalidInput, NotFound
from sessionfs.watch.notification import mount_points

_MOUNT_TYPE = "fuse.sessionfs"


class NoDirectory(NotFound):
    """There is no such directory."""


class BadDirectory(InvalidInput):
    """This directory cannot be collected."""


class AlreadyCollected(Conflict):
    """Another process does just that."""

    errno = errno.EBUSY


def resolve_directory(path: str, store_path: str) -> str:
    """Return the directory *path*, absolute and without symbolic links.

    Raises:
        NoDirectory: It is not there.
        BadDirectory: It is none, or lies in a store or in a mount of one: what is collected would change it.
    """
    directory = os.path.realpath(path)
    try:
        os.listdir(directory)
    except FileNotFoundError as failure:
        raise NoDirectory(f"there is no directory {path}; make it first: mkdir {path}") from failure
    except NotADirectoryError as failure:
        raise BadDirectory(f"{path} is not a directory; put a single file with: sessionfs artifact put") from failure
    for place in shunned_places(store_path):
        if f"{directory}/".startswith(f"{place}/"):
            raise BadDirectory(f"{path} is in {place}, a store or a mount of one; collect a directory outside of it")
    return directory


def shunned_places(store_path: str) -> frozenset[str]:
    """Return the directories that are never collected: the store, and where stores are mounted."""
    return frozenset({os.path.realpath(store_path), *mount_points(_MOUNT_TYPE)})


@contextlib.contextmanager
def claim(store_path: str, session_id: str, directory: str, to: str) -> Iterator[None]:
    """Be the only one that collects *directory* to *to* in a session until this ends.

    Raises:
        AlreadyCollected: Somebody else does.
    """
    # An abstract socket is a lock that leaves no file behind, in the store or in the directory, and ends with its
    # process. Where there is none (not Linux) nobody is kept out.
    text = "\0".join((os.path.realpath(store_path), session_id, directory, to))
    name = blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        try:
            lock.bind(f"\0sessionfs-collect-{name}")
        except FileNotFoundError:
            yield
            return
        except OSError as failure:
            if failure.errno != errno.EADDRINUSE:
                raise
            raise AlreadyCollected(
                f"another process collects {directory} into session {session_id} already; end that one first"
            ) from failure
        yield
