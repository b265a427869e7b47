"""The README's tour, run as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.mount
def test_the_tour_of_the_readme_runs(tmp_path, fuse):
    missing = [program for program in ("setfattr", "jq", "b3sum", "fusermount3") if shutil.which(program) is None]
    assert not missing, f"the tour needs {missing}; tools/test installs them"
    script = re.search(r"<!-- tour -->\n```sh\n(.*?)```", README.read_text(), re.DOTALL)[1]
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sessionfs").write_text(f'#!/bin/sh\nexec {sys.executable} -m sessionfs "$@"\n')
    (programs / "sessionfs").chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(README.parent),
        "HOME": str(tmp_path),
    }
    for variable in ("SESSIONFS_STORE", "SESSIONFS_SESSION"):
        env.pop(variable, None)
    try:
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        if os.path.ismount(tmp_path / "mnt"):
            subprocess.run(["fusermount3", "-u", "-z", tmp_path / "mnt"], check=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'user.sessionfs.tags="raw,checked"' in result.stdout
    assert "south,4" in result.stdout
    assert '"completed"' in result.stdout.splitlines()
