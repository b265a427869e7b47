"""Mounts for the tests; see ``servers``."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import Mount

from sessionfs.store.store import Store

REQUIRED = os.environ.get("SESSIONFS_REQUIRE_FUSE") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = os.path.dirname(__file__)
    for item in items:
        if str(item.path).startswith(here) and "start" in getattr(item, "fixturenames", ()):
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
