"""chown, fchown and lchown: who may give what to whom, which set-id bits that takes away, and the times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EACCES, EBADF, EPERM

import pytest
from rows import ALICE, BOB, CAROL, GROUP, PEOPLE, Place, Row, alice, bob, carol, grouped, root
from verbs import KINDS

_OWN, _STRANGE = 5001, 5003  # groups: alice's own, and one in which she is not
_LARGEST = 2**32 - 2

# Of alice's file in GROUP: who, uid and gid that are asked for, whether that is allowed.
_ASKED = (
    ("root", 1234, 5678, True),
    ("root", _LARGEST, _LARGEST, True),
    ("root", -1, 5678, True),
    ("root", 1234, -1, True),
    ("root", 0, 0, True),
    ("root", -1, -1, True),
    ("alice", -1, _OWN, True),
    ("alice", ALICE, _OWN, True),
    ("alice", -1, GROUP, True),
    ("alice", ALICE, -1, True),
    ("alice", ALICE, GROUP, True),
    ("alice", -1, -1, True),
    ("alice", -1, _STRANGE, False),
    ("alice", ALICE, _STRANGE, False),
    ("alice", -1, 0, False),
    ("alice", BOB, -1, False),
    ("alice", 0, -1, False),
    ("alice", BOB, _OWN, False),
    ("bob", BOB, -1, False),
    ("bob", ALICE, -1, False),
    ("bob", -1, GROUP, False),
    ("bob", -1, 5002, False),
    ("bob", ALICE, GROUP, False),
    ("bob", -1, -1, True),
    ("carol", CAROL, CAROL, False),
    ("carol", -1, CAROL, False),
    ("carol", -1, GROUP, False),
    ("carol", -1, -1, True),
)


def _who_may() -> Iterator[Row]:
    for kind in KINDS:
        for name, uid, gid, allowed in _ASKED:
            shown = {"uid": uid if allowed and uid != -1 else ALICE, "gid": gid if allowed and gid != -1 else GROUP}
            moved = {"x": "c" if allowed else "", ".": ""}
            step = PEOPLE[name].lchown("x", uid, gid).fails(0 if allowed else EPERM).moving(moved)
            yield Row(f"{kind}/{name}/{uid}:{gid}", root.make("x", kind, None, ALICE, GROUP), step,
                      root.lstat("x").shows(**shown, type=kind))  # fmt: skip


_SET_ID = (0o4755, 0o2755, 0o6755, 0o2644, 0o6644, 0o4644, 0o7777, 0o1755, 0o2745, 0o2654)


def _dropped(kind: str, mode: int, *, in_group: bool) -> int:
    """Return what is left of *mode* after a change of owner, even a change to the same."""
    if kind == "dir":
        return mode
    keeps_group = not mode & 0o010 and in_group
    return mode & ~(0o4000 if keeps_group else 0o6000)


def _set_id() -> Iterator[Row]:
    """Whoever changes an owner takes set-id bits away; the same bits without execution by the group mean locks."""
    for kind in KINDS:
        if kind == "symlink":
            continue
        for mode in _SET_ID:
            for name, gid, in_group in (("root", GROUP, True), ("alice", GROUP, True), ("alice", _STRANGE, False)):
                left = root.lstat("x").shows(mode=_dropped(kind, mode, in_group=in_group))
                x = root.make("x", kind, mode, ALICE, gid)
                who, of = PEOPLE[name], f"{kind}/{mode:o}-{gid}/{name}"
                yield Row(f"set-id/{of}/gid", x, who.chown("x", -1, _OWN), left)
                yield Row(f"set-id/{of}/uid", x, who.chown("x", ALICE, -1), left)
                if kind in ("file", "dir"):
                    yield Row(f"set-id/{of}/none", x, who.chown("x", -1, -1), left)
            x = root.make("x", kind, mode, ALICE, GROUP)
            kept = root.lstat("x").shows(mode=mode, uid=ALICE, gid=GROUP)
            yield Row(f"set-id/{kind}/{mode:o}/bob", x, bob.chown("x", -1, GROUP).fails(EPERM), kept)
            # Nothing at all is for everybody, but to take bits away is for the owner.
            takes = _dropped(kind, mode, in_group=False) != mode
            yield Row(f"set-id/{kind}/{mode:o}/carol-none", x, carol.chown("x", -1, -1).fails(EPERM * takes), kept)


_OTHERS = (
    Row("through-a-link", root.make("x", "file"), root.symlink("x", "l"), root.chown("l", 1, 2).moves(x="c", l="a"),
        root.lstat("x").shows(uid=1, gid=2), root.lstat("l").shows(uid=0, gid=0)),
    Row("of-a-link", root.make("x", "file"), root.symlink("x", "l"), root.lchown("l", 1, 2).moves(x="", l="c"),
        root.lstat("x").shows(uid=0, gid=0), root.lstat("l").shows(uid=1, gid=2)),
    Row("by-another-name", root.make("x", "file"), root.link("x", "y"), root.chown("y", 1, 2).moves(x="c"),
        root.lstat("x").shows(uid=1, gid=2)),
    Row("by-what-it-is-open", root.make("x", "file", 0o640, ALICE, GROUP), alice.open("x", os.O_RDONLY, 0, "f"),
        alice.chown("@f", -1, 5001).moves(x="c"), alice.lstat("@f").shows(gid=5001),
        alice.chown("@f", BOB, -1).fails(EPERM)),
    Row("of-a-path", root.make("x", "file"), root.open("x", os.O_PATH, 0, "f"), root.chown("@f", 1, 2).fails(EBADF)),
    Row("unlinked", root.make("x", "file", 0o4755), root.open("x", os.O_RDWR, 0, "f"), root.unlink("x"),
        root.chown("@f", 1, 2), root.lstat("@f").shows(uid=1, gid=2, mode=0o755, nlink=0)),
    Row("removed", root.make("x", "dir"), root.open("x", os.O_RDONLY, 0, "f"), root.rmdir("x"),
        root.chown("@f", 1, 2), root.lstat("@f").shows(uid=1, gid=2, nlink=0)),
    Row("set-id-of-what-is-written", root.make("x", "file", 0o4755), root.open("x", os.O_RDWR, 0, "f"),
        carol.chown("x", -1, -1).fails(EPERM), root.lstat("x").shows(mode=0o4755)),
    Row("given-away", root.make("x", "file", 0o600, ALICE, ALICE), root.chown("x", BOB, BOB),
        alice.open("x", os.O_RDONLY).fails(EACCES), bob.open("x", os.O_RDONLY),
        alice.chown("x", ALICE, -1).fails(EPERM)),
    Row("new-and-open", root.chmod(".", 0o777), alice.open("x", os.O_CREAT | os.O_RDWR, 0o6755, "f"),
        alice.chown("@f", -1, GROUP), alice.lstat("@f").shows(gid=GROUP, mode=0o755),
        alice.chown("@f", 0, -1).fails(EPERM)),
)  # fmt: skip


@pytest.mark.parametrize("rows", grouped([*_who_may(), *_set_id(), *_OTHERS]))
def test_chown(place: Place, rows: list[Row]) -> None:
    place.run(rows)
