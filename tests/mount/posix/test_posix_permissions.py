"""Who may do what: the bits of files and directories, directories that may not be written, and what only owners may."""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EACCES, ECONNREFUSED, EEXIST, ENOEXEC, ENXIO, EPERM

import pytest
from calls import MAKING, PATH_CALLS, REMOVING
from rows import ALICE, GROUP, PEOPLE, Person, Place, Row, Step, alice, bob, carol, grouped, root
from verbs import KINDS

_CLASSES = (("alice", 6), ("bob", 3), ("carol", 0))  # who is the owner, in the group, anybody; and where their bits are


def _mode(shift: int, bits: int) -> int:
    """Return the mode in which one class may do *bits*, and the others what it may not."""
    others = sum((7 - bits) << other for other in (0, 3, 6) if other != shift)
    return bits << shift | others


def _number(bits: int, needed: int, otherwise: int = 0) -> int:
    return otherwise if bits & needed == needed else EACCES


def _bits_of_files() -> Iterator[Row]:
    for name, shift in _CLASSES:
        who = PEOPLE[name]
        for bits in range(8):
            mode = _mode(shift, bits)
            x = root.make("x", "file", mode, ALICE, GROUP)
            reads, writes = _number(bits, 4), _number(bits, 2)
            of = f"{name}-{bits}"
            yield Row(f"file/open-read/{of}", x, who.open("x", os.O_RDONLY).fails(reads))
            yield Row(f"file/open-write/{of}", x, who.open("x", os.O_WRONLY).fails(writes))
            yield Row(f"file/open-both/{of}", x, who.open("x", os.O_RDWR).fails(_number(bits, 6)))
            yield Row(f"file/open-creat/{of}", x, who.open("x", os.O_CREAT | os.O_WRONLY).fails(writes))
            yield Row(f"file/open-trunc/{of}", x, who.open("x", os.O_RDONLY | os.O_TRUNC).fails(_number(bits, 6)))
            yield Row(f"file/open-append/{of}", x, who.open("x", os.O_WRONLY | os.O_APPEND).fails(writes))
            yield Row(f"file/open-path/{of}", x, who.open("x", os.O_PATH))
            yield Row(f"file/truncate/{of}", x, who.truncate("x", 3).fails(writes))
            yield Row(f"file/run/{of}", x, who.run("x").fails(_number(bits, 1, ENOEXEC)))
            yield Row(f"file/xattrs/{of}", x, who.setxattr("x").fails(writes), root.setxattr("x"),
                      who.getxattr("x").fails(reads), who.listxattr("x").gives(["user.a"]),
                      who.removexattr("x").fails(writes))  # fmt: skip
            yield Row(f"file/access/{of}", x, *_accesses(who, bits))
            yield Row(f"file/utime/{of}", x, who.utime("x").fails(0 if name == "alice" else writes))
            yield Row(f"file/looking/{of}", x, who.lstat("x").shows(mode=mode), who.stat("x"), who.listxattr("x"))


def _accesses(who: Person, bits: int) -> Iterator[Step]:
    for wanted in range(8):
        yield who.faccess("x", wanted).fails(_number(bits, wanted))


def _bits_of_directories() -> Iterator[Row]:
    for name, shift in _CLASSES:
        who = PEOPLE[name]
        for bits in range(8):
            x = (root.make("x", "full", _mode(shift, bits), ALICE, GROUP), root.chown("x/inside", ALICE, GROUP))
            searches, writes = _number(bits, 1), _number(bits, 3)
            of = f"{name}-{bits}"
            yield Row(f"dir/list/{of}", *x, who.listdir("x").fails(_number(bits, 4)))
            yield Row(f"dir/chdir/{of}", *x, who.chdir("x").fails(searches))
            yield Row(f"dir/lookup/{of}", *x, who.lstat("x/inside").fails(searches))
            yield Row(f"dir/open-inside/{of}", *x, who.open("x/inside", os.O_RDONLY).fails(searches))
            yield Row(f"dir/mkdir/{of}", *x, who.mkdir("x/new").fails(writes))
            yield Row(f"dir/create/{of}", *x, who.open("x/new", os.O_CREAT | os.O_WRONLY).fails(writes))
            yield Row(f"dir/unlink/{of}", *x, who.unlink("x/inside").fails(writes))
            yield Row(f"dir/rename/{of}", *x, who.rename("x/inside", "x/new").fails(writes))
            yield Row(f"dir/access/{of}", *x, *_accesses(who, bits))


def _bits_of_others() -> Iterator[Row]:
    for name, shift in _CLASSES:
        who = PEOPLE[name]
        for bits in range(8):
            mode, of = _mode(shift, bits), f"{name}-{bits}"
            for kind in ("fifo", "char", "block", "socket"):
                x = root.make("x", kind, mode, ALICE, GROUP)
                yield Row(f"{kind}/access/{of}", x, *_accesses(who, bits))
                opened = {"fifo": (0, ENXIO), "char": (0, 0)}.get(kind, (ENXIO, ENXIO))
                yield Row(f"{kind}/open-read/{of}", x, who.open("x", os.O_RDONLY).fails(_number(bits, 4, opened[0])))
                yield Row(f"{kind}/open-write/{of}", x, who.open("x", os.O_WRONLY).fails(_number(bits, 2, opened[1])))
            bound = (root.bind("x"), root.chown("x", ALICE, GROUP), root.chmod("x", mode))
            yield Row(f"socket/connect/{of}", *bound, who.connect("x").fails(_number(bits, 2, ECONNREFUSED)))


def _root_may() -> Iterator[Row]:
    for mode in (0, 0o111, 0o100, 0o010, 0o001, 0o666, 0o777):
        x = root.make("x", "file", mode, ALICE, GROUP)
        runs = ENOEXEC if mode & 0o111 else EACCES
        yield Row(f"root/file-{mode:o}", x, root.open("x", os.O_RDWR), root.truncate("x", 3), root.run("x").fails(runs),
                  root.faccess("x", 6), root.faccess("x", 1).fails(0 if mode & 0o111 else EACCES))  # fmt: skip
        d = root.make("d", "full", mode, ALICE, GROUP)
        yield Row(f"root/dir-{mode:o}", d, root.listdir("d"), root.mkdir("d/new"), root.chdir("d"),
                  root.faccess(".", 7), root.unlink("inside"))  # fmt: skip


# A directory that may not be written: nothing comes, nothing goes, and nothing is given another name.


def _unwritable_directories() -> Iterator[Row]:
    for name, shift in _CLASSES:
        who = PEOPLE[name]
        closed = root.make("d", "dir", 0o777 & ~(2 << shift), ALICE, GROUP)
        open_ = root.make("d", "dir", 3 << shift, ALICE, GROUP)
        for call in MAKING:
            # Linux lets people link only what is theirs, or what they may write, if it is told to.
            before = root.make("f0", "file", 0o666), root.chown("f0", *_ids(name))
            yield Row(f"unwritable/{call}/{name}", *before, closed, PATH_CALLS[call](who, "d/x").fails(EACCES))
            yield Row(f"writable/{call}/{name}", *before, open_, PATH_CALLS[call](who, "d/x"))
        for call in REMOVING:
            x = root.make("d/x", "dir" if call == "rmdir" else "file", 0o777, ALICE, GROUP)
            yield Row(f"unwritable/{call}/{name}", closed, x, PATH_CALLS[call](who, "d/x").fails(EACCES))
            yield Row(f"writable/{call}/{name}", open_, x, PATH_CALLS[call](who, "d/x"))
        for call in ("rename-to", "noreplace-to", "exchange-with"):
            f0 = root.make("f0", "file", 0o666, ALICE, GROUP)
            there = [root.make("d/x", "file", 0o666, ALICE, GROUP)] * (call == "exchange-with")
            yield Row(f"unwritable/{call}/{name}", f0, closed, *there, PATH_CALLS[call](who, "d/x").fails(EACCES))
            yield Row(f"writable/{call}/{name}", f0, open_, *there, PATH_CALLS[call](who, "d/x"))
        yield Row(f"unwritable/what-exists/{name}", closed, root.make("d/x", "dir"), root.make("d/f", "file", 0o666),
                  who.mkdir("d/x").fails(EEXIST), who.mknod("d/f", "fifo").fails(EEXIST),
                  who.open("d/f", os.O_CREAT | os.O_RDWR), who.truncate("d/f", 0))  # fmt: skip


def _ids(name: str) -> tuple[int, int]:
    return {"alice": (5001, GROUP), "bob": (5002, GROUP), "carol": (5003, 5003)}[name]


# What only its owner may do, whatever its bits say.


def _owners_only() -> Iterator[Row]:
    for kind in KINDS:
        x = root.make("x", kind, None if kind == "symlink" else 0o777, ALICE, GROUP)
        for name, number in (("root", 0), ("alice", 0), ("bob", EPERM), ("carol", EPERM)):
            who, of = PEOPLE[name], f"{kind}/{name}"
            moved = "" if number else "c"
            if kind != "symlink":
                yield Row(f"owner/chmod/{of}", x, who.chmod("x", 0o640).fails(number).moves(x=moved))
                yield Row(f"owner/chown/{of}", x, who.chown("x", ALICE, -1).fails(number).moves(x=moved))
                yield Row(f"owner/utimens/{of}", x, who.utimens("x", 1, "omit").fails(number).moves(x=moved and "ac"))
            yield Row(f"owner/lchown/{of}", x, who.lchown("x", -1, GROUP).fails(number).moves(x=moved))
            yield Row(f"owner/lchown-away/{of}", x, who.lchown("x", 5002, -1).fails(EPERM if name != "root" else 0))
            yield Row(f"owner/lutimens/{of}", x, who.utimens("x", 1, 1, False).fails(number).moves(x=moved and "amc"))


@pytest.mark.parametrize(
    "rows",
    grouped(
        [
            *_bits_of_files(),
            *_bits_of_directories(),
            *_bits_of_others(),
            *_root_may(),
            *_unwritable_directories(),
            *_owners_only(),
        ]
    ),
)
def test_permissions(place: Place, rows: list[Row]) -> None:
    place.run(rows)


def test_special_files_by_nobody_but_root(place: Place) -> None:
    for kind in ("char", "block"):
        for who in (alice, bob, carol):
            place.run([Row(f"mknod-{kind}", root.chmod(".", 0o777), who.mknod("x", kind).fails(EPERM))])
