"""Some of tools/torture's operations, always the same ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif(os.geteuid() != 0, reason="it mounts an image and acts as other users"),
]

_ENOUGH_BYTES = 2 << 30

TORTURE = Path(__file__).parents[2] / "tools" / "torture"


def _memory() -> str | None:
    """Return a directory in memory with enough space, if there is one: thousands of syncs take no time then."""
    try:
        found = os.statvfs("/dev/shm")
    except FileNotFoundError:
        return None
    return "/dev/shm" if found.f_bavail * found.f_frsize > _ENOUGH_BYTES else None


def test_random_operations_do_the_same_as_on_ext4(fuse: None, tmp_path: Path) -> None:
    command = [sys.executable, TORTURE, "--operations", "4000", "--remount-every", "2000", "--seed", "1"]
    done = subprocess.run(
        [*command, "--dir", _memory() or tmp_path, "--output", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no differences" in done.stdout
