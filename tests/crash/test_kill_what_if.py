"""SIGKILL while events happen again in a fork: all of them have, or none, and the original is as it was."""

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

KILLS = times(dev=8, ci=16, explore=200)
FILES = 200

# Forks once it is ready, so that each child starts at once; says what it has done.
WORKER = """
import os, sys, sessionfs
from sessionfs.replay import what_if
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        session = sessionfs.open(sys.argv[1], background_sync=False).sessions["one"]
        os.write(1, b"%d\\n" % os.getpid())
        while True:
            session.what_if(drop=[1], content={2: b"another"})
            os.write(1, b".\\n")
    os.waitpid(pid, 0)
    os.write(1, b"ended\\n")
"""


def test_a_killed_what_if_leaves_all_or_nothing(tmp_path):
    path = str(tmp_path / "s")
    session = sessionfs.open(path, create=True, background_sync=False).sessions.create(id="one")
    session.artifacts.put("dropped", b"dropped")
    for number in range(FILES):
        session.artifacts.put(f"{number}", b"%d" % number)
    session.state["done"] = True
    original, head = seen(session), session.log_head()
    whole = seen(sessionfs.open(path).sessions[session.what_if(drop=[1], content={2: b"another"}).session])
    assert "dropped" not in whole[0] and len(whole[0]) == FILES
    numbers = random.Random(5)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        for _ in range(KILLS):
            kill_after(worker, numbers.randrange(0, 3), numbers.uniform(0, 0.1))
    finally:
        worker.stdin.close()
        worker.wait(30)
        worker.stdout.close()
    store = sessionfs.open(path, background_sync=False)
    session = store.sessions["one"]
    assert seen(session) == original
    assert session.verify_log(head).is_whole
    children = store.sessions.list(parent="one")
    # A fork in which nothing has happened is what the moment before the first change was.
    assert all(seen(child) in (whole, ({}, {})) for child in children)
    assert sum(seen(child) == whole for child in children) >= 2
    assert [fault for fault in check(store.core) if fault.is_damage] == []


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
