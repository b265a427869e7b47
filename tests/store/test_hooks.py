"""Hooks that are functions, through the API: where they are called, what they may do, what is recorded of it."""

from __future__ import annotations

import threading

import pytest

import sessionfs
from sessionfs import api
from sessionfs.clock import NS_PER_SECOND
from sessionfs.fsck import check
from sessionfs.hooks import HIGH, LOW, Cancel, HookVeto, Modify
from sessionfs.hooks.points import PLACES
from sessionfs.store import store as domain
from sessionfs.store.hook_history import OPEN_NS
from sessionfs.store.hooked import POINTS, HookFailed, StateAction

# A machine that is busy with other things may let any function wait.
PATIENT = '[hooks]\ntime_budget = "1h"\n'


@pytest.fixture
def store(tmp_path):
    domain.Store.create(str(tmp_path / "s"))
    (tmp_path / "s/config.toml").write_text(PATIENT)
    with sessionfs.open(tmp_path / "s", background_sync=False) as opened:
        yield opened


@pytest.fixture
def session(store):
    return store.sessions.create(id="one")


def records(session, *types):
    return [event for event in map(vars_of, session.core.records()) if not types or event["type"] in types]


def vars_of(line_and_record):
    import msgspec

    return msgspec.json.decode(line_and_record[0])


def ran(session):
    return [(event["data"]["hook"], event["data"]["result"]) for event in records(session, "hook.ran")]


def everything(store) -> None:
    """Do something at every point, once."""
    session = store.sessions.create(id="all")
    session.update(name="All")
    session.artifacts.put("a", b"content")
    session.artifacts["a"].read_bytes()
    session.artifacts.rename("a", "b")
    session.artifacts.delete("b")
    session.state["k"] = 1
    session.save()
    session.suspend()
    session.resume()
    store.core.fork_session("all", session_id="fork")
    session.complete()
    session.archive()
    store.sessions.create(id="bad").fail("because")
    session.delete()


def test_every_point_is_called_once_before_and_once_after(store):
    calls = []
    for name in PLACES:
        store.hooks.on(name, lambda call, name=name: calls.append((name, call.phase, call.point, call.session)))
    everything(store)
    with sessionfs.open(store.path, background_sync=False) as again:
        for name in ("pre-session-load", "post-session-load"):
            again.hooks.on(name, lambda call, name=name: calls.append((name, call.phase, call.point, call.session)))
        for _ in range(3):
            again.sessions["bad"].info()
    assert all(name == f"{phase}-{point.replace('.', '-')}" for name, phase, point, _ in calls)
    called = {name: [session for other, _, _, session in calls if other == name] for name in PLACES}
    twice = ("session.create",)  # "all" and "bad"
    for point in POINTS:
        for phase in ("pre", "post"):
            expected = 2 if point in twice else 1
            assert len(called[f"{phase}-{point.replace('.', '-')}"]) == expected, (phase, point)
    assert called["post-session-fork"] == ["fork"] and called["pre-session-fail"] == ["bad"]
    assert not list(check(domain.Store(store.path)))


def test_what_a_hook_is_told(store, session):
    told = []
    for name in ("pre-artifact-store", "post-artifact-store", "pre-artifact-rename", "post-state-change"):
        store.hooks.on(name, told.append)
    session.artifacts.put("d/a.txt", b"text", tags=["x"], metadata={"k": [1]}, type="data")
    session.artifacts.rename("d/a.txt", "b.txt")
    session.state["step"] = {"n": 3}
    before, after, renamed, changed = told
    assert (before.store, before.session, before.actor) == (store.path, "one", store.core.actor)
    assert (before.action.path, before.action.size, before.action.tags, before.action.type) == (
        "d/a.txt", 4, ("x",), "data",
    )  # fmt: skip
    assert before.action.metadata == {"k": (1,)} and before.action.oid == session.artifacts["b.txt"].oid
    assert before.seq is None and after.action == before.action
    assert records(session)[after.seq]["data"]["path"] == "d/a.txt"
    assert (renamed.action.path, renamed.action.to, renamed.action.id) == ("d/a.txt", "b.txt", f"one:{after.seq}")
    assert (changed.action.key, changed.action.value, changed.action.deleted) == ("step", {"n": 3}, False)


@pytest.mark.parametrize("refuse", [lambda call: Cancel("not today"), "raise"])
def test_a_veto_changes_nothing_and_is_recorded(store, session, refuse):
    def veto(call):
        raise HookVeto("not today")

    store.hooks.on("pre-state-change", veto if refuse == "raise" else refuse, name="guard")
    with pytest.raises(sessionfs.Denied, match=r"state.change of 'k' in session one .* guard: not today"):
        session.state["k"] = 1
    assert "k" not in session.state and session.event_count == 2
    (record,) = records(session, "hook.ran")
    assert record["data"]["result"] == "veto" and record["data"]["message"] == "not today"
    assert (record["data"]["point"], record["data"]["phase"], record["data"]["about"]) == ("state.change", "pre", "k")
    assert record["data"]["duration_ns"] > 0 and "cause" not in record


@pytest.mark.parametrize(
    ("point", "act"),
    [
        ("session-create", lambda store, session: store.sessions.create(id="new")),
        ("session-update", lambda store, session: session.update(name="x")),
        ("session-suspend", lambda store, session: session.suspend()),
        ("session-complete", lambda store, session: session.complete()),
        ("session-fail", lambda store, session: session.fail("x")),
        ("session-save", lambda store, session: session.save()),
        ("session-fork", lambda store, session: store.core.fork_session("one", session_id="new")),
        ("session-delete", lambda store, session: session.delete()),
        ("artifact-store", lambda store, session: session.artifacts.put("new", b"x")),
        ("artifact-store", lambda store, session: session.artifacts.make_directory("new/er")),
        ("artifact-store", lambda store, session: session.artifacts.make_symlink("new", "a")),
        ("artifact-store", lambda store, session: session.artifacts.copy("a", "new")),
        ("artifact-store", lambda store, session: session.artifacts.link("a", "new")),
        ("artifact-retrieve", lambda store, session: session.artifacts.read("a")),
        ("artifact-retrieve", lambda store, session: session.artifacts.open("a")),
        ("artifact-rename", lambda store, session: session.artifacts.rename("a", "b")),
        ("artifact-delete", lambda store, session: session.artifacts.delete("a")),
        ("state-change", lambda store, session: session.state.__delitem__("k")),
    ],
)
def test_every_point_can_be_vetoed(store, session, point, act):
    session.artifacts.put("a", b"a")
    session.state["k"] = 1
    store.hooks.on(f"pre-{point}", lambda call: Cancel("no"))
    told = []
    store.hooks.on(f"post-{point}", told.append)
    before = (session.info().status, session.info().name, session.artifacts.list(), session.state.to_dict())
    with pytest.raises(HookVeto, match=r": no$"):
        act(store, session)
    assert (session.info().status, session.info().name, session.artifacts.list(), session.state.to_dict()) == before
    assert store.sessions.list() == [session] and told == []


def test_hooks_modify_one_after_the_other(store, session):
    seen = []
    store.hooks.on("pre-artifact-store", lambda call: Modify(tags=[*call.action.tags, "a"], metadata={"one": 1}))
    store.hooks.on("pre-artifact-store", lambda call: Modify(tags=[*call.action.tags, "b"], metadata={"two": 2}))
    store.hooks.on("pre-artifact-store", lambda call: seen.append(call.action), priority=LOW)
    store.hooks.on("post-artifact-store", lambda call: seen.append(call.action))
    stored = session.artifacts.put("x", b"x", tags=["given"], metadata={"zero": 0})
    assert stored.tags == ("given", "a", "b") and stored.metadata == {"zero": 0, "one": 1, "two": 2}
    assert [action.tags for action in seen] == [stored.tags] * 2
    assert [result for _, result in ran(session)] == ["modify", "modify", "continue", "continue"]


def test_a_session_and_an_artifact_can_be_given_another_name(store):
    store.hooks.on("pre-session-create", lambda call: Modify(name="Named", tags=["t"], metadata={"by": "hook"}))
    store.hooks.on(
        "pre-artifact-store", lambda call: Modify(name="b", type="code") if call.action.name == "a" else None
    )
    session = store.sessions.create(id="one", metadata={"by": "me", "k": 1})
    assert (session.name, session.tags, session.metadata) == ("Named", ("t",), {"by": "hook", "k": 1})
    assert session.artifacts.put("d/a", b"x").path == "d/b"
    assert session.artifacts["d/b"].type == "code" and "d/a" not in session.artifacts
    store.hooks.on("pre-session-fork", lambda call: Modify(metadata={"fork": call.action.parent}))
    fork = store.sessions[store.core.fork_session("one", session_id="two").id]
    assert fork.metadata == {"by": "hook", "k": 1, "fork": "one"} and fork.artifacts.list() != []
    assert ran(session)[0][1] == "modify" and ran(fork)[0][1] == "modify"


def test_an_update_sees_what_is_so_and_what_others_add_meanwhile_stays(store, session):
    store.hooks.on("pre-session-update", lambda call: Modify(metadata={"checked": True}))
    session.update(tags=["a"], metadata={"k": 1})
    assert (session.tags, session.metadata) == (("a",), {"k": 1, "checked": True})


def fail(call):
    raise RuntimeError("oops")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (fail, "RuntimeError: oops"),
        (lambda call: 3, "it returned 3"),
        (lambda call: Modify(tags=["a,b"]), "it wants to change tags"),
        (lambda call: Modify(name="../x"), "it wants to change name|no name"),
        (lambda call: exit(3), "SystemExit: 3"),
    ],
)
def test_before_a_change_a_failure_stops_it_with_a_clear_error(store, session, function, message):
    store.hooks.on("pre-artifact-store", function, name="bad")
    with pytest.raises(HookFailed, match=f"'x' in session one was not done, because the hook bad.*({message})"):
        session.artifacts.put("x", b"x")
    assert session.artifacts.list() == [] and ran(session) == [("bad", "fail")]


def test_after_a_change_a_failure_changes_nothing_and_is_recorded_and_logged(store, session, caplog):
    store.hooks.on("post-artifact-store", fail, name="fails")
    store.hooks.on("post-artifact-store", lambda call: Cancel("too late"), name="vetoes")
    store.hooks.on("post-artifact-store", lambda call: None, name="works")
    stored = session.artifacts.put("x", b"x")
    assert ran(session) == [("fails", "fail"), ("vetoes", "fail"), ("works", "continue")]
    assert {event["cause"] for event in records(session, "hook.ran")} == {stored.id}
    assert "the hook fails failed after artifact.store of 'x' in session one: RuntimeError: oops" in caplog.text


def test_what_hooks_did_before_a_change_is_recorded_with_it(store, session):
    for name in ("pre-artifact-store", "post-artifact-store"):
        store.hooks.on(name, lambda call: None, name=name)
    session.artifacts.put("x", b"x")
    types = [event["type"] for event in records(session)]
    assert types == ["session.created", "hook.ran", "artifact.stored", "hook.ran"]
    assert records(session)[1]["more"] == 1  # in one append


def test_what_hooks_let_pass_and_is_refused_is_recorded_all_the_same(store, session):
    store.hooks.on("pre-artifact-store", lambda call: session.artifacts.make_directory("x") and None, name="makes")
    with pytest.raises(sessionfs.InvalidInput):
        session.artifacts.put("x", b"x")  # a directory since
    assert ran(session) == [("makes", "continue")]
    store.hooks.off("pre-artifact-store", "makes")
    store.hooks.on("pre-artifact-rename", lambda call: None, name="renames")
    session.artifacts.rename("x", "x")
    assert ran(session)[1:] == [("renames", "continue")]


def test_what_cannot_be_done_anyway_is_not_asked_about(store, session):
    asked = []
    for name in PLACES:
        store.hooks.on(name, asked.append)
    for act in (
        lambda: session.artifacts.delete("missing"),
        lambda: session.artifacts.put("a/../b", b""),
        lambda: session.state.__delitem__("missing"),
        lambda: session.resume(),
        lambda: store.sessions.create(id="no id"),
    ):
        with pytest.raises(sessionfs.Error):
            act()
    assert asked == [] and session.event_count == 1


def test_a_hook_may_write_to_the_session_it_is_about_and_that_calls_no_hooks(store, session):
    calls = []

    def write(call):
        calls.append(call.action.path)
        session.artifacts.put(f"by-{call.phase}", call.action.path.encode())
        session.state[call.phase] = 1

    store.hooks.on("pre-artifact-store", write)
    store.hooks.on("post-artifact-store", write)
    store.hooks.on("post-state-change", write)
    session.artifacts.put("x", b"x")
    assert calls == ["x", "x"]
    assert sorted(session.artifacts) == ["by-post", "by-pre", "x"] and session.state.to_dict() == {"pre": 1, "post": 1}
    by_post = [event for event in records(session, "artifact.stored") if event["data"]["path"] == "by-post"]
    assert by_post[0]["cause"] == session.artifacts["x"].id


def test_what_a_hook_does_to_another_store_calls_that_ones_hooks(store, session, tmp_path):
    with sessionfs.open(tmp_path / "other", create=True, background_sync=False) as other:
        copies = other.sessions.create(id="copies")
        told = []
        other.hooks.on("post-state-change", told.append)
        store.hooks.on("post-state-change", lambda call: copies.state.__setitem__(call.action.key, call.action.value))
        session.state["k"] = 7
        assert [(call.session, call.action.value) for call in told] == [("copies", 7)]


def test_hooks_are_told_when_the_outermost_lock_is_released(store, session):
    told = []
    store.hooks.on("post-state-change", lambda call: told.append(session.core.log._writers))
    with session.core.writing():
        session.state["a"] = 1
        session.state["b"] = 2
        assert told == []
    assert told == [0, 0]
    with pytest.raises(ZeroDivisionError), session.core.writing():
        session.state["c"] = 3
        1 / 0  # noqa: B018
    assert told == [0, 0, 0]  # it is in the log


def test_several_deletions_are_one_change_each(store, session):
    for path in ("a", "d/b", "d/c", "e"):
        session.artifacts.put(path, b"x")
    told = []
    store.hooks.on("pre-artifact-delete", lambda call: told.append(("pre", call.action.path)))
    store.hooks.on("post-artifact-delete", lambda call: told.append((call.seq, call.action.path)))
    session.core.artifacts.delete_all(["a", "d/b", "d", "a"], recursive=True)
    deleted = {event["data"]["path"]: event["seq"] for event in records(session, "artifact.deleted")}
    assert told == [("pre", "a"), ("pre", "d"), (deleted["a"], "a"), (deleted["d"], "d")]
    assert list(session.artifacts) == ["e"]
    with pytest.raises(sessionfs.NotFound):
        session.core.artifacts.delete_all(["e", "missing"])
    assert list(session.artifacts) == ["e"]


def test_priorities_and_off(store, session):
    order = []
    for name, priority in (("low", LOW), ("normal", 0), ("high", HIGH)):
        store.hooks.on("pre-state-change", lambda call, name=name: order.append(name), priority=priority, name=name)
    session.state["k"] = 1
    store.hooks.off("pre-state-change", "normal")
    session.state["k"] = 2
    assert order == ["high", "normal", "low", "high", "low"]


def test_the_first_who_refuses_is_the_last_who_is_asked(store, session):
    asked = []
    store.hooks.on("pre-state-change", lambda call: Cancel("no"), priority=HIGH)
    store.hooks.on("pre-state-change", asked.append)
    with pytest.raises(HookVeto):
        session.state["k"] = 1
    assert asked == []


def test_loading_is_opening_by_a_face_and_not_being_listed(store, session):
    with sessionfs.open(store.path, background_sync=False) as again:
        loaded = []
        again.hooks.on("pre-session-load", lambda call: Cancel("closed") if not loaded else None, priority=LOW)
        assert [one.id for one in again.sessions.list()] == ["one"]
        for _ in range(2):
            with pytest.raises(HookVeto, match=r"session.load in session one .* closed"):
                again.sessions["one"]
        loaded.append(True)
        assert again.sessions["one"].status == "active" and again.sessions.resolve("o").id == "one"
    assert [result for _, result in ran(session)] == ["veto", "veto", "continue"]


def test_reading_and_loading_work_where_nothing_can_be_recorded(store, session):
    session.artifacts.put("a", b"x")
    with open(store.core.layout.log("one"), "r+b") as log:
        log.seek(40)
        log.write(b"#")
    with sessionfs.open(store.path, background_sync=False) as again:
        asked = []
        for name in ("pre-session-load", "post-session-load", "pre-artifact-retrieve"):
            again.hooks.on(name, asked.append)
        assert again.sessions["one"].info().damage is not None
        assert len(asked) == 2


# The circuit breaker


class Clock:
    def __init__(self) -> None:
        self.now_ns = 1_795_214_641 * NS_PER_SECOND

    def __call__(self) -> int:
        self.now_ns += 1000
        return self.now_ns


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def timed(tmp_path, clock):
    """A store whose clock the test turns."""
    domain.Store.create(str(tmp_path / "timed"))
    (tmp_path / "timed/config.toml").write_text(PATIENT)
    return api.Store(domain.Store(str(tmp_path / "timed"), clock=clock))


def test_three_failures_open_the_breaker_and_two_good_calls_close_it(timed, clock):
    session = timed.sessions.create(id="one")
    is_bad = [True]
    store_hook = timed.hooks.on("pre-state-change", lambda call: fail(call) if is_bad else None, name="h")
    for number in range(5):
        if number < 3:
            with pytest.raises(HookFailed):
                session.state["k"] = number
        else:
            session.state["k"] = number
    skipped = records(session, "hook.skipped")
    assert len(skipped) == 2 and ran(session) == [("h", "fail")] * 3
    assert skipped[0]["data"].items() >= {"hook": "h", "point": "state.change", "phase": "pre", "about": "k"}.items()
    clock.now_ns += OPEN_NS
    with pytest.raises(HookFailed):
        session.state["k"] = 9  # tried again, and still bad
    session.state["k"] = 10
    assert len(records(session, "hook.skipped")) == 3
    clock.now_ns += OPEN_NS
    is_bad.clear()
    session.state["k"] = 11
    is_bad.append(True)
    with pytest.raises(HookFailed):
        session.state["k"] = 12  # one good call is not enough
    session.state["k"] = 13
    clock.now_ns += OPEN_NS
    is_bad.clear()
    for number in range(2):
        session.state["k"] = number
    is_bad.append(True)
    for _ in range(2):  # closed: a single failure does not open it
        with pytest.raises(HookFailed):
            session.state["k"] = 0
    assert len(records(session, "hook.skipped")) == 4 and store_hook is not None


def test_two_calls_over_the_budget_open_the_breaker(timed):
    session = timed.sessions.create(id="one")
    wait = threading.Event()
    timed.hooks.on("post-state-change", lambda call: wait.wait(0.003), name="slow", budget_seconds=0.002)
    timed.hooks.on("post-state-change", lambda call: wait.wait(0.003), name="patient")
    for number in range(4):
        session.state["k"] = number
    assert [event["data"].get("slow", False) for event in records(session, "hook.ran")][:4] == [True, False] * 2
    assert [event["data"]["hook"] for event in records(session, "hook.skipped")] == ["slow", "slow"]


def test_a_veto_never_opens_the_breaker(timed):
    session = timed.sessions.create(id="one")
    timed.hooks.on("pre-state-change", lambda call: Cancel("no"))
    for _ in range(6):
        with pytest.raises(HookVeto):
            session.state["k"] = 1
    assert records(session, "hook.skipped") == []


# Records


def test_the_history_of_hooks_is_folded_and_survives_snapshots_and_forks_begin_anew(store, session):
    for name in ("pre-state-change", "post-state-change"):
        store.hooks.on(name, lambda call: None, name=name)
    for number in range(3):
        session.state["k"] = number
    session.save()
    session.state["k"] = 9
    reopened = domain.Store(store.path).session("one")
    assert {name: history.calls for name, history in reopened.fold.hooks.items()} == {
        "pre-state-change": 4, "post-state-change": 4,
    }  # fmt: skip
    assert reopened.fold.hooks == session.core.fold.hooks
    assert domain.Store(store.path).fork_session("one").fold.hooks == {}
    assert not list(check(domain.Store(store.path)))


def test_callers_cannot_record_what_hooks_did(session):
    with pytest.raises(sessionfs.InvalidInput):
        session.record("hook.ran", {"hook": "x"})


def test_what_one_thread_has_done_no_other_tells(store, session):
    told = []
    store.hooks.on("pre-state-change", lambda call: None)
    store.hooks.on("post-state-change", lambda call: told.append(call.action.key))
    asking = session.core.asking
    asked = asking.ask("state.change", lambda: StateAction(session="one", key="k"))
    with session.core.writing():
        asking.is_pending = True
        nothing = asking.finish()  # as another thread's, which had nothing to tell
        asking.tell(asked, 0)
        assert nothing == []
    assert told == ["k"]


def test_threads_call_each_hook_once_per_change(store, session):
    calls = []
    for name in ("pre-state-change", "post-state-change"):
        store.hooks.on(name, lambda call: calls.append((call.phase, call.action.key)))

    def work(thread):
        for number in range(20):
            session.state[f"{thread}-{number}"] = number

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [
        (phase, f"{thread}-{number}") for phase in ("pre", "post") for thread in range(6) for number in range(20)
    ]
    assert sorted(calls) == sorted(expected)
    assert len(records(session, "hook.ran")) == 240
