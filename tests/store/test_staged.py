"""Staged content on the real disk: what is written to it, and how often; threads; damage below it."""

from __future__ import annotations

import errno
import os
import random
import threading

import pytest
from bare import Bare
from bench import LIMITS
from descriptors import count_descriptors

from sessionfs.durable import OsDisk
from sessionfs.errors import InvalidInput, NoSpace
from sessionfs.objects import DamagedObject, Limits
from sessionfs.objects.incoming import DECIDED_BYTES, PIECE_BYTES
from sessionfs.oid import hash_bytes

NOISE = random.Random(3).randbytes(3 * PIECE_BYTES)
TEXT = (b"the quick brown fox jumps over the lazy dog\n" * (3 * PIECE_BYTES // 40))[: 3 * PIECE_BYTES]
PAGE = 4096


class Counting(OsDisk):
    """Counts the bytes that are written."""

    def __init__(self):
        super().__init__()
        self.written = 0

    def write(self, fd, data):
        self.written += len(data)
        return os.write(fd, data)

    def pwrite(self, fd, data, offset):
        self.written += len(data)
        return os.pwrite(fd, data, offset)


class Counted(Bare):
    def __init__(self, path):
        super().__init__(path)
        self.disk = Counting()

    def written_by(self, do):
        before = self.disk.written
        do()
        return self.disk.written - before


@pytest.fixture
def bare(tmp_path):
    return Counted(tmp_path)


@pytest.fixture
def objects(bare):
    return bare.objects()


@pytest.fixture
def stage(objects):
    """Stage content that is let go at the end."""
    begun = []

    def begin(base=None, objects=objects):
        begun.append(objects.stage(base))
        return begun[-1]

    yield begin
    for staged in begun:
        staged.discard()


def sizes(bare):
    return sorted(path.stat().st_size for path in (bare.path / "objects").rglob("*") if path.is_file())


# In order


@pytest.mark.parametrize(("data", "compression"), [(NOISE, "none"), (TEXT, "lz4")], ids=["noise", "text"])
@pytest.mark.parametrize("chunk", [10_001, 128 << 10, len(NOISE)])
def test_what_is_written_in_order_is_written_once_and_can_be_read_meanwhile(bare, stage, data, compression, chunk):
    staged = stage()
    numbers = random.Random(chunk)
    for offset in range(0, len(data), chunk):
        staged.pwrite(data[offset : offset + chunk], offset)
        place = numbers.randrange(offset + 1)
        assert staged.pread(5000, place) == data[: offset + chunk][place : place + 5000]
    stored = staged.finish()
    assert (stored.oid, stored.compression) == (hash_bytes(data), compression)
    assert sizes(bare) == [stored.stored_size]
    assert bare.disk.written <= stored.stored_size + 100
    assert bare.objects().read(stored.oid) == data


def test_the_end_may_be_written_in_any_order(bare, stage):
    staged = stage()
    numbers = random.Random(2)
    starts = list(range(0, len(NOISE), 100_000))
    for group in range(0, len(starts), 20):
        some = starts[group : group + 20]
        numbers.shuffle(some)
        for start in some:
            staged.pwrite(NOISE[start : start + 100_000], start)
    assert staged.finish().oid == hash_bytes(NOISE)
    assert bare.disk.written == len(NOISE)


def test_what_is_begun_as_noise_and_ends_as_text_is_not_copied(bare, stage):
    staged = stage()
    data = NOISE * 2 + TEXT
    staged.append(data)
    stored = staged.finish()
    assert len(NOISE) * 2 > DECIDED_BYTES
    assert stored.compression == "none" and bare.disk.written == len(data)


def test_a_header_that_is_written_last_costs_only_itself(bare, stage):
    staged = stage()
    staged.append(NOISE)
    staged.pwrite(b"header", 10)
    stored = staged.finish()
    model = NOISE[:10] + b"header" + NOISE[16:]
    assert stored.oid == hash_bytes(model) and stored.compression == "chunks"
    assert bare.disk.written <= len(NOISE) + 2 * PAGE
    assert bare.objects().read(stored.oid) == model


def test_a_writer_is_told_that_it_is_too_fast_and_waits_when_it_must(bare, stage):
    jobs = []
    objects = bare.objects(run=jobs.append)
    limits = Limits()
    staged = stage(None, objects)
    while not staged.is_behind:
        staged.append(NOISE[: PIECE_BYTES // 4])
    assert staged.size == limits.window_bytes + limits.behind_pieces * PIECE_BYTES
    assert bare.disk.written == 0
    staged.append(NOISE)  # nobody writes it: this does
    staged.append(NOISE)
    assert 0 < bare.disk.written <= staged.size - (limits.waiting_pieces + 1) * PIECE_BYTES
    staged.catch_up()
    assert not staged.is_behind
    assert staged.unfinished_bytes <= limits.window_bytes + 2 * PIECE_BYTES
    jobs.pop()()
    assert staged.finish().size == staged.size and staged.unfinished_bytes == 0


def test_only_so_many_contents_grow_at_once(bare, stage):
    objects = bare.objects(limits=Limits(growing_count=2))
    several = [stage(None, objects) for _ in range(3)]
    for staged in several:
        staged.append(TEXT)
    assert [staged.finish().compression for staged in several] == ["lz4"] * 3  # the third finds it there
    again = stage(None, objects)
    again.append(b"x" + TEXT)
    assert again.finish().compression == "lz4"


def test_the_others_are_kept_as_they_are(bare, stage):
    objects = bare.objects(limits=Limits(growing_count=1))
    one, other = stage(None, objects), stage(None, objects)
    one.append(TEXT)
    other.append(b"x" + TEXT)
    assert (one.finish().compression, other.finish().compression) == ("lz4", "none")


def test_many_threads_read_while_one_writes(stage):
    staged = stage()
    done = threading.Event()
    failures = []

    def read(seed):
        numbers = random.Random(seed)
        try:
            while not done.is_set():
                size = staged.size
                place = numbers.randrange(size + 1)
                data = staged.pread(3000, place)
                assert data[: size - place] == TEXT[place : min(size, place + 3000)][: len(data)]
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for offset in range(0, len(TEXT), 30_000):
        staged.append(TEXT[offset : offset + 30_000])
    stored = staged.finish()
    done.set()
    for thread in threads:
        thread.join()
    assert failures == [] and stored.oid == hash_bytes(TEXT)


def test_several_contents_grow_beside_each_other(bare, objects, stage):
    def write(number):
        staged = stage()
        for _ in range(0, len(TEXT), 200_000):
            staged.append(bytes([number]) * 200_000)
            if staged.is_behind:
                staged.catch_up()
        found[number] = staged.finish().oid

    found = {}
    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    length = -(-len(TEXT) // 200_000) * 200_000
    assert found == {number: hash_bytes(bytes([number]) * length) for number in range(5)}
    assert all(objects.read(oid) == bytes([number]) * length for number, oid in found.items())


# Not in order


def test_what_is_written_in_any_order_is_written_once(bare, stage):
    staged = stage()
    pages = list(range(len(NOISE) // PAGE))
    random.Random(1).shuffle(pages)
    for page in pages:
        staged.pwrite(TEXT[page * PAGE : (page + 1) * PAGE], page * PAGE)
    stored = staged.finish()
    assert stored == (hash_bytes(TEXT), len(TEXT), len(TEXT), "none")
    assert bare.disk.written <= len(TEXT) * 1.1
    assert sizes(bare) == [len(TEXT)]
    assert bare.object_path(stored.oid).stat().st_mode & 0o777 == 0o444


def test_what_is_an_object_is_not_written_to_any_more(bare, objects, stage):
    staged = stage()
    staged.pwrite(NOISE[:PAGE], len(NOISE))
    staged.pwrite(NOISE, 0)
    first = staged.finish()
    staged.pwrite(b"changed", 5)
    staged.append(b"more")
    staged.truncate(len(NOISE) + 2)
    assert objects.read(first.oid) == NOISE + NOISE[:PAGE]
    second = staged.finish()
    assert objects.read(second.oid) == NOISE[:5] + b"changed" + NOISE[12:] + NOISE[:2]
    assert objects.read(first.oid) == NOISE + NOISE[:PAGE]


def test_holes_are_kept_as_holes(bare, objects, stage):
    size = 3 << 30
    staged = stage()
    staged.truncate(size)
    staged.pwrite(b"x", size // 2)
    stored = staged.finish()
    status = bare.object_path(stored.oid).stat()
    assert (status.st_size, stored.size) == (size, size) and status.st_blocks * 512 < 1 << 20
    with objects.open(stored.oid) as reader:
        assert sum(data.count(0) for data in reader.pieces()) == size - 1
        assert b"".join(reader.pieces(size // 2 - 5, size // 2 + 5)) == bytes(5) + b"x" + bytes(4)


def test_what_became_small_is_stored_as_what_is_small(bare, stage):
    staged = stage()
    staged.pwrite(b"far away", 10 << 20)
    staged.truncate(20_000)
    assert staged.finish().compression == "lz4"
    staged.truncate(0)
    staged.append(b"again")
    assert staged.finish() == (hash_bytes(b"again"), 5, 5, "none")


# Over what was there


@pytest.fixture
def base(objects):
    return objects.put_bytes(NOISE).oid


def test_nothing_is_written_for_what_does_not_change(bare, objects, base, stage):
    def change_nothing():
        staged = stage(base)
        assert not staged.is_changed
        assert staged.finish() == objects.stored(base)
        staged.pwrite(NOISE[100:50_000], 100)
        assert staged.is_changed
        staged.truncate(len(NOISE) - 5000)
        staged.append(NOISE[-5000:])
        assert staged.finish() == objects.stored(base)
        assert not staged.is_changed

    assert bare.written_by(change_nothing) == 0


def test_an_edit_costs_its_pages_and_a_list(bare, objects, base, stage):
    staged = stage(base)
    cost = bare.written_by(lambda: staged.pwrite(b"changed", 5_000_000))
    cost += bare.written_by(staged.finish)
    assert cost < PAGE + 400
    model = NOISE[:5_000_000] + b"changed" + NOISE[5_000_007:]
    stored = staged.finish()
    assert stored.compression == "chunks" and cost - 200 < stored.stored_size <= cost  # the rest are heads in the pack
    assert bare.objects().read(stored.oid) == model


def test_what_is_overwritten_in_any_order_is_written_once(bare, base, stage):
    staged = stage(base)
    pages = list(range(len(NOISE) // PAGE))
    random.Random(1).shuffle(pages)
    written = bare.written_by(lambda: [staged.pwrite(TEXT[page * PAGE :][:PAGE], page * PAGE) for page in pages])
    written += bare.written_by(staged.finish)
    assert written == len(TEXT)
    assert staged.finish() == (hash_bytes(TEXT), len(TEXT), len(TEXT), "none")


def test_what_is_overwritten_by_half_is_completed_in_its_place(bare, base, stage):
    staged = stage(base)
    half = len(NOISE) // 2
    written = bare.written_by(lambda: staged.pwrite(TEXT[:half], 1000))
    written += bare.written_by(staged.finish)
    assert written < len(NOISE) + 2 * PAGE
    assert staged.finish().compression == "none"
    assert bare.objects().read(staged.finish().oid) == NOISE[:1000] + TEXT[:half] + NOISE[1000 + half :]


def test_what_is_appended_may_be_as_long_as_it_likes(bare, base, stage):
    staged = stage(base)
    cost = bare.written_by(lambda: staged.append(TEXT))
    cost += bare.written_by(staged.finish)
    stored = staged.finish()
    assert stored.oid == hash_bytes(NOISE + TEXT) and stored.stored_size == cost < len(TEXT) // 2
    assert bare.objects().read(stored.oid) == NOISE + TEXT


@pytest.mark.slow
@pytest.mark.parametrize("seen", [True, False], ids=["same process", "another each time"])
def test_many_appends_cost_less_than_two_and_a_half_times_what_they_append(bare, objects, stage, seen):
    numbers = random.Random(1)
    oid, model = None, b""
    for _ in range(1000 if seen else 500):  # another process reads what is packed first
        process = objects if seen else bare.objects()
        staged = stage(oid, process)
        line = numbers.randbytes(1024)
        staged.append(line)
        model += line
        oid = staged.finish().oid
        staged.discard()
        process.rest()
    assert oid == hash_bytes(model)
    assert bare.disk.written == sum(sizes(bare)) < 2.5 * len(model)
    assert bare.objects().read(oid) == model


def test_only_what_was_appended_is_left_to_do_when_the_base_is_known(bare, objects, stage):
    staged = stage()
    staged.append(NOISE[:500_000])
    assert staged.unfinished_bytes == 500_000
    oid = staged.finish().oid
    for again in (staged, stage(oid)):
        again.append(b"x" * 100)
        assert again.unfinished_bytes == 100
    assert stage(oid, bare.objects()).unfinished_bytes == 500_000


# Damage and failures


def flip(path, place):
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 1]))


@pytest.mark.parametrize(
    "change",
    [
        lambda staged: staged.pwrite(b"x", 100),
        lambda staged: staged.append(b"x"),
        lambda staged: staged.truncate(len(NOISE) - 1),
        lambda staged: staged.truncate(1000),
        lambda staged: staged.append(TEXT),
        lambda staged: staged.pwrite(TEXT[: len(NOISE) // 2], 7),
        lambda staged: [staged.pwrite(b"x" * 100, page + 50) for page in range(0, len(NOISE), PAGE)],
    ],
    ids=["edit", "append", "cut", "cut short", "append much", "edit much", "edit every page"],
)
def test_what_is_damaged_gets_no_new_name(bare, base, stage, change):
    flip(bare.object_path(base), 2_000_000)
    staged = stage(base, bare.objects())
    change(staged)
    for _ in range(2):
        with pytest.raises(DamagedObject, match=base):
            staged.finish()
    assert {file.oid for file in bare.objects().list()} <= {base, hash_bytes(TEXT)}


def test_what_is_damaged_may_be_overwritten(bare, base, stage):
    flip(bare.object_path(base), 2_000_000)
    staged = stage(base, bare.objects())
    staged.pwrite(TEXT, 0)
    assert staged.finish().oid == hash_bytes(TEXT)


def test_the_name_after_an_append_is_right_even_if_the_base_is_damaged_meanwhile(bare, objects, stage):
    staged = stage()
    staged.append(NOISE[:100_000])
    base = staged.finish().oid
    flip(bare.object_path(base), 50_000)
    staged.append(b"more")
    oid = staged.finish().oid
    assert oid == hash_bytes(NOISE[:100_000] + b"more")
    with pytest.raises(DamagedObject, match=oid):
        objects.read(oid)


def test_small_pieces_that_are_damaged_are_not_merged(bare, stage):
    objects = bare.objects(limits=LIMITS._replace(packed_bytes=0))
    staged = stage(None, objects)
    staged.append(NOISE[:1500])
    staged.finish()
    for number in range(7):
        staged.append(b"%d" % number * 50)
        staged.finish()
    flip(bare.object_path(hash_bytes(b"3" * 50)), 7)
    with pytest.raises(DamagedObject, match=hash_bytes(b"3" * 50)):
        for number in range(7, 12):
            staged.append(b"%d" % number * 50)
            staged.finish()


def test_a_full_disk_loses_nothing_that_was_taken(bare, stage):
    class Full(Counting):
        left = 10 << 20

        def pwrite(self, fd, data, offset):
            if self.written + len(data) > self.left:
                raise OSError(28, "No space left on device")
            return super().pwrite(fd, data, offset)

    bare.disk = Full()
    staged = stage(None, bare.objects())
    taken = 0
    with pytest.raises(NoSpace):
        for offset in range(0, 20 * len(NOISE), 1 << 20):
            staged.pwrite(NOISE[: 1 << 20], offset)
            taken = offset + (1 << 20)
    with pytest.raises(NoSpace):
        staged.catch_up()
    with pytest.raises(NoSpace):
        staged.finish()
    assert staged.pread(taken, 0) == NOISE[: 1 << 20] * (taken >> 20)
    other = stage(None, bare.objects())
    bare.disk.left = bare.disk.written + 100
    other.append(NOISE[:PIECE_BYTES])
    other.truncate(50)  # there is room for that
    assert other.finish().oid == hash_bytes(NOISE[:50])
    bare.disk.left = 1 << 40
    staged.truncate(taken)
    assert staged.finish().oid == hash_bytes(NOISE[: 1 << 20] * (taken >> 20))


def test_what_is_let_go_leaves_no_descriptor(bare, objects, base):
    objects.stage().discard()
    before = count_descriptors()
    for change in (
        lambda staged: staged.append(NOISE),
        lambda staged: staged.pwrite(b"x", 20 << 20),
        lambda staged: staged.pwrite(b"x" * (3 << 20), 5),
    ):
        for start in (None, base):
            for finish in (True, False):
                staged = objects.stage(start)
                change(staged)
                staged.pread(10, 0)
                if finish:
                    staged.finish()
                    staged.pread(10, 0)
                staged.discard()
                assert count_descriptors() == before


def test_a_length_that_no_file_can_have_is_refused_and_changes_nothing(stage, base, tmp_path):
    try:
        with (tmp_path / "as long as it likes").open("wb") as file:
            file.truncate(1 << 62)
    except OSError as failure:
        assert failure.errno == errno.EFBIG
    else:
        pytest.skip("this filesystem has files of any length")
    for staged in (stage(), stage(base)):
        size = staged.size
        for change in (lambda: staged.truncate(1 << 62), lambda: staged.pwrite(b"x", 1 << 62)):  # noqa: B023
            with pytest.raises(InvalidInput) as caught:
                change()
            assert caught.value.errno == errno.EFBIG
        assert staged.size == size
        assert staged.finish().size == size
