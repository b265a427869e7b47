"""Time travel as directories: checkpoints/, at/ and versions/, used with ordinary tools."""

from __future__ import annotations

import errno
import gc
import json
import os
import stat
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from servers import Mount, fails_with, run

import sessionfs
from sessionfs import travel
from sessionfs.mount.inodes import InodeTable
from sessionfs.mount.past_nodes import Moment
from sessionfs.store.store import Store
from sessionfs.travel import view as views


@pytest.fixture
def past(mounted: Mount) -> Mount:
    """A session with a checkpoint ``before``, and changes since; ``mounted.copy`` is what was there then."""
    tree, state = mounted.artifacts, mounted.session_path / "state"
    (tree / "d/deep").mkdir(parents=True)
    (tree / "a.txt").write_text("one\n")
    (tree / "d/b.txt").write_text("b\n")
    (tree / "d/deep/big").write_bytes(b"0123456789\n" * 30_000)
    (tree / "d/gr\udcf6\udcdfe\\").write_text("x")
    (tree / "link").symlink_to("a.txt")
    os.link(tree / "a.txt", tree / "d/again")
    os.setxattr(tree / "a.txt", "user.color", b"red")
    os.setxattr(tree / "a.txt", "user.sessionfs.tags", b"t")
    (tree / "a.txt").chmod(0o640)
    (tree / "d").chmod(0o750)
    os.mkfifo(tree / "fifo")
    (state / "step").write_text('{"n": 1}')
    for path, mtime_ns in (("a.txt", 5_000_000_007), ("d/b.txt", 123_456_789), ("d", 7_000_000_001)):
        os.utime(tree / path, ns=(mtime_ns, mtime_ns))
    run("cp", "-a", tree, copy_of(mounted))
    sessionfs.open(mounted.store_path).sessions["one"].checkpoints.create("before")
    (tree / "a.txt").write_text("two\n")
    (tree / "d").rename(tree / "e")
    (tree / "e/b.txt").unlink()
    (tree / "new").write_text("new\n")
    (state / "step").write_text("2")
    (state / "more").write_text("true")
    return mounted


def copy_of(mounted: Mount) -> Path:
    return mounted.path.parent / "copy"


def before(mounted: Mount) -> Path:
    return mounted.session_path / "checkpoints/before"


def everything(top: Path) -> dict[str, object]:
    """Return what stat(2), readlink(2) and the extended attributes say of all below *top*."""
    found: dict[str, object] = {}
    for directory, names, files in os.walk(top):
        for name in (*names, *files):
            path = Path(directory) / name
            status = path.lstat()
            is_link = stat.S_ISLNK(status.st_mode)
            found[str(path.relative_to(top))] = (
                status.st_mode,
                status.st_nlink,
                (status.st_uid, status.st_gid),
                None if stat.S_ISDIR(status.st_mode) else status.st_size,
                status.st_mtime_ns,
                os.readlink(path) if is_link else None,
                None if is_link else {key: os.getxattr(path, key) for key in os.listxattr(path)},
                path.read_bytes() if stat.S_ISREG(status.st_mode) else None,
            )
    return found


def test_a_checkpoint_is_a_directory_with_all_as_it_was(past: Mount) -> None:
    assert os.listdir(past.session_path / "checkpoints") == ["before"]
    assert sorted(os.listdir(before(past))) == ["artifacts", "state"]
    assert everything(before(past) / "artifacts") == everything(copy_of(past))
    assert json.loads((before(past) / "state/step").read_text()) == {"n": 1}
    assert os.listdir(before(past) / "state") == ["step"]
    assert (before(past) / "state/step").stat().st_size == len((before(past) / "state/step").read_bytes())


def test_ordinary_tools_work_in_it(past: Mount, tmp_path: Path) -> None:
    run("diff", "-r", "--no-dereference", "--exclude", "fifo", before(past) / "artifacts", copy_of(past))
    assert "one" in run("grep", "-r", "one", before(past) / "artifacts/a.txt", before(past) / "artifacts/d")
    run("cp", "-a", before(past) / "artifacts", tmp_path / "out")
    assert everything(tmp_path / "out") == everything(copy_of(past))
    differing = subprocess.run(
        ["diff", "-rq", before(past) / "artifacts", past.artifacts], capture_output=True, text=True, check=False
    )
    assert differing.returncode == 1 and "a.txt differ" in differing.stdout and ": new" in differing.stdout
    assert "".join(sorted(run("find", before(past), "-printf", "%y"))) == "dddddfffffflp"
    run("tar", "-C", before(past), "-cf", tmp_path / "out.tar", "artifacts")


def test_inodes_are_not_the_live_ones_and_names_of_one_are_one(past: Mount) -> None:
    then, now = before(past) / "artifacts", past.artifacts
    assert then.joinpath("a.txt").stat().st_ino == then.joinpath("d/again").stat().st_ino
    numbers = {path.lstat().st_ino for path in (then, *then.rglob("*"))}
    at = past.session_path / "at/12/artifacts"
    numbers_at = {path.lstat().st_ino for path in (at, *at.rglob("*"))}
    live = {path.lstat().st_ino for path in (now, *now.rglob("*"))}
    assert not numbers & live and not numbers_at & live and not numbers & numbers_at
    past.stop()
    past.start()
    assert numbers == {path.lstat().st_ino for path in (then, *then.rglob("*"))}


def test_nothing_in_it_can_be_changed(past: Mount) -> None:
    moment = sessionfs.open(past.store_path).sessions["one"].checkpoints["before"].seq
    for top in (before(past), past.session_path / "at" / str(moment)):
        artifacts = top / "artifacts"
        for change in (
            lambda artifacts=artifacts: (artifacts / "x").touch(),
            lambda artifacts=artifacts: (artifacts / "a.txt").open("r+"),
            lambda artifacts=artifacts: (artifacts / "a.txt").open("a"),
            lambda artifacts=artifacts: os.truncate(artifacts / "a.txt", 0),
            lambda artifacts=artifacts: (artifacts / "a.txt").unlink(),
            lambda artifacts=artifacts: (artifacts / "d/deep").rmdir(),
            lambda artifacts=artifacts: (artifacts / "a.txt").rename(artifacts / "b"),
            lambda artifacts=artifacts: (artifacts / "x").mkdir(),
            lambda artifacts=artifacts: (artifacts / "x").symlink_to("y"),
            lambda artifacts=artifacts: os.mkfifo(artifacts / "x"),
            lambda artifacts=artifacts: os.link(artifacts / "a.txt", artifacts / "x"),
            lambda artifacts=artifacts: (artifacts / "a.txt").chmod(0o600),
            lambda artifacts=artifacts: os.utime(artifacts / "a.txt"),
            lambda artifacts=artifacts: os.setxattr(artifacts / "a.txt", "user.x", b"1"),
            lambda artifacts=artifacts: os.removexattr(artifacts / "a.txt", "user.color"),
            lambda top=top: (top / "state/step").write_text("1"),
            lambda top=top: (top / "state/step").unlink(),
            lambda top=top: top.rmdir(),
        ):
            with fails_with(errno.EROFS):
                change()
        with fails_with(errno.EXDEV):
            os.link(artifacts / "a.txt", past.artifacts / "x")
    for name in ("checkpoints", "at", "versions"):
        with fails_with(errno.EROFS):
            (past.session_path / name / "not there").mkdir()


def test_any_moment_is_found_by_its_number_or_time_and_none_is_listed(past: Mount) -> None:
    at = past.session_path / "at"
    last = past.session().log.position.seq - 1
    assert os.listdir(at) == []
    assert sorted(os.listdir(at / "0")) == ["artifacts", "state"] and os.listdir(at / "0/artifacts") == []
    assert everything(at / str(last) / "artifacts") == everything(past.artifacts)
    written = next(record["time"] for record in past.records() if record["type"] == "state.changed")
    for name in (written, written.replace("T", " ")):
        assert json.loads((at / name / "state/step").read_text()) == {"n": 1}
    for name in (str(last + 1), "2099-01-01", "1999-01-01T00:00", "now", "before", "5 minutes ago", "x", "\udcff"):
        with fails_with(errno.ENOENT):
            os.listdir(at / name)
    (past.artifacts / "later").write_text("")
    assert "later" in os.listdir(at / str(last + 1) / "artifacts"), "a moment that was missing may come to be"


def test_every_moment_through_the_mount_is_what_it_was(start: Callable[..., Mount], tmp_path: Path) -> None:
    """fold(prefix) is the view: what was seen live after each change is seen again at its moment."""
    mounted = start()
    tree, state = mounted.artifacts, mounted.session_path / "state"
    seen = {}
    steps: list[Callable[[], object]] = [
        lambda: (tree / "a").write_text("1"),
        lambda: (tree / "d").mkdir(),
        lambda: (tree / "d/b").write_text("22"),
        lambda: (tree / "a").write_text("333"),
        lambda: os.link(tree / "a", tree / "d/c"),
        lambda: (tree / "a").chmod(0o600),
        lambda: (state / "k").write_text("1"),
        lambda: os.setxattr(tree / "a", "user.x", b"1"),
        lambda: (tree / "d").rename(tree / "e"),
        lambda: (tree / "e/b").unlink(),
        lambda: (state / "k").unlink(),
        lambda: (tree / "s").symlink_to("e/c"),
        lambda: (tree / "e/c").write_text("4444"),
        lambda: (tree / "a").replace(tree / "s"),
    ]
    for step in steps:
        step()
        seq = mounted.session().log.position.seq - 1
        seen[seq] = (everything(tree), {path.name: path.read_text() for path in state.iterdir()})
    assert len(seen) == len(steps)
    mounted.stop()
    mounted.start()
    for seq, (artifacts, values) in seen.items():
        top = mounted.session_path / "at" / str(seq)
        assert everything(top / "artifacts") == artifacts
        assert {path.name: path.read_text() for path in (top / "state").iterdir()} == values


def test_checkpoints_come_move_and_go(past: Mount) -> None:
    session = sessionfs.open(past.store_path).sessions["one"]
    assert (before(past) / "artifacts/a.txt").read_text() == "one\n"
    session.checkpoints.create("before", replace=True)
    assert (before(past) / "artifacts/a.txt").read_text() == "two\n"
    session.checkpoints.delete("before")
    assert os.listdir(past.session_path / "checkpoints") == []
    for name in ("before", "never", "..x", "a b", "x" * 200):
        with fails_with(errno.ENOENT):
            os.listdir(past.session_path / "checkpoints" / name)


def test_a_session_that_was_made_again_has_moments_of_its_own(mounted: Mount) -> None:
    at = mounted.path / "sessions/again/at/1/artifacts/f"
    for text in ("first", "second"):
        (mounted.path / "sessions/again").mkdir()
        (mounted.path / "sessions/again/artifacts/f").write_text(text)
        assert at.read_text() == text
        (mounted.path / "sessions/again/artifacts/f").unlink()
        (mounted.path / "sessions/again").rmdir()
        with fails_with(errno.ENOENT):
            at.read_text()


def test_what_is_open_at_a_moment_goes_on_when_the_session_changes(past: Mount) -> None:
    with (before(past) / "artifacts/d/deep/big").open("rb") as file:
        start = file.read(100)
        (past.artifacts / "e/deep/big").write_bytes(b"other")
        assert start + file.read() == b"0123456789\n" * 30_000


# Versions


def test_every_version_is_a_file(past: Mount) -> None:
    versions = past.session_path / "versions"
    for number in range(3, 6):
        (past.artifacts / "a.txt").write_text(f"{number}")
    assert sorted(os.listdir(versions)) == ["a.txt", "e", "new"]
    assert sorted(os.listdir(versions / "e")) == ["again", "b.txt", "deep", "gr\udcf6\udcdfe\\"]
    assert os.listdir(versions / "a.txt") == ["1", "2", "3", "4", "5"]
    texts = [(versions / "a.txt" / str(number)).read_text() for number in range(1, 6)]
    assert texts == ["one\n", "two\n", "3", "4", "5"]
    assert (versions / "a.txt/1").stat().st_size == 4 and (versions / "e/deep/big/1").stat().st_size == 330_000
    assert (versions / "e/again/1").read_text() == "one\n", "another name of the same inode"
    assert (versions / "e/b.txt/1").read_text() == "b\n", "it was deleted"
    assert (versions / "e/gr\udcf6\udcdfe\\/1").read_text() == "x"
    run("diff", versions / "a.txt/1", before(past) / "artifacts/a.txt")
    for name in ("a.txt/0", "a.txt/6", "a.txt/01", "a.txt/x", "a.txt/1/x", "nowhere", "link", "fifo"):
        with pytest.raises((FileNotFoundError, NotADirectoryError)):
            (versions / name).stat()
    for change in (lambda: (versions / "a.txt/1").open("a"), (versions / "a.txt/2").unlink, (versions / "x").touch):
        with fails_with(errno.EROFS):
            change()


def test_versions_follow_what_happens(mounted: Mount) -> None:
    tree, versions = mounted.artifacts, mounted.session_path / "versions"
    (tree / "f").write_text("old")
    assert (versions / "f/1").read_text() == "old"
    (tree / "f").unlink()
    (tree / "f").write_text("new")
    assert (versions / "f/1").read_text() == "new" and os.listdir(versions / "f") == ["1"]
    (tree / "f").rename(tree / "g")
    assert os.listdir(versions) == ["g"] and (versions / "g/1").read_text() == "new"
    other = Store(str(mounted.store_path)).session("one")
    other.artifacts.put("g", other.objects.put_bytes(b"by another process"))
    assert (versions / "g/2").read_text() == "by another process"


# What is kept


def test_an_inode_of_a_moment_keeps_nothing_of_its_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_kept", views._Kept())
    session = sessionfs.open(tmp_path / "store", create=True, background_sync=False).sessions.create(id="one")
    session.artifacts.put("d/f", b"content", mode=0o640)
    position = travel.resolve_moment(session.core, travel.AfterRecord(2))
    moment = Moment(SimpleNamespace(session=session.core), position, "sessions/one/at/2", InodeTable())
    inodes = [moment.inode_at(path) for path in ("", "d", "d/f")]
    fold = weakref.ref(moment.view().fold)
    shown = [(inode.number, inode.attributes().st_mode, inode.attributes().st_size) for inode in inodes]
    assert shown[2][1:] == (stat.S_IFREG | 0o640, 7)
    views._kept = views._Kept()
    gc.collect()
    assert fold() is None
    assert [(inode.number, inode.attributes().st_mode, inode.attributes().st_size) for inode in inodes] == shown


def test_a_read_only_mount_shows_the_past_and_writes_nothing(past: Mount, start: Callable[..., Mount]) -> None:
    expected = everything(before(past) / "artifacts")
    past.stop()
    contents = {path: path.stat().st_mtime_ns for path in past.store_path.rglob("*")}
    point = past.path
    process = subprocess.run(
        [sys.executable, "-m", "sessionfs", "--store", past.store_path, "mount", "--read-only", point],
        check=True,
        capture_output=True,
    )
    try:
        assert everything(point / "sessions/one/checkpoints/before/artifacts") == expected
        assert (point / "sessions/one/versions/a.txt/1").read_text() == "one\n"
        assert os.listdir(point / "sessions/one/at/1/state") == []
    finally:
        run(sys.executable, "-m", "sessionfs", "umount", point)
    assert process.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in past.store_path.rglob("*")} == contents
