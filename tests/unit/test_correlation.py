"""What records have in common: contexts, and how they reach other processes."""

from __future__ import annotations

import threading

import pytest

from sessionfs import correlation
from sessionfs.correlation import BadCorrelation, Block, correlate, current, environment, parse_environment

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(autouse=True)
def _no_inheritance():
    correlation.inherit({})
    yield
    correlation.inherit({})


def test_there_is_no_context_by_itself():
    assert current() is None and environment() == {}


def test_inside_the_outer_context_goes_on():
    with correlate("outer", cause="s:1", trace=TRACE) as outer:
        with correlate(cause="s:2") as inner:
            assert (inner.correlation_id, inner.cause, inner.trace) == ("outer", "s:2", TRACE)
        with correlate("own") as inner:
            assert (inner.correlation_id, inner.cause) == ("own", "s:1")
        assert current() == outer
    assert current() is None


def test_an_id_that_is_not_given_is_the_traces_or_a_new_one():
    with correlate(trace=TRACE) as context:
        assert context.correlation_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    with correlate() as one:
        pass
    with correlate() as other:
        assert len(other.correlation_id) == 32 and other.correlation_id != one.correlation_id


def test_a_failure_ends_the_context():
    with pytest.raises(RuntimeError), correlate("x"):
        raise RuntimeError
    assert current() is None


def test_threads_have_the_context_of_the_process_and_not_of_each_other():
    correlation.inherit({"SESSIONFS_CORRELATION_ID": "process"})
    seen = []
    with correlate("own"):
        thread = threading.Thread(target=lambda: seen.append(current().correlation_id))
        thread.start()
        thread.join()
    assert seen == ["process"]


@pytest.mark.parametrize("text", ["", "x" * 129, "a\nb", "\0", "\udc80", 7])
def test_what_is_no_correlation_id_is_refused(text):
    with pytest.raises(BadCorrelation), correlate(text):
        raise AssertionError


@pytest.mark.parametrize(
    "cause", ["", "s", "s:", ":1", "s:-1", "s:01", "../..:1", "s:1\n", "s:b123", "s:1" + "0" * 18, 7]
)
def test_what_is_no_cause_is_refused(cause):
    with pytest.raises(BadCorrelation), correlate(cause=cause):
        raise AssertionError


BAD_TRACES = [
    "", "x", TRACE.upper(), TRACE[:-1], TRACE + "-more\n", TRACE + "-more", TRACE + "-", TRACE + "x",
    "ff" + TRACE[2:], "01" + TRACE[2:] + "-" + "x" * 500,
    "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01", None,
]  # fmt: skip


@pytest.mark.parametrize("trace", [trace for trace in BAD_TRACES if trace is not None])
def test_what_is_no_traceparent_is_refused_as_an_argument_and_ignored_in_the_environment(trace):
    with pytest.raises(BadCorrelation), correlate(trace=trace):
        raise AssertionError
    assert parse_environment({"TRACEPARENT": trace}) is None
    found = parse_environment({"TRACEPARENT": trace, "SESSIONFS_CORRELATION_ID": "x"})
    assert (found.correlation_id, found.trace) == ("x", None)


def test_a_later_version_of_a_traceparent_is_kept_as_it_is():
    with correlate(trace="01" + TRACE[2:] + "-and-more") as context:
        assert context.trace == "01" + TRACE[2:] + "-and-more"


def test_child_processes_go_on_with_the_context():
    outer = Block("agent.executed", "planner")
    outer.add_input("s:1")
    inner = Block("tool.invoked", "a name\twith \n everything \0 ☃", outer=outer)
    inner.add_input("s:2")
    with correlate("id", cause=f"s:{inner.id}", trace=TRACE, block=inner):
        passed = environment()
    assert set(passed) == set(correlation.VARIABLES)
    assert not any("\0" in value for value in passed.values())
    found = parse_environment({**passed, "HOME": "/"})
    assert (found.correlation_id, found.cause, found.trace) == ("id", f"s:{inner.id}", TRACE)
    block = found.block
    assert (block.type, block.name, block.id, block.outer) == (inner.type, inner.name, inner.id, None)
    assert block.inputs == ["s:2", "s:1"]


def test_what_is_passed_on_always_fits_a_variable():
    block = Block("tool.invoked", "x")
    ids = [f"{'s' * 128}:{number}" for number in range(10_000)]
    for id in ids:
        block.add_input(id)
    with correlate(block=block):
        passed = environment()["SESSIONFS_BLOCK"]
    assert len(passed) < 128 << 10
    assert parse_environment({"SESSIONFS_BLOCK": passed}).block.inputs == ids[-500:]


@pytest.mark.parametrize(
    "variables",
    [
        {"SESSIONFS_CORRELATION_ID": "x" * 200},
        {"SESSIONFS_CAUSE": "nothing"},
        {"SESSIONFS_BLOCK": "tool"},
        {"SESSIONFS_BLOCK": '{"type":"tool.invoked","id":"x","name":"n","inputs":[]}'},
        {"SESSIONFS_BLOCK": '{"type":"tool.invoked","id":"b0123456789abcdef","name":"n","inputs":["../..:1"]}'},
    ],
)
def test_an_environment_that_makes_no_sense_is_refused_by_name(variables):
    with pytest.raises(BadCorrelation, match="SESSIONFS_CORRELATION_ID, SESSIONFS_CAUSE, SESSIONFS_BLOCK"):
        correlation.inherit(variables)


def test_empty_variables_are_none():
    assert parse_environment(dict.fromkeys(correlation.VARIABLES, "")) is None


def test_inputs_are_named_once_by_each_block_in_each_session():
    outer, inner = Block("agent.executed", "a"), None
    outer.add_input("s:1")
    inner = Block("tool.invoked", "t", outer=outer)
    for id in ("s:2", "s:2", "s:1"):
        inner.add_input(id)
    inputs, named = inner.unnamed_inputs("s")
    assert inputs == ["s:2", "s:1"]
    assert inner.unnamed_inputs("s")[0] == inputs  # they are in no record yet
    inner.note_named("s", named)
    assert inner.unnamed_inputs("s")[0] == []
    assert inner.unnamed_inputs("other")[0] == inputs
    outer.add_input("s:3")
    inner.add_input("s:4")
    assert inner.unnamed_inputs("s")[0] == ["s:4", "s:3"]
    assert Block("tool.invoked", "u", outer=outer).unnamed_inputs("s")[0] == ["s:1", "s:3"]
