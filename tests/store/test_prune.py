"""Pruning: what is given up goes, what is kept stays, the log proves what it did, and everybody knows."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

import sessionfs
from sessionfs.errors import Conflict, Corrupt, InvalidInput, NotFound
from sessionfs.events.whole import verify
from sessionfs.fsck import check, repair
from sessionfs.objects import GivenUp
from sessionfs.oid import hash_bytes
from sessionfs.retention.gc import collect, empty_trash
from sessionfs.retention.keeping import Keep
from sessionfs.retention.prune import prune
from sessionfs.store.store import Store

SECOND_NS = 10**9


@pytest.fixture
def api(tmp_path):
    with sessionfs.open(tmp_path / "s", create=True, background_sync=False) as store:
        yield store


@pytest.fixture
def q4(api):
    session = api.sessions.create(id="q4")
    session.core.artifacts.make_directory("d")
    for number in range(5):
        session.artifacts.put("a", b"a%d" % number)
        session.artifacts.put("d/b", b"b%d" % number)
    return session


def empty(api):
    """Delete all that nothing needs, for good."""
    collect(api.core, grace_ns=0)
    return empty_trash(api.core)[0]


def contents(session, path):
    """Return each version of an artifact, None for one that is gone."""
    found = []
    for version in session.versions(path):
        try:
            found.append(version.read_bytes())
        except NotFound:
            found.append(None)
    return found


def is_whole(api):
    return list(check(Store(api.path))) == [] and all(
        verify(api.core, session.id).is_whole for session in api.sessions.list()
    )


def test_old_versions_go_and_nothing_else_does(api, q4):
    head = q4.log_head()
    before = [[item.path for item in q4.at(seq).artifacts.list(recursive=True)] for seq in range(12)]
    done = q4.prune(keep=2)
    assert (done.version_count, done.size, done.paths) == (6, 12, ("a", "d/b"))
    assert contents(q4, "a") == [b"a0", b"a1", b"a2", b"a3", b"a4"]  # until gc
    assert empty(api) == 6
    assert contents(q4, "a") == [None, None, None, b"a3", b"a4"]
    assert contents(q4, "d/b") == [None, None, None, b"b3", b"b4"]
    assert q4.verify_log(head).is_whole and is_whole(api)
    assert before == [[item.path for item in q4.at(seq).artifacts.list(recursive=True)] for seq in range(12)]
    assert api.find("name=a") and [one.path for one in api.find("name=a")] == ["a"]
    assert q4.prune(keep=2).version_count == 0


def test_who_asks_for_what_is_gone_is_told_why(api, q4):
    q4.prune(keep=1)
    empty(api)
    then = q4.at(2)
    with pytest.raises(GivenUp, match=r"session q4 gave it up by retention on 20.*record 12") as caught:
        then.artifacts["a"].read_bytes()
    assert caught.value.errno == errno.ENODATA
    with pytest.raises(NotFound, match="gave it up"):
        then.artifacts["a"].copy_to(io.BytesIO())
    with pytest.raises(Conflict, match=r"cannot be brought back: session q4 gave it up"):
        q4.restore(2)
    with pytest.raises(NotFound, match=r"cannot be forked after its record 2.*1 artifacts then \(a\)"):
        q4.fork(at=2)
    assert "a" in q4.artifacts and q4.artifacts["a"].read_bytes() == b"a4"
    patch = q4.diff(2, 5, ["a"]).unified()
    assert b"gave it up by retention" in patch and b"Binary files" in patch
    assert [operation.seq for operation in q4.operations("a")] == [10, 8, 6, 4, 2]
    fork = q4.fork(id="now")
    assert fork.artifacts["a"].read_bytes() == b"a4" and is_whole(api)


def test_a_checkpoint_a_pin_and_what_others_need_stay(api, q4):
    q4.checkpoints.create("first", at=4)  # a1 and b0
    fork = q4.fork(id="fork", at=6)  # a2 and b1
    q4.pin("d", "cited")
    q4.prune(keep=1)
    empty(api)
    assert contents(q4, "d/b") == [b"b0", b"b1", b"b2", b"b3", b"b4"]
    assert q4.at("first").artifacts["a"].read_bytes() == b"a1"
    assert fork.artifacts["a"].read_bytes() == b"a2" and is_whole(api)
    q4.unpin("d")
    q4.checkpoints.delete("first")
    api.sessions.delete("fork")
    collect(api.core, grace_ns=0, trash_grace_ns=0)
    empty_trash(api.core)
    q4.prune(keep=1)
    empty(api)
    assert contents(q4, "d/b") == [None, None, None, None, b"b4"] and contents(q4, "a")[1] is None
    assert is_whole(api)


def test_a_fork_gives_up_what_its_parent_had_and_the_parent_keeps_it(api, q4):
    fork = q4.fork(id="fork")
    fork.artifacts.put("a", b"new")
    assert fork.prune(keep=1).version_count == 9
    assert empty(api) == 0 and contents(q4, "a")[0] == b"a0"
    q4.prune(keep=1)
    assert empty(api) == 8  # a4 and b4 are live in q4
    assert contents(fork, "a") == [None, None, None, None, b"a4", b"new"] and is_whole(api)


def test_a_fork_that_is_made_after_pruning_does_not_need_what_was_given_up(api, q4):
    q4.prune(keep=1)
    fork = q4.fork(id="fork")
    assert empty(api) == 8 and is_whole(api)
    assert fork.artifacts["a"].read_bytes() == b"a4"
    q4.artifacts.delete("a")
    q4.core.objects.rest()
    api.sessions.delete("q4")
    assert fork.artifacts["a"].read_bytes() == b"a4" and is_whole(api)
    empty(api)
    assert fork.prune(keep=1).version_count == 0 and fork.artifacts["d/b"].read_bytes() == b"b4"


def test_a_fork_of_a_parent_whose_id_another_session_has_now(api, q4):
    fork = q4.fork(id="fork")
    api.sessions.delete("q4")
    other = api.sessions.create(id="q4")
    for number in range(9):
        other.artifacts.put("a", b"a4" if number == 0 else b"other %d" % number)
    other.artifacts.put("d-b", b"b4")
    other.artifacts.delete("d-b")
    other.prune(keep=1)
    empty_trash(api.core)
    empty(api)
    assert fork.artifacts["a"].read_bytes() == b"a4" and is_whole(api)


def test_what_is_stored_again_while_it_is_there_is_back(api, q4):
    q4.prune(keep=1)
    collect(api.core, grace_ns=0)
    q4.restore(2, ["a"])
    assert empty(api) == 7  # all but a0
    assert q4.artifacts["a"].read_bytes() == b"a0" and contents(q4, "a")[0] == b"a0" and is_whole(api)


def test_content_in_pieces_keeps_the_pieces_that_were_versions_once(api):
    session = api.sessions.create(id="log")
    with session.artifacts.open("log", "wb") as file:
        file.write(b"x" * 300_000)
    for number in range(6):
        with session.artifacts.open("log", "ab") as file:
            file.write(b"line %d\n" % number)
    expected = session.artifacts["log"].read_bytes()
    session.prune(keep=1)
    empty(api)
    assert session.artifacts["log"].read_bytes() == expected and is_whole(api)
    assert contents(session, "log").count(None) >= 4


def test_the_last_versions_of_some_time_stay(tmp_path):
    now = 1_800_000_000 * SECOND_NS
    Store.create(str(tmp_path / "s"))
    store = Store(str(tmp_path / "s"), clock=lambda: now)
    session = store.create_session(session_id="q4")
    for number in range(6):
        now += 10 * SECOND_NS
        session.artifacts.put("a", store.objects.put_bytes(b"%d" % number))
    now += SECOND_NS
    # 25 seconds ago version 3 was live, which had been stored 6 seconds before.
    assert prune(store, "q4", Keep(None, 25 * SECOND_NS), dry_run=True).version_count == 2
    assert prune(store, "q4", Keep(5, 25 * SECOND_NS), dry_run=True).version_count == 1
    assert prune(store, "q4", Keep(None, 1000 * SECOND_NS)).version_count == 0


def test_a_finished_session_can_be_pruned_and_only_some_artifacts(api, q4):
    q4.complete()
    assert q4.prune(keep=1, paths=["d"]).paths == ("d/b",)
    q4.archive()
    assert q4.prune(keep=1, paths="a", dry_run=True).version_count == 4
    empty(api)
    assert contents(q4, "a")[0] == b"a0" and is_whole(api)


def test_what_makes_no_sense_or_is_damaged_is_refused(api, q4):
    for words in ({}, {"keep": 0}, {"keep": 1, "keep_for": "soon"}):
        with pytest.raises(InvalidInput):
            q4.prune(**words)
    log = api.core.layout.log("q4")
    with open(log, "r+b") as file:
        file.seek(900)
        file.write(b"?")
    with sessionfs.open(api.path, background_sync=False) as again, pytest.raises(Corrupt):
        prune(again.core, "q4", Keep(1))
    assert b"session.pruned" not in Path(log).read_bytes()


def test_a_repair_after_pruning_has_nothing_to_do(api, q4):
    q4.save()
    q4.prune(keep=1)
    empty(api)
    assert [one for one in repair(api.core) if one.action != "left"] == [] and is_whole(api)


def test_a_version_that_is_stored_again_while_it_is_being_pruned_stays(api, q4, monkeypatch):
    from sessionfs.retention import prune as module

    other = sessionfs.open(api.path, background_sync=False)
    found = module._find
    calls = []

    def find(*arguments):
        done = found(*arguments)
        if not calls:
            other.sessions["q4"].artifacts.put("again", b"a0")
        calls.append(done)
        return done

    monkeypatch.setattr(module, "_find", find)
    assert q4.prune(keep=1).version_count == 7 and len(calls) > 1
    empty(api)
    assert q4.artifacts["again"].read_bytes() == b"a0" and is_whole(api)
    other.close()


def test_what_a_caller_records_needs_nothing_that_was_given_up(api, q4, tmp_path):
    oid = hash_bytes(b"a0")
    q4.prune(keep=1)
    empty(api)
    q4.record("custom.note", {"text": f"{oid} was given up"})
    assert is_whole(api) and api.backup(str(tmp_path / "b")).is_whole
    q4.artifacts.put("a", b"a0")
    assert contents(q4, "a")[0] == b"a0" and is_whole(api)
    (file,) = api.core.objects.places(oid)
    Path(file.path).unlink()
    assert [fault.kind for fault in check(Store(api.path))][:1] == ["missing-object"], "stored again, it is needed"


def test_what_a_caller_records_is_no_tombstone_whatever_it_says(api, q4):
    oid = q4.artifacts["a"].oid
    q4.record("custom.imported", {"type": "session.pruned", "data": {"oids": [oid], "reason": "retention"}})
    q4.state["quoted"] = {"type": "session.pruned", "oids": [oid]}
    empty(api)
    assert is_whole(api)
    assert q4.artifacts.read("a") == b"a4"
    with pytest.raises(NotFound):
        api.core.objects.read(hash_bytes(b"nobody has this"))
