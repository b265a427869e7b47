"""``replay`` where no terminal is: lines, calls made again, and what-ifs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def run(q4):
    """0 created; 1 in.csv; 2 tool; 3 state; 4 error; 5 state."""
    q4.ok("artifact", "put", "@", "-", "--as", "in.csv", stdin=b"1\n")
    data = {
        "gen_ai.tool.name": "plot",
        "gen_ai.tool.call.arguments": {"n": 2},
        "gen_ai.tool.call.result": {"bars": [1, 2]},
    }
    q4.ok("record", "tool.invoked", "--data", json.dumps(data))
    q4.ok("state", "set", "@", "step", "1")
    q4.ok("record", "error.occurred", "--data", '{"code":"E1","message":"no"}')
    q4.ok("state", "set", "@", "step", "2")
    return q4


def replay(run, *words, **options):
    return run("replay", "q4", *words, "--max-gap", "0", **options)


def ids(result):
    return [line.split("\t")[0] for line in result.lines]


# Lines


def test_events_are_lines(run):
    result = replay(run)
    assert (result.code, result.err) == (0, "") and ids(result) == [f"q4:{seq}" for seq in range(6)]
    assert result.lines == run.ok("events", "q4").lines
    assert ids(replay(run, "--from", "1", "--to", "3")) == ["q4:2", "q4:3"]
    assert ids(run("replay", "q4@{1}", "--max-gap", "0")) == ["q4:0", "q4:1"]
    objects = [json.loads(line) for line in replay(run, "--json").lines]
    assert [one["seq"] for one in objects] == list(range(6))


def test_people_without_a_keyboard_see_lines_for_people(run):
    assert "error.occurred" in replay(run, terminal=True).out


def test_it_ends_where_it_is_told_to(run):
    result = replay(run, "--until", "type=error.occurred", "--until", "custom.x")
    assert result.code == 0 and ids(result)[-1] == "q4:4"
    result = replay(run, "--until", "custom.x")
    assert result.code == 1 and ids(result)[-1] == "q4:5"


def test_stepping_takes_a_line_of_input_for_each_event(run):
    result = run("replay", "q4", "--step", stdin=b"\n\n\n")
    assert (result.code, ids(result)) == (0, ["q4:0", "q4:1", "q4:2"])
    result = run("replay", "q4", "--step", "--until", "failed", stdin=b"\n" * 20)
    assert (result.code, ids(result)[-1]) == (0, "q4:4")
    assert ids(run("replay", "q4", "--step", stdin=b"\n" * 20))[-1] == "q4:5"


@pytest.mark.parametrize(
    ("code", "words", "message"),
    [
        (2, ["--speed", "11"], "no speed"),
        (2, ["--speed", "x"], "takes a number"),
        (2, ["--max-gap=-1"], "no longest gap"),
        (2, ["--from", "5", "--to", "3"], "ends before it begins"),
        (3, ["--from", "99"], "no record 99"),
        (3, ["--from", "2020-01-01"], "before session q4 was created"),
        (3, ["--to", "2999-01-01"], "in the future"),
        (2, ["--until", "bogus"], "no event has the type"),
        (2, ["--until", "text="], "of no event"),
        (2, ["--exec", "state.changed=true"], "types: tool.invoked"),
        (2, ["--exec", "tool.invoked="], "a type and a command"),
        (2, ["--exec", "tool.invoked=true", "--step"], "--step"),
        (2, ["--drop", "3"], "--into ID"),
        (2, ["--into", "b", "--speed", "2"], "--speed"),
        (2, ["--into", "b"], "no event was to be dropped"),
        (2, ["--into", "b", "--change", "3"], "takes the number"),
        (2, ["--into", "b", "--change", "3={"], "no JSON"),
        (2, ["--into", "b", "--change", "3=[1]"], "an object is needed"),
        (2, ["--into", "b", "--change", "3=" + "[" * 100_000], "no JSON"),
        (3, ["--into", "b", "--content", "1=nowhere"], "nowhere"),
        (3, ["--into", "b", "--drop", "99"], "seq=99"),
        (5, ["--into", "q4", "--drop", "3"], "q4"),
    ],
)
def test_a_refusal_changes_nothing(run, code, words, message):
    assert message in run.fails(code, "replay", "q4", *words)
    assert run.ok("session", "list").lines == run.ok("session", "list").lines
    assert len(run.ok("session", "list").lines) == 1 and len(run.ok("events", "q4").lines) == 6


def test_two_ends_are_one_too_many(run):
    assert "two moments" in run.fails(2, "replay", "q4@{1}", "--to", "2")


# Calls made again


@pytest.mark.parametrize(
    ("command", "code", "lines"),
    [
        ("""echo '{"bars": [1, 2]}'""", 0, ["q4:2\tplot\tsame"]),
        ("""echo '{"bars": [1, 3]}'""", 1, ["q4:2\tplot\tdiffers\t/bars/1\t2\t3"]),
        ("""echo '{"n": 1}'""", 1, ["q4:2\tplot\tdiffers\t/bars\t[1, 2]\t-", "q4:2\tplot\tdiffers\t/n\t-\t1"]),
        ("echo nothing", 1, ['q4:2\tplot\tdiffers\t/\t{"bars": [1, 2]}\t"nothing"']),
        ("exit 3", 1, ['q4:2\tplot\tdiffers\terror\t-\t"exit code 3"']),
        ("kill -9 $$", 1, ['q4:2\tplot\tdiffers\terror\t-\t"signal 9"']),
    ],
)  # fmt: skip
def test_calls_are_made_again(run, command, code, lines):
    result = run("replay", "q4", "--exec", f"tool.invoked={command}")
    assert (result.code, result.lines) == (code, lines)
    assert "1 call was made again" in result.err


def test_the_command_gets_the_parameters_and_what_names_the_event(run):
    command = """tool.invoked=cat >in; echo "$SESSIONFS_NAME $SESSIONFS_SESSION $SESSIONFS_EVENT_SEQ" >env; echo 1"""
    result = run("--json", "replay", "q4", "--exec", command)
    assert json.loads((run.cwd / "in").read_text()) == {"n": 2} and (run.cwd / "env").read_text() == "plot q4 2\n"
    assert result.code == 1 and result.json[0]["differences"] == [{"where": "", "recorded": {"bars": [1, 2]}, "now": 1}]


# What if


def test_what_if(run):
    better = run.write("better.csv", "2\n")
    result = run(
        "replay", "q4", "--into", "b", "--drop", "failed", "--change", '3={"new": 10}', "--content", f"1={better}"
    )
    assert (result.code, result.out) == (0, "b\n") and "3 happened again" not in result.err
    assert "sessionfs diff q4 b" in result.err
    assert run.ok("artifact", "cat", "b", "in.csv").out == "2\n"
    assert run.ok("state", "get", "b", "step").out == "2\n"
    assert run("diff", "q4", "b", "--names").lines == ["M\tartifact\tin.csv"]
    assert not run.ok("events", "b", "--type", "error.occurred").lines


def test_what_cannot_happen_is_named(run):
    run.ok("artifact", "mv", "@", "in.csv", "out.csv")
    result = run("--json", "replay", "q4", "--into", "b", "--drop", "path=in.csv type=artifact.stored")
    assert result.code == 1 and result.json["impossible"][0]["event"] == "q4:6"
    result = run("replay", "q4", "--into", "c", "--drop", "1")
    assert (
        result.out == "c\n" and "q4:6 (artifact.renamed) could not happen: there is no artifact 'in.csv'" in result.err
    )


def test_content_can_come_from_standard_input(run):
    run("replay", "q4", "--into", "b", "--content", "1=-", stdin=b"typed\n")
    assert run.ok("artifact", "cat", "b", "in.csv").out == "typed\n"


# A run that died


def test_the_readmes_pipeline_is_killed_and_resumed(tmp_path):
    """As it stands there: killed at its third step, then run again."""
    text = README.read_text()
    (tmp_path / "pipeline.py").write_text(re.search(r"<!-- pipeline.py -->\n```python\n(.*?)```", text, re.DOTALL)[1])
    script = re.search(r"<!-- resuming -->\n```sh\n(.*?)```", text, re.DOTALL)[1]
    bin_directory = Path(sys.executable).parent
    env = {
        **os.environ,
        "PATH": f"{bin_directory}:{os.environ['PATH']}",
        "PYTHONPATH": str(README.parent),
        "SESSIONFS_STORE": str(tmp_path / "runs"),
    }
    (tmp_path / "sessionfs").write_text(f'#!/bin/sh\nexec {sys.executable} -m sessionfs "$@"\n')
    (tmp_path / "sessionfs").chmod(0o755)
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    first, rest = script.split("\n", 1)
    killed = subprocess.run(["/bin/sh", "-c", first], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert killed.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL) and killed.stdout.split() == ["fetch", "clean"]
    resumed = subprocess.run(["/bin/sh", "-ec", rest], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (resumed.returncode, resumed.stderr) == (0, ""), resumed
    lines = resumed.stdout.splitlines()
    assert lines[:3] == ["join", "draw", "report"]
    assert lines[3:] == ["charts/bars.svg", "clean.csv", "joined.csv", "raw.csv", "report.md", "5"]
