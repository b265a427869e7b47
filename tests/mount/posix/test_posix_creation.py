"""What new things are like: mode and umask, owner, group, set-group-id directories, link count, size and times."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from errno import EACCES, EINVAL, EPERM

import pytest
from rows import ALICE, CAROL, GROUP, Person, Place, Row, Step, alice, carol, grouped, root
from verbs import DEVICE

_OWN, _STRANGE = 5001, 5003

# How it is made with a mode, its kind, and which bits of a mode count.
_MAKERS: dict[str, tuple[Callable[[Person, int], Step], str, int]] = {
    "open": (lambda who, mode: who.open("d/x", os.O_CREAT | os.O_WRONLY, mode), "file", 0o7777),
    "open-excl": (lambda who, mode: who.open("d/x", os.O_CREAT | os.O_EXCL | os.O_RDONLY, mode), "file", 0o7777),
    "mknod": (lambda who, mode: who.mknod("d/x", "file", mode), "file", 0o7777),
    "mkfifo": (lambda who, mode: who.mkfifo("d/x", mode), "fifo", 0o7777),
    "mksocket": (lambda who, mode: who.mknod("d/x", "socket", mode), "socket", 0o7777),
    "mkdir": (lambda who, mode: who.mkdir("d/x", mode), "dir", 0o1777),
}
_UMASKS = (0, 0o022, 0o027, 0o077, 0o137, 0o777)
_MODES = (0o777, 0o666, 0o640, 0, 0o7777)


def _modes() -> Iterator[Row]:
    for name, (make, kind, counting) in _MAKERS.items():
        for mask in _UMASKS:
            for mode in _MODES:
                shown = {"mode": mode & counting & ~mask, "type": kind, "uid": ALICE, "gid": _OWN, "rdev": 0}
                if kind != "dir":
                    shown |= {"size": 0, "nlink": 1}
                yield Row(
                    f"{name}/{mode:o}/umask-{mask:o}",
                    root.make("d", "dir", 0o777),
                    alice.umask(mask),
                    make(alice, mode).moves(d="mc") if mode == 0o777 else make(alice, mode),
                    root.lstat("d/x").shows(**shown),
                )


def _without_mode() -> Iterator[Row]:
    for mask in _UMASKS:
        d, umask = root.make("d", "dir", 0o777), alice.umask(mask)
        like = {"uid": ALICE, "gid": _OWN, "nlink": 1}
        yield Row(f"symlink/umask-{mask:o}", d, umask, alice.symlink("target", "d/x").moves(d="mc"),
                  root.lstat("d/x").shows(**like, type="symlink", mode=0o777, size=6))  # fmt: skip
        yield Row(f"bind/umask-{mask:o}", d, umask, alice.bind("d/x").moves(d="mc"),
                  root.lstat("d/x").shows(**like, type="socket", mode=0o777 & ~mask, size=0))  # fmt: skip
    for kind in ("char", "block"):
        yield Row(f"mknod-{kind}", root.umask(0o022), root.mkdir("d"), root.mknod("d/x", kind, 0o666).moves(d="mc"),
                  root.lstat("d/x").shows(type=kind, mode=0o644, uid=0, gid=0, rdev=DEVICE, nlink=1))  # fmt: skip


def _set_group_id_directories() -> Iterator[Row]:
    """New things belong to the directory's group, new directories go on with that; set-group-id is for members."""
    for name, (make, kind, counting) in _MAKERS.items():
        for group in (_OWN, GROUP, _STRANGE):
            for mode in (0o777, 0o644, 0o2755, 0o2644, 0o6711):
                shown = mode & counting
                if kind == "dir":
                    shown |= 0o2000
                elif group == _STRANGE and shown & 0o2010 == 0o2010:
                    shown &= ~0o2000
                d = root.make("d", "dir", 0o2777, CAROL, group)
                yield Row(f"set-gid/{name}/{mode:o}/{group}", d, make(alice, mode),
                          root.lstat("d/x").shows(mode=shown, uid=ALICE, gid=group))  # fmt: skip
                if mode in (0o777, 0o2755):
                    kept = mode & counting | (0o2000 if kind == "dir" else 0)
                    yield Row(f"set-gid/{name}/{mode:o}/{group}/root", d, make(root, mode),
                              root.lstat("d/x").shows(mode=kept, uid=0, gid=group))  # fmt: skip
    for group in (_OWN, GROUP, _STRANGE):
        d = root.make("d", "dir", 0o2777, CAROL, group)
        yield Row(f"set-gid/symlink/{group}", d, alice.symlink("x", "d/x"), root.lstat("d/x").shows(gid=group))
        yield Row(f"set-gid/bind/{group}", d, alice.bind("d/x"), root.lstat("d/x").shows(gid=group))
        yield Row(f"set-gid/deeper/{group}", d, alice.mkdir("d/x"), alice.mkdir("d/x/y"),
                  alice.open("d/x/y/z", os.O_CREAT), root.lstat("d/x/y").shows(gid=group, mode=0o2777),
                  root.lstat("d/x/y/z").shows(gid=group))  # fmt: skip


_OTHERS = (
    Row("group-of-the-maker", root.make("d", "dir", 0o777, CAROL, CAROL), alice.mkdir("d/x"),
        root.lstat("d/x").shows(uid=ALICE, gid=_OWN)),
    Row("a-link-has-its-own-owner", root.make("d", "dir", 0o2777, CAROL, CAROL),
        root.make("x", "file", 0o666, ALICE, GROUP),
        alice.link("x", "d/y"), root.lstat("d/y").shows(uid=ALICE, gid=GROUP)),
    Row("renaming-keeps-the-group", root.make("d", "dir", 0o2777, CAROL, CAROL),
        root.make("x", "file", 0o666, ALICE, GROUP),
        root.chmod(".", 0o777), alice.rename("x", "d/y"), root.lstat("d/y").shows(uid=ALICE, gid=GROUP)),
    Row("mode-of-a-new-file-binds-others-only", root.make("d", "dir", 0o777),
        alice.open("d/x", os.O_CREAT | os.O_RDWR, 0, "f"), alice.write("f", b"abc").gives(3),
        alice.pread("f", 9, 0).gives(b"abc"), alice.open("d/x", os.O_RDONLY).fails(EACCES)),
    Row("directories-cannot-be-made-by-mknod", root.mknod("x", "dir").fails(EPERM)),
    Row("links-cannot-be-made-by-mknod", root.mknod("x", "symlink").fails(EINVAL)),
    Row("times-are-now", root.make("d", "dir", 0o777), carol.mkdir("d/x"), root.utimens("d/x", 1, 1),
        carol.rmdir("d/x"), carol.mkdir("d/x"), carol.utimens("d/x", "omit", "omit").moving({"d/x": ""})),
)  # fmt: skip


@pytest.mark.parametrize("rows", grouped([*_modes(), *_without_mode(), *_set_group_id_directories(), *_OTHERS]))
def test_creation(place: Place, rows: list[Row]) -> None:
    place.run(rows)
