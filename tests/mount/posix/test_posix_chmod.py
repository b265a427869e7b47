"""chmod and fchmod: every bit of every kind, who keeps which of them, and the times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EACCES, EBADF, EOPNOTSUPP, EPERM

import pytest
from rows import ALICE, GROUP, PEOPLE, Place, Row, alice, bob, carol, grouped, root
from verbs import KINDS

_MODES = (0, 0o111, 0o222, 0o444, 0o644, 0o751, 0o777, 0o1777, 0o2755, 0o4755, 0o6711, 0o2644, 0o7777)
_NOT_LINKS = tuple(kind for kind in KINDS if kind != "symlink")
_STRANGE = 5003  # a group in which alice is not


def _every_mode() -> Iterator[Row]:
    for kind in _NOT_LINKS:
        for name in ("root", "alice"):
            for mode in _MODES:
                chmod = PEOPLE[name].chmod("x", mode)
                yield Row(
                    f"{kind}/{name}/{mode:o}",
                    root.make("x", kind, 0o640, ALICE, GROUP),
                    chmod.moving({"x": "c", ".": ""}) if mode in (0o644, 0o7777) else chmod,
                    root.lstat("x").shows(mode=mode, type=kind, uid=ALICE, gid=GROUP, nlink=2 if kind == "dir" else 1),
                )


def _strange_groups() -> Iterator[Row]:
    """Who is not in a file's group makes nobody else a member of it."""
    for kind in _NOT_LINKS:
        for mode in (0o2755, 0o6755, 0o2644, 0o7777):
            x = root.make("x", kind, 0o640, ALICE, _STRANGE)
            shown = mode & ~0o2000
            yield Row(f"{kind}/strange/{mode:o}", x, alice.chmod("x", mode), root.lstat("x").shows(mode=shown))
            yield Row(f"{kind}/strange-root/{mode:o}", x, root.chmod("x", mode), root.lstat("x").shows(mode=mode))


def _not_owners() -> Iterator[Row]:
    for kind in _NOT_LINKS:
        for name in ("bob", "carol"):
            for mode in (0o640, 0o777):
                who, x = PEOPLE[name], root.make("x", kind, 0o666, ALICE, GROUP)
                yield Row(f"{kind}/{name}/{mode:o}", x, who.chmod("x", mode).fails(EPERM).moving({"x": "", ".": ""}),
                          root.lstat("x").shows(mode=0o666))  # fmt: skip


_OTHERS = (
    Row("same-mode", root.make("x", "file", 0o640), root.chmod("x", 0o640).moves(x="c")),
    Row("through-a-link", root.make("x", "file", 0o600), root.symlink("x", "l"),
        root.chmod("l", 0o640).moves(x="c", l="a"), root.lstat("x").shows(mode=0o640),
        root.lstat("l").shows(mode=0o777)),
    Row("of-a-link", root.symlink("x", "l"), root.fchmodat2("l", 0o640).fails(EOPNOTSUPP).moves(l="")),
    Row("by-another-name", root.make("x", "file", 0o600), root.link("x", "y"), root.chmod("y", 0o640).moves(x="c"),
        root.lstat("x").shows(mode=0o640)),
    Row("not-following", root.make("x", "file", 0o600), root.fchmodat2("x", 0o640).moves(x="c"),
        root.lstat("x").shows(mode=0o640)),
    Row("other-bits-are-no-mode", root.make("x", "file", 0o600), root.chmod("x", 0o170640),
        root.lstat("x").shows(mode=0o640, type="file")),
    Row("takes-effect-at-once", root.make("x", "file", 0o600), carol.open("x", os.O_RDONLY).fails(EACCES),
        root.chmod("x", 0o604), carol.open("x", os.O_RDONLY), root.chmod("x", 0),
        carol.open("x", os.O_RDONLY).fails(EACCES)),
    Row("not-on-what-is-open", root.make("x", "file", 0o604), carol.open("x", os.O_RDONLY, 0, "f"), root.chmod("x", 0),
        carol.read("f").gives(b"0123456789")),
    Row("fchmod", root.make("x", "file", 0o600, ALICE, ALICE), alice.open("x", os.O_RDONLY, 0, "f"),
        alice.chmod("@f", 0o711).moves(x="c"), alice.lstat("@f").shows(mode=0o711), root.lstat("x").shows(mode=0o711)),
    Row("fchmod-dir", root.make("x", "dir", 0o700, ALICE, ALICE), alice.open("x", os.O_RDONLY, 0, "f"),
        alice.chmod("@f", 0o3711).moves(x="c"), root.lstat("x").shows(mode=0o3711)),
    Row("fchmod-by-others", root.make("x", "file", 0o666, ALICE, GROUP), bob.open("x", os.O_RDWR, 0, "f"),
        bob.chmod("@f", 0o777).fails(EPERM).moves(x="")),
    Row("fchmod-of-a-path", root.make("x", "file", 0o666), root.open("x", os.O_PATH, 0, "f"),
        root.chmod("@f", 0o777).fails(EBADF)),
    Row("fchmod-unlinked", root.make("x", "file", 0o600), root.open("x", os.O_RDWR, 0, "f"), root.unlink("x"),
        root.chmod("@f", 0o4711), root.lstat("@f").shows(mode=0o4711, nlink=0)),
    Row("fchmod-removed", root.make("x", "dir", 0o700), root.open("x", os.O_RDONLY, 0, "f"), root.rmdir("x"),
        root.chmod("@f", 0o711), root.lstat("@f").shows(mode=0o711, nlink=0)),
)  # fmt: skip


@pytest.mark.parametrize("rows", grouped([*_every_mode(), *_strange_groups(), *_not_owners(), *_OTHERS]))
def test_chmod(place: Place, rows: list[Row]) -> None:
    place.run(rows)
