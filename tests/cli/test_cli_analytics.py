"""``stats``, ``patterns``, ``timeline``, ``tree`` and ``du``: the same numbers for people, scripts and Python."""

from __future__ import annotations

import json
import re

import pytest

import sessionfs
from sessionfs.cli.tables import text_width

VERBS = ("stats", "patterns", "du", "tree")


@pytest.fixture
def runs(cli):
    """Three sessions, in which tools were called, and one failed."""
    with sessionfs.open(cli.store) as store:
        for number, parent in enumerate((None, "run-0", "run-1")):
            session = store.sessions.create(f"Run {number}", id=f"run-{number}", tags=["nightly"], parent=parent)
            session.artifacts.put("same.txt", b"x" * 20_000)
            session.artifacts.put("own.txt", str(number))
            session.tool_invoked("search", {}, [], duration_ns=1_500_000_000)
            session.tool_invoked("很长的名字" * 30, {}, [], duration_ns=2_000_000, error=("Timeout", "late"))
            session.agent_executed("planner", "in", "out", duration_ns=9, input_tokens=7, output_tokens=3)
            session.warning("careful", code="W1")
        session.error("<b>E", "no")
        session.fail("no")
        store.sessions.use("run-0")
    return cli


def test_an_empty_store_says_so(cli):
    for verb in VERBS:
        assert cli.ok(verb, "--json").json is not None
        assert cli(verb, terminal=True).code == 0
    assert "No tools" in cli("patterns", terminal=True).out
    assert cli.ok("tree").raw == b""
    cli.ok("stats", "--html", "empty.html")
    assert (cli.cwd / "empty.html").read_text().endswith("</html>\n")
    assert "there is no" in cli.fails(3, "timeline")


def test_json_is_what_python_says(runs):
    with sessionfs.open(runs.store) as store:
        assert runs.ok("stats", "--json").json == json.loads(json.dumps(store.stats().to_dict()))
        assert runs.ok("patterns", "status:failed", "--json").json == store.patterns("status:failed").to_dict()
        assert runs.ok("timeline", "@", "--json").json == store.sessions["run-0"].timeline().to_dict()
        assert runs.ok("tree", "--json").json == [member.to_dict() for member in store.tree()]
        assert runs.ok("du", "tag:nightly", "--json").json["sessions"] == store.du("tag:nightly").to_dict()["sessions"]


def test_lines_for_scripts(runs):
    lines = [line.split("\t") for line in runs.ok("stats").lines]
    assert ["session_count", "3"] in lines and ["by_status", "failed", "1"] in lines
    assert ["by_tag", "nightly", "3"] in lines and ["sizes", "size", "60003"] in lines
    assert [line[0] for line in lines].count("day") == 1
    lines = [line.split("\t") for line in runs.ok("patterns").lines]
    assert ["tool", "search", "3", "0", "3", *["1500000000"] * 5, "0", "0"] in lines
    assert ["agent", "planner", "3", "0", "3", *["9"] * 5, "21", "9"] in lines
    assert {tuple(line[:3]) for line in lines if line[0] == "error"} == {
        ("error", "Timeout", "3"), ("error", "W1", "3"), ("error", "<b>E", "1")
    }  # fmt: skip
    assert [line for line in lines if line[0] == "sequence"] == [["sequence", "3", "3", "search", "很长的名字" * 30]]
    du = [line.split("\t") for line in runs.ok("du").lines]
    assert sum(int(line[3]) for line in du if line[0] == "place") == int(du[-1][1])
    assert {line[1] for line in du if line[0] == "session"} == {"run-0", "run-1", "run-2"}
    assert runs.ok("du", "-0").raw.count(b"\0") == 3
    assert runs.ok("tree", "run-1", "-0").raw == b"run-1\0run-2\0"


def test_tables_for_people(runs):
    text = runs("stats", terminal=True, NO_COLOR="1").out
    assert re.search(r"sessions +3: 2 active, 1 failed", text)
    assert "3 nightly" in text and "saved" in text
    text = runs("patterns", "--limit", "1", terminal=True, LANG="C.UTF-8").out
    assert "1.5 s" in text and "and 2 more; see --limit" in text and "很长" in text
    text = runs("du", terminal=True).out
    assert "content of several sessions" in text and "shared with others" in text
    assert "run-0" not in runs("du", "id:run-1", terminal=True).out


def test_a_timeline_fits_into_its_width_in_unicode_and_in_ascii(runs):
    for width in (12, 40, 80, 200):
        lines = runs.ok("timeline", LANG="en_GB.UTF-8", COLUMNS=str(width)).lines
        assert not [line for line in lines if text_width(line) > width]
    picture = runs.ok("timeline", LANG="en_GB.UTF-8").out
    assert "█" in picture and "✗" in picture and "agent planner 1" in picture
    assert [line.strip().split("  ")[0] for line in picture.splitlines() if "Run" in line] == [
        "run-0",
        "run-1",
        "run-2",
    ]
    plain = runs.ok("timeline", LC_ALL="C", LANG="en_GB.UTF-8", COLUMNS="100").raw
    assert plain.isascii() and b"=" in plain and b"x)" in plain and b"\x1b" not in plain
    assert b"\x1b[31m" in runs("timeline", terminal=True, TERM="xterm").raw
    assert b"\x1b" not in runs("timeline", terminal=True, NO_COLOR="1").raw
    assert max(map(len, runs.ok("timeline", "--width", "50", LC_ALL="C").lines)) <= 50


def test_a_tree_in_unicode_and_in_ascii(runs):
    assert [line.split("  ")[0] for line in runs.ok("tree", LANG="C.UTF-8").lines] == ["run-0", "└── run-1", ""]
    assert runs.ok("tree", LC_ALL="C").lines[2].startswith("    `-- run-2  Run 2  failed  2 artifacts, 19.5 KiB")
    assert runs.ok("tree", "run-1", LC_ALL="C").lines[0].endswith("child of run-0")


def test_a_page(runs):
    for verb in ("stats", "patterns"):
        runs.ok(verb, "tag:nightly", "--html", f"{verb}.html")
    page = (runs.cwd / "stats.html").read_text()
    assert "Only what fits: tag:nightly" in page and "&lt;b&gt;E" in page and "<b>E" not in page
    assert runs.ok("timeline", "run-1", "--html", "-").out.startswith("<!DOCTYPE html>")
    assert "cannot be given together" in runs.fails(2, "stats", "--html", "x", "--json")
    for verb in (["stats", "nonsense:3"], ["timeline", "nobody"]):  # before anything is looked at
        assert "cannot be given together" in runs.fails(2, *verb, "--html", "x", "--json")
    assert "no/such" in runs.fails(3, "stats", "--html", "no/such/file")
    assert "column 1" in runs.fails(2, "stats", "nonsense:3")
    assert "no session" in runs.fails(3, "timeline", "nobody")
