"""SIGKILL while moments are brought back and sessions are forked: each is done whole, or not at all."""

from __future__ import annotations

import random

from children import children
from thoroughness import times

import sessionfs
from sessionfs.fsck import check

KILLS = times(dev=12, ci=20, explore=300)
FILES = 400
CHECKED_EVERY = 6  # by fsck, which reads everything


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
    with children(
        """
        session = sessionfs.open(sys.argv[1], background_sync=False).sessions["one"]
        moments = sys.argv[2:]
        """,
        """
        session.restore(int(moments[turn % 2]))
        session.undo()
        session.redo()
        session.fork()
        """,
        path,
        *moments,
    ) as working:
        for kill in range(KILLS):
            working.kill_one(numbers.randrange(0, 3), numbers.uniform(0, 0.08))
            store = sessionfs.open(path, background_sync=False)
            assert seen(store.sessions["one"]) in known, kill
            for child in store.sessions.list(parent="one")[-3:]:
                assert seen(child) in known, (kill, child.id)
            if kill % CHECKED_EVERY == 0:
                assert [fault for fault in check(store.core) if fault.is_damage] == []


def seen(session):
    session.core.refresh()
    return {path: node.oid for path, node in session.core.tree.walk() if node.is_file}, session.state.to_dict()
