"""Hooks that are programs in hooks/: what they get, what they may say, and what becomes of the bad ones."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from descriptors import count_descriptors

import sessionfs
from sessionfs import api
from sessionfs.clock import NS_PER_SECOND
from sessionfs.hooks import HookFailed, HookVeto
from sessionfs.hooks import process as processes
from sessionfs.store import store as domain
from sessionfs.store.hook_history import OPEN_NS


class Place:
    """A store, and its hooks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now_ns = 1_795_214_641 * NS_PER_SECOND
        domain.Store.create(str(path))

    def clock(self) -> int:
        self.now_ns += 1000
        return self.now_ns

    def open(self) -> sessionfs.Store:
        """Open it as another process does: nothing is shared but what is on the disk."""
        return api.Store(domain.Store(str(self.path), clock=self.clock))

    def hook(self, name: str, script: str, *, interpreter: str = "/bin/sh", mode: int = 0o755) -> Path:
        path = self.path / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!{interpreter}\n{script}\n")
        path.chmod(mode)
        return path


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "store")


@pytest.fixture
def hasty(place):
    """The same, where executables get 0.15 s."""
    (place.path / "config.toml").write_text('[hooks]\ntime_limit = "150ms"\n')


@pytest.fixture
def session(place):
    with place.open() as store:
        yield store.sessions.create(id="one")


def reports(session, *types):
    chosen = types or ("hook.ran", "hook.skipped")
    events = (json.loads(line) for line, _ in session.core.records())
    return [event["data"] for event in events if event["type"] in chosen]


def test_it_gets_json_on_standard_input_and_words_in_the_environment(place, session, tmp_path):
    place.hook("pre-artifact-store", f"cat >{tmp_path}/in; env >{tmp_path}/env; pwd >{tmp_path}/pwd")
    session.artifacts.put("d/a b.txt", b"text", tags=["x"], metadata={"k": {"n": [1]}})
    told = json.loads((tmp_path / "in").read_text())
    assert told["point"] == "artifact.store" and told["phase"] == "pre" and told["session"] == "one"
    assert told["action"]["path"] == "d/a b.txt" and told["action"]["tags"] == ["x"]
    assert told["action"]["metadata"] == {"k": {"n": [1]}} and told["action"]["size"] == 4
    env = dict(line.partition("=")[::2] for line in (tmp_path / "env").read_text().splitlines())
    assert env["SESSIONFS_STORE"] == str(place.path) == (tmp_path / "pwd").read_text().strip()
    assert env["SESSIONFS_SESSION"] == "one" and env["SESSIONFS_PATH"] == "d/a b.txt"
    assert env["SESSIONFS_HOOK"] == "pre-artifact-store" and env["SESSIONFS_OID"] == session.artifacts["d/a b.txt"].oid
    assert env["PATH"] == os.environ["PATH"]


def test_names_of_any_bytes_reach_it_as_they_are(place, session, tmp_path):
    place.hook("post-artifact-store", f'printf %s "$SESSIONFS_PATH" >{tmp_path}/path')
    session.artifacts.put(b"\xff\xfe", b"x")
    assert (tmp_path / "path").read_bytes() == b"\xff\xfe"


def test_afterwards_it_gets_the_record_and_what_it_records_follows_from_it(place, session, tmp_path):
    place.hook(
        "post-state-change",
        'echo "$SESSIONFS_SEQ $SESSIONFS_KEY $SESSIONFS_CAUSE"\ncat >' + f"{tmp_path}/in\nenv >{tmp_path}/env",
    )
    with sessionfs.correlate("work"):
        session.state["k"] = 3
    told = json.loads((tmp_path / "in").read_text())
    assert told["seq"] == 1 and told["action"] == {"session": "one", "key": "k", "value": 3, "deleted": False}
    env = (tmp_path / "env").read_text().splitlines()
    assert {"SESSIONFS_CAUSE=one:1", "SESSIONFS_CORRELATION_ID=work", "SESSIONFS_SEQ=1"} <= set(env)


def test_a_status_other_than_0_refuses_with_what_was_said(place, session):
    place.hook("pre-artifact-store", 'echo "no   programs\nhere" >&2; exit 7')
    with pytest.raises(HookVeto, match=r"'x' in session one was refused by .* pre-artifact-store: no programs here"):
        session.artifacts.put("x", b"x")
    place.hook("pre-artifact-store", "exit 1")
    with pytest.raises(HookVeto, match="it ended with status 1"):
        session.artifacts.put("x", b"x")
    assert session.artifacts.list() == [] and [report["result"] for report in reports(session)] == ["veto"] * 2


def test_it_may_print_a_merge_patch(place, session):
    place.hook(
        "pre-artifact-store",
        """echo '{"type": "code", "tags": ["a"], "metadata": {"drop": null, "deep": {"new": 1}}, "name": "b"}'""",
    )
    stored = session.artifacts.put("a", b"x", metadata={"drop": 1, "keep": 2, "deep": {"old": 0}})
    assert (stored.path, stored.type, stored.tags) == ("b", "code", ("a",))
    assert stored.metadata == {"keep": 2, "deep": {"old": 0, "new": 1}}
    assert reports(session)[0]["result"] == "modify"


def test_several_in_the_order_of_their_names_after_the_single_one(place, session, tmp_path):
    log = tmp_path / "log"
    for name in ("post-state-change", "post-state-change.d/20-b", "post-state-change.d/10-a", "post-state-change.d/9"):
        place.hook(name, f"echo {name} >>{log}")
    place.hook("post-state-change.d/off", f"echo off >>{log}", mode=0o644)
    place.hook("post-state-change.d/backup~", f"echo backup >>{log}")
    place.hook("post-state-change.d/x.sample", f"echo sample >>{log}")
    session.state["k"] = 1
    assert log.read_text().split() == [
        "post-state-change", "post-state-change.d/10-a", "post-state-change.d/20-b", "post-state-change.d/9",
    ]  # fmt: skip
    place.hook("post-state-change.d/00-new", f"echo new >>{log}")  # seen at once, though hooks/ did not change
    (place.path / "hooks/post-state-change").unlink()
    session.state["k"] = 2
    assert log.read_text().split()[4:] == [
        f"post-state-change.d/{name}" if name != "new" else name for name in ("new", "10-a", "20-b", "9")
    ]


@pytest.mark.parametrize("how", ["renamed", "by a link"])
def test_a_directory_that_is_put_in_the_place_of_the_hooks(place, session, how):
    """As they are deployed: all at once. Its time may be any."""
    hooks, new = place.path / "hooks", place.path / "hooks.new"
    if how == "by a link":
        hooks.rmdir()
        (place.path / "hooks.old").mkdir()
        hooks.symlink_to("hooks.old")
    os.utime(hooks, ns=(0, 0))
    session.state["x"] = 1  # what there is, is known from here on
    place.hook("../hooks.new/pre-state-change", "exit 1")
    os.utime(new, ns=(0, 0))
    if how == "by a link":
        (place.path / "link").symlink_to("hooks.new")
        (place.path / "link").rename(hooks)
    else:
        hooks.rename(place.path / "hooks.old")
        new.rename(hooks)
    with pytest.raises(HookVeto):
        session.state["x"] = 2


def test_functions_and_executables_go_by_priority(place, session, tmp_path):
    log = tmp_path / "log"
    place.hook("pre-state-change", f"echo executable >>{log}")
    for priority in (100, 0, -100):
        session.store.hooks.on(
            "pre-state-change",
            lambda call, priority=priority: (
                subprocess.run(["sh", "-c", f"echo {priority} >>{log}"], check=True) and None
            ),
            priority=priority,
        )
    session.state["k"] = 1
    assert log.read_text().split() == ["-100", "0", "executable", "100"]


def test_one_that_is_new_disabled_or_gone_counts_at_once(place, session):
    for number in range(3):
        session.state["k"] = number
    hook = place.hook("pre-state-change", "exit 1")
    with pytest.raises(HookVeto):
        session.state["k"] = 3
    hook.chmod(0o644)
    session.state["k"] = 4
    hook.chmod(0o755)
    with pytest.raises(HookVeto):
        session.state["k"] = 5
    hook.unlink()
    session.state["k"] = 6
    (place.path / "hooks").rmdir()
    session.state["k"] = 7
    place.hook("pre-state-change", "exit 1")
    with pytest.raises(HookVeto):
        session.state["k"] = 8
    assert session.state["k"] == 7


def test_one_made_within_the_same_tick_as_another_is_seen(place, session):
    hooks = place.path / "hooks"
    place.hook("post-state-change", "exit 0")
    now_ns = time.time_ns()
    os.utime(hooks, ns=(now_ns, now_ns))
    session.state["k"] = 1  # looks at the directory
    place.hook("pre-state-change", "exit 1")
    os.utime(hooks, ns=(now_ns, now_ns))  # as where the directory's time moves in steps
    with pytest.raises(HookVeto):
        session.state["k"] = 2


# Bad ones


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo hello", "no JSON"),
        ('echo \'{"tags": "x"}\'', "no JSON object with name, type, tags"),
        ("""echo '{"colour": "red"}'""", "colour"),
        ("""echo '{"name": "a/b"}'""", "no name for an artifact"),
        ("head -c 100000 /dev/zero", "printed more than 65536 bytes"),
        ("kill -SEGV $$", "ended by SIGSEGV"),
        ("echo why >&2; kill -9 $$", "ended by SIGKILL: why"),
        ("no-such-program", "status 127: .*not found"),
    ],
)
def test_before_a_change_a_failure_stops_it_with_a_clear_error(place, session, script, message):
    place.hook("pre-artifact-store", script)
    with pytest.raises(HookFailed, match=rf"(?s)'x' in session one was not done.*{message}.*hooks disable"):
        session.artifacts.put("x", b"x")
    assert session.artifacts.list() == []
    (report,) = reports(session)
    assert report["result"] == "fail" and not report.get("slow")


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60",
        "sleep 60 & sleep 60 & wait",
        "yes",
        "kill -STOP $$",
        "trap '' TERM INT HUP; while :; do sleep 0.05; done",
    ],
)
def test_one_that_hangs_is_killed_and_stops_the_change(place, hasty, session, script):
    place.hook("pre-artifact-store", script)
    with pytest.raises(HookFailed, match=r"longer than hooks\.time_limit \(0\.15 s\) and was killed"):
        session.artifacts.put("x", b"x")
    assert session.artifacts.list() == []
    (report,) = reports(session)
    assert report["result"] == "fail" and report["slow"] and 0.15e9 < report["duration_ns"] < 20e9


@pytest.mark.parametrize("content", ["no interpreter named here", "#!/no/such/interpreter\n", ""])
def test_what_cannot_be_run_is_a_failure(place, session, content):
    (place.path / "hooks/pre-state-change").write_text(content)
    (place.path / "hooks/pre-state-change").chmod(0o755)
    with pytest.raises(HookFailed, match="it cannot be run"):
        session.state["k"] = 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to somebody else")
@pytest.mark.parametrize("what", ["file", "link", "target", "hooks", "several", "everybody"])
def test_what_others_could_have_put_there_is_not_run(place, session, tmp_path, what):
    hook = place.hook("pre-state-change.d/x", "touch run")
    if what in ("link", "target"):
        elsewhere = tmp_path / "elsewhere"
        hook.rename(elsewhere)
        hook.symlink_to(elsewhere)
    whose = {
        "file": hook,
        "link": hook,
        "target": tmp_path / "elsewhere",
        "hooks": hook.parents[1],
        "several": hook.parent,
    }
    if what == "everybody":
        hook.parent.chmod(0o777)
    else:
        os.chown(whose[what], 65534, 65534, follow_symlinks=what != "link")
    with pytest.raises(HookFailed, match=r"it is not run: .*(belongs to uid 65534|everybody may write)"):
        session.state["k"] = 1
    assert not (place.path / "run").exists()
    hook.parent.chmod(0o775)
    for path in whose.values():
        if path.exists():
            os.chown(path, 0, 0, follow_symlinks=False)
    session.state["k"] = 2
    assert (place.path / "run").exists()


def test_afterwards_a_bad_one_hurts_nobody(place, session, caplog):
    for number, script in enumerate(("exit 3", "kill -SEGV $$", "head -c 1000000 /dev/zero", "cat; cat")):
        place.hook(f"post-state-change.d/{number}", script)
    session.state["k"] = 1
    assert [report["result"] for report in reports(session)] == ["fail", "fail", "continue", "continue"]
    assert session.state["k"] == 1 and caplog.text.count("failed after state.change of 'k'") == 2


def test_a_child_that_keeps_the_pipes_open_is_not_waited_for(place, session, tmp_path):
    place.hook("pre-state-change", f"sleep 300 & echo $! >{tmp_path}/pid; echo '{{}}'")
    session.state["k"] = 1
    assert reports(session)[0]["result"] == "continue"
    pid = int((tmp_path / "pid").read_text())
    os.kill(pid, 9)  # it lives on, as with git


def test_all_it_started_is_killed_when_its_time_is_over(place, hasty, session, tmp_path):
    place.hook("pre-state-change", f"sleep 60 & echo $! >{tmp_path}/pid; wait")
    with pytest.raises(HookFailed):
        session.state["k"] = 1
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 60
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_one_that_does_not_listen_is_not_waited_for(place, session):
    place.hook("pre-artifact-store", "exec <&-; sleep 0.05; exit 0")
    session.artifacts.put("x", b"x", metadata={"k": "x" * 40_000})
    assert reports(session)[0]["result"] == "continue"


def test_ctrl_c_ends_the_hook_too(monkeypatch, tmp_path):
    script = tmp_path / "hook"
    script.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nsleep 60\n")
    script.chmod(0o755)

    def interrupt(self, deadline):
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.005)
        raise KeyboardInterrupt

    monkeypatch.setattr(processes._Running, "watch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        processes.run([str(script)], given=b"", environment=os.environ, directory="/", limit_seconds=60)
    assert not _is_alive(int((tmp_path / "pid").read_text()))


# The circuit breaker, between processes


def test_all_processes_read_the_breaker_from_the_log(place, session):
    place.hook("pre-state-change", "echo rubbish")
    for _ in range(3):
        with place.open() as other, pytest.raises(HookFailed):  # each as a process of its own
            other.sessions["one"].state["k"] = 1
    with place.open() as other:
        other.sessions["one"].state["k"] = 1
    assert [report.get("result", "skipped") for report in reports(session)] == ["fail"] * 3 + ["skipped"]
    place.now_ns += OPEN_NS
    place.hook("pre-state-change", "exit 0")
    for _ in range(3):
        with place.open() as other:
            other.sessions["one"].state["k"] = 2
    assert [report.get("result", "skipped") for report in reports(session)][4:] == ["continue"] * 3
    session.core.refresh()
    assert session.core.fold.hooks["pre-state-change"].breaker.opened_ns is None


def test_two_that_hang_open_the_breaker(place, hasty, session):
    place.hook("post-state-change", "sleep 60")
    for number in range(3):
        with place.open() as other:
            other.sessions["one"].state["k"] = number
    assert [report.get("slow", False) for report in reports(session)] == [True, True, False]
    assert "until" in reports(session)[2]


def test_before_there_is_a_log_a_process_remembers_by_itself(place, session):
    place.hook("pre-session-create", "echo rubbish")
    for _ in range(3):
        with pytest.raises(HookFailed):
            session.store.sessions.create(id="new")
    assert session.store.sessions.create(id="new").id == "new"
    assert reports(session.store.sessions["new"], "hook.skipped")[0]["hook"] == "pre-session-create"


# What it does itself


def test_what_it_does_through_the_command_line_calls_no_hooks(place, session):
    sessionfs_command = f"{sys.executable} -m sessionfs"
    place.hook(
        "post-artifact-store",
        f"echo ran >>hooked; {sessionfs_command} state set $SESSIONFS_SESSION seen '\"'$SESSIONFS_PATH'\"' "
        f"&& echo more | {sessionfs_command} artifact put $SESSIONFS_SESSION - --as made >/dev/null",
    )
    place.hook("post-state-change", "echo ran >>hooked")
    session.artifacts.put("x", b"x")
    assert (place.path / "hooked").read_text().split() == ["ran"]
    assert session.state["seen"] == "x" and sorted(session.artifacts) == ["made", "x"]
    stored = session.artifacts["x"].id
    causes = [
        json.loads(line).get("cause") for line, record in session.core.records() if record.type == "state.changed"
    ]
    assert causes == [stored]


# Installed packages


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Installs a package whose entry point registers hooks."""

    def install(source: str, name: str = "audit") -> None:
        site = tmp_path / "site"
        metadata = site / f"{name}_hooks-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-hooks\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[sessionfs.hooks]\n{name} = {name}_hooks:register\n")
        (site / f"{name}_hooks.py").write_text(source)
        monkeypatch.syspath_prepend(str(site))

    return install


REGISTER = """
from sessionfs.hooks import Cancel
told = []
def check(call):
    told.append(call.action.key)
    return Cancel("by a package") if call.action.key == "secret" else None
def register(hooks):
    hooks.on("pre-state-change", check)
"""


def test_an_installed_package_registers_its_hooks(place, package):
    package(REGISTER)
    with place.open() as store:
        session = store.sessions.create(id="one")
        session.state["k"] = 1
        with pytest.raises(HookVeto, match=r"audit_hooks\.check: by a package"):
            session.state["secret"] = 1
    assert sys.modules.pop("audit_hooks").told == ["k", "secret"]


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("register = None", "not callable"),
        (
            "def register(hooks):\n    hooks.on('pre-state-change', print)\n    hooks.on('pre-nothing', print)",
            "no point",
        ),
    ],
)
def test_a_package_that_cannot_be_loaded_is_no_hook_and_is_logged(place, package, caplog, source, wrong):
    package(source, "broken")
    with place.open() as store:
        store.sessions.create(id="one").state["k"] = 1
        assert wrong in (store.hooks.entry_points()["broken"] or "")
        assert store.hooks.table == {}
    sys.modules.pop("broken_hooks", None)
    assert "the hooks of the entry point 'broken' (broken_hooks:register) cannot be loaded" in caplog.text


def test_a_package_can_be_disabled_for_a_store(place, package):
    package(REGISTER)
    (place.path / "hooks/audit.off").touch()
    with place.open() as store:
        store.sessions.create(id="one").state["secret"] = 1
        assert store.hooks.entry_points() == {"audit": None}


def test_without_hooks_nobody_looks_for_packages_in_detail(place, monkeypatch):
    monkeypatch.delitem(sys.modules, "importlib.metadata", raising=False)
    with place.open() as store:
        store.sessions.create(id="one").state["k"] = 1
        assert store.hooks.entry_points() == {}
    assert "importlib.metadata" not in sys.modules


def test_hooks_leave_no_descriptors_behind(place, session):
    place.hook("post-state-change", "sleep 300 & echo $! >>children")
    before = count_descriptors()
    for number in range(5):
        session.state["k"] = number
    assert count_descriptors() == before
    for pid in (place.path / "children").read_text().split():
        os.kill(int(pid), 9)


def test_the_permission_to_execute_is_what_enables(place):
    from sessionfs.hooks.switching import switch

    hook = place.hook("pre-state-change", "exit 0", mode=0o640)
    with place.open() as store:
        assert switch(store.hooks, "pre-state-change", on=True)
        assert stat.S_IMODE(hook.stat().st_mode) == 0o750
        assert not switch(store.hooks, "pre-state-change", on=True)
        assert switch(store.hooks, "pre-state-change", on=False)
        assert stat.S_IMODE(hook.stat().st_mode) == 0o640
