"""The content that is stored: Python's own standard library, and noise."""

from __future__ import annotations

import functools
import itertools
import os
import random
import sysconfig
from collections.abc import Iterator

# As tools/run leaves them out: other people's packages, caches, and the interpreter as a static library.
_LEFT_OUT = ("site-packages", "dist-packages", "__pycache__")
_LEFT_OUT_PREFIX = "config-"

# What few programs import: leaving it out, 500 files remain.
_SPECIAL = ("test", "tests", "idlelib", "lib2to3", "turtledemo", "pydoc_data", "ensurepip", "distutils")

LARGE_BYTES = 100 << 20

_numbers = itertools.count()
_STRIDE = 1_000_003  # so that texts begin anywhere
_PIECE_BYTES = 4096


def stdlib_directory() -> str:
    """Return where the standard library of this interpreter is."""
    return sysconfig.get_path("stdlib")


def is_left_out(name: str) -> bool:
    """Say whether the standard library's entry *name* is not looked at."""
    return name in _LEFT_OUT or name.startswith(_LEFT_OUT_PREFIX)


@functools.cache
def text() -> bytes:
    """Return 100 MiB of Python source: it repeats after some 30 MB, which LZ4's window of 64 KiB does not see."""
    source = b"".join(_sources())
    return (source * (LARGE_BYTES // len(source) + 1))[:LARGE_BYTES]


@functools.cache
def noise() -> bytes:
    """Return 100 MiB that nothing compresses."""
    return os.urandom(LARGE_BYTES)


def unique(content: bytes) -> bytes:
    """Return *content* with another beginning, so that no store has it already."""
    return b"".join([os.urandom(16), memoryview(content)[16:]])


def new_content(size: int) -> bytes:
    """Return *size* bytes, by turns of text and of noise, that no store has already."""
    number = next(_numbers)
    if number % 2:
        return os.urandom(size)
    return _marked_text(number, size)


def new_text(size: int) -> bytes:
    """Return *size* bytes of text that no store has already, not even a part of it."""
    pieces = [_marked_text(next(_numbers), _PIECE_BYTES) for _ in range(-(-size // _PIECE_BYTES))]
    return b"".join(pieces)[:size]


def write_tree(directory: str, *, whole: bool, stamp: str) -> None:
    """Write a tree of Python sources that differs in every file from those with another *stamp*.

    Args:
        directory: Is made; it does not exist yet.
        whole: Of some 2,000 files; else of some 500, whose modules can be imported.
    """
    left_out = () if whole else _SPECIAL
    for above, names, files in os.walk(stdlib_directory()):
        names[:] = sorted(name for name in names if not is_left_out(name) and name not in left_out)
        target = os.path.join(directory, os.path.relpath(above, stdlib_directory()))
        os.makedirs(target, exist_ok=True)
        for name in files:
            if name.endswith(".py"):
                with open(os.path.join(above, name), "rb") as file, open(os.path.join(target, name), "wb") as copy:
                    copy.write(file.read() + b"\n# " + stamp.encode() + b"\n")


def write_small_files(directory: str, count: int) -> list[str]:
    """Write *count* different files of 1 to 4 KiB of Python source and return their paths; the same in every run."""
    choose = random.Random(1)
    source = text()
    paths = []
    for number in range(count):
        size = choose.randint(1 << 10, 4 << 10)
        start = choose.randrange(len(source) - size)
        path = os.path.join(directory, f"{number:06}.txt")
        with open(path, "wb") as file:
            file.write((b"# %06d\n" % number + source[start : start + size])[:size])
        paths.append(path)
    return paths


def _marked_text(number: int, size: int) -> bytes:
    source = text()
    start = number * _STRIDE % (len(source) - size)
    return (b"# %s\n" % os.urandom(8).hex().encode() + source[start : start + size])[:size]


def _sources() -> Iterator[bytes]:
    for directory, names, files in os.walk(stdlib_directory()):
        names[:] = sorted(name for name in names if not is_left_out(name))
        for name in sorted(files):
            if name.endswith(".py"):
                with open(os.path.join(directory, name), "rb") as file:
                    yield file.read()
