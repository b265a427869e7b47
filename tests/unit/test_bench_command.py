"""The command line of tools/bench, and that it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from benchmarks.commandline import matcher

TOOLS = Path(__file__).parents[2] / "tools"

_INTERRUPTED = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
from benchmarks.commandline import run_in_scratch

def measure(scratch):
    scratch.new()
    os.kill(os.getpid(), int(sys.argv[3]))
    time.sleep(1000)

sys.exit(run_in_scratch(sys.argv[2], sys.argv[1], measure))
"""


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(TOOLS / "bench"), *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("globs", "name", "matches"),
    [
        (None, "anything", True),
        (["stat*"], "stat, warm", True),
        (["STAT*"], "stat, warm", True),
        (["stat"], "stat, warm", False),
        (["rm*", "*warm"], "stat, warm", True),
    ],
)
def test_rows_are_chosen_as_a_shell_chooses_files(globs: list[str] | None, name: str, matches: bool):
    assert matcher(globs)(name) is matches


@pytest.mark.parametrize("what", [[], ["mount"]])
def test_rows_that_are_not_there_are_said(what: list[str], tmp_path: Path):
    done = bench(*what, "--rows", "no such row", "--dir", str(tmp_path))
    assert (done.returncode, done.stderr) == (2, "tools/bench: --rows matches no row\n")
    assert os.listdir(tmp_path) == []


def test_a_filesystem_that_is_not_known_is_said():
    done = bench("mount", "--only", "sessionfs,ntfs")
    assert done.returncode == 2
    assert "--only: there is no ntfs; there are sessionfs, bindfs, gocryptfs, s3ql" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_behind(number: signal.Signals, tmp_path: Path):
    words = [sys.executable, "-c", _INTERRUPTED, str(TOOLS), str(tmp_path), str(int(number))]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 128 + number
    assert done.stderr == f"tools/bench: ended by {number.name}; cleaning up\n"
    assert os.listdir(tmp_path) == []
