"""Sessions in one file: made, checked without a store, taken over; and everything that can be wrong with the file."""

from __future__ import annotations

import io
import json
import os
import resource

import pytest

import sessionfs
from sessionfs.backup.bundle_check import DamagedBundle
from sessionfs.backup.bundle_create import MomentOfOne, NotWhole
from sessionfs.backup.bundle_format import NewerBundle
from sessionfs.backup.bundle_unpack import MissingPrerequisite, NotInBundle
from sessionfs.errors import Conflict, InvalidInput, NotFound
from sessionfs.fsck import check


@pytest.fixture
def one(tmp_path):
    return sessionfs.open(tmp_path / "one", create=True, background_sync=False)


@pytest.fixture
def two(tmp_path):
    return sessionfs.open(tmp_path / "two", create=True, background_sync=False)


@pytest.fixture
def q4(one):
    session = one.sessions.create("Q4", id="q4")
    session.artifacts.put("a/small.txt", "small", metadata={"x": 1})
    session.artifacts.put("zeros", bytes(100_000))
    session.artifacts.put("random", os.urandom(20_000))
    session.state["long"] = "v" * 20_000
    session.checkpoints.create("first", message="so far")
    append(session, 300_000)
    return session


def append(session, length):
    with session.artifacts.open("growing.log", "ab") as file:
        file.write(os.urandom(length))


def bundled(store, sessions=None, since=None):
    out = io.BytesIO()
    store.bundle(out, sessions, since=since)
    return out.getvalue()


def outcomes(copied):
    return {session.session_id: session.outcome.value for session in copied.sessions}


def seen(session):
    return {
        "head": session.log_head(),
        "contents": {path: session.artifacts.read(path) for path in session.artifacts},
        "state": session.state.to_dict(),
        "checkpoints": [(one.name, one.seq, one.message) for one in session.checkpoints.values()],
        "versions": [version.read_bytes() for version in session.versions("growing.log")],
    }


def is_clean(store):
    return [fault for fault in check(store.core) if fault.is_damage] == []


def test_a_bundle_has_everything(one, two, q4, tmp_path):
    other = one.sessions.create(id="other")
    other.artifacts.put("x", "y")
    child = q4.fork(id="child")
    child.artifacts.put("of the child", "c")
    made = one.bundle(tmp_path / "all.bundle")
    assert [part.id for part in made.sessions] == ["q4", "child", "other"]  # a parent before its forks
    checked = sessionfs.verify_bundle(tmp_path / "all.bundle")
    assert checked == made
    assert outcomes(two.unbundle(tmp_path / "all.bundle")) == dict.fromkeys(("q4", "child", "other"), "new")
    assert seen(two.sessions["q4"]) == seen(q4)
    assert two.sessions["child"].artifacts.read("a/small.txt") == b"small"
    assert outcomes(two.unbundle(tmp_path / "all.bundle")) == dict.fromkeys(("q4", "child", "other"), "unchanged")
    assert is_clean(two) and os.listdir(two.core.layout.staging) == []


def test_a_fork_brings_what_it_was_forked_from(one, two, q4):
    q4.fork(id="child").fork(id="grandchild").state["g"] = 1
    one.sessions.create(id="other")
    content = bundled(one, ["grandchild"])
    assert outcomes(two.unbundle(io.BytesIO(content))) == dict.fromkeys(("q4", "child", "grandchild"), "new")
    assert two.sessions["grandchild"].state["g"] == 1
    one.sessions.delete("q4")  # the child has what it needs by itself then
    three = sessionfs.open(os.path.dirname(one.path) + "/three", create=True, background_sync=False)
    assert outcomes(three.unbundle(io.BytesIO(bundled(one, ["child"])))) == {"child": "new"}
    assert three.sessions["child"].artifacts.read("a/small.txt") == b"small"
    assert is_clean(two) and is_clean(three)


def test_some_of_a_bundle(one, two, q4):
    one.sessions.create(id="other")
    content = bundled(one)
    assert outcomes(two.unbundle(io.BytesIO(content), ["other"])) == {"other": "new"}
    with pytest.raises(NotInBundle, match="it has other, q4"):
        two.unbundle(io.BytesIO(content), ["nobody"])
    with pytest.raises(NotFound, match="nobody"):
        bundled(one, ["nobody"])


def test_a_chain_of_bundles(one, two, q4):
    bundles = [bundled(one)]
    for turn in range(4):
        mark = q4.core.fold.fields.updated_at
        append(q4, 50_000)
        q4.artifacts.put(f"new-{turn}", f"{turn}")
        if turn % 2:
            q4.save()
            q4.checkpoints.create(f"turn-{turn}")
        if turn == 2:
            q4.fork(id="child").state["turn"] = turn
        bundles.append(bundled(one, since=mark))
    assert max(map(len, bundles[1:])) < 90_000  # what a list of pieces has in common with the one before is not sent
    with pytest.raises(MissingPrerequisite, match="q4 up to record 7"):
        two.unbundle(io.BytesIO(bundles[1]))
    assert len(two.sessions) == 0
    for turn, content in enumerate(bundles):
        sessionfs.verify_bundle(io.BytesIO(content))
        if turn == 4:
            with pytest.raises(MissingPrerequisite):
                sessionfs.open(two.path + "3", create=True).unbundle(io.BytesIO(content))
        two.unbundle(io.BytesIO(content))
    assert seen(two.sessions["q4"]) == seen(q4) and two.sessions["child"].state["turn"] == 2
    for content in bundles:
        assert set(outcomes(two.unbundle(io.BytesIO(content))).values()) <= {"unchanged", "ahead"}
    assert is_clean(two)
    assert bundled(one, ["q4"], since=q4.event_count - 1).count(b"\nlog ") == 0
    assert bundled(one, ["child"], since=0).count(b"\nlog ") == 2  # its parent, since then
    with pytest.raises(MomentOfOne):
        bundled(one, since=3)
    with pytest.raises(InvalidInput):
        bundled(one, since="no such moment?")


def test_a_bundle_goes_on_where_a_session_lies_on_a_shelf(one, two, q4):
    q4.complete()
    q4.archive()
    two.unbundle(io.BytesIO(bundled(one)))
    two.repack()
    end = q4.event_count - 1
    q4.pin(message="cited")
    assert outcomes(two.unbundle(io.BytesIO(bundled(one, since=end)))) == {"q4": "extended"}
    assert seen(two.sessions["q4"]) == seen(q4) and is_clean(two)


def test_another_history_is_refused(one, two, q4):
    two.unbundle(io.BytesIO(bundled(one)))
    q4.artifacts.put("x", "one")
    two.sessions["q4"].artifacts.put("x", "two")
    done = two.unbundle(io.BytesIO(bundled(one)), ["q4"])
    assert outcomes(done) == {"q4": "refused"} and "another history" in done.sessions[0].message
    assert "than in the stream" in done.sessions[0].message
    assert two.sessions["q4"].artifacts.read("x") == b"two"


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


def test_a_bundle_that_is_cut_or_changed_is_refused(one, two, q4):
    content = bundled(one)
    lines = content.split(b"\n")
    assert lines[0] == b"sessionfs bundle 1" and json.loads(lines[1])["sessions"][0]["id"] == "q4"
    step = max(1, len(content) // 40)
    cuts = [0, 5, 19, len(lines[0]) + len(lines[1]), *range(30, len(content), step), len(content) - 1]
    for cut in cuts:
        with pytest.raises(DamagedBundle):
            sessionfs.verify_bundle(io.BytesIO(content[:cut]))
    changes = [*range(21, len(content), step), len(content) - 10]
    for at in changes:
        with pytest.raises((DamagedBundle, InvalidInput)):
            sessionfs.verify_bundle(io.BytesIO(flipped(content, at)))
    for broken in [content[:cut] for cut in cuts[::9]] + [flipped(content, at) for at in changes[::9]]:
        with pytest.raises((DamagedBundle, InvalidInput, NotFound)):
            two.unbundle(io.BytesIO(broken))
    with pytest.raises(DamagedBundle, match="something follows"):
        sessionfs.verify_bundle(io.BytesIO(content + b"x"))
    with pytest.raises(NewerBundle):
        sessionfs.verify_bundle(io.BytesIO(content.replace(b"bundle 1", b"bundle 2", 1)))
    assert len(two.sessions) == 0 and os.listdir(two.core.layout.staging) == []


def rehashed(content):
    """Return a bundle that was changed by somebody who knows the format: with the right end."""
    from blake3 import blake3

    body = content[: content.rindex(b"end ")]
    count, size, _ = content[len(body) + 4 :].split()
    return body + b"end %s %s %s\n" % (count, size, blake3(body).hexdigest().encode())


def test_a_forged_bundle_is_refused(one, two, q4):
    content = bundled(one)
    raw = q4.artifacts["random"].oid.encode()
    head = b"object " + raw + b" 20000\n"
    at = content.index(head) + len(head)
    forgeries = [
        content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :],  # an object
        content.replace(b'"author', b'"Author').replace(b'"name":"Q4"', b'"name":"Q5"', 1),  # a record
        content.replace(b'{"id":"q4"', b'{"id":"../../x"', 1),
        content.replace(b"log q4 ", b"log .. ", 1),
        content.replace(b"ref q4 first ", b"ref q4 ..... ", 1),
        content.replace(b"object " + raw, b"object ../../" + raw[6:], 1),
    ]
    for forged in forgeries:
        assert forged != content
        for take in (sessionfs.verify_bundle, two.unbundle):
            with pytest.raises((DamagedBundle, InvalidInput)):
                take(io.BytesIO(rehashed(forged)))
    assert len(two.sessions) == 0
    assert sorted(os.listdir(os.path.dirname(two.path))) == ["one", "two"]


def test_what_is_damaged_is_not_bundled(one, q4, tmp_path):
    (place,) = one.objects.paths(q4.artifacts["random"].oid)
    os.chmod(place, 0o600)
    with open(place, "r+b") as file:
        file.write(b"other")
    with pytest.raises(sessionfs.Corrupt):
        one.bundle(tmp_path / "q4.bundle")
    assert sorted(os.listdir(tmp_path)) == ["one"]
    with pytest.raises(Conflict, match="is a directory"):
        one.bundle(tmp_path)
    path = one.core.layout.log("q4")
    with open(path, "r+b") as file:
        file.seek(300)
        file.write(b"~")
    fresh = sessionfs.open(one.path, background_sync=False)
    with pytest.raises((NotWhole, sessionfs.Corrupt)):
        fresh.bundle(tmp_path / "q4.bundle", ["q4"])


def test_what_a_killed_process_left_is_removed(one, two, q4):
    left = f"{two.core.layout.staging}/bundle-0123456789ab"
    os.makedirs(f"{left}/sessions/q4")
    two.unbundle(io.BytesIO(bundled(one)))
    assert os.listdir(two.core.layout.staging) == []


@pytest.mark.parametrize("limit_bytes", [1, 9_000, 100_000])
def test_a_disk_that_is_full_leaves_nothing_of_a_bundle_or_an_archive(one, q4, tmp_path, limit_bytes):
    place = tmp_path / "full"
    place.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))  # files of this process get no longer
        with pytest.raises(OSError, match="too large"):
            one.bundle(place / "b")
        for name in ("a.tar", "a.tar.gz"):
            with pytest.raises(OSError, match="too large"):
                q4.export(place / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(place.iterdir()) == []
