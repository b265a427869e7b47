"""rename and renameat2: everything over everything, with each flag; directories that move; who may; and the times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EACCES, EBUSY, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EXDEV

import pytest
from rows import ALICE, ELSEWHERE, GROUP, PEOPLE, Place, Row, Step, alice, grouped, root
from verbs import EXCHANGE, KINDS, NOREPLACE

_KINDS = (*KINDS, "full")
_DIRECTORIES = ("dir", "full")
_TYPE = {"full": "dir"}
_FLAGS = {"": 0, "/noreplace": NOREPLACE, "/exchange": EXCHANGE}


def _number(source: str, target: str, flags: int) -> int:
    """Return with which errno renaming a *source* over a *target* fails, if it does."""
    if flags == EXCHANGE:
        return ENOENT if target == "missing" else 0
    if target == "missing":
        return 0
    if flags == NOREPLACE:
        return EEXIST
    if source in _DIRECTORIES:
        return {"dir": 0, "full": ENOTEMPTY}.get(target, ENOTDIR)
    return EISDIR if target in _DIRECTORIES else 0


def _everything_over_everything() -> Iterator[Row]:
    for source in _KINDS:
        for target in (*_KINDS, "missing"):
            for name, flags in _FLAGS.items():
                yield _over(f"{source}/over-{target}{name}", source, target, flags, "a", "b")
                yield _over(f"{source}/elsewhere-{target}{name}", source, target, flags, "d/a", "e/b")


def _over(name: str, source: str, target: str, flags: int, old: str, new: str) -> Row:
    number = _number(source, target, flags)
    before = [root.mkdir("d"), root.mkdir("e"), root.make(old, source), root.mark(old, "source")]
    if target != "missing":
        before += [root.make(new, target), root.mark(new, "target")]
    call = root.rename(old, new, flags).fails(number)
    links_d, links_e = _links(source, target, old, number, flags)
    moved = dict.fromkeys(("d", "e"), "" if number else "mc")
    after: list[Step] = []
    if number:
        after.append(root.isit(old, "source").gives(True))
        after.append(root.isit(new, "target").gives(True) if target != "missing" else root.lstat(new).fails(ENOENT))
    else:
        # The times of what moves itself are each filesystem's own, says POSIX; on Linux ctime moves.
        moved[f"{old}>{new}"] = "c"
        shown = root.lstat(new).shows(type=_TYPE.get(source, source))
        after += [root.isit(new, "source").gives(True), shown]
        if flags == EXCHANGE:
            moved[f"{new}>{old}"] = "c"
            after.append(root.isit(old, "target").gives(True))
        else:
            after.append(root.lstat(old).fails(ENOENT))
    if old != "a":
        after += [root.lstat("d").shows(nlink=links_d), root.lstat("e").shows(nlink=links_e)]
    # In one directory the same moves; not to look spares a wait for the clock.
    return Row(name, *before, call if old == "a" else call.moving(moved), *after)


def _links(source: str, target: str, old: str, number: int, flags: int) -> tuple[int, int]:
    """Return the link counts of the two directories afterwards."""
    in_d, in_e = source in _DIRECTORIES, target in _DIRECTORIES
    if not number and flags == EXCHANGE:
        in_d, in_e = in_e, in_d
    elif not number:
        in_d, in_e = False, in_d
    return 2 + in_d, 2 + in_e


def _gone_while_open() -> Iterator[Row]:
    """What is replaced goes on for those who have it open."""
    for kind in KINDS:
        before = [root.make("b", kind), root.make("a", "dir" if kind == "dir" else "file")]
        flags = os.O_PATH | os.O_NOFOLLOW if kind not in ("file", "dir") else os.O_RDONLY
        opened = root.open("b", flags, 0, "f")
        yield Row(f"replaced/{kind}", *before, opened, root.rename("a", "b").moving({"@f": "c"}),
                  root.lstat("@f").shows(nlink=0, type=kind))  # fmt: skip
        if kind != "dir":
            yield Row(f"replaced/{kind}-with-another-name", *before, root.link("b", "c"), opened,
                      root.rename("a", "b").moving({"@f": "c"}), root.lstat("@f").shows(nlink=1),
                      root.lstat("c").shows(nlink=1, type=kind))  # fmt: skip


def _one_inode() -> Iterator[Row]:
    """A rename onto another name of the same thing does nothing at all."""
    for kind in KINDS:
        if kind == "dir":
            continue
        before = [root.make("a", kind), root.link("a", "b"), root.mkdir("d"), root.link("a", "d/c")]
        for name, target in (("beside", "b"), ("elsewhere", "d/c"), ("itself", "a")):
            yield Row(f"same/{kind}-{name}", *before, root.rename("a", target).moving({"a": "", ".": "", "d": ""}),
                      root.lstat("a").shows(nlink=3), root.lstat(target).shows(nlink=3))  # fmt: skip
            yield Row(f"same/{kind}-{name}/noreplace", *before,
                      root.rename("a", target, NOREPLACE).fails(EEXIST).moving({"a": "", ".": ""}))  # fmt: skip
    for flags, number in ((0, 0), (NOREPLACE, EEXIST), (EXCHANGE, 0)):
        yield Row(f"same/dir-itself/{flags}", root.mkdir("a"),
                  root.rename("a", "a", flags).fails(number).moving({"a": "", ".": ""}))  # fmt: skip


_TREE = (root.mkdir("a"), root.mkdir("a/b"), root.mkdir("a/b/c"), root.make("a/f", "file"))

_OTHERS = (
    Row("into-itself", *_TREE, root.rename("a", "a/x").fails(EINVAL).moves(a="")),
    Row("far-into-itself", *_TREE, root.rename("a", "a/b/c/x").fails(EINVAL)),
    Row("onto-its-child", *_TREE, root.rename("a", "a/b").fails(EINVAL)),
    Row("onto-its-grandchild", *_TREE, root.rename("a", "a/b/c").fails(EINVAL)),
    Row("onto-its-file", *_TREE, root.rename("a", "a/f").fails(EINVAL)),
    Row("onto-its-parent", *_TREE, root.rename("a/b", "a").fails(ENOTEMPTY)),
    Row("onto-its-grandparent", *_TREE, root.rename("a/b/c", "a").fails(ENOTEMPTY)),
    Row("file-onto-its-directory", *_TREE, root.rename("a/f", "a").fails(ENOTEMPTY)),
    Row("exchange-with-its-child", *_TREE, root.rename("a", "a/b", EXCHANGE).fails(EINVAL)),
    Row("exchange-with-its-parent", *_TREE, root.rename("a/b", "a", EXCHANGE).fails(EINVAL)),
    Row("exchange-with-its-file", *_TREE, root.rename("a/f", "a", EXCHANGE).fails(EINVAL)),
    Row("noreplace-into-itself", *_TREE, root.rename("a", "a/x", NOREPLACE).fails(EINVAL)),
    Row("both-flags", root.make("a", "file"), root.make("b", "file"),
        root.rename("a", "b", NOREPLACE | EXCHANGE).fails(EINVAL)),
    Row("unknown-flag", root.make("a", "file"), root.rename("a", "b", 1 << 10).fails(EINVAL)),
    Row("dot", root.mkdir("a"), root.rename("a/.", "b").fails(EBUSY), root.rename("a", "b/.").fails(ENOENT)),
    Row("dotdot", root.mkdir("a"), root.mkdir("a/b"), root.rename("a/b/..", "c").fails(EBUSY),
        root.mkdir("d"), root.rename("d", "a/b/..").fails(EBUSY)),
    Row("moves-what-is-in-it", *_TREE, root.mark("a/f", "f"), root.rename("a", "z"), root.isit("z/f", "f").gives(True),
        root.lstat("z/b/c").shows(type="dir"), root.lstat("a/f").fails(ENOENT), root.listdir("z").gives(["b", "f"]),
        root.listdir(".").gives(["z"])),
    Row("dotdot-follows", root.mkdir("a"), root.mkdir("a/b"), root.mkdir("z"), root.rename("a/b", "z/b"),
        root.mark("z", "z"), root.isit("z/b/..", "z").gives(True), root.lstat("a").shows(nlink=2),
        root.lstat("z").shows(nlink=3)),
    Row("cwd-follows", root.mkdir("a"), root.make("a/f", "file"), root.chdir("a"), root.rename("../a", "../z"),
        root.lstat("f"), root.rename("f", "g"), root.lstat("../z/g")),
    Row("open-follows", root.make("a", "file"), root.open("a", os.O_RDWR, 0, "f"), root.rename("a", "b"),
        root.pwrite("f", b"X", 0), root.content("b").gives(b"X123456789"), root.chmod("@f", 0o600),
        root.lstat("b").shows(mode=0o600)),
    Row("open-is-replaced", root.make("a", "file"), root.make("b", "file"), root.open("b", os.O_RDWR, 0, "f"),
        root.rename("a", "b"), root.pwrite("f", b"X", 0), root.content("b").gives(b"0123456789"),
        root.pread("f", 3, 0).gives(b"X12")),
    Row("directory-is-replaced-while-open", root.mkdir("a"), root.mkdir("b"), root.open("b", os.O_RDONLY, 0, "f"),
        root.rename("a", "b"), root.lstat("@f").shows(nlink=0), root.listfd("f").gives([]),
        root.mkdirat("f", "x").fails(ENOENT)),
    Row("link-moves-not-its-target", root.make("t", "file"), root.symlink("t", "a"), root.mark("t", "t"),
        root.rename("a", "b"), root.readlink("b").gives("t"), root.isit("t", "t").gives(True)),
    Row("replaces-the-link-not-its-target", root.make("t", "file"), root.symlink("t", "b"), root.make("a", "file"),
        root.mark("t", "t"), root.rename("a", "b"), root.lstat("b").shows(type="file"),
        root.isit("t", "t").gives(True)),
    Row("slashes", root.mkdir("a"), root.rename("a/", "b/"), root.rename("b", "c/"), root.rename("c/", "d"),
        root.lstat("d").shows(type="dir")),
    Row("back-and-forth", root.make("a", "file"), root.mark("a", "a"),
        *(root.rename(*names) for _ in range(8) for names in (("a", "b"), ("b", "a"))),
        root.isit("a", "a").gives(True)),
    Row("to-elsewhere-missing", root.make("a", "file"), root.rename("a", f"{ELSEWHERE}/missing/b").fails(ENOENT)),
)  # fmt: skip


def _elsewhere() -> Iterator[Row]:
    for kind in _KINDS:
        for name, flags in _FLAGS.items():
            there = f"{ELSEWHERE}/{kind}{flags}"
            target = [root.make(there, "file")] * (flags == EXCHANGE)  # what is missing is missed first
            yield Row(f"elsewhere/{kind}{name}", root.make("a", kind), *target,
                      root.rename("a", there, flags).fails(EXDEV).moves(a=""))  # fmt: skip


def _who_may() -> Iterator[Row]:
    """A directory that moves to another one changes itself, too: its own bits count then."""
    for kind in _KINDS:
        for name, mode in (("writable", 0o777), ("unwritable", 0o555), ("closed", 0)):
            if kind == "symlink" and mode != 0o777:
                continue
            owned = [root.make(path, "dir", 0o777, ALICE, GROUP) for path in ("d", "e")]
            of = f"{kind}-{name}"
            x = root.make("d/x", kind, None if kind == "symlink" else mode, 5003, 5003)
            changes = kind in _DIRECTORIES and not mode & 0o002
            yield Row(f"may/beside-{of}", *owned, x, alice.rename("d/x", "d/y"))
            yield Row(f"may/move-{of}", *owned, x, alice.rename("d/x", "e/y").fails(EACCES * changes))
            yield Row(f"may/exchange-{of}", *owned, x, root.make("e/y", "file"),
                      alice.rename("d/x", "e/y", EXCHANGE).fails(EACCES * changes))  # fmt: skip
            yield Row(f"may/exchange-back-{of}", *owned, x, root.make("e/y", "file"),
                      alice.rename("e/y", "d/x", EXCHANGE).fails(EACCES * changes))  # fmt: skip
            yield Row(f"may/root-move-{of}", *owned, x, root.rename("d/x", "e/y"))
    for name in ("alice", "bob", "carol"):
        for closed in ("d", "e"):
            modes = {"d": 0o777, "e": 0o777} | {closed: 0o555}
            made = [root.make(path, "dir", mode, ALICE, GROUP) for path, mode in modes.items()]
            for flags in _FLAGS.values():
                files = [root.make("d/x", "file", 0o666)] + [root.make("e/y", "file", 0o666)] * (flags == EXCHANGE)
                yield Row(f"unwritable/{closed}-{name}-{flags}", *made, *files,
                          PEOPLE[name].rename("d/x", "e/y", flags).fails(EACCES))  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    grouped(
        [*_everything_over_everything(), *_gone_while_open(), *_one_inode(), *_OTHERS, *_elsewhere(), *_who_may()],
    ),
)
def test_rename(place: Place, rows: list[Row]) -> None:
    place.run(rows)
