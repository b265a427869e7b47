"""``find/<query>``: links to what a query finds."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import Mount, eventually

import sessionfs
from sessionfs.index import IndexedArtifact
from sessionfs.mount.find import link_targets
from sessionfs.store.store import Store


@pytest.fixture
def filled(mounted: Mount) -> Mount:
    """A mount with two sessions and a few artifacts, stored by this process."""
    with sessionfs.open(mounted.store_path) as store:
        store.sessions.create(id="two")
        for session, path, tags in (
            ("one", "data/a.csv", ["raw"]),
            ("one", "notes.md", []),
            ("two", "a.csv", ["raw"]),
            ("two", "b.csv", ["raw"]),
        ):
            store.sessions[session].artifacts.put(path, f"{session} {path}".encode(), tags=tags)
    return mounted


def links(directory: Path) -> dict[str, str]:
    return {name: os.readlink(directory / name) for name in os.listdir(directory)}


def test_links_lead_to_what_is_found(filled: Mount) -> None:
    find = filled.path / "find"
    assert os.listdir(find) == []
    assert links(find / "tag:raw") == {
        "one~a.csv": "../../sessions/one/artifacts/data/a.csv",
        "two~a.csv": "../../sessions/two/artifacts/a.csv",
        "b.csv": "../../sessions/two/artifacts/b.csv",
    }
    assert (find / "tag:raw/one~a.csv").read_text() == "one data/a.csv"
    assert sorted(os.listdir(find / "path:data%2F* OR name:*.md")) == ["a.csv", "notes.md"]
    assert os.listdir(find / "name:nothing") == []
    shown = subprocess.run(["grep", "-rl", "two", f"{find}/*.csv/"], capture_output=True, text=True, check=False)
    assert shown.stdout == ""  # grep -r follows no links
    shown = subprocess.run(["grep", "-Rl", "two", f"{find}/*.csv/"], capture_output=True, text=True, check=True)
    assert len(shown.stdout.splitlines()) == 2


def test_what_changes_is_found_at_once(filled: Mount) -> None:
    found = filled.path / "find/*.csv"
    assert len(os.listdir(found)) == 3
    (filled.path / "sessions/one/artifacts/c.csv").write_text("mine")
    assert "c.csv" in os.listdir(found)
    assert (found / "c.csv").read_text() == "mine"
    with sessionfs.open(filled.store_path) as store:
        store.sessions["two"].artifacts.put("d.csv", b"of another process")
    assert eventually(lambda: "d.csv" in os.listdir(found))
    (filled.path / "sessions/one/artifacts/c.csv").unlink()
    assert "c.csv" not in os.listdir(found)
    assert links(filled.path / "find/versions:all name:c.csv").keys() == {"c.csv~1"}
    assert (filled.path / "find/versions:all name:c.csv/c.csv~1").read_text() == "mine"


def test_what_is_no_query_is_no_directory(filled: Mount) -> None:
    for name in ("sizee:1", "(", "created:2026-13-45"):
        with pytest.raises(OSError) as caught:
            os.listdir(filled.path / "find" / name)
        assert caught.value.errno == errno.EINVAL
    for attempt in (
        lambda: os.mkdir(filled.path / "find/new"),
        lambda: os.unlink(filled.path / "find/tag:raw/b.csv"),
        lambda: (filled.path / "find/tag:raw/new").write_text("x"),
    ):
        with pytest.raises(OSError):
            attempt()
    assert not (filled.path / "find/tag:raw/nothing").exists()


def test_only_where_the_whole_store_is(start, tmp_path: Path) -> None:
    Store.create(str(tmp_path / "store"))
    Store(str(tmp_path / "store")).create_session(session_id="one")
    alone = start(session="one")
    assert os.listdir(alone.path) == ["sessions"]


paths = st.lists(st.sampled_from(["a", "b~a", "one~a", "\udcff", "x" * 250]), min_size=1, max_size=3).map("/".join)
places = st.tuples(st.sampled_from(["one", "two", "one~a"]), paths, st.booleans())


@given(st.lists(places, max_size=8))
def test_every_link_has_a_name_of_its_own(found: list[tuple[str, str, bool]]) -> None:
    several = [_artifact(key, *place) for key, place in enumerate(found)]
    targets = link_targets(several)
    assert len(targets) == len(several)
    for name, target in targets.items():
        assert 0 < len(name) <= 255 and b"/" not in name
        assert target.startswith("../../sessions/") or target == "../../objects/" + "0" * 64
    names = [one.name for one in several if one.is_live]
    for one in several:
        if one.is_live and names.count(one.name) == 1 and not any("~" in other.path for other in several):
            assert os.fsencode(one.name) in targets


def _artifact(key: int, session: str, path: str, is_live: bool) -> IndexedArtifact:
    return IndexedArtifact(
        session=session, is_live=is_live, key=key, path=path, kind="file", id=f"{session}:{key}", oid="0" * 64,
        version=1, type="data", mime_type="x/y", description=None, tags=(), metadata={}, size=0, stored_size=0,
        compression="none", created_ns=0, updated_ns=0, mtime_ns=0, created_by="me", parent=None, mode=0o644, uid=0,
        gid=0, links=1, target=None,
    )  # fmt: skip
