"""``hooks``, and what hooks do to the other verbs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def q4(cli):
    cli.ok("session", "create", "--id", "q4", "--use")
    return cli


@pytest.fixture
def hook(q4):
    def make(name: str, script: str = "exit 0", *, mode: int = 0o755) -> None:
        path = q4.store / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(mode)

    return make


def put(cli, name, content=b"x"):
    return cli("artifact", "put", "@", "-", "--as", name, stdin=content)


def test_a_veto_is_exit_4_with_what_the_hook_said(q4, hook):
    hook("pre-artifact-store", 'case $SESSIONFS_PATH in *.exe) echo "no programs" >&2; exit 1;; esac')
    assert put(q4, "a.txt").code == 0
    message = q4.fails(4, "artifact", "put", "@", "-", "--as", "a.exe", stdin=b"x")
    assert message == (
        "sessionfs: artifact put: artifact.store of 'a.exe' in session q4 was refused by the hook "
        "pre-artifact-store: no programs\n"
    )
    assert [line.split("\t")[-1] for line in q4.ok("artifact", "list", "@").lines] == ["a.txt"]


def test_a_hook_that_fails_is_exit_4_and_says_how_to_go_on(q4, hook):
    hook("pre-state-change", "echo rubbish")
    message = q4.fails(4, "state", "set", "@", "k", "1")
    assert "pre-state-change" in message and message.endswith("or: sessionfs hooks disable pre-state-change\n")
    q4.ok("hooks", "disable", "pre-state-change")
    q4.ok("state", "set", "@", "k", "1")


@pytest.mark.parametrize(
    ("verb", "point"),
    [
        (("session", "create", "--id", "new"), "session-create"),
        (("session", "update", "@", "--tag", "t"), "session-update"),
        (("session", "suspend", "@"), "session-suspend"),
        (("session", "save", "@"), "session-save"),
        (("session", "delete", "q4"), "session-delete"),
        (("artifact", "cat", "@", "a"), "artifact-retrieve"),
        (("artifact", "get", "@", "a", "copy"), "artifact-retrieve"),
        (("artifact", "mv", "@", "a", "b"), "artifact-rename"),
        (("artifact", "cp", "@", "a", "b"), "artifact-store"),
        (("artifact", "rm", "@", "a"), "artifact-delete"),
        (("state", "rm", "@", "k"), "state-change"),
        (("state", "list", "@"), "session-load"),
    ],
)
def test_every_verb_asks_and_tells_once(q4, hook, verb, point):
    put(q4, "a")
    q4.ok("state", "set", "@", "k", "1")
    for phase in ("pre", "post"):
        hook(f"{phase}-{point}", 'echo "$SESSIONFS_HOOK" >>called')
    assert q4(*verb).code == 0
    assert (q4.store / "called").read_text().split() == [f"pre-{point}", f"post-{point}"]


def test_removing_several_is_all_or_nothing(q4, hook):
    for name in ("a", "b"):
        put(q4, name)
    hook("pre-artifact-delete", '[ "$SESSIONFS_PATH" = a ]')
    q4.fails(4, "artifact", "rm", "@", "a", "b")
    assert len(q4.ok("artifact", "list", "@").lines) == 2
    hook("pre-artifact-delete")
    q4.ok("artifact", "rm", "@", "a", "b")
    assert q4.ok("artifact", "list", "@").lines == []


# hooks list


def test_list_shows_states_and_timings(q4, hook):
    hook("pre-artifact-store")
    hook("post-artifact-store.d/20-b", "echo oops >&2; exit 3")
    hook("post-artifact-store.d/10-off", mode=0o644)
    hook("pre-artifct-store")
    put(q4, "a")
    infos = {info["name"]: info for info in q4.ok("hooks", "list", "--json").json}
    assert list(infos) == [
        "pre-artifact-store", "post-artifact-store.d/10-off", "post-artifact-store.d/20-b", "pre-artifct-store",
    ]  # fmt: skip
    assert [info["state"] for info in infos.values()] == ["enabled", "disabled", "enabled", "unknown"]
    ran = infos["pre-artifact-store"]
    assert (ran["at"], ran["kind"], ran["calls"], ran["failures"], ran["last_result"]) == (
        "pre-artifact-store", "executable", 1, 0, "continue",
    )  # fmt: skip
    assert ran["mean_ms"] == ran["longest_ms"] > 0 and ran["last_at"]
    assert (infos["post-artifact-store.d/20-b"]["failures"], infos["post-artifact-store.d/10-off"]["calls"]) == (1, 0)
    lines = q4.ok("hooks", "list").lines
    assert lines[0].split("\t")[:6] == ["pre-artifact-store", "pre-artifact-store", "executable", "", "enabled", "1"]
    assert "NAME" in q4("hooks", "list", terminal=True).out


def test_list_shows_where_a_breaker_is_open_and_what_is_gone(q4, hook):
    q4.ok("session", "create", "--id", "other")
    hook("pre-state-change", "echo rubbish")
    for _ in range(3):
        q4.fails(4, "state", "set", "q4", "k", "1")
    q4.ok("state", "set", "q4", "k", "1")  # skipped
    (info,) = q4.ok("hooks", "list", "--json").json
    assert (info["state"], info["open_in"], info["failures"], info["skipped"]) == ("open", ["q4"], 3, 1)
    (info,) = q4.ok("hooks", "list", "other", "--json").json
    assert (info["state"], info["open_in"], info["calls"]) == ("enabled", [], 0)
    (q4.store / "hooks/pre-state-change").unlink()
    (info,) = q4.ok("hooks", "list", "--json").json
    assert (info["name"], info["state"], info["calls"]) == ("pre-state-change", "gone", 3)


def test_without_hooks_the_list_is_empty(q4):
    assert q4.ok("hooks", "list", "--json").json == [] and q4.ok("hooks", "list").out == ""
    q4.fails(3, "hooks", "list", "missing")


# hooks run


def test_run_calls_by_hand_and_records_nothing(q4, hook):
    put(q4, "a.txt")
    before = q4.ok("cat-log", "@").out
    hook("pre-artifact-store", """cat >told; echo '{"tags": ["t"]}'""")
    hook("pre-artifact-store.d/refuses", "echo never >&2; exit 1")
    result = q4("hooks", "run", "pre-artifact-store", "@", "a.txt", "--json")
    assert (result.code, result.err) == (1, "")
    first, second = result.json
    assert (first["hook"], first["result"], first["modified"]) == ("pre-artifact-store", "modify", {"tags": ["t"]})
    assert (second["result"], second["message"]) == ("veto", "never")
    assert '"path":"a.txt"' in (q4.store / "told").read_text()
    assert (
        q4.ok("hooks", "run", "pre-artifact-store", "@", "a.txt", "--hook", "pre-artifact-store")
        .lines[0]
        .startswith("pre-artifact-store\tmodify\t")
    )
    assert q4.ok("cat-log", "@").out == before


def test_run_tells_of_state_and_sessions_too(q4, hook):
    q4.ok("state", "set", "@", "k", '{"n": 1}')
    hook("post-state-change", "cat >told")
    hook("post-session-complete", "cat >told")
    q4.ok("hooks", "run", "post-state-change", "@", "k")
    assert '"value":{"n":1}' in (q4.store / "told").read_text()
    q4.ok("hooks", "run", "post-session.complete", "@")
    assert '"status":"active"' in (q4.store / "told").read_text()


@pytest.mark.parametrize(
    ("code", "arguments", "message"),
    [
        (2, ("pre-artifct-store", "@", "a"), "did you mean pre-artifact-store"),
        (2, ("pre-state-change", "@"), "needs a key"),
        (2, ("pre-artifact-store", "@"), "needs the path"),
        (2, ("pre-session-save", "@", "a"), "takes neither"),
        (3, ("pre-state-change", "@", "missing"), "missing"),
        (3, ("pre-artifact-store", "@", "missing"), "missing"),
        (3, ("pre-artifact-store", "nowhere", "a"), "nowhere"),
        (3, ("pre-session-save", "@"), "nothing is called at pre-session-save"),
        (3, ("pre-artifact-store", "@", "a", "--hook", "x"), "no hook 'x' is called at pre-artifact-store"),
        (3, ("post-artifact-store", "@", "a"), "disabled; first: sessionfs hooks enable post-artifact-store"),
    ],
)
def test_run_refuses_clearly(q4, hook, code, arguments, message):
    put(q4, "a")
    hook("pre-artifact-store")
    hook("post-artifact-store", mode=0o644)
    assert message in q4.fails(code, "hooks", "run", *arguments)


# hooks enable, hooks disable


def test_enable_and_disable_set_the_permission_to_execute(q4, hook):
    hook("pre-state-change", "exit 1", mode=0o644)
    hook("post-state-change.d/x")
    q4.ok("state", "set", "@", "k", "1")
    q4.ok("hooks", "enable", "pre-state-change")
    q4.fails(4, "state", "set", "@", "k", "2")
    assert q4.ok("hooks", "disable", "pre-state-change", "post-state-change.d/x", "--json").json == [
        "pre-state-change", "post-state-change.d/x",
    ]  # fmt: skip
    assert not os.access(q4.store / "hooks/post-state-change.d/x", os.X_OK)
    q4.ok("state", "set", "@", "k", "2")


@pytest.mark.parametrize(
    "name",
    [
        "pre-state-chang",
        "../../etc/passwd",
        "pre-state-change.d",
        "",
        "templates/../hooks/pre-state-change",
        "templates/none",
    ],
)
def test_what_is_no_hook_cannot_be_switched(q4, hook, name):
    hook("pre-state-change")
    assert "pre-state-change" in q4.fails(3, "hooks", "disable", name)
    assert os.access(q4.store / "hooks/pre-state-change", os.X_OK)


# The README's examples, run as they stand there

README = Path(__file__).parents[2] / "README.md"


def example(name: str) -> str:
    return re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", README.read_text(), re.DOTALL)[1]


def test_the_examples_of_the_readme_run(bare):
    programs = bare.cwd / "bin"
    programs.mkdir()
    (programs / "sessionfs").write_text(f'#!/bin/sh\nexec {sys.executable} -m sessionfs "$@"\n')
    (programs / "sessionfs").chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(README.parent),
        "HOME": str(bare.cwd),
        "SESSIONFS_SESSION": "",
    }
    shell = ["bash", "-euo", "pipefail", "-c", example("hooks")]
    done = subprocess.run(shell, cwd=bare.cwd, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    assert "refused\n" in done.stdout and "q4 is done\n" in done.stdout
    assert "refused by the hook pre-artifact-store: no programs in this store" in done.stderr
    listed = [line.split("\t") for line in done.stdout.splitlines()[-2:]]
    assert [(fields[0], fields[5], fields[7]) for fields in listed] == [
        ("post-session-complete", "1", "0"), ("pre-artifact-store", "2", "1"),
    ]  # fmt: skip
    use = (
        'session = store.sessions.create(id="new")\n'
        'print(session.artifacts.put("sales/q4.csv", b"x").metadata)\n'
        'session.state["step"] = 3\n'
    )
    python = [sys.executable, "-c", example("hooks in Python") + use]
    done = subprocess.run(python, cwd=bare.cwd, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    assert done.stdout == "{'team': 'sales', 'checked': True}\nnew 5 step 3\n", done
