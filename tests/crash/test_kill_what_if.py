"""SIGKILL while events happen again in a fork: all of them have, or none, and the original is as it was."""

from __future__ import annotations

import random

from children import children
from thoroughness import times

import sessionfs
from sessionfs.fsck import check

KILLS = times(dev=8, ci=16, explore=200)
FILES = 200


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
    with children(
        'session = sessionfs.open(sys.argv[1], background_sync=False).sessions["one"]',
        'session.what_if(drop=[1], content={2: b"another"})',
        path,
        imports="from sessionfs.replay import what_if",
    ) as working:
        for _ in range(KILLS):
            working.kill_one(numbers.randrange(0, 3), numbers.uniform(0, 0.1))
    store = sessionfs.open(path, background_sync=False)
    session = store.sessions["one"]
    assert seen(session) == original
    assert session.verify_log(head).is_whole
    forks = store.sessions.list(parent="one")
    # A fork in which nothing has happened is what the moment before the first change was.
    assert all(seen(child) in (whole, ({}, {})) for child in forks)
    assert sum(seen(child) == whole for child in forks) >= 2
    assert [fault for fault in check(store.core) if fault.is_damage] == []


def seen(session):
    session.core.refresh()
    return {path: node.oid for path, node in session.core.tree.walk() if node.is_file}, session.state.to_dict()
