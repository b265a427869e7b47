"""Blocks of work: what they record, what joins it, and what artifacts were made from."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import sessionfs
from sessionfs import correlation
from sessionfs.errors import Denied, InvalidInput, NotFound
from sessionfs.events.provenance import trace
from sessionfs.events.tree import trees

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def store(tmp_path):
    with sessionfs.open(tmp_path / "runs", create=True, background_sync=False) as store:
        yield store


@pytest.fixture
def session(store):
    return store.sessions.create(id="s")


def last(session, *types):
    return next(session.events(*types, reverse=True))


def paths(session, path):
    """Return where the artifact comes from: paths, by the one that was made from them."""
    steps = {step.id: step for step in session.why(path)}
    return {step.path: [steps[id].path for id in step.sources] for step in steps.values()}


def test_the_example_of_the_readme_runs(tmp_path):
    root = Path(__file__).parents[2]
    code = re.search(r"<!-- events -->\n```python\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)[1]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=environ)
    assert done.stderr == "" and [line.split()[-1] for line in done.stdout.splitlines()] == ["search", "plot"]


# Recording


def test_a_block_is_timed_and_says_how_it_ended(session):
    times = iter([100, 250, 1000, 999])
    block = sessionfs.Block(session, "tool.invoked", "grep", {"k": 1}, monotonic=lambda: next(times))
    with block as call:
        call.result = ["x"]
        call.say("matches", 1)
    data = last(session).data
    assert data == {
        "gen_ai.tool.name": "grep",
        "k": 1,
        "matches": 1,
        "gen_ai.tool.call.result": ["x"],
        "duration_ns": 150,
        "block": call.id,
    }
    with sessionfs.Block(session, "agent.executed", "planner", {}, monotonic=lambda: next(times)) as turn:
        turn.use_tokens(input=10, output=2)
        turn.use_tokens(input=5)
    data = last(session).data
    assert data["duration_ns"] == 0  # a clock that runs backwards is not believed
    assert (data["gen_ai.usage.input_tokens"], data["gen_ai.usage.output_tokens"]) == (15, 2)
    assert "output" not in data


@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt(), SystemExit(0)])
def test_a_block_that_fails_says_so_and_lets_the_failure_go_on(session, failure):
    with pytest.raises(type(failure)), session.tool("t", {"a": 1}):
        raise failure
    event = last(session)
    assert event.data["error.type"] == type(failure).__name__
    assert event.data["error.message"] == str(failure)
    assert event.data["gen_ai.tool.call.arguments"] == {"a": 1}
    assert correlation.current() is None


def test_a_workflow_says_that_it_begins_too(session):
    with session.workflow("nightly", {"day": 1}) as run:
        assert last(session).type == "workflow.started"
        run.result = "ok"
    started, completed = session.events("workflow.*")
    assert started.data["input"] == {"day": 1} and "input" not in completed.data
    assert completed.cause == started.id and completed.data["output"] == "ok"


def test_what_is_said_is_as_it_was_when_it_was_said(session):
    parameters, result = {"list": [1]}, [1]
    with session.tool("t", parameters) as call:
        parameters["list"].append(2)
        call.result = result
        result.append(2)
    data = last(session).data
    assert data["gen_ai.tool.call.arguments"] == {"list": [1]}
    assert data["gen_ai.tool.call.result"] == [1]


def test_large_parameters_and_results_come_back_whole(session):
    large = {"text": "x" * 200_000}
    with session.tool("t", large) as call:
        call.result = large
    data = last(session).data
    assert data["gen_ai.tool.call.arguments"] == data["gen_ai.tool.call.result"] == large


def test_everything_in_a_block_has_its_correlation_and_names_its_cause(store, session):
    other = store.sessions.create(id="other")
    with sessionfs.correlate("work", cause="s:0", trace=TRACE), session.workflow("w"):
        with session.agent("a"):
            with session.tool("t"):
                other.artifacts.put("deep/file", b"x")
            session.state["k"] = 1
        session.error("E", "x")
    found = list(store.events(correlation="work"))
    assert {event.trace for event in found} == {TRACE}
    (root,) = trees(found)
    assert [(depth, event.type, event.session) for depth, event in root.walk()] == [
        (0, "workflow.started", "s"),
        (1, "agent.executed", "s"),
        (2, "tool.invoked", "s"),
        (3, "artifact.stored", "other"),
        (3, "artifact.stored", "other"),
        (2, "state.changed", "s"),
        (1, "error.occurred", "s"),
        (1, "workflow.completed", "s"),
    ]
    assert root.event.cause == "s:0"
    directory, file = (event for event in found if event.session == "other")
    assert (directory.operation, file.operation) == (directory.seq, directory.seq)


def test_blocks_without_a_correlation_begin_one(session):
    with session.tool("t"):
        session.record("custom.x")
    session.record("custom.y")
    ids = [event.correlation_id for event in session.events(start=1)]
    assert ids[0] == ids[1] and len(ids[0]) == 32 and ids[2] is None


def test_threads_and_tasks_have_blocks_of_their_own(session):
    def run(name):
        with session.tool(name):
            barrier.wait()
            session.record(f"custom.{name}")
            barrier.wait()

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def run_as_task(name):
        with session.tool(name):
            await asyncio.sleep(0)
            session.record(f"custom.{name}")
            await asyncio.sleep(0)

    async def both():
        await asyncio.gather(run_as_task("c"), run_as_task("d"))

    asyncio.run(both())
    for name in "abcd":
        (block,) = (event for event in session.events("tool.*") if event.data["gen_ai.tool.name"] == name)
        assert next(session.events(f"custom.{name}")).cause == f"s:{block.data['block']}"


# Wrong use


def test_a_block_is_used_once_and_in_a_with_statement(session):
    block = session.tool("t")
    with pytest.raises(InvalidInput, match="has not begun"):
        block.input("x")
    with block:
        pass
    with pytest.raises(InvalidInput, match="used before"), block:
        raise AssertionError
    assert len(list(session.events("tool.*"))) == 1


@pytest.mark.parametrize("make", ["tool", "agent", "workflow"])
@pytest.mark.parametrize("bad", [("",), (None,), ("x", object()), ("x", {"a": float("inf")}), ("x", "\udc80")])
def test_what_cannot_be_recorded_is_refused_before_anything_runs(session, make, bad):
    with pytest.raises(InvalidInput):
        getattr(session, make)(*bad)
    assert session.event_count == 1


def test_a_result_that_cannot_be_recorded_is_refused_where_it_is_set(session):
    with pytest.raises(InvalidInput, match="its result"), session.tool("t") as call:
        call.result = object()
    assert last(session).data["error.type"] == "sessionfs.events.callers.BadCall"
    with pytest.raises(InvalidInput), session.agent("a") as turn:
        turn.use_tokens(input=-1)


def test_a_failure_is_not_hidden_when_it_cannot_be_recorded(session):
    with pytest.raises(ValueError, match="mine") as raised, session.tool("t"):
        session.complete()
        raise ValueError("mine")
    assert "not recorded" in raised.value.__notes__[0]
    late = session.store.sessions.create(id="x")
    with pytest.raises(Denied), late.tool("t"):  # and without another failure it is one itself
        late.complete()
    assert correlation.current() is None


# Provenance


def test_an_artifact_leads_back_to_what_users_gave(store, session):
    session.artifacts.put("question.txt", b"?", type="user_input")
    session.artifacts.put("data.csv", b"1,2", type="user_input")
    session.artifacts.put("unused.txt", b"-")
    with session.agent("planner") as turn:
        turn.read("question.txt")
        with session.tool("clean") as call:
            call.read("data.csv")
            session.artifacts.put("clean.csv", b"1")
        with session.tool("plot") as call:
            assert call.input(session.artifacts["clean.csv"]).path == "clean.csv"
            session.artifacts.put("plot.png", b"\x89PNG")
    session.artifacts.copy("plot.png", "report/plot.png")
    session.artifacts.delete("data.csv")
    session.artifacts.rename("clean.csv", "old.csv")
    assert paths(session, "report/plot.png") == {
        "report/plot.png": ["plot.png"],
        "plot.png": ["clean.csv", "question.txt"],
        "clean.csv": ["data.csv", "question.txt"],
        "data.csv": [],
        "question.txt": [],
    }
    (step, *_) = trace(store.core, session.artifacts["old.csv"].id)
    assert [(work.type, work.name) for work in step.work] == [("tool.invoked", "clean"), ("agent.executed", "planner")]


def test_only_what_was_read_before_an_artifact_was_stored_is_its_input(session):
    for name in "abc":
        session.artifacts.put(name, name.encode())
    with session.tool("t") as call:
        call.read("a")
        session.artifacts.put("first", b"1")
        call.read("b")
        call.read("a")
        session.artifacts.put("second", b"2")
        session.artifacts.put("third", b"3")
        call.read("c")
    assert paths(session, "first")["first"] == ["a"]
    assert paths(session, "second")["second"] == ["a", "b"]
    assert paths(session, "third")["third"] == ["a", "b"]
    named = [event.data["made_by"].get("inputs", []) for event in session.events("artifact.stored", start=4)]
    assert list(map(len, named)) == [1, 1, 0]  # each once, so that a long block does not grow with its square
    assert last(session).data["inputs"] == [session.artifacts[name].id for name in "abc"]


def test_inputs_are_not_lost_when_storing_fails(session):
    session.artifacts.put("in", b"x")
    session.artifacts.make_directory("d")
    with session.tool("t") as call:
        call.read("in")
        with pytest.raises(InvalidInput):
            session.artifacts.put("d", b"a directory is there")
        session.artifacts.put("out", b"x")
    assert paths(session, "out")["out"] == ["in"]


def test_a_copied_directory_names_the_block_and_its_inputs_once(session):
    for number in range(3):
        session.artifacts.put(f"d/{number}", b"x")
    session.artifacts.put("in", b"x")
    with session.tool("cp") as call:
        call.read("in")
        session.artifacts.copy("d", "e")
    stored = list(session.events("artifact.stored", reverse=True, limit=4))
    assert [event.data["made_by"].get("inputs") for event in stored] == [None, None, None, [session.artifacts["in"].id]]
    assert paths(session, "e/2")["e/2"] == ["in", "d/2"]


def test_a_child_process_goes_on_with_the_block(store, session):
    session.artifacts.put("in", b"x")
    with session.tool("script") as call:
        call.read("in")
        subprocess.run(
            [sys.executable, "-m", "sessionfs", "--store", store.path, "artifact", "put", "s", "-", "--as", "out"],
            input=b"made by a child",
            env={**os.environ, **sessionfs.environment()},
            check=True,
            capture_output=True,
        )
        block = call.id
    (stored,) = session.events("artifact.stored", text="out")
    assert stored.cause == f"s:{block}" and stored.correlation_id == last(session, "tool.invoked").correlation_id
    assert paths(session, "out")["out"] == ["in"]


def test_sessions_lead_to_each_other_and_what_is_gone_is_named(store, session):
    source = store.sessions.create(id="source")
    given = source.artifacts.put("in", b"x")
    with session.tool("t") as call:
        assert call.read(given) == b"x"
        session.artifacts.put("out", b"y")
    assert paths(session, "out") == {"out": ["in"], "in": []}
    source.delete()
    assert [(step.id, step.path) for step in trace(store.core, session.artifacts["out"].id)] == [
        (session.artifacts["out"].id, "out"),
        ("source:1", None),
    ]


def test_a_block_that_never_ended_is_still_named(store, session):
    block = session.tool("killed")
    block.__enter__()
    session.artifacts.put("out", b"x")
    block._inside.close()  # as if the process had died here
    (step,) = trace(store.core, session.artifacts["out"].id)
    assert [(work.name, work.event) for work in step.work] == [("killed", None)]


def test_parents_that_callers_name_are_sources_too(session):
    given = session.artifacts.put("in", b"x")
    session.artifacts.put("out", b"y", parent=given)
    assert paths(session, "out") == {"out": ["in"], "in": []}


def test_what_was_brought_back_is_what_it_was(session):
    session.artifacts.put("in", b"x")
    with session.tool("t") as call:
        call.read("in")
        session.artifacts.put("out", b"y")
    moment = session.event_count - 1
    session.artifacts.put("out", b"by hand")
    session.artifacts.delete("in")
    session.restore(moment)
    steps = trace(session.store.core, session.artifacts["out"].id)
    assert [(step.path, [work.name for work in step.work]) for step in steps] == [
        ("out", []),
        ("out", ["t"]),
        ("in", []),
    ]
    assert steps[0].origin == steps[1].id


def test_an_input_must_be_there(session):
    with pytest.raises(NotFound), session.tool("t") as call:
        call.read("missing")


# Auditing


@pytest.fixture
def audited(tmp_path):
    sessionfs.open(tmp_path / "audited", create=True).close()
    with open(tmp_path / "audited" / "config.toml", "a") as file:
        file.write("[events]\naudit_reads = true\n")
    with sessionfs.open(tmp_path / "audited", background_sync=False) as store:
        session = store.sessions.create(id="s")
        session.artifacts.put("a/b", b"content")
        session.artifacts.put("c", b"1")
        yield session


def reads(session):
    return [(event.data["path"], event.data["id"]) for event in session.events("artifact.retrieved")]


def test_each_opening_is_one_event(audited):
    artifacts = audited.artifacts
    artifact = artifacts["a/b"]
    artifacts.list()
    assert reads(audited) == []
    with artifacts.open("a/b") as file:
        file.read(1)
        file.read()
    assert artifact.read_bytes() == b"content"
    with artifacts.open("a/b", "a") as file:  # which cannot read
        file.write("!")
    assert reads(audited) == [("a/b", artifact.id)] * 2
    newer = artifacts["a/b"]
    with artifacts.open("a/b", "r+") as file:
        file.read()
    with artifacts.open("c", "w") as file:
        file.write("2")
    assert reads(audited)[2:] == [("a/b", newer.id)] and newer.id != artifact.id
    artifacts.rename("c", "d")
    artifacts.read("d")
    assert reads(audited)[-1] == ("d", artifacts["d"].id)


def test_reads_of_a_session_that_has_ended_are_recorded_too(audited):
    audited.complete()
    audited.artifacts.read("c")
    assert reads(audited) == [("c", "s:3")]
    assert audited.status == "completed" and audited.verify_log().is_whole


def test_what_cannot_be_recorded_is_read_all_the_same(audited):
    artifact = audited.artifacts["c"]
    audited.delete()
    assert artifact.read_bytes() == b"1"


def test_without_auditing_nothing_is_recorded(session):
    session.artifacts.put("c", b"1")
    session.artifacts.read("c")
    assert session.event_count == 2
