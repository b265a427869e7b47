"""Two places for the rows: a plain directory, which shows what Linux does, and a mount that other users may use."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mounts import Mounts
from rows import Place

_HERE = os.path.dirname(__file__)

os.environ["PATH"] += ":/usr/sbin:/sbin"  # mkfs is there, and the PATH that su keeps lacks it

_IMAGE_BYTES = 2 << 30  # sparse
_MEMORY = "/dev/shm"

PLACES = ("plain", "mount")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="it acts as other users")
    for item in items:
        if str(item.path).startswith(_HERE):
            item.add_marker(pytest.mark.mount)
            if os.geteuid() != 0:
                item.add_marker(skip)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "place" in metafunc.fixturenames:
        metafunc.parametrize("place", PLACES, indirect=True, scope="session")


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A directory that everybody can reach, on ext4 wherever this runs; it goes as a whole."""
    with tempfile.TemporaryDirectory(prefix="sessionfs-posix-", dir=_memory()) as holder:
        image, path = Path(holder) / "image", Path(holder) / "ext4"
        os.chmod(holder, 0o755)
        path.mkdir()
        with image.open("wb") as file:
            file.truncate(_IMAGE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-i", "8192", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, path], check=True)
        yield path
        subprocess.run(["umount", path], check=True)


def _memory() -> str | None:
    """Return a directory in memory with enough space, if there is one: what else the disk does takes no time then."""
    try:
        found = os.statvfs(_MEMORY)
    except FileNotFoundError:
        return None
    return _MEMORY if found.f_bavail * found.f_frsize > _IMAGE_BYTES else None


@pytest.fixture(scope="session")
def plain(scratch: Path) -> Iterator[Place]:
    """A plain directory; beside it another filesystem."""
    here, elsewhere = scratch / "plain", scratch / "elsewhere"
    for path in (here, elsewhere):
        path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", elsewhere], check=True)
    place = Place("plain", str(here), str(elsewhere))
    yield place
    place.end()
    subprocess.run(["umount", elsewhere], check=True)


@pytest.fixture(scope="session")
def mounts(scratch: Path, fuse: None) -> Iterator[Mounts]:
    """What mounts stores."""
    made = Mounts(scratch)
    yield made
    made.end_all()


@pytest.fixture(scope="session")
def mount(mounts: Mounts) -> Iterator[Place]:
    """The artifacts of a session; beside them those of another."""
    sessions = mounts.start("mnt") / "sessions"
    for name in ("one", "two"):
        os.chmod(sessions / name / "artifacts", 0o755)
    place = Place("mount", f"{sessions}/one/artifacts", f"{sessions}/two/artifacts")
    yield place
    place.end()


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest) -> Place:
    """Each of the two places."""
    found: Place = request.getfixturevalue(request.param)
    return found
