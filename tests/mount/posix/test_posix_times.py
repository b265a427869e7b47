"""Which call moves which of atime, mtime and ctime, of what it is about and of the directories around it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EACCES, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EPERM

import pytest
from rows import Place, Row, Step, carol, grouped, root
from verbs import EXCHANGE, KINDS, NOREPLACE

_X = root.make("x", "file", 0o666)
_FULL = root.make("d", "full")


def _opened(flags: int) -> tuple[Step, ...]:
    return _X, root.open("x", flags, 0, "f")


_RDWR = _opened(os.O_RDWR)
_NOTHING = {"x": "", ".": ""}

# Files. "." is where they are.
_FILES: tuple[tuple[str, tuple[Step, ...], Step, dict[str, str]], ...] = (
    ("open-read", (_X,), root.open("x", os.O_RDONLY), _NOTHING),
    ("open-write", (_X,), root.open("x", os.O_WRONLY), _NOTHING),
    ("open-both", (_X,), root.open("x", os.O_RDWR), _NOTHING),
    ("open-creat-existing", (_X,), root.open("x", os.O_RDWR | os.O_CREAT), _NOTHING),
    ("open-append", (_X,), root.open("x", os.O_RDWR | os.O_APPEND), _NOTHING),
    ("open-trunc", (_X,), root.open("x", os.O_WRONLY | os.O_TRUNC), {"x": "mc", ".": ""}),
    ("open-trunc-empty", (root.mknod("x", "file"),), root.open("x", os.O_WRONLY | os.O_TRUNC), {"x": "mc", ".": ""}),
    ("open-trunc-reading", (_X,), root.open("x", os.O_RDONLY | os.O_TRUNC), {"x": "mc", ".": ""}),
    ("open-excl-existing", (_X,), root.open("x", os.O_WRONLY | os.O_CREAT | os.O_EXCL).fails(EEXIST), _NOTHING),
    ("open-creat", (), root.open("x", os.O_WRONLY | os.O_CREAT), {".": "mc"}),
    ("open-path", (_X,), root.open("x", os.O_PATH), _NOTHING),
    ("close", _RDWR, root.close("f"), _NOTHING),
    ("close-written", (*_RDWR, root.write("f", b"abc")), root.close("f"), _NOTHING),
    ("close-created", (root.open("x", os.O_WRONLY | os.O_CREAT, 0o644, "f"),), root.close("f"), _NOTHING),
    ("close-created-written", (root.open("x", os.O_WRONLY | os.O_CREAT, 0o644, "f"), root.write("f", b"abc")),
     root.close("f"), _NOTHING),
    ("fsync-written", (*_RDWR, root.write("f", b"abc")), root.fsync("f"), _NOTHING),
    ("read", _opened(os.O_RDONLY), root.read("f", 3), {"x": "a", ".": ""}),
    ("read-noatime", _opened(os.O_RDONLY | os.O_NOATIME), root.read("f", 3), _NOTHING),
    ("read-again", (*_opened(os.O_RDONLY), root.read("f", 3), root.utimens("x", 9, 5)), root.pread("f", 3, 0),
     {"x": "a", ".": ""}),
    ("read-after-read", (*_opened(os.O_RDONLY), root.look(["x"]), root.read("f", 3), root.look(["x"])),
     root.pread("f", 3, 0), _NOTHING),
    ("read-nothing", _opened(os.O_RDONLY), root.read("f", 0), _NOTHING),
    ("seek", _RDWR, root.lseek("f", 5), _NOTHING),
    ("write", _RDWR, root.write("f", b"abc"), {"x": "mc", ".": ""}),
    ("write-again", (*_RDWR, root.write("f", b"abc")), root.write("f", b"abc"), {"x": "mc", ".": ""}),
    ("write-same", _RDWR, root.pwrite("f", b"012", 0), {"x": "mc", ".": ""}),
    ("write-beyond", _RDWR, root.pwrite("f", b"abc", 99), {"x": "mc", ".": ""}),
    ("write-nothing", _RDWR, root.write("f", b""), _NOTHING),
    ("append", _opened(os.O_WRONLY | os.O_APPEND), root.write("f", b"abc"), {"x": "mc", ".": ""}),
    ("truncate-shorter", (_X,), root.truncate("x", 5), {"x": "mc", ".": ""}),
    ("truncate-longer", (_X,), root.truncate("x", 50), {"x": "mc", ".": ""}),
    ("truncate-to-nothing", (_X,), root.truncate("x", 0), {"x": "mc", ".": ""}),
    ("truncate-fails", (_X,), root.truncate("x", -1).fails(EINVAL), _NOTHING),
    ("truncate-not-allowed", (root.make("x", "file", 0o444),), carol.truncate("x", 1).fails(EACCES), _NOTHING),
    ("ftruncate-shorter", _RDWR, root.truncate("@f", 5), {"x": "mc", ".": ""}),
    ("ftruncate-longer", _RDWR, root.truncate("@f", 50), {"x": "mc", ".": ""}),
    ("ftruncate-same", _RDWR, root.truncate("@f", 10), {"x": "mc", ".": ""}),
    ("ftruncate-fails", _RDWR, root.truncate("@f", -1).fails(EINVAL), _NOTHING),
    ("poke", (*_RDWR, root.mapped("f", "m")), root.poke("m", 0, b"abc"), {".": ""}),
    ("poke-msync", (*_RDWR, root.mapped("f", "m"), root.poke("m", 0, b"abc")), root.msync("m"), {".": ""}),
    ("setxattr", (_X,), root.setxattr("x"), {"x": "c", ".": ""}),
    ("setxattr-same", (_X, root.setxattr("x")), root.setxattr("x"), _NOTHING),
    ("setxattr-create-fails", (_X, root.setxattr("x")), root.setxattr("x", "user.a", b"", 1).fails(EEXIST), _NOTHING),
    ("removexattr", (_X, root.setxattr("x")), root.removexattr("x"), {"x": "c", ".": ""}),
    ("getxattr", (_X, root.setxattr("x")), root.getxattr("x"), _NOTHING),
    ("listxattr", (_X, root.setxattr("x")), root.listxattr("x"), _NOTHING),
    ("fsetxattr", _RDWR, root.setxattr("@f"), {"x": "c", ".": ""}),
    ("run", (root.copy("/bin/true", "x", 0o755),), root.run("x"), {".": ""}),
)  # fmt: skip


def _files() -> Iterator[Row]:
    for name, before, step, moved in _FILES:
        yield Row(f"file/{name}", *before, step.moving(moved))


def _kinds() -> Iterator[Row]:
    """What happens to things of every kind, and to the two directories around them."""
    for kind in KINDS:
        x = (root.make("d", "dir"), root.make("e", "dir"), root.make("d/x", kind))
        remove = "rmdir" if kind == "dir" else "unlink"
        wrongly = root.unlink("d/x").fails(EISDIR) if kind == "dir" else root.rmdir("d/x").fails(ENOTDIR)
        inside, both, none = {"d": "mc", "e": ""}, {"d": "mc", "e": "mc"}, {"d": "", "e": ""}
        y = root.make("e/y", kind)
        table: tuple[tuple[str, tuple[Step, ...], Step, dict[str, str]], ...] = (
            ("make", (root.mkdir("d"), root.mkdir("e")), root.make("d/x", kind), inside),
            ("lstat", x, root.lstat("d/x"), {**none, "d/x": ""}),
            ("remove", x, getattr(root, remove)("d/x"), inside),
            ("rename", x, root.rename("d/x", "d/z"), {**inside, "d/x>d/z": "c"}),
            ("rename-away", x, root.rename("d/x", "e/z"), {**both, "d/x>e/z": "c"}),
            ("rename-over", (*x, y), root.rename("d/x", "e/y"), {**both, "d/x>e/y": "c"}),
            ("rename-noreplace", x, root.rename("d/x", "e/y", NOREPLACE), {**both, "d/x>e/y": "c"}),
            ("rename-noreplace-fails", (*x, y), root.rename("d/x", "e/y", NOREPLACE).fails(EEXIST),
             {**none, "d/x": "", "e/y": ""}),
            ("exchange", (*x, y), root.rename("d/x", "e/y", EXCHANGE), {**both, "d/x>e/y": "c", "e/y>d/x": "c"}),
            ("exchange-beside", (*x, root.make("d/y", "file")), root.rename("d/x", "d/y", EXCHANGE),
             {**inside, "d/x>d/y": "c", "d/y>d/x": "c"}),
            ("exchange-fails", x, root.rename("d/x", "e/y", EXCHANGE).fails(ENOENT), {**none, "d/x": ""}),
            ("rename-from-missing", x, root.rename("d/z", "d/x").fails(ENOENT), {**none, "d/x": ""}),
            ("lchown", x, root.lchown("d/x", 1, 2), {**none, "d/x": "c"}),
            ("lutimens", x, root.utimens("d/x", 1, 2, False), {**none, "d/x": "amc"}),
            ("lutimens-nothing", x, root.utimens("d/x", "omit", "omit", False), {**none, "d/x": ""}),
            ("make-over", x, root.mkdir("d/x").fails(EEXIST), {**none, "d/x": ""}),
            ("symlink-over", x, root.symlink("t", "d/x").fails(EEXIST), {**none, "d/x": ""}),
            ("remove-wrongly", x, wrongly, {**none, "d/x": ""}),
            ("remove-not-allowed", x, getattr(carol, remove)("d/x").fails(EACCES), {**none, "d/x": ""}),
        )  # fmt: skip
        for name, before, step, moved in table:
            yield Row(f"{kind}/{name}", *before, step.moving(moved))
        if kind == "dir":
            continue
        yield Row(f"{kind}/link", *x, root.link("d/x", "e/y").moving({"d": "", "e": "mc", "d/x": "c"}))
        yield Row(
            f"{kind}/unlink-one",
            *x,
            root.link("d/x", "e/y"),
            root.unlink("e/y").moving({"d": "", "e": "mc", "d/x": "c"}),
        )
        yield Row(f"{kind}/rename-over-link", *x, root.link("d/x", "d/w"), y,
                  root.rename("e/y", "d/x").moving({"d": "mc", "e": "mc", "d/w": "c"}))  # fmt: skip
        yield Row(
            f"{kind}/link-fails", *x, y, root.link("d/x", "e/y").fails(EEXIST).moving({"e": "", "d/x": "", "e/y": ""})
        )


_DIRECTORIES = (
    Row("dir/list", _FULL, root.listdir("d").moves(d="a")),
    Row("dir/list-again", _FULL, root.look(["d"]), root.listdir("d"), root.listdir("d").moves(d="")),
    Row("dir/list-after-change", _FULL, root.listdir("d"), root.look(["d"]), root.mkdir("d/x"), root.look(["d"]),
        root.listdir("d").moves(d="a")),
    Row("dir/list-empty", root.mkdir("d"), root.listdir("d").moves(d="a")),
    Row("dir/open", _FULL, root.open("d", os.O_RDONLY).moves(d="")),
    Row("dir/lookup", _FULL, root.lstat("d/inside").moves(d=""), root.lstat("d/missing").fails(ENOENT).moves(d="")),
    Row("dir/chdir", _FULL, root.chdir("d").moving({"d>.": ""})),
    Row("dir/rmdir-full", _FULL, root.rmdir("d").fails(ENOTEMPTY).moving({"d": "", ".": ""})),
    Row("dir/write-inside", _FULL, root.truncate("d/inside", 3).moves(d="")),
    Row("dir/chmod-inside", _FULL, root.chmod("d/inside", 0o600).moves(d="")),
    Row("dir/deeper", root.mkdir("d"), root.mkdir("d/e"), root.mkdir("d/e/f").moving({".": "", "d": "", "d/e": "mc"})),
    Row("dir/created-inside", root.mkdir("d"),
        root.open("d/x", os.O_CREAT | os.O_WRONLY, 0o644, "f").moves(d="mc"), root.write("f", b"a").moves(d=""),
        root.close("f").moves(d="")),
    Row("dir/created-and-unlinked", root.mkdir("d"), root.open("d/x", os.O_CREAT | os.O_WRONLY, 0o644, "f"),
        root.unlink("d/x").moving({"d": "mc", "@f": "c"}), root.close("f").moves(d="")),
    Row("dir/created-and-renamed", root.mkdir("d"), root.mkdir("e"),
        root.open("d/x", os.O_CREAT | os.O_WRONLY, 0o644, "f"),
        root.rename("d/x", "e/x").moving({"d": "mc", "e": "mc", "@f": "c"}), root.close("f").moves(d="", e="")),
    Row("dir/created-and-set", root.mkdir("d"), root.open("d/x", os.O_CREAT | os.O_WRONLY, 0o644, "f"),
        root.utimens("d", 1, 2), root.close("f").moves(d=""), root.lstat("d").shows(atime=1, mtime=2)),
    Row("dir/bind-inside", root.mkdir("d"), root.bind("d/x").moves(d="mc")),
    Row("dir/setxattr", _FULL, root.setxattr("d").moving({"d": "c", ".": ""}),
        root.removexattr("d").moving({"d": "c", ".": ""})),
    Row("dir/not-allowed", root.make("d", "dir", 0o555), carol.mkdir("d/x").fails(EACCES).moves(d=""),
        carol.chmod("d", 0).fails(EPERM).moves(d=""), carol.utimens("d", 1, 1).fails(EPERM).moves(d="")),
    Row("link/read", root.symlink("t", "l"), root.readlink("l").moving({"l": "a", ".": ""})),
    Row("link/followed", root.make("t", "file"), root.symlink("t", "l"), root.stat("l").moving({"l": "a", "t": ""})),
    Row("link/followed-again", root.make("t", "file"), root.symlink("t", "l"), root.look(["l"]), root.stat("l"),
        root.look(["l"]), root.stat("l").moving({"l": "", "t": ""})),
    Row("mmap/write-is-seen", *_RDWR, root.mapped("f", "m"), root.peek("m", 0, 1), root.look(["x"]),
        root.poke("m", 0, b"abc"),
        root.msync("m"), root.moved([("x", "x")]).gives(["mc"])),
    Row("mmap/write-unsynced-is-seen-after-close", *_RDWR, root.mapped("f", "m"), root.peek("m", 0, 1),
        root.look(["x"]),
        root.poke("m", 0, b"abc"), root.unmap("m"), root.close("f"), root.fsyncpath("x"),
        root.moved([("x", "x")]).gives(["mc"])),
)  # fmt: skip


@pytest.mark.parametrize("rows", grouped([*_files(), *_kinds(), *_DIRECTORIES]))
def test_times(place: Place, rows: list[Row]) -> None:
    place.run(rows)
