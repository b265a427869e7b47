"""Packs: small new pieces of appended content, in one file."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import random

import pytest
from bare import Bare

from sessionfs.errors import NoSpace
from sessionfs.fsck import check
from sessionfs.objects import NoSuchObject, adding
from sessionfs.objects.packing import FORMS, PACK_MAGIC, Entry, Index, MalformedIndex, encode_group, encode_index, scan
from sessionfs.oid import hash_bytes
from sessionfs.store.store import Store

NOISE = random.Random(3).randbytes(20_000)


@pytest.fixture
def bare(tmp_path):
    return Bare(tmp_path)


def grow(objects, count, *, base=NOISE):
    """Append to a blob *count* times and return the versions' names, with their content."""
    content, versions = base, {}
    oid = objects.put_bytes(base).oid
    for number in range(count):
        staged = objects.stage(oid)
        staged.append(b"line %d\n" % number)
        oid = staged.finish().oid
        staged.discard()
        content += b"line %d\n" % number
        versions[oid] = content
    return versions


def packs_of(bare):
    return sorted((bare.path / "objects/pack").glob("*.pack"))


def loose(bare):
    return [path for path in (bare.path / "objects").rglob("*") if path.is_file() and path.parent.name != "pack"]


def test_versions_by_appending_go_into_one_pack_and_read_back_everywhere(bare):
    versions = grow(bare.objects(), 30)
    assert len(packs_of(bare)) == 1 and len(loose(bare)) == 1
    for objects in (bare.objects(), bare.objects()):
        for oid, content in versions.items():
            assert objects.read(oid) == content == objects.open(oid).pread(len(content), 0)
            assert objects.exists(oid) and objects.size(oid) == len(content) and objects.kind(oid) == "blob"
            assert objects.stored(oid).compression == "chunks"
        listed = {file.oid: file for file in objects.list()}
        assert versions.keys() <= listed.keys()
        for file in listed.values():
            objects.verify(file)
        some = next(iter(versions))
        assert {file.oid for file in objects.list(some[:6])} == {some}


def test_what_others_add_is_seen_at_once(bare):
    reader, writer = bare.objects(), bare.objects()
    for oid, content in grow(writer, 5).items():
        assert reader.read(oid) == content
    with pytest.raises(NoSuchObject):
        reader.read("0" * 64)


def test_the_next_process_goes_on_with_the_pack_and_two_at_once_have_one_each(bare):
    first = bare.objects()
    grow(first, 3)
    second = bare.objects()
    grow(second, 3, base=NOISE[1:])
    assert len(packs_of(bare)) == 2
    first.rest()
    second.rest()
    third = bare.objects()
    versions = grow(third, 3, base=NOISE[2:])
    assert len(packs_of(bare)) == 2
    for oid, content in versions.items():
        assert first.read(oid) == content == second.read(oid)


def test_a_child_process_does_not_write_into_its_parents_pack(bare):
    objects = bare.objects()
    before = grow(objects, 3)

    def in_child():
        grow(objects, 20, base=NOISE[5:])
        os._exit(0)

    child = multiprocessing.get_context("fork").Process(target=in_child)
    child.start()
    after = grow(objects, 20, base=NOISE[6:])
    child.join()
    assert child.exitcode == 0
    for oid, content in {**before, **after}.items():
        assert bare.objects().read(oid) == content
    for file in bare.objects().list():
        objects.verify(file)
    assert len({file.oid for file in bare.objects().list()}) == 3 + 20 + 3 + 20 + 20  # bases, lines, versions


def test_a_torn_pack_is_left_alone_and_what_is_whole_in_it_is_read(bare):
    versions = grow(bare.objects(), 5)
    (pack,) = packs_of(bare)
    size = pack.stat().st_size
    with pack.open("r+b") as file:
        file.truncate(size - 3)
    objects = bare.objects()
    *whole, (torn, _) = versions.items()
    for oid, content in whole:
        assert objects.read(oid) == content
    with pytest.raises(NoSuchObject):
        objects.read(torn)
    assert grow(objects, 5) == versions  # what is missing is stored again
    assert len(packs_of(bare)) == 2 and pack.stat().st_size == size - 3
    for oid, content in versions.items():
        assert bare.objects().read(oid) == content


def test_zeros_in_a_pack_end_it(bare):
    grow(bare.objects(), 5)
    (pack,) = packs_of(bare)
    with pack.open("ab") as file:
        file.write(bytes(10_000))
    versions = grow(bare.objects(), 8)
    assert len(packs_of(bare)) == 2
    for oid, content in versions.items():
        assert bare.objects().read(oid) == content


def test_a_long_pack_gets_an_index_and_is_read_by_it(bare, monkeypatch):
    monkeypatch.setattr(adding, "COMPLETE_BYTES", 4000)
    versions = grow(bare.objects(), 60)
    packs = packs_of(bare)
    assert len(packs) > 2 and len(list((bare.path / "objects/pack").glob("*.idx"))) >= len(packs) - 1
    objects = bare.objects()
    for oid, content in versions.items():
        assert objects.read(oid) == content
    for index in (bare.path / "objects/pack").glob("*.idx"):
        index.chmod(0o644)
        index.write_bytes(index.read_bytes()[:-1] + b"?")  # says nothing that the pack does not
    for oid, content in versions.items():
        assert bare.objects().read(oid) == content


def test_a_full_disk_loses_nothing(bare):
    objects = bare.objects()
    versions = grow(objects, 3)
    (pack,) = packs_of(bare)
    size = pack.stat().st_size

    def pwrite(fd, data, offset):
        os.pwrite(fd, data[: len(data) // 2], offset)
        raise OSError(28, "No space left on device")

    bare.disk.pwrite = pwrite
    with pytest.raises(NoSpace):
        grow(objects, 4)
    assert pack.stat().st_size == size
    del bare.disk.pwrite
    versions |= grow(objects, 5)
    for oid, content in versions.items():
        assert bare.objects().read(oid) == content


def test_fsck_names_a_damaged_object_in_a_pack(tmp_path):
    Store.create(str(tmp_path / "s"))
    store = Store(str(tmp_path / "s"))
    grow(store.objects, 5)
    assert list(check(store)) == []
    store.close()
    (pack,) = (tmp_path / "s/objects/pack").glob("*.pack")
    content = pack.read_bytes()
    pack.write_bytes(content.replace(b"line 2\n", b"LINE 2\n"))
    faults = list(check(Store(str(tmp_path / "s"))))
    assert [fault.kind for fault in faults] == ["damaged-pack", *["broken-pieces"] * 2]
    assert all(fault.is_damage and pack.name in fault.where for fault in faults)
    pack.write_bytes(content[:-1])
    (torn, *_) = check(Store(str(tmp_path / "s")))
    assert torn.kind == "torn-pack" and pack.name in torn.where and not torn.is_damage


@pytest.mark.parametrize("place", [0, 20, 83, 150])
def test_what_is_whole_behind_damage_in_a_pack_is_read(bare, place):
    writer = bare.objects()
    staged = writer.stage(writer.put_bytes(NOISE).oid)
    staged.append(b"first")
    staged.finish()
    versions = grow(writer, 4, base=NOISE[1:])
    (pack,) = packs_of(bare)
    content = bytearray(pack.read_bytes())
    content[place] ^= 1
    pack.write_bytes(content)
    objects = bare.objects()
    for oid, version in versions.items():
        assert objects.read(oid) == version


def test_no_lock_is_waited_for(bare):
    first = bare.objects()
    grow(first, 1)
    first.rest()
    (pack,) = packs_of(bare)
    with pack.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        grow(bare.objects(), 2)
    assert len(packs_of(bare)) == 2


# The bytes


ENTRIES = [(hash_bytes(bytes([number])), FORMS[number % 5], bytes([number]) * number) for number in range(40)]


def test_groups_are_read_back_up_to_the_first_that_is_not_whole():
    groups = [ENTRIES[number : number + 1 + number % 3] for number in range(0, 36, 3)]
    data = PACK_MAGIC + b"".join(map(encode_group, groups))
    entries, end = scan(data[len(PACK_MAGIC) :], len(PACK_MAGIC))
    assert end == len(data)
    objects = [one for group in groups for one in group]
    assert [(entry.oid, entry.suffix, data[entry.start :][: entry.length]) for entry in entries] == objects
    for place in range(0, len(data) - len(PACK_MAGIC), 7):
        torn = bytearray(data[len(PACK_MAGIC) :])
        torn[place] ^= 1
        found, end = scan(bytes(torn), len(PACK_MAGIC))
        whole = [count for count in range(len(groups)) if sum(map(len, groups[:count])) == len(found)]
        assert whole and found == entries[: len(found)] and end <= place + len(PACK_MAGIC)


def test_an_index_finds_what_its_pack_has():
    entries = [Entry(oid, suffix, number, len(data)) for number, (oid, suffix, data) in enumerate(ENTRIES)]
    entries.append(Entry(ENTRIES[3][0], ".tree", 1000, 1))
    data = encode_index(entries, 4711)
    index = Index(data)
    assert (len(index), index.pack_length) == (len(entries), 4711)
    assert sorted(index.entries()) == sorted(entries)
    for entry in entries:
        assert entry in index.find(entry.oid)
    assert len(index.find(ENTRIES[3][0])) == 2 and index.find(hash_bytes(b"other")) == []
    for place in range(0, len(data), 13):
        damaged = bytearray(data)
        damaged[place] ^= 1
        with pytest.raises(MalformedIndex):
            Index(bytes(damaged))
    with pytest.raises(MalformedIndex):
        Index(data[:-40])
