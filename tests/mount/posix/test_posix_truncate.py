"""truncate, ftruncate and posix_fallocate: sizes, what is read then, limits; and set-id bits that writing ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from errno import EACCES, EBADF, EFBIG, EINVAL, EOPNOTSUPP, EPERM, ESPIPE

import pytest
from rows import ALICE, GROUP, PEOPLE, Person, Place, Row, Step, alice, bob, grouped, root
from verbs import CONTENT

_SIZES = (0, 1, 5, 9, 10, 11, 511, 4095, 4096, 4097, 65_535, 65_536, 65_537, 1 << 20, (1 << 20) + 1, 1 << 24)
_LARGE = (1 << 31, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, 1 << 36, 1 << 40)
_TOO_LARGE = (1 << 50, 1 << 62, (1 << 63) - 1)
_NEGATIVE = (-1, -4096, -(1 << 40), -(1 << 63))

_X = root.make("x", "file")
_OPENED = (_X, root.open("x", os.O_RDWR, 0, "f"))


def _shown(size: int) -> tuple[Step, ...]:
    """Return looks at a file of ten bytes that is so long now."""
    start = (CONTENT + bytes(30))[: min(size, 40)]
    end = max(0, size - 7)
    tail = (CONTENT + bytes(16))[end : end + min(size, 7)] if end < 10 else bytes(7)
    return (
        root.lstat("x").shows(size=size),
        root.open("x", os.O_RDONLY, 0, "look"),
        root.pread("look", 40, 0).gives(start),
        root.pread("look", 99, end).gives(tail),
        root.close("look"),
    )


def _sizes() -> Iterator[Row]:
    for size in _SIZES:
        yield Row(f"path/{size}", _X, root.truncate("x", size), *_shown(size))
        yield Row(f"open/{size}", *_OPENED, root.truncate("@f", size), *_shown(size), root.close("f"), *_shown(size))
        yield Row(f"path-and-back/{size}", _X, root.truncate("x", size), root.truncate("x", 3), root.truncate("x", 20),
                  root.content("x").gives((CONTENT[: min(3, size)] + bytes(20))[:20]))  # fmt: skip
        yield Row(f"new/{size}", root.open("x", os.O_RDWR | os.O_CREAT, 0o644, "f"), root.truncate("@f", size),
                  root.lstat("@f").shows(size=size), root.pread("f", 9, max(0, size - 3)).gives(bytes(min(size, 3))),
                  root.close("f"), root.lstat("x").shows(size=size))  # fmt: skip
        yield Row(f"reading-and-writing/{size}", *_OPENED, root.open("x", os.O_RDONLY, 0, "g"),
                  root.truncate("@f", size), root.lstat("@g").shows(size=size),
                  root.pwrite("f", b"end", size), root.pread("g", 9, size).gives(b"end"),
                  root.lstat("x").shows(size=size + 3))  # fmt: skip
    for size in _LARGE:
        # Not kept: a version of 1 TiB of zeros takes its time.
        yield Row(f"large/{size}", *_OPENED, root.truncate("@f", size), *_shown(size), root.pwrite("f", b"end", size),
                  root.pread("f", 9, size - 1).gives(b"\0end"), root.lstat("@f").shows(size=size + 3),
                  root.truncate("@f", 10), *_shown(10))  # fmt: skip
        yield Row(f"large-write/{size}", *_OPENED, root.pwrite("f", b"end", size), root.lstat("x").shows(size=size + 3),
                  root.pread("f", 9, size - 1).gives(b"\0end"), root.unlink("x"))  # fmt: skip


def _wrong() -> Iterator[Row]:
    for size in _NEGATIVE:
        yield Row(f"negative/path/{size}", _X, root.truncate("x", size).fails(EINVAL).moves(x=""), *_shown(10))
        yield Row(f"negative/open/{size}", *_OPENED, root.truncate("@f", size).fails(EINVAL).moves(x=""), *_shown(10))
    for size in _TOO_LARGE:
        yield Row(f"too-large/path/{size}", _X, root.truncate("x", size).fails(EFBIG).moves(x=""), *_shown(10))
        yield Row(f"too-large/open/{size}", *_OPENED, root.truncate("@f", size).fails(EFBIG).moves(x=""), *_shown(10))
        yield Row(f"too-large/write/{size}", *_OPENED, root.pwrite("f", b"x", size - 1).fails(EFBIG).moves(x=""),
                  *_shown(10))  # fmt: skip
    for size in (11, 1 << 20):
        limited = alice.limit(10), root.chmod(".", 0o777), alice.make("x", "file")
        yield Row(f"limited/path/{size}", *limited, alice.truncate("x", size).fails(EFBIG), alice.limit(-1))
        yield Row(f"limited/open/{size}", *limited, alice.open("x", os.O_RDWR, 0, "f"),
                  alice.truncate("@f", size).fails(EFBIG), alice.pwrite("f", b"x", size).fails(EFBIG),
                  alice.pwrite("f", b"xyz", 8).gives(2), alice.limit(-1))  # fmt: skip


_OTHERS = (
    Row("open-for-reading", _X, root.open("x", os.O_RDONLY, 0, "f"), root.truncate("@f", 5).fails(EINVAL).moves(x="")),
    Row("open-for-reading-of-ones-own", root.make("x", "file", 0o666), alice.open("x", os.O_RDONLY, 0, "f"),
        alice.truncate("@f", 5).fails(EINVAL)),
    Row("open-as-a-path", _X, root.open("x", os.O_PATH, 0, "f"), root.truncate("@f", 5).fails(EBADF)),
    Row("open-directory", root.mkdir("d"), root.open("d", os.O_RDONLY, 0, "f"), root.truncate("@f", 5).fails(EINVAL)),
    Row("open-fifo", root.make("p", "fifo"), root.open("p", os.O_RDWR, 0, "f"), root.truncate("@f", 5).fails(EINVAL)),
    Row("stays-possible-when-forbidden", root.make("x", "file", 0o666), alice.open("x", os.O_RDWR, 0, "f"),
        root.chmod("x", 0), alice.truncate("@f", 5), alice.truncate("x", 3).fails(EACCES),
        root.lstat("x").shows(size=5)),
    Row("through-a-link", _X, root.symlink("x", "l"), root.truncate("l", 5), root.lstat("x").shows(size=5)),
    Row("unlinked", *_OPENED, root.unlink("x"), root.truncate("@f", 5), root.lstat("@f").shows(size=5, nlink=0)),
    Row("position-stays", *_OPENED, root.lseek("f", 8), root.truncate("@f", 3), root.read("f", 9).gives(b""),
        root.write("f", b"x"), root.content("x").gives(b"012\0\0\0\0\0x")),
    Row("append", _X, root.open("x", os.O_RDWR | os.O_APPEND, 0, "f"), root.truncate("@f", 3), root.write("f", b"x"),
        root.content("x").gives(b"012x")),
    Row("mapped", *_OPENED, root.mapped("f", "m"), root.truncate("@f", 5), root.truncate("@f", 10),
        root.peek("m", 0, 10).gives(b"01234\0\0\0\0\0")),
    Row("mapped-beyond-its-end", *_OPENED, root.truncate("@f", 4096), root.mapped("f", "m"), root.truncate("@f", 10),
        root.poke("m", 20, b"lost"), root.msync("m"), root.truncate("@f", 30),
        root.pread("f", 99, 0).gives(CONTENT + bytes(20))),
    Row("posix_fallocate", *_OPENED, root.posix_fallocate("f", 0, 20), root.lstat("x").shows(size=20),
        root.content("x").gives(CONTENT + bytes(10))),
    Row("posix_fallocate/inside", *_OPENED, root.posix_fallocate("f", 2, 3), root.content("x").gives(CONTENT)),
    Row("posix_fallocate/beyond", *_OPENED, root.posix_fallocate("f", 100, 28), root.lstat("x").shows(size=128)),
    Row("posix_fallocate/large", *_OPENED, root.posix_fallocate("f", 5000, 100_000),
        root.lstat("x").shows(size=105_000)),
    Row("posix_fallocate/negative", *_OPENED, root.posix_fallocate("f", -1, 5).fails(EINVAL),
        root.posix_fallocate("f", 0, -5).fails(EINVAL), root.posix_fallocate("f", 0, 0).fails(EINVAL)),
    Row("posix_fallocate/reading", _X, root.open("x", os.O_RDONLY, 0, "f"),
        root.posix_fallocate("f", 0, 20).fails(EBADF)),
    Row("posix_fallocate/fifo", root.make("p", "fifo"), root.open("p", os.O_RDWR, 0, "f"),
        root.posix_fallocate("f", 0, 20).fails(ESPIPE)),
    Row("posix_fallocate/new", root.open("x", os.O_RDWR | os.O_CREAT, 0o644, "f"), root.posix_fallocate("f", 0, 9),
        root.close("f"), root.content("x").gives(bytes(9))),
    *(Row(f"fallocate/{mode:#x}", _X, root.open("x", os.O_RDWR, 0, "f"), root.truncate("@f", 16384),
          root.fallocate("f", mode, 4096, 4096)) for mode in (0, 0x1, 0x3, 0x8, 0x10, 0x11, 0x20)),
    *(Row(f"fallocate-wrong/{mode:#x}", _X, root.open("x", os.O_RDWR, 0, "f"), root.truncate("@f", 16384),
          root.fallocate("f", mode, 4096, 4096).fails(EOPNOTSUPP)) for mode in (0x2, 0x1000)),
)  # fmt: skip


# Writing takes set-id bits away, unless root does it.

_WRITERS: dict[str, Callable[[Person], tuple[Step, ...]]] = {
    "write": lambda who: (who.open("x", os.O_WRONLY, 0, "f"), who.write("f", b"a")),
    "pwrite": lambda who: (who.open("x", os.O_RDWR, 0, "f"), who.pwrite("f", b"a", 50)),
    "append": lambda who: (who.open("x", os.O_WRONLY | os.O_APPEND, 0, "f"), who.write("f", b"a")),
    "truncate": lambda who: (who.truncate("x", 5),),
    "truncate-longer": lambda who: (who.truncate("x", 50),),
    "ftruncate": lambda who: (who.open("x", os.O_RDWR, 0, "f"), who.truncate("@f", 5)),
    "open-trunc": lambda who: (who.open("x", os.O_WRONLY | os.O_TRUNC),),
}
_HARMLESS: dict[str, Callable[[Person], tuple[Step, ...]]] = {
    "open": lambda who: (who.open("x", os.O_RDWR),),
    "write-nothing": lambda who: (who.open("x", os.O_WRONLY, 0, "f"), who.write("f", b"")),
    "read": lambda who: (who.open("x", os.O_RDONLY, 0, "f"), who.read("f")),
    "utime": lambda who: (who.utime("x"),),
    "setxattr": lambda who: (who.setxattr("x"),),
    "access": lambda who: (who.access("x", 7),),
}
_SET_ID = (0o4777, 0o2777, 0o6777, 0o2767, 0o6767, 0o4666, 0o7777)


def _left(mode: int, name: str) -> int:
    if name == "root":
        return mode
    keeps_group = not mode & 0o010 and name != "carol"
    return mode & ~(0o4000 if keeps_group else 0o6000)


def _set_id() -> Iterator[Row]:
    for name in ("root", "alice", "bob", "carol"):
        for mode in _SET_ID:
            x = root.make("x", "file", mode, ALICE, GROUP)
            left = root.lstat("x").shows(mode=_left(mode, name), uid=ALICE, gid=GROUP)
            for call, steps in _WRITERS.items():
                yield Row(f"set-id/{call}/{mode:o}/{name}", x, *steps(PEOPLE[name]), left)
        for call, steps in _HARMLESS.items():
            x = root.make("x", "file", 0o6777, ALICE, GROUP)
            yield Row(f"set-id/{call}/{name}", x, *steps(PEOPLE[name]), root.lstat("x").shows(mode=0o6777))
    new = root.chmod(".", 0o777), alice.open("x", os.O_RDWR | os.O_CREAT, 0o6711, "f")
    yield Row("set-id/new-is-written", *new, alice.lstat("@f").shows(mode=0o6711), alice.write("f", b"abc"),
              alice.lstat("@f").shows(mode=0o711), alice.close("f"), root.lstat("x").shows(mode=0o711))  # fmt: skip
    yield Row("set-id/new-is-not-written", *new, alice.close("f"), root.lstat("x").shows(mode=0o6711))
    yield Row("set-id/set-while-written", *new, alice.write("f", b"a"), alice.chmod("@f", 0o4755), alice.close("f"),
              root.lstat("x").shows(mode=0o4755))  # fmt: skip
    yield Row("set-id/others-descriptor", root.make("x", "file", 0o666, ALICE, GROUP), bob.open("x", os.O_RDWR, 0, "f"),
              root.chmod("x", 0o6777), bob.chmod("x", 0o777).fails(EPERM), bob.write("f", b"a"),
              root.lstat("x").shows(mode=0o777))  # fmt: skip
    yield Row("set-id/of-a-directory-stays", root.make("d", "dir", 0o6777, ALICE, GROUP), bob.mkdir("d/x"),
              bob.rmdir("d/x"), bob.utime("d"), root.lstat("d").shows(mode=0o6777))  # fmt: skip


@pytest.mark.parametrize("rows", grouped([*_sizes(), *_wrong(), *_OTHERS, *_set_id()]))
def test_truncate(place: Place, rows: list[Row]) -> None:
    place.run(rows)
