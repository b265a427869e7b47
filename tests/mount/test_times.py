"""Times that are in no record: they stay while the mount lasts, whatever the kernel forgets."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import Mount

from sessionfs.clock import file_clock

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


def test_times_that_are_set_to_what_they_are_move_ctime_and_are_recorded_nowhere(mounted: Mount) -> None:
    directory, file, link = (mounted.artifacts / name for name in ("d", "d/f", "d/link"))
    directory.mkdir()
    file.write_text("text")
    link.symlink_to("f")
    set_to = {file: (3, 4), link: (5, 6), directory: (7, 8)}
    for path, ns in set_to.items():
        os.utime(path, ns=ns, follow_symlinks=False)
    recorded, before = mounted.records(), {path: path.lstat() for path in set_to}
    latest_ns = max(status.st_ctime_ns for status in before.values())
    while file_clock() <= latest_ns:
        time.sleep(0.001)
    for path, ns in set_to.items():
        os.utime(path, ns=ns, follow_symlinks=False)
    assert mounted.records() == recorded
    for path, ns in set_to.items():
        now = path.lstat()
        assert (now.st_atime_ns, now.st_mtime_ns) == ns and now.st_ctime_ns > before[path].st_ctime_ns
    os.utime(file, ns=(3, 5))
    assert len(mounted.records()) == len(recorded) + 1


def test_a_time_that_is_set_again_while_a_file_is_written_stays(mounted: Mount) -> None:
    file = mounted.artifacts / "f"
    file.write_text("text")
    os.utime(file, ns=(3, 4))
    with file.open("a") as writing:
        writing.write("more")
        writing.flush()
        os.utime(file, ns=(3, 4))
    assert times(file)[:2] == (3, 4)


def test_a_time_that_others_moved_can_be_set_back(mounted: Mount) -> None:
    file = mounted.artifacts / "f"
    file.write_text("text")
    os.utime(file, ns=(3, 4))
    mounted.session().artifacts.change("f", mtime_ns=9)
    os.utime(file, ns=(3, 4))
    assert times(file)[:2] == (3, 4)
