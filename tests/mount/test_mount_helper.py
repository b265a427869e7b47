"""``mount -t fuse.sessionfs`` and /etc/fstab: mount(8) itself, with our program in /sbin.

/sbin is a directory of the test's own, in a mount namespace of its own.
"""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest
from commands import AS_NOBODY, Commands, Done

from sessionfs.cli import mount_helper


@pytest.fixture
def point(tmp_path: Path) -> Path:
    path = tmp_path / "my mnt"
    path.mkdir()
    return path


class Machine:
    """A shell in which mount(8) finds our program."""

    def __init__(self, command: Commands, directory: Path) -> None:
        self.command = command
        self.directory = directory
        program = directory / mount_helper.NAME
        program.write_text(
            f"#!/bin/sh\nexport PYTHONPATH='{command.env['PYTHONPATH']}'\n"
            f'exec {command.python} -c "from sessionfs.cli.mount_helper import main_process as run; run()" "$@"\n'
        )
        program.chmod(0o755)

    def __call__(self, script: str, *words: str | Path) -> Done:
        """Run *script*, in which ``$1`` and so on are *words*; what it mounted is gone afterwards."""
        prepared = 'mount -t tmpfs none /sbin && cp -p "$0"/mount.fuse.sessionfs /sbin/\n' + script
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-ec", prepared, self.directory, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )


@pytest.fixture
def machine(command: Commands, tmp_path: Path) -> Machine:
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("a mount namespace cannot be made here")
    programs = tmp_path / "programs"
    programs.mkdir()
    return Machine(command, programs)


def test_mount_and_umount(machine: Machine, point: Path) -> None:
    done = machine(
        """
        mount -t fuse.sessionfs "$1" "$2" -o noatime,nodev
        grep "fuse.sessionfs $1 " /proc/self/mountinfo
        echo hello > "$2"/sessions/one/artifacts/f
        umount "$2"
        ls -A "$2" "$1"/tmp
        mount -v -t fuse.sessionfs "$1" "$2" -o ro,session=one
        cat "$2"/sessions/one/artifacts/f
        touch "$2"/sessions/one/artifacts/g 2>&1 || true
        umount "$2"
        """,
        machine.command.store,
        point,
    )
    assert done.returncode == 0, done
    assert " rw,nodev,noatime - fuse.sessionfs" in done.stdout
    assert "hello\n" in done.stdout and "Read-only file system" in done.stdout
    assert done.stderr.startswith(f"mounted session one of {machine.command.store} on {point}, read-only")


def test_fstab(machine: Machine, point: Path, tmp_path: Path) -> None:
    table = tmp_path / "fstab"
    escaped = str(point).replace(" ", "\\040")
    options = "defaults,nofail,_netdev,session=one,umask=027,x-systemd.automount"
    table.write_text(f"{machine.command.store} {escaped} fuse.sessionfs {options} 0 0\n")
    done = machine(
        """
        for boot in 1 2; do
            mount -a -T "$1"
            mount -a -T "$1"
            stat -c '%a %n' "$2"/sessions/one/artifacts
            grep -c "fuse.sessionfs $3 " /proc/self/mountinfo
            umount "$2"
        done
        """,
        table,
        point,
        machine.command.store,
    )
    assert done.returncode == 0, done
    assert done.stdout.splitlines() == [f"750 {point}/sessions/one/artifacts", "1"] * 2
    assert done.stderr == ""


def test_what_goes_wrong(machine: Machine, point: Path, tmp_path: Path) -> None:
    for words, code, text in (
        (["-o", "bogus"], 1, "there is no mount option 'bogus'"),
        (["-o", "remount,ro"], 1, "a store cannot be remounted with other options; unmount it"),
        (["-o", "session=nobody"], 32, "no session has the id"),
        (["-o", "uid=nobody-is-called-so"], 32, "there is no user"),
    ):
        quoted = " ".join(words)
        done = machine(f'mount -t fuse.sessionfs "$1" "$2" {quoted}', machine.command.store, point)
        assert done.returncode == code and done.stderr.startswith("mount.fuse.sessionfs: "), done
        assert text in done.stderr
    done = machine('mount -t fuse.sessionfs "$1" "$2"', tmp_path, point)
    assert done.returncode == 32 and "is no sessionfs store" in done.stderr, done
    script = 'mount -s -t fuse.sessionfs "$1" "$2" -o bogus; umount "$2"'
    done = machine(script, machine.command.store, point)
    assert (done.returncode, done.stderr) == (0, ""), done


def test_a_user_who_may(machine: Machine, user_command: Commands, tmp_path: Path) -> None:
    home = user_command.store.parent
    user_command.shell(f"mkdir {home}/mnt")
    for path in (tmp_path, tmp_path / "programs"):
        path.chmod(0o755)
    machine.command.python = user_command.python
    machine = Machine(user_command, tmp_path / "programs")
    table = tmp_path / "fstab"
    table.write_text(f"{user_command.store} {home}/mnt fuse.sessionfs noauto,user 0 0\n")
    setpriv = f"setpriv --reuid {AS_NOBODY['user']} --regid {AS_NOBODY['group']} --clear-groups"
    done = machine(
        f"""
        mount --bind "$1" /etc/fstab
        {setpriv} mount "$2"
        {setpriv} ls "$2"/sessions
        grep -o 'rw,.* - fuse.sessionfs {user_command.store} .*' /proc/self/mountinfo
        {setpriv} umount "$2"
        """,
        table,
        home / "mnt",
    )
    assert done.returncode == 0, done
    name, line = done.stdout.splitlines()
    assert name == "one"
    assert line.startswith("rw,nosuid,nodev,noexec,relatime ") and "user_id=65534" in line


# Called by hand


def call(*words: str | Path) -> tuple[int, str]:
    stderr = io.StringIO()
    return mount_helper.main([str(word) for word in words], stderr), stderr.getvalue()


def test_a_fake_mount_only_checks(command: Commands, point: Path, tmp_path: Path) -> None:
    assert call(command.store, point, "-f", "-o", "rw,session=one") == (0, "")
    assert not os.path.ismount(point)
    code, said = call(tmp_path, point, "-f")
    assert code == 32 and said.startswith("mount.fuse.sessionfs: ")
    assert call(command.store)[0] == 1


def test_it_is_installed_under_its_name() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["scripts"][mount_helper.NAME] == f"{mount_helper.__name__}:main_process"


def test_interrupted(command: Commands, point: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("sessionfs.mount.daemon.mount", interrupted)
    assert call(command.store, point) == (8, "")
