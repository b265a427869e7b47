"""Exit codes: the one place that maps kinds of error to them (DESIGN section 8)."""

from __future__ import annotations

import errno
import os

from sessionfs.errors import Conflict, Corrupt, Denied, Error, InvalidInput, NotFound, Unsupported
from sessionfs.shown import printable as printable

YES = 0
NO = 1
USAGE = 2
INTERRUPTED = 130
BROKEN_PIPE = 141  # as a program that SIGPIPE ended: 128 + 13

EXIT_OF_KIND: dict[type[Error], int] = {
    InvalidInput: 2,
    NotFound: 3,
    Denied: 4,
    Conflict: 5,
    Corrupt: 6,
    Unsupported: 7,
}

# For what goes wrong with the user's own files and streams; a store's own faults are Errors already.
_EXIT_OF_ERRNO = {
    errno.ENOENT: 3,
    errno.ENOTDIR: 3,
    errno.EACCES: 4,
    errno.EPERM: 4,
    errno.EROFS: 4,
    errno.EEXIST: 5,
    errno.ENOTEMPTY: 5,
    errno.EBUSY: 5,
    errno.ENOSPC: 5,
    errno.EDQUOT: 5,
    errno.EFBIG: 5,
    errno.EIO: 6,
    errno.EOPNOTSUPP: 7,
}

MEANING = {
    0: "Done.",
    1: "The answer is no.",
    2: "The request is malformed: usage, a bad name or value.",
    3: "What it names is not here.",
    4: "Not allowed: permission, or a session that is read-only.",
    5: "In the way: it exists already, somebody was faster, or a limit is reached.",
    6: "Damage: the disk does not hold what was written; see sessionfs fsck.",
    7: "Not possible here: a newer format, or something this machine lacks.",
    130: "Interrupted.",
}


def exit_of(failure: Error | OSError) -> int:
    """Return the exit code for *failure*."""
    if isinstance(failure, OSError):
        return _EXIT_OF_ERRNO.get(failure.errno or 0, USAGE)
    return next((EXIT_OF_KIND[kind] for kind in type(failure).__mro__ if kind in EXIT_OF_KIND), 6)


def message_of(failure: Error | OSError) -> str:
    """Return what to tell the user about *failure*, in one line that a terminal can show."""
    if not isinstance(failure, OSError):
        return printable(str(failure))
    reason = failure.strerror or str(failure)
    if failure.filename is None:
        return reason
    return f"{printable(os.fsdecode(failure.filename))}: {reason}"
