"""Ordinary tools, through the kernel."""

from __future__ import annotations

import filecmp
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from servers import Mount, run


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree as ``cp -a`` meets it: files of many sizes, links, modes, times, stray names, xattrs."""
    root = tmp_path / "tree"
    (root / "d/e/empty").mkdir(parents=True)
    for number in range(60):
        path = root / ("d" if number % 2 else "d/e") / f"file {number}"
        path.write_bytes((b"%d line\n" % number) * number * 37)
        os.chmod(path, 0o600 + number % 64)
        os.utime(path, ns=(number, 10**18 + number))
    (root / "d/noise").write_bytes(os.urandom(500_000))
    (root / "link").symlink_to("d/file 1")
    (root / "dangling").symlink_to("nowhere")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe")).write_text("stray")
    os.setxattr(root / "d/noise", "user.author", b"somebody")
    os.setxattr(root / "d/noise", "user.bytes", b"\xff\0\xfe")
    # rsync leaves times of links and directories alone that are the same to the second.
    for number, name in enumerate(("link", "dangling", "d/e/empty", "d/e", "d")):
        os.utime(root / name, ns=(3, number * 1_000_000_007), follow_symlinks=False)
    return root


def described(root: Path) -> dict[str, object]:
    """Return what matters of everything below *root*."""
    found: dict[str, object] = {}
    for directory, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            content = os.readlink(path) if os.path.islink(path) else None
            if os.path.isfile(path) and content is None:
                content = Path(path).read_bytes()
            xattrs = {
                key: os.getxattr(path, key, follow_symlinks=False)
                for key in os.listxattr(path, follow_symlinks=False)
                if not key.startswith("user.sessionfs.")
            }
            found[os.path.relpath(path, root)] = (status.st_mode, status.st_mtime_ns, content, xattrs)
    return found


def test_cp_in_and_out(mounted: Mount, tree: Path, tmp_path: Path) -> None:
    run("cp", "-a", tree, mounted.artifacts / "copy")
    assert described(mounted.artifacts / "copy") == described(tree)
    assert filecmp.dircmp(tree, mounted.artifacts / "copy").diff_files == []
    run("cp", "-a", mounted.artifacts / "copy", tmp_path / "back")
    assert described(tmp_path / "back") == described(tree)
    mounted.stop()
    mounted.start()
    assert described(mounted.artifacts / "copy") == described(tree)
    versions = {node.version for _, node in mounted.session().tree.walk() if node.is_file}
    assert versions == {1}


def test_rsync_in_and_out_and_again(mounted: Mount, tree: Path, tmp_path: Path) -> None:
    def transferred(source: Path, target: Path) -> int:
        told = run("rsync", "-aX", "--stats", f"{source}/", f"{target}/")
        line = next(line for line in told.splitlines() if line.startswith("Number of regular files transferred"))
        return int(line.partition(":")[2].replace(",", ""))

    count = sum(len(files) for _, _, files in os.walk(tree)) - 2  # without the links
    assert transferred(tree, mounted.artifacts / "copy") == count
    assert described(mounted.artifacts / "copy") == described(tree)
    transferred(tree, mounted.artifacts / "copy")  # it takes over when the files were read for the first time
    recorded = mounted.records()
    assert transferred(tree, mounted.artifacts / "copy") == 0
    assert mounted.records() == recorded
    assert transferred(mounted.artifacts / "copy", tmp_path / "back") == count
    assert described(tmp_path / "back") == described(tree)
    assert transferred(mounted.artifacts / "copy", tmp_path / "back") == 0
    assert transferred(tmp_path / "back", mounted.artifacts / "copy") == 0


def test_tar(mounted: Mount, tree: Path, tmp_path: Path) -> None:
    run("tar", "-cf", tmp_path / "a.tar", "-C", tree, ".")
    target = mounted.artifacts / "out"
    target.mkdir()
    before = len(mounted.records())
    run("tar", "-xpf", tmp_path / "a.tar", "-C", target)
    count = len(described(tree))
    assert {name: entry[:3] for name, entry in described(target).items()} == {  # type: ignore[index]
        name: (mode, mtime_ns // 10**9 * 10**9, content)
        for name, (mode, mtime_ns, content, _) in described(tree).items()  # type: ignore[misc]
    }
    assert len(mounted.records()) - before <= 3 * count
    run("tar", "-cf", tmp_path / "b.tar", "-C", target, ".")


def test_mv_and_sed(mounted: Mount, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("hello world\n")
    run("mv", tmp_path / "f", mounted.artifacts / "f")
    run("sed", "-i", "s/world/there/", mounted.artifacts / "f")
    assert (mounted.artifacts / "f").read_text() == "hello there\n"
    assert os.listdir(mounted.artifacts) == ["f"]
    run("mv", mounted.artifacts / "f", tmp_path / "g")
    assert (tmp_path / "g").read_text() == "hello there\n"
    assert os.listdir(mounted.artifacts) == []


def test_git(mounted: Mount) -> None:
    here = mounted.artifacts / "repository"
    here.mkdir()
    git = ("git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "init.defaultBranch=main", "-C", str(here))
    run(*git, "init", "-q")
    for number in range(30):
        (here / f"file{number}").write_text(f"content {number}\n")
    run(*git, "add", ".")
    run(*git, "commit", "-qm", "first")
    assert run(*git, "status", "--porcelain") == ""
    (here / "file3").write_text("changed\n")
    (here / "new").write_text("new\n")
    assert run(*git, "status", "--porcelain") == " M file3\n?? new\n"
    run(*git, "add", ".")
    run(*git, "commit", "-qm", "second")
    run(*git, "checkout", "-q", "-b", "branch", "HEAD~1")
    assert (here / "file3").read_text() == "content 3\n"
    assert run(*git, "log", "--oneline", "--all").count("\n") == 2
    run(*git, "gc", "-q")
    run(*git, "fsck", "--strict")
    run("git", "clone", "-q", here, mounted.artifacts / "clone")
    assert (mounted.artifacts / "clone/file3").read_text() == "content 3\n"
    mounted.stop()
    mounted.start()
    assert run(*git, "status", "--porcelain") == ""
    run(*git, "fsck", "--strict")


def test_sqlite_with_a_rollback_journal(mounted: Mount) -> None:
    path = mounted.artifacts / "data.db"
    program = (
        "import sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1], timeout=60)\n"
        "for n in range(20):\n"
        "    with db: db.execute('insert into t values (?, ?)', (sys.argv[2], n))\n"
    )
    with sqlite3.connect(path) as database:
        database.execute("create table t (who, n)")
    database.close()
    writers = [subprocess.Popen([sys.executable, "-c", program, path, who]) for who in ("a", "b")]
    assert [writer.wait() for writer in writers] == [0, 0]
    database = sqlite3.connect(path)
    assert database.execute("select count(*) from t").fetchone() == (40,)
    assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    database.execute("delete from t where n < 10")
    database.rollback()
    assert database.execute("select count(*) from t").fetchone() == (40,)
    database.close()
    assert sorted(os.listdir(mounted.artifacts)) == ["data.db"]


def test_find_grep_and_rm(mounted: Mount, tree: Path) -> None:
    run("cp", "-a", tree, mounted.artifacts / "copy")
    assert run("grep", "-rl", "7 line", mounted.artifacts / "copy").count("\n") > 1
    assert run("find", mounted.artifacts / "copy", "-name", "file 1*").count("\n") == 11
    run("rm", "-rf", mounted.artifacts / "copy")
    assert os.listdir(mounted.artifacts) == []
    assert list(mounted.session().tree.walk()) == []


@pytest.mark.skipif(shutil.which("vim") is None, reason="vim is not here")
def test_vim(mounted: Mount) -> None:
    path = mounted.artifacts / "f"
    path.write_text("hello\n")
    run("vim", "-es", "-u", "NONE", "-c", "set backup backupcopy=yes", "-c", "s/hello/bye/", "-c", "wq", path)
    assert path.read_text() == "bye\n"


def test_dd_with_odd_offsets(mounted: Mount, tmp_path: Path) -> None:
    source = os.urandom(100_000)
    (tmp_path / "source").write_bytes(source)
    target = mounted.artifacts / "target"
    run("dd", f"if={tmp_path}/source", f"of={target}", "bs=777", "status=none")
    run("dd", f"if={tmp_path}/source", f"of={target}", "bs=13", "seek=5", "count=7", "conv=notrunc", "status=none")
    expected = bytearray(source)
    expected[65 : 65 + 91] = source[:91]
    assert target.read_bytes() == expected
