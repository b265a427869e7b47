"""One contract for the real disk and for the one that the crash tests use."""

from __future__ import annotations

import os

import pytest
from disks import MemoryDisk

from sessionfs.durable import OsDisk, write_all
from sessionfs.locks import LockHeld, acquire


class OsDiskWithNames(OsDisk):
    """As on a filesystem without unnamed files."""

    def __init__(self) -> None:
        super().__init__()
        self._unnamed_files = False


@pytest.fixture(params=["os", "os with names", "memory"])
def place(request, tmp_path):
    """A disk, and a directory on it that holds the empty directories "a" and "tmp"."""
    if request.param == "memory":
        disk = MemoryDisk()
        disk.make_directories("/root")
        root = "/root"
    else:
        disk = OsDisk() if request.param == "os" else OsDiskWithNames()
        root = str(tmp_path)
    for name in ("a", "tmp"):
        disk.mkdir(f"{root}/{name}")
    return disk, root


def _write(disk, path, data):
    fd = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    write_all(disk, fd, data)
    disk.close(fd)


def _read(disk, path):
    fd = disk.open(path, os.O_RDONLY)
    data = disk.pread(fd, 1000, 0)
    disk.close(fd)
    return data


def test_what_is_written_is_read(place):
    disk, root = place
    fd = disk.open(f"{root}/f", os.O_RDWR | os.O_CREAT)
    assert disk.write(fd, b"hello") == 5
    assert disk.write(fd, bytearray(b" you")) == 4
    assert disk.pwrite(fd, memoryview(b"J"), 0) == 1
    assert disk.pread(fd, 100, 0) == b"Jello you"
    assert disk.pread(fd, 3, 6) == b"you"
    assert disk.pread(fd, 3, 60) == b""
    assert disk.size(fd) == disk.size_at(f"{root}/f") == 9


def test_a_gap_reads_as_zeros(place):
    disk, root = place
    fd = disk.open(f"{root}/f", os.O_RDWR | os.O_CREAT)
    disk.pwrite(fd, b"x", 3)
    disk.truncate(fd, 6)
    assert disk.pread(fd, 100, 0) == b"\0\0\0x\0\0"
    disk.truncate(fd, 2)
    assert disk.size(fd) == 2


def test_append_goes_to_the_end_whoever_wrote_last(place):
    disk, root = place
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    one, two = disk.open(f"{root}/f", flags), disk.open(f"{root}/f", flags)
    disk.write(one, b"1")
    disk.write(two, b"2")
    disk.write(one, b"3")
    disk.truncate(two, 2)
    disk.write(two, b"4")
    assert disk.pread(one, 10, 0) == b"124"


def test_a_missing_file_is_not_found(place):
    disk, root = place
    for call in (
        lambda: disk.open(f"{root}/none", os.O_RDONLY),
        lambda: disk.open(f"{root}/none/f", os.O_WRONLY | os.O_CREAT),
        lambda: disk.unlink(f"{root}/none"),
        lambda: disk.rename(f"{root}/none", f"{root}/f"),
        lambda: disk.listdir(f"{root}/none"),
        lambda: disk.mkdir(f"{root}/none/sub"),
        lambda: disk.sync_directory(f"{root}/none"),
        lambda: disk.create_temporary(f"{root}/none", 0o600),
    ):
        with pytest.raises(FileNotFoundError):
            call()
    assert disk.size_at(f"{root}/none") is None


def test_a_name_that_is_taken_is_refused(place):
    disk, root = place
    with pytest.raises(FileExistsError):
        disk.mkdir(f"{root}/a")
    _write(disk, f"{root}/f", b"")
    with pytest.raises(FileExistsError):
        disk.open(f"{root}/f", os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def test_a_descriptor_for_reading_cannot_write(place):
    disk, root = place
    _write(disk, f"{root}/f", b"x")
    fd = disk.open(f"{root}/f", os.O_RDONLY)
    with pytest.raises(OSError, match="Bad file descriptor"):
        disk.write(fd, b"y")


def test_rename_replaces_and_an_open_file_outlives_its_name(place):
    disk, root = place
    _write(disk, f"{root}/f", b"old")
    _write(disk, f"{root}/g", b"new")
    fd = disk.open(f"{root}/f", os.O_RDONLY)
    disk.rename(f"{root}/g", f"{root}/f")
    assert _read(disk, f"{root}/f") == b"new"
    assert disk.pread(fd, 10, 0) == b"old"
    disk.unlink(f"{root}/f")
    assert sorted(disk.listdir(root)) == ["a", "tmp"]


def test_a_temporary_file_appears_at_once_and_complete(place):
    disk, root = place
    temporary = disk.create_temporary(f"{root}/tmp", 0o444)
    write_all(disk, temporary.fd, b"content")
    assert disk.listdir(f"{root}/a") == []
    assert disk.name_temporary(temporary, f"{root}/a/f", replace=False)
    assert disk.listdir(f"{root}/tmp") == []
    disk.discard_temporary(temporary)
    assert _read(disk, f"{root}/a/f") == b"content"


def test_a_temporary_file_replaces_only_when_told(place):
    disk, root = place
    _write(disk, f"{root}/a/f", b"old")
    temporary = disk.create_temporary(f"{root}/tmp", 0o444)
    write_all(disk, temporary.fd, b"new")
    assert not disk.name_temporary(temporary, f"{root}/a/f", replace=False)
    assert _read(disk, f"{root}/a/f") == b"old"
    assert disk.name_temporary(temporary, f"{root}/a/f", replace=True)
    disk.discard_temporary(temporary)
    assert _read(disk, f"{root}/a/f") == b"new"
    assert disk.listdir(f"{root}/a") == ["f"]
    assert disk.listdir(f"{root}/tmp") == []


def test_a_discarded_temporary_file_leaves_nothing(place):
    disk, root = place
    disk.discard_temporary(disk.create_temporary(f"{root}/tmp", 0o600))
    assert disk.listdir(f"{root}/tmp") == []


def test_a_temporary_file_cannot_be_named_in_a_missing_directory(place):
    disk, root = place
    temporary = disk.create_temporary(f"{root}/tmp", 0o444)
    with pytest.raises(FileNotFoundError):
        disk.name_temporary(temporary, f"{root}/none/f", replace=False)
    disk.discard_temporary(temporary)
    assert disk.listdir(f"{root}/tmp") == []


def test_syncs_change_nothing_that_can_be_seen(place):
    disk, root = place
    fd = disk.open(f"{root}/f", os.O_RDWR | os.O_CREAT)
    disk.write(fd, b"x")
    disk.fsync(fd)
    disk.fdatasync(fd)
    disk.touch(fd)
    disk.sync_directory(root)
    disk.sync_all(root)
    assert disk.pread(fd, 10, 0) == b"x"


def test_a_lock_belongs_to_one_descriptor_and_ends_with_it(place):
    disk, root = place
    _write(disk, f"{root}/f", b"")
    one, two = (disk.open(f"{root}/f", os.O_RDWR) for _ in range(2))
    disk.lock(one, "f")
    disk.unlock(one)
    disk.lock(two, "f")
    disk.unlock(one)  # not its own: changes nothing
    if isinstance(disk, MemoryDisk):
        with pytest.raises(LockHeld):
            disk.lock(one, "f")
    else:
        with pytest.raises(LockHeld, match=f"process {os.getpid()}"):
            acquire(one, "f", wait_seconds=0.01)
    disk.close(two)
    disk.lock(one, "f")
