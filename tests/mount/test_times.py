"""Times that are in no record: they stay while the mount lasts, whatever the kernel forgets."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import Mount

DROP = Path("/proc/sys/vm/drop_caches")


def times(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns


@pytest.fixture
def forget(mounted: Mount) -> Callable[[], None]:
    """What makes the kernel let go of every inode that nobody has open."""
    if not os.access(DROP, os.W_OK):
        pytest.skip("only root may make the kernel forget")

    def forget() -> None:
        os.sync()
        DROP.write_text("2")

    return forget


def test_a_reading_stays_known(mounted: Mount, forget: Callable[[], None]) -> None:
    file, link = mounted.artifacts / "f", mounted.artifacts / "link"
    file.write_text("text")
    link.symlink_to("f")
    os.utime(file, ns=(5, 5))
    link.readlink()
    file.read_text()
    os.listdir(mounted.artifacts)
    before = [times(file), times(mounted.artifacts), link.lstat().st_atime_ns]
    assert before[0][0] > 5  # type: ignore[index]
    forget()
    assert [times(file), times(mounted.artifacts), link.lstat().st_atime_ns] == before
    os.utime(file, ns=(7, 7))  # what is set counts, not what was kept
    forget()
    assert times(file)[0] == 7


def test_files_that_came_and_went_stay_known(mounted: Mount, forget: Callable[[], None]) -> None:
    directory = mounted.artifacts / "d"
    directory.mkdir()
    os.utime(directory, ns=(5, 5))
    descriptor = os.open(directory / "f", os.O_CREAT | os.O_WRONLY)
    (directory / "f").unlink()
    os.close(descriptor)
    before = times(directory)
    assert before[1] > 5
    forget()
    assert times(directory) == before


def test_chown_of_nothing_moves_ctime_for_good(mounted: Mount) -> None:
    for name, make in (("f", Path.touch), ("d", Path.mkdir)):
        path = mounted.artifacts / name
        make(path)
        mounted.stop()
        mounted.start()
        before = times(path)
        os.chown(path, -1, -1)
        moved = times(path)
        assert moved[:2] == before[:2] and moved[2] > before[2]
        mounted.stop()
        mounted.start()
        assert times(path)[1:] == moved[1:]
