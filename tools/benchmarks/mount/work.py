"""What a row gets: an empty directory of its own, content that no store has yet, and directories it shares with others.

Content is always new. A store that knows it already would write nothing, and the second copy of a tree would measure
that instead of copying.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from benchmarks import material
from benchmarks.mount.filesystems import Filesystem
from benchmarks.scratch import Scratch

MIB = 1 << 20
PIECE = 4096
SMALL_BYTES = 1024
SHARED_FILES_COUNT = 2000

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

Run = Callable[[], object]
"""What is timed; all that comes before has been done."""


class Round:
    """What all filesystems have in common in one round: where plain files go, and the trees that are copied."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self._trees: dict[tuple[str, bool], str] = {}
        self._noise: tuple[tuple[str, int], bytes] | None = None

    def tree(self, purpose: str, *, whole: bool = False) -> str:
        """Return a tree of Python sources among the plain files, unlike that for any other purpose."""
        key = (purpose, whole)
        if key not in self._trees:
            directory = f"{self.scratch.new()}/lib"
            material.write_tree(directory, whole=whole, stamp=os.urandom(8).hex())
            self._trees[key] = directory
        return self._trees[key]

    def noise(self, purpose: str, size: int) -> bytes:
        """Return *size* bytes of noise, unlike that for any other purpose; only the last are kept."""
        key = (purpose, size)
        if self._noise is None or self._noise[0] != key:
            self._noise = (key, os.urandom(size))
        return self._noise[1]


class Ground:
    """One filesystem in one round, and what its rows share: made when a row first asks, and only read from then on."""

    def __init__(self, filesystem: Filesystem, one: Round) -> None:
        self.filesystem = filesystem
        self.round = one
        self._shared: dict[tuple[Any, ...], str] = {}

    def share(self, fill: Callable[..., None], *arguments: Any) -> str:
        """Return a directory that *fill* has filled, being told where it is and *arguments*."""
        key = (fill, *arguments)
        if key not in self._shared:
            directory = self.filesystem.new_directory()
            fill(directory, *arguments)
            self._shared[key] = directory
        return self._shared[key]


class Work:
    """One row on one filesystem in one round. While it lasts, its directory is the current one.

    So names are short and the same everywhere: how deep a mount lies is not measured.

    Attributes:
        count: How much to do; the row's function says of what.
        at_end: Is closed after the timed part.
    """

    def __init__(self, row_name: str, ground: Ground, count: int) -> None:
        self.count = count
        self.at_end = ExitStack()
        self._row_name = row_name
        self._ground = ground
        self.at_end.callback(os.chdir, "/")
        os.chdir(ground.filesystem.new_directory())

    def names(self) -> list[str]:
        """Return *count* names."""
        return numbered(self.count)

    def new_files(self, size: int = SMALL_BYTES) -> list[str]:
        """Write *count* files of new content into the current directory."""
        names = self.names()
        write_files(".", names, size)
        return names

    def outside(self) -> str:
        """Make an empty directory among the plain files."""
        return self._ground.round.scratch.new()

    def source(self, purpose: str = "") -> str:
        """Return a tree of about 500 files among the plain files, which only this row or rows of one *purpose* have."""
        return self._ground.round.tree(purpose or self._row_name)

    def noise(self, size: int) -> bytes:
        """Return bytes that nothing compresses; in this round, all filesystems have the same in this row."""
        return self._ground.round.noise(self._row_name, size)

    # Shared: only to be read

    def enter(self, fill: Callable[..., None], *arguments: Any) -> None:
        """Make a shared directory the current one."""
        os.chdir(self._ground.share(fill, *arguments))

    def enter_files(self) -> list[str]:
        """Go to a directory of 2,000 files of 1 KiB; return *count* of their names, from the first again and again."""
        self.enter(_fill_with_files)
        return [f"{number % SHARED_FILES_COUNT:06}" for number in range(self.count)]

    def enter_tree(self) -> str:
        """Go to a whole tree of Python sources; return where it was copied from."""
        source = self._ground.round.tree("shared", whole=True)
        self.enter(copy_tree, source)
        return source

    def enter_large_file(self, size_mib: int) -> str:
        """Go to a directory with a file of noise, and return its name."""
        self.enter(_fill_with_large_file, size_mib, self._ground.round)
        return "large"


def numbered(count: int) -> list[str]:
    """Return *count* names."""
    return [f"{number:06}" for number in range(count)]


def write_file(path: str, data: bytes) -> None:
    """Create a file."""
    fd = os.open(path, _NEW)
    try:
        view = memoryview(data)
        for start in range(0, len(data), MIB):
            os.write(fd, view[start : start + MIB])
    finally:
        os.close(fd)


def write_files(directory: str, names: list[str], size: int) -> None:
    """Create files of new content."""
    for name in names:
        write_file(f"{directory}/{name}", material.new_content(size))


def copy_tree(directory: str, source: str) -> None:
    """Copy the tree *source* into the empty *directory*."""
    subprocess.run(["cp", "-a", f"{source}/.", directory], stdin=subprocess.DEVNULL, check=True)


def _fill_with_files(directory: str) -> None:
    write_files(directory, numbered(SHARED_FILES_COUNT), SMALL_BYTES)


def _fill_with_large_file(directory: str, size_mib: int, one: Round) -> None:
    write_file(f"{directory}/large", one.noise("shared", size_mib * MIB))
