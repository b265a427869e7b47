"""mount, umount, mounts and systemd-unit through the command line; what the mount does is tested in tests/mount."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sessionfs.mount


def needs_fuse() -> None:
    if not os.path.exists("/dev/fuse"):
        assert "SESSIONFS_REQUIRE_FUSE" not in os.environ, "there is no /dev/fuse here, and CI needs one"
        pytest.skip("there is no /dev/fuse here")


@pytest.mark.mount
def test_mount_and_umount(q4):
    needs_fuse()
    point = q4.cwd / "mnt"
    point.mkdir()
    mounted = q4("mount", "mnt", "--json")
    assert mounted.code == 0, mounted
    try:
        assert mounted.json == {"store": str(q4.store), "mountpoint": str(point), "session": None}
        assert mounted.err == f"mounted {q4.store} on {point}; end it with: sessionfs umount {point}\n"
        assert q4.ok("status", "--json").json["mounts"] == [str(point)]
        # By another process: the mount may not be touched by the test's own.
        listed = subprocess.run(["ls", point / "sessions"], capture_output=True, text=True, timeout=60, check=True)
        assert listed.stdout == "q4\n"
        assert "or a mount" in q4.fails(2, "artifact", "put", "@", ".")
        assert "something is already mounted" in q4.fails(5, "mount", "mnt")
    finally:
        assert q4("umount", "mnt").code == 0
    assert q4.ok("status", "--json").json["mounts"] == []
    assert "no store is mounted" in q4.fails(3, "umount", "mnt")


@pytest.mark.mount
def test_mounts(q4):
    needs_fuse()
    (q4.cwd / "mnt").mkdir()
    assert q4("mount", "--session", "Fourth quarter", "-o", "ro,umask=027", "--cache-seconds", "5", "mnt").code == 0
    try:
        mount = own(q4)
        assert mount["mountpoint"] == str(q4.cwd / "mnt")
        assert (mount["session"], mount["read_only"], mount["state"]) == ("q4", True, "serving")
        assert [option for option in mount["options"] if "=" in option] == ["cache_seconds=5", "umask=027"]
        assert Path(f"/proc/{mount['pid']}/cmdline").exists()
        line = next(line for line in q4.ok("mounts").lines if line.startswith(f"{q4.cwd}/mnt\t"))
        fields = line.split("\t")
        assert fields[:3] == [str(q4.cwd / "mnt"), str(q4.store), "q4"]
        assert fields[4:8] == [str(mount["pid"]), mount["since"], "true", "serving"]
        shown = q4("mounts", terminal=True, NO_COLOR="1").lines
        assert " ".join(shown[0].split()) == "MOUNTPOINT STORE SESSION USER PID SINCE ACCESS STATE OPTIONS"
        words = next(line.split() for line in shown if line.startswith(f"{q4.cwd}/mnt "))
        assert words[1:5] == [str(q4.store), "q4", mount["user"], str(mount["pid"])]
        assert words[7:9] == ["ro", "serving"]
        stats = q4("mount", "--stats", "mnt", terminal=True, NO_COLOR="1").lines
        assert stats[0].startswith("since 2") and stats[1].split() == ["REQUEST", "COUNT", "TOTAL", "µs", "MEAN", "µs"]
    finally:
        assert q4("umount", "mnt").code == 0
    assert own(q4) is None


def own(cli):
    """Return what is said of this store's mount, among all those of the machine."""
    return next((mount for mount in cli.ok("mounts", "--json").json if mount["store"] == str(cli.store)), None)


def test_mount_refuses(q4):
    needs_fuse()
    q4.write("full/file")
    assert "no session has the id" in q4.fails(3, "mount", "--session", "nobody", "full")
    assert "there is no directory" in q4.fails(3, "mount", "missing")
    assert "is not empty" in q4.fails(5, "mount", "full")
    assert "is not a directory" in q4.fails(2, "mount", "full/file")
    assert "MOUNTPOINT is missing" in q4.fails(2, "mount")
    assert "is no sessionfs store" in q4.fails(3, "--store", "full", "mount", "full")
    assert "umask takes three octal digits" in q4.fails(2, "mount", "--umask", "9", "full")
    assert "there is no mount option 'reed'" in q4.fails(2, "mount", "-o", "reed", "full")
    assert "cache_seconds takes a number" in q4.fails(2, "mount", "--cache-seconds", "x", "full")
    assert "no store is mounted" in q4.fails(3, "mount", "--stats", "full")


def test_the_unit_for_systemd(bare, tmp_path):
    unit = bare.ok("systemd-unit").out
    template = (Path(sessionfs.mount.__file__).parent / "sessionfs@.service").read_text()
    program = Path(sys.executable).with_name("sessionfs")
    assert f"\nExecStart={program} mount --foreground %f\n" in unit
    assert f"\nExecStop={program} umount %f\n" in unit
    assert unit.replace(f"={program} ", "=sessionfs ") == template
    assert bare.ok("systemd-unit", "--json").json == {"name": "sessionfs@.service", "content": unit}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_finds_nothing_wrong_with_it(bare, tmp_path):
    (tmp_path / "sessionfs@.service").write_text(bare.ok("systemd-unit").out)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", tmp_path / "sessionfs@home-ada-sessions.service"],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
