"""Real processes on the real disk, killed: what was acknowledged is there, and what was not is whole or absent."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import sessionfs
from sessionfs.fsck import check
from sessionfs.store.store import Store

KILLS = 150 if os.environ.get("HYPOTHESIS_PROFILE") == "ci" else 30
ROOT = Path(__file__).parents[2]

# It acknowledges each operation by a line, in one write, after the call has returned.
WRITER = """
import os, sys, sessionfs
store = sessionfs.open(sys.argv[1], background_sync=False)
session, name, start = store.sessions["x"], sys.argv[2], int(sys.argv[3])
for number in range(start, start + 100_000):
    path, content = f"{name}/{number % 7}/{number}", f"{name} {number} " * (1 + number % 5000)
    session.artifacts.put(path, content)
    session.state[name] = number
    if number % 3 == 0:
        session.artifacts.rename(path, path + ".moved")
    if number % 50 == 49:
        session.save()
    os.write(1, f"{number}\\n".encode())
"""


def content_of(name: str, number: int) -> str:
    return f"{name} {number} " * (1 + number % 5000)


def start_writer(store_path: Path, name: str, start: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(store_path), name, str(start)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def kill_after(writer: subprocess.Popen[bytes], lines: int, more: float) -> int:
    """Kill *writer* some time after it acknowledged so many operations; return the last it acknowledged."""
    assert writer.stdout is not None
    acknowledged = b""
    for _ in range(lines):
        acknowledged = writer.stdout.readline()
    assert acknowledged, "the writer ended by itself"
    try:
        writer.wait(more)  # it goes on; where the kill meets it is left to chance
    except subprocess.TimeoutExpired:
        writer.send_signal(signal.SIGKILL)
    rest = writer.stdout.read().split(b"\n")[:-1]
    writer.wait()
    writer.stdout.close()
    return int(rest[-1] if rest else acknowledged)


def check_writer(session: sessionfs.Session, name: str, acknowledged: int) -> None:
    artifacts = {artifact.path: artifact for artifact in session.artifacts.list(name)}
    stored = {int(path.rpartition("/")[2].removesuffix(".moved")): path for path in artifacts}
    # At most the one operation that was under way is there besides.
    assert set(range(acknowledged + 1)) <= set(stored) <= set(range(acknowledged + 2))
    assert session.state[name] in (acknowledged, acknowledged + 1)
    for number, path in stored.items():
        if number % 3 == 0 and number <= acknowledged:
            assert path.endswith(".moved")
    for number in range(max(0, acknowledged - 5), acknowledged + 1):
        assert artifacts[stored[number]].read_text() == content_of(name, number)


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path):
    chance = random.Random(7)
    path = tmp_path / "store"
    Store.create(str(path))
    Store(str(path)).create_session(session_id="x")
    next_number = 0
    for _ in range(KILLS):
        writer = start_writer(path, "w", next_number)
        acknowledged = kill_after(writer, chance.randint(1, 40), chance.uniform(0, 0.01))
        with sessionfs.open(path, background_sync=False) as store:
            session = store.sessions["x"]
            check_writer(session, "w", acknowledged)
            assert [event["seq"] for event in session.events()] == list(range(session.event_count))
            # An operation that was cut short is made again by the next writer.
            next_number = acknowledged + 1
            for left in (f"w/{next_number % 7}/{next_number}", f"w/{next_number % 7}/{next_number}.moved"):
                if left in session.artifacts:
                    session.artifacts.delete(left)
    assert [fault for fault in check(Store(str(path))) if fault.is_damage] == []


def test_two_writers_in_one_session_are_killed_and_neither_loses_anything(tmp_path):
    path = tmp_path / "store"
    Store.create(str(path))
    Store(str(path)).create_session(session_id="x")
    writers = {name: start_writer(path, name, 0) for name in ("a", "b")}
    acknowledged = {name: kill_after(writer, 60, 0.005) for name, writer in writers.items()}
    with sessionfs.open(path, background_sync=False) as store:
        session = store.sessions["x"]
        for name, number in acknowledged.items():
            check_writer(session, name, number)
        assert [event["seq"] for event in session.events()] == list(range(session.event_count))
        assert list(check(store.core)) == []


def test_a_writer_that_is_killed_holds_no_lock(tmp_path):
    path = tmp_path / "store"
    Store.create(str(path))
    Store(str(path)).create_session(session_id="x")
    kill_after(start_writer(path, "w", 0), 3, 0)
    with sessionfs.open(path, background_sync=False) as store:
        store.sessions["x"].state["free"] = True


@pytest.mark.slow
def test_a_large_stream_needs_little_memory(tmp_path):
    program = """
import os, resource, sys, sessionfs
class Stream:
    left = 400 << 20
    def read(self, size=-1):
        size = min(size, self.left, 1 << 20)
        self.left -= size
        return os.urandom(size // 2) + bytes(size - size // 2)
store = sessionfs.open(sys.argv[1], create=True, background_sync=False)
session = store.sessions.create()
artifact = session.artifacts.put("large", Stream())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with artifact.open() as file:
    file.seek(300 << 20)
    assert len(file.read(1 << 20)) == 1 << 20
assert artifact.size == 400 << 20
print(artifact.compression, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "store"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    compression, mebibytes = done.stdout.split()
    assert compression == "lz4" and int(mebibytes) < 100
