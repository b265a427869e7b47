"""SIGKILL while sessions are made from a template, and templates from a session: each is there whole, or not at all."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from children import children
from thoroughness import times

import sessionfs
from sessionfs.fsck import check

KILLS = times(dev=10, ci=16, explore=200)
FILES = 300


def test_a_killed_making_leaves_all_or_nothing(tmp_path):
    path = tmp_path / "s"
    store = sessionfs.open(path, create=True, background_sync=False)
    beside = path / "templates/many/tree"
    for number in range(FILES):
        file = beside / str(number % 7) / str(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"content {number}\n")
    text = "[artifacts.'.']\ntree = 'tree'\n[state]\nname = '${name}'\n[variables.name]\n"
    (path / "templates/many.toml").write_text(text)
    whole = tree_of(store.sessions.create(id="first", template="many", variables={"name": "x"}))
    assert len(whole) == FILES
    numbers = random.Random(11)
    with children(
        """
        store = sessionfs.open(sys.argv[1], background_sync=False)
        session = store.sessions["first"]
        """,
        """
        store.sessions.create(template="many", variables={"name": word})
        store.templates.create(f"copy-{word}-{turn}", session)
        """,
        path,
        imports="from sessionfs.templates import making, writing",
        XDG_CONFIG_HOME=str(tmp_path),
    ) as working:
        for kill in range(KILLS):
            working.kill_one(numbers.randrange(0, 2), numbers.uniform(0, 0.15), str(kill))
    store = sessionfs.open(path, background_sync=False)
    made = list(store.sessions.values())
    for session in made:
        assert (tree_of(session), list(session.state)) == (whole, ["name"]), session.id
    copies = [name for name in store.templates if name.startswith("copy")]
    assert len(made) > 2 and copies
    for name in copies:
        assert store.templates.check(name) == [], name
    last = store.sessions.create(template=copies[-1])
    assert tree_of(last) == whole
    assert [fault for fault in check(store.core) if fault.is_damage] == []
    files = [directory for directory in Path(path, "templates").iterdir() if directory.is_dir()]
    assert all(len([*one.rglob("files/*/*")]) == FILES for one in files if one.name != "many")


@pytest.mark.parametrize(("last_call", "is_made"), [("rename", False), ("link", False), ("unlink", True)])
def test_what_a_kill_left_is_not_in_the_way_of_the_next_one(tmp_path, last_call, is_made):
    with sessionfs.open(tmp_path / "s", create=True, background_sync=False) as store:
        session = store.sessions.create(id="one")
        session.artifacts.put("a.txt", b"a\n")
        program = """
            import os, signal, sys, sessionfs
            from sessionfs.templates import writing

            class Deadly:
                def __getattr__(self, name):
                    if name == sys.argv[2]:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return getattr(os, name)

            store = sessionfs.open(sys.argv[1], background_sync=False)
            writing.os = Deadly()
            store.templates.create("twice", store.sessions["one"])
        """
        words = [sys.executable, "-c", textwrap.dedent(program), str(store.path), last_call]
        assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
        assert ("twice" in store.templates) == is_made
        if not is_made:
            session.artifacts.put("b.txt", b"b\n")
            store.templates.create("twice", session)
        with pytest.raises(sessionfs.Conflict, match="choose another name"):
            store.templates.create("twice", session)
        assert tree_of(store.sessions.create(template="twice")) == tree_of(session)
        assert not [*Path(store.path).glob("tmp/*-unfinished")]


def tree_of(session):
    session.core.refresh()
    return {path: node.oid for path, node in session.core.tree.walk() if node.is_file}
