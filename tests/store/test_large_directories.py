"""A directory of thousands is read and written part by part, and all who walk through objects know parts."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

import sessionfs
from sessionfs.artifacts.tree_object import MAX_UNDIVIDED, decode_tree
from sessionfs.fsck import check, repair
from sessionfs.retention.gc import collect, empty_trash
from sessionfs.store.past import fold_at
from sessionfs.store.store import Store
from sessionfs.travel.difference import compare_trees

NAMES = [f"file-{number:05}.txt" for number in range(3000)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("large") / "s")
    with sessionfs.open(path, create=True, background_sync=False) as store:
        session = store.sessions.create(id="large")
        oid = session.artifacts.put("many/" + NAMES[0], b"content").oid
        stored = store.objects.put_bytes(b"content")
        with session.core.writing():
            for name in NAMES[1:]:
                session.core.artifacts.put(f"many/{name}", stored)
        session.save()
        before = session.core.log.position
        session.artifacts.put("many/file-01500.txt", b"changed")
        session.artifacts.delete("many/file-00007.txt")
        session.save()
    return SimpleNamespace(path=path, oid=oid, before=before)


def parts_of(directory, session):
    return decode_tree(session.objects.read_json("tree", directory.tree)).parts


def test_a_change_costs_its_part(made):
    session = Store(made.path).session("large")
    before, after = fold_at(session, made.before).fold.tree, session.tree
    changed = {change.path for change in compare_trees(before, after)}
    assert changed == {"many/file-01500.txt", "many/file-00007.txt"}
    old, new = (parts_of(tree.find("many"), session) for tree in (before, after))
    assert 3 < len(new) < 50 and sum(part.entries for part in new) == len(NAMES) - 1 > MAX_UNDIVIDED
    assert len({part.tree for part in new} - {part.tree for part in old}) == 2
    assert sorted(after.find("many").entries()) == [name for name in NAMES if name != NAMES[7]]


def test_one_name_reads_one_part(made):
    store = Store(made.path)
    session = store.session("large")
    read = []
    source = session.tree.root.source
    load, source.load = source.load, lambda oid: read.append(oid) or load(oid)
    assert session.tree.find("many/file-02000.txt").oid == made.oid
    assert session.tree.find("many/none") is None
    assert session.tree.find("many").entry_count() == len(NAMES) - 1
    assert len(read) <= 4  # the root, the directory, one part for each name


def test_all_who_walk_know_parts(made):
    store = Store(made.path)
    assert list(check(store)) == []
    collect(store, grace_ns=0)
    empty_trash(store)
    assert list(check(store)) == []
    assert len(list(Store(made.path).session("large").tree.walk())) == len(NAMES)


@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_a_part_that_is_lost_is_read_from_the_log_and_put_back(made, how):
    store = Store(made.path)
    session = store.session("large")
    oid = parts_of(session.tree.find("many"), session)[2].tree
    path = f"{store.layout.objects}/{oid[:2]}/{oid[2:]}.tree"
    if how == "lost":
        os.unlink(path)
    else:
        os.chmod(path, 0o644)
        with open(path, "r+b") as file:
            file.write(b"?")
    faults = [fault for fault in check(Store(made.path)) if fault.is_damage]
    assert faults and all(oid in str(fault) for fault in faults)
    assert len(list(Store(made.path).session("large").tree.walk())) == len(NAMES)
    assert all(step.is_done for step in repair(Store(made.path)))
    assert list(check(Store(made.path))) == []
