"""Hooks and the mount: the same ones, once, without stopping the mount, and able to use it themselves."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Commands
from servers import Mount, eventually, fails_with

import sessionfs
from sessionfs.fsck import check
from sessionfs.store.store import Store

TOLD = "told"
TELL = f'echo "$SESSIONFS_HOOK $SESSIONFS_SESSION $SESSIONFS_PATH $SESSIONFS_TO $SESSIONFS_KEY" >>{TOLD}'


class Hooked:
    """A mounted store, and its hooks. Scripts find the mount at $MNT and the artifacts of ``one`` at $A."""

    def __init__(self, mount: Mount) -> None:
        self.mount = mount
        self.hooks = mount.store_path / "hooks"

    def hook(self, name: str, script: str) -> None:
        path = self.hooks / name
        path.write_text(f"#!/bin/sh\nMNT={self.mount.path}\nA={self.mount.artifacts}\n{script}\n")
        path.chmod(0o755)

    @property
    def told(self) -> list[str]:
        """What hooks noted, a line for each."""
        path = self.mount.store_path / TOLD
        return [" ".join(line.split()) for line in path.read_text().splitlines()] if path.exists() else []

    def ran(self, session_id: str = "one") -> Counter[tuple[str, str]]:
        """Count what the records say that hooks did, by name and result."""
        return Counter(
            (record["data"]["hook"], record["data"].get("result", "skipped"))
            for record in self.mount.records(session_id)
            if record["type"].startswith("hook.")
        )


@pytest.fixture
def hook_start(tmp_path: Path, start: Callable[..., Mount]) -> Callable[[str], Hooked]:
    """Mounts a store whose executables get so much time."""

    def make(time_limit: str) -> Hooked:
        store = tmp_path / "store"
        Store.create(str(store))
        Store(str(store)).create_session(session_id="one")
        (store / "config.toml").write_text(f'[hooks]\ntime_limit = "{time_limit}"\n')
        return Hooked(start(store))

    return make


@pytest.fixture
def hooked(hook_start: Callable[[str], Hooked]) -> Hooked:
    return hook_start("60s")


def test_every_point_is_told_once(hooked: Hooked) -> None:
    mount, artifacts = hooked.mount, hooked.mount.artifacts
    for point in (
        "session-create", "session-update", "session-suspend", "session-resume", "session-complete", "session-delete",
        "artifact-store", "artifact-retrieve", "artifact-rename", "artifact-delete", "state-change", "session-load",
    ):  # fmt: skip
        for phase in ("pre", "post"):
            hooked.hook(f"{phase}-{point}", TELL)
    sessions = mount.path / "sessions"
    (sessions / "new").mkdir()
    os.listdir(sessions)
    os.stat(sessions / "one/artifacts")
    (artifacts / "f").write_text("x")
    (artifacts / "f").read_text()
    os.chmod(artifacts / "f", 0o600)
    (artifacts / "d").mkdir()
    os.symlink("f", artifacts / "l")
    os.link(artifacts / "f", artifacts / "h")
    os.rename(artifacts / "f", artifacts / "d/g")
    os.truncate(artifacts / "h", 0)
    for name in ("l", "h", "d/g"):
        os.unlink(artifacts / name)
    (artifacts / "d").rmdir()
    state = mount.session_path / "state"
    (state / "k").write_text("1")
    os.rename(state / "k", state / "m")
    (state / "m").unlink()
    os.setxattr(mount.session_path, b"user.sessionfs.name", b"One")
    for word in ("suspended", "active", "completed"):
        (mount.session_path / "status").write_text(word + "\n")
    (sessions / "new").rmdir()
    expected = [
        "session-create new", "session-load one", "artifact-store one f", "artifact-retrieve one f",
        "artifact-store one d", "artifact-store one l", "artifact-store one h", "artifact-rename one f d/g",
        "artifact-store one h", "artifact-delete one l", "artifact-delete one h", "artifact-delete one d/g",
        "artifact-delete one d", "state-change one k", "state-change one m", "state-change one k",
        "state-change one m", "session-update one", "session-suspend one", "session-resume one",
        "session-complete one", "session-delete new",
    ]  # fmt: skip
    mount.stop()  # waits until everything is told
    assert [line.removeprefix("pre-") for line in hooked.told if line.startswith("pre-")] == expected
    assert [line.removeprefix("post-") for line in hooked.told if line.startswith("post-")] == expected
    # Of the session that was deleted nothing is recorded after its end, and that it was made may have come too late.
    assert sum(hooked.ran().values()) == 2 * sum(" one" in line for line in expected)
    assert list(check(Store(str(mount.store_path)))) == []


def test_a_veto_is_eperm_and_leaves_everything_as_it_was(hooked: Hooked) -> None:
    artifacts, state = hooked.mount.artifacts, hooked.mount.session_path / "state"
    (artifacts / "old").write_text("old")
    (artifacts / "dir").mkdir()
    (state / "k").write_text("1")
    hooked.mount.session()
    for point in ("artifact-store", "artifact-rename", "artifact-delete", "artifact-retrieve", "state-change",
                  "session-create", "session-update", "session-complete", "session-delete"):  # fmt: skip
        hooked.hook(f"pre-{point}", "exit 1")
    hooked.mount.path.joinpath("sessions").stat()
    for act in (
        lambda: (artifacts / "new").write_text("new"),
        lambda: (artifacts / "old").write_text("new"),
        lambda: os.truncate(artifacts / "old", 1),
        lambda: os.mknod(artifacts / "node"),
        lambda: (artifacts / "sub").mkdir(),
        lambda: os.symlink("x", artifacts / "link"),
        lambda: os.link(artifacts / "old", artifacts / "hard"),
        lambda: os.mkfifo(artifacts / "fifo"),
        lambda: os.rename(artifacts / "old", artifacts / "new"),
        lambda: os.unlink(artifacts / "old"),
        lambda: (artifacts / "dir").rmdir(),
        lambda: (artifacts / "old").read_text(),
        lambda: (state / "k").write_text("2"),
        lambda: os.rename(state / "k", state / "m"),
        lambda: (state / "k").unlink(),
        lambda: (hooked.mount.path / "sessions/new").mkdir(),
        lambda: os.setxattr(hooked.mount.session_path, b"user.sessionfs.name", b"x"),
        lambda: (hooked.mount.session_path / "status").write_text("completed\n"),
    ):
        with fails_with(errno.EPERM):
            act()
    for name in os.listdir(hooked.hooks):
        (hooked.hooks / name).unlink()
    assert sorted(os.listdir(artifacts)) == ["dir", "old"] and (artifacts / "old").read_text() == "old"
    assert os.listdir(state) == ["k"] and (state / "k").read_text() == "1\n"
    assert os.listdir(hooked.mount.path / "sessions") == ["one"]
    assert (hooked.mount.session_path / "status").read_text() == "active\n"
    assert {result for _, result in hooked.ran()} == {"veto"}


def test_who_may_not_load_a_session_sees_it_and_nothing_in_it(hooked: Hooked) -> None:
    hooked.hook("pre-session-load", "exit 1")
    assert os.listdir(hooked.mount.path / "sessions") == ["one"]
    for act in (lambda: os.listdir(hooked.mount.session_path), lambda: os.stat(hooked.mount.session_path / "status")):
        with fails_with(errno.EPERM):
            act()
    hooked.hook("pre-session-load", TELL)
    assert "status" in os.listdir(hooked.mount.session_path)
    os.stat(hooked.mount.artifacts)
    assert hooked.told == ["pre-session-load one"]


def test_what_hooks_modify_is_seen_through_the_mount(hooked: Hooked) -> None:
    hooked.hook(
        "pre-artifact-store",
        """case $SESSIONFS_PATH in
        tagged) echo '{"tags": ["a", "b"], "type": "code", "metadata": {"checked": "yes"}}';;
        d/wrong*) echo '{"name": "right"}';;
        made) echo '{"name": "other"}';;
        esac""",
    )
    artifacts = hooked.mount.artifacts
    (artifacts / "tagged").write_text("x")
    assert os.getxattr(artifacts / "tagged", b"user.sessionfs.tags") == b"a,b"
    assert os.getxattr(artifacts / "tagged", b"user.checked") == b"yes"
    (artifacts / "d").mkdir()
    with fails_with(errno.ENOENT):
        os.stat(artifacts / "d/right")  # the kernel remembers that there is nothing
    (artifacts / "d/wrong").write_text("one")
    assert os.listdir(artifacts / "d") == ["right"] and (artifacts / "d/right").read_text() == "one"
    (artifacts / "d/wrong").write_text("another")
    assert eventually(lambda: (artifacts / "d/right").read_text() == "another")
    assert hooked.mount.session().tree.find("d/right").version == 2
    with fails_with(errno.EPERM):
        (artifacts / "made").mkdir()  # the kernel is about to know it by its name
    assert sorted(os.listdir(artifacts)) == ["d", "tagged"]


@pytest.mark.parametrize("is_replaced", [False, True])
def test_nothing_is_written_to_what_lost_its_name_elsewhere(hooked: Hooked, is_replaced: bool) -> None:
    hooked.hook(
        "pre-artifact-store",
        """[ $SESSIONFS_PATH = d/slow ] || exit 0
        touch asked
        until [ -e go ] || [ ! -e format ]; do sleep 0.01; done""",  # nor when the test has failed, and all is gone
    )
    artifacts, store_path = hooked.mount.artifacts, hooked.mount.store_path
    (artifacts / "d").mkdir()
    (artifacts / "d/f").write_text("one")
    making = threading.Thread(target=(artifacts / "d/slow").mkdir)
    making.start()  # the kernel locks d, and cannot be told of what happens in it
    assert eventually((store_path / "asked").exists)
    artifacts_elsewhere = sessionfs.open(store_path).sessions["one"].artifacts
    if is_replaced:
        artifacts_elsewhere.put("other", "two")
        artifacts_elsewhere.rename("other", "d/f")
    else:
        artifacts_elsewhere.delete("d/f")
    letting = threading.Timer(0.3, (store_path / "go").touch)
    letting.start()
    writing = contextlib.nullcontext() if is_replaced else fails_with(errno.ENOENT)
    with writing, open(artifacts / "d/f", "r+") as file:
        assert file.read() == "two"
        file.write(" and three")
    making.join()
    letting.join()
    assert not is_replaced or artifacts_elsewhere.read("d/f") == b"two and three"


def test_a_hook_may_use_the_mount_even_the_file_it_is_about(hooked: Hooked) -> None:
    hooked.hook(
        "pre-artifact-store",
        f"""{TELL}
        cat "$A/$SESSIONFS_PATH" >read
        ls "$A" >listed
        echo more >>"$A/$SESSIONFS_PATH"
        echo side >"$A/side"
        mkdir "$A/made"
        echo 7 >"$MNT/sessions/one/state/seen" """,
    )
    hooked.hook("post-artifact-store", f'{TELL}; cp "$A/$SESSIONFS_PATH" "$A/copy"')
    (hooked.mount.artifacts / "f").write_text("text\n")
    assert (hooked.mount.store_path / "read").read_text() == "text\n"
    assert (hooked.mount.artifacts / "f").read_text() == "text\nmore\n"
    assert eventually(lambda: (hooked.mount.artifacts / "copy").exists())
    hooked.mount.stop()
    assert hooked.told == ["pre-artifact-store one f", "post-artifact-store one f"]
    session = hooked.mount.session()
    assert sorted(path for path, _ in session.tree.walk()) == ["copy", "f", "made", "side"]
    assert session.fold.state.get("seen") == 7


def test_a_function_of_a_package_may_use_the_mount_too(tmp_path: Path, start, monkeypatch) -> None:
    site = tmp_path / "site"
    (site / "mirror_hooks-1.dist-info").mkdir(parents=True)
    (site / "mirror_hooks-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: mirror-hooks\nVersion: 1\n")
    (site / "mirror_hooks-1.dist-info/entry_points.txt").write_text("[sessionfs.hooks]\nmirror = mirror_hooks:on\n")
    (site / "mirror_hooks.py").write_text(
        f"""
import os
def copy(call):
    with open({str(tmp_path / "mnt/sessions/one/artifacts/mirrored")!r}, "a") as file:
        file.write(call.action.path + "\\n")
def on(hooks):
    hooks.on("pre-artifact-store", copy)
    hooks.on("post-artifact-store", copy)
"""
    )
    monkeypatch.setenv("PYTHONPATH", f"{site}:{os.environ.get('PYTHONPATH', '')}")
    mount = start()
    for name in ("a", "b"):
        (mount.artifacts / name).write_text("x")

    def mirrored() -> list[str]:
        # What comes after one file may be told while what comes before the next is asked: the order is free.
        return sorted((mount.artifacts / "mirrored").read_text().splitlines())

    assert eventually(lambda: mirrored() == ["a", "a", "b", "b"])


def test_a_hook_that_waits_for_the_directory_it_is_asked_about_ends_when_its_time_is_over(
    hook_start: Callable[[str], Hooked],
) -> None:
    hooked = hook_start("3s")
    directory = hooked.mount.artifacts / "d"
    directory.mkdir()
    for name in "abc":
        (directory / name).write_text(name)
    # The kernel has the directory locked until it is answered; nobody can end who waits for that, not even by SIGKILL.
    hooked.hook("pre-artifact-delete", 'ls "$A/d"')
    hooked.hook("post-artifact-delete", 'ls "$A/d" >listed')
    with fails_with(errno.EPERM):
        os.unlink(directory / "a")
    assert sorted(os.listdir(directory)) == ["a", "b", "c"]
    (hooked.hooks / "pre-artifact-delete").unlink()
    os.unlink(directory / "b")
    listed = hooked.mount.store_path / "listed"
    assert eventually(lambda: listed.exists() and listed.read_text().split() == ["a", "c"])


def test_slow_hooks_hold_up_who_waits_for_them_and_nobody_else(hooked: Hooked) -> None:
    artifacts = hooked.mount.artifacts
    (artifacts / "there").write_text("there")
    hooked.hook("pre-artifact-store", "case $SESSIONFS_PATH in slow*) until [ -e go ]; do sleep 0.01; done;; esac")
    writers = [threading.Thread(target=(artifacts / f"slow{number}").write_text, args=("x",)) for number in range(20)]
    for writer in writers:
        writer.start()
    (artifacts / "quick").write_text("quick")
    assert (artifacts / "there").read_text() == "there" and (artifacts / "quick").read_text() == "quick"
    session = hooked.mount.session()
    assert session.tree.find("quick") is not None and session.tree.find("slow0") is None
    (hooked.mount.store_path / "go").touch()
    for writer in writers:
        writer.join()
    assert sum(path.startswith("slow") for path, _ in hooked.mount.session().tree.walk()) == 20


def test_what_is_written_while_hooks_are_asked_is_in_the_next_version(hooked: Hooked) -> None:
    path = hooked.mount.artifacts / "f"
    hooked.hook("pre-artifact-store", "if mkdir first; then touch asked; until [ -e go ]; do sleep 0.01; done; fi")
    with open(path, "w") as second:
        closing = threading.Thread(target=path.write_text, args=("one",))
        closing.start()
        assert eventually((hooked.mount.store_path / "asked").exists)
        second.seek(3)
        second.write("two")
        second.flush()
        (hooked.mount.store_path / "go").touch()
        closing.join()
    assert path.read_text() == "onetwo"
    objects = Store(str(hooked.mount.store_path)).objects
    assert [objects.read(record["data"]["oid"]) for record in hooked.mount.stored("f")] == [b"one", b"onetwo"]


def test_a_mount_that_ends_tells_first(hooked: Hooked) -> None:
    hooked.hook("post-artifact-store", f"sleep 0.02; {TELL}")
    for number in range(20):
        (hooked.mount.artifacts / str(number)).write_text("x")
    hooked.mount.stop()
    assert hooked.told == [f"post-artifact-store one {number}" for number in range(20)]
    assert hooked.ran() == {("post-artifact-store", "continue"): 20}


def test_a_mount_tells_on_its_log_of_hooks_that_fail_and_not_of_vetoes(command: Commands, tmp_path: Path) -> None:
    (command.store / "hooks/pre-artifact-store").write_text("#!/bin/sh\n[ $SESSIONFS_PATH != no ]\n")
    (command.store / "hooks/post-artifact-store").write_text("#!/bin/sh\n[ $SESSIONFS_PATH != bad ]\n")
    for name in ("pre", "post"):
        (command.store / f"hooks/{name}-artifact-store").chmod(0o755)
    artifacts = tmp_path / "mnt/sessions/one/artifacts"
    for name, said in (("no", 0), ("bad", 1)):
        (tmp_path / "mnt").mkdir(exist_ok=True)
        command.ok("mount", tmp_path / "mnt")
        if name == "no":
            with fails_with(errno.EPERM):
                (artifacts / name).write_text("x")
        else:
            (artifacts / name).write_text("x")
        command.ok("umount", tmp_path / "mnt")
        logs = [path.read_text() for path in (command.store / "tmp").glob("mount-*.log")]
        assert sum("the hook post-artifact-store failed" in log for log in logs) == len(logs) == said


def test_a_read_only_mount_asks_and_records_nothing(command: Commands, tmp_path: Path) -> None:
    with sessionfs.open(command.store, background_sync=False) as store:
        store.sessions["one"].artifacts.put("a", b"a")
        store.sessions["one"].artifacts.put("b", b"b")
    hook = command.store / "hooks/pre-artifact-retrieve"
    hook.write_text("#!/bin/sh\n[ $SESSIONFS_PATH = a ]\n")
    hook.chmod(0o755)
    before = (command.store / "sessions/one/log").read_bytes()
    (tmp_path / "mnt").mkdir()
    command.ok("mount", "--read-only", tmp_path / "mnt")
    artifacts = tmp_path / "mnt/sessions/one/artifacts"
    assert (artifacts / "a").read_text() == "a"
    with fails_with(errno.EPERM):
        (artifacts / "b").read_text()
    command.ok("umount", tmp_path / "mnt")
    assert (command.store / "sessions/one/log").read_bytes() == before


THROUGH_THE_API = """
import sys, sessionfs
with sessionfs.open(sys.argv[1], background_sync=False) as store:
    session = store.sessions["one"]
    for number in range(15):
        session.artifacts.put(f"api-{number}", b"x")
        session.state[f"api-{number}"] = number
"""


def test_two_mounts_the_command_line_and_the_api_at_once(
    hooked: Hooked, start: Callable[..., Mount], tmp_path: Path
) -> None:
    for point in ("artifact-store", "state-change"):
        hooked.hook(f"pre-{point}", TELL)
        hooked.hook(f"post-{point}", TELL + '\necho "$SESSIONFS_SEQ" >>seqs')
    second = start(hooked.mount.store_path, name="second")
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    api = subprocess.Popen([sys.executable, "-c", THROUGH_THE_API, str(hooked.mount.store_path)], env=env)
    commands = subprocess.Popen(
        ["sh", "-c", f'for n in 0 1 2; do echo $n | {sys.executable} -m sessionfs --store "$0" artifact put one - '
                     "--as cli-$n || exit 1; done", str(hooked.mount.store_path)],
        env=env, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    failures: list[Exception] = []

    def write(name: str, mount: Mount) -> None:
        try:
            for number in range(15):
                (mount.artifacts / f"{name}-{number}").write_text("x")
                (mount.session_path / "state" / f"{name}-{number}").write_text(str(number))
        except OSError as failure:
            failures.append(failure)

    writers = [threading.Thread(target=write, args=("first", hooked.mount)),
               threading.Thread(target=write, args=("second", second))]  # fmt: skip
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == [] and api.wait(60) == 0 and commands.wait(60) == 0
    hooked.mount.stop()
    second.stop()
    names = [f"{who}-{number}" for who in ("api", "first", "second") for number in range(15)]
    changes = [f"artifact-store one {name}" for name in (*names, "cli-0", "cli-1", "cli-2")]
    changes += [f"state-change one {name}" for name in names]
    assert Counter(hooked.told) == Counter(f"{phase}-{change}" for phase in ("pre", "post") for change in changes)
    records = hooked.mount.records()
    assert [record["seq"] for record in hooked.mount.records()] == sorted(record["seq"] for record in records)
    made = [record["seq"] for record in records if record["type"] in ("artifact.stored", "state.changed")]
    assert sorted(map(int, (hooked.mount.store_path / "seqs").read_text().split())) == made
    assert hooked.ran() == {
        (f"{phase}-{point}", "continue"): count
        for phase in ("pre", "post")
        for point, count in (("artifact-store", 48), ("state-change", 45))
    }
    told_of = [
        record["cause"] for record in records if record["type"] == "hook.ran" and record["data"]["phase"] == "post"
    ]
    assert sorted(told_of) == sorted(f"one:{seq}" for seq in made)
    assert list(check(Store(str(hooked.mount.store_path)))) == []
    assert json.loads((hooked.mount.store_path / "sessions/one/log").read_text().splitlines()[0])["seq"] == 0
