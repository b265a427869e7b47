"""Ending a mount: in use, by force, after its process was killed, by a signal; and what the log says."""

from __future__ import annotations

import errno
import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import Commands
from servers import eventually, fails_with

from sessionfs.mount import unmount
from sessionfs.mount.table import find_mount
from sessionfs.mount.users import describe_users, users_of
from sessionfs.store.store import Store


@pytest.fixture
def point(tmp_path: Path) -> Path:
    path = tmp_path / "mnt"
    path.mkdir()
    return path


@pytest.fixture
def mounted(command: Commands, point: Path) -> Commands:
    command.ok("mount", point)
    return command


def artifacts(point: Path) -> Path:
    return point / "sessions" / "one" / "artifacts"


def pid_of(command: Commands) -> int:
    return int(command.mounted()[0]["pid"])


def content(command: Commands, path: str) -> bytes:
    """Return what the store has, without the mount."""
    session = Store(str(command.store)).session("one")
    return session.objects.read(session.tree.resolve(path).oid)


def logs(command: Commands) -> list[str]:
    """Return what the store's mounts logged."""
    return [file.read_text() for file in (command.store / "tmp").glob("mount-*.log")]


def has_ended(pid: int) -> bool:
    try:
        return b") Z " in Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def using(point: Path) -> Iterator[Callable[..., int]]:
    """Starts processes that use the mount in some way; they end after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str, path: Path) -> int:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"import os, sys, mmap; path = sys.argv[1]\n{program}\nprint(flush=True)\ninput()",
                path,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process.pid

    yield start
    for process in started:
        process.kill()
        process.communicate()


WAYS = {
    "file": "f = open(path)",
    "deleted": "f = open(path); os.unlink(path)",
    "cwd": "os.chdir(os.path.dirname(path))",
    "directory": "f = os.open(os.path.dirname(path), os.O_RDONLY)",
    "mapping": "f = open(path); m = mmap.mmap(f.fileno(), 1, prot=mmap.PROT_READ); f.close()",
}


@pytest.mark.parametrize("way", WAYS)
def test_in_use_says_by_whom(mounted: Commands, point: Path, using: Callable[..., int], way: str) -> None:
    path = artifacts(point) / "a file"
    path.write_text("x")
    pid = using(WAYS[way], path)
    used = path if way in ("file", "deleted", "mapping") else path.parent
    message = mounted.fails(5, "umount", point)
    program = Path(f"/proc/{pid}/comm").read_text().strip()
    assert f"cannot unmount {point}: it is in use by {pid} {program} ({used}); end them" in message
    assert f"sessionfs umount --lazy {point}" in message


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_in_use_as_a_root_directory(mounted: Commands, point: Path, using: Callable[..., int]) -> None:
    pid = using("os.chroot(path); os.chdir('/')", artifacts(point))
    assert f"in use by {pid} " in mounted.fails(5, "umount", point)


def test_many_are_counted(mounted: Commands, point: Path, using: Callable[..., int]) -> None:
    pids = [using(WAYS["cwd"], artifacts(point) / "x") for _ in range(7)]
    message = mounted.fails(5, "umount", point)
    assert len(re.findall(r"\d+ \S+ \(/", message)) == 5
    assert ", and 2 more; end them" in message
    assert {user.pid for user in users_of(str(point))} == set(pids)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_mount_inside_is_named(mounted: Commands, point: Path) -> None:
    inside = artifacts(point) / "inside"
    inside.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", inside], check=True)
    try:
        assert f"in use by a mount on {inside}; " in mounted.fails(5, "umount", point)
    finally:
        subprocess.run(["umount", inside], check=True)
    mounted.ok("umount", point)


def test_nobody_uses_a_directory_that_is_no_mount(tmp_path: Path) -> None:
    assert describe_users(str(tmp_path)) is None


def test_lazy_detaches_and_everything_is_stored(mounted: Commands, point: Path) -> None:
    pid = pid_of(mounted)
    with (artifacts(point) / "f").open("w") as file:
        file.write("before\n")
        file.flush()
        done = mounted.ok("umount", "--lazy", point)
        assert f"{point} is detached, and still in use by {os.getpid()} " in done.stderr
        assert f"its process {pid} ends after them, with all stored" in done.stderr
        assert mounted.mounted() == [] and os.listdir(point) == []
        file.write("after\n")
        # The place is free again, and a mount there does not end with the old one.
        mounted.ok("mount", point)
    assert eventually(lambda: has_ended(pid))
    assert content(mounted, "f") == b"before\nafter\n"
    assert eventually(lambda: (artifacts(point) / "f").read_text() == "before\nafter\n")
    mounted.ok("umount", point)
    assert logs(mounted) == []


def test_what_is_detached_takes_no_other_mount_with_it(mounted: Commands, point: Path) -> None:
    old = pid_of(mounted)
    with (artifacts(point) / "f").open("w") as file:
        file.write("x")
        file.flush()
        mounted.ok("umount", "--lazy", point)
        mounted.ok("mount", point)
        os.kill(old, signal.SIGTERM)
        assert eventually(lambda: has_ended(old))
        assert [mount["state"] for mount in mounted.mounted()] == ["serving"]
        with pytest.raises(OSError):
            file.close()
    assert content(mounted, "f") == b"x"


def test_lazy_without_users_ends_it_as_ever(mounted: Commands, point: Path) -> None:
    pid = pid_of(mounted)
    done = mounted.ok("umount", "--lazy", point)
    assert done.stderr == ""
    assert has_ended(pid)


def test_force_ends_it_now(mounted: Commands, point: Path) -> None:
    pid = pid_of(mounted)
    fd = os.open(artifacts(point) / "f", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"written, not closed")
    mounted.ok("umount", "--force", point)
    assert has_ended(pid)
    with fails_with(errno.ENOTCONN):
        os.write(fd, b"more")
    with fails_with(errno.ENOTCONN):
        os.close(fd)
    assert content(mounted, "f") == b"written, not closed"
    assert mounted.mounted() == []


# A process that died, or hangs


def test_after_a_kill_umount_cleans_up(mounted: Commands, point: Path) -> None:
    (artifacts(point) / "f").write_text("closed")
    os.kill(pid_of(mounted), signal.SIGKILL)
    assert eventually(lambda: [mount["state"] for mount in mounted.mounted()] == ["dead"])
    assert f"has died; clean up with: sessionfs umount {point}" in mounted.fails(5, "mount", "--stats", point)
    done = mounted.ok("umount", point)
    assert f"the process of the mount on {point} had died; what it left is taken away; it was killed" in done.stderr
    assert os.listdir(point) == [] and logs(mounted) == []
    assert content(mounted, "f") == b"closed"


def test_after_a_kill_mounting_again_cleans_up(mounted: Commands, point: Path) -> None:
    (artifacts(point) / "f").write_text("closed")
    pid = pid_of(mounted)
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: has_ended(pid))
    done = mounted.ok("mount", point)
    assert done.stderr.startswith(f"mounted {mounted.store} on {point}, in place of a mount whose process had died; ")
    assert (artifacts(point) / "f").read_text() == "closed"
    mounted.ok("umount", point)
    assert not os.path.ismount(point)


@pytest.fixture
def stopped(mounted: Commands) -> Iterator[int]:
    """The process of the mount, which does nothing any more."""
    pid = pid_of(mounted)
    os.kill(pid, signal.SIGSTOP)
    yield pid
    if not has_ended(pid):
        os.kill(pid, signal.SIGCONT)


def test_one_that_does_not_answer(mounted: Commands, point: Path, stopped: int) -> None:
    assert [mount["state"] for mount in mounted.mounted()] == ["silent"]
    assert f"does not answer; try again, or end it: sessionfs umount --force {point}" in mounted.fails(
        5, "umount", point
    )
    assert "does not answer" in mounted.fails(5, "mount", "--stats", point)


def test_force_ends_one_that_hangs_when_it_can(
    mounted: Commands, point: Path, stopped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unmount, "_END_SECONDS", 0.1)
    with pytest.raises(unmount.StillEnding, match=f"kill -9 {stopped} loses only what was not closed"):
        unmount.umount(str(point), force=True)
    assert find_mount(str(point)) is None
    os.kill(stopped, signal.SIGCONT)
    assert eventually(lambda: has_ended(stopped))


# Logs


def test_the_log_is_quiet_when_nothing_is_wrong(mounted: Commands, point: Path) -> None:
    path = artifacts(point)
    for number in range(20):
        (path / f"f{number}").write_bytes(os.urandom(number * 1000))
        os.setxattr(path / f"f{number}", "user.x", b"y")
    (path / "f0").rename(path / "renamed")
    (path / "f1").unlink()
    assert not (path / "missing").exists()
    with fails_with(errno.ENOTDIR):
        (path / "f2/x").touch()
    with fails_with(errno.EPERM):
        os.removexattr(path / "f2", "user.sessionfs.oid")
    assert logs(mounted) in ([], [""])
    mounted.ok("umount", point)
    assert logs(mounted) == []


def test_the_log_says_how_the_process_died(mounted: Commands, point: Path) -> None:
    pid = pid_of(mounted)
    os.kill(pid, signal.SIGSEGV)
    assert eventually(lambda: has_ended(pid))
    log = next((mounted.store / "tmp").glob("mount-*.log"))
    assert "Segmentation fault" in log.read_text()
    done = mounted.ok("umount", point)
    assert f"had died; what it left is taken away; see {log}" in done.stderr


# Signals


def foreground(command: Commands, point: Path, *prefix: str, **options: object) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [*prefix, *command.argv("mount", "--foreground", point)],
        env=command.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options,  # type: ignore[call-overload]
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline().startswith("mounted ")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_foreground_ends_well(command: Commands, point: Path, number: signal.Signals) -> None:
    process = foreground(command, point)
    fd = os.open(artifacts(point) / "f", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"not closed")
    process.send_signal(number)
    assert process.communicate()[1] == ""
    assert process.returncode == 0
    assert not os.path.ismount(point)
    with fails_with(errno.ENOTCONN):
        os.close(fd)
    assert content(command, "f") == b"not closed"


def test_what_nohup_ignores_stays_ignored(command: Commands, point: Path) -> None:
    process = foreground(command, point, "env", "--ignore-signal=HUP")
    process.send_signal(signal.SIGHUP)
    (artifacts(point) / "f").write_text("still here")
    command.ok("umount", point)
    assert process.communicate()[1] == ""


@pytest.mark.parametrize("in_background", [True, False])
def test_a_terminal_that_closes(command: Commands, point: Path, in_background: bool) -> None:
    """What is in the background outlives its terminal; what is in the foreground ends well with it."""
    child, terminal = pty.fork()
    if child == 0:
        words = command.argv("mount", *([] if in_background else ["--foreground"]), point)
        os.execve("/bin/sh", ["sh", "-c", '"$@"; cat', "sh", *words], command.env)
    said = b""
    while b"mounted " not in said:
        assert select.select([terminal], [], [], 60)[0], said
        said += os.read(terminal, 1000)
    pid = pid_of(command)
    (artifacts(point) / "f").write_text("x")
    os.close(terminal)
    os.waitpid(child, 0)
    if in_background:
        assert (artifacts(point) / "f").read_text() == "x"
        command.ok("umount", point)
    assert eventually(lambda: has_ended(pid))
    assert not os.path.ismount(point)
    assert content(command, "f") == b"x"


def test_an_interrupted_start_leaves_nothing(command: Commands, point: Path) -> None:
    process = subprocess.Popen(
        command.argv("mount", point), env=command.env, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    assert eventually(lambda: process.poll() is not None or children.read_text().split())
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert process.returncode == 130, said
    assert command.mounted() == []
    assert os.listdir(point) == []


def test_systemd_is_told_when_it_answers(command: Commands, point: Path, tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(30)
        command.env["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        process = foreground(command, point)
        assert told.recv(100) == b"READY=1"
    command.ok("umount", point)
    process.communicate()
    assert process.returncode == 0


def test_json_of_the_foreground_comes_when_it_is_mounted(command: Commands, point: Path) -> None:
    process = subprocess.Popen(
        command.argv("--json", "mount", "--foreground", point), env=command.env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert f'"mountpoint": "{point}"' in process.stdout.readline()
    command.ok("umount", point)
    assert process.communicate()[0] == ""


def test_in_this_process(command: Commands, point: Path) -> None:
    """As a program calls it: what is worth knowing is told to a function."""
    from sessionfs.mount import daemon

    said = io.StringIO()
    assert daemon.mount(str(command.store), str(point), session="one", stderr=said) == 0
    assert said.getvalue().startswith(f"mounted session one of {command.store} on {point}; end it with")
    told: list[str] = []
    assert unmount.umount(str(point), say=told.append) == 0
    assert told == []
