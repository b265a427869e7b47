"""What a use of the mount leaves in the log: one version for each close, with everything that was set meanwhile."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

from servers import Mount, eventually, fails_with, run


def test_cp_makes_one_record_and_version_1(mounted: Mount, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("content")
    source.chmod(0o640)
    os.utime(source, ns=(5, 7))
    os.setxattr(source, "user.author", b"x")
    run("cp", "-a", source, mounted.artifacts / "f")
    node = mounted.session().tree.resolve("f")
    assert len(mounted.stored("f")) == 1
    assert len(mounted.records()) == 2
    assert (node.version, node.mode & 0o7777, node.mtime_ns, node.metadata) == (1, 0o640, 7, {"author": "x"})
    run("cp", source, mounted.artifacts / "f")
    assert mounted.session().tree.resolve("f").version == 2
    assert len(mounted.records()) == 3


def test_a_shell_redirection_makes_one_version(mounted: Mount) -> None:
    for version, word in enumerate(("one", "two", "three"), 1):
        run("bash", "-c", f"echo {word} > f", cwd=mounted.artifacts)
        assert mounted.session().tree.resolve("f").version == version
    run("bash", "-c", "> f; : >> g; touch h", cwd=mounted.artifacts)
    tree = mounted.session().tree
    assert (tree.resolve("f").version, tree.resolve("f").size) == (4, 0)
    assert (tree.resolve("g").version, tree.resolve("h").version) == (1, 1)
    assert (mounted.artifacts / "f").read_text() == ""


def test_a_thousand_rewrites_between_two_closes_are_one_version(mounted: Mount) -> None:
    with (mounted.artifacts / "f").open("wb", buffering=0) as file:
        for number in range(1000):
            file.seek(0)
            file.write(b"%d" % number)
    assert len(mounted.stored("f")) == 1
    with (mounted.artifacts / "f").open("r+b", buffering=0) as file:
        for number in range(1000):
            file.seek(0)
            file.write(b"%d" % (number + 1))
    assert [record["data"]["size"] for record in mounted.stored("f")] == [3, 4]


def test_each_sync_is_a_version(mounted: Mount) -> None:
    with (mounted.artifacts / "f").open("wb", buffering=0) as file:
        for number in range(3):
            file.write(b"x")
            os.fsync(file.fileno())
            assert mounted.session().tree.resolve("f").size == number + 1
        os.fsync(file.fileno())
    assert len(mounted.stored("f")) == 3


def test_reading_and_looking_leave_no_record(mounted: Mount) -> None:
    (mounted.artifacts / "f").write_text("x")
    before = len(mounted.records())
    (mounted.artifacts / "f").read_text()
    run("ls", "-laR", mounted.path)
    run("getfattr", "-d", mounted.artifacts / "f")
    with (mounted.artifacts / "f").open("r+"):
        pass
    assert len(mounted.records()) == before


def test_two_writers_of_one_file(mounted: Mount) -> None:
    path = mounted.artifacts / "f"
    program = (
        "import sys\n"
        "with open(sys.argv[1], 'w') as f:\n"
        "    f.write(sys.argv[2])\n"
        "    print(flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, path, text], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for text in ("first", "second")
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        writer.communicate(b"\n")
    assert path.read_text() == "second"
    assert mounted.session().tree.resolve("f").version == 2


def test_what_fails_at_close_is_reported(mounted: Mount) -> None:
    (mounted.artifacts / "f").write_text("before")
    with fails_with(errno.EROFS), (mounted.artifacts / "f").open("w") as file:
        file.write("after")
        file.flush()
        mounted.session().suspend()
    mounted.session().resume()
    assert (mounted.artifacts / "f").read_text() == "before"
    mounted.expected_log = "could not be stored"


def test_a_new_file_that_cannot_be_recorded_is_gone(mounted: Mount) -> None:
    with fails_with(errno.EROFS), (mounted.artifacts / "f").open("w") as file:
        file.write("x")
        file.flush()
        mounted.session().suspend()
    assert eventually(lambda: os.listdir(mounted.artifacts) == [])
    assert eventually(lambda: not (mounted.artifacts / "f").exists())
    mounted.expected_log = "could not be stored"


def test_an_artifact_over_the_limit(mounted: Mount) -> None:
    mounted.stop()
    (mounted.store_path / "config.toml").write_text(
        '[limits]\nmax_artifact_size = "100KiB"\nmax_artifacts_per_session = 2\n'
    )
    mounted.start()
    with fails_with(errno.EDQUOT):
        (mounted.artifacts / "f").write_bytes(bytes(102_401))
    (mounted.artifacts / "f").write_bytes(bytes(102_400))
    (mounted.artifacts / "g").write_text("x")
    with fails_with(errno.EDQUOT):
        (mounted.artifacts / "h").write_text("x")
    assert eventually(lambda: sorted(os.listdir(mounted.artifacts)) == ["f", "g"])
    mounted.expected_log = "could not be stored"
