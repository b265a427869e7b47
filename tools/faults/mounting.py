"""A mount, as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from faults.commands import environment
from faults.device import Unavailable, unmount

SERVER = """
import sys
from sessionfs.mount.daemon import mount
mount(sys.argv[1], sys.argv[2], foreground=True, stderr=sys.stderr)
"""
"""Serves a store."""


def missing() -> str | None:
    """Say what is missing here for mounts; None when nothing is."""
    return None if os.path.exists("/dev/fuse") else "there is no /dev/fuse"


class Mount:
    """A store that is mounted by a process of its own."""

    def __init__(self, store: Path, point: Path, *, server: str = SERVER) -> None:
        """Mount *store* on *point*; returns when it answers."""
        self.point = point
        self._process = subprocess.Popen(
            [sys.executable, "-c", server, str(store), str(point)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(store),
        )
        assert self._process.stderr is not None
        line = self._process.stderr.readline()
        if not line.startswith("mounted "):
            raise Unavailable(f"it does not mount: {line}{self._process.stderr.read()}")

    def artifacts(self, session_id: str) -> Path:
        """Where a session's artifacts are."""
        return self.point / "sessions" / session_id / "artifacts"

    def kill(self) -> None:
        """SIGKILL, if it is there; the mount point is left dead, and taken away."""
        if self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGKILL)
        self._wait()
        subprocess.run(["umount", "-l", str(self.point)], capture_output=True, check=False)

    def stop(self) -> None:
        """Unmount; the process ends by itself."""
        unmount(self.point)
        self._wait()

    def _wait(self) -> None:
        assert self._process.stderr is not None
        self._process.stderr.read()
        self._process.wait()
        self._process.stderr.close()
