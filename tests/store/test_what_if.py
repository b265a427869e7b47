"""What if: the same events in a fork, but for some that are dropped or changed."""

from __future__ import annotations

import pytest

import sessionfs
from sessionfs.fsck import check
from sessionfs.hooks import Cancel


@pytest.fixture
def store(tmp_path):
    with sessionfs.open(tmp_path / "runs", create=True, background_sync=False) as store:
        yield store
        assert [fault for fault in check(store.core) if fault.is_damage] == []


@pytest.fixture
def session(store):
    """0 created; 1 in.csv; 2 out/, 3 and 4 chart.svg by a tool; 5 tool; 6 agent; 7 rename; 8, 9 state; 10 ended."""
    session = store.sessions.create(id="q4", name="Fourth quarter", tags=["sales"])
    session.artifacts.put("in.csv", "1\n", type="user_input")
    with session.agent("ada"), session.tool("plot", {"kind": "bar"}) as call:
        call.read("in.csv")
        session.artifacts.put("out/chart.svg", "<svg>1</svg>")
        session.artifacts.put("out/chart.svg", "<svg>2</svg>")
        call.result = {"bars": 1}
    session.artifacts.rename("out/chart.svg", "final.svg")
    session.state["step"] = 1
    session.state["step"] = 2
    session.complete()
    return session


def differing(session, fork):
    difference = session.diff("now", fork)
    return [(one.kind, one.path) for one in difference.artifacts], [one.key for one in difference.state]


def types(session):
    return [event.type for event in session.events()]


def test_what_is_dropped_did_not_happen(store, session):
    done = session.what_if(drop=[9], id="b")
    fork = store.sessions["b"]
    assert done.to_dict() == {
        "session": "b", "of": "q4", "begins": "q4@{8}", "count": 0, "dropped": (9,), "changed": (), "impossible": [],
    }  # fmt: skip
    assert fork.state["step"] == 1 and fork.status == "active" and fork.parent == "q4" and fork.tags == ("sales",)
    assert differing(session, fork) == ([], ["step"])
    assert types(fork) == ["session.created", "session.replayed"]


def test_what_comes_after_it_happens_again(store, session):
    done = session.what_if(drop="path=out/* type=artifact.renamed", id="b")
    fork = store.sessions["b"]
    assert done.dropped == (7,) and done.begins == "q4@{6}" and done.count == 2
    assert list(fork.artifacts) == ["in.csv", "out/chart.svg"] and fork.state["step"] == 2
    assert differing(session, fork) == ([("renamed", "out/chart.svg")], [])


def test_events_can_say_something_else(store, session):
    done = session.what_if(
        id="b",
        change={
            5: {"gen_ai.tool.call.result": {"bars": 2}},
            8: {"new": {"n": None}},
            4: {"tags": ["odd"], "path": "x"},
        },
        content={4: b"<svg>3</svg>"},
    )
    fork = store.sessions["b"]
    assert done.changed == (4, 5, 8) and done.begins == "q4@{3}"
    assert fork.artifacts["x"].read_text() == "<svg>3</svg>" and fork.artifacts["x"].tags == ("odd",)
    assert fork.artifacts["final.svg"].read_text() == "<svg>1</svg>"
    assert next(fork.events("tool.invoked")).data["gen_ai.tool.call.result"] == {"bars": 2}
    first, second = fork.events("state.changed")
    assert first.data["new"] == {"n": None} and second.data["old"] == {"n": None}


def test_what_cannot_happen_without_it_is_left_out_and_named(store, session):
    done = session.what_if(drop=[3, 4], id="b")
    fork = store.sessions["b"]
    assert [(one.seq, one.type) for one in done.impossible] == [(7, "artifact.renamed")]
    assert "out/chart.svg" in done.impossible[0].why
    assert list(fork.artifacts) == ["in.csv"] and fork.state["step"] == 2
    said = next(fork.events("session.replayed")).data
    assert (said["dropped"], said["impossible"], said["to"]) == ([3, 4], [7], 10)


def test_without_its_first_version_the_second_is_the_first(store, session):
    session.what_if(drop=[3], id="b")
    found = store.sessions["b"].artifacts["final.svg"]
    assert found.version == 1 and found.read_text() == "<svg>2</svg>"


def test_provenance_and_causes_are_those_of_the_fork(store, session):
    session.what_if(drop=[3], id="b")
    fork = store.sessions["b"]
    chart, source = fork.why("final.svg")
    assert chart.id == "b:1" and source.id == "q4:1"  # what it read is before the fork
    assert [work.event.id for work in chart.work] == ["b:2", "b:3"]
    tool, agent = fork.events("tool.*", "agent.*")
    assert tool.cause == f"b:{agent.data['block']}" and tool.correlation_id == agent.correlation_id is not None


def test_operations_are_those_of_the_original(store, session):
    live = session.fork(6, id="live")
    with live.operation():
        live.state["a"] = 1
        live.state["b"] = 1
    live.state["c"] = 1
    live.record("custom.x", {})
    live.what_if(drop="custom.x", id="b0")
    live.what_if(change={1: {"new": 5}}, id="b")
    fork = store.sessions["b"]
    assert fork.state.to_dict() == {"a": 5, "b": 1, "c": 1}
    fork.undo()
    assert fork.state.to_dict() == {"a": 5, "b": 1}
    fork.undo()
    assert fork.state.to_dict() == {}


def test_files_keep_their_times_and_makers(store, session):
    session.what_if(drop=[2], id="b0")
    done = session.what_if(change={8: {"new": 0}}, id="b")
    assert done.impossible == ()
    for path in ("in.csv", "final.svg"):
        one, other = session.artifacts[path], store.sessions["b"].artifacts[path]
        assert (one.mtime_ns, one.created_by) == (other.mtime_ns, other.created_by)


def test_it_can_be_merged_back(store, session):
    live = session.fork(id="live")
    live.state["step"] = 3
    done = live.what_if(change={1: {"new": 30}}, id="b")
    merged = store.sessions[done.session].merge(into=session.fork(id="other"))
    assert [change.name for change in merged.changes] == ["step"]


def test_only_up_to_a_moment(store, session):
    done = session.what_if(drop=[1], end=4, id="b")
    assert done.count == 3 and list(store.sessions["b"].artifacts) == ["out/chart.svg"]


@pytest.mark.parametrize(
    ("edits", "kind", "message"),
    [
        ({}, sessionfs.InvalidInput, "a fork has all of them"),
        ({"drop": [99]}, sessionfs.NotFound, "no event up to 10 .* seq=99"),
        ({"drop": ["custom.x"]}, sessionfs.NotFound, "type=custom.x"),
        ({"drop": [0]}, sessionfs.InvalidInput, "the beginning"),
        ({"drop": ["session.*"]}, sessionfs.InvalidInput, "the beginning"),
        ({"change": {99: {}}}, sessionfs.NotFound, "no event 99"),
        ({"change": {-1: {}}}, sessionfs.NotFound, "no event -1"),
        ({"change": {0: {"name": "x"}}}, sessionfs.InvalidInput, "cannot be changed"),
        ({"change": {8: {"old": 1}}}, sessionfs.InvalidInput, "'old' cannot be changed"),
        ({"change": {8: {"key": "a/b"}}}, sessionfs.InvalidInput, "no key"),
        ({"change": {8: {"new": float("nan")}}}, sessionfs.InvalidInput, "JSON"),
        ({"change": {8: [1]}}, sessionfs.InvalidInput, "fields and their values"),
        ({"change": {4: {"path": "../x"}}}, sessionfs.InvalidInput, "step to itself"),
        ({"change": {4: {"oid": "0" * 64}}}, sessionfs.InvalidInput, "other content"),
        ({"change": {4: {"tags": 5}}}, sessionfs.InvalidInput, "tags"),
        ({"change": {5: {"x": {1, 2}}}}, None, ""),
        ({"change": {5: {"x": object()}}}, sessionfs.InvalidInput, "cannot be written"),
        ({"content": {2: b"x"}}, sessionfs.InvalidInput, "stores no file"),
        ({"content": {8: b"x"}}, sessionfs.InvalidInput, "stores no file"),
        ({"drop": [8], "change": {8: {"new": 1}}}, sessionfs.InvalidInput, "choose one"),
        ({"drop": [8], "id": "q4"}, sessionfs.Conflict, "q4"),
        ({"drop": [8], "id": "../x"}, sessionfs.InvalidInput, "id"),
        ({"drop": [8], "end": 99}, sessionfs.NotFound, "99"),
    ],
)
def test_a_refusal_leaves_no_fork(store, session, edits, kind, message):
    if kind is None:
        session.what_if(**edits)
        return
    with pytest.raises(kind, match=message):
        session.what_if(**edits)
    assert [one.id for one in store.sessions.list()] == ["q4"]


def test_a_hook_that_refuses_leaves_no_fork(store, session):
    asked = []

    def refuse(call):
        asked.append(call.action.path)
        return Cancel("not here")

    store.hooks.on("pre-artifact-store", refuse)
    with pytest.raises(sessionfs.Denied, match="not here"):
        session.what_if(content={4: b"x"}, id="b")
    assert asked == ["out/chart.svg"] and "b" not in store.sessions


def test_a_limit_leaves_no_fork(tmp_path, session, store):
    (tmp_path / "runs/config.toml").write_text("[limits]\nmax_artifact_size = 20\n")
    with sessionfs.open(tmp_path / "runs", background_sync=False) as limited:
        done = limited.sessions["q4"].what_if(content={4: b"x" * 30})
    assert [one.type for one in done.impossible] == ["artifact.stored"]
    assert store.sessions[done.session].artifacts["final.svg"].read_text() == "<svg>1</svg>"
