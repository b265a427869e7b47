"""Where a store can be mounted, and that only one process gets a place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import Commands
from servers import eventually

from sessionfs.errors import Conflict
from sessionfs.mount import mountpoint
from sessionfs.mount.mountpoint import claim
from sessionfs.store.store import Store


@pytest.fixture
def point(tmp_path: Path) -> Path:
    path = tmp_path / "mnt"
    path.mkdir()
    return path


def test_nothing_can_be_mounted_there(command: Commands, tmp_path: Path, point: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    (command.store / "tmp/inside").mkdir()
    (tmp_path / "link").symlink_to(command.store / "tmp/inside")
    for place, code, text in (
        (tmp_path / "missing", 3, "there is no directory"),
        (tmp_path / "missing", 3, "make it first: mkdir"),
        (tmp_path / "file", 2, "is not a directory"),
        (tmp_path / "file/x", 2, "Not a directory; name another directory"),
        (tmp_path / "full", 5, "is not empty (it has 'x'), and a mount would hide that; name an empty directory"),
        (command.store / "tmp/inside", 2, f"is inside the store {command.store}; name a directory outside of it"),
        (tmp_path / "link", 2, "is inside the store"),
        (command.store, 2, "is inside the store"),
        (tmp_path, 2, f"holds the store {command.store}, which the mount would hide"),
    ):
        assert text in command.fails(code, "mount", place)
    assert "no session" in command.fails(3, "mount", "--session", "x", point)
    assert "is no sessionfs store" in command.fails(3, "--store", point, "mount", point)
    assert "--reset goes with --stats" in command.fails(2, "mount", "--reset", point)
    assert command.mounted() == []


def test_one_store_on_two_directories_and_no_directory_twice(command: Commands, tmp_path: Path, point: Path) -> None:
    command.ok("mount", point)
    message = command.fails(5, "mount", point)
    assert f"something is already mounted on {point}; end it first: sessionfs umount {point}" in message
    second = tmp_path / "second"
    second.mkdir()
    command.ok("mount", "--session", "one", second)
    (point / "sessions/one/artifacts/f").write_text("seen by both\n")
    assert eventually(lambda: (second / "sessions/one/artifacts/f").exists())
    assert [(mount["mountpoint"], mount["session"]) for mount in command.mounted()] == [
        (str(point), None),
        (str(second), "one"),
    ]
    inside = point / "sessions/one/artifacts/inside"
    inside.mkdir()
    assert f"is inside a mount of the same store, on {point}" in command.fails(2, "mount", inside)
    command.ok("umount", point)
    assert (second / "sessions/one/artifacts/f").read_text() == "seen by both\n"
    command.ok("umount", second)


def test_a_store_inside_a_mount_of_another(command: Commands, tmp_path: Path, point: Path) -> None:
    command.ok("mount", point)
    inner = Commands(point / "sessions/one/artifacts/inner")
    inner.ok("init", inner.store)
    inner.ok("session", "create", "--id", "deep")
    second = tmp_path / "second"
    second.mkdir()
    inner.ok("mount", second)
    (second / "sessions/deep/artifacts/f").write_text("deep\n")
    assert (second / "sessions/deep/artifacts/f").read_text() == "deep\n"
    assert f"it is in use by {inner.mounted()[0]['pid']} " in command.fails(5, "umount", point)
    inner.ok("umount", second)
    command.ok("umount", point)


def test_of_several_at_once_exactly_one_wins(command: Commands, point: Path) -> None:
    processes = [
        subprocess.Popen(
            command.argv("mount", point), env=command.env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        for _ in range(6)
    ]
    said = [process.communicate()[1] for process in processes]
    codes = [process.returncode for process in processes]
    assert sorted(codes) == [0, 5, 5, 5, 5, 5], said
    for code, text in zip(codes, said, strict=True):
        assert text.count("\n") == 1
        assert code == 0 or "already mounted" in text or "another process is mounting" in text, text
    assert len(command.mounted()) == 1
    command.ok("umount", point)
    assert command.mounted() == []
    assert list((command.store / "tmp").glob("mount-*.log")) == []


def test_a_claim_ends_with_its_process(tmp_path: Path, point: Path) -> None:
    Store.create(str(tmp_path / "store"))
    program = (
        "import sys; from sessionfs.mount.mountpoint import claim\n"
        "with claim(sys.argv[1], sys.argv[2]): print('mine', flush=True); sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, point, tmp_path / "store"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdin is not None and other.stdout is not None
    assert other.stdout.readline() == b"mine\n"
    with pytest.raises(Conflict, match="another process is mounting on"), claim(str(point), str(tmp_path / "store")):
        pass
    other.kill()
    other.communicate()
    with claim(str(point), str(tmp_path / "store")):
        pass


def test_a_machine_without_fuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mountpoint, "DEVICE", "/dev/there-is-no-fuse")
    with pytest.raises(mountpoint.NoFuse, match="there is no /dev/there-is-no-fuse here"):
        mountpoint.check_fuse()


def test_as_a_normal_user(user_command: Commands) -> None:
    home = user_command.store.parent
    user_command.shell(f"mkdir {home}/mnt")
    user_command.ok("mount", "mnt")
    artifacts = f"{home}/mnt/sessions/one/artifacts"
    done = user_command.shell(f"echo x > {artifacts}/f && stat -c %u {artifacts}/f")
    assert done.stdout == "65534\n", done
    assert [(mount["user"], mount["state"]) for mount in user_command.mounted()] == [("nobody", "serving")]
    user_command.ok("umount", "mnt")
    assert Store(str(user_command.store)).session("one").tree.resolve("f").uid == 65534


def test_where_a_normal_user_may_not_mount(user_command: Commands) -> None:
    home = user_command.store.parent
    for name, mode in (("roots", 0o755), ("shared", 0o1777)):
        (home / name).mkdir()
        (home / name).chmod(mode)
    message = f"you may not mount on {home}/roots: you cannot write to it; name a directory of your own"
    assert message in user_command.fails(4, "mount", "roots")
    assert "it is shared by all; make a directory in it" in user_command.fails(4, "mount", "shared")


def test_what_the_background_process_cannot_do_is_told(command: Commands, point: Path) -> None:
    shutil.rmtree(command.store / "changed")
    (command.store / "changed").write_text("in the way")
    message = command.fails(7, "mount", point)
    assert "changed" in message
    log = next((command.store / "tmp").glob("mount-*.log"))
    assert f"; see {log}" in message
    assert "a fault in sessionfs" in log.read_text()
    assert not os.path.ismount(point)
