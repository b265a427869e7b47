"""``sessionfs`` as people call it: a process of its own, as root or as a normal user."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PATIENCE_SECONDS = 120

NOBODY = 65534
AS_NOBODY: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}

# What this interpreter finds, another one of its version finds too.
_PYTHONPATH = ":".join(path for path in sys.path if path)

Done = subprocess.CompletedProcess[str]


class Commands:
    """Calls ``sessionfs`` with *store* as its store."""

    def __init__(self, store: Path, *, python: str = sys.executable, **as_user: Any) -> None:
        self.store = store
        self.python = python
        self.as_user = as_user
        self.env = {**os.environ, "SESSIONFS_STORE": str(store), "PYTHONPATH": _PYTHONPATH}

    def argv(self, *words: str | Path) -> list[str]:
        """Return what calls it with *words*."""
        return [self.python, "-m", "sessionfs", *map(str, words)]

    def __call__(self, *words: str | Path, **options: Any) -> Done:
        """Return what became of it; it may fail."""
        return subprocess.run(
            self.argv(*words),
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=PATIENCE_SECONDS,
            check=False,
            **{**self.as_user, **options},
        )

    def ok(self, *words: str | Path, **options: Any) -> Done:
        """Call it; it must end well."""
        done = self(*words, **options)
        assert done.returncode == 0, done
        return done

    def json(self, *words: str | Path) -> Any:
        """Return the document that it prints."""
        return json.loads(self.ok("--json", *words).stdout)

    def fails(self, code: int, *words: str | Path, **options: Any) -> str:
        """Call it; it must end with *code* and one line, which is returned."""
        done = self(*words, **options)
        assert (done.returncode, done.stdout) == (code, ""), done
        assert done.stderr.startswith("sessionfs: ") and done.stderr.count("\n") == 1, done
        return done.stderr

    def shell(self, script: str, **options: Any) -> Done:
        """Run a shell script as the same user; it may fail."""
        return subprocess.run(
            ["sh", "-c", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
            **{**self.as_user, **options},
        )

    def mounted(self) -> list[dict[str, Any]]:
        """Return what ``sessionfs mounts`` says of this store."""
        return [mount for mount in self.json("mounts") if mount["store"] == str(self.store)]


def unmount_all(store: Path) -> None:
    """Take away whatever is still mounted of *store*, and end what serves it."""
    from sessionfs.mount.ask import ask, find_server
    from sessionfs.mount.table import list_mounts

    for mount in reversed(list_mounts()):
        if mount.store == str(store):
            pid = ask(mount).pid or find_server(mount)
            subprocess.run(["umount", "-l", mount.mountpoint], capture_output=True, check=False)
            if pid is not None:
                subprocess.run(["kill", "-KILL", str(pid)], capture_output=True, check=False)


@contextmanager
def usable_by_all(device: str) -> Iterator[None]:
    """Let normal users mount, as on machines made for people; one test at a time: what was before is put back."""
    lock = os.open(os.path.dirname(device), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = stat.S_IMODE(os.stat(device).st_mode)
        os.chmod(device, 0o666)
        try:
            yield
        finally:
            os.chmod(device, before)
    finally:
        os.close(lock)


def python_for_all() -> str:
    """Return an interpreter that a normal user may run with what is installed here; skip the test if there is none."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for candidate in (sys.executable, shutil.which(version, path="/usr/bin:/usr/local/bin")):
        try:
            if candidate and _runs(candidate):
                return candidate
        except PermissionError:
            continue
    pytest.skip("a normal user may run no Python with sessionfs here")


def _runs(python: str) -> bool:
    env = {**os.environ, "PYTHONPATH": _PYTHONPATH}
    argv = [python, "-c", "import sessionfs.mount.serve"]
    return subprocess.run(argv, env=env, capture_output=True, check=False, **AS_NOBODY).returncode == 0
