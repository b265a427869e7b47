"""The virtual part of the tree: sessions, their files, by-*, objects."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path

import pytest
from servers import Mount, eventually, fails_with, run

from sessionfs.oid import hash_bytes


def test_what_there_is(mounted: Mount) -> None:
    assert sorted(os.listdir(mounted.path)) == [
        "by-date",
        "by-name",
        "by-status",
        "by-tag",
        "find",
        "objects",
        "sessions",
    ]
    assert os.listdir(mounted.path / "sessions") == ["one"]
    assert sorted(os.listdir(mounted.session_path)) == [
        "artifacts", "at", "checkpoints", "children", "events", "session.json", "state", "status", "versions",
    ]  # fmt: skip
    run("ls", "-laR", mounted.path)
    assert run("find", mounted.path, "-name", "status") == f"{mounted.session_path}/status\n"


def test_mkdir_makes_a_session_and_rmdir_deletes_it(mounted: Mount) -> None:
    sessions = mounted.path / "sessions"
    (sessions / "new").mkdir()
    assert mounted.store().session("new").info().status.value == "active"
    with fails_with(errno.EEXIST):
        (sessions / "new").mkdir()
    with fails_with(errno.EINVAL):
        (sessions / "not a slug").mkdir()
    with fails_with(errno.EPERM):
        (sessions / "file").touch()
    (sessions / "new/artifacts/f").write_text("x")
    with fails_with(errno.ENOTEMPTY):
        (sessions / "new").rmdir()
    (sessions / "new/artifacts/f").unlink()
    (sessions / "new").rmdir()
    assert os.listdir(sessions) == ["one"]
    assert not (sessions / "new").exists()
    assert len(os.listdir(mounted.store_path / "trash")) == 1
    (sessions / "new").mkdir()
    (sessions / "new/artifacts/g").write_text("again")
    assert os.listdir(sessions / "new/artifacts") == ["g"]


def test_status_moves_the_session(mounted: Mount) -> None:
    status = mounted.session_path / "status"
    (mounted.artifacts / "f").write_text("x")
    assert status.read_text() == "active\n"
    done = subprocess.run(["sh", "-c", f"echo suspended > {status}"], check=False)
    assert done.returncode == 0
    assert status.read_text() == "suspended\n"
    with fails_with(errno.EROFS):
        (mounted.artifacts / "g").write_text("x")
    for call in (
        lambda: os.unlink(mounted.artifacts / "f"),
        lambda: os.mkdir(mounted.artifacts / "d"),
        lambda: os.chmod(mounted.artifacts / "f", 0o600),
        lambda: os.rename(mounted.artifacts / "f", mounted.artifacts / "g"),
        lambda: os.symlink("x", mounted.artifacts / "l"),
        lambda: os.truncate(mounted.artifacts / "f", 0),
        lambda: os.setxattr(mounted.artifacts / "f", "user.x", b"y"),
        lambda: (mounted.session_path / "state/k").write_text("1"),
    ):
        with fails_with(errno.EROFS):
            call()
    assert (mounted.artifacts / "f").read_text() == "x"
    for word, number in (("archived", errno.EPERM), ("sleeping", errno.EINVAL), ("", errno.EINVAL)):
        with fails_with(number):
            fd = os.open(status, os.O_WRONLY | os.O_TRUNC)
            try:
                os.write(fd, f"{word}\n".encode())
            finally:
                os.close(fd)
    status.write_text("active")
    (mounted.artifacts / "g").write_text("x")
    status.write_text("completed\n")
    assert mounted.session().info().status.value == "completed"


def test_a_shell_hears_that_a_status_is_none(mounted: Mount) -> None:
    done = subprocess.run(
        ["sh", "-c", f"echo sleeping > {mounted.session_path}/status"], capture_output=True, check=False
    )
    assert done.returncode != 0


def test_session_json_and_events(mounted: Mount) -> None:
    (mounted.artifacts / "f").write_text("x")
    told = json.loads((mounted.session_path / "session.json").read_text())
    assert told == mounted.session().info().to_dict()
    log = (mounted.store_path / "sessions/one/log").read_bytes()
    assert (mounted.session_path / "events").read_bytes() == log
    assert (mounted.session_path / "events").stat().st_size == len(log)
    for name in ("session.json", "events"):
        with fails_with(errno.EROFS if os.geteuid() == 0 else errno.EACCES):
            (mounted.session_path / name).write_text("x")


def test_tail_follows_the_events(mounted: Mount) -> None:
    follower = subprocess.Popen(
        ["tail", "-n", "+1", "-s", "0.01", "-f", mounted.session_path / "events"], stdout=subprocess.PIPE, text=True
    )
    assert follower.stdout is not None
    try:
        assert json.loads(follower.stdout.readline())["type"] == "session.created"
        mounted.session().record("custom.step", {"n": 1})
        assert json.loads(follower.stdout.readline())["type"] == "custom.step"
        (mounted.artifacts / "f").write_text("x")
        assert json.loads(follower.stdout.readline())["type"] == "artifact.stored"
    finally:
        follower.kill()
        follower.wait()
        follower.stdout.close()


def test_state_is_files(mounted: Mount) -> None:
    state = mounted.session_path / "state"
    (state / "step").write_text('{"n": 3}\n')
    assert mounted.session().fold.state.get("step") == {"n": 3}
    assert json.loads((state / "step").read_text()) == {"n": 3}
    mounted.session().values.set("other", [1, 2])
    assert sorted(os.listdir(state)) == ["other", "step"]
    assert (state / "other").read_text() == "[1,2]\n"
    assert (state / "other").stat().st_size == 6
    run("sh", "-c", f"echo '\"text\"' > {state}/step && rm {state}/other")
    assert mounted.session().fold.state.keys() == ["step"]
    assert mounted.session().fold.state.get("step") == "text"
    with fails_with(errno.EINVAL):
        (state / "step").write_text("not JSON")
    assert mounted.session().fold.state.get("step") == "text"
    run("sed", "-i", "s/text/words/", state / "step")
    assert mounted.session().fold.state.get("step") == "words"
    assert mounted.session().fold.state.keys() == ["step"]
    assert len([r for r in mounted.records() if r["type"] == "state.changed" and r["data"]["key"] == "step"]) == 3
    (state / "large").write_text(json.dumps("x" * 100_000))
    assert json.loads((state / "large").read_text()) == "x" * 100_000


def test_links_to_sessions(mounted: Mount) -> None:
    store = mounted.store()
    store.create_session(session_id="child", name="Q4", tags=["sales", "2026"], parent="one")
    store.create_session(session_id="other", name="a/b", tags=["sales"])
    root = mounted.path
    today = mounted.records()[0]["time"][:10]
    assert eventually(lambda: sorted(os.listdir(root / "by-name")) == ["Q4", "a_b~other"])
    assert sorted(os.listdir(root / "by-tag")) == ["2026", "sales"]
    assert sorted(os.listdir(root / "by-tag/sales")) == ["child", "other"]
    assert sorted(os.listdir(root / "by-status/active")) == ["child", "one", "other"]
    assert os.listdir(root / "by-status/failed") == []
    assert "child" in os.listdir(root / f"by-date/{today}")
    for link in ("by-name/Q4", "by-tag/2026/child", "by-status/active/child", "sessions/one/children/child"):
        assert (root / link).is_symlink()
        assert (root / link / "session.json").samefile(root / "sessions/child/session.json")
    assert os.readlink(root / "sessions/child/parent") == "../one"
    assert (root / "sessions/child/parent").samefile(root / "sessions/one")
    assert not os.path.lexists(root / "sessions/one/parent")
    store.session("child").complete()
    assert eventually(lambda: os.listdir(root / "by-status/completed") == ["child"])
    assert not (root / "by-status/active/child").exists()


def test_objects_are_found_by_name(mounted: Mount) -> None:
    small, large = b"small", b"compressible " * 50_000
    (mounted.artifacts / "small").write_bytes(small)
    (mounted.artifacts / "large").write_bytes(large)
    objects = mounted.path / "objects"
    for content in (small, large):
        path = objects / hash_bytes(content)
        assert path.read_bytes() == content
        assert path.stat().st_size == len(content)
        with fails_with(errno.EROFS if os.geteuid() == 0 else errno.EACCES):
            path.write_bytes(b"")
    assert os.listdir(objects) == []
    assert not (objects / ("0" * 64)).exists()
    assert not (objects / "short").exists()
    stored = mounted.store().objects.put_bytes(b"later")
    assert (objects / stored.oid).read_bytes() == b"later"


def test_xattrs_of_a_session(mounted: Mount) -> None:
    path = mounted.session_path
    os.setxattr(path, "user.sessionfs.name", b"Name")
    os.setxattr(path, "user.sessionfs.tags", b"a, b,,a")
    info = mounted.session().info()
    assert (info.name, info.tags) == ("Name", ("a", "b"))
    assert os.getxattr(path, "user.sessionfs.tags") == b"a,b"
    assert os.getxattr(path, "user.sessionfs.status") == b"active"
    assert {"user.sessionfs.id", "user.sessionfs.name", "user.sessionfs.status"} <= set(os.listxattr(path))
    os.setxattr(path, "user.sessionfs.id", b"x")
    assert os.getxattr(path, "user.sessionfs.id") == b"one"
    with fails_with(errno.EPERM):
        os.removexattr(path, "user.sessionfs.id")
    os.removexattr(path, "user.sessionfs.name")
    with fails_with(errno.ENODATA):
        os.getxattr(path, "user.sessionfs.name")
    with fails_with(errno.EINVAL):
        os.setxattr(path, "user.sessionfs.tags", b"\xff")


@pytest.mark.parametrize("name", ["by-name", "by-tag", "by-status", "by-date", "objects", ""])
def test_virtual_directories_are_read_only(mounted: Mount, name: str) -> None:
    with fails_with(errno.EPERM if os.geteuid() == 0 else errno.EACCES):
        (mounted.path / name / "x").mkdir()
    with fails_with(errno.EPERM if os.geteuid() == 0 else errno.EACCES):
        Path(mounted.path / name / "x").touch()
