"""Finding records in a log's bytes."""

from __future__ import annotations

import random

import pytest
from bare import Bare, draft

from sessionfs.clock import format_time, parse_time
from sessionfs.log.search import find_last, find_seq, find_time
from sessionfs.log.stretch import position_after, read_stretch


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A log of short and long records; several share a time."""
    bare = Bare(tmp_path_factory.mktemp("log"))
    log = bare.log(create=True)
    sizes = random.Random(1)
    for _ in range(300):
        values = ["x" * sizes.choice([0, 10, 300, 3000, 60_000]) for _ in range(sizes.randrange(1, 4))]
        with log.writing():
            log.append(bare.clock, [draft(value) for value in values], actor="me")
    return log


@pytest.fixture(scope="module")
def records(log):
    return [record for _, record in log.lines()]


def test_every_record_is_found_by_its_number(log, records):
    end = log.position
    for record in records:
        line = find_seq(log.read_at, end.offset, record.seq)
        assert line.seq == record.seq
        position = position_after(line)
        assert (position.seq, position.chain, position.base) == (record.seq + 1, record.chain, record.base)
    assert position == end
    assert find_seq(log.read_at, end.offset, len(records)) is None
    assert find_seq(log.read_at, 0, 0) is None


def test_the_last_record_that_is_not_later_is_found_by_time(log, records):
    first_ns = parse_time(records[0].time)
    assert find_time(log.read_at, log.position.offset, format_time(first_ns - 1)) is None
    for seconds in range(0, 300_000_000, 3_700_000):
        time = format_time(first_ns + seconds)
        expected = max(record.seq for record in records if record.time <= time)
        assert find_time(log.read_at, log.position.offset, time).seq == expected


def test_finding_reads_little(log):
    read = []

    def read_at(offset, length):
        data = log.read_at(offset, length)
        read.append(len(data))
        return data

    assert find_seq(read_at, log.position.offset, 123).seq == 123
    assert len(read) < 60 and sum(read) < log.position.offset // 10


def test_a_stretch_is_verified_between_its_ends(log, records):
    start = position_after(find_seq(log.read_at, log.position.offset, 99))
    end = position_after(find_seq(log.read_at, log.position.offset, 199))
    assert [record.seq for record in read_stretch(log, start, end)] == list(range(100, 200))
    assert list(read_stretch(log, end, end)) == []


def test_garbage_is_passed_over_and_found_out(tmp_path):
    bare = Bare(tmp_path)
    log = bare.log(create=True)
    bare.append(log, *["x" * 500] * 200)
    data = bytearray(bare.log_path.read_bytes())
    middle = find_seq(log.read_at, log.position.offset, 100)
    data[middle.offset : middle.offset + 3000] = b"\n" * 3000
    bare.log_path.write_bytes(data)
    assert find_seq(log.read_at, log.position.offset, 150).seq == 150
    assert find_seq(log.read_at, log.position.offset, 102) is None
    assert find_last(log.read_at, log.position.offset, lambda seq, time: True).seq == 199
