"""SIGKILL of retention, pruning, gc and repack while sessions are written: nothing that is to be kept is lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time

from thoroughness import times

import sessionfs
from sessionfs.events.whole import verify
from sessionfs.fsck import check
from sessionfs.retention.gc import collect
from sessionfs.retention.keeping import Keep
from sessionfs.retention.plan import run
from sessionfs.retention.prune import prune
from sessionfs.retention.repack import repack
from sessionfs.store.store import Store

KILLS = times(dev=10, ci=20, explore=300)
RULES = "[retention]\nkeep_versions = 2\narchive_finished_after = 0\n[retention.tag.draft]\ndelete_finished_after = 0\n"


def _upkeep_forever(path):
    store = Store(path)
    while True:
        list(run(store))
        for session_id in store.session_ids():
            prune(store, session_id, Keep(2))
        collect(store, grace_ns=0, trash_grace_ns=0)
        repack(store)


def test_killed_upkeep_loses_nothing_that_is_kept(tmp_path):
    path = str(tmp_path / "s")
    sessionfs.open(path, create=True).close()
    (tmp_path / "s" / "config.toml").write_text(RULES)
    forked = multiprocessing.get_context("fork")
    chosen = random.Random(5)
    expected, drafts = {}, set()
    for turn in range(KILLS):
        child = forked.Process(target=_upkeep_forever, args=(path,))
        child.start()
        with sessionfs.open(path, background_sync=False) as store:
            session = store.sessions.create(id=f"s{turn}", tags=["draft"] if turn % 3 == 1 else [])
            session.artifacts.put("pinned", b"0")
            session.pin("pinned")
            session.artifacts.put("pinned", b"1")
            session.artifacts.put("pinned", b"2")
            if turn % 3 == 1:
                session.unpin("pinned")
            for number in range(12):
                session.artifacts.put("a", b"%d of %d" % (number, turn))
                session.artifacts.put(f"b{number}", b"same in all" if number % 2 else b"%d" % turn)
            if turn % 3 == 1:
                drafts.add(session.id)
            else:
                expected[session.id] = {"a": b"11 of %d" % turn, "b11": b"same in all", "b10": b"%d" % turn}
            session.complete()
        time.sleep(chosen.random() * 0.15)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert [fault for fault in check(Store(path)) if fault.is_damage] == []
    with sessionfs.open(path, background_sync=False) as store:
        for session_id, contents in expected.items():
            session = store.sessions[session_id]
            assert {name: session.artifacts[name].read_bytes() for name in contents} == contents
            assert [version.read_bytes() for version in session.versions("pinned")] == [b"0", b"1", b"2"]
            assert verify(store.core, session_id).is_whole
        assert {info.id for info in store.sessions.list()} <= {*expected, *drafts}
