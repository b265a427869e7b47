"""SIGKILL while sessions are imported and unbundled: each is there whole or not at all; a second try makes it whole."""

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
FILES = 300

# Ready when it has opened the store; says when it begins, so that the time until the kill is that of the work.
WORKER = """
import os, sys, sessionfs
store = sessionfs.open(sys.argv[1], background_sync=False)
store.core.session_ids()
import sessionfs.backup.import_session, sessionfs.backup.bundle_unpack
os.write(1, b".")
if sys.argv[2] == "import":
    store.import_session(sys.argv[3], id="one")
else:
    store.unbundle(sys.argv[3])
"""


def test_a_killed_import_leaves_a_session_or_none(tmp_path):
    source = make_source(tmp_path)
    tries(tmp_path, "import", str(tmp_path / "one.tar"), source)


def test_a_killed_unbundling_leaves_sessions_or_none(tmp_path):
    source = make_source(tmp_path)
    tries(tmp_path, "unbundle", str(tmp_path / "one.bundle"), source)


def make_source(tmp_path):
    store = sessionfs.open(tmp_path / "source", create=True, background_sync=False)
    session = store.sessions.create(id="one")
    with session.operation():
        for number in range(FILES):
            session.artifacts.put(f"{number % 7}/{number}", f"{number}\n" * 50)
    session.save()
    session.export(tmp_path / "one.tar")
    store.bundle(tmp_path / "one.bundle")
    return session


def tries(tmp_path, verb, place, source):
    known = {path: source.artifacts.read(path) for path in source.artifacts}
    numbers = random.Random(11)
    longest = whole = 0.0
    for kill in range(KILLS):
        path = str(tmp_path / f"store-{verb}-{kill}")
        sessionfs.open(path, create=True, background_sync=False).close()
        worker = subprocess.Popen([sys.executable, "-c", WORKER, path, verb, place], stdout=subprocess.PIPE)
        assert worker.stdout is not None and worker.stdout.read(1) == b"."
        begun = time.monotonic()
        if kill == 0:
            assert worker.wait() == 0  # to know how long it takes
            longest = time.monotonic() - begun
        else:
            time.sleep(numbers.uniform(0, longest))
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        worker.stdout.close()
        store = sessionfs.open(path, background_sync=False)
        if "one" in store.sessions:
            whole += 1
            session = store.sessions["one"]
            assert {name: session.artifacts.read(name) for name in session.artifacts} == known, kill
        else:
            assert os.listdir(store.core.layout.sessions) in (
                [],
                ["one"],
            )  # at most the directory of a log without records
            if verb == "import":
                store.import_session(place, id="one")
            else:
                store.unbundle(place)
            assert {name: store.sessions["one"].artifacts.read(name) for name in known} == known, kill
        assert [fault for fault in check(store.core, quick=True) if fault.is_damage] == []
    assert whole < KILLS  # some were killed before the end
