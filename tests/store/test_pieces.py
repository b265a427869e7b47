"""Blobs in pieces: read, looked at, damaged and checked as every other blob."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from bare import Bare
from bench import Bench, new_disk
from descriptors import count_descriptors
from hypothesis import given
from hypothesis import strategies as st

from sessionfs.fsck import check
from sessionfs.objects import BlockCache, BrokenPieces, DamagedObject
from sessionfs.objects.limits import Limits
from sessionfs.objects.pieces import MAX_DEPTH, Piece, encode
from sessionfs.oid import hash_bytes
from sessionfs.store.store import Store

NOISE = random.Random(3).randbytes(300_000)
TEXT = b"the quick brown fox jumps over the lazy dog\n" * 10_000


@pytest.fixture
def bare(tmp_path):
    return Bare(tmp_path)


@pytest.fixture
def objects(bare):
    return bare.objects()


def join(bare, pieces, oid=None):
    """Store a list of *pieces*, each bytes of content and which part of it is meant; return its name and content."""
    listed, content = [], b""
    for data, part in pieces:
        whole = bare.objects().put_bytes(data).oid if isinstance(data, bytes) else data[0]
        data = data if isinstance(data, bytes) else data[1]
        start, end = part or (0, len(data))
        listed.append(Piece(whole, end - start, None if part is None else start))
        content += data[start:end]
    oid = oid or hash_bytes(content)
    write_list(bare, oid, listed)
    return oid, content


def write_list(bare, oid, listed):
    path = bare.object_path(oid, ".chunks")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode(listed))


@pytest.fixture
def joined(bare):
    """A list of a raw blob, a part of a compressed one, and a list."""
    inner = join(bare, [(NOISE[:9], None), (TEXT, (5, 300_000))])
    return join(bare, [(NOISE, None), (TEXT, (1000, 270_000)), (inner, (3, 200_000)), (b"end", None)])


def test_it_is_a_blob_like_any_other(bare, objects, joined):
    oid, content = joined
    path = bare.object_path(oid, ".chunks")
    assert objects.read(oid) == content
    assert (objects.kind(oid), objects.exists(oid), objects.size(oid)) == ("blob", True, len(content))
    assert objects.stored(oid) == (oid, len(content), path.stat().st_size, "chunks")
    target = io.BytesIO()
    assert objects.copy_out(oid, target) == len(content) and target.getvalue() == content
    (file,) = objects.list(oid)
    assert file == (oid, "blob", "chunks", str(path), path.stat().st_size, None)
    objects.verify(file)


def test_any_part_is_read_without_the_rest(objects, joined):
    oid, content = joined
    numbers = random.Random(5)
    with objects.open(oid) as reader:
        assert reader.size == len(content)
        for _ in range(100):
            offset, length = numbers.randrange(len(content) + 5), numbers.randrange(600_000)
            assert reader.pread(length, offset) == content[offset : offset + length]
            assert b"".join(reader.pieces(offset, offset + length)) == content[offset : offset + length]
        assert b"".join(reader.pieces()) == content
    with pytest.raises(ValueError, match="closed"):
        reader.pread(1, 0)


@given(st.data())
def test_lists_of_lists_read_as_their_content(data):
    disk = new_disk()
    objects = Bench(disk).objects
    known = {objects.put_bytes(content).oid: content for content in (b"1", b"22", b"333", b"4" * 40)}
    for _ in range(data.draw(st.integers(1, 6))):
        listed, content = [], b""
        for _ in range(data.draw(st.integers(1, 5))):
            oid = data.draw(st.sampled_from(list(known)))
            start = data.draw(st.integers(0, len(known[oid]) - 1))
            end = data.draw(st.integers(start + 1, len(known[oid])))
            if data.draw(st.booleans()):
                start, end = 0, len(known[oid])
                listed.append(Piece(oid, end))
            else:
                listed.append(Piece(oid, end - start, start))
            content += known[oid][start:end]
        oid = hash_bytes(content)
        if oid not in known:
            disk.put(f"/s/objects/{oid[:2]}/{oid[2:]}.chunks", encode(listed))
            known[oid] = content
    oid, content = list(known.items())[-1]
    with objects.open(oid) as reader:
        start = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, len(content)))
        assert reader.pread(length, start) == content[start : start + length]
        assert b"".join(reader.pieces(start, len(content))) == content[start:]
    for file in objects.list():
        objects.verify(file)


def test_a_reader_holds_few_files_open_and_opens_them_when_they_are_needed(bare, objects):
    oid, content = join(bare, [(bytes([number]) * 10, None) for number in range(1, 100)])
    before = count_descriptors()
    with objects.open(oid) as reader:
        assert count_descriptors() == before
        assert reader.pread(5, 503) == content[503:508]
        assert count_descriptors() == before + 1
        assert b"".join(reader.pieces()) == content
        assert count_descriptors() <= before + 4
    assert count_descriptors() == before


def test_a_whole_read_leaves_the_cache_alone(bare, joined):
    cache = BlockCache()
    objects = bare.objects(cache=cache)
    with objects.open(joined[0]) as reader:
        list(reader.pieces())
        assert cache.used_bytes == 0


def test_content_that_is_there_in_pieces_is_not_stored_again(bare, objects, joined):
    oid, content = joined
    before = sorted(objects.list())
    for put in (
        lambda: objects.put_bytes(content),
        lambda: objects.put_stream(io.BytesIO(content)),
        lambda: stage(objects, content),
    ):
        assert put() == objects.stored(oid)
    assert sorted(objects.list()) == before


def stage(objects, content):
    staged = objects.stage()
    for offset in range(0, len(content), 100_000):
        staged.append(content[offset : offset + 100_000])
    stored = staged.finish()
    staged.discard()
    return stored


# Damage


def remove(path):
    path.unlink()


def empty(path):
    path.chmod(0o644)
    path.write_bytes(b"")


def break_off(path):
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("data", "suffix", "damage"),
    [
        *[(data, "", damage) for data in (NOISE, b"end", NOISE[:9]) for damage in (remove, empty, break_off)],
        *[(TEXT, ".lz4", damage) for damage in (remove, empty)],  # what of it is used has not to do with its end
    ],
)
def test_a_list_whose_pieces_are_not_whole_is_damaged_and_is_put_again(bare, joined, data, suffix, damage):
    oid, content = joined
    damage(bare.object_path(hash_bytes(data), suffix))
    objects = bare.objects()
    (file,) = objects.list(oid)
    for read in (
        lambda: objects.verify(file),
        lambda: objects.read(oid),
        lambda: objects.copy_out(oid, io.BytesIO()),
    ):
        with pytest.raises(DamagedObject, match=oid):
            read()
    assert objects.put_bytes(content).compression != "chunks"
    assert objects.read(oid) == content
    assert [file.compression for file in objects.list(oid)] != ["chunks"]


@pytest.mark.parametrize("damage", [empty, break_off])
def test_a_list_that_is_not_whole_is_damaged_and_is_put_again(bare, joined, damage):
    oid, content = joined
    damage(bare.object_path(oid, ".chunks"))
    objects = bare.objects()
    (file,) = objects.list(oid)
    for read in (lambda: objects.open(oid), lambda: objects.verify(file), lambda: objects.stage(oid)):
        with pytest.raises(DamagedObject, match=oid):
            read()
    objects.put_bytes(content)
    assert objects.read(oid) == content


def test_every_piece_that_is_not_there_is_named(bare, objects, joined):
    oid, _ = joined
    bare.object_path(hash_bytes(NOISE)).unlink()
    empty(bare.object_path(hash_bytes(b"end")))
    (file,) = objects.list(oid)
    with pytest.raises(BrokenPieces) as caught:
        objects.verify(file)
    first, second = caught.value.faults
    assert first == f"piece 0 (300000 bytes of {hash_bytes(NOISE)}) is missing"
    assert second == f"piece 3 (3 bytes of {hash_bytes(b'end')}) is not in there: it has 0 bytes"


def test_pieces_in_the_wrong_order_have_the_wrong_hash(bare, objects):
    oid, _ = join(bare, [(b"two", None), (b"one", None)], oid=hash_bytes(b"onetwo"))
    (file,) = objects.list(oid)
    for read in (lambda: objects.verify(file), lambda: objects.read(oid)):
        with pytest.raises(DamagedObject, match=f"{oid} is damaged: its content hashes to"):
            read()


def nest(bare, count):
    item = b"x" * 20_000
    for number in range(count):
        item = join(bare, [(item, None), (b"%d" % number, None)])
    return item


def test_lists_are_nested_so_deep_and_no_deeper(bare, objects):
    oid, content = nest(bare, MAX_DEPTH)
    assert objects.read(oid) == content
    assert objects.put_bytes(content).compression == "chunks"
    oid, content = join(bare, [((oid, content), None), (b"!", None)])
    assert_damaged(objects, oid, "more than 16 deep")
    assert objects.put_bytes(content).compression == "lz4"


def test_a_list_that_names_itself_is_damaged(bare, objects):
    oid = hash_bytes(b"nothing has this hash")
    for piece in (Piece(oid, 20_000, 0), Piece(oid, 20_000)):
        write_list(bare, oid, [piece])
        assert_damaged(objects, oid, oid)


def assert_damaged(objects, oid, words):
    (file,) = objects.list(oid)
    for read in (
        lambda: objects.read(oid),
        lambda: objects.verify(file),
        lambda: append(objects, oid, b"more" * 5000),
    ):
        with pytest.raises(DamagedObject, match=words):
            read()


def append(objects, oid, data):
    staged = objects.stage(oid)
    try:
        staged.append(data)
        return staged.finish()
    finally:
        staged.discard()


def append_often(objects, count, lines=500):
    """Return the names of the versions of a log that *lines* are appended to at a time."""
    names, staged = [], objects.stage()
    for number in range(count):
        staged.append(b"line %d\n" % number * lines)
        names.append(staged.finish().oid)
    staged.discard()
    return names


def test_one_verifier_finds_all_that_many_do(bare, objects):
    append_often(bare.objects(limits=Limits(packed_bytes=0)), 60)
    damaged = next(file for file in objects.list() if file.compression == "none" and 3000 < file.stored_size < 7000)
    path = Path(damaged.path)
    path.chmod(0o644)
    path.write_bytes(b"?" + path.read_bytes()[1:])
    verifier = objects.verifier()
    found = {file for file in sorted(objects.list(), key=verifier.size) if is_damaged(verifier.verify, file)}
    assert found == {file for file in objects.list() if is_damaged(objects.verify, file)}
    assert len(found) > 1


def is_damaged(verify, file):
    try:
        verify(file)
    except DamagedObject:
        return True
    return False


def test_fsck_names_the_pieces_that_are_missing_and_what_needs_them(tmp_path):
    Store.create(str(tmp_path / "s"))
    store = Store(str(tmp_path / "s"))
    names = append_often(store.objects, 40, lines=1200)  # too long for a pack
    assert list(check(store)) == []
    tail = hash_bytes(b"line 39\n" * 1200)
    path = tmp_path / "s" / "objects" / tail[:2] / tail[2:]
    path.unlink()
    (fault,) = check(store)
    assert (fault.kind, fault.where) == ("broken-pieces", f"objects/{names[-1][:2]}/{names[-1][2:]}.chunks")
    assert f"(9600 bytes of {tail}) is missing" in fault.message and fault.is_damage
