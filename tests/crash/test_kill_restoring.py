"""SIGKILL while moments are brought back and sessions are forked: each is done whole, or not at all."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

from thoroughness import times

import sessionfs
from sessionfs.fsck import check

KILLS = times(dev=12, ci=20, explore=300)
FILES = 400
CHECKED_EVERY = 6  # by fsck, which reads everything

# Forks once it is ready, so that each child starts at once; says what it has done.
WORKER = """
import os, sys, sessionfs
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        store = sessionfs.open(sys.argv[1], background_sync=False)
        session = store.sessions["one"]
        moments = sys.argv[2:]
        os.write(1, b"%d\\n" % os.getpid())
        turn = 0
        while True:
            session.restore(int(moments[turn % 2]))
            session.undo()
            session.redo()
            session.fork()
            turn += 1
            os.write(1, b".\\n")
    os.waitpid(pid, 0)
    os.write(1, b"ended\\n")
"""


def test_a_killed_restoring_leaves_one_moment_or_the_other(tmp_path):
    path = str(tmp_path / "s")
    session = sessionfs.open(path, create=True, background_sync=False).sessions.create(id="one")
    moments, known = [], []
    for word in ("first", "second"):
        with session.operation():
            for number in range(FILES):
                session.artifacts.put(f"{number % 7}/{number}", f"{word} {number}")
            session.state["word"] = word
        moments.append(session.event_count - 1)
        known.append(seen(session))
    numbers = random.Random(7)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, path, *map(str, moments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    try:
        for kill in range(KILLS):
            kill_after(worker, numbers.randrange(0, 3), numbers.uniform(0, 0.08))
            store = sessionfs.open(path, background_sync=False)
            assert seen(store.sessions["one"]) in known, kill
            for child in store.sessions.list(parent="one")[-3:]:
                assert seen(child) in known, (kill, child.id)
            if kill % CHECKED_EVERY == 0:
                assert [fault for fault in check(store.core) if fault.is_damage] == []
    finally:
        worker.stdin.close()
        worker.wait(30)
        worker.stdout.close()


def seen(session):
    session.core.refresh()
    return {path: node.oid for path, node in session.core.tree.walk() if node.is_file}, session.state.to_dict()


def kill_after(worker, count, seconds):
    """Kill the child once it has done *count* rounds, and a while has passed."""
    worker.stdin.write("\n")
    pid = int(worker.stdout.readline())
    for _ in range(count):
        assert worker.stdout.readline() == ".\n"
    time.sleep(seconds)  # where it hits is left to chance
    os.kill(pid, signal.SIGKILL)
    while worker.stdout.readline() != "ended\n":
        pass
