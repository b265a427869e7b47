"""Link counts and what has several names; what is removed while it is open; and the ends of directories."""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EBADF, EEXIST, EINVAL, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EXDEV

import pytest
from rows import ALICE, BOB, ELSEWHERE, GROUP, Place, Row, alice, bob, grouped, root
from verbs import AT_REMOVEDIR, AT_SYMLINK_FOLLOW, KINDS

_NOT_DIRECTORIES = tuple(kind for kind in KINDS if kind != "dir")


def _path_flags(kind: str) -> int:
    return os.O_RDONLY if kind in ("file", "dir") else os.O_PATH | os.O_NOFOLLOW


def _counts() -> Iterator[Row]:
    for kind in _NOT_DIRECTORIES:
        a, d = root.make("a", kind, None, ALICE, GROUP), root.mkdir("d")
        yield Row(
            f"count/{kind}",
            a, d, root.mark("a", "a"), root.lstat("a").shows(nlink=1),
            root.link("a", "b").moving({"a": "c", ".": "mc", "d": ""}),
            root.lstat("a").shows(nlink=2), root.lstat("b").shows(nlink=2, type=kind, uid=ALICE, gid=GROUP),
            root.isit("b", "a").gives(True),
            root.link("b", "d/c").moving({"b": "c", ".": "", "d": "mc"}),
            root.lstat("a").shows(nlink=3), root.lstat("d").shows(nlink=2),
            root.lchown("d/c", BOB, -1), root.lstat("a").shows(uid=BOB), root.lstat("b").shows(uid=BOB),
            root.unlink("a").moving({"b": "c", ".": "mc", "d": ""}), root.lstat("b").shows(nlink=2),
            root.rename("b", "e").moving({"d/c": "c", "b>e": "c"}), root.lstat("d/c").shows(nlink=2),
            root.make("x", "file"), root.rename("x", "e").moving({"d/c": "c"}), root.lstat("d/c").shows(nlink=1),
            root.isit("d/c", "a").gives(True), root.unlink("d/c"), root.lstat("d/c").fails(ENOENT),
        )  # fmt: skip
        yield Row(f"count/{kind}-open", a, root.link("a", "b"), root.open("a", _path_flags(kind), 0, "f"),
                  root.lstat("@f").shows(nlink=2), root.unlink("a"), root.lstat("@f").shows(nlink=1),
                  root.unlink("b").moving({"@f": "c", ".": "mc"}), root.lstat("@f").shows(nlink=0, type=kind),
                  root.link("@f", "c").fails(ENOENT))  # fmt: skip
        yield Row(f"count/{kind}-relinked", a, root.open("a", _path_flags(kind), 0, "f"), root.link("a", "b"),
                  root.unlink("a"), root.link("b", "a"), root.lstat("@f").shows(nlink=2))  # fmt: skip
        yield Row(f"unlink/{kind}", a, root.unlink("a").moving({".": "mc"}), root.lstat("a").fails(ENOENT),
                  root.unlink("a").fails(ENOENT), root.make("a", kind), root.lstat("a").shows(nlink=1))  # fmt: skip
        yield Row(f"link-over/{kind}", a, root.make("x", "file"), root.link("x", "a").fails(EEXIST).moving({"x": ""}),
                  root.lstat("x").shows(nlink=1))  # fmt: skip
        yield Row(f"link-elsewhere/{kind}", a, root.link("a", f"{ELSEWHERE}/{kind}").fails(EXDEV).moving({"a": ""}),
                  root.lstat("a").shows(nlink=1))  # fmt: skip


_DIRECTORIES = (
    Row("dirs/count", root.lstat(".").shows(nlink=2), root.mkdir("d").moving({".": "mc"}),
        root.lstat(".").shows(nlink=3), root.lstat("d").shows(nlink=2),
        root.mkdir("d/e").moving({".": "", "d": "mc"}), root.lstat(".").shows(nlink=3), root.lstat("d").shows(nlink=3),
        root.make("d/f", "file"), root.symlink("x", "d/l"), root.lstat("d").shows(nlink=3),
        root.rename("d/e", "e").moving({".": "mc", "d": "mc"}), root.lstat(".").shows(nlink=4),
        root.lstat("d").shows(nlink=2), root.rmdir("e").moving({".": "mc"}), root.lstat(".").shows(nlink=3)),
    Row("dirs/many", *(root.mkdir(f"{number}") for number in range(40)), root.lstat(".").shows(nlink=42),
        *(root.rmdir(f"{number}") for number in range(0, 40, 2)), root.lstat(".").shows(nlink=22)),
    Row("dirs/link", root.mkdir("d"), root.link("d", "e").fails(EPERM), alice.link("d", "e").fails(EPERM)),
    Row("dirs/unlink", root.mkdir("d"), root.unlink("d").fails(EISDIR).moves(d=""), alice.unlink("d").fails(EISDIR)),
    Row("dirs/rmdir-full", root.make("d", "full"), root.rmdir("d").fails(ENOTEMPTY).moving({"d": "", ".": ""}),
        root.unlink("d/inside"), root.rmdir("d"), root.lstat("d").fails(ENOENT)),
    *(Row(f"dirs/rmdir-of-one-{kind}", root.mkdir("d"), root.make("d/x", kind), root.rmdir("d").fails(ENOTEMPTY))
      for kind in KINDS),
    *(Row(f"dirs/rmdir-{kind}", root.make("x", kind), root.rmdir("x").fails(ENOTDIR).moves(x=""))
      for kind in _NOT_DIRECTORIES),
    Row("dirs/removed-while-open", root.mkdir("d"), root.open("d", os.O_RDONLY, 0, "f"),
        root.rmdir("d").moving({"@f": "c", ".": "mc"}), root.lstat("@f").shows(nlink=0, type="dir"),
        root.listfd("f").gives([]), root.openat("f", "x", os.O_CREAT | os.O_RDWR).fails(ENOENT),
        root.mkdirat("f", "x").fails(ENOENT), root.unlinkat("f", "x").fails(ENOENT), root.chmod("@f", 0o700),
        root.utimens("@f", 1, 2), root.lstat("@f").shows(mode=0o700, atime=1, mtime=2)),
    Row("dirs/removed-and-made-again", root.mkdir("d"), root.open("d", os.O_RDONLY, 0, "f"), root.rmdir("d"),
        root.mkdir("d"), root.make("d/x", "file"), root.listfd("f").gives([]), root.listdir("d").gives(["x"]),
        root.openat("f", "x", os.O_RDONLY).fails(ENOENT)),
    Row("dirs/cwd-removed", root.mkdir("d"), root.chdir("d"), root.rmdir("../d"), root.listdir(".").gives([]),
        root.mkdir("x").fails(ENOENT), root.open("x", os.O_CREAT | os.O_RDWR).fails(ENOENT),
        root.symlink("t", "x").fails(ENOENT), root.mkfifo("x", 0o644).fails(ENOENT), root.lstat("x").fails(ENOENT),
        root.lstat(".").shows(nlink=0)),
    Row("dirs/unlinkat", root.mkdir("d"), root.make("f", "file"), root.open(".", os.O_RDONLY, 0, "here"),
        root.unlinkat("here", "d").fails(EISDIR), root.unlinkat("here", "f", AT_REMOVEDIR).fails(ENOTDIR),
        root.unlinkat("here", "d", AT_REMOVEDIR | 1).fails(EINVAL), root.unlinkat("here", "d", AT_REMOVEDIR),
        root.unlinkat("here", "f"), root.listdir(".").gives([])),
)  # fmt: skip

_FILES = (
    Row("open/deleted", root.make("x", "file"), root.open("x", os.O_RDWR, 0, "f"), root.unlink("x").moving({"@f": "c"}),
        root.lstat("@f").shows(nlink=0, size=10), root.pread("f", 99, 0).gives(b"0123456789"),
        root.pwrite("f", b"abc", 20).gives(3).moving({"@f": "mc"}), root.lstat("@f").shows(size=23),
        root.pread("f", 5, 18).gives(b"\0\0abc"), root.truncate("@f", 4).moving({"@f": "mc"}),
        root.pread("f", 99, 0).gives(b"0123"), root.chmod("@f", 0o600).moving({"@f": "c"}),
        root.chown("@f", 1, 2).moving({"@f": "c"}), root.utimens("@f", 3, 4).moving({"@f": "amc"}),
        root.lstat("@f").shows(mode=0o600, uid=1, gid=2, atime=3, mtime=4, nlink=0, size=4),
        root.setxattr("@f"), root.getxattr("@f").gives(b"x"), root.fsync("f"), root.lstat("x").fails(ENOENT)),
    Row("open/deleted-when-new", root.open("x", os.O_RDWR | os.O_CREAT, 0o640, "f"), root.write("f", b"abc"),
        root.unlink("x").moving({"@f": "c", ".": "mc"}), root.lstat("@f").shows(nlink=0, size=3, mode=0o640),
        root.pread("f", 9, 0).gives(b"abc"), root.chmod("@f", 0o600), root.lstat("@f").shows(mode=0o600),
        root.setxattr("@f"), root.close("f"), root.listdir(".").gives([])),
    Row("open/deleted-and-made-again", root.make("x", "file"), root.open("x", os.O_RDWR, 0, "f"), root.mark("x", "x"),
        root.unlink("x"), root.make("x", "file", 0o600), root.isit("x", "x").gives(False),
        root.isit("@f", "x").gives(True),
        root.pwrite("f", b"other", 0), root.content("x").gives(b"0123456789"), root.lstat("x").shows(nlink=1)),
    Row("open/deleted-is-mapped", root.make("x", "file"), root.open("x", os.O_RDWR, 0, "f"), root.mapped("f", "m"),
        root.unlink("x"), root.poke("m", 2, b"AB"), root.msync("m"), root.pread("f", 5, 0).gives(b"01AB4"),
        root.close("f"), root.peek("m", 0, 5).gives(b"01AB4")),
    Row("open/deleted-by-others", root.chmod(".", 0o777), root.make("x", "file", 0o666),
        alice.open("x", os.O_RDWR, 0, "f"), bob.unlink("x"), alice.pwrite("f", b"A", 0),
        alice.pread("f", 2, 0).gives(b"A1"), alice.lstat("@f").shows(nlink=0)),
    Row("open/all-names-deleted", root.make("x", "file"), root.link("x", "y"), root.open("y", os.O_RDWR, 0, "f"),
        root.unlink("x"), root.unlink("y"), root.pwrite("f", b"A", 0), root.lstat("@f").shows(nlink=0, size=10)),
    Row("names/one-content", root.make("x", "file"), root.link("x", "y"), root.open("x", os.O_WRONLY, 0, "f"),
        root.pwrite("f", b"AB", 0), root.content("y").gives(b"AB23456789"), root.truncate("y", 4),
        root.content("x").gives(b"AB23"), root.lstat("x").shows(size=4), root.chmod("y", 0o600),
        root.lstat("x").shows(mode=0o600), root.setxattr("y"), root.getxattr("x").gives(b"x"),
        root.utimens("x", 1, 2), root.lstat("y").shows(atime=1, mtime=2)),
    Row("names/written-while-linked", root.open("x", os.O_WRONLY | os.O_CREAT, 0o644, "f"), root.write("f", b"abc"),
        root.link("x", "y"), root.write("f", b"def"), root.content("y").gives(b"abcdef"), root.close("f"),
        root.content("x").gives(b"abcdef"), root.lstat("y").shows(nlink=2, size=6)),
    Row("names/replaced", root.make("x", "file"), root.link("x", "y"), root.make("z", "file"), root.truncate("z", 1),
        root.rename("z", "x"), root.content("y").gives(b"0123456789"), root.lstat("y").shows(nlink=1)),
    Row("names/in-many-directories", root.make("x", "file"),
        *(step for number in range(30) for step in (root.mkdir(f"d{number}"), root.link("x", f"d{number}/x"))),
        root.lstat("x").shows(nlink=31), root.rename("d3", "moved"), root.lstat("moved/x").shows(nlink=31),
        root.unlink("d4/x"), root.lstat("moved/x").shows(nlink=30)),
    Row("link/of-a-symlink", root.make("t", "file"), root.symlink("t", "a"), root.link("a", "b"),
        root.lstat("b").shows(type="symlink", nlink=2), root.readlink("b").gives("t"), root.lstat("t").shows(nlink=1)),
    Row("link/following", root.make("t", "file"), root.symlink("t", "a"), root.link("a", "b", AT_SYMLINK_FOLLOW),
        root.lstat("b").shows(type="file", nlink=2), root.lstat("a").shows(nlink=1)),
    Row("link/following-nothing", root.symlink("t", "a"), root.link("a", "b", AT_SYMLINK_FOLLOW).fails(ENOENT)),
    Row("link/unknown-flag", root.make("a", "file"), root.link("a", "b", 0x1).fails(EINVAL)),
    Row("link/to-itself", root.make("a", "file"), root.link("a", "a").fails(EEXIST)),
    Row("link/to-a-dangling-link", root.make("a", "file"), root.symlink("t", "b"), root.link("a", "b").fails(EEXIST)),
    Row("link/of-what-is-open", root.make("a", "file"), root.open("a", os.O_RDONLY, 0, "f"), root.link("@f", "b"),
        root.lstat("b").shows(nlink=2)),
    Row("symlink/what-it-says-is-kept", *(
        step for number, target in enumerate(("x", "/", "a//b/", "x" * 4095, "..", " "))
        for step in (root.symlink(target, f"l{number}"), root.readlink(f"l{number}").gives(target),
                     root.lstat(f"l{number}").shows(size=len(target), type="symlink", mode=0o777)))),
    Row("symlink/empty", root.symlink("", "l").fails(ENOENT)),
    Row("symlink/too-long", root.symlink("x" * 4096, "l").fails(ENAMETOOLONG)),
    Row("symlink/follows-what-comes-later", root.symlink("t", "l"), root.stat("l").fails(ENOENT),
        root.make("t", "file"),
        root.stat("l").shows(type="file", size=10), root.unlink("t"), root.mkdir("t"), root.stat("l").shows(type="dir"),
        root.make("t/x", "file"), root.lstat("l/x").shows(type="file")),
    Row("slot/bad", root.make("a", "file"), root.open("a", os.O_PATH, 0, "f"), root.read("f").fails(EBADF),
        root.write("f", b"x").fails(EBADF), root.truncate("@f", 1).fails(EBADF), root.lstat("@f").shows(size=10)),
)  # fmt: skip


@pytest.mark.parametrize("rows", grouped([*_counts(), *_DIRECTORIES, *_FILES]))
def test_links(place: Place, rows: list[Row]) -> None:
    place.run(rows)
