"""The command line, as a process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from faults import ROOT

SESSIONFS = (sys.executable, "-P", "-m", "sessionfs")  # -P: what lies around here must not decide which

# What a verb may end with when it was done before, or half done.
_FINE = (0, 3, 4, 5)


def environment(store: Path) -> dict[str, str]:
    """Return the environment of a command on *store*."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SESSIONFS_")}
    path = os.environ.get("PYTHONPATH")
    return {**kept, "SESSIONFS_STORE": str(store), "PYTHONPATH": path or str(ROOT)}


def start(
    store: Path, *arguments: str, prefix: Sequence[str] = (), program: Sequence[str] = SESSIONFS, stdin: bytes = b""
) -> subprocess.Popen[bytes]:
    """Start a command, behind another one if *prefix* has its words."""
    process = subprocess.Popen(
        [*prefix, *program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(store),
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:  # who is killed reads nothing
        process.stdin.write(stdin)
    process.stdin = None
    return process


def run(store: Path, *arguments: str, stdin: bytes = b"") -> str:
    """Run a command that must be done, or have been done before; return what it printed."""
    process = start(store, *arguments, stdin=stdin)
    out, err = process.communicate()
    if process.returncode not in _FINE:
        raise RuntimeError(f"sessionfs {' '.join(arguments)} ends with {process.returncode}: {err.decode()}")
    return out.decode()
