"""mount and umount through the command line; what the mount does is tested in tests/mount."""

from __future__ import annotations

import os
import subprocess

import pytest


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


def test_mount_refuses(q4):
    needs_fuse()
    q4.write("full/file")
    assert "no session has the id" in q4.fails(3, "mount", "--session", "nobody", "full")
    assert "there is no directory" in q4.fails(3, "mount", "missing")
    assert "is not empty" in q4.fails(5, "mount", "full")
    assert "is not a directory" in q4.fails(2, "mount", "full/file")
    assert "MOUNTPOINT is missing" in q4.fails(2, "mount")
    assert "is no sessionfs store" in q4.fails(3, "--store", "full", "mount", "full")
