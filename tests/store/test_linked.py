"""Several names of one inode, artifacts that change places, special files, and very deep trees."""

from __future__ import annotations

import pytest

from sessionfs.artifacts import (
    ArtifactExists,
    IntoItself,
    LinkedDirectory,
    NoSuchArtifact,
    TooManyLinks,
    rules,
)
from sessionfs.errors import InvalidInput
from sessionfs.fsck import check
from sessionfs.store.store import Store


@pytest.fixture
def path(tmp_path):
    Store.create(str(tmp_path / "s"))
    return str(tmp_path / "s")


@pytest.fixture
def session(path):
    return Store(path).create_session(session_id="x")


def put(session, path, content=b"content"):
    return session.artifacts.put(path, session.objects.put_bytes(content))


def reopened(session, path):
    """The session as another process has it, from a snapshot and from the first record."""
    session.save()
    again = Store(path).session("x")
    assert not list(check(Store(path)))
    assert (again.tree.artifact_count, again.tree.size) == (session.tree.artifact_count, session.tree.size)
    return again


def test_names_of_one_inode_share_everything(session, path):
    put(session, "a")
    session.artifacts.make_directory("d")
    session.artifacts.link("a", "d/b")
    put(session, "d/b", b"other content")
    session.artifacts.change("a", tags=["t"])
    for seen in (session, reopened(session, path)):
        a, b = seen.tree.resolve("a"), seen.tree.resolve("d/b")
        assert a is b
        assert (a.links, a.version, a.tags, a.size) == (2, 2, ("t",), 13)
        assert [found for found, _ in seen.tree.walk()] == ["a", "d", "d/b"]
        assert (seen.tree.artifact_count, seen.tree.size) == (2, 26)


def test_a_change_through_a_name_whose_siblings_nobody_has_read(session, path):
    session.artifacts.make_directory("d")
    put(session, "a")
    session.artifacts.link("a", "d/b")
    session.save()
    second = Store(path).session("x")
    put(second, "a", b"newer")
    second.save()
    third = Store(path).session("x")
    assert third.tree.resolve("d/b").size == 5


def test_the_last_name_is_found_in_a_directory_that_nobody_has_read(session, path):
    session.artifacts.make_directory("d")
    put(session, "a")
    session.artifacts.link("a", "d/b")
    session.save()
    again = Store(path).session("x")
    node = again.tree.resolve("a")
    again.artifacts.delete("a")
    assert node.links == 1
    assert again.tree.path_of(node) == "d/b"
    again.artifacts.delete("d/b")
    assert again.tree.path_of(node) is None
    assert node.links == 0
    assert reopened(again, path).tree.artifact_count == 0


def test_a_deleted_directory_takes_its_names_away(session, path):
    session.artifacts.make_directory("d")
    put(session, "a")
    for name in ("d/b", "d/c", "e"):
        session.artifacts.link("a", name)
    session.artifacts.delete("d", recursive=True)
    for seen in (session, reopened(session, path)):
        assert seen.tree.resolve("a").links == 2
        assert seen.tree.resolve("e") is seen.tree.resolve("a")


def test_links_that_are_refused(session, monkeypatch):
    session.artifacts.make_directory("d")
    put(session, "a")
    before = session.log.position
    for source, target, error in (
        ("d", "e", LinkedDirectory),
        ("a", "d", ArtifactExists),
        ("a", "a", ArtifactExists),
        ("missing", "b", NoSuchArtifact),
        ("a", "missing/b", NoSuchArtifact),
    ):
        with pytest.raises(error):
            session.artifacts.link(source, target)
    monkeypatch.setattr(rules, "MAX_LINKS", 2)
    session.artifacts.link("a", "b")
    with pytest.raises(TooManyLinks, match="2 names"):
        session.artifacts.link("b", "c")
    assert session.log.position.seq == before.seq + 1


def test_renaming_one_name_over_another_of_the_same_inode_does_nothing(session):
    put(session, "a")
    session.artifacts.link("a", "b")
    before = session.log.position
    session.artifacts.rename("a", "b")
    assert session.log.position == before
    assert session.tree.resolve("a").links == 2


def test_a_renamed_name(session, path):
    put(session, "a")
    session.artifacts.link("a", "b")
    put(session, "c", b"replaced")
    session.artifacts.rename("a", "c")
    for seen in (session, reopened(session, path)):
        assert seen.tree.find("a") is None
        assert seen.tree.resolve("b") is seen.tree.resolve("c")
        assert seen.tree.resolve("c").links == 2


def test_files_and_directories_change_places(session, path):
    session.artifacts.make_directory("d")
    put(session, "d/x")
    put(session, "a", b"a file")
    session.artifacts.exchange("a", "d")
    for seen in (session, reopened(session, path)):
        assert seen.tree.resolve("d").size == 6
        assert seen.tree.resolve("a/x").size == 7


def test_exchanges_that_are_refused(session):
    session.artifacts.make_directory("d")
    put(session, "d/x")
    for first, second, error in (("d", "d/x", IntoItself), ("d/x", "d", IntoItself), ("d", "missing", NoSuchArtifact)):
        with pytest.raises(error):
            session.artifacts.exchange(first, second)


def test_special_files(session, path):
    session.artifacts.make_special("fifo", "fifo", mode=0o640)
    session.artifacts.make_special("null", "character_device", rdev=259)
    for seen in (session, reopened(session, path)):
        assert oct(seen.tree.resolve("fifo").mode) == "0o10640"
        assert seen.tree.resolve("null").rdev == 259
    with pytest.raises(InvalidInput, match="door"):
        session.artifacts.make_special("x", "door")


def test_a_tree_deeper_than_the_stack(session, path):
    deep = "/".join("d" * 1100)
    session.artifacts.make_directory(deep)
    put(session, f"{deep}/f")
    assert reopened(session, path).tree.resolve(f"{deep}/f").size == 7
    assert len(list(session.tree.walk())) == 1101
    session.artifacts.delete("d", recursive=True)
    assert session.tree.artifact_count == 0


def test_directories_know_how_many_directories_they_hold(session, path):
    for name in ("a", "b", "b/c"):
        session.artifacts.make_directory(name)
    put(session, "f")
    session.artifacts.rename("b", "a/b")
    for seen in (session, reopened(session, path)):
        assert seen.tree.root.directory_count() == 1
        assert seen.tree.resolve("a").directory_count() == 1
