"""Files and directories in ``artifacts/``: as POSIX has them."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from servers import Mount, fails_with, run


@pytest.fixture
def here(mounted: Mount) -> Path:
    return mounted.artifacts


def test_content_is_read_back_at_any_offset(here: Path) -> None:
    data = os.urandom(300_000) + bytes(200_000) + b"text" * 60_000
    (here / "f").write_bytes(data)
    with (here / "f").open("rb") as file:
        for offset, length in ((0, 10), (299_990, 20), (262_140, 10), (len(data) - 5, 50), (len(data), 1)):
            file.seek(offset)
            assert file.read(length) == data[offset : offset + length]
    assert (here / "f").stat().st_size == len(data)


def test_writes_at_any_offset_leave_holes_of_zeros(here: Path) -> None:
    with (here / "f").open("wb") as file:
        file.seek(100_000)
        file.write(b"end")
        file.seek(10)
        file.write(b"start")
    expected = bytearray(100_003)
    expected[10:15], expected[100_000:] = b"start", b"end"
    assert (here / "f").read_bytes() == expected
    with (here / "f").open("r+b") as file:
        file.seek(50_000)
        file.write(b"middle")
    expected[50_000:50_006] = b"middle"
    assert (here / "f").read_bytes() == expected


@pytest.mark.parametrize("size", [0, 3, 5_000, 3_000_000])
def test_truncate_by_name_and_by_descriptor(here: Path, size: int) -> None:
    content = b"0123456789" * 1000
    expected = content[:size] + bytes(max(0, size - len(content)))
    (here / "named").write_bytes(content)
    os.truncate(here / "named", size)
    assert (here / "named").read_bytes() == expected
    (here / "opened").write_bytes(content)
    with (here / "opened").open("r+b") as file:
        file.truncate(size)
        assert os.fstat(file.fileno()).st_size == size
    assert (here / "opened").read_bytes() == expected


def test_appends_of_two_processes_are_all_there(here: Path) -> None:
    program = "import sys\nfor n in range(200):\n    with open(sys.argv[1], 'a') as f: f.write(f'{sys.argv[2]} {n}\\n')"
    writers = [subprocess.Popen([sys.executable, "-c", program, here / "log", name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    lines = (here / "log").read_text().splitlines()
    assert sorted(lines) == sorted(f"{name} {n}" for name in "ab" for n in range(200))


def test_two_open_appenders_share_one_end(here: Path) -> None:
    with (here / "log").open("ab", buffering=0) as first, (here / "log").open("ab", buffering=0) as second:
        first.write(b"1")
        second.write(b"2")
        first.write(b"3")
        assert (here / "log").read_bytes() == b"123"


def test_exclusive_creation(here: Path) -> None:
    fd = os.open(here / "f", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640)
    with fails_with(errno.EEXIST):
        os.open(here / "f", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.close(fd)
    with fails_with(errno.EEXIST):
        os.open(here / "f", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    assert stat.S_IMODE((here / "f").stat().st_mode) == 0o640


def test_umask_counts(here: Path) -> None:
    run("sh", "-c", "umask 077; echo x > f; mkdir d; umask 022; echo x > g", cwd=here)
    assert [stat.S_IMODE((here / name).stat().st_mode) for name in "fdg"] == [0o600, 0o700, 0o644]


def test_rename_over_a_file_keeps_the_open_one(here: Path) -> None:
    (here / "old").write_text("old")
    (here / "new").write_text("new")
    number = (here / "new").stat().st_ino
    with (here / "old").open() as file:
        (here / "new").rename(here / "old")
        assert (here / "old").read_text() == "new"
        assert file.read() == "old"
        assert os.fstat(file.fileno()).st_nlink == 0
    assert (here / "old").stat().st_ino == number
    assert os.listdir(here) == ["old"]


def test_rules_of_rename(here: Path) -> None:
    (here / "d/e").mkdir(parents=True)
    (here / "empty").mkdir()
    (here / "f").write_text("f")
    for source, target, number in (
        ("f", "d", errno.EISDIR),
        ("d", "f", errno.ENOTDIR),
        ("empty", "d", errno.ENOTEMPTY),
        ("d", "d/e/x", errno.EINVAL),
        ("missing", "x", errno.ENOENT),
        ("f", "missing/x", errno.ENOENT),
        ("f", "f/x", errno.ENOTDIR),
    ):
        with fails_with(number):
            os.rename(here / source, here / target)
    os.rename(here / "d", here / "empty")
    assert sorted(os.listdir(here)) == ["empty", "f"]
    assert os.listdir(here / "empty") == ["e"]


def test_rename_without_replacing(here: Path) -> None:
    (here / "a").write_text("a")
    (here / "b").write_text("b")
    run("mv", "-n", here / "a", here / "b")
    assert (here / "a").read_text() + (here / "b").read_text() == "ab"


def test_renaming_what_is_still_being_written(here: Path, mounted: Mount) -> None:
    (here / "f").write_text("before")
    with (here / "f.tmp").open("w") as file:
        file.write("first ")
        file.flush()
        (here / "f.tmp").rename(here / "f")
        file.write("second")
    assert (here / "f").read_text() == "first second"
    assert os.listdir(here) == ["f"]


def test_renaming_over_what_is_still_being_written(here: Path, mounted: Mount) -> None:
    (here / "a").write_text("a")
    with (here / "b").open("w") as file:
        file.write("gone")
        file.flush()
        (here / "a").rename(here / "b")
        assert (here / "b").read_text() == "a"
    assert (here / "b").read_text() == "a"
    assert mounted.session().tree.resolve("b").version == 1
    assert os.listdir(here) == ["b"]


@pytest.mark.parametrize("recorded", [True, False])
def test_a_file_is_used_after_its_deletion(here: Path, mounted: Mount, recorded: bool) -> None:
    if recorded:
        (here / "f").write_bytes(b"x" * 100_000)
    with (here / "f").open("r+b" if recorded else "w+b", buffering=0) as file:
        file.write(b"before")
        (here / "f").unlink()
        assert not (here / "f").exists()
        file.write(b" after")
        file.seek(0)
        assert file.read(12) == b"before after"
        os.fchmod(file.fileno(), 0o600)
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
        os.fsync(file.fileno())
        (here / "f").write_text("another")
    assert (here / "f").read_text() == "another"
    assert len(mounted.stored("f")) == 1 + recorded


def test_a_deleted_new_file_leaves_no_record(here: Path, mounted: Mount) -> None:
    with (here / "f").open("w") as file:
        file.write("x")
        (here / "f").unlink()
    assert [record["type"] for record in mounted.records()] == ["session.created"]


def test_symlinks(here: Path) -> None:
    os.symlink("d/../f", here / "link")
    os.symlink(b"\xff\xfe", os.fsencode(here / "stray"))
    (here / "f").write_text("content")
    (here / "d").mkdir()
    assert os.readlink(here / "link") == "d/../f"
    assert os.readlink(os.fsencode(here / "stray")) == b"\xff\xfe"
    assert (here / "link").read_text() == "content"
    assert (here / "link").lstat().st_size == 6
    with fails_with(errno.ELOOP):
        os.open(here / "link", os.O_RDONLY | os.O_NOFOLLOW)
    (here / "link").unlink()
    assert (here / "f").exists()


def test_modes_and_times(here: Path) -> None:
    (here / "f").write_text("x")
    (here / "d").mkdir()
    for name in "fd":
        os.chmod(here / name, 0o2751)
        os.utime(here / name, ns=(1_234_567_890_123_456_789, 987_654_321_987_654_321))
        found = (here / name).stat()
        assert stat.S_IMODE(found.st_mode) == 0o2751
        assert (found.st_atime_ns, found.st_mtime_ns) == (1_234_567_890_123_456_789, 987_654_321_987_654_321)


def test_times_that_a_record_cannot_hold_are_moved_to_the_nearest(here: Path, mounted: Mount) -> None:
    (here / "f").write_text("x")
    run("touch", "-d", "@999999999999", here / "f")
    run("touch", "-d", "@-1.5", here / "f")
    assert (here / "f").stat().st_mtime_ns == -1_500_000_000
    assert mounted.session().tree.resolve("f").mtime_ns == -1_500_000_000


def test_a_write_moves_the_time_and_a_close_does_not(here: Path) -> None:
    (here / "f").write_text("x")
    with (here / "f").open("w") as file:
        file.write("y")
        file.flush()
        while_open = os.fstat(file.fileno()).st_mtime_ns
    assert (here / "f").stat().st_mtime_ns == while_open
    os.utime(here / "f", ns=(1, 1))
    with (here / "f").open("a"):
        pass
    assert (here / "f").stat().st_mtime_ns == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owners(here: Path) -> None:
    (here / "f").write_text("x")
    os.chown(here / "f", 1234, 5678)
    assert ((here / "f").stat().st_uid, (here / "f").stat().st_gid) == (1234, 5678)


def test_names_are_bytes(here: Path, mounted: Mount) -> None:
    raw = os.fsencode(here)
    names = [b"\xff\xfe\x80 not UTF-8", "ünïcode ☃".encode(), b"back\\slash", b"n" * 255, b" ", b"new\nline", b"-rf"]
    for name in names:
        with open(raw + b"/" + name, "wb") as file:
            file.write(name)
    assert sorted(os.listdir(raw)) == sorted(names)
    for name in names:
        with open(raw + b"/" + name, "rb") as file:
            assert file.read() == name
    for length in (256, 1000, 1100):
        with fails_with(errno.ENAMETOOLONG):
            os.stat(raw + b"/" + b"n" * length)
        with fails_with(errno.ENAMETOOLONG):
            os.mkdir(raw + b"/" + b"n" * length)
    assert {node.name for _, node in mounted.session().tree.walk()} == {os.fsdecode(name) for name in names}


def test_errors_of_directories(here: Path) -> None:
    (here / "d/e").mkdir(parents=True)
    (here / "f").write_text("x")
    for call, number in (
        (lambda: os.rmdir(here / "d"), errno.ENOTEMPTY),
        (lambda: os.rmdir(here / "f"), errno.ENOTDIR),
        (lambda: os.unlink(here / "d"), errno.EISDIR),
        (lambda: os.mkdir(here / "f"), errno.EEXIST),
        (lambda: os.mkdir(here / "missing/x"), errno.ENOENT),
        (lambda: os.listdir(here / "f"), errno.ENOTDIR),
        (lambda: os.open(here / "d", os.O_WRONLY), errno.EISDIR),
        (lambda: os.link(here / "d", here / "g"), errno.EPERM),
        (lambda: os.link(here / "f", here / "d"), errno.EEXIST),
        (lambda: os.rename(here / "f", here / "../state/f"), errno.EXDEV),
    ):
        with fails_with(number):
            call()
    os.rmdir(here / "d/e")
    os.rmdir(here / "d")
    assert os.listdir(here) == ["f"]


def test_a_directory_with_a_file_being_written_is_not_empty(here: Path) -> None:
    (here / "d").mkdir()
    with (here / "d/f").open("w"), fails_with(errno.ENOTEMPTY):
        os.rmdir(here / "d")
    assert os.listdir(here / "d") == ["f"]


def test_directory_reads_are_exact_while_entries_go(here: Path) -> None:
    (here / "many").mkdir()
    for number in range(2000):
        os.symlink("x", here / "many" / f"{number:04}")
    seen = []
    with os.scandir(here / "many") as entries:
        for entry in entries:
            seen.append(entry.name)
            os.unlink(entry.path)
    assert sorted(seen) == [f"{number:04}" for number in range(2000)]
    assert os.listdir(here / "many") == []
    listed = run("ls", "-a", here / "many").split()
    assert listed == [".", ".."]


def test_inode_numbers_agree_and_stay(mounted: Mount) -> None:
    here = mounted.artifacts
    (here / "d").mkdir()
    (here / "d/f").write_text("x")
    numbers = {path: os.lstat(here / path).st_ino for path in ("", "d", "d/f")}
    with os.scandir(here / "d") as entries:
        assert next(entries).inode() == numbers["d/f"]
    before = {path: _that_stays(os.lstat(here / path)) for path in numbers}
    mounted.stop()
    mounted.start()
    assert {path: _that_stays(os.lstat(here / path)) for path in numbers} == before


def _that_stays(status: os.stat_result) -> tuple[int, ...]:
    """Return *status* without the device, which is another for each mount, and atime, which ends with it."""
    return tuple(field for place, field in enumerate(status) if place not in (stat.ST_DEV, stat.ST_ATIME))


def test_mmap(here: Path) -> None:
    import mmap

    (here / "f").write_bytes(bytes(100_000))
    with (here / "f").open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 0)
    shared[50_000:50_005] = b"hello"  # after the last close
    shared.flush()
    shared.close()
    assert (here / "f").read_bytes()[49_999:50_006] == b"\0hello\0"


def test_free_space_is_that_of_the_store(here: Path, mounted: Mount) -> None:
    shown, below = os.statvfs(here), os.statvfs(mounted.store_path)
    assert (shown.f_blocks, shown.f_frsize, shown.f_namemax) == (below.f_blocks, below.f_frsize, 255)
