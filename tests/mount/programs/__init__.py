"""Small programs that tests of ordinary tools run, and what those tests share."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from servers import PATIENCE_SECONDS

PROGRAMS = Path(__file__).parent


def needs(*tools: str) -> pytest.MarkDecorator:
    """Skip a test where one of *tools* is not installed."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def told(*command: str | os.PathLike[str], cwd: Path | None = None, code: int = 0, **options: Any) -> str:
    """Run a program, which must end with *code*, and return what it prints; in any locale the same, any name as it is.

    Args:
        options: For ``subprocess.run``; ``env`` adds to what there is.
    """
    env = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", **options.pop("env", {})}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        **{"timeout": PATIENCE_SECONDS, **options},
    )
    assert done.returncode == code, f"{command}: {done.returncode}, {done.stdout}{done.stderr}"
    return done.stdout


def compiled(name: str, directory: Path) -> Path:
    """Compile the C program *name* into *directory* and return where it is."""
    program = directory / name
    command = ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, PROGRAMS / f"{name}.c"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program
