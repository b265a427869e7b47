"""Going back while a session is mounted, and operations of those who use the mount."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from servers import Mount, eventually, run

import sessionfs
from sessionfs.fsck import check
from sessionfs.mount.bursts import PAUSE_SECONDS, Bursts
from sessionfs.store.operation import follow


def opened(mounted: Mount) -> sessionfs.Session:
    return sessionfs.open(mounted.store_path, background_sync=False).sessions["one"]


def seen(mounted: Mount) -> dict[str, str]:
    """Return every file that the mount shows, with its content."""
    above = mounted.artifacts
    return {str(path.relative_to(above)): path.read_text() for path in above.rglob("*") if path.is_file()}


def test_what_one_program_does_is_one_operation(mounted: Mount, tmp_path: Path) -> None:
    for name in ("a", "b/c", "b/d/e"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(name)
    run("cp", "-a", tmp_path / "tree", mounted.artifacts / "tree")
    expected = {f"tree/{name}": name for name in ("a", "b/c", "b/d/e")}
    run("rm", "-r", mounted.artifacts / "tree")
    assert {record.get("operation", record["seq"]) for record in mounted.records()[1:]} == {
        1,
        mounted.records()[-1]["operation"],
    }
    session = opened(mounted)
    session.undo()
    assert eventually(lambda: seen(mounted) == expected)
    session.undo()
    assert eventually(lambda: not os.listdir(mounted.artifacts))
    session.redo()
    session.redo()
    assert eventually(lambda: not os.listdir(mounted.artifacts))


def test_a_pause_begins_another_operation(mounted: Mount) -> None:
    script = (
        "import sys, time; a = open(sys.argv[1] + '/a', 'w'); a.close(); b = open(sys.argv[1] + '/b', 'w'); b.close();"
        "time.sleep(float(sys.argv[2])); c = open(sys.argv[1] + '/c', 'w'); c.close()"
    )
    run(sys.executable, "-c", script, mounted.artifacts, str(PAUSE_SECONDS + 0.2))
    assert [record.get("operation") for record in mounted.records()[1:]] == [None, 1, None]


def test_two_programs_at_once_are_two_operations(mounted: Mount) -> None:
    script = "for n in 1 2 3 4 5 6 7 8 9; do echo $0 > {}/$0$n; done"
    for attempt in range(100):
        directory = mounted.artifacts / str(attempt)
        directory.mkdir()
        begun = time.monotonic()
        shells = [subprocess.Popen(["bash", "-c", script.format(directory), name]) for name in ("x", "y")]
        assert [shell.wait() for shell in shells] == [0, 0]
        if time.monotonic() - begun < PAUSE_SECONDS:
            break
    else:
        pytest.skip("this machine has so much to do that one of them may have paused each time")
    session = opened(mounted)
    session.undo()
    left = os.listdir(directory)
    assert len({name[0] for name in left}) == 1 and len(left) == 9
    session.undo()
    assert eventually(lambda: os.listdir(directory) == [])


def test_a_restored_file_is_shown_and_one_that_is_open_keeps_its_content(mounted: Mount) -> None:
    path = mounted.artifacts / "f"
    path.write_text("one")
    os.utime(path, ns=(5, 7))
    run("mkdir", mounted.artifacts / "dir")
    moment = mounted.session().log.position.seq - 1
    path.write_text("two two")
    path.rename(mounted.artifacts / "dir" / "moved")
    with open(mounted.artifacts / "dir" / "moved") as file:
        opened(mounted).restore(moment)
        assert eventually(path.exists)
        assert (path.read_text(), path.stat().st_mtime_ns) == ("one", 7)
        assert file.read() == "two two"
    assert os.listdir(mounted.artifacts / "dir") == []
    path.write_text("three")
    assert mounted.session().tree.resolve("f").version == 4


def test_a_file_that_comes_back_is_the_same_inode(mounted: Mount) -> None:
    path = mounted.artifacts / "f"
    path.write_text("one")
    number = path.stat().st_ino
    run("rm", path)
    assert not path.exists()
    opened(mounted).undo()
    assert eventually(path.exists)
    assert (path.stat().st_ino, path.read_text()) == (number, "one")


def test_a_file_that_is_being_written_survives_an_undo(mounted: Mount) -> None:
    (mounted.artifacts / "before").write_text("x")
    session = opened(mounted)
    with open(mounted.artifacts / "new", "w") as file:
        file.write("half ")
        file.flush()
        session.undo()
        assert eventually(lambda: not (mounted.artifacts / "before").exists())
        file.write("done")
    assert seen(mounted) == {"new": "half done"}
    assert [fault for fault in check(session.store.core) if fault.is_damage] == []


WRITER = """
import sys, time
end = time.monotonic() + float(sys.argv[2])
number = 0
while time.monotonic() < end:
    with open(f"{sys.argv[1]}/w{number}", "w") as file:
        file.write(str(number))
    number += 1
"""


def test_forking_while_the_session_is_written_through_the_mount(mounted: Mount) -> None:
    session = opened(mounted)
    with session.operation():
        for number in range(2000):
            session.artifacts.put(f"flat/{number}", str(number))
    writer = subprocess.Popen([sys.executable, "-c", WRITER, mounted.artifacts, "1.5"])
    assert eventually(lambda: (mounted.artifacts / "w5").exists())
    children = []
    while writer.poll() is None:
        before = space(mounted.store_path)
        children.append(session.fork())
        assert space(mounted.store_path / "sessions" / children[-1].id) < 64 << 10, before
        time.sleep(0.05)
    counts = [len(child.artifacts) for child in children]
    assert counts == sorted(counts) and counts[-1] > counts[0] >= 2000
    shown = mounted.path / "sessions" / children[0].id
    assert len(os.listdir(shown / "artifacts" / "flat")) == 2000
    assert os.readlink(shown / "parent") == "../one"
    with open(shown / "artifacts" / "flat" / "7", "a") as file:
        file.write(" more")
    assert (mounted.artifacts / "flat" / "7").read_text() == "7"
    assert [fault for fault in check(session.store.core) if fault.is_damage] == []


def space(path: Path) -> int:
    return sum(entry.stat().st_blocks * 512 for entry in [path, *path.rglob("*")] if "objects" not in str(entry))


def test_bursts_by_process_and_session(tmp_path: Path) -> None:
    store = sessionfs.open(tmp_path / "store", create=True, background_sync=False).core
    logs = {name: store.unread(name).log for name in ("s", "other")}
    now = [0.0]
    bursts = Bursts(lambda: now[0])
    assert bursts.of(0) is None

    def append(pid: int, session: str, seq: int) -> int | None:
        burst = bursts.of(pid)
        assert burst is not None
        found = burst.find(logs[session])
        burst.note(logs[session], seq)
        return found

    assert append(1, "s", 10) is None
    now[0] += 0.9
    assert append(1, "s", 11) == 10
    assert append(2, "s", 12) is None
    assert append(1, "other", 3) is None
    now[0] += 1.0
    assert append(1, "s", 13) == 10
    now[0] += 1.1
    assert append(1, "s", 14) is None
    assert append(1, "s", 15) == 14
    for pid in range(3, 3000):  # what has paused is forgotten
        now[0] += 0.01
        append(pid, "s", pid)
    assert len(bursts._known[logs["s"]]) < 1200


def test_a_burst_ends_with_its_session(tmp_path: Path) -> None:
    """Another one of the same id has an operation of its own, though the same process goes on without a pause."""
    bursts = Bursts(lambda: 0.0)
    with sessionfs.open(tmp_path / "store", create=True, background_sync=False) as store:
        for others in (["a"], ["a", "b"]):
            session = store.sessions.create(id="s")
            for name in others:
                session.artifacts.put(name, b"")
            for name in ("x", "y"):
                follow(bursts.of(1))
                session.artifacts.put(name, b"")
            follow(None)
            session.undo()
            assert [artifact.path for artifact in session.artifacts.list()] == others
            store.sessions.delete("s")
