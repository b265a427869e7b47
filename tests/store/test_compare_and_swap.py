"""Compare-and-swap for state and artifacts: of several who expect the same, one succeeds."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sessionfs
from sessionfs.errors import Conflict, InvalidInput


@pytest.fixture
def session(tmp_path):
    with sessionfs.open(tmp_path / "s", create=True, background_sync=False) as store:
        yield store.sessions.create(id="one")


def test_a_value_is_set_when_it_is_what_was_expected(session):
    session.state.set("step", 1, if_none_match=True)
    session.state.set("step", {"a": [1], "b": None}, if_match=1)
    session.state.set("step", 3, if_match={"b": None, "a": [1]})
    assert session.state["step"] == 3
    session.state.set("other", 1)
    assert session.state["other"] == 1


@pytest.mark.parametrize("expected", [4, 3.0, "3", None, True, [3]])
def test_a_value_that_is_another_one_stays(session, expected):
    session.state["step"] = 3
    count = session.info().event_count
    with pytest.raises(Conflict, match="decide anew"):
        session.state.set("step", 5, if_match=expected)
    assert (session.state["step"], session.info().event_count) == (3, count)


def test_none_is_a_value_and_not_its_absence(session):
    with pytest.raises(Conflict):
        session.state.set("step", 1, if_match=None)
    session.state["step"] = None
    with pytest.raises(Conflict):
        session.state.set("step", 1, if_none_match=True)
    session.state.set("step", 1, if_match=None)
    assert session.state["step"] == 1


def test_a_long_value_is_compared_whole(session):
    long = "x" * 9000
    session.state["long"] = long
    with pytest.raises(Conflict):
        session.state.set("long", 1, if_match=long + "y")
    session.state.set("long", 1, if_match=long)


def test_an_artifact_is_put_when_it_is_what_was_expected(session):
    first = session.artifacts.put("f", b"1", if_none_match=True)
    second = session.artifacts.put("f", b"2", if_match=first.oid)
    assert second.version == 2
    with session.artifacts.open("f", "a", if_match=second.oid) as file:
        file.write("3")
    assert session.artifacts["f"].read_bytes() == b"23"


def test_an_artifact_that_is_another_one_stays(session):
    first = session.artifacts.put("f", b"1")
    session.artifacts.put("f", b"2")
    count = session.info().event_count
    for conditions in ({"if_match": first.oid}, {"if_none_match": True}):
        with pytest.raises(Conflict):
            session.artifacts.put("f", b"3", **conditions)
    with pytest.raises(Conflict, match="is not there"):
        session.artifacts.put("g", b"3", if_match=first.oid)
    assert session.artifacts["f"].read_bytes() == b"2"
    assert session.info().event_count == count


def test_a_condition_that_nothing_meets_is_refused(session):
    oid = session.artifacts.put("f", b"1").oid
    for conditions in ({"if_match": oid[:10]}, {"if_match": oid, "if_none_match": True}):
        with pytest.raises(InvalidInput):
            session.artifacts.put("f", b"2", **conditions)


COUNTER = """
import sys
import sessionfs

with sessionfs.open(sys.argv[1], background_sync=False) as store:
    session = store.sessions["one"]
    for _ in range(int(sys.argv[2])):
        while True:
            now = session.state["count"]
            artifact = session.artifacts["count"]
            try:
                session.state.set("count", now + 1, if_match=now)
                break
            except sessionfs.Conflict:
                pass
        while True:
            artifact = session.artifacts["count"]
            try:
                session.artifacts.put("count", b"%d" % (int(artifact.read_bytes()) + 1), if_match=artifact.oid)
                break
            except sessionfs.Conflict:
                pass
"""


def test_nobody_s_step_is_lost(session):
    session.state["count"] = 0
    session.artifacts.put("count", b"0")
    counters = [subprocess.Popen([sys.executable, "-c", COUNTER, session.store.path, "50"]) for _ in range(3)]
    assert [counter.wait() for counter in counters] == [0, 0, 0]
    assert session.state["count"] == 150
    assert session.artifacts["count"].read_bytes() == b"150"
    assert session.artifacts["count"].version == 151
