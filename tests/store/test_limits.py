"""The limits of config.toml: each says its name, its value and where to change it, and nothing is half written."""

from __future__ import annotations

import os

import pytest

from sessionfs.errors import Conflict
from sessionfs.fsck import check
from sessionfs.store.store import Store


@pytest.fixture
def make_store(tmp_path):
    def make(limits):
        Store.create(str(tmp_path / "s"))
        with open(tmp_path / "s" / "config.toml", "w") as file:
            file.write("[limits]\n" + limits)
        return Store(str(tmp_path / "s"))

    return make


def put(session, path, size):
    return session.artifacts.put(path, session.objects.put_bytes(os.urandom(size)))


def refused(store, session, name, limit, call):
    log = store.layout.log(session.id)
    before = os.path.getsize(log), session.info()
    with pytest.raises(Conflict, match=rf"limits\.{name} is {limit}.*config\.toml") as failure:
        call()
    assert failure.value.errno == 122  # EDQUOT
    assert (os.path.getsize(log), session.info()) == before
    assert os.listdir(store.layout.staging) == []
    assert not list(check(store))


def test_the_size_of_an_artifact(make_store):
    store = make_store("max_artifact_size = '1kB'")
    session = store.create_session()
    put(session, "f", 1000)
    refused(store, session, "max_artifact_size", 1000, lambda: put(session, "d/new", 1001))
    refused(store, session, "max_artifact_size", 1000, lambda: put(session, "f", 1001))
    assert session.tree.find("d") is None and session.tree.find("f").version == 1


def test_the_number_of_artifacts(make_store):
    store = make_store("max_artifacts_per_session = 3")
    session = store.create_session()
    for name in ("a", "b/c", "b/d"):
        put(session, name, 1)
    put(session, "a", 2)  # a version is no artifact
    session.artifacts.make_directory("e")  # nor is a directory
    for call in (
        lambda: put(session, "new/f", 1),
        lambda: session.artifacts.make_symlink("f", "a"),
        lambda: session.artifacts.copy("a", "f"),
        lambda: session.artifacts.copy("b", "g"),
    ):
        refused(store, session, "max_artifacts_per_session", 3, call)
    session.artifacts.copy("a", "b/c")  # replaces one
    session.artifacts.delete("a")
    put(session, "f", 1)


def test_the_size_of_a_session(make_store):
    store = make_store("max_session_size = 1000")
    session = store.create_session()
    put(session, "f", 600)
    for call in (
        lambda: put(session, "g", 401),
        lambda: put(session, "f", 1001),
        lambda: session.artifacts.copy("f", "g"),
    ):
        refused(store, session, "max_session_size", 1000, call)
    put(session, "g", 400)
    put(session, "f", 1)
    put(session, "h", 599)


def test_the_number_of_active_sessions(make_store):
    store = make_store("max_sessions = 2")
    first = store.create_session()
    store.create_session()
    with pytest.raises(Conflict, match=r"limits\.max_sessions is 2.*config\.toml"):
        store.create_session(session_id="third")
    assert len(store.session_ids()) == 2
    first.suspend()
    third = store.create_session(session_id="third")
    third.complete()
    store.create_session(session_id="fourth")
    with pytest.raises(Conflict):
        Store(store.path).create_session()
