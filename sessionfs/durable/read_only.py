"""A disk that changes nothing: what a read-only mount is given, so that it cannot write, whatever is asked of it."""

from __future__ import annotations

import errno
import os
from typing import NoReturn

from sessionfs.durable.disk import OsDisk

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class ReadOnlyDisk(OsDisk):
    """The real disk, read-only: every change is refused as a read-only filesystem refuses it (EROFS)."""

    def _refuse(self, *_args: object, **_options: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    write = pwrite = truncate = rename = unlink = mkdir = touch = _refuse
    create_temporary = name_temporary = lock = try_lock = lock_shared = _refuse

    def open(self, path: str, flags: int, mode: int = 0o666) -> int:  # type: ignore[override]
        if flags & _WRITING:
            os.stat(path)  # what is missing is missing first (ENOENT)
            self._refuse()
        return os.open(path, flags, mode)
