"""Where things are in a store (format 1), and what makes a directory one. Knows paths, and nothing of their content.

Cheap to import: plumbing verbs need no more than this and the object database.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from sessionfs.clock import MalformedTime, format_time, parse_time
from sessionfs.errors import Corrupt, NotFound, Unsupported
from sessionfs.objects.files import FAN_OUT

FORMAT = 1
FORMAT_LINE = "sessionfs 1\n"

STORE_VARIABLE = "SESSIONFS_STORE"
STORE_NAME = ".sessionfs"

# In tmp/: the scratch store of whoever takes a bundle in.
BUNDLE_PREFIX = "bundle-"

_TRASHED = re.compile(r"(.*)@(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d\.\d+Z)")


class NotAStore(NotFound):
    """The directory is no store."""


class NoStore(NotFound):
    """No store was named, and none was found."""


class NoDirectory(NotFound):
    """The process's current directory was removed."""


class NewerFormat(Unsupported):
    """The store was made by a newer sessionfs."""


class DamagedFormat(Corrupt):
    """The store's format file is not what any sessionfs wrote."""


class Layout:
    """The paths of the store at *root*."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.format = f"{root}/format"
        self.config = f"{root}/config.toml"
        self.identity = f"{root}/id"
        self.head = f"{root}/HEAD"
        self.synced = f"{root}/synced"
        self.sessions = f"{root}/sessions"
        self.objects = f"{root}/objects"
        self.shelf = f"{root}/shelf"
        self.changed = f"{root}/changed"
        self.hooks = f"{root}/hooks"
        self.templates = f"{root}/templates"
        self.staging = f"{root}/tmp"
        self.trash = f"{root}/trash"
        self.locks = f"{root}/locks"
        self.gc_lock = f"{root}/locks/gc"
        self.collecting_lock = f"{root}/locks/collecting"

    def session(self, session_id: str) -> str:
        """The directory of a session."""
        return f"{self.sessions}/{session_id}"

    def log(self, session_id: str) -> str:
        """The log of a session."""
        return f"{self.sessions}/{session_id}/log"

    def refs(self, session_id: str) -> str:
        """The directory with a session's refs."""
        return f"{self.sessions}/{session_id}/refs"

    def mark(self, session_id: str) -> str:
        """The mark that is touched after each append to a session."""
        return f"{self.changed}/{session_id}"

    def trashed(self, what: str, time_ns: int) -> str:
        """Where *what* (a session's id, or what no session is called) lies that goes to the trash now."""
        return f"{self.trash}/{what}@{format_time(time_ns).replace(':', '').replace('-', '')}"

    def directories(self) -> list[str]:
        """Every directory that a new store has, parents first."""
        plain = [self.sessions, self.objects, self.changed, self.hooks, self.staging, self.trash, self.locks]
        return [*plain, *(f"{self.objects}/{name}" for name in FAN_OUT)]


def parse_trashed(name: str) -> tuple[str, int] | None:
    """Return what went to the trash under this name, and when (see :meth:`Layout.trashed`); None for another name."""
    match = _TRASHED.fullmatch(name)
    if match is None:
        return None
    what, year, month, day, hour, minute, second = match.groups()
    try:
        return what, parse_time(f"{year}-{month}-{day}T{hour}:{minute}:{second}")
    except MalformedTime:
        return None


def check_format(root: str) -> None:
    """Check that the directory at *root* is a store that this build understands.

    Raises:
        NotAStore: There is no format file.
        NewerFormat: Its number is larger than ours.
        DamagedFormat: It says something else.
    """
    try:
        with open(f"{root}/format", encoding="utf-8", errors="replace") as file:
            line = file.read(100)
    except (FileNotFoundError, NotADirectoryError) as failure:
        raise NotAStore(
            f"{root} is no sessionfs store: it has no file 'format'; make one with: sessionfs init {root}"
        ) from failure
    if line == FORMAT_LINE:
        return
    words = line.split()
    if len(words) == 2 and words[0] == "sessionfs" and words[1].isdecimal() and int(words[1]) > FORMAT:
        raise NewerFormat(f"{root} has format {words[1]}; this sessionfs knows format {FORMAT}: use a newer sessionfs")
    raise DamagedFormat(
        f"the file {root}/format says {line[:40]!r}, which no sessionfs wrote; restore it: {FORMAT_LINE!r}"
    )


def is_store(root: str) -> bool:
    """Say whether the directory at *root* claims to be a store, of whatever format."""
    return os.path.isfile(f"{root}/format") and os.path.isdir(f"{root}/sessions")


def current_directory() -> str:
    """Return the process's current directory.

    Raises:
        NoDirectory: It was removed.
    """
    try:
        return os.getcwd()
    except FileNotFoundError as failure:
        raise NoDirectory(
            "the current directory was removed; go to another one, or name the store: --store, $SESSIONFS_STORE"
        ) from failure


def find_store(env: Mapping[str, str], cwd: str | None, *, for_creation: bool = False) -> str:
    """Return the directory of the store that is meant when nobody names one.

    It is ``$SESSIONFS_STORE``; else the nearest ``.sessionfs`` in *cwd* or above; else ``sessionfs`` in the user's
    data directory (``$XDG_DATA_HOME``, ``~/.local/share``).

    Args:
        cwd: None for the process's; only asked for when the store is not named.

    Raises:
        NoDirectory: The process's directory was removed.
        NoStore: None of these is a store (with *for_creation* the last one is returned all the same).
    """
    named = env.get(STORE_VARIABLE)
    if named:
        return named
    directory = current_directory() if cwd is None else os.path.abspath(cwd)
    while True:
        if is_store(os.path.join(directory, STORE_NAME)):
            return os.path.join(directory, STORE_NAME)
        if directory == os.path.dirname(directory):
            break
        directory = os.path.dirname(directory)
    data_home = env.get("XDG_DATA_HOME") or os.path.join(env.get("HOME") or os.path.expanduser("~"), ".local", "share")
    fallback = os.path.join(data_home, "sessionfs")
    if for_creation or is_store(fallback):
        return fallback
    raise NoStore(
        f"no store was named, and there is none at $SESSIONFS_STORE, at .sessionfs here or above, or at {fallback}; "
        "make one with: sessionfs init"
    )
