"""Where in a directory one may look: its files as far as they are collected, by path from the directory on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sessionfs.collect.looking import SOMETHING_ELSE, list_directory, look
from sessionfs.collect.mirror import Found
from sessionfs.collect.patterns import Patterns
from sessionfs.errors import NotFound

Enter = Callable[[str], object]
"""Called with the path of a directory before it is read."""


class DirectoryGone(NotFound):
    """The working directory is not there any more."""

    def __init__(self, root: str) -> None:
        super().__init__(f"the directory {root} has gone; the session keeps what it had")


class Listing(NamedTuple):
    """What is in a directory.

    Attributes:
        found: By path, what is collected, and every directory that was entered.
        unread: Paths of directories that could not be read, and why.
    """

    found: dict[str, Found]
    unread: dict[str, OSError]


class Tree:
    """A working directory."""

    def __init__(self, root: str, patterns: Patterns, shunned: frozenset[str] = frozenset()) -> None:
        """Prepare it.

        Args:
            root: Its path, absolute and without symbolic links.
            shunned: Directories, likewise, that are never entered.
        """
        self.root = root
        self.patterns = patterns
        self._shunned = shunned

    def place(self, path: str) -> str:
        """Return where *path* is on the disk."""
        return f"{self.root}/{path}" if path else self.root

    def look(self, path: str) -> Found | None:
        """Return what is at *path*; None when there is nothing that is collected.

        Raises:
            OSError: It cannot be looked at.
        """
        found = look(self.place(path))
        return found if found is not None and self.wants(path, found) else None

    def wants(self, path: str, found: Found) -> bool:
        """Say whether what is at *path* is collected or entered, if the directory above it is entered."""
        if found.kind == "directory":
            return self.patterns.enters(path) and self.place(path) not in self._shunned
        return self.patterns.takes(path, is_directory=False)

    def list(self, path: str, enter: Enter) -> Listing:
        """Return everything below the directory at *path*.

        Raises:
            DirectoryGone: It is the working directory itself that is not there.
        """
        listing = Listing({}, {})
        waiting = [path]
        while waiting:
            above = waiting.pop()
            try:
                enter(above)
                for below, found in self._entries(above):
                    listing.found[below] = found
                    if found.kind == "directory":
                        waiting.append(below)
            except OSError as failure:
                if failure.errno in SOMETHING_ELSE:
                    if not above:
                        raise DirectoryGone(self.root) from failure
                    listing.found.pop(above, None)  # gone meanwhile
                else:
                    listing.unread[above] = failure  # what is elsewhere is collected all the same
        return listing

    def _entries(self, path: str) -> Iterator[tuple[str, Found]]:
        for name, found in list_directory(self.place(path)):
            below = f"{path}/{name}" if path else name
            if found is not None and self.wants(below, found):
                yield below, found
