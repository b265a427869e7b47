"""A few thousand of tools/torture's operations, always the same ones."""

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

TORTURE = Path(__file__).parents[2] / "tools" / "torture"


def test_random_operations_do_the_same_as_on_ext4(fuse: None, tmp_path: Path) -> None:
    command = [sys.executable, TORTURE, "--operations", "6000", "--remount-every", "2000", "--seed", "1"]
    done = subprocess.run(
        [*command, "--dir", tmp_path, "--output", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no differences" in done.stdout
