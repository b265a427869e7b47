"""The verbs of state."""

from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize(
    "text", ["3", "-5", "1.5", '"text"', "null", "true", "[]", '{"a":[1,{"b":null}]}', '"Grüße\\n"', "-0.25e-3"]
)
def test_any_json_comes_back(q4, text):
    assert q4.ok("state", "set", "@", "key", text).out == ""
    assert q4.ok("state", "get", "@", "key").json == json.loads(text)


def test_text(q4):
    q4.ok("state", "set", "@", "user", "--string", "ada 3")
    assert q4.ok("state", "get", "@", "user").out == '"ada 3"\n'
    assert q4.ok("state", "get", "@", "user", "--string").out == "ada 3\n"
    q4.ok("state", "set", "@", "n", "3")
    assert "is no text" in q4.fails(2, "state", "get", "@", "n", "--string")


def test_standard_input(q4):
    large = json.dumps(["x" * 100] * 500)
    q4.ok("state", "set", "@", "large", "-", stdin=large.encode())
    assert q4.ok("state", "get", "@", "large").json == json.loads(large)
    q4.ok("state", "set", "@", "text", "-", "--string", stdin=b"two\nlines\n")
    assert q4.ok("state", "get", "@", "text").json == "two\nlines"
    assert "no UTF-8" in q4.fails(2, "state", "set", "@", "bad", "-", stdin=b"\xff")


def test_list(q4):
    for key, value in (("b", '"x\\ty"'), ("a.1", "[1, 2]"), ("a.2", "null")):
        q4.ok("state", "set", "@", key, value)
    assert q4.ok("state", "list", "@").lines == ["a.1\t[1, 2]", "a.2\tnull", 'b\t"x\\ty"']
    assert q4.ok("state", "list", "@", "a.").lines == ["a.1\t[1, 2]", "a.2\tnull"]
    assert q4.ok("state", "list", "@", "--json").json == {"a.1": [1, 2], "a.2": None, "b": "x\ty"}
    q4.ok("state", "set", "@", "b", json.dumps("x" * 100))
    assert q4("state", "list", "@", "b", terminal=True, NO_COLOR="1").lines[1] == 'b    "' + "x" * 58 + "…"


def test_remove_is_all_or_nothing(q4):
    q4.ok("state", "set", "@", "a", "1")
    q4.ok("state", "set", "@", "b", "2", "--json")
    assert "no key 'c'" in q4.fails(3, "state", "rm", "@", "a", "c")
    assert q4.ok("state", "list", "@", "--json").json == {"a": 1, "b": 2}
    assert q4.ok("state", "rm", "@", "a", "b", "a", "--json").json == ["a", "b", "a"]
    assert q4.ok("state", "list", "@", "--json").json == {}


def test_what_is_wrong(q4):
    assert "the value is not JSON" in q4.fails(2, "state", "set", "@", "k", "word")
    assert "add --string" in q4.fails(2, "state", "set", "@", "k", "")
    assert "not JSON" in q4.fails(2, "state", "set", "@", "k", "NaN")
    assert "is no key" in q4.fails(2, "state", "set", "@", "a/b", "1")
    assert "is no key" in q4.fails(2, "state", "set", "@", "..", "1")
    assert "at most 255" in q4.fails(2, "state", "set", "@", "k" * 256, "1")
    assert "no key 'k'" in q4.fails(3, "state", "get", "@", "k")
    q4.ok("session", "suspend")
    assert "is suspended" in q4.fails(4, "state", "set", "@", "k", "1")
    assert q4.ok("session", "show", "--json").json["state_count"] == 0


def test_compare_and_swap(q4):
    q4.ok("state", "set", "@", "step", "3", "--if-none-match")
    q4.ok("state", "set", "@", "step", "4", "--if-match", "3")
    assert "decide anew" in q4.fails(5, "state", "set", "@", "step", "5", "--if-match", "3")
    assert "already" in q4.fails(5, "state", "set", "@", "step", "5", "--if-none-match")
    assert q4.ok("state", "get", "@", "step").json == 4
    q4.ok("state", "set", "@", "user", "--string", "ada")
    q4.ok("state", "set", "@", "user", "--string", "bob", "--if-match", "ada")
    assert "not JSON" in q4.fails(2, "state", "set", "@", "user", '"eve"', "--if-match", "bob")
