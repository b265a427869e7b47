"""What a mount may do otherwise than a disk's filesystem, each with its reason. The rest are faults."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple


class Accepted(NamedTuple):
    """One difference: in which rows, at which call, and what comes instead."""

    rows: str  # a pattern
    verb: str
    comes: str
    reason: str


ACCEPTED: tuple[Accepted, ...] = (
    Accepted("fallocate/*", "fallocate", "ENOTSUP", "libfuse passes it on, pyfuse3 does not"),
    Accepted("tmpfile", "open", "ENOTSUP", "FUSE passes it on since Linux 6.2, pyfuse3 does not"),
    Accepted(
        "access/write*", "faccess", "success", "it is the session that is read-only, and the kernel asks the mount"
    ),
    Accepted(
        "set-id-of-what-is-written",
        "chown",
        "success",
        "before a write, which takes set-id bits away, the kernel asks for the same, and pyfuse3 does not tell which",
    ),
    *(
        Accepted(rows, verb, "x: no moved", "what the kernel has in its cache is read without asking, and atime stays")
        for rows, verb in (("file/read-again", "pread"), ("reading-moves-an-old-atime", "read"))
    ),
)


def find_accepted(place: str, row: str, verb: str, came: str) -> str | None:
    """Return why a difference is accepted; None when it is not."""
    if place.endswith("plain"):
        return None
    for one in ACCEPTED:
        if (one.verb, one.comes) == (verb, came) and fnmatchcase(row, one.rows):
            return one.reason
    return None
