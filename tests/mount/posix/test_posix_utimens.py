"""utimensat and futimens: who may set what, now or not at all; and times before 1970, after 2038, to the nanosecond."""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EACCES, EINVAL, ENOENT, EPERM

import pytest
from rows import ALICE, GROUP, PEOPLE, Place, Row, grouped, root
from verbs import KINDS

_S = 10**9
_FIRST = -(2**31) * _S  # what ext4 keeps

_VALUES = (
    0, 1, -1, 999_999_999, _S, -_S, -_S - 1, -1_500_000_000, 1_234_567_890_123_456_789, 987_654_321_987_654_321,
    (2**31 - 1) * _S, 2**31 * _S, 2**31 * _S + 1, 2**32 * _S + 123, 2**33 * _S + 999_999_999, _FIRST,
    4_102_444_800 * _S + 42,
)  # fmt: skip


def _values() -> Iterator[Row]:
    for kind in KINDS:
        for value in _VALUES:
            yield Row(f"{kind}/{value}", root.make("x", kind), root.utimens("x", value, 77, False).moving({".": ""}),
                      root.lstat("x").shows(atime=value, mtime=77), root.utimens("x", 88, value, False),
                      root.lstat("x").shows(atime=88, mtime=value, type=kind))  # fmt: skip
    for value in _VALUES:
        yield Row(f"open/{value}", root.make("x", "file"), root.open("x", os.O_RDWR, 0, "f"),
                  root.utimens("@f", value, value), root.lstat("x").shows(atime=value, mtime=value))  # fmt: skip
        yield Row(f"new/{value}", root.open("x", os.O_RDWR | os.O_CREAT, 0o644, "f"), root.write("f", b"abc"),
                  root.utimens("@f", value, value), root.close("f"),
                  root.lstat("x").shows(atime=value, mtime=value, size=3))  # fmt: skip


# Who asks for what of alice's file, and what then moves. "w": others may write it.
_WANTED: dict[str, tuple[int | str, int | str]] = {
    "both": (1, 2), "atime": (1, "omit"), "mtime": ("omit", 2), "now": ("now", "now"), "atime-now": ("now", "omit"),
    "mtime-now": ("omit", "now"), "atime-and-now": (1, "now"), "mtime-and-now": ("now", 2), "nothing": ("omit", "omit"),
}  # fmt: skip
_MOVED = {
    "both": "amc", "atime": "ac", "mtime": "mc", "now": "amc", "atime-now": "ac", "mtime-now": "mc",
    "atime-and-now": "amc", "mtime-and-now": "amc", "nothing": "",
}  # fmt: skip


def _number(name: str, wanted: str, *, writes: bool) -> int:
    if name in ("root", "alice") or wanted == "nothing":
        return 0
    if wanted == "now":
        return 0 if writes else EACCES
    return EPERM


def _who_may() -> Iterator[Row]:
    for kind in ("file", "dir", "fifo", "char"):
        for writes in (False, True):
            for name in ("root", "alice", "bob", "carol"):
                for wanted, times in _WANTED.items():
                    number = _number(name, wanted, writes=writes)
                    x = root.make("x", kind, 0o666 if writes else 0o444, ALICE, GROUP)
                    of = f"{kind}/{wanted}/{name}{'-w' if writes else ''}"
                    step = PEOPLE[name].utimens("x", *times).fails(number)
                    yield Row(f"may/{of}", x, step.moving({"x": "" if number else _MOVED[wanted], ".": ""}))
                number = _number(name, "now", writes=writes)
                yield Row(f"may/{kind}/null/{name}{'-w' if writes else ''}", x,
                          PEOPLE[name].utime("x").fails(number).moves(x="" if number else "amc"))  # fmt: skip


def _open_ones() -> Iterator[Row]:
    for name in ("root", "alice", "bob"):
        who = PEOPLE[name]
        for wanted, times in _WANTED.items():
            number = _number(name, wanted, writes=True)
            yield Row(f"open/{wanted}/{name}", root.make("x", "file", 0o666, ALICE, GROUP),
                      who.open("x", os.O_RDWR, 0, "f"),
                      who.utimens("@f", *times).fails(number).moves(x="" if number else _MOVED[wanted]))  # fmt: skip
            unwritable = _number(name, wanted, writes=False)
            yield Row(f"open-reading/{wanted}/{name}", root.make("x", "file", 0o444, ALICE, GROUP),
                      who.open("x", os.O_RDONLY, 0, "f"), who.utimens("@f", *times).fails(unwritable))  # fmt: skip


_OTHERS = (
    Row("follows", root.make("x", "file"), root.symlink("x", "l"), root.utimens("l", 1, 2).moves(l="a"),
        root.stat("l").shows(atime=1, mtime=2)),
    Row("does-not-follow", root.make("x", "file"), root.symlink("x", "l"), root.utimens("l", 1, 2, False).moves(x=""),
        root.lstat("l").shows(atime=1, mtime=2)),
    Row("dangling", root.symlink("x", "l"), root.utimens("l", 1, 2).fails(ENOENT), root.utimens("l", 1, 2, False)),
    Row("missing", root.utimens("x", 1, 2).fails(ENOENT), root.utimens("x", "now", "now").fails(ENOENT)),
    Row("by-another-name", root.make("x", "file"), root.link("x", "y"), root.utimens("x", 1, 2),
        root.lstat("y").shows(atime=1, mtime=2)),
    Row("kept-by-rename", root.make("x", "file"), root.utimens("x", 1, 2), root.rename("x", "y"),
        root.lstat("y").shows(atime=1, mtime=2)),
    Row("kept-by-link-and-chmod", root.make("x", "file"), root.utimens("x", 1, 2), root.link("x", "y"),
        root.chmod("x", 0o600), root.chown("x", 1, 1), root.setxattr("x"), root.lstat("x").shows(atime=1, mtime=2)),
    Row("kept-by-close", root.make("x", "file"), root.open("x", os.O_RDWR, 0, "f"), root.write("f", b"abc"),
        root.utimens("x", 1, 2), root.close("f"), root.lstat("x").shows(atime=1, mtime=2)),
    Row("kept-by-fsync", root.make("x", "file"), root.open("x", os.O_RDWR, 0, "f"), root.write("f", b"abc"),
        root.utimens("@f", 1, 2), root.fsync("f"), root.lstat("x").shows(atime=1, mtime=2)),
    Row("moved-by-write", root.make("x", "file"), root.open("x", os.O_RDWR, 0, "f"), root.utimens("x", 1, 2),
        root.write("f", b"abc").moves(x="mc"), root.lstat("x").shows(atime=1)),
    Row("of-a-directory", root.make("d", "full"), root.utimens("d", 1, 2), root.lstat("d").shows(atime=1, mtime=2),
        root.unlink("d/inside").moves(d="mc")),
    Row("reading-moves-an-old-atime", root.make("x", "file"), root.utimens("x", 1, 2), root.content("x"),
        root.lstat("x").shows(atime=1), root.open("x", os.O_RDONLY, 0, "f"), root.read("f", 3).moves(x="a")),
    *(Row(f"invalid/{name}/{nanoseconds}", root.make("x", "file"),
          root.set_times("x", *((1, nanoseconds) if name == which else (1, 1) for which in ("atime", "mtime")))
          .fails(EINVAL).moves(x=""))
      for name in ("atime", "mtime") for nanoseconds in (10**9, -1, 1 << 30, 2**40)),
)  # fmt: skip


@pytest.mark.parametrize("rows", grouped([*_values(), *_who_may(), *_open_ones(), *_OTHERS]))
def test_utimens(place: Place, rows: list[Row]) -> None:
    place.run(rows)
