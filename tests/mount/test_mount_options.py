"""What the options of ``sessionfs mount`` change, seen through the kernel."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from commands import AS_NOBODY, NOBODY, Commands
from servers import eventually, fails_with

import sessionfs
from sessionfs.store.store import Store

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def point(tmp_path: Path) -> Path:
    path = tmp_path / "mnt"
    path.mkdir()
    return path


def artifacts(point: Path) -> Path:
    return point / "sessions" / "one" / "artifacts"


def everything(store: Path) -> dict[str, tuple[object, ...]]:
    """Return what a store is made of: every name, and what changes when it is written."""
    found: dict[str, tuple[object, ...]] = {}
    for directory, _, files in os.walk(store):
        for path in (directory, *(os.path.join(directory, name) for name in files)):
            known = os.stat(path)
            content = b"" if path == directory else Path(path).read_bytes()
            found[path] = (known.st_mtime_ns, known.st_ctime_ns, known.st_mode, hashlib.sha256(content).digest())
    return found


# Read-only


def put(store: Path, name: str, content: bytes) -> None:
    """Store an artifact as another process does."""
    with sessionfs.open(str(store)) as opened:
        opened.sessions["one"].artifacts.put(name, content)


def fill(store: Path) -> None:
    for name in ("f", "dir/g"):
        put(store, name, b"x" * 20_000)


def test_read_only(command: Commands, point: Path) -> None:
    fill(command.store)
    before = everything(command.store)
    command.ok("mount", "--read-only", point)
    assert (artifacts(point) / "dir/g").read_bytes() == b"x" * 20_000
    assert (point / "sessions/one/status").read_text() == "active\n"
    for attempt in (
        lambda: (artifacts(point) / "new").touch(),
        lambda: (artifacts(point) / "f").open("a"),
        lambda: (artifacts(point) / "f").unlink(),
        lambda: (artifacts(point) / "f").chmod(0o600),
        lambda: (artifacts(point) / "d").mkdir(),
        lambda: os.setxattr(artifacts(point) / "f", "user.x", b"y"),
        lambda: (point / "sessions/new").mkdir(),
        lambda: (point / "sessions/one/status").write_text("suspended\n"),
        lambda: (point / "sessions/one/state/key").write_text("1"),
    ):
        with fails_with(errno.EROFS):
            attempt()
    assert everything(command.store) == before
    assert [(mount["read_only"], mount["options"]) for mount in command.mounted()] == [(True, [])]
    command.ok("umount", point)
    assert everything(command.store) == before


@root_only
def test_the_process_of_a_read_only_mount_cannot_write_even_if_the_kernel_lets_writers_pass(
    command: Commands, point: Path
) -> None:
    fill(command.store)
    before = everything(command.store)
    command.ok("mount", "-o", "ro", point)
    subprocess.run(["mount", "-i", "-o", "remount,rw", point], check=True)
    for attempt in (
        lambda: (artifacts(point) / "new").write_text("x"),
        lambda: (artifacts(point) / "d").mkdir(),
        lambda: (artifacts(point) / "f").unlink(),
        lambda: (point / "sessions/new").mkdir(),
    ):
        with fails_with(errno.EROFS):
            attempt()
    assert (artifacts(point) / "f").read_bytes() == b"x" * 20_000
    log = Path(command.ok("umount", point).stderr.rstrip("\n").rpartition("; see ")[2])
    assert "could not be stored" in log.read_text()
    log.unlink()
    assert everything(command.store) == before


def test_a_read_only_mount_sees_what_others_write(command: Commands, point: Path) -> None:
    command.ok("mount", "--read-only", point)
    assert os.listdir(artifacts(point)) == []
    fill(command.store)
    assert eventually(lambda: sorted(os.listdir(artifacts(point))) == ["dir", "f"])
    command.ok("umount", point)


def test_without_a_directory_to_watch_the_kernel_asks_again(command: Commands, point: Path) -> None:
    fill(command.store)
    shutil.rmtree(command.store / "changed")
    command.ok("mount", "--read-only", point)
    assert not (command.store / "changed").exists()
    with fails_with(errno.ENOENT):
        os.stat(artifacts(point) / "new")
    put(command.store, "new", b"new")
    assert eventually((artifacts(point) / "new").exists)
    command.ok("umount", point)


@root_only
def test_a_store_that_the_user_may_only_read(command: Commands, user_command: Commands) -> None:
    fill(command.store)
    for directory in [command.store, *command.store.parents]:
        if directory.stat().st_uid == os.geteuid() and directory != Path("/tmp"):
            directory.chmod(0o755)
    user = Commands(command.store, python=user_command.python, **user_command.as_user)
    point = user_command.store.with_name("mnt")
    user.shell(f"mkdir {point}")
    user.ok("mount", "--read-only", "mnt")
    try:
        read = user.shell(f"wc -c < {artifacts(point)}/f")
        assert read.stdout.strip() == "20000", read
        assert user.shell(f"touch {artifacts(point)}/new").returncode != 0
        user.ok("umount", "mnt")
        message = user.fails(4, "mount", "mnt")
        assert f"you may only read the store {command.store}; mount it with --read-only" in message
    finally:
        subprocess.run(["umount", "-l", point], capture_output=True, check=False)


# Owners and permissions


@root_only
def test_owner_and_permissions_are_shown_and_not_recorded(command: Commands, point: Path) -> None:
    fill(command.store)
    command.ok("mount", "--uid", "7", "--gid", "8", "--umask", "027", point)
    plain = artifacts(point) / "f"
    for path in (point, point / "sessions", artifacts(point), plain):
        assert (path.stat().st_uid, path.stat().st_gid) == (7, 8)
    assert stat.S_IMODE(plain.stat().st_mode) == 0o640
    os.chown(plain, 5, 6)
    plain.chmod(0o6700)
    (artifacts(point) / "new").touch(mode=0o644)
    shown = plain.stat()
    assert (shown.st_uid, shown.st_gid, stat.S_IMODE(shown.st_mode)) == (7, 8, 0o750)
    assert (artifacts(point) / "new").stat().st_uid == 7
    assert command.mounted()[0]["options"] == ["uid=7", "gid=8", "umask=027"]
    command.ok("umount", point)
    command.ok("mount", point)
    recorded = plain.stat()
    assert (recorded.st_uid, recorded.st_gid, stat.S_IMODE(recorded.st_mode)) == (5, 6, 0o6700)
    assert (artifacts(point) / "new").stat().st_uid == os.geteuid()


@root_only
def test_the_kernel_checks_what_is_shown(command: Commands, point: Path) -> None:
    for directory in (point, *point.parents):
        if directory != Path("/tmp") and directory != Path("/"):
            directory.chmod(0o755)
    command.ok("mount", "--allow-other", "--uid", str(NOBODY), "--umask", "077", point)
    done = subprocess.run(["sh", "-c", f"echo x > {artifacts(point)}/f && cat {artifacts(point)}/f"], **AS_NOBODY,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "x\n"), done
    assert Store(str(command.store)).session("one").tree.resolve("f").uid == NOBODY
    other = subprocess.run(["ls", artifacts(point)], user=1, group=1, extra_groups=[], capture_output=True, check=False)
    assert other.returncode != 0


@root_only
def test_set_id_bits_and_devices(command: Commands, point: Path) -> None:
    for directory in (point, *point.parents):
        if directory != Path("/tmp") and directory != Path("/"):
            directory.chmod(0o755)
    command.ok("mount", "--allow-other", point)
    program = artifacts(point) / "id"
    shutil.copy("/usr/bin/id", program)
    program.chmod(0o4755)
    os.mknod(artifacts(point) / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))

    def who() -> str:
        return subprocess.run([program, "-u"], capture_output=True, text=True, check=True, **AS_NOBODY).stdout.strip()

    assert who() == "0"
    (artifacts(point) / "null").write_text("x")
    command.ok("umount", point)
    command.ok("mount", "--allow-other", "-o", "nosuid,nodev", point)
    assert who() == str(NOBODY)
    with fails_with(errno.EACCES):
        (artifacts(point) / "null").write_text("x")
    command.ok("umount", point)
    command.ok("mount", "--allow-other", "-o", "noexec", point)
    with pytest.raises(PermissionError):
        who()


# Who may look, and for how long it is believed


@root_only
def test_others_stay_outside_unless_they_are_allowed(user_command: Commands) -> None:
    point = user_command.store.with_name("mnt")
    user_command.shell(f"mkdir {point}")
    user_command.ok("mount", "mnt")
    assert user_command.shell(f"ls {point}/sessions").stdout == "one\n"
    with fails_with(errno.EACCES):  # not even root
        os.listdir(point)
    user_command.ok("umount", "mnt")
    config = Path("/etc/fuse.conf")
    if not any(line.strip() == "user_allow_other" for line in config.read_text().splitlines()):
        message = user_command.fails(4, "mount", "--allow-other", "mnt")
        assert "allow_other is not allowed to you: /etc/fuse.conf has no line user_allow_other" in message
    assert "only root may mount with 'dev'" in user_command.fails(4, "mount", "-o", "dev", "mnt")


def counts(command: Commands, point: Path) -> dict[str, int]:
    """Return how many requests of each kind there were since this was asked last."""
    requests = command.json("mount", "--stats", "--reset", point)["requests"]
    return {record["request"]: record["count"] for record in requests}


def test_how_long_the_kernel_answers_by_itself(command: Commands, point: Path) -> None:
    fill(command.store)
    command.ok("mount", "--cache-seconds", "0", point)
    for known in (False, True):
        if known:
            command.ok("umount", point)
            command.ok("mount", point)
        path = artifacts(point) / "f"
        path.stat()
        counts(command, point)
        for _ in range(10):
            path.stat()
            assert not path.with_name("missing").exists()
        asked = counts(command, point)
        # Each looks up five directories and the file, or has all of it in the cache.
        assert asked.get("LOOKUP", 0) >= 40 if not known else asked.get("LOOKUP", 0) <= 1, asked
        assert command.mounted()[0]["options"] == ([] if known else ["cache_seconds=0"])
