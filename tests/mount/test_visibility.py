"""What other processes do to a session is seen in the mount soon, and the kernel serves nothing stale after that.

How soon is measured by ``tools/bench --rows 'mount:*'``.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from servers import Mount, eventually, run

from sessionfs.fsck import check, repair
from sessionfs.mount.changes import Invalidator
from sessionfs.store.session import Session
from sessionfs.store.store import Store


def put(session: Session, path: str, content: bytes, **attributes: Any) -> None:
    session.artifacts.put(path, session.objects.put_bytes(content), **attributes)


def seen(condition: Callable[[], Any]) -> None:
    assert eventually(condition)


def content(mounted: Mount, path: str) -> bytes | None:
    try:
        return (mounted.artifacts / path).read_bytes()
    except FileNotFoundError:
        return None


def test_new_changed_renamed_and_deleted_files(mounted: Mount) -> None:
    session = mounted.session()
    assert content(mounted, "f") is None  # the kernel remembers that
    put(session, "f", b"first")
    seen(lambda: content(mounted, "f") == b"first")
    put(session, "f", b"second, and longer")
    seen(lambda: content(mounted, "f") == b"second, and longer")
    put(session, "f", b"third")
    seen(lambda: (mounted.artifacts / "f").stat().st_size == 5)
    assert content(mounted, "f") == b"third"
    assert content(mounted, "g") is None
    session.artifacts.rename("f", "g")
    seen(lambda: os.listdir(mounted.artifacts) == ["g"])
    seen(lambda: content(mounted, "f") is None and content(mounted, "g") == b"third")
    session.artifacts.delete("g")
    seen(lambda: content(mounted, "g") is None and os.listdir(mounted.artifacts) == [])


def test_without_asking_for_anything_else(mounted: Mount) -> None:
    """Only the mark tells the server: no other request comes to it."""
    session = mounted.session()
    put(session, "f", b"12345")
    path = os.fspath(mounted.artifacts / "f")
    seen(lambda: os.path.exists(path))
    assert os.stat(path).st_size == 5
    put(session, "f", b"1234567")
    seen(lambda: os.stat(path).st_size == 7)


def test_modes_times_and_xattrs(mounted: Mount) -> None:
    session = mounted.session()
    put(session, "f", b"x", tags=("a",))
    path = mounted.artifacts / "f"
    seen(path.exists)
    assert path.stat().st_mode & 0o777 == 0o644
    session.artifacts.change("f", mode=0o600, mtime_ns=5, tags=("b",))
    seen(lambda: path.stat().st_mode & 0o777 == 0o600)
    assert path.stat().st_mtime_ns == 5
    assert os.getxattr(path, "user.sessionfs.tags") == b"b"


def test_directories(mounted: Mount) -> None:
    session = mounted.session()
    put(session, "d/e/f", b"x")
    seen((mounted.artifacts / "d/e/f").exists)
    session.artifacts.rename("d", "moved")
    seen(lambda: (mounted.artifacts / "moved/e/f").exists() and not (mounted.artifacts / "d").exists())
    session.artifacts.delete("moved", recursive=True)
    seen(lambda: not (mounted.artifacts / "moved/e/f").exists())
    assert os.listdir(mounted.artifacts) == []


def test_an_open_file_goes_on(mounted: Mount) -> None:
    session = mounted.session()
    put(session, "f", b"before")
    seen((mounted.artifacts / "f").exists)
    with (mounted.artifacts / "f").open("rb", buffering=0) as file:
        assert file.read() == b"before"
        session.artifacts.delete("f")
        seen(lambda: not (mounted.artifacts / "f").exists())
        file.seek(0)
        assert file.read() == b"before"


def test_an_open_file_keeps_its_content_when_a_newer_version_comes(mounted: Mount) -> None:
    session = mounted.session()
    old, new = b"before" * 1000, b"after"
    put(session, "f", old)
    path = mounted.artifacts / "f"
    seen(path.exists)
    with path.open("rb", buffering=0) as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert file.read(5) == b"befor"
        put(session, "f", new)
        seen(lambda: path.stat().st_size == len(new))
        assert content(mounted, "f") == new
        file.seek(0)
        assert file.read() == mapped[:] == old
        assert os.fstat(file.fileno()).st_size == len(old)
    assert content(mounted, "f") == new


def test_two_who_write_different_versions(mounted: Mount) -> None:
    session = mounted.session()
    put(session, "f", b"one")
    path = mounted.artifacts / "f"
    seen(path.exists)
    with path.open("r+b", buffering=0) as first:
        put(session, "f", b"two")
        seen(lambda: path.read_bytes() == b"two")
        with path.open("r+b", buffering=0) as second:
            second.write(b"T")
            first.write(b"O")
            assert os.fstat(first.fileno()).st_size == 3
        assert path.read_bytes() == b"Two"
    seen(lambda: content(mounted, "f") == b"One")
    session.refresh()
    assert session.tree.resolve("f").version == 4


def test_a_file_being_written_while_another_process_stores_it(mounted: Mount) -> None:
    session = mounted.session()
    with (mounted.artifacts / "f").open("wb", buffering=0) as file:
        file.write(b"from the mount")
        put(session, "f", b"from elsewhere")
    assert content(mounted, "f") == b"from the mount"
    session.refresh()
    assert session.tree.resolve("f").version == 2


def test_a_directory_deleted_under_a_file_being_written(mounted: Mount) -> None:
    session = mounted.session()
    (mounted.artifacts / "d").mkdir()
    with (mounted.artifacts / "d/f").open("wb", buffering=0) as file:
        file.write(b"x")
        session.artifacts.delete("d", recursive=True)
        seen(lambda: not (mounted.artifacts / "d").exists())
        file.write(b"y")
    assert os.listdir(mounted.artifacts) == []
    assert mounted.session().tree.find("f") is None


def test_sessions_come_and_go(mounted: Mount) -> None:
    store = mounted.store()
    path = mounted.path / "sessions/new"
    assert not path.exists()
    store.create_session(session_id="new")
    seen(path.exists)
    assert sorted(os.listdir(mounted.path / "sessions")) == ["new", "one"]
    put(store.session("new"), "f", b"x")
    seen((path / "artifacts/f").exists)
    store.delete_session("new")
    seen(lambda: not path.exists())
    assert not (path / "artifacts/f").exists()
    store.create_session(session_id="new")
    seen(path.exists)
    assert os.listdir(path / "artifacts") == []


def test_a_session_suspended_elsewhere(mounted: Mount) -> None:
    mounted.session().suspend()
    assert (mounted.session_path / "status").read_text() == "suspended\n"
    with pytest.raises(OSError, match="Read-only"):
        (mounted.artifacts / "f").touch()


def test_the_mount_and_another_process_write_at_once(mounted: Mount) -> None:
    session = mounted.session()
    for number in range(300):
        (mounted.artifacts / f"mount-{number}").write_text(str(number))
        put(session, f"other-{number}", b"x")
    names = {f"{who}-{number}" for who in ("mount", "other") for number in range(300)}
    seen(lambda: set(os.listdir(mounted.artifacts)) == names)
    assert {node.name for _, node in mounted.session().tree.walk()} == names
    assert run("cat", mounted.artifacts / "mount-299") == "299"


def test_pages_are_not_kept_by_who_opens_a_file_before_the_kernel_has_been_told(monkeypatch: Any) -> None:
    told: list[int] = []
    go_on = threading.Event()

    def invalidate(number: int, attr_only: bool = False) -> None:
        assert go_on.wait(60)
        told.append(number)

    monkeypatch.setattr("pyfuse3.invalidate_inode", invalidate)
    invalidator = Invalidator()
    invalidator.start()
    try:
        invalidator.inode(7, content=False)
        assert not invalidator.is_forgetting_pages(7)
        for _ in range(2):
            invalidator.inode(7, content=True)
        assert invalidator.is_forgetting_pages(7) and not invalidator.is_forgetting_pages(8)
        go_on.set()
        assert eventually(lambda: not invalidator.is_forgetting_pages(7))
    finally:
        go_on.set()
        invalidator.stop()
    assert told == [7, 7, 7]


def test_a_file_that_changes_is_never_read_with_its_new_length_and_old_content(mounted: Mount) -> None:
    session = mounted.session()
    put(session, "f", b"begin")
    path = mounted.artifacts / "f"
    assert eventually(path.exists)
    for number in range(120):
        text = b"%03d " % number * (number % 7 + 1)  # never as long as the one before
        path.read_bytes()  # the kernel has its pages
        put(session, "f", text)
        while path.stat().st_size != len(text):
            pass
        assert path.read_bytes() == text


def test_a_session_that_a_repair_cuts_back_goes_on_in_the_mount(mounted: Mount) -> None:
    for number in range(12):
        (mounted.artifacts / f"f{number}").write_text(f"{number}\n")
    log = mounted.store_path / "sessions/one/log"
    lines = log.read_bytes().splitlines(keepends=True)
    with open(log, "r+b") as file:
        file.seek(sum(map(len, lines[:8])) + 60)
        file.write(b"????????")
    assert [step.action for step in repair(Store(str(mounted.store_path)))] == ["cut"]
    there = sorted(mounted.session().tree.root.entries())
    assert 0 < len(there) < 12
    assert eventually(lambda: sorted(os.listdir(mounted.artifacts)) == there)
    assert [(mounted.artifacts / name).read_text() for name in there] == [f"{name[1:]}\n" for name in there]
    (mounted.artifacts / "after").write_text("after\n")
    (mounted.artifacts / there[0]).write_text("changed\n")
    mounted.stop()
    session = mounted.session()
    assert sorted(session.tree.root.entries()) == sorted([*there, "after"])
    assert session.objects.read(session.tree.find(there[0]).oid) == b"changed\n"
    assert list(check(Store(str(mounted.store_path)))) == []
