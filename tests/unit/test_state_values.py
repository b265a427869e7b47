import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionfs.log import MAX_DEPTH, check_depth
from sessionfs.state import BadKey, BadValue, KeyTooLong, NoSuchKey, State, check_key, encode_value, parse_value

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_any_json_comes_back(value):
    state = State(load=lambda oid: b"")
    state.change(state.describe_change("key", encode_value(value)), "2026-11-20T22:44:01.000000000Z")
    assert state.get("key") == value


@pytest.mark.parametrize("value", [object(), "\udc80", float("nan"), [float("-inf")], {"a": {"b": float("nan")}}])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(BadValue):
        encode_value(value)


@given(json_values, st.integers(0, 3), st.integers(0, 3))
def test_a_value_may_be_nested_so_deep_and_no_deeper(value, more, limit):
    def depth(one):
        inner = one if isinstance(one, list) else one.values() if isinstance(one, dict) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    for _ in range(more):
        value = [value, 'a "quoted\\" [{']
    text = encode_value(value)
    if depth(value) <= limit:
        check_depth(text, limit)
    else:
        with pytest.raises(ValueError, match="deep"):
            check_depth(text, limit)


def test_what_is_nested_too_deeply_is_refused():
    value = "x"
    for _ in range(MAX_DEPTH):
        value = [value]
    assert parse_value(encode_value(value)) == encode_value(value)
    with pytest.raises(BadValue, match="100 deep"):
        encode_value({"a": value})
    with pytest.raises(BadValue, match="100 deep"):
        parse_value("[" * 101 + "]" * 101)


def test_text_is_made_compact():
    assert parse_value(' { "a" : [ 1 , 2 ] } ') == b'{"a":[1,2]}'
    assert parse_value(b'"x"\n') == b'"x"'


@pytest.mark.parametrize(
    "text", [b"", b"nul", b"NaN", b"[1,]", b'"\xff"', b"1e999", b'"a\nb"', "\udc80", b"word", b"[" * 5000 + b"]" * 5000]
)
def test_text_that_could_not_be_read_back_is_refused(text):
    with pytest.raises(BadValue, match="not JSON"):
        parse_value(text)


@pytest.mark.parametrize("key", ["", ".", "..", "a/b", "a\0b", "\udc80", 5, b"a"])
def test_a_key_is_also_a_files_name(key):
    with pytest.raises(BadKey):
        check_key(key)


def test_a_key_has_255_bytes_at_most():
    assert check_key("é" * 127) == "é" * 127
    with pytest.raises(KeyTooLong) as failure:
        check_key("é" * 128)
    assert failure.value.errno == errno.ENAMETOOLONG


def test_a_change_says_what_was_and_what_is():
    state = State(load=lambda oid: b'"from an object"')
    first = state.describe_change("k", b"1")
    state.change(first, "t1")
    second = state.describe_change("k", b'"long"', oid="0" * 64)
    assert bytes(second.old) == b"1" and second.new_oid == "0" * 64 and second.new_size == 6
    state.change(second, "t2")
    assert state.get("k") == "from an object"
    gone = state.describe_change("k", None)
    assert gone.old_oid == "0" * 64
    state.change(gone, "t3")
    assert len(state) == 0 and "k" not in state
    with pytest.raises(NoSuchKey, match="no key 'k'"):
        state.get("k")


def test_keys_are_listed_by_prefix_in_order():
    state = State(load=lambda oid: b"")
    for key in ("b", "ab", "aa"):
        state.change(state.describe_change(key, b"1"), "t")
    assert state.keys() == ["aa", "ab", "b"]
    assert state.keys("a") == ["aa", "ab"]
