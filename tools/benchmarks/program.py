"""The installed ``sessionfs``, run as anybody runs it."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.measure import Skipped


def console_script() -> str:
    """Return where it is.

    Raises:
        Skipped: It is not installed.
    """
    path = os.path.join(sys.prefix, "bin", "sessionfs")
    if not os.access(path, os.X_OK):
        raise Skipped(f"{path} is not installed; tools/test installs it.")
    return path


def run_sessionfs(*words: str) -> None:
    """Run a verb to its end.

    Raises:
        Skipped: It failed, as the text says.
    """
    done = subprocess.run(
        [console_script(), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Skipped(f"sessionfs {' '.join(words)} exited with {done.returncode}: {done.stderr.strip()}")
