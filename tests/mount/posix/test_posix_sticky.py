"""Sticky directories: only the owner of a thing or of the directory, and root, may remove or rename it."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EACCES, EPERM

import pytest
from rows import ALICE, BOB, CAROL, PEOPLE, Place, Row, grouped, root
from verbs import EXCHANGE, KINDS

_KINDS = (*KINDS, "full")
_OWNERS = {"root": 0, "alice": ALICE, "bob": BOB, "carol": CAROL}

# Of alice's sticky directory with bob's things in it: who may.
_MAY = {"root": True, "alice": True, "bob": True, "carol": False}
_MODES = (0o1777, 0o1770, 0o1755)


def _rows() -> Iterator[Row]:
    for kind in _KINDS:
        remove = "rmdir" if kind in ("dir", "full") else "unlink"
        for name, may in _MAY.items():
            who = PEOPLE[name]
            number = 0 if may else EPERM
            # What moves to another directory needs to be writable itself: everybody may write these.
            mode = None if kind == "symlink" else 0o777
            d = root.make("d", "dir", 0o1777, ALICE, ALICE)
            e = root.make("e", "dir", 0o777, ALICE, ALICE)
            x = root.make("d/x", kind, mode, BOB, BOB)
            of = f"{kind}/{name}"
            if kind != "full":
                yield Row(f"remove/{of}", d, x, getattr(who, remove)("d/x").fails(number))
                other = root.make("d/y", "dir" if kind == "dir" else "file", 0o777, *_ids(name))
                yield Row(f"rename-over/{of}", d, x, other, who.rename("d/y", "d/x").fails(number))
            yield Row(f"rename/{of}", d, x, who.rename("d/x", "d/y").fails(number))
            yield Row(f"rename-away/{of}", d, e, x, who.rename("d/x", "e/y").fails(number))
            mine = root.make("e/y", "file", 0o777, *_ids(name))
            yield Row(f"exchange-away/{of}", d, e, x, mine, who.rename("d/x", "e/y", EXCHANGE).fails(number))
            yield Row(f"exchange-back/{of}", d, e, x, mine, who.rename("e/y", "d/x", EXCHANGE).fails(number))
            # What is not sticky, is for all who may write.
            free = root.make("d", "dir", 0o777, ALICE, ALICE)
            yield Row(f"free/rename/{of}", free, x, who.rename("d/x", "d/y"))


def _ids(name: str) -> tuple[int, int]:
    return _OWNERS[name], _OWNERS[name]


def _owners() -> Iterator[Row]:
    """Whose the directory is, whose the thing, and who asks."""
    for directory in _OWNERS:
        for thing in _OWNERS:
            for name in _OWNERS:
                may = name in ("root", directory, thing)
                of = f"{directory}-{thing}-{name}"
                for kind, remove in (("file", "unlink"), ("dir", "rmdir")):
                    d = root.make("d", "dir", 0o1777, *_ids(directory))
                    x = root.make("d/x", kind, None, *_ids(thing))
                    step = getattr(PEOPLE[name], remove)("d/x").fails(0 if may else EPERM)
                    yield Row(f"owners/{kind}/{of}", d, x, step.moves(d="mc" if may else ""))


def _others() -> Iterator[Row]:
    for name in ("alice", "bob", "carol"):
        mine = root.make("d", "dir", 0o1755, 0, 0), root.make("d/x", "file", 0o666, *_ids(name))
        yield Row(f"unwritable/{name}", *mine, PEOPLE[name].unlink("d/x").fails(EACCES))
        d = root.make("d", "dir", 0o1777, 0, 0)
        yield Row(f"own/{name}", d, PEOPLE[name].mkdir("d/x"), PEOPLE[name].mkdir("d/x/y"),
                  PEOPLE[name].rename("d/x", "d/z"), PEOPLE[name].rmdir("d/z/y"),
                  PEOPLE[name].rmdir("d/z"))  # fmt: skip
        others = PEOPLE["carol" if name == "bob" else "bob"]
        yield Row(f"into/{name}", d, root.make("e", "dir", 0o777), others.mkdir("e/x"), root.chmod("e/x", 0o777),
                  PEOPLE[name].rename("e/x", "d/x"), PEOPLE[name].rename("d/x", "d/y").fails(EPERM))  # fmt: skip
    yield Row("sticky-on-a-file-is-nothing", root.make("d", "dir", 0o777), root.make("d/x", "file", 0o1666),
              PEOPLE["carol"].unlink("d/x"))  # fmt: skip


@pytest.mark.parametrize("rows", grouped([*_rows(), *_owners(), *_others()]))
def test_sticky(place: Place, rows: list[Row]) -> None:
    place.run(rows)
