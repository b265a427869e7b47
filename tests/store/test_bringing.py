"""Sessions from one store into another: fetch, push, and restoring some from a backup."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from sessionfs import api
from sessionfs.backup import sessions as module
from sessionfs.backup.copies import backup
from sessionfs.backup.done import Outcome
from sessionfs.backup.sessions import bring
from sessionfs.backup.target import Entangled
from sessionfs.errors import Unsupported
from sessionfs.fsck import check
from sessionfs.retention.gc import empty_trash
from sessionfs.store.session import NoSuchSession
from sessionfs.store.store import Store

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(autouse=True)
def few_directories(monkeypatch):
    """Stores are made without the directories for objects, which are made when they are needed: here are many."""
    monkeypatch.setattr("sessionfs.store.layout.FAN_OUT", [])


@pytest.fixture
def stores(tmp_path):
    """A store with a session, its fork and the fork's fork, and an empty one."""
    for name in "st":
        Store.create(str(tmp_path / name))
    source = Store(str(tmp_path / "s"))
    one = source.create_session(session_id="one")
    put(one, "a", b"a\n")
    put(one, "b", os.urandom(100) * 500)
    one.values.set("long", "x" * 100_000)
    source.fork_session("one", session_id="two")
    put(source.session("two"), "c", b"c\n")
    source.fork_session("two", session_id="three")
    put(one, "later", b"after it was forked\n")
    put(source.create_session(session_id="other"), "x", b"x\n")
    return source, Store(str(tmp_path / "t"))


def put(session, path, content):
    session.artifacts.put(path, session.objects.put_bytes(content))


def outcomes(done):
    return {one.session_id: one.outcome.value for one in done.sessions}


def content(store, session_id):
    session = Store(store.path).session(session_id)
    files = {path: store.objects.read(node.oid) for path, node in session.tree.walk() if node.is_file}
    return files, {key: session.state.get(key) for key in session.state.keys("")}


def is_whole(store):
    return [fault for fault in check(Store(store.path)) if fault.is_damage] == []


def test_a_fork_brings_what_it_begins_with_and_nothing_comes_twice(stores):
    source, target = stores
    done = bring(source, target, ["three"])
    assert outcomes(done) == {"one": "new", "two": "new", "three": "new"} and list(outcomes(done)) == [
        "one",
        "two",
        "three",
    ]
    assert content(target, "three") == content(source, "three") and is_whole(target)
    again = bring(source, target)
    assert outcomes(again) == {"one": "unchanged", "two": "unchanged", "three": "unchanged", "other": "new"}
    assert (again.object_count, again.is_whole) == (1, True)
    put(source.session("one"), "new", b"x\n")  # content that is there under another name
    more = bring(source, target, ["one"])
    assert (outcomes(more), more.object_count, more.record_count) == ({"one": "extended"}, 0, 1)
    assert content(target, "one") == content(source, "one") and is_whole(target)


def test_what_was_brought_can_be_worked_on_and_brought_back(stores):
    source, target = stores
    bring(source, target)
    put(target.session("one"), "there", b"there\n")
    assert outcomes(bring(source, target, ["one"])) == {"one": "ahead"}
    assert outcomes(bring(target, source, ["one"])) == {"one": "extended"}
    assert content(target, "one") == content(source, "one") and is_whole(source)


def test_two_histories_are_not_mixed(stores):
    source, target = stores
    bring(source, target)
    put(target.session("one"), "there", b"there\n")
    put(source.session("one"), "here", b"here\n")
    was = content(target, "one")
    done = bring(source, target, ["one", "other"])
    assert outcomes(done) == {"one": "refused", "other": "unchanged"} and not done.is_whole
    assert "another history" in done.sessions[0].message and "delete it there first" in done.sessions[0].message
    assert content(target, "one") == was
    target.delete_session("one")
    assert outcomes(bring(source, target, ["one"])) == {"one": "new"}
    assert content(target, "one") == content(source, "one") and is_whole(target)


def test_a_fork_of_a_session_with_another_history(stores):
    source, target = stores
    bring(source, target, ["one"])
    put(target.session("one"), "there", b"there\n")
    put(source.session("one"), "here", b"here\n")
    assert outcomes(bring(source, target, ["two"])) == {"two": "new"}  # both have what it begins with
    target.delete_session("one")
    assert content(target, "two") == content(source, "two") and is_whole(target)
    source.fork_session("one", session_id="late")
    put(target.create_session(session_id="one"), "y", b"y\n")
    done = bring(source, target, ["late"])
    assert outcomes(done) == {"late": "refused"} and "fork of one" in done.sessions[0].message
    source.delete_session("one")  # which gives the fork a snapshot of its own
    assert outcomes(bring(source, target, ["late"])) == {"late": "new"}
    assert content(target, "late") == content(source, "late") and is_whole(target)


def test_the_parent_that_came_along_cannot_go_without_its_fork(stores):
    source, target = stores
    bring(source, target, ["two"])
    target.delete_session("one")
    assert content(target, "two") == content(source, "two") and is_whole(target)


def test_a_damaged_session_is_refused_and_from_a_backup_comes_without_what_is_damaged(stores):
    source, target = stores
    (file,) = source.objects.places(source.session("one").tree.find("later").oid)
    os.chmod(file.path, 0o644)
    os.truncate(file.path, 3)
    done = bring(source, target, ["one", "other"])
    assert outcomes(done) == {"one": "refused", "other": "new"} and target.session_ids() == ["other"]
    assert "fsck --repair" in done.sessions[0].message and file.oid in done.sessions[0].message
    done = bring(source, target, ["one"], also_damaged=True)
    assert outcomes(done) == {"one": "new"} and not done.is_whole
    assert target.session("one").tree.find("a") is not None and not is_whole(target)
    assert [fault.oid for fault in check(Store(target.path)) if fault.is_damage] == [file.oid]


def test_a_damaged_object_does_not_replace_a_good_one(stores):
    source, target = stores
    bring(source, target, ["one"])
    (file,) = source.objects.places(source.session("one").tree.find("a").oid)
    os.chmod(file.path, 0o644)
    os.truncate(file.path, 1)
    bring(source, target, also_damaged=True)
    assert is_whole(target)


def test_what_the_disk_broke_in_a_log_is_refused(stores):
    source, target = stores
    path = f"{source.path}/sessions/other/log"
    with open(path, "r+b") as log:
        log.seek(100)
        log.write(b"!")
    done = bring(Store(source.path), target)
    assert outcomes(done)["other"] == "refused" and "is damaged" in done.sessions[1].message
    bring(source, target, ["one"])
    with open(f"{target.path}/sessions/one/log", "r+b") as log:
        log.seek(100)
        log.write(b"!")
    put(source.session("one"), "new", b"new\n")
    done = bring(source, Store(target.path), ["one"])
    assert outcomes(done) == {"one": "refused"} and "fsck --repair --from" in done.sessions[0].message


def test_bad_requests(stores, tmp_path):
    source, target = stores
    with pytest.raises(NoSuchSession):
        bring(source, target, ["one", "nobody"])
    with pytest.raises(Entangled):
        bring(source, Store(f"{tmp_path}/t/../s"))
    assert target.session_ids() == []
    with pytest.raises(Unsupported, match="clone it first"):
        api.open(source.path, background_sync=False).fetch("host:store")


def test_a_session_that_is_written_to_while_it_is_brought(stores, monkeypatch):
    source, target = stores
    bring(source, target, ["one"])
    put(source.session("one"), "new", b"new\n")
    extend, tries = module.extend, []

    def busy(*arguments):
        tries.append(True)
        if len(tries) == 1:  # somebody else brings the same, at the same time
            bring(Store(source.path), Store(target.path), ["one"])
        return extend(*arguments)

    monkeypatch.setattr(module, "extend", busy)
    assert outcomes(bring(source, target, ["one"])) == {"one": "unchanged"}
    assert content(target, "one") == content(source, "one") and is_whole(target)


def test_an_open_session_sees_what_is_brought(stores):
    source, target = stores
    bring(source, target, ["one"])
    session = target.session("one")
    put(source.session("one"), "new", b"new\n")
    other = Store(target.path)
    bring(source, other, ["one"])
    assert session.refresh() and session.tree.find("new") is not None
    put(session, "mine", b"mine\n")
    assert is_whole(target)


def test_from_python(stores, tmp_path):
    source, target = (api.open(store.path, background_sync=False) for store in stores)
    assert source.push(target.path, ["thr"]).is_whole and "three" in target.sessions
    assert target.fetch(source.path, ["other"]).sessions[0].outcome is Outcome.NEW
    assert source.backup(tmp_path / "b", verify=True).is_whole
    source.sessions.delete("other")
    assert outcomes(source.restore_backup(tmp_path / "b", ["other"])) == {"other": "new"}
    assert "other" in source.sessions
    assert api.clone(tmp_path / "b", tmp_path / "c").session_count == 4
    assert api.restore_backup(tmp_path / "b", tmp_path / "r").is_whole
    (file,) = stores[0].objects.places(stores[0].session("one").tree.find("a").oid)
    there = file.path.replace(f"{tmp_path}/s", f"{tmp_path}/b")
    os.chmod(there, 0o644)
    with open(there, "wb") as damaged:
        damaged.write(b"b\n")  # as long as it was
    assert source.backup(tmp_path / "b").is_whole
    done = source.backup(tmp_path / "b", verify=True)
    assert not done.is_whole and file.oid[2:] in done.damaged[0].where


def test_the_code_of_the_readme(stores, tmp_path):
    source, _ = stores
    Store.create(str(tmp_path / "other"))
    api.open(tmp_path / "other", background_sync=False).sessions.create(id="q4")
    code = re.search(r"<!-- copies -->\n```python\n(.*?)```", README.read_text(), re.DOTALL)[1]
    for written, place in {
        "/mnt/disk/runs": "b",
        "server:/srv/runs": "other",
        "/srv/runs": "other",
        "mine": "mine",
    }.items():
        code = code.replace(f'"{written}"', repr(str(tmp_path / place)))
    store = api.open(source.path, background_sync=False)
    exec(code, {"store": store, "sessionfs": api})
    assert "q4" in store.sessions and (tmp_path / "b" / "format").exists()


def test_backups_of_stores_that_only_can_be_read(stores, tmp_path):
    source, _ = stores
    backup(source, str(tmp_path / "b"))
    for directory, _, _ in os.walk(source.path):
        os.chmod(directory, 0o555)
    assert backup(Store(source.path), str(tmp_path / "b")).is_whole


def move_to_trash(store, suffixes):
    trash = Path(store.layout.trashed("+objects", store.clock()))
    trash.mkdir()
    moved = [path for path in Path(store.layout.objects).glob("??/*") if path.suffix in suffixes]
    for path in moved:
        path.rename(trash / f"{path.parent.name}{path.name}")
    assert moved


@pytest.mark.parametrize("suffixes", [(".tree",), (".snapshot",), ("",), (".tree", ".snapshot", "")])
def test_what_a_killed_gc_left_in_the_trash_is_copied(tmp_path, suffixes):
    for name in "st":
        Store.create(str(tmp_path / name))
    source, target = (Store(str(tmp_path / name)) for name in "st")
    parent = source.create_session(session_id="parent")
    put(parent, "a", b"a\n")
    for path in ("d", "d/e"):
        parent.artifacts.make_directory(path)
    put(parent, "d/e/f", b"f\n")
    source.fork_session("parent", session_id="fork")
    source.delete_session("parent")  # so that the fork's snapshot alone says what it begins with
    empty_trash(source)
    expected = {"a": b"a\n", "d/e/f": b"f\n"}
    move_to_trash(source, suffixes)
    assert backup(Store(source.path), str(tmp_path / "b")).is_whole
    copy = Store(str(tmp_path / "b"))
    assert is_whole(copy) and content(copy, "fork")[0] == expected
    move_to_trash(source, suffixes)
    assert outcomes(bring(Store(source.path), target)) == {"fork": "new"}
    assert is_whole(target) and content(target, "fork")[0] == expected
