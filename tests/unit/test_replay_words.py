"""Conditions, keys and differences: what replays are told, and what they tell."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionfs.cli.keys import parse_keys
from sessionfs.errors import InvalidInput
from sessionfs.events.event import Event
from sessionfs.log import Record
from sessionfs.replay import BadCondition, has_failed, parse_condition
from sessionfs.replay.rerun import CallFailed, compare_values, rerun

# Conditions


def event(type="tool.invoked", data=None, *, seq=7, actor="uid:0", correlation_id=None):
    text = msgspec.Raw(msgspec.json.encode({} if data is None else data))
    record = Record(
        seq=seq, time="2026-11-20T22:44:01.000000000Z", type=type, actor=actor, correlation_id=correlation_id,
        data=text, base=0, chain="",
    )  # fmt: skip
    return Event("q4", record, None)


@pytest.mark.parametrize(
    ("text", "fits", "does_not"),
    [
        ("tool.*", event(), event("error.occurred")),
        ("type=error.occurred", event("error.occurred"), event()),
        ("7", event(), event(seq=8)),
        ("seq=5..7", event(), event(seq=8)),
        ("seq=5..7", event(seq=5), event(seq=4)),
        ("actor=uid:*", event(), event(actor="gc")),
        ("correlation=order-17", event(correlation_id="order-17"), event(correlation_id="order-1")),
        ("'text=No such'", event(data={"m": "no SUCH table"}), event(data={"m": "such"})),
        ("path=out/*", event("artifact.stored", {"path": "out/a/b"}), event("artifact.stored", {"path": "a"})),
        ("path=b", event("artifact.renamed", {"path": "a", "to": "b"}), event("custom.x", {"path": "b"})),
        ("failed", event(data={"error.type": "E"}), event()),
        ("failed tool.*", event(data={"error.type": "E"}), event("agent.executed", {"error.type": "E"})),
        ("type=tool.* seq=7 text=x", event(data="x"), event(seq=8, data="x")),
    ],
)
def test_conditions(text, fits, does_not):
    accepts = parse_condition(text).accepts()
    assert accepts(fits) and not accepts(does_not)


@pytest.mark.parametrize(
    "text",
    ["", " ", "tipe=x", "type=", "seq=", "seq=x", "seq=3..x", "tool.invokd", "type=a type=b", "5 6", "'x", "path=",
     "correlation=\x00", "seq=" + "9" * 19],
)  # fmt: skip
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(InvalidInput):
        parse_condition(text)


def test_a_refusal_says_what_could_be_written():
    with pytest.raises(BadCondition, match="seq=N or seq=N"):
        parse_condition("tipe=x")


def test_what_counts_as_failed():
    assert has_failed(event("error.occurred")) and has_failed(event("agent.executed", {"error.type": "E"}))
    assert not has_failed(event()) and not has_failed(event(data=["error.type"]))


# Differences


@pytest.mark.parametrize(
    ("recorded", "now", "where"),
    [
        ({"a": [1, 2], "b": None}, {"b": None, "a": [1, 2.0]}, []),
        (1, True, [""]),
        ("1", 1, [""]),
        ({"a": 1}, {"a": None, "b": 1}, ["/a", "/b"]),
        ([1, [2, 3]], [1, [2, 4, 5]], ["/1/1", "/1/2"]),
        ({"a/b": {"~": 1}}, {"a/b": {"~": 2}}, ["/a~1b/~0"]),
        ([], {}, [""]),
        ([1, 2], [1], ["/1"]),
    ],
)
def test_where_values_differ(recorded, now, where):
    assert [differing.where for differing in compare_values(recorded, now)] == where


def test_values_of_any_depth_are_compared():
    deep = other = 0
    for _ in range(5000):
        deep, other = [deep], [other]
    assert list(compare_values(deep, other)) == []


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(json, json)
def test_values_differ_somewhere_or_are_the_same(one, other):
    assert (not list(compare_values(one, other))) == (
        msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")
    )


CALL = {"gen_ai.tool.name": "plot", "gen_ai.tool.call.arguments": {"n": 2}}
RESULT = "gen_ai.tool.call.result"


def refuse(call):
    raise CallFailed("exit code 3")


@pytest.mark.parametrize(
    ("recorded", "function", "expected"),
    [
        ({RESULT: 4}, lambda call: call.parameters["n"] * 2, []),
        ({RESULT: 5}, lambda call: call.parameters["n"] * 2, [{"where": "", "recorded": 5, "now": 4}]),
        ({RESULT: None}, lambda call: None, []),
        ({RESULT: [1, 2]}, lambda call: (1, 2), []),
        ({RESULT: 1}, refuse, [{"where": "error", "now": "exit code 3"}]),
        ({"error.type": "E", "error.message": "m"}, refuse, []),
        ({"error.type": "E", "error.message": "m"}, lambda call: 1, [{"where": "error", "recorded": "E: m"}]),
        ({RESULT: 1}, lambda call: 1 / 0, [{"where": "error", "now": "ZeroDivisionError: division by zero"}]),
    ],
)  # fmt: skip
def test_calling_again(recorded, function, expected):
    outcome = rerun(event(data={**CALL, **recorded}), function)
    assert [differing.to_dict() for differing in outcome.differences] == expected
    assert outcome.name == "plot" and outcome.compared


def test_a_call_without_a_result_has_nothing_to_be_compared_with():
    assert rerun(event(data=CALL), lambda call: 1).compared is False


@pytest.mark.parametrize("other", [event("state.changed"), event(data=[1])])
def test_what_was_no_call_cannot_be_called_again(other):
    with pytest.raises(InvalidInput, match="records no call"):
        rerun(other, print)


# Keys


@pytest.mark.parametrize(
    ("data", "keys", "rest"),
    [
        (b"q\x1b[C\x1bOA\r\x7f ", ["q", "right", "up", "enter", "backspace", " "], b""),
        (b"\x1b", [], b"\x1b"),
        (b"\x1b[", [], b"\x1b["),
        (b"\x1b[1", [], b"\x1b[1"),
        (b"\x1b[1~\x1b[1;5Cx", ["home", "x"], b""),
        (b"\x1bq", ["escape", "q"], b""),
        ("ä€😀".encode(), ["ä", "€", "😀"], b""),
        ("€".encode()[:2], [], "€".encode()[:2]),
        (b"\x01\x80", ["�"], b""),
    ],
)
def test_keys(data, keys, rest):
    assert parse_keys(data) == (keys, rest)


def test_what_ends_is_complete():
    assert parse_keys(b"\x1b", complete=True) == (["escape"], b"")
    assert parse_keys(b"\x1b[", complete=True) == ([], b"")


@given(st.binary(max_size=40))
def test_any_bytes_come_to_an_end(data):
    keys, rest = parse_keys(data)
    assert len(rest) < 17 and len(keys) <= len(data)
    assert parse_keys(rest, complete=True)[1] == b""
