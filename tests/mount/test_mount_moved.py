"""What is asked by a name that another process gave to something else, before the kernel can have been told."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import Mount, eventually, fails_with

import sessionfs
from sessionfs.fsck import check
from sessionfs.mount.changes import Invalidator
from sessionfs.store.store import Store

Move = Callable[[sessionfs.Artifacts], None]


def append(path: Path, text: str) -> None:
    with open(path, "a") as file:
        file.write(text)


@pytest.fixture
def there(mounted: Mount) -> sessionfs.Artifacts:
    """The artifacts as another process has them: ``f``, and ``d`` with ``d/f``; the kernel knows all of them.

    And that there is no ``renamed`` and no ``d/h``, so that it looks up nothing before it asks what it was told to.
    """
    (mounted.artifacts / "f").write_text("one")
    (mounted.artifacts / "d").mkdir()
    (mounted.artifacts / "d/f").write_text("one")
    assert not any((mounted.artifacts / name).exists() for name in ("renamed", "d/h"))
    return sessionfs.open(mounted.store_path, background_sync=False).sessions["one"].artifacts


def move_file(there: sessionfs.Artifacts) -> None:
    there.rename("f", "moved")
    there.put("f", "two")


def replace_file(there: sessionfs.Artifacts) -> None:
    there.put("other", "two")
    there.rename("other", "f")


def move_directory(there: sessionfs.Artifacts) -> None:
    there.rename("d", "moved")
    there.put("d/g", "two")


def contents(there: sessionfs.Artifacts, mounted: Mount) -> dict[str, bytes]:
    """What is in each file; the mount says the same, and everything is as its log says."""
    found = {path: there.read(path) for path in there if there[path].kind == "file"}
    for path, content in found.items():
        assert (mounted.artifacts / path).read_bytes() == content
    mounted.stop()
    assert list(check(Store(str(mounted.store_path)))) == []
    return found


@pytest.mark.parametrize("move", [move_file, replace_file])
def test_a_file_that_is_opened(mounted: Mount, there: sessionfs.Artifacts, move: Move) -> None:
    with mounted.held(lambda here: append(here / "f", " and three")):
        move(there)
    moved = {"moved": b"one"} if move is move_file else {}
    assert contents(there, mounted) == {"d/f": b"one", "f": b"two and three", **moved}


@pytest.mark.parametrize("move", [move_file, replace_file])
def test_a_file_that_is_cut_off_by_name(mounted: Mount, there: sessionfs.Artifacts, move: Move) -> None:
    with mounted.held(lambda here: os.truncate(here / "f", 1)):
        move(there)
    moved = {"moved": b"one"} if move is move_file else {}
    assert contents(there, mounted) == {"d/f": b"one", "f": b"t", **moved}


@pytest.mark.parametrize("move", [move_file, replace_file])
def test_a_file_whose_mode_and_attributes_are_set(mounted: Mount, there: sessionfs.Artifacts, move: Move) -> None:
    path = mounted.artifacts / "f"
    with mounted.held(lambda here: os.chmod(here / "f", 0o600)):
        move(there)
    assert there["f"].mode & 0o777 == 0o600 and path.stat().st_mode & 0o777 == 0o600
    with mounted.held(lambda here: os.setxattr(here / "f", b"user.k", b"v")):
        there.put("f", "another")
        there.delete("f")
        there.put("f", "a third")
    assert there["f"].metadata == {"k": "v"}


@pytest.mark.parametrize("move", [move_file, replace_file])
def test_a_file_that_is_renamed(mounted: Mount, there: sessionfs.Artifacts, move: Move) -> None:
    renamed = mounted.artifacts / "renamed"
    with mounted.held(lambda here: os.rename(here / "f", here / "renamed")):
        move(there)
    assert renamed.read_text() == "two"  # the kernel would keep what it had by the old name for an hour
    append(renamed, " and three")
    moved = {"moved": b"one"} if move is move_file else {}
    assert contents(there, mounted) == {"d/f": b"one", "renamed": b"two and three", **moved}


def test_a_file_with_a_newer_version_that_is_renamed_while_somebody_has_it_open(
    mounted: Mount, there: sessionfs.Artifacts
) -> None:
    path, renamed = mounted.artifacts / "f", mounted.artifacts / "renamed"
    with open(path) as file:
        with mounted.held(lambda here: os.rename(here / "f", here / "renamed")):
            there.put("f", "newer")
        assert renamed.read_text() == "newer"
        assert file.read() == "one"


def test_a_directory_that_is_renamed(mounted: Mount, there: sessionfs.Artifacts) -> None:
    with mounted.held(lambda here: os.rename(here / "d", here / "renamed")):
        move_directory(there)
    (mounted.artifacts / "renamed/h").write_text("three")
    assert contents(there, mounted) == {"f": b"one", "moved/f": b"one", "renamed/g": b"two", "renamed/h": b"three"}


def test_a_directory_in_which_something_is_made_and_removed(mounted: Mount, there: sessionfs.Artifacts) -> None:
    with mounted.held(lambda here: (here / "d" / "h").write_text("three")):
        move_directory(there)
    assert contents(there, mounted) == {"f": b"one", "moved/f": b"one", "d/g": b"two", "d/h": b"three"}


def test_what_is_in_a_directory_that_was_moved(mounted: Mount, there: sessionfs.Artifacts) -> None:
    with fails_with(errno.ENOENT), mounted.held(lambda here: os.unlink(here / "d/f")):
        move_directory(there)
    assert contents(there, mounted) == {"f": b"one", "moved/f": b"one", "d/g": b"two"}


def test_a_file_that_was_not_there(mounted: Mount, there: sessionfs.Artifacts) -> None:
    assert not (mounted.artifacts / "new").exists()  # the kernel keeps that too
    with mounted.held(lambda here: append(here / "new", " and here")):
        there.put("new", "there")
    assert not (mounted.artifacts / "exclusive").exists()
    with fails_with(errno.EEXIST), mounted.held(lambda here: (here / "exclusive").touch(exist_ok=False)):
        there.put("exclusive", "there")
    assert contents(there, mounted) == {"f": b"one", "d/f": b"one", "new": b"there and here", "exclusive": b"there"}


def test_moves_without_end_let_others_work(mounted: Mount, there: sessionfs.Artifacts) -> None:
    """Nobody is sent back twice for one request."""
    path = mounted.artifacts / "f"
    for number in range(150):
        there.put("other", str(number))
        there.rename("other", "f")
        there.rename("d", "e")
        there.rename("e", "d")
        append(path, "+")
        assert there.read("f") == f"{number}+".encode()
        (mounted.artifacts / "d/f").write_text(str(number))
        assert there.read("d/f") == str(number).encode()


def test_a_name_counts_as_told_of_when_earlier_requests_have_been_read(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("pyfuse3.invalidate_entry", lambda *entry: told.append(entry))
    invalidator = Invalidator()
    invalidator.start()
    try:
        invalidator.entry(7, b"f", of=8)
        assert eventually(lambda: told == [(7, b"f")])
        assert invalidator.is_forgetting_any_name
        assert invalidator.is_forgetting_entry(7, b"f") and invalidator.is_forgetting_names(8)
        assert not invalidator.is_forgetting_entry(7, b"g") and not invalidator.is_forgetting_names(7)
    finally:
        invalidator.stop()
    invalidator.requests_were_read()
    assert invalidator.is_forgetting_names(8)  # one may have come before the kernel had forgotten it
    invalidator.requests_were_read()
    assert not invalidator.is_forgetting_names(8) and not invalidator.is_forgetting_any_name
