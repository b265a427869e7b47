"""open: every flag and what it allows afterwards; programs that run; addresses that do not exist."""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import (
    EACCES,
    EBADF,
    EEXIST,
    EFAULT,
    EINVAL,
    EISDIR,
    ELOOP,
    ENOENT,
    ENOTDIR,
    ENXIO,
    EPERM,
    ESPIPE,
    ETXTBSY,
)

import pytest
from rows import ALICE, GROUP, PEOPLE, Place, Row, Step, alice, bob, carol, grouped, root
from verbs import BAD, CONTENT

_X = root.make("x", "file", 0o666)
_NEW = os.O_CREAT | os.O_RDWR


def _flags() -> Iterator[Row]:
    """What a descriptor allows, by how it was opened."""
    accesses = {"read": os.O_RDONLY, "write": os.O_WRONLY, "both": os.O_RDWR, "neither": 3}
    others = {
        "": 0, "+creat": os.O_CREAT, "+append": os.O_APPEND, "+sync": os.O_SYNC, "+dsync": os.O_DSYNC,
        "+nofollow": os.O_NOFOLLOW, "+noatime": os.O_NOATIME, "+creat-append": os.O_CREAT | os.O_APPEND,
    }  # fmt: skip
    for access, flag in accesses.items():
        reads, writes = 0 if access in ("read", "both") else EBADF, 0 if access in ("write", "both") else EBADF
        for other, more in others.items():
            appends = more & os.O_APPEND
            written = CONTENT + b"AB" if appends else b"AB" + CONTENT[2:]
            yield Row(f"allows/{access}{other}", _X, root.open("x", flag | more, 0o644, "f"),
                      root.pread("f", 99, 0).fails(reads) if reads else root.pread("f", 99, 0).gives(CONTENT),
                      root.write("f", b"AB").fails(writes), root.content("x").gives(CONTENT if writes else written),
                      root.truncate("@f", 4).fails(EINVAL if writes else 0), root.fsync("f"),
                      root.chmod("@f", 0o600), root.lstat("@f").shows(mode=0o600))  # fmt: skip
            if not more & os.O_CREAT:
                yield Row(f"missing/{access}{other}", root.open("x", flag | more).fails(ENOENT).moving({".": ""}))
            else:
                yield Row(f"missing/{access}{other}", root.open("x", flag | more, 0o640, "f").moving({".": "mc"}),
                          root.lstat("x").shows(size=0, mode=0o640, nlink=1), root.close("f"),
                          root.lstat("x").shows(size=0, mode=0o640))  # fmt: skip


_OTHERS = (
    Row("creat/empties-nothing", _X, root.open("x", _NEW), root.content("x").gives(CONTENT)),
    Row("creat/keeps-mode-and-owner", root.make("x", "file", 0o606, ALICE, GROUP), carol.open("x", _NEW, 0o777),
        root.lstat("x").shows(mode=0o606, uid=ALICE, gid=GROUP)),
    Row("creat/through-a-link", root.symlink("y", "l"), root.open("l", _NEW, 0o640),
        root.lstat("y").shows(type="file", mode=0o640), root.lstat("l").shows(type="symlink")),
    Row("creat/through-a-link-into-nowhere", root.symlink("d/y", "l"), root.open("l", _NEW).fails(ENOENT)),
    Row("creat/link-not-followed", root.symlink("y", "l"), root.open("l", _NEW | os.O_NOFOLLOW).fails(ELOOP)),
    Row("creat/directory", root.mkdir("d"), root.open("d", os.O_CREAT | os.O_RDONLY).fails(EISDIR)),
    Row("creat/excl-over-a-dangling-link", root.symlink("y", "l"), root.open("l", _NEW | os.O_EXCL).fails(EEXIST),
        root.lstat("y").fails(ENOENT)),
    Row("creat/excl-twice", root.open("x", _NEW | os.O_EXCL, 0o644, "f"),
        root.open("x", _NEW | os.O_EXCL).fails(EEXIST)),
    Row("creat/excl-again", root.open("x", _NEW | os.O_EXCL), root.unlink("x"), root.open("x", _NEW | os.O_EXCL)),
    Row("creat/directory-flag", root.open("x", os.O_CREAT | os.O_DIRECTORY | os.O_RDONLY).fails(EINVAL)),
    Row("creat/unreadable-for-others", root.chmod(".", 0o777), alice.open("x", _NEW, 0o000, "f"),
        alice.write("f", b"a"),
        alice.open("x", os.O_RDONLY).fails(EACCES), alice.close("f"), root.content("x").gives(b"a")),
    Row("creat/read-only-but-written", root.chmod(".", 0o777), alice.open("x", _NEW, 0o444, "f"),
        alice.write("f", b"abc"), alice.close("f"), alice.open("x", os.O_RDWR).fails(EACCES),
        alice.content("x").gives(b"abc")),
    Row("trunc/empties", _X, root.open("x", os.O_WRONLY | os.O_TRUNC), root.lstat("x").shows(size=0)),
    Row("trunc/reading-empties-too", _X, root.open("x", os.O_RDONLY | os.O_TRUNC), root.lstat("x").shows(size=0)),
    Row("trunc/reading-needs-the-right-to-write", root.make("x", "file", 0o444, ALICE, GROUP),
        alice.open("x", os.O_RDONLY | os.O_TRUNC).fails(EACCES), root.lstat("x").shows(size=10)),
    Row("trunc/seen-by-others", _X, root.open("x", os.O_RDONLY, 0, "f"),
        root.open("x", os.O_WRONLY | os.O_TRUNC, 0, "g"),
        root.lstat("@f").shows(size=0), root.pread("f", 9, 0).gives(b""), root.write("g", b"new"),
        root.pread("f", 9, 0).gives(b"new")),
    Row("trunc/creat", root.open("x", _NEW | os.O_TRUNC), root.lstat("x").shows(size=0)),
    Row("trunc/excl-existing-is-not-emptied", _X, root.open("x", _NEW | os.O_EXCL | os.O_TRUNC).fails(EEXIST),
        root.lstat("x").shows(size=10)),
    Row("trunc/fifo", root.make("p", "fifo"), root.open("p", os.O_RDWR | os.O_TRUNC)),
    Row("append/two", _X, root.open("x", os.O_WRONLY | os.O_APPEND, 0, "f"),
        alice.open("x", os.O_WRONLY | os.O_APPEND, 0, "f"),
        root.write("f", b"a"), alice.write("f", b"b"), root.write("f", b"c"),
        root.content("x").gives(CONTENT + b"abc")),
    Row("append/seeking-is-for-reading", _X, root.open("x", os.O_RDWR | os.O_APPEND, 0, "f"), root.lseek("f", 2),
        root.read("f", 3).gives(b"234"), root.write("f", b"Z"), root.lseek("f", 0, os.SEEK_CUR).gives(11),
        root.pread("f", 99, 0).gives(CONTENT + b"Z")),
    Row("append/pwrite-appends", _X, root.open("x", os.O_RDWR | os.O_APPEND, 0, "f"), root.pwrite("f", b"Z", 0),
        root.content("x").gives(CONTENT + b"Z")),
    Row("append/after-truncate", _X, root.open("x", os.O_RDWR | os.O_APPEND, 0, "f"), root.write("f", b"a"),
        root.truncate("x", 2), root.write("f", b"b"), root.content("x").gives(b"01b")),
    Row("directory/reading", root.make("d", "full"), root.open("d", os.O_RDONLY, 0, "f"),
        root.read("f", 9).fails(EISDIR),
        root.write("f", b"").fails(EBADF), root.listfd("f").gives(["inside"]), root.openat("f", "inside", os.O_RDWR),
        root.fsync("f")),
    Row("directory/writing", root.mkdir("d"), root.open("d", os.O_RDWR).fails(EISDIR),
        root.open("d", os.O_WRONLY).fails(EISDIR)),
    Row("directory/flag", _X, root.open("x", os.O_RDONLY | os.O_DIRECTORY).fails(ENOTDIR), root.mkdir("d"),
        root.open("d", os.O_RDONLY | os.O_DIRECTORY), root.symlink("d", "l"),
        root.open("l", os.O_RDONLY | os.O_DIRECTORY),
        root.open("l", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW).fails(ENOTDIR)),
    Row("path/looks-only", _X, root.open("x", os.O_PATH, 0, "f"), root.lstat("@f").shows(size=10),
        root.read("f").fails(EBADF),
        root.fsync("f").fails(EBADF), root.chmod("@f", 0).fails(EBADF)),
    Row("path/needs-no-right", root.make("x", "file", 0, ALICE, GROUP), carol.open("x", os.O_PATH, 0, "f"),
        carol.lstat("@f").shows(size=10), carol.open("x", os.O_RDONLY).fails(EACCES)),
    Row("path/of-a-link", root.symlink("t", "l"), root.open("l", os.O_PATH | os.O_NOFOLLOW, 0, "f"),
        root.lstat("@f").shows(type="symlink")),
    Row("noatime/of-others", root.make("x", "file", 0o666, ALICE, GROUP),
        bob.open("x", os.O_RDONLY | os.O_NOATIME).fails(EPERM),
        alice.open("x", os.O_RDONLY | os.O_NOATIME), root.open("x", os.O_RDONLY | os.O_NOATIME)),
    Row("tmpfile", root.open(".", os.O_TMPFILE | os.O_RDWR, 0o640, "f"), root.write("f", b"abc"),
        root.lstat("@f").shows(nlink=0, size=3, mode=0o640), root.listdir(".").gives([]), root.link("@f", "x"),
        root.content("x").gives(b"abc")),
    Row("tmpfile/reading", root.open(".", os.O_TMPFILE | os.O_RDONLY).fails(EINVAL)),
    Row("tmpfile/of-a-file", _X, root.open("x", os.O_TMPFILE | os.O_RDWR).fails(ENOTDIR)),
    Row("direct", root.open("x", _NEW | os.O_DIRECT, 0o644, "f"), root.lstat("@f").shows(size=0)),
    Row("fifo", root.make("p", "fifo"), root.open("p", os.O_WRONLY).fails(ENXIO), root.open("p", os.O_RDONLY, 0, "r"),
        root.open("p", os.O_WRONLY, 0, "w"), root.write("w", b"abc"), root.read("r", 9).gives(b"abc"),
        root.lseek("r", 0).fails(ESPIPE)),
    Row("fifo/between-users", root.make("p", "fifo", 0o666), alice.open("p", os.O_RDONLY, 0, "r"),
        bob.open("p", os.O_WRONLY, 0, "w"),
        bob.write("w", b"abc"), alice.read("r", 9).gives(b"abc")),
    Row("fifo/two-names", root.make("p", "fifo"), root.link("p", "q"), root.open("p", os.O_RDONLY, 0, "r"),
        root.open("q", os.O_WRONLY, 0, "w"), root.write("w", b"abc"), root.read("r", 9).gives(b"abc")),
    Row("socket", root.bind("s"), root.open("s", os.O_RDWR).fails(ENXIO)),
    Row("device", root.make("n", "char", 0o666), root.open("n", os.O_RDWR, 0, "f"), root.write("f", b"abc").gives(3),
        root.read("f", 9).gives(b""), alice.open("n", os.O_RDWR)),
    Row("chmod-ends-nothing-that-is-open", root.make("x", "file", 0o666, ALICE, GROUP),
        bob.open("x", os.O_RDWR, 0, "f"),
        alice.chmod("x", 0o600), bob.write("f", b"A"), bob.pread("f", 2, 0).gives(b"A1"),
        bob.open("x", os.O_RDONLY).fails(EACCES)),
    Row("dup/shares-its-position", _X, root.open("x", os.O_RDWR, 0, "f"), root.dup("f", "g"), root.read("f", 3),
        root.read("g", 3).gives(b"345"), root.close("f"), root.write("g", b"ab"), root.close("g"),
        root.content("x").gives(b"012345ab89")),
    Row("many-times", _X, *(root.open("x", os.O_RDWR, 0, f"f{number}") for number in range(100)),
        root.pwrite("f7", b"A", 0), root.pread("f99", 1, 0).gives(b"A")),
    Row("seek", _X, root.open("x", os.O_RDWR, 0, "f"), root.lseek("f", -1).fails(EINVAL),
        root.lseek("f", 0, os.SEEK_END).gives(10),
        root.lseek("f", -3, os.SEEK_END).gives(7), root.lseek("f", 100).gives(100), root.read("f", 1).gives(b""),
        root.lseek("f", 0, 99).fails(EINVAL), root.lseek("f", 10, os.SEEK_DATA).fails(ENXIO),
        root.lseek("f", 0, os.SEEK_DATA).gives(0), root.lseek("f", 0, os.SEEK_HOLE).gives(10)),
    Row("negative-offsets", _X, root.open("x", os.O_RDWR, 0, "f"), root.pread("f", 1, -1).fails(EINVAL),
        root.pwrite("f", b"x", -1).fails(EINVAL)),
)  # fmt: skip


_SLEEP = root.copy("/bin/sleep", "p", 0o755)
_ID = root.copy("/usr/bin/id", "p", 0o755)


def _programs() -> Iterator[Row]:
    running = _SLEEP, root.start("p")
    for name, flags in (("write", os.O_WRONLY), ("both", os.O_RDWR), ("trunc", os.O_WRONLY | os.O_TRUNC),
                        ("creat", _NEW), ("append", os.O_WRONLY | os.O_APPEND)):  # fmt: skip
        yield Row(f"running/open-{name}", *running, root.open("p", flags).fails(ETXTBSY), root.stop(),
                  root.open("p", flags))  # fmt: skip
    yield Row("running/truncate", *running, root.truncate("p", 0).fails(ETXTBSY), root.stop(), root.truncate("p", 0))
    yield Row("running/read", *running, root.open("p", os.O_RDONLY), root.chmod("p", 0o700), root.link("p", "q"),
              root.rename("p", "r"), root.unlink("r"), root.unlink("q"))  # fmt: skip
    yield Row("running/open-for-writing", _ID, root.open("p", os.O_RDWR, 0, "f"), root.run("p", "-u").fails(ETXTBSY),
              root.close("f"), root.run("p", "-u").gives("0"))  # fmt: skip
    yield Row("program/written-and-run", root.open("p", _NEW, 0o755, "f"), root.write("f", b"#!/bin/sh\necho hello\n"),
              root.close("f"), root.run("p").gives("hello"), root.chmod("p", 0o644),
              root.run("p").fails(EACCES))  # fmt: skip
    for name, uid, gid in (("alice", "5001", "5001"), ("carol", "5003", "5003")):
        yield Row(
            f"set-id/none/{name}", _ID, PEOPLE[name].run("p", "-u").gives(uid), PEOPLE[name].run("p", "-g").gives(gid)
        )
        yield Row(f"set-id/user/{name}", _ID, root.chown("p", 1234, 5678), root.chmod("p", 0o4755),
                  PEOPLE[name].run("p", "-u").gives("1234"), PEOPLE[name].run("p", "-g").gives(gid))  # fmt: skip
        yield Row(f"set-id/group/{name}", _ID, root.chown("p", 1234, 5678), root.chmod("p", 0o2755),
                  PEOPLE[name].run("p", "-u").gives(uid), PEOPLE[name].run("p", "-g").gives("5678"))  # fmt: skip
        yield Row(f"set-id/locks/{name}", _ID, root.chown("p", 1234, 5678), root.chmod("p", 0o2745),
                  PEOPLE[name].run("p", "-g").gives(gid))  # fmt: skip


# Addresses that do not exist. (n,) is a buffer of n bytes.

_AT_FDCWD = -100
_RAW: dict[str, tuple[object, ...]] = {
    "open": (BAD, 0), "openat": (_AT_FDCWD, BAD, 0), "mkdir": (BAD, 0o755), "mkdirat": (_AT_FDCWD, BAD, 0o755),
    "rmdir": (BAD,), "unlink": (BAD,), "unlinkat": (_AT_FDCWD, BAD, 0), "mkfifo": (BAD, 0o644),
    "mknod": (BAD, 0o644, 0),
    "chmod": (BAD, 0o644), "chown": (BAD, 0, 0), "lchown": (BAD, 0, 0), "truncate": (BAD, 0), "access": (BAD, 0),
    "chdir": (BAD,), "link": (BAD, "y"), "symlink": (BAD, "y"), "rename": (BAD, "y"), "readlink": (BAD, (99,), 99),
    "statfs": (BAD, (999,)), "utimensat": (_AT_FDCWD, BAD, 0, 0x100), "setxattr": (BAD, "user.a", "x", 1, 0),
    "getxattr": (BAD, "user.a", (9,), 9), "listxattr": (BAD, (9,), 9), "removexattr": (BAD, "user.a"),
}  # fmt: skip
_RAW_SECOND: dict[str, tuple[object, ...]] = {
    "link": ("x", BAD), "symlink": ("x", BAD), "rename": ("x", BAD), "readlink": ("l", BAD, 99), "statfs": ("x", BAD),
    "utimensat": (_AT_FDCWD, "x", BAD, 0), "setxattr": ("x", BAD, "x", 1, 0), "getxattr": ("x", BAD, (9,), 9),
    "removexattr": ("x", BAD), "read": ("@f", BAD, 9), "write": ("@f", BAD, 9), "pread": ("@f", BAD, 9, 0),
    "pwrite": ("@f", BAD, 9, 0), "readv": ("@f", BAD, 1), "writev": ("@f", BAD, 1), "getdents64": ("@d", BAD, 4096),
    "fstat": ("@f", BAD), "fstatfs": ("@f", BAD), "futimens": ("@f", BAD), "stat": ("x", BAD), "lstat": ("x", BAD),
}  # fmt: skip
_RAW_THIRD: dict[str, tuple[object, ...]] = {
    "setxattr": ("x", "user.b", BAD, 1, 0), "getxattr": ("x", "user.a", BAD, 9), "listxattr": ("x", BAD, 999),
}  # fmt: skip


def _addresses() -> Iterator[Row]:
    before: tuple[Step, ...] = (
        _X, root.setxattr("x"), root.symlink("t", "l"), root.open("x", os.O_RDWR, 0, "f"),
        root.open(".", os.O_RDONLY, 0, "d"),
    )  # fmt: skip
    for place, table in (("first", _RAW), ("second", _RAW_SECOND), ("third", _RAW_THIRD)):
        for name, arguments in table.items():
            yield Row(f"address/{name}/{place}", *before, root.raw(name, *arguments).fails(EFAULT),
                      root.content("x").gives(CONTENT), root.listdir(".").gives(["l", "x"]))  # fmt: skip
    yield Row("address/write/beyond-a-page", *before, root.raw("write", "@f", (5000,), 5000).gives(5000),
              root.lstat("x").shows(size=5000))  # fmt: skip


@pytest.mark.parametrize("rows", grouped([*_flags(), *_OTHERS, *_programs(), *_addresses()]))
def test_open(place: Place, rows: list[Row]) -> None:
    place.run(rows)
