"""Asking for events, and what callers' records say: pure."""

from __future__ import annotations

import msgspec
import pytest

from sessionfs.errors import InvalidInput
from sessionfs.events import callers
from sessionfs.events.event import Event
from sessionfs.events.query import Query
from sessionfs.events.tree import trees
from sessionfs.events.types import TYPES, UnknownType, check_pattern
from sessionfs.log import Record, encode_data
from sessionfs.store import fold, hook_history
from sessionfs.store.session import CALLERS_TYPES


def event(seq=0, type="custom.x", data=None, session="s", **fields):
    record = Record(
        seq=seq,
        time=f"2026-11-20T22:44:{seq:02d}.000000000Z",
        type=type,
        actor="me",
        data=msgspec.Raw(encode_data(data if data is not None else {})),
        base=0,
        chain="0" * 32,
        **fields,
    )
    return Event(session, record, objects=None)


@pytest.mark.parametrize(
    "pattern",
    [*TYPES, "tool.*", "*", "*.deleted", "artifact.[sd]*", "custom.anything", "custom*", "c*", "?ool.invoked"],
)
def test_patterns_that_can_match(pattern):
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize(
    "pattern", ["tool.invokd", "", "tools.*", "Tool.invoked", "custo.x", "c.*", "x*", "..", 5, None]
)
def test_patterns_that_no_type_matches_are_refused(pattern):
    with pytest.raises(UnknownType):
        check_pattern(pattern)


def test_the_nearest_types_are_named():
    with pytest.raises(UnknownType, match=r"did you mean tool\.invoked"):
        Query(types=("tool.invoke",))


def test_all_that_is_recorded_is_in_the_table_of_types():
    assert {*CALLERS_TYPES, *fold._STEPS, *hook_history.TYPE_OF.values()} <= set(TYPES)


@pytest.mark.parametrize(
    "bad", [{"start": -1}, {"limit": -1}, {"end": "x"}, {"text": 5}, {"correlation": ""}, {"types": ("nothing",)}]
)
def test_queries_that_make_no_sense(bad):
    with pytest.raises(InvalidInput):
        Query(**bad)


@pytest.mark.parametrize(
    ("query", "accepted"),
    [
        ({}, True),
        ({"types": ("custom.y", "custom.?")}, True),
        ({"types": ("custom.y",)}, False),
        ({"actor": "m*"}, True),
        ({"actor": "m"}, False),
        ({"correlation": "c"}, True),
        ({"correlation": "C"}, False),
        ({"text": 'STRASSE "1"\n'}, True),
        ({"text": "missing"}, False),
        ({"text": "straße", "actor": "you"}, False),
    ],
)
def test_what_a_query_accepts(query, accepted):
    given = event(data={"address": 'Straße "1"\n2'}, correlation_id="c")
    accepts = Query(**query).accepts()
    assert (accepts is None or accepts(given)) is accepted


def test_text_that_is_not_unicode_is_refused():
    with pytest.raises(InvalidInput):
        Query(text="\udc80").accepts()


def test_trees_of_causes():
    events = [
        event(0),
        event(1, "workflow.started", {"block": "b1"}),
        event(2, cause="s:b2", session="t"),
        event(3, "tool.invoked", {"block": "b2"}, cause="s:1"),
        event(4, cause="elsewhere:7"),
        event(5, "workflow.completed", {"block": "b1"}, cause="s:1"),
        event(6, cause="s:6"),
    ]
    found = [[(depth, each.id) for depth, each in branch.walk()] for branch in trees(events)]
    assert found == [
        [(0, "s:0")],
        [(0, "s:1"), (1, "s:3"), (2, "t:2"), (1, "s:5")],
        [(0, "s:4")],
        [(0, "s:6")],
    ]
    assert trees(events)[1].to_dict()["effects"][0]["effects"][0]["session"] == "t"


def test_causes_that_form_a_ring_are_shown_from_the_first_on():
    events = [
        event(0, cause="s:2"),
        event(1, cause="s:3"),
        event(2, cause="s:3"),
        event(3, cause="s:1"),
        event(4, cause="s:1"),
        event(5),
    ]
    found = [[(depth, each.seq) for depth, each in branch.walk()] for branch in trees(events)]
    assert found == [[(0, 1), (1, 3), (2, 2), (3, 0), (1, 4)], [(0, 5)]]


def test_a_chain_of_causes_may_be_longer_than_the_stack_is_deep():
    link = event().record
    deep = [
        Event("s", msgspec.structs.replace(link, seq=number, cause=f"s:{number - 1}" if number else None), None)
        for number in range(5_000)
    ]
    (branch,) = trees(deep)
    assert list(branch.walk())[-1] == (4_999, deep[-1])
    assert branch.to_dict()["seq"] == 0


def test_what_blocks_say_has_the_names_of_opentelemetry():
    assert callers.begun("tool.invoked", "grep", {"gen_ai.tool.call.arguments": None, "more": 1}) == {
        "gen_ai.tool.name": "grep",
        "more": 1,
    }
    ended = callers.ended("tool.invoked", result=None, duration_ns=5, error=KeyError("k"))
    assert ended == {
        "gen_ai.tool.call.result": None,
        "error.type": "KeyError",
        "error.message": "'k'",
        "duration_ns": 5,
    }
    assert callers.ended("agent.executed", result="x", usage={"gen_ai.usage.input_tokens": 3}) == {
        "output": "x",
        "gen_ai.usage.input_tokens": 3,
    }


def test_errors_are_described_as_json_can_hold_it():
    assert callers.described(ValueError("bad \udcff name")) == ("ValueError", "bad \\udcff name")
    assert callers.described(callers.BadCall("x"))[0] == "sessionfs.events.callers.BadCall"


@pytest.mark.parametrize("name", ["", None, 5, "x" * 501, "a\nb", "\0", "\udc80"])
def test_what_has_no_name_is_refused(name):
    with pytest.raises(callers.BadCall):
        callers.begun("tool.invoked", name, {})


@pytest.mark.parametrize("number", [-1, 1.5, True, "1"])
def test_what_is_no_count_is_refused(number):
    with pytest.raises(callers.BadCall):
        callers.ended("tool.invoked", duration_ns=number)
