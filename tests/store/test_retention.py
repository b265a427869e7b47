"""Rules of retention, pins, and what a session answers for itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sessionfs
from sessionfs.errors import Conflict, Denied, InvalidInput, NotFound
from sessionfs.fsck import check
from sessionfs.hooks import Cancel
from sessionfs.retention.plan import plan, run
from sessionfs.store.pinned import pin
from sessionfs.store.settings import configure
from sessionfs.store.store import Store
from sessionfs.store.unsaved import Journal, unsaved_sessions

DAY_NS = 86_400 * 10**9
RULES = """
[sessions]
timeout = "2d"
[retention]
keep_versions = 2
archive_finished_after = "10d"
delete_finished_after = "30d"
[retention.tag.result]
delete_finished_after = "never"
"""


class Clock:
    def __init__(self):
        self.now = 1_800_000_000 * 10**9

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    Store.create(str(tmp_path / "s"))
    (tmp_path / "s" / "config.toml").write_text(RULES)
    return Store(str(tmp_path / "s"), clock=clock)


def make(store, session_id, *, end=None, **fields):
    session = store.create_session(session_id=session_id, **fields)
    for number in range(4):
        session.artifacts.put("a", store.objects.put_bytes(b"%d of %s" % (number, session_id.encode())))
    if end is not None:
        session.set_status(end, "it broke" if end == "failed" else None)
    return session


def actions(steps):
    return {(step.session_id, step.action) for step in steps}


def test_each_session_gets_what_its_age_asks_for(store, clock):
    make(store, "idle")
    make(store, "done", end="completed")
    make(store, "broken", end="failed")
    make(store, "result", end="completed", tags=["result"])
    prunes = {(name, "prune") for name in ("idle", "done", "broken", "result")}
    assert actions(plan(store)) == prunes
    clock.now += 11 * DAY_NS
    archives = {(name, "archive") for name in ("done", "broken", "result")}
    assert actions(plan(store)) == {*prunes, *archives, ("idle", "suspend")}
    clock.now += 20 * DAY_NS
    planned = list(plan(store))
    assert {("done", "delete"), ("broken", "delete"), ("result", "archive")} < actions(planned)
    assert {store.session(name).status.value for name in store.session_ids()} == {"active", "completed", "failed"}
    done = list(run(store))
    assert actions(done) == actions(planned) and all(step.is_done for step in done)
    assert store.session_ids() == ["idle", "result"]
    assert (store.session("idle").status.value, store.session("result").status.value) == ("suspended", "archived")
    assert actions(run(store)) == set() and list(check(Store(store.path))) == []
    (reason,) = [step.reason for step in done if step[:2] == ("delete", "done")]
    assert reason == "completed, and ended 31 days ago; retention.delete_finished_after is 30 days"
    (log,) = Path(store.layout.trash).glob("done@*/log")
    assert reason.encode() in log.read_bytes()


def test_what_a_session_says_itself_wins_and_its_forks_say_it_too(store, clock):
    session = make(store, "own", end="completed")
    configure(session, {"retention.delete_finished_after": "1d", "retention.keep_versions": "never"})
    fork = store.session(store.fork_session("own", session_id="fork").id)
    assert fork.fold.fields.settings == session.fold.fields.settings
    clock.now += 1 * DAY_NS
    assert actions(plan(store)) == {("own", "delete")}
    configure(session, {"retention.delete_finished_after": None})
    assert Store(store.path).session("own").fold.fields.settings == {"retention.keep_versions": "never"}
    with pytest.raises(InvalidInput, match=r"nearest known one is 'retention\.keep_versions'"):
        configure(session, {"retention.keep_version": 5})
    with pytest.raises(InvalidInput, match="0 versions"):
        configure(session, {"retention.keep_versions": 0})
    with pytest.raises(InvalidInput, match="cannot set 'durability"):
        configure(session, {"durability.mode": "full"})


def test_limits_of_a_session_are_its_own(tmp_path):
    with sessionfs.open(tmp_path / "s", create=True) as store:
        session = store.sessions.create(id="q4")
        session.configure({"limits.max_artifact_size": "1 KiB"})
        with pytest.raises(Conflict, match="max_artifact_size is 1024"):
            session.artifacts.put("large", b"x" * 2000)
        store.sessions.create(id="other").artifacts.put("large", b"x" * 2000)
        assert session.settings == {"limits.max_artifact_size": "1 KiB"}


def test_a_pin_wins_over_everything(store, clock):
    session = make(store, "kept", end="completed")
    other = make(store, "part", end="completed")
    assert pin(session, message="cited") and not pin(session, message="cited")
    pin(other, "a")
    clock.now += 31 * DAY_NS
    assert actions(run(store)) == {(name, action) for name in ("kept", "part") for action in ("keep", "archive")}
    (held,) = [step.reason for step in plan(store) if step.session_id == "kept"]
    assert held.startswith("it has been pinned since") and "delete_finished_after" in held
    for name in ("kept", "part"):
        with pytest.raises(Denied, match=f"is not deleted; if it may go: sessionfs unpin '{name}"):
            store.delete_session(name)
    assert Store(store.path).session("kept").fold.fields.pins[""].message == "cited"


def test_pins_are_listed_and_follow_their_artifact(tmp_path):
    with sessionfs.open(tmp_path / "s", create=True) as store:
        session = store.sessions.create(id="q4")
        session.artifacts.put("a", b"1")
        session.artifacts.put("b", b"1")
        session.pin("a", "why")
        session.artifacts.rename("a", "c")
        session.artifacts.delete("b")
        session.pin("b")  # it was there
        session.pin()
        assert [(one.target, one.message) for one in store.pins] == [("q4", ""), ("q4:b", ""), ("q4:c", "why")]
        assert [one.path for one in session.pins] == ["", "b", "c"]
        with pytest.raises(NotFound, match="there is and was no artifact 'z'"):
            session.pin("z")
        with pytest.raises(NotFound, match="'q4:a' is not pinned"):
            session.unpin("a")
        for path in ("b", "c", None):
            session.unpin(path)
        session.delete()


def test_the_example_of_the_readme_works(tmp_path, capsys):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    code = re.search(r"<!-- keeping -->\n```python\n(.*?)```", readme, re.DOTALL)[1]
    rules = re.search(r"```toml\n(\[sessions\].*?)```", readme, re.DOTALL)[1]
    sessionfs.open(tmp_path / "s", create=True).close()
    (tmp_path / "s" / "config.toml").write_text(rules)
    with sessionfs.open(tmp_path / "s") as store:
        session = store.sessions.create(id="q4")
        for number in range(3):
            session.artifacts.put("report.txt", b"%d" % number)
        exec(code, {"store": store, "session": session})
        assert store.pins[0].message == "cited" and len(store.trash) == 0
    assert capsys.readouterr().out == "0\n"


def test_what_a_mount_has_not_saved_is_not_suspended(store, clock):
    make(store, "busy")
    assert all(step.is_done for step in run(store))
    journal = Journal(store.disk, store.layout.staging)
    number = journal.begin("busy", "a", None)
    journal.wrote(number, 0, b"unsaved")
    clock.now += 3 * DAY_NS
    assert unsaved_sessions(store.layout.staging) == {"busy"}
    assert ("busy", "keep") in actions(run(store)) and store.session("busy").status.value == "active"
    journal.end(number)
    assert ("busy", "suspend") in actions(run(store))


def test_damage_and_vetoes_are_said_and_the_rest_goes_on(tmp_path, clock, store):
    make(store, "bad", end="completed")
    make(store, "good", end="completed")
    log = Path(store.layout.log("bad"))
    log.write_bytes(log.read_bytes().replace(b'"reason"', b'"raeson"').replace(b"completed", b"Completed"))
    clock.now += 31 * DAY_NS
    again = Store(store.path, clock=clock)
    found = {step.session_id: step for step in run(again)}
    assert found["bad"].action == "keep" and "damaged" in found["bad"].reason
    assert found["good"].is_done and again.session_ids() == ["bad"]


def test_a_hook_can_veto_a_deletion(tmp_path):
    sessionfs.open(tmp_path / "s", create=True).close()
    (tmp_path / "s" / "config.toml").write_text("[retention]\ndelete_finished_after = 0\n")
    with sessionfs.open(tmp_path / "s") as store:
        store.sessions.create(id="q4").complete()
        store.hooks.on("pre-session-delete", lambda call: Cancel("not this one"))
        (step,) = store.retention.run()
        assert not step.is_done and "not this one" in step.problem and "q4" in store.sessions
