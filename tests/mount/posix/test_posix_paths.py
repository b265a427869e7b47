"""Every call that takes a path, with every kind of path: what is missing, no directory, closed, too long or a loop."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from errno import EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR

import pytest
from calls import MAKING, PATH_CALLS, ROOT_CALLS, SCENE
from rows import Place, Row, Step, alice, bob, carol, grouped, root
from verbs import KINDS

_ALL = {**PATH_CALLS, **ROOT_CALLS}
_LONGEST_NAME, _LONGEST_PATH = 255, 4095
_MOST_LINKS = 40
_SOCKETS = ("bind", "connect")  # their paths are shorter


# What every call says of the directories on the way: name, what is made before, path, errno.
_ON_THE_WAY: tuple[tuple[str, tuple[Step, ...], str, int], ...] = (
    ("missing", (), "missing/x", ENOENT),
    ("missing-twice", (), "missing/missing/x", ENOENT),
    *((kind, (root.make("k", kind),), "k/x", ENOTDIR) for kind in KINDS if kind not in ("dir", "symlink")),
    ("dangling", (root.symlink("nothing", "l"),), "l/x", ENOENT),
    ("link-to-file", (root.symlink("f0", "l"),), "l/x", ENOTDIR),
    ("loop", (root.symlink("m", "l"), root.symlink("l", "m")), "l/x", ELOOP),
    ("link-to-itself", (root.symlink("l", "l"),), "l/x", ELOOP),
    (
        "too-many-links",
        (root.mkdir("l0"), *(root.symlink(f"l{number}", f"l{number + 1}") for number in range(_MOST_LINKS + 1))),
        f"l{_MOST_LINKS + 1}/x",
        ELOOP,
    ),
    ("long-name-on-the-way", (), "n" * (_LONGEST_NAME + 1) + "/x", ENAMETOOLONG),
    ("long-name", (), "n" * (_LONGEST_NAME + 1), ENAMETOOLONG),
    ("long-path", (), "./" * (_LONGEST_PATH // 2) + "xx", ENAMETOOLONG),
    ("empty", (), "", ENOENT),
)


def _resolution() -> Iterator[Row]:
    for call, step in _ALL.items():
        for name, before, path, number in _ON_THE_WAY:
            if (call in _SOCKETS and (len(path) > 100 or not path)) or (call == "run" and not path):
                continue
            yield Row(f"{call}/{name}", *SCENE, *before, step(root, path).fails(number))


# Directories that may not be searched: whose they are decides alone, also when others may.
_CLOSED = (
    ("owner", alice, 0o677),
    ("owner-of-nothing", alice, 0o000),
    ("group", bob, 0o767),
    ("group-of-nothing", bob, 0o000),
    ("other", carol, 0o776),
    ("other-of-nothing", carol, 0o000),
)


def _closed() -> Iterator[Row]:
    for call, step in PATH_CALLS.items():
        for name, who, mode in _CLOSED:
            closed = (root.make("d", "dir", mode, 5001, 6000), root.make("d/x", "file", 0o666, 5001, 6000))
            yield Row(f"{call}/closed-to-{name}", *SCENE, *closed, step(who, "d/x").fails(EACCES))
        deeper = (root.make("d", "dir", 0o666), root.mkdir("d/e"), root.make("d/e/x", "file", 0o666))
        yield Row(f"{call}/closed-above", *SCENE, *deeper, step(carol, "d/e/x").fails(EACCES))
        yield Row(f"{call}/closed-to-root-is-not", *SCENE, *deeper, root.chmod("d", 0), root.lstat("d/e/x"))


# What each call says of what it is asked about; "-" is success. The columns: see _FINALS.
_FINALS: dict[str, tuple[Step, ...]] = {
    **{kind: (root.make("x", kind, 0o644 if kind != "symlink" else None),) for kind in KINDS if kind != "symlink"},
    "full": (root.make("x", "full"),),
    "dangling": (root.symlink("nothing", "x"),),
    "tofile": (root.make("y", "file", 0o644), root.symlink("y", "x")),
    "todir": (root.make("y", "dir"), root.symlink("y", "x")),
    "loop": (root.symlink("x", "x"),),
    "missing": (),
}
_OF_FINALS = """
                 file     dir      fifo     block    char     socket   dangling tofile   todir    loop     missing
open             -        -        -        ENXIO    -        ENXIO    ENOENT   -        -        ELOOP    ENOENT
open-write       -        EISDIR   ENXIO    ENXIO    -        ENXIO    ENOENT   -        EISDIR   ELOOP    ENOENT
open-trunc       -        EISDIR   -        ENXIO    -        ENXIO    ENOENT   -        EISDIR   ELOOP    ENOENT
open-creat       -        EISDIR   -        ENXIO    -        ENXIO    -        -        EISDIR   ELOOP    -
open-excl        EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   -
open-directory   ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
open-nofollow    -        -        -        ENXIO    -        ENXIO    ELOOP    ELOOP    ELOOP    ELOOP    ENOENT
open-path        -        -        -        -        -        -        ENOENT   -        -        ELOOP    ENOENT
truncate         -        EISDIR   EINVAL   EINVAL   EINVAL   EINVAL   ENOENT   -        EISDIR   ELOOP    ENOENT
stat             -        -        -        -        -        -        ENOENT   -        -        ELOOP    ENOENT
lstat            -        -        -        -        -        -        -        -        -        -        ENOENT
access           -        -        -        -        -        -        ENOENT   -        -        ELOOP    ENOENT
statfs           -        -        -        -        -        -        ENOENT   -        -        ELOOP    ENOENT
chmod            -        -        -        -        -        -        ENOENT   -        -        ELOOP    ENOENT
chown            -        -        -        -        -        -        ENOENT   -        -        ELOOP    ENOENT
lchown           -        -        -        -        -        -        -        -        -        -        ENOENT
utimens          -        -        -        -        -        -        ENOENT   -        -        ELOOP    ENOENT
utimens-nofollow -        -        -        -        -        -        -        -        -        -        ENOENT
utime            -        -        -        -        -        -        ENOENT   -        -        ELOOP    ENOENT
listdir          ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
chdir            ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
readlink         EINVAL   EINVAL   EINVAL   EINVAL   EINVAL   EINVAL   -        -        -        -        ENOENT
run              EACCES   EACCES   EACCES   EACCES   EACCES   EACCES   ENOENT   EACCES   EACCES   ELOOP    ENOENT
connect          refused  refused  refused  refused  refused  refused  ENOENT   refused  refused  ELOOP    ENOENT
mkdir            EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   -
mkfifo           EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   -
mknod-file       EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   -
mknod-socket     EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   -
bind             in-use   in-use   in-use   in-use   in-use   in-use   in-use   in-use   in-use   in-use   -
symlink          EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   -
link-from        -        EPERM    -        -        -        -        -        -        -        -        ENOENT
link-to          EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   -
rename-from      -        -        -        -        -        -        -        -        -        -        ENOENT
rename-to        -        EISDIR   -        -        -        -        -        -        -        -        -
noreplace-to     EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   -
exchange-with    -        -        -        -        -        -        -        -        -        -        ENOENT
unlink           -        EISDIR   -        -        -        -        -        -        -        -        ENOENT
rmdir            ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT
setxattr         -        -        EPERM    EPERM    EPERM    EPERM    ENOENT   -        -        ELOOP    ENOENT
getxattr         ENODATA  ENODATA  ENODATA  ENODATA  ENODATA  ENODATA  ENOENT   ENODATA  ENODATA  ELOOP    ENOENT
removexattr      ENODATA  ENODATA  EPERM    EPERM    EPERM    EPERM    ENOENT   ENODATA  ENODATA  ELOOP    ENOENT
listxattr        -        -        -        -        -        -        ENOENT   -        -        ELOOP    ENOENT
mknod-char       EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   -
mknod-block      EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   -
"""
_OF_SLASHES = """
                 file     dir      fifo     block    char     socket   dangling tofile   todir    loop     missing
open             ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
open-write       ENOTDIR  EISDIR   ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  EISDIR   ELOOP    ENOENT
open-trunc       ENOTDIR  EISDIR   ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  EISDIR   ELOOP    ENOENT
open-creat       EISDIR   EISDIR   EISDIR   EISDIR   EISDIR   EISDIR   EISDIR   EISDIR   EISDIR   EISDIR   EISDIR
open-excl        EISDIR   EISDIR   EISDIR   EISDIR   EISDIR   EISDIR   EISDIR   EISDIR   EISDIR   EISDIR   EISDIR
open-directory   ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
open-nofollow    ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
open-path        ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
truncate         ENOTDIR  EISDIR   ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  EISDIR   ELOOP    ENOENT
stat             ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
lstat            ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
access           ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
statfs           ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
chmod            ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
chown            ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
lchown           ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
utimens          ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
utimens-nofollow ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
utime            ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
listdir          ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
chdir            ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
readlink         ENOTDIR  EINVAL   ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  EINVAL   ELOOP    ENOENT
run              ENOTDIR  EACCES   ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  EACCES   ELOOP    ENOENT
connect          ENOTDIR  refused  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  refused  ELOOP    ENOENT
mkdir            EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   -
mkfifo           EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   ENOENT
mknod-file       EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   ENOENT
mknod-socket     EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   ENOENT
bind             in-use   in-use   in-use   in-use   in-use   in-use   in-use   in-use   in-use   in-use   ENOENT
symlink          EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   ENOENT
link-from        ENOTDIR  EPERM    ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  EPERM    ELOOP    ENOENT
link-to          EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   ENOENT
rename-from      ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT
rename-to        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR
noreplace-to     EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   ENOTDIR
exchange-with    ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT
unlink           ENOTDIR  EISDIR   ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT
rmdir            ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT
setxattr         ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
getxattr         ENOTDIR  ENODATA  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  ENODATA  ELOOP    ENOENT
removexattr      ENOTDIR  ENODATA  ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  ENODATA  ELOOP    ENOENT
listxattr        ENOTDIR  -        ENOTDIR  ENOTDIR  ENOTDIR  ENOTDIR  ENOENT   ENOTDIR  -        ELOOP    ENOENT
mknod-char       EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   ENOENT
mknod-block      EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   EEXIST   ENOENT
"""
_OF_DOTS = """
                 dot      dotdot   here     linked   up
open             -        -        -        -        -
open-write       EISDIR   EISDIR   EISDIR   EISDIR   EISDIR
open-trunc       EISDIR   EISDIR   EISDIR   EISDIR   EISDIR
open-creat       EISDIR   EISDIR   EISDIR   EISDIR   EISDIR
open-excl        EEXIST   EEXIST   EEXIST   EEXIST   EEXIST
open-directory   -        -        -        -        -
open-nofollow    -        -        -        -        -
open-path        -        -        -        -        -
truncate         EISDIR   EISDIR   EISDIR   EISDIR   EISDIR
stat             -        -        -        -        -
lstat            -        -        -        -        -
access           -        -        -        -        -
statfs           -        -        -        -        -
chmod            -        -        -        -        -
chown            -        -        -        -        -
lchown           -        -        -        -        -
utimens          -        -        -        -        -
utimens-nofollow -        -        -        -        -
utime            -        -        -        -        -
listdir          -        -        -        -        -
chdir            -        -        -        -        -
readlink         EINVAL   EINVAL   EINVAL   EINVAL   EINVAL
run              EACCES   EACCES   EACCES   EACCES   EACCES
connect          refused  refused  refused  refused  refused
mkdir            EEXIST   EEXIST   EEXIST   EEXIST   EEXIST
mkfifo           EEXIST   EEXIST   EEXIST   EEXIST   EEXIST
mknod-file       EEXIST   EEXIST   EEXIST   EEXIST   EEXIST
mknod-socket     EEXIST   EEXIST   EEXIST   EEXIST   EEXIST
bind             in-use   in-use   in-use   in-use   in-use
symlink          EEXIST   EEXIST   EEXIST   EEXIST   EEXIST
link-from        EPERM    EPERM    EPERM    EPERM    EPERM
link-to          EEXIST   EEXIST   EEXIST   EEXIST   EEXIST
rename-from      EBUSY    EBUSY    EBUSY    EBUSY    EBUSY
rename-to        EBUSY    EBUSY    EBUSY    EBUSY    EBUSY
noreplace-to     EEXIST   EEXIST   EEXIST   EEXIST   EEXIST
exchange-with    EBUSY    EBUSY    EBUSY    EBUSY    EBUSY
unlink           EISDIR   EISDIR   EISDIR   EISDIR   EISDIR
rmdir            EINVAL   ENOTEMPTY EINVAL   EINVAL   ENOTEMPTY
setxattr         -        -        -        -        -
getxattr         ENODATA  ENODATA  ENODATA  ENODATA  ENODATA
removexattr      ENODATA  ENODATA  ENODATA  ENODATA  ENODATA
listxattr        -        -        -        -        -
mknod-char       EEXIST   EEXIST   EEXIST   EEXIST   EEXIST
mknod-block      EEXIST   EEXIST   EEXIST   EEXIST   EEXIST
"""
_DOTS: dict[str, tuple[tuple[Step, ...], str]] = {
    "dot": ((root.mkdir("d"),), "d/."),
    "dotdot": ((root.mkdir("d"), root.mkdir("d/e")), "d/e/.."),
    "here": ((), "."),
    "linked": ((root.mkdir("d"), root.symlink("d", "l")), "l/."),
    "up": ((root.mkdir("d"),), "d/.."),
}
_SHORT = {"-": 0, "refused": errno.ECONNREFUSED, "in-use": errno.EADDRINUSE}


def _table(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield call, column and errno of each cell."""
    columns, *lines = (line.split() for line in text.strip().splitlines())
    for call, *cells in lines:
        for column, cell in zip(columns, cells, strict=True):
            yield call, column, _SHORT[cell] if cell in _SHORT else getattr(errno, cell)


def _finals() -> Iterator[Row]:
    for call, kind, number in _table(_OF_FINALS):
        yield Row(f"{call}/of-{kind}", *SCENE, *_FINALS[kind], _ALL[call](root, "x").fails(number))
    for call, kind, number in _table(_OF_SLASHES):
        yield Row(f"{call}/of-{kind}-slash", *SCENE, *_FINALS[kind], _ALL[call](root, "x/").fails(number))
    for call, dots, number in _table(_OF_DOTS):
        before, path = _DOTS[dots]
        yield Row(f"{call}/of-{dots}", *SCENE, *before, _ALL[call](root, path).fails(number))


# What is as long as possible works, by every call.


def _longest() -> Iterator[Row]:
    makers = {*MAKING, *ROOT_CALLS, "open-creat", "rename-to", "noreplace-to"}
    for call, step in _ALL.items():
        if call in ("connect", "run", "readlink", "getxattr", "removexattr", *_SOCKETS):
            continue
        directory = call in ("rmdir", "listdir", "chdir", "open-directory")
        for name, path in (
            ("longest-name", "n" * _LONGEST_NAME),
            ("longest-path", "./" * ((_LONGEST_PATH - 1) // 2) + "x"),
            ("longest-links", f"l{_MOST_LINKS}/x"),
        ):
            links = [root.symlink(f"l{number}", f"l{number + 1}") for number in range(_MOST_LINKS)]
            before = [root.mkdir("l0"), *links] if name == "longest-links" else []
            there = [] if call in makers else [root.make(path, "dir" if directory else "file")]
            yield Row(f"{call}/{name}", *SCENE, *before, *there, step(root, path))


@pytest.mark.parametrize("rows", grouped([*_resolution(), *_closed(), *_finals(), *_longest()]))
def test_paths(place: Place, rows: list[Row]) -> None:
    place.run(rows)
