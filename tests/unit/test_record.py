import json

import msgspec
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from sessionfs.log import MAX_RECORD_BYTES, CorruptLog, Position, RecordTooLarge, encode_data, parse_linked
from sessionfs.log.damage import is_damage
from sessionfs.log.framing import is_linked
from sessionfs.log.record import Body, format_line, parse_line

START = Position(0, 0, "session", 0)


def make_lines(count, size=10):
    lines, chain = [], "session"
    for seq in range(count):
        data = msgspec.Raw(encode_data({"n": "x" * size}))
        body = Body(seq=seq, time="2026-11-20T22:44:01.000000000Z", type="custom.x", actor="me", data=data, base=0)
        line, chain = format_line(body, chain)
        lines.append(line)
    return lines


def test_a_line_is_json_and_its_chain_is_last():
    (line,) = make_lines(1)
    fields = json.loads(line)
    assert list(fields) == ["seq", "time", "type", "actor", "data", "base", "chain"]
    assert line.endswith(b'","chain":"%b"}\n' % fields["chain"].encode()) or line.endswith(
        b',"chain":"%b"}\n' % fields["chain"].encode()
    )


def test_the_chain_can_be_recomputed_by_hand():
    previous = "session"
    for line in make_lines(5):
        body, chain = line[:-1].rsplit(b',"chain":"', 1)
        assert blake3(previous.encode() + body).hexdigest()[:32].encode() + b'"}' == chain
        previous = chain[:32].decode()


def test_lines_are_parsed_up_to_the_first_that_is_not_linked():
    lines = make_lines(5)
    records, position = parse_linked(b"".join(lines), START)
    assert [record.seq for record in records] == [0, 1, 2, 3, 4]
    assert position == Position(5, sum(map(len, lines)), records[-1].chain, 0)
    swapped = [lines[0], lines[2], lines[1], lines[3]]
    assert parse_linked(b"".join(swapped), START)[1].seq == 1
    assert parse_linked(b"".join(lines), msgspec.structs.replace(START, chain="another"))[0] == []
    assert parse_linked(b"".join(lines), msgspec.structs.replace(START, seq=1))[0] == []


@given(st.integers(0, 4), st.data())
def test_any_damaged_byte_ends_the_good_part_before_its_line(number, data):
    lines = make_lines(5)
    line = bytearray(lines[number])
    place = data.draw(st.integers(0, len(line) - 1))
    line[place] ^= data.draw(st.integers(1, 255))
    records, position = parse_linked(b"".join([*lines[:number], line, *lines[number + 1 :]]), START)
    assert position.seq == len(records) == number
    assert position.offset == sum(map(len, lines[:number]))


@given(st.integers(0, 3), st.data())
def test_damage_before_good_records_is_told_from_a_torn_tail(number, data):
    lines = make_lines(6)
    line = bytearray(lines[number])
    place = data.draw(st.integers(0, len(line) - 2))  # not its end, which would make it one with the next
    line[place] ^= data.draw(st.integers(1, 255).filter(lambda flip: line[place] ^ flip not in (0, 10)))
    content = b"".join([*lines[:number], line, *lines[number + 1 :]])
    _, good = parse_linked(content, START)
    assert is_damage(content[good.offset :], good.seq, good.chain)


@given(st.integers(0, 3), st.integers(0, 200), st.integers(1, 400))
def test_a_hole_before_later_records_is_damage(number, start, length):
    lines = make_lines(8)
    begin = sum(map(len, lines[:number])) + start
    content = b"".join(lines)
    length = min(length, sum(map(len, lines[:6])) - begin)  # two records are left that follow one from the other
    content = content[:begin] + bytes(length) + content[begin + length :]
    _, good = parse_linked(content, START)
    assert is_damage(content[good.offset :], good.seq, good.chain)


@given(st.integers(0, 5), st.data())
def test_a_torn_tail_is_no_damage(number, data):
    lines = make_lines(6)
    cut = data.draw(st.integers(0, len(lines[number]) - 1))
    old = data.draw(st.sampled_from([b"", b"\0" * 50, b"\0" * 50 + b"".join(lines[:number]), b"garbage"]))
    content = b"".join(lines[:number]) + lines[number][:cut] + old
    _, good = parse_linked(content, START)
    assert good.seq == number
    assert not is_damage(content[good.offset :], good.seq, good.chain)


def test_damage_has_a_place_and_an_advice():
    failure = CorruptLog("/s/log", 7, 4711)
    assert (failure.seq, failure.offset) == (7, 4711)
    assert all(word in str(failure) for word in ("/s/log", "record 7", "byte 4711", "read-only", "fsck"))


def test_a_line_of_64_kib_is_possible_and_one_more_byte_is_not():
    overhead = len(make_lines(1, 0)[0])
    assert len(make_lines(1, MAX_RECORD_BYTES - overhead)[0]) == MAX_RECORD_BYTES
    with pytest.raises(RecordTooLarge, match="at most 65536"):
        make_lines(1, MAX_RECORD_BYTES - overhead + 1)


def test_what_is_no_record_is_none():
    assert parse_line(b"{}") is None
    assert parse_line(b"\0\0") is None
    assert not is_linked(b"short", "session")
    assert is_linked(make_lines(1)[0][:-1], "session")


@pytest.mark.parametrize("data", [float("nan"), {"a": [None, float("inf")]}, {"x": object()}, "\udc80"])
def test_what_json_cannot_hold_is_not_written(data):
    with pytest.raises((TypeError, ValueError)):
        encode_data(data)


def test_null_is_json():
    assert encode_data({"a": None, "b": 1.5}) == b'{"a":null,"b":1.5}'
