"""Many small objects in few files: everything is read as before, whoever has the store open."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from sessionfs.fsck import check
from sessionfs.objects.opened import Complete
from sessionfs.retention.gc import collect, empty_trash
from sessionfs.retention.repack import repack
from sessionfs.store.store import Store


@pytest.fixture
def store(tmp_path):
    Store.create(str(tmp_path / "s"))
    return Store(str(tmp_path / "s"))


CONTENT = {f"d{number % 3}/f{number}": b"content %d " % number * (number * 40) for number in range(60)}


def fill(store, session_id="q4", content=CONTENT):
    session = store.create_session(session_id=session_id)
    for path, data in content.items():
        session.artifacts.put(path, store.objects.put_bytes(data))
    session.save()
    return session


def read(store, session_id="q4"):
    session = store.session(session_id)
    return {path: session.objects.read(node.oid) for path, node in session.tree.walk() if node.oid is not None}


def loose(store):
    return [file for file in store.objects.list() if file.start is None]


def test_small_objects_go_into_one_pack_and_are_read_by_all(store):
    fill(store)
    reader = Store(store.path)
    assert read(reader) == CONTENT
    oids = [file.oid for file in store.objects.list()]
    assert repack(store, dry_run=True).object_count == len(oids) == len(loose(store))
    done = repack(store)
    assert (done.object_count, done.pack_count, loose(store)) == (len(oids), 1, [])
    assert read(reader) == read(store) == read(Store(store.path)) == CONTENT
    assert [file.oid for file in store.objects.list()] == sorted(oids)
    assert list(check(Store(store.path))) == []
    again = Store(store.path)
    assert again.objects.put_bytes(CONTENT["d1/f1"]).oid in oids
    assert repack(store).object_count == repack(store).pack_count == 0


def test_packs_are_put_together_and_those_who_knew_the_old_ones_find_all(store):
    fill(store)
    repack(store)
    reader = Store(store.path)
    assert read(reader) == CONTENT
    more = {"x": b"one more", "y": b"and another" * 30}
    fill(store, "second", more)
    done = repack(store)
    assert (done.pack_count, done.merged_count) == (1, 1)
    names = os.listdir(f"{store.layout.objects}/pack")
    assert len(names) == 2
    assert read(reader) == CONTENT and read(reader, "second") == more
    assert list(check(Store(store.path))) == []


def test_what_is_large_and_what_is_damaged_stays_where_it_is(store):
    fill(store)
    large = store.objects.put_bytes(random.Random(1).randbytes(100_000)).oid
    damaged = store.objects.put_bytes(b"soon damaged").oid
    path = f"{store.layout.objects}/{damaged[:2]}/{damaged[2:]}"
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.write(b"S")
    assert repack(store).damaged_count == 1
    assert {file.oid for file in loose(store)} == {large, damaged}


def test_what_nobody_needs_goes_out_of_a_pack(store):
    fill(store)
    fill(store, "other", {f"o{number}": b"other %d" % number * 200 for number in range(60)})
    repack(store)
    store.delete_session("other")
    empty_trash(store)
    then = time.time() - 30 * 86_400
    for name in os.listdir(f"{store.layout.objects}/pack"):
        os.utime(f"{store.layout.objects}/pack/{name}", (then, then))
    reader = Store(store.path)
    read(reader)
    assert collect(store).trashed_count >= 60
    assert empty_trash(store)[0] >= 60
    assert read(reader) == read(Store(store.path)) == CONTENT
    packs = Path(store.layout.objects, "pack").iterdir()
    assert b"other 59other 59" not in b"".join(pack.read_bytes() for pack in packs)
    assert list(check(Store(store.path))) == []


def _repack_forever(path):
    store = Store(path)
    while True:
        repack(store)
        collect(store, grace_ns=0, trash_grace_ns=0)


def test_a_killed_repack_loses_nothing(store):
    forked = multiprocessing.get_context("fork")
    chosen = random.Random(3)
    expected = {}
    for round in range(8):
        content = {f"{round}/{number}": b"%d %d" % (round, number) * 20 for number in range(20)}
        fill(store, f"s{round}", content)
        expected[f"s{round}"] = content
        child = forked.Process(target=_repack_forever, args=(store.path,))
        child.start()
        time.sleep(chosen.random() * 0.1)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert [fault for fault in check(Store(store.path)) if fault.is_damage] == []
    for session_id, content in expected.items():
        assert read(store, session_id) == content


def test_an_object_is_found_in_packs_without_reading_all_that_they_have(store, monkeypatch):
    fill(store)
    repack(store)
    oids = [file.oid for file in store.objects.list()]

    def read_all(_pack):
        raise AssertionError("the index says where it is")

    monkeypatch.setattr(Complete, "all", read_all)
    for oid in oids:
        (file,) = Store(store.path).objects.places(oid)
        assert (file.oid, file.start is None) == (oid, False)


def test_what_is_put_again_while_objects_are_listed_is_among_them(store):
    trees = sorted((store.objects.put_json("tree", b'{"%d":1}' % number), b'{"%d":1}' % number) for number in range(9))
    repack(store)
    last = trees.pop()
    store.objects.put_json("tree", last[1])
    listing = store.objects.list()
    assert next(listing).oid == last[0]  # the others are behind it, in the pack
    for _, data in trees:
        store.objects.put_json("tree", data)  # in directories that were read already
    assert sorted(file.oid for file in listing) == [oid for oid, _ in trees]
    assert len(list(store.objects.list())) == 9
