"""The mount as a process: how it starts, how it ends, and what is there afterwards."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import Mount, eventually, fails_with, unmount

from sessionfs.errors import Conflict, NotFound
from sessionfs.mount import daemon, table
from sessionfs.mount.unmount import umount
from sessionfs.store.store import Store


def test_killed_and_mounted_again(mounted: Mount) -> None:
    content = {f"f{number}": os.urandom(100 + number * 500) for number in range(50)}
    for name, data in content.items():
        (mounted.artifacts / name).write_bytes(data)
    (mounted.artifacts / "empty").touch()
    fd = os.open(mounted.artifacts / "open", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"synced")
    os.fsync(fd)
    os.write(fd, b" and not")
    mounted.kill()
    with fails_with(errno.ENOTCONN):
        os.listdir(mounted.path)
    with fails_with(errno.ENOTCONN):
        os.fsync(fd)
    mounted.start()
    with fails_with(errno.ENOTCONN):
        os.close(fd)
    assert {name: (mounted.artifacts / name).read_bytes() for name in content} == content
    assert (mounted.artifacts / "open").read_bytes() == b"synced"
    assert sorted(os.listdir(mounted.artifacts)) == sorted([*content, "empty", "open"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stores_what_is_being_written(mounted: Mount, number: signal.Signals) -> None:
    large = os.urandom(3_000_000)
    small_fd, large_fd = (os.open(mounted.artifacts / name, os.O_CREAT | os.O_WRONLY) for name in "fg")
    os.write(small_fd, b"not closed")
    for start in range(0, len(large), 1 << 20):
        os.write(large_fd, large[start : start + (1 << 20)])
    mounted.process.send_signal(number)
    assert mounted.wait() == ""
    assert mounted.process.returncode == 0
    for fd in (small_fd, large_fd):
        with fails_with(errno.ENOTCONN):
            os.close(fd)
    assert not os.path.ismount(mounted.path)
    session = mounted.session()
    assert session.objects.read(session.tree.resolve("f").oid) == b"not closed"
    assert session.objects.read(session.tree.resolve("g").oid) == large


def test_unmounting_stores_everything(mounted: Mount) -> None:
    (mounted.artifacts / "f").write_text("x")
    mounted.stop()
    assert mounted.session().tree.resolve("f").size == 1
    mounted.start()
    assert (mounted.artifacts / "f").read_text() == "x"


def test_one_session_only(start: Callable[..., Mount], tmp_path: Path) -> None:
    store_path = tmp_path / "store"
    Store.create(str(store_path))
    store = Store(str(store_path))
    store.create_session(session_id="one", parent=store.create_session(session_id="parent").id)
    store.create_session(session_id="child", parent="one")
    stored = store.session("parent").objects.put_bytes(b"secret")
    mounted = start(store_path, session="one")
    assert os.listdir(mounted.path) == ["sessions"]
    assert os.listdir(mounted.path / "sessions") == ["one"]
    for path in ("sessions/parent", "sessions/child", "objects", f"objects/{stored.oid}", "by-name", "by-status"):
        assert not os.path.lexists(mounted.path / path)
    assert os.listdir(mounted.session_path / "children") == []
    assert not (mounted.session_path / "parent").exists()
    with fails_with(errno.EPERM):
        (mounted.path / "sessions/new").mkdir()
    (mounted.artifacts / "f").write_text("x")
    store.create_session(session_id="later")
    assert os.listdir(mounted.path / "sessions") == ["one"]
    assert not (mounted.path / "sessions/later").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory with 4 MB of space."""
    path = tmp_path / "small"
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=20k", "tmpfs", path], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    yield path
    subprocess.run(["umount", "-l", path], check=False)


def test_a_full_disk(small_disk: Path, start: Callable[..., Mount]) -> None:
    mounted = start(small_disk / "store")
    (mounted.artifacts / "kept").write_bytes(b"kept")
    with fails_with(errno.ENOSPC):
        (mounted.artifacts / "large").write_bytes(os.urandom(8_000_000))
    with fails_with(errno.ENOSPC):
        for number in range(100):
            (mounted.artifacts / f"f{number}").write_bytes(os.urandom(200_000))
    names = {node.name for _, node in mounted.session().tree.walk()}
    # What could not be stored goes when its last descriptor is released, which close(2) does not wait for.
    assert eventually(lambda: set(os.listdir(mounted.artifacts)) == names)
    for name in names:
        (mounted.artifacts / name).read_bytes()
    assert (mounted.artifacts / "kept").read_bytes() == b"kept"
    assert "large" not in names
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    (mounted.artifacts / "large").write_bytes(b"fits now" * 1_000_000)
    (mounted.artifacts / "kept").rename(mounted.artifacts / "moved")
    os.utime(mounted.artifacts / "moved", ns=(7, 7))
    assert set(os.listdir(mounted.artifacts)) == names - {"kept"} | {"large", "moved"}
    assert mounted.session().tree.resolve("moved").mtime_ns == 7
    mounted.expected_log = "could not be stored"


def test_in_the_background(tmp_path: Path, fuse: None) -> None:
    store = tmp_path / "a störe, with\\more"
    Store.create(str(store))
    Store(str(store)).create_session(session_id="one")
    point = tmp_path / "a point, with a comma\\and more"
    point.mkdir()
    said = io.StringIO()
    try:
        assert daemon.mount(str(store), str(point), stderr=said) == 0
        assert str(point) in said.getvalue()
        assert os.listdir(point / "sessions") == ["one"]
        found = table.find_mount(str(point))
        assert found is not None and found.store == str(store)
        process = int(os.getxattr(point, "user.sessionfs.pid"))
        with pytest.raises(Conflict, match="already mounted"):
            daemon.mount(str(store), str(point), stderr=said)
        (point / "sessions/one/artifacts/f").write_text("x")
        assert umount(str(point)) == 0
        assert not os.path.exists(f"/proc/{process}") or b"Z" in Path(f"/proc/{process}/stat").read_bytes()
        assert list((store / "tmp").glob("mount-*.log")) == []
    finally:
        subprocess.run(["umount", "-l", point], capture_output=True, check=False)
    with pytest.raises(NotFound):
        umount(str(point))


def test_servers_end_when_unmounted(mounted: Mount) -> None:
    unmount(mounted.path)
    assert mounted.wait() == ""
    assert mounted.process.returncode == 0
