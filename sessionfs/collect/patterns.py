"""Which files of a working directory are collected. Pure.

A pattern is a glob: ``*``, ``?`` and ``[…]`` stay within a name, ``**`` stands for any directories. Without a ``/`` it
is about names, at any depth; with one, about paths from the directory on; with a ``/`` at its end, about directories
only. What is below a directory that matches, matches.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator

from sessionfs.errors import InvalidInput

LEFT_OUT = (
    # version control
    ".git", ".hg", ".svn", ".jj", ".bzr", "CVS",
    # what editors write beside a file: swap files, locks, what they rename in an instant
    ".*.sw[a-px]", ".sw[a-px]", ".#*", "#*#", ".*.kate-swp", ".~lock.*#", "~$*", ".goutputstream-*", "*___jb_tmp___",
    "*___jb_old___",
    # backup names
    "*~", "*.bak",
)  # fmt: skip
"""What is left out unless everything is asked for."""

_MAX_LENGTH = 4096


class BadPattern(InvalidInput):
    """No path can match this pattern."""


class Patterns:
    """What is collected: what is asked for, without what is excluded."""

    def __init__(self, include: Iterable[str] = (), exclude: Iterable[str] = (), *, everything: bool = False) -> None:
        """Read the patterns.

        Args:
            include: Only this; anything by default.
            exclude: Not this.
            everything: Also what :data:`LEFT_OUT` names.

        Raises:
            BadPattern: No path can match one of them.
        """
        self._include = _Globs(include)
        self._exclude = _Globs((*exclude, *(() if everything else LEFT_OUT)))

    def enters(self, path: str) -> bool:
        """Say whether the directory at *path* is looked into, if the one above it is."""
        return not self._exclude.match(path, True)

    def takes(self, path: str, *, is_directory: bool) -> bool:
        """Say whether what is at *path* is collected for itself, if the directory above it is entered.

        Where only some files are asked for, directories are not, but are made for what is in them.
        """
        if self._exclude.match(path, is_directory):
            return False
        return self._include.are_none or self._include.match_within(path, is_directory)


class _Globs:
    """Several patterns."""

    def __init__(self, texts: Iterable[str]) -> None:
        patterns = [_Pattern(text) for text in texts]
        self.are_none = not patterns
        # Most are about names: one expression for all of them takes a tenth of the time.
        names = [pattern.names[0] for pattern in patterns if pattern.is_plain]
        self._name = re.compile("|".join(map(fnmatch.translate, names))).fullmatch if names else _matches_nothing
        self._others = [pattern for pattern in patterns if not pattern.is_plain]

    def match(self, path: str, is_directory: bool) -> bool:
        if self._name(path.rpartition("/")[2]) is not None:
            return True
        return any(pattern.matches(path, is_directory) for pattern in self._others)

    def match_within(self, path: str, is_directory: bool) -> bool:
        """Say whether what is at *path* matches, or a directory that it is in."""
        names = path.split("/")
        if any(self._name(name) is not None for name in names):
            return True
        return any(pattern.matches_within(names, is_directory) for pattern in self._others)


def _matches_nothing(name: str) -> None:
    return None


class _Pattern:
    """One pattern."""

    def __init__(self, text: str) -> None:
        stripped = text.removesuffix("/")
        self.names = stripped.removeprefix("./").split("/")
        if any(name in ("", ".", "..") for name in self.names) or "\0" in text or len(text) > _MAX_LENGTH:
            raise BadPattern(
                f"{text[:80]!r} is no pattern: write a name as in '*.log', or a path from the directory on as in 'a/*'"
            )
        self._only_directories = stripped != text
        self._by_name = len(self.names) == 1 and not text.startswith("./")
        self._matches = [_match_of(name) for name in self.names]

    @property
    def is_plain(self) -> bool:
        """Whether it is about names, of whatever kind."""
        return self._by_name and not self._only_directories and self.names != ["**"]

    def matches(self, path: str, is_directory: bool) -> bool:
        if self._only_directories and not is_directory:
            return False
        names = [path.rpartition("/")[2]] if self._by_name else path.split("/")
        return len(names) in _matching(self._matches, names)

    def matches_within(self, names: list[str], is_directory: bool) -> bool:
        if self._only_directories and not is_directory:
            names = names[:-1]
        if self._by_name:
            return any(1 in _matching(self._matches, [name]) for name in names)
        return any(True for _ in _matching(self._matches, names))


_Match = Callable[[str], object]


def _match_of(name: str) -> _Match | None:
    """Return what matches one name; None for ``**``."""
    return None if name == "**" else re.compile(fnmatch.translate(name)).fullmatch


def _matching(wanted: list[_Match | None], names: list[str]) -> Iterator[int]:
    """Yield how many of *names*, from the first one on, match together, for each such number.

    All ways to match are followed at once, as places in *wanted*: there are as many as a ``**`` can stand for.
    """
    last = len(wanted) - 1
    places = {0}
    for count, name in enumerate(names, start=1):
        # "**" may stand for nothing, but not at the end: "build/**" is what is in build.
        for place in range(last):
            if place in places and wanted[place] is None:
                places.add(place + 1)
        places = {after for place in places if place <= last for after in _after(place, wanted[place], name)}
        if last + 1 in places:
            yield count


def _after(place: int, match: _Match | None, name: str) -> tuple[int, ...]:
    """Return the places that follow one when *name* is matched there."""
    if match is None:
        return place, place + 1
    return (place + 1,) if match(name) is not None else ()
