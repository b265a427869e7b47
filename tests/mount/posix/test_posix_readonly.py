"""What cannot be written: a session that is suspended, a mount that is read-only, and as their measure a bind mount."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from errno import EEXIST, EROFS
from pathlib import Path

import pytest
from calls import PATH_CALLS, ROOT_CALLS
from mounts import Mounts
from rows import ALICE, GROUP, Place, Row, Step, alice, carol, grouped, root
from verbs import CONTENT, KINDS

PLACES = ("plain", "mount", "suspended")
_KINDS = (*KINDS, "full")

# Made in each place before it becomes read-only.
_TREE: tuple[Step, ...] = (
    *(root.make(kind, kind, None if kind == "symlink" else 0o777, ALICE, GROUP) for kind in _KINDS),
    *(root.make(f"{kind}2", kind) for kind in _KINDS),
    root.make("f0", "file"),
    root.setxattr("file"),
    root.setxattr("dir"),
    root.symlink("file", "tofile"),
    root.copy("/usr/bin/id", "id", 0o755),
)


def _changes() -> Iterator[Row]:
    for kind in _KINDS:
        ways = ["lchown", "utimens-nofollow", "link-from", "rename-from", "rename-to", "exchange-with"]
        ways.append("rmdir" if kind in ("dir", "full") else "unlink")
        if kind != "symlink":
            ways += ["chmod", "chown", "utimens", "utime"]
        if kind == "file":
            ways += ["open-write", "open-trunc", "truncate", "setxattr", "removexattr"]
        if kind == "dir":
            ways += ["setxattr", "removexattr"]
        for way in ways:
            if kind in ("dir", "full") and way in ("link-from", "rename-to"):
                continue  # that it is a directory may be looked at first
            yield Row(f"{way}/{kind}", PATH_CALLS[way](root, kind).fails(EROFS))
            if way in ("chmod", "lchown", "chown", "utimens", "truncate", "open-write"):
                yield Row(f"{way}/{kind}/owner", PATH_CALLS[way](alice, kind).fails(EROFS))
        yield Row(f"noreplace-away/{kind}", root.rename(kind, "new", 1).fails(EROFS))
        yield Row(f"stays/{kind}", root.lstat(kind).shows(uid=ALICE, gid=GROUP, type="dir" if kind == "full" else kind))


def _makes() -> Iterator[Row]:
    for call in (
        "mkdir",
        "mkfifo",
        "mknod-file",
        "mknod-socket",
        "bind",
        "symlink",
        "link-to",
        "open-creat",
        "open-excl",
    ):
        yield Row(f"{call}/new", PATH_CALLS[call](root, "new").fails(EROFS), root.lstat("new").fails(2))
        yield Row(f"{call}/new-below", PATH_CALLS[call](root, "dir/new").fails(EROFS))
        if call not in ("open-creat", "bind"):
            yield Row(f"{call}/existing", PATH_CALLS[call](root, "file").fails(EEXIST))
    for call in ROOT_CALLS:
        yield Row(f"{call}/new", ROOT_CALLS[call](root, "new").fails(EROFS))


_READS = (
    Row("read", root.open("file", os.O_RDONLY, 0, "f"), root.read("f").gives(CONTENT)),
    Row("read-by-others", carol.open("file", os.O_RDONLY, 0, "f"), carol.read("f").gives(CONTENT)),
    Row("read-through-a-link", root.content("tofile").gives(CONTENT)),
    Row("creat-of-what-exists", root.open("file", os.O_RDONLY | os.O_CREAT)),
    Row("write-through-a-link", root.open("tofile", os.O_RDWR).fails(EROFS), root.truncate("tofile", 1).fails(EROFS)),
    Row("list", root.listdir("full").gives(["inside"]), root.lstat("full/inside").shows(size=10)),
    Row("link", root.readlink("symlink").gives("nothing")),
    Row("xattrs", root.getxattr("file").gives(b"x"), root.listxattr("file").gives(["user.a"])),
    Row("run", root.run("id", "-u").gives("0"), alice.run("id", "-u").gives("5001")),
    Row("map", root.open("file", os.O_RDONLY, 0, "f"), root.mapped("f", "m", False),
        root.peek("m", 0, 3).gives(b"012")),
    Row("sync", root.open("file", os.O_RDONLY, 0, "f"), root.fsync("f")),
    Row("fifo-can-be-written", root.open("fifo", os.O_RDWR, 0, "f"), root.write("f", b"abc"),
        root.read("f").gives(b"abc")),
    Row("device-can-be-written", root.open("char", os.O_RDWR, 0, "f"), root.write("f", b"abc")),
    Row("open-file-cannot-be-changed", root.open("file", os.O_RDONLY, 0, "f"), root.chmod("@f", 0).fails(EROFS),
        root.chown("@f", 1, 1).fails(EROFS), root.utimens("@f", 1, 1).fails(EROFS), root.setxattr("@f").fails(EROFS)),
    Row("access/read", root.faccess("file", os.R_OK), alice.faccess("file", os.R_OK)),
    Row("access/write", root.faccess("file", os.W_OK).fails(EROFS)),
    Row("access/write-dir", root.faccess("dir", os.W_OK).fails(EROFS)),
    Row("access/write-fifo", root.faccess("fifo", os.W_OK)),
    Row("statfs", root.statfs(".").gives(True)),
)  # fmt: skip


@pytest.fixture(scope="module")
def read_only(scratch: Path, mounts: Mounts) -> Iterator[Callable[[str], Place]]:
    """Return each of the places, prepared when it is first asked for."""
    places: dict[str, Place] = {}
    binds: list[Path] = []

    def find(name: str) -> Place:
        if name not in places:
            places[name] = Place(f"read-only {name}", str(make(name)), "", new=False)
        return places[name]

    def make(name: str) -> Path:
        if name == "plain":
            path, here = scratch / "changeable", scratch / "unchangeable"
            path.mkdir()
            here.mkdir()
            _prepare(path)
            subprocess.run(["mount", "--bind", path, here], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", here], check=True)
            binds.append(here)
            return here
        session = mounts.start(name) / "sessions" / "one"
        _prepare(session / "artifacts")
        if name == "suspended":
            (session / "status").write_text("suspended\n")
            return session / "artifacts"
        store = scratch / f"{name}.store"
        return mounts.start("read-only", "--read-only", store=store) / "sessions" / "one" / "artifacts"

    yield find
    for place in places.values():
        place.end()
    for path in binds:
        subprocess.run(["umount", path], check=True)


def _prepare(path: Path) -> None:
    os.chmod(path, 0o755)
    place = Place("prepared", str(path), "", new=False)
    place.run([Row("prepared", *_TREE)])
    place.end()


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("rows", grouped([*_changes(), *_makes(), *_READS]))
def test_read_only(read_only: Callable[[str], Place], name: str, rows: list[Row]) -> None:
    read_only(name).run(rows)
