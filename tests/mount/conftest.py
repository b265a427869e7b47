"""Mounts for the tests; see ``servers``."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import AS_NOBODY, NOBODY, Commands, python_for_all, unmount_all, usable_by_all
from servers import Mount

from sessionfs.store.store import Store

# The fixtures that mount.
_REAL_MOUNTS = {"start", "command", "user_command"}

REQUIRED = os.environ.get("SESSIONFS_REQUIRE_FUSE") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = os.path.dirname(__file__)
    for item in items:
        if str(item.path).startswith(here) and not _REAL_MOUNTS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.mount)


@pytest.fixture(scope="session")
def fuse() -> None:
    """A machine that can mount."""
    if os.path.exists("/dev/fuse"):
        return
    if REQUIRED:
        pytest.fail("SESSIONFS_REQUIRE_FUSE is set, and there is no /dev/fuse")
    pytest.skip("there is no /dev/fuse here")


@pytest.fixture
def start(tmp_path: Path, fuse: None) -> Iterator[Callable[..., Mount]]:
    """Mounts stores; each is unmounted at the end."""
    mounts: list[Mount] = []

    def make(store_path: Path | None = None, *, session: str | None = None, name: str = "mnt") -> Mount:
        chosen = store_path if store_path is not None else tmp_path / "store"
        if not chosen.exists() or not os.listdir(chosen):
            Store.create(str(chosen))
            Store(str(chosen)).create_session(session_id="one")
        point = tmp_path / name
        point.mkdir(exist_ok=True)
        mount = Mount(chosen, point, session)
        mounts.append(mount)
        return mount

    yield make
    for mount in mounts:
        try:
            mount.stop()
        finally:
            with contextlib.suppress(OSError):
                mount.process.kill()
            subprocess.run(["umount", "-l", str(mount.path)], capture_output=True, check=False)


@pytest.fixture
def mounted(start: Callable[..., Mount]) -> Mount:
    """A mounted store with the session ``one``."""
    return start()


@pytest.fixture
def command(tmp_path: Path, fuse: None) -> Iterator[Commands]:
    """The command line, with a store that has the session ``one``; what it leaves mounted is taken away."""
    store = tmp_path / "store"
    Store.create(str(store))
    Store(str(store)).create_session(session_id="one")
    yield Commands(store)
    unmount_all(store)


@pytest.fixture
def user_command(fuse: None) -> Iterator[Commands]:
    """The same for a normal user, in a directory of their own."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    home = Path(tempfile.mkdtemp(prefix="sessionfs-user-"))
    os.chown(home, NOBODY, NOBODY)
    with usable_by_all("/dev/fuse"):
        command = Commands(home / "store", python=python_for_all(), cwd=home, **AS_NOBODY)
        command.ok("init", command.store)
        command.ok("session", "create", "--id", "one")
        yield command
        unmount_all(command.store)
    shutil.rmtree(home)
