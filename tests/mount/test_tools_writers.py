"""Programs that write in ways of their own: with seeks, through mmap, at odd offsets, with many syncs."""

from __future__ import annotations

import json
import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from programs import PROGRAMS, compiled, needs, told
from servers import Mount, eventually

from sessionfs.oid import ObjectId

# Seeks

FFMPEG = (
    "ffmpeg -nostdin -v error -f lavfi -i testsrc=duration=2:size=160x120:rate=10 -f lavfi -i sine=duration=2 "
    "-fflags +bitexact -flags:v +bitexact -flags:a +bitexact -c:v mpeg4 -c:a aac -shortest"
)


@needs("gcc")
def test_seeks_back_and_forth(mounted: Mount, tmp_path: Path) -> None:
    """As those who write containers do: headers last, indexes moved to the front."""
    program = compiled("seeker", tmp_path)
    for name, seed in (("a", "1"), ("b", "2")):
        told(program, mounted.artifacts / name, seed)
        told(program, tmp_path / name, seed)
        assert (mounted.artifacts / name).read_bytes() == (tmp_path / name).read_bytes()
        assert len(mounted.stored(name)) == 1
    told(program, mounted.artifacts / "a", "3")
    told(program, tmp_path / "a", "3")
    assert (mounted.artifacts / "a").read_bytes() == (tmp_path / "a").read_bytes()


@needs("ffmpeg")
def test_ffmpeg(mounted: Mount, tmp_path: Path) -> None:
    for name, options in (("a.mp4", []), ("fast.mp4", ["-movflags", "+faststart"]), ("a.mkv", []), ("a.avi", [])):
        for directory in (mounted.artifacts, tmp_path):
            told(*FFMPEG.split(), *options, directory / name)
        assert (mounted.artifacts / name).read_bytes() == (tmp_path / name).read_bytes(), name
    told("ffmpeg", "-v", "error", "-i", mounted.artifacts / "fast.mp4", "-f", "null", "-")


def image_magick() -> str | None:
    """Return ImageMagick's convert; others have that name too."""
    path = shutil.which("convert")
    is_it = (
        path is not None and "ImageMagick" in subprocess.run([path, "-version"], capture_output=True, text=True).stdout
    )
    return path if is_it else None


def test_convert(mounted: Mount, tmp_path: Path) -> None:
    convert = image_magick()
    if convert is None:
        pytest.skip("not installed: ImageMagick's convert")
    options = ("-seed", "1", "-size", "200x200", "plasma:", "-strip", "+set", "date:create")
    for directory in (mounted.artifacts, tmp_path):
        told(convert, *options, directory / "a.tif")
        told(convert, directory / "a.tif", "-define", "tiff:tile-geometry=64x64", directory / "tiled.tif")
        told(convert, directory / "a.tif", directory / "tiled.tif", directory / "pages.tif")
    for name in ("a.tif", "tiled.tif", "pages.tif"):
        assert (mounted.artifacts / name).read_bytes() == (tmp_path / name).read_bytes(), name


DD = (
    "if=source of=target bs=777",
    "if=source of=target bs=13 seek=5 count=7 conv=notrunc",
    "if=source of=target bs=4097 skip=3 seek=11 count=9 conv=notrunc",
    "if=source of=target ibs=100 obs=7919 skip=10 seek=1 conv=notrunc,fdatasync",
    "if=source of=target bs=1000 seek=50 count=1",
    "if=source of=target bs=1 seek=300001 count=3",
    "if=source of=target bs=64k conv=sparse,fsync",
    "if=/dev/zero of=target bs=5000 count=3 seek=7 conv=notrunc,nocreat",
    "if=source of=target bs=999 count=4 oflag=append conv=notrunc",
    "if=source of=target bs=512 count=101 iflag=count_bytes,skip_bytes skip=1003 oflag=seek_bytes seek=77777",
    "if=target of=target bs=1000 skip=3 seek=40 count=20 conv=notrunc",
    "if=/dev/null of=target bs=1 seek=123457",
    "if=source of=synced bs=4000 oflag=sync count=5",
    "if=target of=swapped bs=12 conv=swab",
)


def test_dd_with_odd_offsets(mounted: Mount, tmp_path: Path) -> None:
    source = random.Random(1).randbytes(100_003) + bytes(200_000) + b"end"
    for directory in (mounted.artifacts, tmp_path):
        (directory / "source").write_bytes(source)
    for operands in DD:
        for directory in (mounted.artifacts, tmp_path):
            told("dd", *operands.split(), "status=none", cwd=directory)
        for name in ("target", "synced", "swapped"):
            if (tmp_path / name).exists():
                assert (mounted.artifacts / name).read_bytes() == (tmp_path / name).read_bytes(), (operands, name)


# Memory


def test_two_processes_see_each_other_through_shared_memory(mounted: Mount) -> None:
    path = mounted.artifacts / "shared"
    path.write_bytes(bytes(64 << 10))
    turns = 200
    players = [subprocess.Popen([sys.executable, PROGRAMS / "mmap_turns.py", path, who, str(turns)]) for who in "01"]
    assert [player.wait(60) for player in players] == [0, 0]
    content = path.read_bytes()
    assert json.loads(content[4096:].rstrip(b"\0")) == {"turns": turns}
    mounted.stop()
    mounted.start()
    assert path.read_bytes() == content


def test_memory_and_calls_see_each_other(mounted: Mount) -> None:
    path = mounted.artifacts / "f"
    path.write_bytes(b"." * 20_000)
    with path.open("r+b", buffering=0) as file, path.open("rb", buffering=0) as reader:
        shared = mmap.mmap(file.fileno(), 0)
        private = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE)
        shared[5000:5006] = b"shared"
        private[6000:6007] = b"private"
        os.pwrite(file.fileno(), b"called", 12_000)
        assert os.pread(reader.fileno(), 6, 5000) == b"shared"
        assert os.pread(reader.fileno(), 7, 6000) == b"." * 7
        assert shared[12_000:12_006] == b"called"
        assert told("cut", "-c5001-5006", path) == "shared\n"
        shared.flush()
        versions = len(mounted.stored("f"))
        assert mounted.session().objects.read(ObjectId(mounted.stored("f")[-1]["data"]["oid"]))[5000:5006] == b"shared"
        assert versions == 2  # msync is fsync
        shared[0:5] = b"after"
        private.close()
        shared.close()
    assert eventually(lambda: len(mounted.stored("f")) == 3)
    expected = bytearray(b"." * 20_000)
    expected[0:5], expected[5000:5006], expected[12_000:12_006] = b"after", b"shared", b"called"
    assert path.read_bytes() == bytes(expected)
    mounted.stop()
    mounted.start()
    assert path.read_bytes() == bytes(expected)


# Versions


def test_a_file_rewritten_a_thousand_times_makes_one_version(mounted: Mount) -> None:
    path = mounted.artifacts / "f"
    log = mounted.store_path / "sessions/one/log"
    with path.open("wb", buffering=0) as file:
        for number in range(1000):
            file.seek(0)
            file.truncate()
            file.write(b"%d\n" % number * 100)
    first = log.read_bytes().count(b"\n")
    assert len(mounted.stored("f")) == 1
    with path.open("r+b", buffering=0) as file:
        for number in range(1000):
            os.pwrite(file.fileno(), b"%4d" % number, number * 7 % 3000)
    assert len(mounted.stored("f")) == 2
    assert log.read_bytes().count(b"\n") <= first + 1


def test_every_sync_of_a_log_is_a_version(mounted: Mount) -> None:
    path = mounted.artifacts / "log"
    shown = told(sys.executable, PROGRAMS / "syncing_log.py", path, "60")
    assert shown.split() == [str(number) for number in range(60)]
    assert len(mounted.stored("log")) == 60
    assert os.getxattr(path, "user.sessionfs.version") == b"60"
    lines = path.read_text().splitlines()
    assert [line.split()[0] for line in lines] == [str(number) for number in range(60)]


@pytest.mark.parametrize("lines", [1, 25])
def test_a_log_is_as_of_its_last_sync_when_the_mount_is_killed(mounted: Mount, lines: int) -> None:
    path = mounted.artifacts / "log"
    writer = subprocess.Popen(
        [sys.executable, PROGRAMS / "syncing_log.py", path, "100000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert writer.stdout is not None
    synced = [int(writer.stdout.readline()) for _ in range(lines)][-1]
    mounted.process.send_signal(signal.SIGKILL)
    rest = writer.stdout.read().split()
    mounted.kill()
    writer.wait()
    writer.stdout.close()
    synced = int(rest[-1]) if rest else synced
    mounted.start()
    kept = path.read_text()
    assert kept.endswith("\n")
    numbers = [int(line.split()[0]) for line in kept.splitlines()]
    # It may have died between storing a version and saying so.
    assert numbers in (list(range(synced + 1)), list(range(synced + 2)))
    assert len(mounted.stored("log")) == len(numbers)


# Load


@needs("fio")
@pytest.mark.parametrize("engine", ["psync", "mmap", "libaio"])
def test_fio_reads_back_what_it_wrote(mounted: Mount, tmp_path: Path, engine: str) -> None:
    sizes = ["--bs=4k"] if engine == "mmap" else ["--bsrange=512-24k", "--bs_unaligned"]
    job = ["--name=job", f"--directory={mounted.artifacts}", "--size=3m", "--numjobs=2", "--rw=randrw", "--randseed=7"]
    fio = ("fio", f"--ioengine={engine}", *sizes, *job, "--fsync=200", "--verify=crc32c", "--verify_fatal=1")
    # It leaves the state of its verifying where it is called.
    told(*fio, "--do_verify=1", "--output=/dev/null", cwd=tmp_path)
    mounted.stop()
    mounted.start()
    told(*fio, "--verify_only", "--output=/dev/null", cwd=tmp_path)


STRESSORS = "access chmod copy-file dir fcntl flock getdent lockf mknod rename symlink utime xattr"


@needs("stress-ng")
def test_stress_ng(mounted: Mount) -> None:
    """All at once, each checking what it gets."""
    stressors = [word for name in STRESSORS.split() for word in (f"--{name}", "1")]
    shown = told(
        "sh",
        "-c",
        'exec "$@" 2>&1',
        "sh",
        "stress-ng",
        "--temp-path",
        mounted.artifacts,
        "--verify",
        "--timeout",
        "1",
        *stressors,
    )
    assert "fail:" not in shown, shown
    assert "successful run completed" in shown
    assert os.listdir(mounted.artifacts) == []
