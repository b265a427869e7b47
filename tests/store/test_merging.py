"""Bringing what changed in one session over into another one."""

from __future__ import annotations

import threading

import pytest

import sessionfs
from sessionfs.fsck import check


@pytest.fixture
def store(tmp_path):
    return sessionfs.open(tmp_path / "s", create=True, background_sync=False)


@pytest.fixture
def parent(store):
    parent = store.sessions.create(id="parent")
    for path in ("a", "b", "dir/c", "dir/d"):
        parent.artifacts.put(path, "base")
    parent.state.update({"k": 1, "l": 1})
    return parent


@pytest.fixture
def child(parent):
    return parent.fork(id="child")


def texts(session):
    return {artifact.path: artifact.read_text() for artifact in session.artifacts.list() if artifact.kind == "file"}


def kinds(merge):
    return {change.name: change.kind for change in merge.changes}


def clashes(merge):
    return {clash.name: (clash.source, clash.target) for clash in merge.conflicts}


def test_what_only_the_child_changed_is_taken_over(store, parent, child):
    child.artifacts.put("a", "child", tags=["t"])
    child.artifacts.put("new/deep/file", "new", mode=0o600)
    child.artifacts.delete("b")
    child.artifacts.rename("dir", "moved")
    child.state["k"] = 2
    del child.state["l"]
    parent.artifacts.put("other", "parent")
    parent.state["m"] = 3
    expected = {"a": "child", "new/deep/file": "new", "moved/c": "base", "moved/d": "base", "other": "parent"}
    merge = child.merge()
    assert texts(parent) == expected and parent.state.to_dict() == {"k": 2, "m": 3}
    assert kinds(merge) == {
        "a": "modified", "b": "deleted", "moved": "renamed", "new": "added", "new/deep": "added",
        "new/deep/file": "added", "k": "modified", "l": "deleted",
    }  # fmt: skip
    assert (merge.source, merge.target, merge.base, merge.conflicts) == ("child", "parent", "parent@{7}", ())
    a = parent.artifacts["a"]
    assert (a.version, a.tags, a.parent) == (2, ("t",), child.artifacts["a"].id)
    assert (parent.artifacts["new/deep/file"].mode, parent.artifacts["new/deep/file"].version) == (0o600, 1)
    assert texts(parent.at(merge.checkpoint)).keys() == {"a", "b", "dir/c", "dir/d", "other"}
    parent.undo()
    assert texts(parent).keys() == {"a", "b", "dir/c", "dir/d", "other"}
    assert [fault for fault in check(store.core) if fault.is_damage] == []


def test_what_both_changed_in_different_ways_is_listed_and_nothing_is_taken_over(parent, child):
    child.artifacts.put("a", "child")
    child.artifacts.put("fine", "child")
    child.artifacts.delete("b")
    child.artifacts.put("same", "same")
    child.state["k"] = 2
    parent.artifacts.put("a", "parent")
    parent.artifacts.update("b", tags=["t"])
    parent.artifacts.put("same", "same")
    parent.state["k"] = 3
    count, before = parent.event_count, texts(parent)
    merge = child.merge()
    assert clashes(merge) == {
        "a": ("modified", "modified"),
        "b": ("deleted", "modified"),
        "k": ("modified", "modified"),
    }
    assert (parent.event_count, texts(parent), merge.seq) == (count, before, None)
    # Made the same in one of the two, they are none.
    child.artifacts.put("a", "parent")
    child.artifacts.put("b", "base", tags=["t"])
    parent.state["k"] = 2
    merge = child.merge()
    assert merge.conflicts == () and kinds(merge) == {"fine": "added"}


def test_a_directory_that_one_takes_away_and_the_other_uses(parent, child):
    child.artifacts.delete("dir", recursive=True)
    parent.artifacts.put("dir/new", "parent")
    parent.artifacts.put("dir/c", "parent")
    assert clashes(child.merge()) == {"dir/c": ("deleted", "modified"), "dir/new": ("deleted", "added")}
    assert clashes(parent.merge(into=child)) == {"dir/c": ("modified", "deleted"), "dir/new": ("added", "deleted")}


def test_a_file_where_the_other_has_a_directory(parent, child):
    child.artifacts.put("x/y", "child")
    parent.artifacts.put("x", "parent")
    assert clashes(child.merge()) == {"x": ("added", "added"), "x/y": ("added", "added")}


def test_a_time_is_no_change(parent, child):
    child.artifacts.update("a", mtime_ns=5)
    parent.artifacts.put("a", "parent")
    parent.artifacts.update("b", mtime_ns=7)
    child.artifacts.put("b", "child")
    merge = child.merge()
    assert kinds(merge) == {"b": "modified"} and texts(parent)["a"] == "parent"
    child.artifacts.update("dir/c", mtime_ns=9)
    child.merge()
    assert parent.artifacts["dir/c"].mtime_ns == 9


def test_merging_again_takes_what_came_since(parent, child):
    child.artifacts.put("a", "one")
    assert child.merge().base == "parent@{7}"
    parent.artifacts.put("a", "parent's own")
    merge = child.merge()
    assert (merge.changes, merge.conflicts, merge.seq) == ((), (), None)
    child.artifacts.put("b", "two")
    merge = child.merge()
    assert kinds(merge) == {"b": "modified"} and merge.base == "child@{1}"
    child.artifacts.put("a", "three")
    assert clashes(child.merge()) == {"a": ("modified", "modified")}


def test_a_merge_that_was_undone_can_be_done_again(parent, child):
    child.artifacts.put("a", "child")
    child.merge()
    parent.undo()
    assert texts(parent)["a"] == "base"
    parent.artifacts.put("other", "")
    assert kinds(child.merge()) == {"a": "modified"}
    parent.restore(8)
    assert kinds(child.merge()) == {"a": "modified"} and texts(parent)["a"] == "child"
    assert child.merge().seq is None


def test_a_child_is_brought_up_to_date_and_back(parent, child):
    parent.artifacts.put("a", "parent")
    child.artifacts.put("b", "child")
    assert kinds(parent.merge(into=child)) == {"a": "modified"}
    assert texts(child) == {"a": "parent", "b": "child", "dir/c": "base", "dir/d": "base"}
    assert kinds(child.merge()) == {"b": "modified"}
    assert texts(child) == texts(parent)
    assert parent.merge(into=child).seq is None or texts(child) == texts(parent)
    child.artifacts.put("a", "child again")
    parent.artifacts.put("b", "parent again")
    assert kinds(child.merge()) == {"a": "modified"}
    assert kinds(parent.merge(into=child)) == {"b": "modified"}
    assert texts(child) == texts(parent)


def test_children_of_one_parent_also_when_it_has_gone(store, parent, child):
    parent.artifacts.put("later", "")
    sibling = parent.fork(id="sibling")
    child.artifacts.put("a", "child")
    sibling.artifacts.put("b", "sibling")
    assert (merge := sibling.merge(into=child)).base == "parent@{7}"
    assert kinds(merge) == {"b": "modified", "later": "added"}
    store.sessions.delete("parent")
    sibling.artifacts.put("c", "")
    assert kinds(sibling.merge(into=child)) == {"c": "added"}
    grandchild = child.fork(id="grandchild")
    grandchild.artifacts.put("g", "")
    assert kinds(grandchild.merge()) == {"g": "added"}
    assert kinds(grandchild.merge(into=sibling)) == {"a": "modified", "g": "added"}


def test_hard_links_stay_links(parent, child):
    child.artifacts.link("a", "again")
    child.artifacts.put("x", "linked")
    child.artifacts.link("x", "y")
    child.merge()
    for one, other in (("a", "again"), ("x", "y")):
        assert parent.core.tree.find(one) is parent.core.tree.find(other)
    child.artifacts.put("again", "through the other name")
    child.merge()
    assert texts(parent)["a"] == "through the other name"


def test_an_inode_that_is_used_here_gets_another_number(parent, child):
    child.artifacts.rename("a", "moved")
    parent.artifacts.rename("a", "elsewhere")
    merge = child.merge()
    assert merge.conflicts == () and set(texts(parent)) == {"moved", "elsewhere", "b", "dir/c", "dir/d"}
    inos = [node.ino for _, node in parent.core.tree.walk()]
    assert len(inos) == len(set(inos))


def test_only_saying_what_would_be_done(parent, child):
    child.artifacts.put("a", "child")
    count = parent.event_count
    merge = child.merge(dry_run=True)
    assert kinds(merge) == {"a": "modified"} and (merge.seq, parent.event_count) == (None, count)
    assert merge.to_dict()["changes"] == [
        {"what": "artifact", "name": "a", "kind": "modified", "renamed_from": None},
    ]


def test_what_cannot_be_merged(tmp_path, store, parent, child):
    child.artifacts.put("a", "child")
    stranger = store.sessions.create(id="stranger", parent=parent)
    with pytest.raises(sessionfs.InvalidInput, match="no parent"):
        parent.merge()
    with pytest.raises(sessionfs.InvalidInput, match="itself"):
        child.merge(into=child)
    with pytest.raises(sessionfs.InvalidInput, match="no moment in common"):
        stranger.merge()
    elsewhere = sessionfs.open(tmp_path / "other", create=True, background_sync=False).sessions.create(id="parent")
    with pytest.raises(sessionfs.InvalidInput, match="different stores"):
        child.merge(into=elsewhere)
    parent.suspend()
    count = parent.event_count
    with pytest.raises(sessionfs.Denied, match="suspended"):
        child.merge()
    assert parent.event_count == count
    parent.resume()
    child.complete()
    assert kinds(child.merge()) == {"a": "modified"}


def test_a_limit_is_not_exceeded(tmp_path, parent, child):
    child.artifacts.put("a", "x" * 100)
    (tmp_path / "s" / "config.toml").write_text("[limits]\nmax_session_size = 50\n")
    limited = sessionfs.open(tmp_path / "s", background_sync=False).sessions
    count = parent.event_count
    with pytest.raises(sessionfs.Conflict, match="max_session_size"):
        limited["child"].merge()
    assert parent.event_count == count


def test_merging_in_both_directions_at_once_ends(parent, child):
    child.artifacts.put("a", "child")
    parent.artifacts.put("b", "parent")
    threads = [
        threading.Thread(target=lambda one=one, other=other: [one.merge(into=other) for _ in range(10)])
        for one, other in ((child, parent), (parent, child))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert texts(parent) == texts(child) == {"a": "child", "b": "parent", "dir/c": "base", "dir/d": "base"}
