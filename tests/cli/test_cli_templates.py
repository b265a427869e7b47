"""``template`` and ``session create --template``."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sessionfs.cli.template import VERBS

README = Path(__file__).parents[2] / "README.md"

MINE = """
about = "For tests"
name = "Run ${name}"
tags = ["t"]

[state]
count = "${count}"
text = "${text}"

[artifacts."notes.md"]
file = "notes.md"
substitute = true

[variables.name]
about = "what it is called"
[variables.count]
type = "integer"
default = 3
[variables.text]
default = ""
"""


@pytest.fixture
def mine(cli):
    directory = cli.store / "templates"
    directory.mkdir()
    (directory / "mine.toml").write_text(MINE)
    (directory / "mine").mkdir()
    (directory / "mine/notes.md").write_text("# ${name}\n")
    return cli


def test_a_session_from_a_template(mine):
    mine.write("long.txt", "a\nb\n")
    arguments = ("--set", "name=run=7", "--set", "count=5", "--set-file", "text=long.txt", "--tag", "own")
    assert mine.ok("session", "create", "--id", "q4", "--template", "mine", *arguments).out == "q4\n"
    record = mine.ok("--json", "session", "show", "q4").json
    assert (record["name"], record["tags"], record["template"]) == ("Run run=7", ["t", "own"], "mine")
    assert mine.ok("--json", "state", "list", "q4").json == {"count": 5, "text": "a\nb\n"}
    assert mine.ok("artifact", "cat", "q4", "notes.md").out == "# run=7\n"
    arguments = ("--template", "mine", "--set", "name=x", "--set-file", "text=-")
    id = mine.ok("session", "create", *arguments, stdin=b"in").out.strip()
    assert mine.ok("state", "get", id, "text").out == '"in"\n'


def test_mistakes_end_with_their_exit_codes_and_leave_nothing(mine):
    create = ("session", "create", "--template")
    assert "needs a value for 'name' (what it is called)" in mine.fails(2, *create, "mine")
    assert "the nearest is 'name'" in mine.fails(2, *create, "mine", "--set", "nam=x")
    assert "'count' of the template 'mine' cannot be 'x'" in mine.fails(
        2, *create, "mine", "--set", "name=x", "--set", "count=x"
    )
    assert "--set takes NAME=VALUE" in mine.fails(2, *create, "mine", "--set", "name")
    assert "name one with --template" in mine.fails(2, "session", "create", "--set", "name=x")
    assert "is no name for a template" in mine.fails(2, *create, "../../x")
    assert "there is no template 'mime'" in mine.fails(3, *create, "mime")
    mine.write("bytes", b"\xff")
    assert "is no UTF-8 text" in mine.fails(2, *create, "mine", "--set-file", "name=bytes")
    mine.write("long", b"x" * (1 << 20) + b"\xff")
    assert "at most 1048576 bytes" in mine.fails(2, *create, "mine", "--set-file", "name=long")
    assert "missing" in mine.fails(3, *create, "mine", "--set-file", "name=missing")
    (mine.store / "templates/mine/notes.md").unlink()
    assert "there is nothing of that name" in mine.fails(3, *create, "mine", "--set", "name=x")
    (mine.store / "templates/mine.toml").write_text("nmae = 1")
    assert "mine.toml has the unknown key 'nmae'; the nearest known one is 'name'" in mine.fails(2, *create, "mine")
    assert mine.ok("session", "list").out == ""


def test_list_show_check_and_new(mine):
    lines = mine.ok("template", "list").lines
    assert [line.split("\t")[:2] for line in lines] == [
        ["data_pipeline", "example"],
        ["mine", "store"],
        ["ml_training", "example"],
    ]
    assert lines[1].split("\t")[2:4] == ["For tests", "name,count,text"]
    assert mine.ok("template", "show", "mine").out == MINE
    assert mine.ok("--json", "template", "show", "mine").json["variables"]["count"]["type"] == "integer"
    assert "what it is called" in mine("template", "show", "mine", terminal=True).out
    checked = mine("template", "check", "mine")
    assert (checked.code, checked.out) == (0, "") and "a value for name" in checked.err
    assert mine.ok("--json", "template", "check", "mine", "--set", "name=x").json["missing"] == []
    mine.ok("session", "create", "--id", "q4", "--template", "mine", "--set", "name=x")
    made = mine.ok("template", "new", "again", "--from", "q4", "--about", "Once more").out.strip()
    assert made == str(mine.store / "templates/again.toml")
    assert "already" in mine.fails(5, "template", "new", "again", "--from", "q4")
    assert mine.ok("--json", "template", "new", "own", "--from", "q4", "--user").json["files"] == 1
    mine.ok("session", "create", "--id", "q5", "--template", "own")
    assert mine.ok("artifact", "cat", "q5", "notes.md").out == "# x\n"
    (mine.store / "templates/again.toml").write_text("oops")
    assert "again\tstore\tcannot be used: " in mine.ok("template", "list").out


def test_the_readmes_template(cli):
    text = README.read_text()
    template = re.search(r"<!-- template -->\n```toml\n(.*?)```", text, re.DOTALL)[1]
    script = re.search(r"<!-- using templates -->\n```sh\n(.*?)```", text, re.DOTALL)[1]
    beside = cli.store / "templates/training"
    beside.mkdir(parents=True)
    (cli.store / "templates/training.toml").write_text(template)
    (beside / "training.json").write_text('{"epochs": ${epochs}}\n')
    hook = 'case $SESSIONFS_PATH in *.pt) echo "no weights here" >&2; exit 1; esac'
    (beside / "no-weights").write_text(f"#!/bin/sh\n{hook}\n")
    (beside / "no-weights").chmod(0o755)
    cli.write("bin/sessionfs", f'#!/bin/sh\nexec {sys.executable} -m sessionfs "$@"\n').chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=cli.cwd,
        env={**cli.env, "PATH": f"{cli.cwd}/bin:/usr/bin:/bin", "PYTHONPATH": str(README.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert '{"epochs": 20}' in done.stdout.splitlines()
    for session in ("run7", "run8"):
        assert "no weights here" in cli.fails(4, "artifact", "put", session, "-", "--as", "model.pt")
    assert cli.ok("find", "--sessions", "template:run7-again").out.startswith("run8")
    assert cli.ok("--json", "state", "get", "run8", "epochs").json == 20
    shown = cli.ok("hooks", "list").out
    assert "templates/training/no-weights\tpre-artifact-store\texecutable" in shown
    assert "templates/run7-again/hooks/no-weights" in shown
    outcome = cli("--json", "hooks", "run", "pre-artifact-store", "run7", "metrics.csv").json
    assert [one["hook"] for one in outcome] == ["templates/training/no-weights"]


def test_the_examples_do_what_they_say_and_can_be_copied(cli):
    for command, _ in VERBS["template show"].examples:
        words, *_ = command.split("|")
        assert cli.ok(*words.split()).out
    for found in cli.ok("template", "list", "--json").json:
        mine = cli.store / "templates" / f"my_{found['name']}"
        mine.parent.mkdir(exist_ok=True)
        shutil.copy(found["path"], f"{mine}.toml")
        shutil.copytree(found["path"].removesuffix(".toml"), mine)
        assert cli.ok("template", "show", mine.name).out == Path(found["path"]).read_text()
        missing = cli.ok("--json", "template", "check", mine.name).json["missing"]
        cli.ok("template", "check", mine.name, *(f"--set={name}=x" for name in missing))
