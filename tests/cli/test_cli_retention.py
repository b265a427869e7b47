"""Rules of retention, pins and pruning from the command line."""

from __future__ import annotations

import json

import pytest

RULES = """
[sessions]
timeout = 0
[retention]
archive_finished_after = "1000d"
delete_finished_after = 0
keep_versions = 2
[retention.tag.sales]
delete_finished_after = "never"
"""


@pytest.fixture
def filled(q4):
    for number in range(4):
        q4.ok("artifact", "put", "q4", "--as", "a.txt", "-", stdin=b"version %d\n" % number)
    return q4


def test_pruned_versions_go_and_who_asks_is_told(filled):
    oid = filled.ok("show", "q4@{1}:a.txt", "--json").json["oid"]
    assert filled("prune", "q4", "--keep", "2", "--dry-run", "--json").json["version_count"] == 2
    result = filled("prune", "q4", "--keep", "2", "a.txt")
    assert (result.code, result.lines) == (0, ["a.txt"]) and "q4 gave up 2 versions, 20 bytes" in result.err
    assert filled.ok("verify-log", "q4").out.startswith("whole\t")
    filled("gc", "--grace", "0")
    filled.ok("trash", "empty")
    assert f"object {oid} is gone: session q4 gave it up by retention" in filled.fails(3, "show", "q4@{1}:a.txt")
    filled.fails(5, "restore", "q4", "1")
    filled.fails(3, "fork", "q4", "--at", "1")
    assert "gave it up" in filled("diff", "q4@{1}", "q4@{2}").out
    assert len(filled.ok("log", "q4", "a.txt").lines) == 4
    assert filled.ok("show", "q4@{3}:a.txt").out == "version 2\n" and filled.ok("fsck").out == ""
    filled.fails(2, "prune", "q4")
    filled.fails(2, "prune", "q4", "--keep", "0")
    filled.fails(2, "prune", "q4", "--keep-for", "soon")
    filled.fails(3, "prune", "nobody", "--keep", "1")


def test_pins_are_set_listed_and_taken_away(filled):
    filled.ok("pin", "q4:a.txt", "q4", "-m", "cited")
    assert [line.split("\t")[::3] for line in filled.ok("pins").lines] == [["q4", "cited"], ["q4:a.txt", "cited"]]
    assert filled.ok("pins", "q4", "--json").json[1]["path"] == "a.txt"
    assert "has been pinned since" in filled.fails(4, "session", "delete", "q4")
    assert filled("prune", "q4", "--keep", "1").out == ""
    filled.ok("unpin", "q4", "q4:a.txt")
    filled.fails(3, "unpin", "q4")
    filled.fails(3, "pin", "q4:nothing")
    assert filled("session", "delete", "q4").code == 0


def test_the_plan_is_what_is_done(filled):
    (filled.store / "config.toml").write_text(RULES)
    for name in ("done", "kept"):
        filled.ok("session", "create", "--id", name)
        filled.ok("session", "complete", name)
    filled.ok("pin", "kept")
    planned = [line.split("\t")[:3] for line in filled.ok("retention", "plan").lines]
    assert planned == [["delete", "done", "0"], ["keep", "kept", "0"], ["suspend", "q4", "0"], ["prune", "q4", "2"]]
    assert {line["is_done"] for line in map(json.loads, filled.ok("retention", "plan", "--json").lines)} == {False}
    result = filled("retention", "run", "--gc")
    assert [line.split("\t")[:3] for line in result.lines] == planned and "gc: 0 to the trash" in result.err
    assert [line.split("\t")[:2] for line in filled.ok("session", "list").lines] == [
        ["q4", "suspended"],
        ["kept", "completed"],
    ]
    assert filled.ok("trash", "restore", "done").code == 0
    assert "idle for" in filled.ok("events", "q4", "--type", "session.suspended").out
    assert "sessions.timeout is 0 seconds" in filled.ok("events", "q4", "--type", "session.suspended").out


def test_a_session_answers_for_itself(filled):
    filled.ok("session", "configure", "q4", "retention.keep_versions=1", "limits.max_artifact_size=1 KiB")
    assert filled.ok("session", "configure", "q4", "--json").json == {
        "retention.keep_versions": 1,
        "limits.max_artifact_size": "1 KiB",
    }
    filled.fails(5, "artifact", "put", "q4", "--as", "large", "-", stdin=b"x" * 2000)
    assert filled.ok("retention", "plan").lines[0].startswith("prune\tq4\t3\t30\tits own retention.keep_versions is 1")
    assert filled.ok("session", "configure", "q4", "--unset", "limits.max_artifact_size").lines == [
        "retention.keep_versions\t1"
    ]
    assert "nearest known one" in filled.fails(2, "session", "configure", "q4", "retention.keep=1")
    (filled.store / "config.toml").write_text("[retention]\nkeep_version = 1\n")
    assert "retention.keep_versions" in filled.fails(2, "retention", "plan")
