"""Where the index of a store is: in the store; where that may only be read, in this user's cache; else in memory."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

from sessionfs.durable import Disk

NAME = "index.sqlite"

# A disk that refuses to write says ENOENT of what is not there.
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT)


def find_place(disk: Disk, root: str, env: Mapping[str, str]) -> str | None:
    """Return the path for the index of the store at *root*; None when it has to be in memory.

    Args:
        disk: That of the store; one that refuses to write is taken at its word.
        env: Where ``XDG_CACHE_HOME`` and ``HOME`` are looked for.
    """
    inside = f"{root}/{NAME}"
    if _can_write(disk, root, inside):
        return inside
    cache = env.get("XDG_CACHE_HOME") or os.path.join(env.get("HOME") or os.path.expanduser("~"), ".cache")
    directory = os.path.join(cache, "sessionfs")
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    except OSError:
        return None
    if not os.access(directory, os.W_OK | os.X_OK):
        return None
    import hashlib  # late: loading it takes 5 ms, and most stores can be written to

    name = hashlib.blake2b(os.fsencode(os.path.realpath(root)), digest_size=8).hexdigest()
    return os.path.join(directory, f"{name}.sqlite")


def _can_write(disk: Disk, root: str, path: str) -> bool:
    """Say whether the index can be made or changed at *path*.

    Its file is not opened: a descriptor of it that is closed would take away the locks that SQLite has in this process.
    """
    try:
        disk.close(disk.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
    except OSError as failure:
        if failure.errno in _REFUSED:
            return False
        raise
    # SQLite's journal comes and goes beside it.
    return os.access(root, os.W_OK | os.X_OK) and (not os.path.exists(path) or os.access(path, os.W_OK))
