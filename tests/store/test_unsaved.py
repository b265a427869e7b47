"""What was written and in no version yet survives the process that held it."""

from __future__ import annotations

import os

import pytest

from sessionfs.fsck import Fault, check, recover
from sessionfs.store.store import Store
from sessionfs.store.unsaved import Journal, discard, list_unsaved

BASE = b"0123456789" * 10


@pytest.fixture
def store(tmp_path):
    Store.create(str(tmp_path / "s"))
    return Store(str(tmp_path / "s"))


@pytest.fixture
def journal(store):
    return Journal(store.disk, store.layout.staging)


def killed(journal):
    """What the kernel does to the journal of a process that is killed: its lock goes, its bytes stay."""
    os.close(journal._fd)


def found(store):
    result = {}
    for unsaved in list_unsaved(store.layout.staging):
        staged = unsaved.content(store.objects)
        result[unsaved.path] = staged.pread(1 << 20, 0)
        staged.discard()
    return result


def test_what_was_written_over_what_was_there(store, journal):
    base = store.objects.put_bytes(BASE).oid
    old, new = journal.begin("x", "d/old", base), journal.begin("x", "new\udcff", None)
    journal.wrote(old, 5, b"abc")
    journal.wrote(new, 3, b"hello")
    journal.truncated(old, 20)
    killed(journal)
    assert found(store) == {"d/old": b"01234abc890123456789", "new\udcff": b"\0\0\0hello"}


def test_what_became_a_version_is_not_unsaved(store, journal):
    first, second = journal.begin("x", "a", None), journal.begin("x", "b", None)
    journal.wrote(first, 0, b"a")
    journal.end(first)
    journal.wrote(second, 0, b"b")
    killed(journal)
    assert found(store) == {"b": b"b"}


def test_a_journal_begins_again_when_nothing_is_unsaved(store, journal):
    for _ in range(100):
        file = journal.begin("x", "long", None)
        journal.wrote(file, 0, b"z" * 1000)
        journal.end(file)
    last = journal.begin("x", "last", None)
    journal.wrote(last, 0, b"y")
    (name,) = os.listdir(store.layout.staging)
    assert os.path.getsize(f"{store.layout.staging}/{name}") < 3000
    killed(journal)
    assert found(store) == {"last": b"y"}


def test_a_checkpoint_takes_the_place_of_what_went_before(store, journal):
    file = journal.begin("x", "a", None)
    journal.wrote(file, 0, b"lost with the checkpoint")
    journal.checkpoint(file, "moved", store.objects.put_bytes(BASE).oid)
    journal.wrote(file, 100, b"tail")
    killed(journal)
    assert found(store) == {"moved": BASE + b"tail"}


@pytest.mark.parametrize("missing", [1, 3, 20, 37])
def test_a_process_killed_in_the_middle_of_a_frame(store, journal, missing):
    file = journal.begin("x", "a", None)
    journal.wrote(file, 0, b"whole")
    journal.wrote(file, 5, b"not whole")
    os.truncate(journal._path, os.path.getsize(journal._path) - missing)
    killed(journal)
    assert found(store) == {"a": b"whole"}


def test_the_journal_of_a_living_process_is_left_alone(store, journal):
    journal.wrote(journal.begin("x", "a", None), 0, b"x")
    assert found(store) == {}
    discard(journal._path)
    assert os.path.exists(journal._path)


def test_a_journal_without_anything_unsaved_goes_with_its_process(store, journal):
    journal.end(journal.begin("x", "a", None))
    journal.close()
    assert os.listdir(store.layout.staging) == []


def test_fsck_lists_it_and_recovers_it(store, journal, tmp_path):
    for path, content in (("a", b"one"), ("d/b", b"two")):
        journal.wrote(journal.begin("x", path, None), 0, content)
    killed(journal)
    assert [(fault.kind, fault.where, fault.is_damage) for fault in check(store)] == [
        ("unsaved", "x:a", False),
        ("unsaved", "x:d/b", False),
    ]
    (tmp_path / "out/x").mkdir(parents=True)
    (tmp_path / "out/x/a").write_text("kept")
    targets = [recovered.target for recovered in recover(store, str(tmp_path / "out"))]
    assert targets == [f"{tmp_path}/out/x/a.1", f"{tmp_path}/out/x/d/b"]
    assert (tmp_path / "out/x/a").read_text() == "kept"
    assert (tmp_path / "out/x/a.1").read_text() == "one"
    assert (tmp_path / "out/x/d/b").read_text() == "two"
    assert not list(check(store))


def test_what_cannot_be_recovered_stays(store, journal, tmp_path):
    journal.wrote(journal.begin("x", "a", store.objects.put_bytes(BASE).oid), 0, b"x")
    journal.wrote(journal.begin("x", "../../out", None), 0, b"x")
    killed(journal)
    for file in store.objects.list():
        os.unlink(file.path)
    results = list(recover(store, str(tmp_path / "out")))
    assert all(isinstance(result, Fault) for result in results)
    assert len(results) == 2
    assert len(list(list_unsaved(store.layout.staging))) == 2
    assert not os.path.exists(tmp_path.parent / "out")
