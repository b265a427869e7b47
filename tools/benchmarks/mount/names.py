"""Rows on names and metadata: system calls in plain loops.

Each function prepares in the current directory and returns what is timed; its docstring says what that is.
"""

from __future__ import annotations

import os

from benchmarks.mount.work import SMALL_BYTES, Run, Work, numbered, write_file, write_files

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_XATTR = "user.note"
_TARGET = "../where/it/points/to"
_MISSING_COUNT = 100


# Making


def create(work: Work) -> Run:
    """Create empty files."""
    names = work.names()

    def run() -> None:
        for name in names:
            os.close(os.open(name, _NEW))

    return run


def mkdir(work: Work) -> Run:
    """Make directories."""
    names = work.names()

    def run() -> None:
        for name in names:
            os.mkdir(name)

    return run


def symlink(work: Work) -> Run:
    """Make symbolic links."""
    names = work.names()

    def run() -> None:
        for name in names:
            os.symlink(_TARGET, name)

    return run


def link(work: Work) -> Run:
    """Make hard links to one file."""
    names = work.names()
    write_file("file", b"content")

    def run() -> None:
        for name in names:
            os.link("file", name)

    return run


# Looking


def stat(work: Work) -> Run:
    """Stat files of the shared 2,000."""
    names = work.enter_files()

    def run() -> None:
        for name in names:
            os.stat(name)

    return run


def missing_again(work: Work) -> Run:
    """Look for 100 names that are not there, again and again."""
    work.enter_files()
    return _access([f"missing-{number % _MISSING_COUNT}" for number in range(work.count)])


def missing_new(work: Work) -> Run:
    """Look for names that are not there, each once."""
    work.enter_files()
    return _access([f"absent-{number}" for number in range(work.count)])


def _access(names: list[str]) -> Run:
    def run() -> None:
        for name in names:  # stat would spend more on its exception than on the look-up
            os.access(name, os.F_OK)

    return run


def readdir(work: Work) -> Run:
    """List the shared 2,000."""
    count = work.count
    work.enter_files()

    def run() -> None:
        for _ in range(count):
            os.listdir(".")

    return run


def readlink(work: Work) -> Run:
    """Read symbolic links."""
    names = work.names()
    for name in names:
        os.symlink(_TARGET, name)

    def run() -> None:
        for name in names:
            os.readlink(name)

    return run


# Metadata


def getxattr(work: Work) -> Run:
    """Read an attribute of each file."""
    names = work.names()
    work.enter(_fill_with_files_with_xattr, work.count)

    def run() -> None:
        for name in names:
            os.getxattr(name, _XATTR)

    return run


def listxattr(work: Work) -> Run:
    """List the attributes of each file."""
    names = work.names()
    work.enter(_fill_with_files_with_xattr, work.count)

    def run() -> None:
        for name in names:
            os.listxattr(name)

    return run


def setxattr(work: Work) -> Run:
    """Set an attribute that each file lacks."""
    names = work.new_files()

    def run() -> None:
        for name in names:
            os.setxattr(name, _XATTR, b"a remark of some words")

    return run


def _fill_with_files_with_xattr(directory: str, count: int) -> None:
    names = numbered(count)
    write_files(directory, names, SMALL_BYTES)
    for name in names:
        os.setxattr(f"{directory}/{name}", _XATTR, b"a remark of some words")


def chmod(work: Work) -> Run:
    """Change the mode of each file."""
    names = work.new_files()

    def run() -> None:
        for name in names:
            os.chmod(name, 0o600)

    return run


def utime(work: Work) -> Run:
    """Set both times of each file."""
    names = work.new_files()

    def run() -> None:
        for name in names:
            os.utime(name, ns=(1_600_000_000_123_456_789, 1_600_000_001_123_456_789))

    return run


# Moving and removing


def rename(work: Work) -> Run:
    """Rename each file in its directory."""
    pairs = [(name, f"new-{name}") for name in work.new_files()]

    def run() -> None:
        for old, new in pairs:
            os.rename(old, new)

    return run


def rename_over(work: Work) -> Run:
    """Write a temporary file of 1 KiB and rename it over an existing one, as editors save."""
    names = work.new_files()
    contents = [os.urandom(1024) for _ in names]

    def run() -> None:
        for name, content in zip(names, contents, strict=True):
            fd = os.open("temporary", _NEW)
            os.write(fd, content)
            os.close(fd)
            os.rename("temporary", name)

    return run


def unlink(work: Work) -> Run:
    """Remove files of 1 KiB."""
    names = work.new_files()

    def run() -> None:
        for name in names:
            os.unlink(name)

    return run


def rmdir(work: Work) -> Run:
    """Remove empty directories."""
    names = work.names()
    for name in names:
        os.mkdir(name)

    def run() -> None:
        for name in names:
            os.rmdir(name)

    return run
