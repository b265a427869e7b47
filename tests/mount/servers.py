"""A store that is mounted by a process of its own, as the tests see it.

They use it as any program does. A timer kills a server that hangs, so that the test fails instead of hanging too.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sessionfs.store.session import Session
from sessionfs.store.store import Store

PATIENCE_SECONDS = 120.0

_SERVER = """
import sys
from sessionfs.mount.daemon import mount
mount(sys.argv[1], sys.argv[2], session=sys.argv[3] or None, foreground=True, stderr=sys.stderr)
"""


class Mount:
    """A store, and where it is mounted."""

    def __init__(self, store_path: Path, path: Path, session: str | None = None) -> None:
        self.store_path = store_path
        self.path = path
        self._session = session
        self._log: list[str] = []
        self.expected_log = ""
        self.start()

    def start(self) -> None:
        """Serve it; returns when it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(self.store_path), str(self.path), self._session or ""],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._timer = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        self._timer.daemon = True
        self._timer.start()
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line.startswith("mounted "), line + self.process.stderr.read()

    @contextlib.contextmanager
    def held(self, ask: Callable[[Path], object]) -> Iterator[None]:
        """Stop the server while the context lasts; on leaving it, *ask* the mount something, and let it go on.

        So the question comes before the server, and the kernel, can have heard of what was done meanwhile.

        Args:
            ask: Gets a path of the artifacts. The kernel knows where that leads: nothing above them is asked for.
        """
        failures: list[Exception] = []
        fd = os.open(self.artifacts, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

        def asking() -> None:
            try:
                ask(Path(f"/proc/self/fd/{fd}"))
            except Exception as failure:
                failures.append(failure)

        asker = threading.Thread(target=asking)
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
            asker.start()
            assert eventually(lambda: _waits_for_answer(asker))
        finally:
            self.process.send_signal(signal.SIGCONT)
            if asker.ident is not None:
                asker.join()
            os.close(fd)
        if failures:
            raise failures[0]

    def wait(self) -> str:
        """Wait for the server's end and return what it logged."""
        assert self.process.stderr is not None
        log = self.process.stderr.read()
        self.process.wait()
        self.process.stderr.close()
        self._timer.cancel()
        return log

    def stop(self) -> None:
        """Unmount; the server ends well and has logged nothing."""
        if self.process.returncode is not None:
            return
        unmount(self.path)
        log = self.wait()
        assert self.process.returncode == 0, log
        if self.expected_log:
            assert self.expected_log in log
        else:
            assert not log, log

    def kill(self) -> None:
        """SIGKILL, as a crash; the mount point is left dead."""
        self.process.send_signal(signal.SIGKILL)
        self.wait()

    @property
    def session_path(self) -> Path:
        return self.path / "sessions" / "one"

    @property
    def artifacts(self) -> Path:
        return self.session_path / "artifacts"

    def store(self) -> Store:
        """Another process's view of the store: nothing of the server is shared."""
        return Store(str(self.store_path))

    def session(self) -> Session:
        return self.store().session("one")

    def records(self, session_id: str = "one") -> list[dict[str, Any]]:
        """Return the log of a session, without what only says where a snapshot is."""
        text = (self.store_path / "sessions" / session_id / "log").read_text()
        return [record for record in map(json.loads, text.splitlines()) if record["type"] != "session.saved"]

    def stored(self, path: str) -> list[dict[str, Any]]:
        """Return the records that stored a version of the artifact at *path*."""
        return [
            record
            for record in self.records()
            if record["type"] == "artifact.stored" and record["data"]["path"] == path
        ]


# What a thread calls that waits for another; all newer machines number their calls alike.
_FUTEX = "202" if platform.machine() == "x86_64" else "98"


def _waits_for_answer(thread: threading.Thread) -> bool:
    """Say whether *thread* waits in a system call for something outside this process."""
    call = Path(f"/proc/self/task/{thread.native_id}/syscall").read_text().split()[0]
    return call not in ("running", "-1", _FUTEX)


def unmount(path: Path) -> None:
    """Unmount as people do; what is still being closed makes it busy for a moment."""
    command = ["umount", str(path)] if os.geteuid() == 0 else ["fusermount3", "-u", str(path)]
    done = eventually(lambda: _try(command))
    assert done


def _try(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def eventually(condition: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    """Return the first true value of *condition*; its last value when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.002)
    return value


def run(*command: str | os.PathLike[str], cwd: Path | None = None) -> str:
    """Run a program and return what it prints; it must end well."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@contextlib.contextmanager
def fails_with(number: int) -> Iterator[None]:
    """Expect an OSError with this errno."""
    with pytest.raises(OSError) as caught:
        yield
    assert caught.value.errno == number, caught.value
