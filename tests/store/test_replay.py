"""Going through a session's events again, as Python users do it, by a clock that tests turn."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

import sessionfs
from sessionfs.clock import NS_PER_SECOND, to_datetime
from sessionfs.replay import OutOfRange
from sessionfs.store.store import Store

START_NS = 1_795_214_641_000_000_000  # 2026-11-20T22:44:01Z


class Clock:
    """Stands still until it is turned, or somebody waits by it."""

    def __init__(self):
        self.now_ns = START_NS
        self.waits = []

    def __call__(self):
        return self.now_ns

    def wait(self, wait_ns):
        self.waits.append(wait_ns / NS_PER_SECOND)
        self.now_ns += wait_ns


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    Store.create(str(tmp_path / "runs"))
    return sessionfs.Store(Store(str(tmp_path / "runs"), clock=clock))


@pytest.fixture
def session(store, clock):
    """0 created, after 1 s 1 put, after 2 s 2 state, after 4 s 3 tool, after an hour 4 error, at once 5 state."""
    session = store.sessions.create(id="q4")
    clock.wait(1 * NS_PER_SECOND)
    session.artifacts.put("a.txt", b"one")
    clock.wait(2 * NS_PER_SECOND)
    session.state["step"] = 1
    clock.wait(4 * NS_PER_SECOND)
    session.tool_invoked("double", {"n": 2}, 4)
    clock.wait(3600 * NS_PER_SECOND)
    session.error("E1", "no such table")
    session.state["step"] = 2
    clock.waits.clear()
    return session


@pytest.fixture
def make(session, clock):
    return lambda *moments, **options: session.replay(*moments, **{"clock": clock, "wait": clock.wait, **options})


def seqs(replay):
    found = []
    replay.on("*", lambda event: found.append(event.seq))
    return found


# At a pace


def test_events_come_with_their_own_spacing(make, clock):
    replay = make()
    played = seqs(replay)
    assert replay.start().seq == 5 and played == [0, 1, 2, 3, 4, 5]
    assert clock.waits == [1, 2, 4, 3600]
    assert not replay.is_playing and replay.is_at_end and replay.start() is None


@pytest.mark.parametrize(
    ("options", "waits"),
    [({"speed": 10}, [0.1, 0.2, 0.4, 360]), ({"speed": 0.5}, [2, 4, 8, 7200]), ({"max_gap": 3}, [1, 2, 3, 3])],
)
def test_faster_slower_and_without_long_gaps(make, clock, options, waits):
    make(**options).start()
    assert clock.waits == waits


def test_a_part_is_played_and_begins_at_once(make, clock):
    replay = make(1, 3)
    played = seqs(replay)
    replay.start()
    assert played == [2, 3] and clock.waits == [4]
    assert (replay.first, replay.last) == (2, 3)


def test_it_can_be_paused_and_gone_on_with(make, clock):
    replay = make()
    replay.on("state.changed", lambda event: replay.pause())
    assert replay.start().seq == 2
    clock.now_ns += 100 * NS_PER_SECOND  # it stands still meanwhile
    assert replay.wait_ns() is None and replay.advance() is None
    assert replay.start().seq == 5
    assert clock.waits == [1, 2, 4, 3600]


def test_it_ends_with_what_is_waited_for(make):
    replay = make()
    assert replay.start(until="type=error.occurred").seq == 4
    assert replay.seq == 4 and not replay.is_at_end
    assert make().start(until="failed").seq == 4
    assert make().start(until="custom.x").seq == 5
    with pytest.raises(sessionfs.InvalidInput):
        make().start(until="tipe=x")


def test_what_is_due_is_played_without_waiting(make, clock):
    replay = make()
    replay.play()
    assert replay.advance().seq == 0 and replay.advance() is None
    clock.now_ns += int(3.5 * NS_PER_SECOND)
    assert [replay.advance().seq, replay.advance().seq, replay.advance()] == [1, 2, None]
    assert replay.wait_ns() == int(3.5 * NS_PER_SECOND)
    replay.speed = 7
    assert replay.wait_ns() == NS_PER_SECOND // 2
    replay.seek(1)  # its time begins anew
    assert replay.wait_ns() == 2 * NS_PER_SECOND // 7 + 1


def test_another_thread_pauses_it(session):
    replay = session.replay(max_gap=1000)
    played = threading.Event()
    replay.on("3", lambda event: played.set())
    replay.seek(2)
    replay.speed = 10
    thread = threading.Thread(target=replay.start)
    thread.start()
    assert played.wait(60)  # 0.4 s
    replay.pause()
    thread.join(60)
    assert not thread.is_alive() and replay.seq == 3


def test_a_handler_that_fails_pauses_it_where_it_is(make):
    def refuse(event):
        raise RuntimeError("no")

    replay = make()
    replay.on("tool.*", refuse)
    with pytest.raises(RuntimeError):
        replay.start()
    assert replay.seq == 3 and not replay.is_playing
    assert replay.start().seq == 5


# Step by step, and elsewhere


def test_stepping_forwards_and_back(make):
    replay = make()
    played = seqs(replay)
    assert (replay.seq, replay.event, list(replay.artifacts)) == (-1, None, [])
    assert replay.step().seq == 0 and replay.step().seq == 1 and replay.next.seq == 2
    assert replay.artifacts["a.txt"].read_text() == "one" and replay.state.to_dict() == {}
    assert replay.back().seq == 0 and list(replay.artifacts) == []
    assert replay.back() is None and replay.back() is None and replay.seq == -1
    assert played == [0, 1]
    assert [event.seq for event in replay] == [0, 1, 2, 3, 4, 5]
    assert replay.step() is None and replay.state["step"] == 2


def test_going_elsewhere(make, session, clock):
    session.checkpoints.create("here", at=2)
    replay = make()
    assert replay.seek(3).seq == 3 and replay.state["step"] == 1
    assert replay.seek("here").seq == 2
    assert replay.seek(to_datetime(START_NS + 2 * NS_PER_SECOND)).seq == 1
    assert replay.seek("1").seq == 1 and replay.step().seq == 2
    assert replay.find("failed").seq == 4 and replay.find("state.*").seq == 5
    assert replay.find("artifact.*", reverse=True).seq == 1 and replay.find("state.*", reverse=True) is None
    replay.rewind()
    assert replay.seq == -1
    with pytest.raises(sessionfs.NotFound):
        replay.seek("nowhere")
    assert replay.seq == -1


def test_what_is_not_part_of_it_cannot_be_gone_to(make):
    replay = make(1, 3)
    assert replay.seek(1) is None and replay.seek(3).seq == 3
    for seq in (0, 4):
        with pytest.raises(OutOfRange, match="goes from event 2 to event 3"):
            replay.seek(seq)
    with pytest.raises(OutOfRange, match="ends before it begins"):
        make(3, 1)
    assert list(make(3, 3)) == []


def test_what_comes_later_is_not_part_of_it(make, session):
    replay = make()
    session.record("custom.late", {})
    assert [event.seq for event in replay][-1] == 5


def test_a_fork_begins_with_what_it_was_forked_from(session, make):
    fork = session.fork(3)
    replay = fork.replay()
    assert replay.seq == -1 and replay.state["step"] == 1 and list(replay.artifacts) == ["a.txt"]
    assert [event.type for event in replay] == ["session.created"]


def test_a_deleted_session_says_so(make, session):
    replay = make()
    session.delete()
    with pytest.raises(sessionfs.NotFound):
        replay.step()


def test_a_long_session_can_be_gone_through_both_ways(store):
    session = store.sessions.create()
    for number in range(700):
        session.state["n"] = number
    replay = session.replay()
    for _ in replay:
        pass
    replay.seek(700)
    for number in range(699, 0, -1):
        if number % 100 == 0:
            assert replay.state["n"] == session.at(number + 1).state["n"]
        assert replay.back().seq == number


# Calling again


def test_calls_are_made_again_and_compared(make, session):
    session.tool_invoked("double", {"n": 3}, 7)
    replay = make()
    outcomes = replay.rerun("tool.invoked", lambda call: call.parameters["n"] * 2)
    for _ in replay:
        pass
    assert [(outcome.event, outcome.compared) for outcome in outcomes] == [("q4:3", True), ("q4:6", True)]
    assert outcomes[0].differences == ()
    assert outcomes[1].to_dict()["differences"] == [{"where": "", "recorded": 7, "now": 6}]


def test_the_readmes_example(store, capsys):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    code = re.search(r"<!-- replay -->\n```python\n(.*?)```", readme, re.DOTALL)[1]
    session = store.sessions.create(id="q4")
    session.artifacts.put("totals.csv", "region,total\nnorth,3\n")
    session.tool_invoked("plot", {"kind": "bar"}, {"bars": 1})
    session.checkpoints.create("before")
    session.warning("only one region")
    names = {"store": store, "session": session}
    exec(code, names)
    printed = capsys.readouterr().out.splitlines()
    assert "'/bars', recorded=1, now=3" in printed[0]
    assert printed[1] == "[<sessionfs.ArtifactChange modified 'totals.csv'>] ()"
    assert len(list(names["replay"])) == 0 and names["done"].dropped == (4,)
