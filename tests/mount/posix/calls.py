"""Every call that takes a path, by one name each: so that one table says of all of them what a path may do to them.

``PATH_CALLS`` begin with what ``SCENE`` makes: a file ``f0`` for calls with two paths.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from rows import Person, Step, root
from verbs import EXCHANGE, NOREPLACE

SCENE = (root.make("f0", "file"),)

PATH_CALLS: dict[str, Callable[[Person, str], Step]] = {
    "open": lambda who, path: who.open(path, os.O_RDONLY),
    "open-write": lambda who, path: who.open(path, os.O_WRONLY),
    "open-trunc": lambda who, path: who.open(path, os.O_RDWR | os.O_TRUNC),
    "open-creat": lambda who, path: who.open(path, os.O_RDONLY | os.O_CREAT),
    "open-excl": lambda who, path: who.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    "open-directory": lambda who, path: who.open(path, os.O_RDONLY | os.O_DIRECTORY),
    "open-nofollow": lambda who, path: who.open(path, os.O_RDONLY | os.O_NOFOLLOW),
    "open-path": lambda who, path: who.open(path, os.O_PATH),
    "truncate": lambda who, path: who.truncate(path, 5),
    "stat": lambda who, path: who.stat(path),
    "lstat": lambda who, path: who.lstat(path),
    "access": lambda who, path: who.faccess(path, os.F_OK),
    "statfs": lambda who, path: who.statfs(path),
    "chmod": lambda who, path: who.chmod(path, 0o700),
    "chown": lambda who, path: who.chown(path, -1, -1),
    "lchown": lambda who, path: who.lchown(path, -1, -1),
    "utimens": lambda who, path: who.utimens(path, 1, 1),
    "utimens-nofollow": lambda who, path: who.utimens(path, 1, 1, False),
    "utime": lambda who, path: who.utime(path),
    "listdir": lambda who, path: who.listdir(path),
    "chdir": lambda who, path: who.chdir(path),
    "readlink": lambda who, path: who.readlink(path),
    "run": lambda who, path: who.run(path),
    "connect": lambda who, path: who.connect(path),
    "mkdir": lambda who, path: who.mkdir(path, 0o755),
    "mkfifo": lambda who, path: who.mkfifo(path, 0o644),
    "mknod-file": lambda who, path: who.mknod(path, "file"),
    "mknod-socket": lambda who, path: who.mknod(path, "socket"),
    "bind": lambda who, path: who.bind(path),
    "symlink": lambda who, path: who.symlink("target", path),
    "link-from": lambda who, path: who.link(path, "linked"),
    "link-to": lambda who, path: who.link("f0", path),
    "rename-from": lambda who, path: who.rename(path, "renamed"),
    "rename-to": lambda who, path: who.rename("f0", path),
    "noreplace-to": lambda who, path: who.rename("f0", path, NOREPLACE),
    "exchange-with": lambda who, path: who.rename("f0", path, EXCHANGE),
    "unlink": lambda who, path: who.unlink(path),
    "rmdir": lambda who, path: who.rmdir(path),
    "setxattr": lambda who, path: who.setxattr(path),
    "getxattr": lambda who, path: who.getxattr(path),
    "removexattr": lambda who, path: who.removexattr(path),
    "listxattr": lambda who, path: who.listxattr(path),
}
ROOT_CALLS: dict[str, Callable[[Person, str], Step]] = {
    "mknod-char": lambda who, path: who.mknod(path, "char"),
    "mknod-block": lambda who, path: who.mknod(path, "block"),
}

MAKING = ("mkdir", "mkfifo", "mknod-file", "mknod-socket", "bind", "symlink", "open-excl", "link-to")
REMOVING = ("unlink", "rmdir", "rename-from")
