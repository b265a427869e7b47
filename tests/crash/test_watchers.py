"""Watchers beside many writers, and watchers that are killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

import sessionfs
from sessionfs import Store

WAIT_SECONDS = 20.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return sessionfs.open(tmp_path / "store", create=True, background_sync=False)


WRITER = """
import sys, time
import sessionfs

store = sessionfs.open(sys.argv[1])
mine = [store.sessions[f"s{number}"] for number in range(int(sys.argv[2]), 1000, 20)]
begin = time.perf_counter()
for number in range(1000):
    time.sleep(max(0.0, begin + number / 1000 - time.perf_counter()))
    mine[number % len(mine)].record("custom.x", {"number": number})
"""


def test_a_thousand_sessions_and_two_thousand_events_a_second(store: Store) -> None:
    for number in range(1000):
        store.sessions.create(id=f"s{number}")
    seen: dict[str, list[int]] = defaultdict(list)
    late_ns = []
    with store.watch("custom.x") as watch:
        writers = [subprocess.Popen([sys.executable, "-c", WRITER, store.path, str(number)]) for number in range(2)]
        while len(late_ns) < 2000 and (events := watch.read(WAIT_SECONDS)):
            now_ns = time.time_ns()
            for event in events:
                seen[event.session].append(event.seq)
                late_ns.append(now_ns - event.time_ns)
        assert [writer.wait() for writer in writers] == [0, 0]
        assert watch.read(0) == []
    assert len(seen) == 100 and all(seqs == list(range(1, 21)) for seqs in seen.values())
    assert median(late_ns) < 100_000_000


WATCHER = """
import sys
import sessionfs

store = sessionfs.open(sys.argv[1])
starts = dict(word.split("=") for word in sys.argv[2:])
with store.watch(start={session: int(seq) for session, seq in starts.items()}) as watch:
    for event in watch:
        print(event.id, flush=True)
"""


def test_a_watcher_that_is_killed_again_and_again(store: Store) -> None:
    """The next one goes on after the last event that its user got: nothing is missed, nothing comes twice."""
    sessions = [store.sessions.create(id=id) for id in ("a", "b")]
    got: dict[str, list[int]] = {"a": [], "b": []}
    for _ in range(4):
        starts = [f"{id}={seqs[-1] + 1}" for id, seqs in got.items() if seqs]
        command = [sys.executable, "-c", WATCHER, store.path, *starts]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
            for session in sessions * 20:
                session.record("custom.x")
            for line in told_lines(watcher, 25):
                id, _, seq = line.partition(":")
                got[id].append(int(seq))
            watcher.kill()
    with store.watch(start={id: seqs[-1] + 1 for id, seqs in got.items()}) as watch:
        while events := watch.read(0):
            for event in events:
                got[event.session].append(event.seq)
    assert got == {"a": list(range(81)), "b": list(range(81))}


def told_lines(watcher: subprocess.Popen[str], count: int) -> Iterator[str]:
    assert watcher.stdout is not None
    for _ in range(count):
        yield watcher.stdout.readline().strip()
