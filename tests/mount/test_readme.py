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
    try:
        result = run_as_a_stranger(example("tour"), tmp_path)
    finally:
        if os.path.ismount(tmp_path / "mnt"):
            subprocess.run(["fusermount3", "-u", "-z", tmp_path / "mnt"], check=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'user.sessionfs.tags="raw,checked"' in result.stdout
    assert "south,4" in result.stdout
    assert '"completed"' in result.stdout.splitlines()


def test_five_questions_about_the_standard_library(tmp_path):
    (tmp_path / "survey.py").write_text(example("survey.py", "python"))
    result = run_as_a_stranger(example("questions"), tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    large = [line.split() for line in lines if re.fullmatch(r"\d+ [\w.]+\.py", line)]
    assert {"inspect.py", "typing.py"} <= {name for _, name in large}
    assert [int(size) for size, _ in large] == sorted((int(size) for size, _ in large), reverse=True)
    assert any(re.match(r"stdlib/pty\.py:\d+:.*os\.fork\(", line) for line in lines)
    assert any(line.startswith("artifact\tstdlib/heapq.py\t") for line in lines)
    (count,) = [line.split("\t")[2] for line in lines if line.startswith("tool\tparse\t")]
    assert int(count) > 100 and f"by_event\ttool.invoked\t{2 * int(count)}" in lines
    (missing,) = [line.split("\t")[2] for line in lines if line.startswith("error\tLookupError\t")]
    assert int(missing) > 5
    assert len([line for line in lines if "no docstring" in line and "\ttool.invoked\t" in line]) == 2


def example(name, language="sh"):
    """Return what stands in the README under *name*."""
    return re.search(rf"<!-- {name} -->\n```{language}\n(.*?)```", README.read_text(), re.DOTALL)[1]


def run_as_a_stranger(script, tmp_path):
    """Run a script of the README in an empty directory, with nothing of this process's stores."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, command in (("sessionfs", f"{sys.executable} -m sessionfs"), ("python", sys.executable)):
        (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (programs / name).chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(README.parent),
        "HOME": str(tmp_path),
    }
    for variable in ("SESSIONFS_STORE", "SESSIONFS_SESSION"):
        env.pop(variable, None)
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
