"""The object database on the real disk."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import sys
import threading

import pytest
from bare import Bare
from blake3 import blake3

from sessionfs.durable import Mode
from sessionfs.errors import InvalidInput
from sessionfs.objects import BlockCache, DamagedObject, NoSuchObject
from sessionfs.objects.frame import BLOCK_BYTES
from sessionfs.objects.incoming import PIECE_BYTES
from sessionfs.objects.limits import Limits
from sessionfs.oid import hash_bytes

NOISE = random.Random(3).randbytes(PIECE_BYTES + 3 * BLOCK_BYTES + 77)
TEXT = b"the quick brown fox jumps over the lazy dog\n" * (len(NOISE) // 44)

CONTENTS = {
    "empty": b"",
    "one byte": b"x",
    "small text": TEXT[:10_240],
    "text over the threshold": TEXT[:10_241],
    "noise over the threshold": NOISE[:20_000],
    "one block": TEXT[:BLOCK_BYTES],
    "one block and a byte": TEXT[: BLOCK_BYTES + 1],
    "one piece": TEXT[:PIECE_BYTES],
    "one piece and a byte": TEXT[: PIECE_BYTES + 1],
    "long text": TEXT,
    "long noise": NOISE,
    "noise, then text": NOISE + TEXT[:BLOCK_BYTES],
    "text, then noise": TEXT[:BLOCK_BYTES] + NOISE,
    # Shrinks by less than its frame costs: must be turned back.
    "noise with a few zeros": NOISE[: PIECE_BYTES - 20] + bytes(20) + NOISE[:BLOCK_BYTES],
}


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time."""

    def __init__(self, data):
        self._source = io.BytesIO(data)
        self._sizes = random.Random(1)

    def readable(self):
        return True

    def read(self, size=-1):
        return self._source.read(min(size, self._sizes.randrange(1, 300_000)))


@pytest.fixture
def bare(tmp_path):
    return Bare(tmp_path)


@pytest.fixture
def objects(bare):
    return bare.objects()


@pytest.mark.parametrize("name", CONTENTS)
def test_content_is_stored_alike_however_it_comes(tmp_path, name):
    data = CONTENTS[name]
    source = tmp_path / "source"
    source.write_bytes(data)

    def stage(objects):
        staged = objects.stage()
        for start in range(0, len(data), 100_000):
            staged.append(data[start : start + 100_000])
        stored = staged.finish()
        staged.discard()
        return stored

    ways = {
        "bytes": lambda objects: objects.put_bytes(data),
        "bytearray": lambda objects: objects.put_bytes(bytearray(data)),
        "memoryview": lambda objects: objects.put_bytes(memoryview(data)),
        "stream": lambda objects: objects.put_stream(Trickle(data)),
        "file": lambda objects: objects.put_file(source),
        "staged": stage,
    }
    found = set()
    for way, put in ways.items():
        (tmp_path / way).mkdir()
        bare = Bare(tmp_path / way)
        stored = put(bare.objects())
        found.add(stored)
        assert os.listdir(bare.path / "tmp") == []
        (path,) = (path for path in (bare.path / "objects").rglob("*") if path.is_file())
        assert path == bare.object_path(stored.oid, ".lz4" if stored.compression == "lz4" else "")
        assert path.stat().st_size == stored.stored_size
        assert path.stat().st_mode & 0o777 == 0o444
        assert bare.objects().read(stored.oid) == data
        assert bare.objects().stored(stored.oid) == stored
    (stored,) = found
    assert stored.oid == blake3(data).hexdigest() and stored.size == len(data)
    assert stored.stored_size <= stored.size
    assert (stored.compression == "lz4") == (stored.stored_size < stored.size)
    assert stored.compression == "none" or stored.size > 10_240


@pytest.mark.parametrize("name", CONTENTS)
def test_any_part_is_read_without_the_rest(objects, name):
    data = CONTENTS[name]
    oid = objects.put_bytes(data).oid
    numbers = random.Random(5)
    with objects.open(oid) as reader:
        assert reader.size == len(data) == objects.size(oid)
        for _ in range(30):
            offset, length = numbers.randrange(len(data) + 5), numbers.randrange(2 * BLOCK_BYTES)
            assert reader.pread(length, offset) == data[offset : offset + length]
        assert reader.pread(len(data), 0) == data
        assert b"".join(reader.pieces()) == data
    with pytest.raises(ValueError, match="closed"):
        next(reader.pieces(), None) or reader.pread(1, 0)


def test_a_read_decompresses_only_the_blocks_it_touches_and_keeps_them(bare):
    cache = BlockCache(limit_bytes=2 * BLOCK_BYTES)
    objects = bare.objects(cache=cache)
    oid = objects.put_bytes(TEXT).oid
    with objects.open(oid) as reader:
        reader.pread(10, 3 * BLOCK_BYTES + 5)
        assert cache.used_bytes == BLOCK_BYTES
        assert cache.find(oid, 3) is not None
        reader.pread(BLOCK_BYTES, 5)
        assert cache.used_bytes == 2 * BLOCK_BYTES and cache.find(oid, 3) is None
    objects.read(oid)
    assert cache.find(oid, 0) is not None and cache.find(oid, 1) is not None


def test_the_same_content_is_one_object(bare, objects):
    first = objects.put_bytes(TEXT)
    before = bare.object_path(first.oid, ".lz4").stat().st_ino
    assert objects.put_stream(io.BytesIO(TEXT)) == first == objects.put_bytes(TEXT)
    assert bare.object_path(first.oid, ".lz4").stat().st_ino == before
    assert [file.oid for file in objects.list()] == [first.oid]


@pytest.mark.parametrize("options", [{"compress": False}, {"threshold_bytes": len(TEXT)}])
def test_compression_can_be_turned_off(bare, options):
    objects = bare.objects(**options)
    assert objects.put_bytes(TEXT).compression == "none"
    assert objects.put_stream(io.BytesIO(TEXT)).compression == "none"


def test_what_is_not_there_is_not_found(objects):
    for call in (objects.read, objects.open, objects.size, objects.kind, objects.stored):
        with pytest.raises(NoSuchObject, match="0" * 64):
            call("0" * 64)
    with pytest.raises(NoSuchObject):
        objects.read_json("tree", "0" * 64)
    with pytest.raises(NoSuchObject):
        objects.stage("0" * 64)
    assert not objects.exists("0" * 64)


def test_objects_are_listed_by_name_with_their_kind(bare, objects):
    expected = {objects.put_bytes(bytes([number]) * 20_000).oid: "blob" for number in range(20)}
    expected |= {objects.put_json(kind, b"{}" + kind.encode()): kind for kind in ("tree", "snapshot")}
    (bare.path / "objects" / "00").mkdir(exist_ok=True)
    (bare.path / "objects" / "00" / "a stray file").touch()
    (bare.path / "objects" / "stray").mkdir()
    found = list(objects.list())
    assert [file.oid for file in found] == sorted(expected)
    assert {file.oid: file.kind for file in found} == expected
    assert all(objects.kind(file.oid) == file.kind and objects.exists(file.oid) for file in found)
    some = found[7].oid
    for length in (1, 2, 3, 64):
        assert [file.oid for file in objects.list(some[:length])] == [
            oid for oid in sorted(expected) if oid.startswith(some[:length])
        ]


def test_trees_and_blobs_of_one_name_are_two(objects):
    data = b'{"entries":[]}'
    assert objects.put_json("tree", data) == objects.put_bytes(data).oid == objects.put_json("snapshot", data)
    assert len(list(objects.list())) == 3
    assert objects.read_json("tree", hash_bytes(data)) == objects.read(hash_bytes(data)) == data


# Damage


def damage(path, change):
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def flip(place):
    def change(data):
        data[place] ^= 1

    return change


def write_to(objects, oid):
    staged = objects.stage(oid)
    try:
        staged.pwrite(b"?", 0)
        staged.finish()
    finally:
        staged.discard()


@pytest.mark.parametrize(
    "data", [b"a few raw bytes", TEXT[:30_000], TEXT, NOISE], ids=["raw", "lz4", "long lz4", "long raw"]
)
@pytest.mark.parametrize(
    "change",
    [flip(0), flip(-1), flip(14), lambda data: data.clear(), lambda data: data.pop(), lambda data: data.append(0),
     lambda data: data.__setitem__(slice(None), bytes(len(data)))],
    ids=["first byte", "last byte", "byte 14", "empty", "short", "long", "zeros"],
)  # fmt: skip
def test_damage_is_found_by_every_whole_read(bare, objects, data, change):
    stored = objects.put_bytes(data)
    damage(bare.object_path(stored.oid, ".lz4" if stored.compression == "lz4" else ""), change)
    fresh = bare.objects()
    (file,) = fresh.list()
    whole_reads = [
        lambda: fresh.verify(file),
        lambda: fresh.copy_out(stored.oid, io.BytesIO()),
        lambda: write_to(fresh, stored.oid),
    ]
    if len(data) > 1 << 20:
        whole_reads.append(lambda: fresh.read(stored.oid))
    for read in whole_reads:
        with pytest.raises(DamagedObject, match=stored.oid):
            read()
    assert os.listdir(bare.path / "tmp") == []


@pytest.mark.parametrize("data", [b"a few raw bytes, and some more", TEXT[:30_000], NOISE[:30_000]], ids=len)
def test_a_small_object_is_checked_by_its_hash(bare, objects, data):
    stored = objects.put_bytes(data)
    damage(bare.object_path(stored.oid, ".lz4" if stored.compression == "lz4" else ""), flip(25))
    with pytest.raises(DamagedObject, match=stored.oid):
        bare.objects().read(stored.oid)


@pytest.mark.parametrize("kind", ["tree", "snapshot"])
def test_a_damaged_tree_or_snapshot_is_found(bare, objects, kind):
    oid = objects.put_json(kind, b'{"entries":[]}')
    damage(bare.object_path(oid, f".{kind}"), flip(3))
    with pytest.raises(DamagedObject, match=oid):
        objects.read_json(kind, oid)


@pytest.mark.parametrize("again", [True, False], ids=["compressed", "plain"])
@pytest.mark.parametrize("first", [True, False], ids=["compressed", "plain"])
@pytest.mark.parametrize("way", ["put_bytes", "put_stream"])
def test_what_is_put_again_is_put_in_place_of_what_is_cut_short(bare, way, first, again):
    stored = bare.objects(compress=first).put_bytes(TEXT)
    damage(bare.object_path(stored.oid, ".lz4" if first else ""), lambda data: data.__delitem__(slice(100, None)))
    objects = bare.objects(compress=again)
    put = getattr(objects, way)
    put(io.BytesIO(TEXT) if way == "put_stream" else TEXT)
    assert bare.objects().read(stored.oid) == TEXT
    assert [file.oid for file in objects.list()] == [stored.oid]
    for file in objects.list():
        objects.verify(file)


def test_a_tree_that_is_cut_short_is_put_again(bare, objects):
    oid = objects.put_json("tree", b'{"entries":[]}')
    damage(bare.object_path(oid, ".tree"), lambda data: data.clear())
    assert objects.put_json("tree", b'{"entries":[]}') == oid
    assert objects.read_json("tree", oid) == b'{"entries":[]}'


# Staged content


def test_staged_content_is_written_anywhere(objects):
    staged = objects.stage()
    model = bytearray()
    numbers = random.Random(11)
    for step in range(200):
        offset, length = numbers.randrange(3 * Limits().memory_bytes // 2), numbers.randrange(50_000)
        if step % 20 == 19:
            staged.truncate(offset)
            del model[offset:]
            model.extend(bytes(offset - len(model)))
        elif step % 20 == 9:
            staged.append(NOISE[:length])
            model.extend(NOISE[:length])
        else:
            assert staged.pwrite(NOISE[:length], offset) == length
            model.extend(bytes(max(0, offset - len(model))))
            model[offset : offset + length] = NOISE[:length]
        assert staged.size == len(model)
        assert staged.pread(1000, offset) == model[offset : offset + 1000]
        if step % 50 == 0:
            assert objects.read(staged.finish().oid) == model
    assert objects.read(staged.finish().oid) == model
    staged.discard()
    with pytest.raises(ValueError, match="discarded"):
        staged.pread(1, 0)


@pytest.mark.parametrize("data", [b"small", TEXT], ids=len)
def test_staged_content_starts_from_an_object(objects, data):
    staged = objects.stage(objects.put_bytes(data).oid)
    staged.append(b"!")
    staged.pwrite(b"?", 0)
    assert objects.read(staged.finish().oid) == b"?" + data[1:] + b"!"
    staged.discard()


@pytest.fixture
def eager_threads():
    """Threads take turns as often as they can, so that what is not locked goes wrong."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_threads_append_to_staged_content_without_losing_any(objects, eager_threads):
    staged = objects.stage()

    together = threading.Barrier(4)

    def append(number):
        together.wait()
        for _ in range(5000):
            staged.append(bytes([number]) * 10)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = staged.pread(1 << 20, 0)
    assert [content.count(bytes([number]) * 10) for number in range(4)] == [5000] * 4
    assert staged.size == 4 * 5000 * 10


# Threads and modes


@pytest.mark.parametrize("mode", Mode)
def test_threads_that_put_the_same_content_get_one_object(tmp_path, mode):
    bare = Bare(tmp_path, mode)
    objects = bare.objects()
    found = []

    def put():
        found.extend(objects.put_bytes(bytes([number]) * 20_000).oid for number in range(30))

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 240
    assert {file.oid for file in objects.list()} == set(found)
    assert os.listdir(bare.path / "tmp") == []


def test_threads_replace_the_same_damaged_object(bare):
    oid = bare.objects().put_bytes(TEXT).oid
    failures = []

    def put():
        try:
            for _ in range(20):
                bare.objects().put_bytes(TEXT)
        except Exception as failure:
            failures.append(failure)

    for _ in range(5):
        damage(bare.object_path(oid, ".lz4"), lambda data: data.pop())
        threads = [threading.Thread(target=put) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert bare.objects().read(oid) == TEXT
    assert len(list(bare.object_path(oid).parent.iterdir())) == 1


def test_a_directory_that_a_copy_lacks_is_made_again(bare, objects):
    oid = objects.put_bytes(b"x").oid
    shutil.rmtree(bare.object_path(oid).parent)
    assert objects.put_bytes(b"x").oid == oid
    assert objects.read(oid) == b"x"


def test_a_source_that_fails_is_its_callers_business(objects):
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise InvalidInput("broken source")

    with pytest.raises(InvalidInput, match="broken source"):
        objects.put_stream(Broken())
    assert list(objects.list()) == []


# Other people's programs


@pytest.mark.skipif(shutil.which("b3sum") is None, reason="needs b3sum")
def test_b3sum_prints_the_name_of_a_plain_object(bare, objects):
    oid = objects.put_bytes(NOISE).oid
    printed = subprocess.run(
        ["b3sum", "--no-names", bare.object_path(oid)], check=True, capture_output=True, text=True
    ).stdout
    assert printed.strip() == oid


@pytest.mark.skipif(shutil.which("lz4") is None, reason="needs lz4")
@pytest.mark.parametrize("name", ["text over the threshold", "one block and a byte", "long text", "noise, then text"])
def test_lz4_opens_a_compressed_object(bare, objects, name):
    stored = objects.put_stream(io.BytesIO(CONTENTS[name]))
    assert stored.compression == "lz4"
    printed = subprocess.run(
        ["lz4", "-dc", bare.object_path(stored.oid, ".lz4")], check=True, capture_output=True
    ).stdout
    assert printed == CONTENTS[name]
