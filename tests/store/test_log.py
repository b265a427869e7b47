"""A log on the real disk: two writers are two Log objects, as two processes would have them."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import threading

import pytest
from bare import Bare, draft, values_of
from blake3 import blake3
from descriptors import count_descriptors

from sessionfs.durable import Mode
from sessionfs.locks import LockHeld, acquire
from sessionfs.log import CorruptLog, NoSuchLog, RecordTooLarge


@pytest.fixture
def bare(tmp_path):
    return Bare(tmp_path)


@pytest.fixture
def log(bare):
    return bare.log(create=True)


def test_what_is_appended_is_read_by_others(bare, log):
    other = bare.log()
    assert other.read_new() == []
    bare.append(log, 1, 2)
    assert values_of(other.read_new()) == [1, 2]
    assert other.read_new() == []
    bare.append(log, 3)
    assert values_of(other.read_new()) == [3]
    assert other.position == log.position


def test_a_writer_is_given_what_others_appended(bare, log):
    other = bare.log()
    bare.append(log, 1)
    assert values_of(bare.append(other, 2)) == [1]
    assert values_of(bare.append(log, 3)) == [2]
    assert values_of(bare.log().read_new()) == [1, 2, 3]


def test_the_chain_is_recomputed_by_hand_from_the_documented_grammar(bare, log):
    bare.append(log, {"text": "naïve"}, 2)
    bare.append(log, 3)
    chain = b"s"
    offset = 0
    for number, line in enumerate(bare.log_path.read_bytes().splitlines(keepends=True)):
        record = json.loads(line)
        body = line[: line.rindex(b',"chain":"')]
        chain = blake3(chain + body).hexdigest(length=16).encode()
        assert line == body + b',"chain":"' + chain + b'"}\n'
        assert record["seq"] == number and record["actor"] == "me" and record["base"] == 0
        offset += len(line)
    assert (number, offset) == (2, log.position.offset)


def test_several_records_are_all_written_or_none(bare, log):
    bare.append(log, 1)
    before = bare.log_path.read_bytes()
    with pytest.raises(RecordTooLarge), log.writing():
        log.append(bare.clock, [draft(2), draft("x" * 70_000), draft(3)], actor="me")
    assert bare.log_path.read_bytes() == before
    bare.append(log, 4)
    assert values_of(bare.log().read_new()) == [1, 4]


def test_time_never_runs_backwards(bare, log):
    times = iter([5_000_000_000, 3_000_000_000, 7_000_000_000])
    with log.writing():
        written = [log.append(lambda: next(times), [draft(number)], actor="me")[0].time for number in range(3)]
    assert written == sorted(written) and written[0] == written[1] < written[2]
    other = bare.log()
    with other.writing():
        (record,) = other.append(lambda: 0, [draft(3)], actor="me")
    assert record.time == written[2]


TORN = [b"{", b'{"seq":2,"ti', b"\0", b"\0" * 200, b"\n", b"garbage\n", b"\0\0\n", b"\0" * 80 + b'{"seq":9}\n']


@pytest.mark.parametrize("tail", TORN)
def test_a_torn_tail_is_set_aside_by_the_next_writer(bare, log, tail):
    bare.append(log, 0, 1)
    whole = bare.log_path.read_bytes()
    bare.log_path.write_bytes(whole + tail)
    reader = bare.log()
    assert values_of(reader.read_new()) == [0, 1]
    assert reader.damage is None
    assert bare.log_path.read_bytes() == whole + tail  # readers leave it alone
    bare.append(bare.log(), 2)
    assert bare.torn() == [tail]
    assert bare.log_path.read_bytes().startswith(whole)
    assert values_of(reader.read_new()) == values_of(log.read_new()) == [2]


def test_every_cut_of_the_last_record_is_set_aside(bare, log):
    bare.append(log, 0, 1)
    whole = bare.log_path.read_bytes()
    start = whole.index(b"\n") + 1
    for end in range(start + 1, len(whole)):
        bare.log_path.write_bytes(whole[:end])
        other = bare.log()
        assert values_of(bare.append(other, "new")) == [0]
        assert values_of(bare.log().read_new()) == [0, "new"]
    assert sorted(bare.torn(), key=len) == [whole[start:end] for end in range(start + 1, len(whole))]


def test_every_cut_of_records_that_were_appended_together_leaves_none_of_them(bare, log):
    bare.append(log, 0, {"x": 1, "more": 5})  # data that look like the word they are told by
    start = bare.log_path.stat().st_size
    bare.append_together(log, *"abc")
    whole = bare.log_path.read_bytes()
    ends = [start + length for length in range(0, len(whole) - start, 17)]
    lines = [place + 1 for place in range(start, len(whole)) if whole[place : place + 1] == b"\n"]
    for end in sorted({*ends, *lines[:-1]}):
        bare.log_path.write_bytes(whole[:end])
        reader = bare.log()
        assert len(reader.read_new()) == 2 and reader.damage is None
        assert [record.seq for _, record in bare.log().lines()] == [0, 1]
        bare.append(bare.log(), "new")
        assert values_of(bare.log().read_new())[2:] == ["new"]
    assert whole[start : lines[1]] in bare.torn()
    bare.log_path.write_bytes(whole)
    assert values_of(bare.log().read_new())[2:] == [*"abc"]
    assert len(list(bare.log().lines())) == 5


def test_a_reader_sees_records_that_were_appended_together_all_at_once(bare, log):
    bare.append(log, 0)
    start = bare.log_path.stat().st_size
    bare.append_together(log, *range(1, 200))
    whole = bare.log_path.read_bytes()
    bare.log_path.write_bytes(whole[:start])
    reader = bare.log()
    assert values_of(reader.read_new()) == [0]
    for end in range(start + 1, len(whole), 1999):  # as it grows while it is being written
        bare.log_path.write_bytes(whole[:end])
        assert reader.read_new() == []
    bare.log_path.write_bytes(whole)
    assert values_of(reader.read_new()) == [*range(1, 200)]
    bare.append_together(log, "x", "y")
    assert values_of(reader.read_new()) == ["x", "y"]


def test_records_that_are_longer_than_one_reading_count_together(bare, log):
    bare.append_together(log, *(f"{number:050000}" for number in range(100)))  # 5 MB
    assert len(bare.log().read_new()) == 100
    content = bare.log_path.read_bytes()
    bare.log_path.write_bytes(content[: content.rindex(b"\n", 0, -1) + 1])
    assert bare.log().read_new() == [] == list(bare.log().lines())
    bare.append(bare.log(), 1)
    assert values_of(bare.log().read_new()) == [1]


def test_damage_in_records_that_were_appended_together_is_named(bare, log):
    bare.append(log, 0)
    bare.append_together(log, *range(1, 5))
    content = bytearray(bare.log_path.read_bytes())
    offset = sum(map(len, content.splitlines(keepends=True)[:3]))
    content[offset + 20] ^= 1
    bare.log_path.write_bytes(content)
    other = bare.log()
    assert values_of(other.read_new()) == [0]
    with pytest.raises(CorruptLog, match=f"record 3, at byte {offset}"), other.writing():
        pass


def test_a_record_as_long_as_the_torn_tail_before_it_is_neither_missed_nor_cut_off(bare, log):
    bare.append(log, 0)
    length = bare.log_path.stat().st_size
    bare.append(log, 1)
    torn_length = bare.log_path.stat().st_size
    with open(bare.log_path, "r+b") as file:  # as a power cut leaves it: the length arrived, the data did not
        file.seek(length)
        file.write(bytes(torn_length - length))
    reader, writer = bare.log(), bare.log()
    assert values_of(reader.read_new()) == values_of(writer.read_new()) == [0]
    bare.append(bare.log(), 7)
    assert bare.log_path.stat().st_size == torn_length
    assert values_of(reader.read_new()) == [7]
    assert values_of(bare.append(writer, 8)) == [7]
    assert values_of(bare.log().read_new()) == [0, 7, 8]


@pytest.mark.parametrize("flip", [1, 0x80])
def test_damage_in_the_middle_is_named_and_the_log_becomes_read_only(bare, log, flip):
    bare.append(log, *range(5))
    content = bytearray(bare.log_path.read_bytes())
    lines = content.splitlines(keepends=True)
    offset = len(lines[0]) + len(lines[1])
    content[offset + 20] ^= flip
    bare.log_path.write_bytes(content)
    other = bare.log()
    assert values_of(other.read_new()) == [0, 1]
    assert (other.damage.seq, other.damage.offset) == (2, offset)
    with pytest.raises(CorruptLog, match=f"record 2, at byte {offset}"), other.writing():
        pass
    with pytest.raises(CorruptLog), bare.log().writing():
        pass
    assert bare.log_path.read_bytes() == content and bare.torn() == []
    lines = bare.log().lines()
    assert [next(lines)[1].seq, next(lines)[1].seq] == [0, 1]
    with pytest.raises(CorruptLog):
        next(lines)
    bare.log_path.read_bytes()


def test_a_writer_that_found_damage_lets_go_of_the_lock(bare, log):
    bare.append(log, *range(3))
    content = bytearray(bare.log_path.read_bytes())
    content[20] ^= 1
    bare.log_path.write_bytes(content)
    with pytest.raises(CorruptLog), bare.log().writing():
        pass
    with open(bare.log_path, "rb") as file:
        acquire(file.fileno(), "the log", wait_seconds=0)


def test_lines_are_yielded_as_they_stand_in_the_file(bare, log):
    bare.append(log, *range(10))
    assert b"".join(line for line, _ in log.lines()) == bare.log_path.read_bytes()
    assert [record.seq for _, record in log.lines()] == list(range(10))
    fifth = bare.log()
    fifth.read_new()
    bare.append(log, 10)
    assert [record.seq for _, record in log.lines(fifth.position)] == [10]


def test_lines_go_on_while_the_log_rests(bare, log):
    bare.append(log, *range(3))
    lines = log.lines()
    next(lines)
    log.rest()
    assert [record.seq for _, record in lines] == [1, 2]


def test_a_rested_log_opens_again(bare, log):
    bare.append(log, 1)
    log.rest()
    assert log.read_new() == []
    bare.append(log, 2)
    with log.writing():
        log.rest()  # somebody is writing: nothing happens
        log.append(bare.clock, [draft(3)], actor="me")
    assert values_of(bare.log().read_new()) == [1, 2, 3]


def test_a_log_of_many_megabytes_is_read_in_pieces(bare, log):
    for _ in range(200):
        bare.append(log, "x" * 50_000)
    other = bare.log()
    assert len(other.read_new()) == 200
    assert other.position == log.position


def test_a_missing_log_is_not_found(bare):
    for call in (lambda log: log.read_new(), lambda log: log.writing().__enter__(), lambda log: next(log.lines())):
        with pytest.raises(NoSuchLog):
            call(bare.log())


def test_the_mark_is_touched_after_each_append(bare, log):
    bare.append(log, 1)
    mark = bare.path / "changed" / "s"
    os.utime(mark, (0, 0))
    bare.append(log, 2)
    assert mark.stat().st_mtime > 0
    os.unlink(mark)
    os.rmdir(mark.parent)
    bare.append(bare.log(), 3)  # a copy of a store comes without its marks
    assert mark.exists()


def test_a_mark_that_cannot_be_made_fails_nothing(bare, log):
    (bare.path / "changed" / "s").mkdir()
    bare.append(log, 1)
    assert values_of(bare.log().read_new()) == [1]


def test_a_log_that_is_forgotten_closes_its_descriptors(bare, log):
    def open_here() -> int:
        """Descriptors of this log alone: what other tests left behind is collected whenever it pleases."""
        found = 0
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):  # the listing's own
                found += os.readlink(f"/proc/self/fd/{name}") == os.path.realpath(log.path)
        return found

    bare.append(log, 1)
    before = open_here()
    assert before > 0
    for _ in range(10):
        other = bare.log()
        bare.append(other, 2)
        del other
    gc.collect()
    assert open_here() == before


def test_another_process_that_keeps_the_lock_is_named(bare, log):
    bare.append(log, 1)
    with open(bare.log_path, "rb") as one, open(bare.log_path, "rb") as two:
        acquire(one.fileno(), "the log")
        with pytest.raises(LockHeld, match=f"the log is locked: process {os.getpid()} has held it"):
            acquire(two.fileno(), "the log", wait_seconds=0.01)


@pytest.mark.parametrize("mode", Mode)
def test_threads_and_writers_lose_nothing(tmp_path, mode):
    bare = Bare(tmp_path, mode)
    logs = [bare.log(create=True), bare.log()]
    count = 20 if mode is Mode.FULL else 100

    def append(number):
        for step in range(count):
            bare.append(logs[number % 2], [number, step])

    threads = [threading.Thread(target=append, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = bare.log().read_new()
    assert [record.seq for record in records] == list(range(8 * count))
    found = values_of(records)
    for number in range(8):
        assert [step for who, step in found if who == number] == list(range(count))
    assert [record.time for record in records] == sorted(record.time for record in records)


def test_a_reader_beside_a_writer_sees_a_growing_prefix(bare, log):
    done = threading.Event()
    numbers = random.Random(2)

    def write():
        for number in range(300):
            bare.append(log, [number, "x" * numbers.randrange(5000)])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reader, seen = bare.log(), []
    while not done.is_set():
        seen += [value[0] for value in values_of(reader.read_new())]
        assert seen == list(range(len(seen)))
    writer.join()
    seen += [value[0] for value in values_of(reader.read_new())]
    assert seen == list(range(300)) and reader.damage is None


def test_a_forked_child_takes_its_own_lock(bare, log):
    bare.append(log, "before")
    with log.writing():
        pid = os.fork()
        if pid == 0:  # the child
            code = 1
            try:
                with open(bare.log_path, "rb") as file:
                    try:
                        acquire(file.fileno(), "the log", wait_seconds=0)
                    except LockHeld:
                        code = 0
            finally:
                os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        log.append(bare.clock, [draft("parent")], actor="me")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            bare.append(log, "child")
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    assert values_of(bare.append(log, "after")) == ["child"]
    assert values_of(bare.log().read_new()) == ["before", "parent", "child", "after"]


def test_a_log_may_rest_while_it_is_committed_and_written_again(tmp_path):
    bare = Bare(tmp_path, Mode.FULL)
    log = bare.log(create=True)
    bare.append(log, 1)
    log.rest()
    before = count_descriptors()
    in_sync, go_on = threading.Event(), threading.Event()
    sync = bare.disk.fdatasync

    def slow(fd):
        in_sync.set()
        assert go_on.wait(60)
        sync(fd)

    bare.disk.fdatasync = slow
    with log.writing():
        log.append(bare.clock, [draft(2)], actor="me")
    committing = threading.Thread(target=log.commit)
    committing.start()
    assert in_sync.wait(60)
    log.rest()
    with log.writing():
        log.append(bare.clock, [draft(3)], actor="me")
    log.rest()
    go_on.set()
    committing.join()
    log.commit()
    assert values_of(bare.log().read_new()) == [1, 2, 3]
    log.rest()
    assert count_descriptors() == before
