"""The Python API, as its users write it."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import sessionfs
from sessionfs.fsck import check

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def store(tmp_path):
    with sessionfs.open(tmp_path / "runs", create=True) as store:
        yield store


@pytest.fixture
def session(store):
    return store.sessions.create(id="s")


def test_the_first_example_of_the_readme_runs_and_has_ten_lines_at_most(tmp_path):
    code = re.search(r"<!-- example -->\n```python\n(.*?)```", README.read_text(), re.DOTALL)[1]
    assert len(code.strip().splitlines()) <= 10
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, env=_environment()
    )
    assert result.stdout == "All is well.\n\n"


def _environment():
    return {**os.environ, "PYTHONPATH": str(README.parent)}


# Opening


def test_a_store_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(sessionfs.NotFound, match="sessionfs init"):
        sessionfs.open(tmp_path / "nowhere")


def test_a_store_is_found_as_the_command_line_finds_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("SESSIONFS_STORE", raising=False)
    (tmp_path / "project/deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project/deep")
    with pytest.raises(sessionfs.NotFound):
        sessionfs.open()
    assert sessionfs.open(create=True).path == str(tmp_path / "home/.local/share/sessionfs")
    sessionfs.open(tmp_path / "project/.sessionfs", create=True).close()
    assert sessionfs.open().path == str(tmp_path / "project/.sessionfs")
    sessionfs.open(tmp_path / "named", create=True).close()
    monkeypatch.setenv("SESSIONFS_STORE", str(tmp_path / "named"))
    assert sessionfs.open().path == str(tmp_path / "named")


def test_opening_with_create_keeps_what_is_there(tmp_path):
    sessionfs.open(tmp_path / "runs", create=True).sessions.create(id="kept")
    assert list(sessionfs.open(tmp_path / "runs", create=True).sessions) == ["kept"]


def test_the_background_thread_syncs_what_is_owed(tmp_path):
    sessionfs.open(tmp_path / "runs", create=True).close()
    (tmp_path / "runs/config.toml").write_text('[durability]\ninterval = "10ms"\n')
    with sessionfs.open(tmp_path / "runs") as store:
        synced = threading.Event()
        sync = store.core.unsynced.sync
        store.core.unsynced.sync = lambda: (sync(), synced.set())
        store.sessions.create()
        assert synced.wait(60)


# Sessions


def test_a_session_completes_at_the_end_of_its_block(store):
    with store.sessions.create(name="Q4") as session:
        assert session.status == "active"
    assert session.status == "completed"
    assert session.ended_at >= session.started_at == session.created_at


def test_a_session_fails_with_the_text_of_the_exception(store):
    with pytest.raises(ValueError), store.sessions.create() as session:
        raise ValueError("no data")
    assert (session.status, session.reason) == ("failed", "no data")


def test_a_block_that_ends_its_session_itself_is_left_alone(store):
    with store.sessions.create() as session:
        session.fail("stopped early")
    assert (session.status, session.reason) == ("failed", "stopped early")


def test_everything_a_session_says_survives_a_restart(store, tmp_path):
    parent = store.sessions.create(id="p")
    session = store.sessions.create(
        "Name", id="c", description="long", tags=["a", "b"], metadata={"k": [1, {"x": None}]}, parent=parent
    )
    session.artifacts.put("a", b"12345")
    session.complete()
    again = sessionfs.open(store.path).sessions["c"]
    assert again.to_dict() == session.to_dict()
    assert (again.name, again.description, again.tags, again.metadata, again.parent) == (
        "Name", "long", ("a", "b"), {"k": [1, {"x": None}]}, "p",
    )  # fmt: skip
    assert (again.status, again.artifact_count, again.size) == ("completed", 1, 5)
    assert [child.id for child in parent.children()] == ["c"]


def test_lists_are_filtered_sorted_and_cut(store):
    for number in range(5):
        store.sessions.create(f"run {number}", id=f"r{number}", tags=["even" if number % 2 == 0 else "odd", "all"])
    store.sessions["r4"].complete()
    ids = lambda **wanted: [session.id for session in store.sessions.list(**wanted)]  # noqa: E731
    assert ids(tags=["even", "all"]) == ["r0", "r2", "r4"]
    assert ids(status="completed") == ["r4"]
    assert ids(status=["active", "completed"], sort="name", reverse=True, offset=1, limit=2) == ["r3", "r2"]
    assert ids(text="RUN 3") == ["r3"]
    moment = store.sessions["r2"].info().created_ns
    assert ids(created_after=moment) == ["r3", "r4"]
    assert ids(created_before=store.sessions["r1"].created_at) == ["r0"]


def test_the_current_session_is_the_one_in_use_or_in_the_environment(store, monkeypatch):
    monkeypatch.delenv("SESSIONFS_SESSION", raising=False)
    store.sessions.create(id="one"), store.sessions.create(id="two")
    assert store.sessions.current is None
    store.sessions.use("one")
    assert store.sessions.current.id == "one"
    monkeypatch.setenv("SESSIONFS_SESSION", "two")
    assert store.sessions.current.id == "two"


def test_a_deleted_session_is_gone_and_its_id_is_free_again(store):
    session = store.sessions.create(id="x", name="old")
    store.sessions.use("x")
    place = session.delete()
    assert Path(place, "log").exists() and "x" not in store.sessions
    with pytest.raises(KeyError):
        store.sessions["x"]
    with pytest.raises(sessionfs.NotFound):
        session.artifacts.put("a", b"")
    assert store.sessions.current is None
    assert store.sessions.create(id="x").name is None


def test_another_process_sees_changes_at_once(store, session):
    other = sessionfs.open(store.path).sessions["s"]
    session.artifacts.put("a", b"1")
    assert other.artifacts.read("a") == b"1"
    other.state["k"] = 1
    other.complete()
    assert (session.state["k"], session.status) == (1, "completed")


# Artifacts


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"bytes", b"bytes"),
        (bytearray(b"ba"), b"ba"),
        (memoryview(b"mv"), b"mv"),
        ("täxt", "täxt".encode()),
        (io.BytesIO(b"stream" * 100_000), b"stream" * 100_000),
        (b"", b""),
    ],
)
def test_content_is_given_in_many_ways(session, data, expected):
    artifact = session.artifacts.put("x", data)
    assert artifact.read_bytes() == session.artifacts.read("x") == expected
    assert artifact.size == len(expected)


def test_a_file_keeps_its_mode_and_time(session, tmp_path):
    path = tmp_path / "tool.sh"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o750)
    os.utime(path, ns=(1, 1_600_000_000_123_456_789))
    artifact = session.artifacts.put_file(path)
    assert (artifact.path, artifact.mode, artifact.mtime_ns) == ("tool.sh", 0o750, 1_600_000_000_123_456_789)
    assert session.artifacts.put("again", path).oid == artifact.oid


def test_a_tree_is_stored_as_it_is(session, tmp_path):
    source = tmp_path / "tree"
    (source / "empty").mkdir(parents=True)
    (source / "a").write_text("a")
    (source / "link").symlink_to("a")
    os.utime(source / "empty", ns=(0, 1_500_000_000_000_000_001))
    (source / "empty").chmod(0o700)
    Path(os.fsdecode(os.fsencode(source) + b"/\xff\\name")).write_text("raw")
    assert session.artifacts.put_tree(source, "t") == 3
    assert session.artifacts["t/link"].target == "a"
    empty = session.artifacts["t/empty"]
    assert (empty.kind, empty.mode, empty.mtime_ns) == ("directory", 0o700, 1_500_000_000_000_000_001)
    assert session.artifacts["t"].mtime_ns == source.stat().st_mtime_ns
    name = os.fsdecode(b"t/\xff\\name")
    assert session.artifacts.read(name) == b"raw"
    assert session.artifacts[name].to_dict()["path"] == "t/\\xff\\\\name"
    assert session.artifacts.put_tree(source, "t") == 3  # again, over itself


def test_json_and_urls_are_content_too(session):
    session.artifacts.put("a.json", {"x": [1, 2]})
    assert session.artifacts["a.json"].json() == {"x": [1, 2]}
    assert session.artifacts["a.json"].mime_type == "application/json"
    assert session.artifacts.put_url("ref", "https://example.org/d.csv").url == "https://example.org/d.csv"
    with pytest.raises(sessionfs.InvalidInput, match="no URL"):
        session.artifacts.put_url("ref2", "not a url")


def test_half_of_a_surrogate_pair_as_json_can_write_one_is_refused(store, session):
    (half,) = json.loads('["\\ud83d"]')
    with pytest.raises(sessionfs.InvalidInput, match="give bytes"):
        session.artifacts.put("a", half)
    assert not list(session.artifacts)
    for ask in (store.find, store.find_sessions, store.stats, store.patterns, store.du):
        with pytest.raises(sessionfs.InvalidInput, match="surrogate"):
            ask(half)


def test_the_same_bytes_under_two_names_are_two_artifacts_and_one_object(store, session):
    first, second = session.artifacts.put("a", b"same"), session.artifacts.put("b", b"same")
    assert first.id != second.id and first.oid == second.oid
    assert len([file for file in store.objects.list() if file.kind == "blob"]) == 1


def test_a_new_version_keeps_what_was_said_about_the_artifact(session):
    session.artifacts.put("a", b"1", type="tool_result", tags=["x"], metadata={"k": 1}, description="d")
    artifact = session.artifacts.put("a", b"2")
    assert (artifact.version, artifact.type, artifact.tags, artifact.metadata, artifact.description) == (
        2, "tool_result", ("x",), {"k": 1}, "d",
    )  # fmt: skip


def test_an_artifact_in_hand_keeps_its_content(session):
    first = session.artifacts.put("a", b"1")
    session.artifacts.put("a", b"2")
    session.artifacts.delete("a")
    assert first.read_bytes() == b"1"


def test_a_copy_names_its_original_and_copies_no_bytes(store, session):
    original = session.artifacts.put("d/a", b"1", tags=["t"])
    session.artifacts.copy("d", "e/f")
    copied = session.artifacts["e/f/a"]
    assert (copied.oid, copied.parent, copied.tags, copied.version) == (original.oid, original.id, ("t",), 1)


def test_the_parent_of_an_artifact_can_be_given(session):
    source = session.artifacts.put("in", b"1")
    assert session.artifacts.put("out", b"2", parent=source).parent == source.id
    with pytest.raises(sessionfs.InvalidInput, match="no id of an artifact"):
        session.artifacts.put("bad", b"2", parent="nonsense")


def test_tags_are_added_and_removed(session):
    session.artifacts.put("a", b"1", tags=["x"])
    assert session.artifacts.tag("a", add=["y", "z"], remove=["x"]).tags == ("y", "z")


def test_the_mapping_holds_what_is_no_directory(session):
    session.artifacts.put("d/b", b"1"), session.artifacts.put("a", b"2")
    assert list(session.artifacts) == ["a", "d/b"] and len(session.artifacts) == 2
    assert "d/b" in session.artifacts and "d" in session.artifacts and "../x" not in session.artifacts
    assert session.artifacts.get("nope") is None
    assert [item.path for item in session.artifacts.list(recursive=False)] == ["a", "d"]
    assert [item.path for item in session.artifacts.list("d")] == ["d/b"]
    assert [item.path for item in session.artifacts.list(type="document")] == ["a", "d/b"]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../b", "", "a//b", "a/", ".", "a\0b", b"../x", "a/./b"])
def test_paths_that_could_lead_elsewhere_are_refused(session, path):
    with pytest.raises(sessionfs.InvalidInput):
        session.artifacts.put(path, b"x")
    assert list(session.artifacts) == []


@pytest.mark.parametrize(
    "name", ["x" * 255, "ü" * 127, "\U0001f600" * 63, os.fsdecode(b"\xff\xfe"), "a\nb", "-rf", "\\"]
)
def test_every_posix_name_comes_back_exactly(store, session, name):
    session.artifacts.put(name, b"1")
    session.save()
    assert list(sessionfs.open(store.path).sessions["s"].artifacts) == [name]


def test_a_name_of_256_bytes_is_too_long(session):
    with pytest.raises(sessionfs.InvalidInput, match="256"):
        session.artifacts.put("ü" * 128, b"1")


# Files


def test_what_is_written_becomes_one_version_at_close(session):
    with session.artifacts.open("log.txt", "w") as file:
        for number in range(1000):
            file.write(f"{number}\n")
        assert "log.txt" not in session.artifacts
    assert session.artifacts["log.txt"].version == 1
    with session.artifacts.open("log.txt", "a") as file:
        file.write("end\n")
    with session.artifacts.open("log.txt") as file:
        assert file.read().endswith(b"999\nend\n")
    assert session.artifacts["log.txt"].version == 2


def test_a_file_is_read_and_written_in_place(session):
    session.artifacts.put("a", bytes(3_000_000))
    with session.artifacts.open("a", "r+b") as file:
        file.seek(2_000_000)
        file.write(b"here")
        file.seek(1_999_998)
        assert file.read(8) == b"\0\0here\0\0"
        file.truncate(2_000_002)
    assert session.artifacts.read("a") == bytes(2_000_000) + b"he"


def test_modes_mean_what_they_mean_for_open(session):
    session.artifacts.put("a", b"1")
    with pytest.raises(sessionfs.Conflict):
        session.artifacts.open("a", "x")
    with pytest.raises(sessionfs.NotFound):
        session.artifacts.open("b")
    with pytest.raises(sessionfs.NotFound):
        session.artifacts.open("b", "r+")
    with pytest.raises(sessionfs.InvalidInput, match="no mode"):
        session.artifacts.open("a", "rw")
    with session.artifacts.open("a", "rb") as file, pytest.raises(io.UnsupportedOperation):
        file.write(b"x")


def test_a_compressed_artifact_is_read_from_the_middle(session):
    content = b"".join(b"%08d" % number for number in range(200_000))
    artifact = session.artifacts.put("a", content)
    assert artifact.compression == "lz4" and artifact.stored_size < artifact.size
    with artifact.open() as file:
        file.seek(1_000_003)
        assert file.read(50) == content[1_000_003:1_000_053]


# State


def test_state_is_a_mapping_of_json(session):
    session.state.update(a=1, b=[{"c": None}], d="ü" * 20_000)
    assert dict(session.state) == {"a": 1, "b": [{"c": None}], "d": "ü" * 20_000}
    del session.state["a"]
    assert session.state.list("b") == ["b"] and "a" not in session.state and session.state.get("a") is None
    with pytest.raises(KeyError):
        session.state["a"]
    changes = list(session.events("state.changed"))
    assert changes[-1].data == {"key": "a", "old": 1}


def test_null_is_a_value(session):
    session.state["n"] = None
    assert "n" in session.state and session.state["n"] is None


@pytest.mark.parametrize("key", ["", "a/b", ".", "..", "x" * 256, "a\0", 3])
def test_bad_keys_are_refused(session, key):
    with pytest.raises(sessionfs.InvalidInput):
        session.state[key] = 1
    assert len(session.state) == 0


def test_what_json_cannot_hold_is_refused(session):
    with pytest.raises(sessionfs.InvalidInput):
        session.state["k"] = object()


# Together


def test_eight_threads_lose_nothing(store, session):
    def work(number: int) -> None:
        for step in range(50):
            session.artifacts.put(f"{number}/{step}", f"{number}.{step}")
            session.state[f"{number}.{step}"] = step

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(session.artifacts) == len(session.state) == 400
    assert [event.seq for event in session.events()] == list(range(session.event_count))
    assert list(check(store.core)) == []


def test_a_guarded_store_says_which_limit_is_reached(tmp_path):
    store = sessionfs.open(tmp_path / "g", create=True, profile="guarded")
    session = store.sessions.create()
    with pytest.raises(sessionfs.Conflict, match=r"limits.max_artifact_size is 104857600.*config.toml"):
        session.artifacts.put("a", bytes(100 * 2**20 + 1))
    assert session.event_count == 1
    for _ in range(99):
        store.sessions.create()
    with pytest.raises(sessionfs.Conflict, match=r"limits.max_sessions is 100"):
        store.sessions.create()
    session.complete()
    store.sessions.create()
