"""``restore``, ``undo``, ``redo``, ``fork`` and ``merge``."""

from __future__ import annotations

import pytest


@pytest.fixture
def filled(q4):
    q4.write("a.txt", "one")
    q4.write("dir/b.txt", "b")
    q4.ok("artifact", "put", "@", "a.txt", "dir")
    q4.ok("state", "set", "@", "step", "1")
    q4.ok("checkpoint", "@", "good")
    q4.write("a.txt", "two")
    q4.ok("artifact", "put", "@", "a.txt")
    return q4


def done(cli, *argv, **env):
    """Run a verb that has to work, and return its lines and its message."""
    result = cli(*argv, **env)
    assert result.code == 0, result
    return result.lines, result.err


def test_restore_says_what_it_changed_and_what_was_before(filled):
    filled.ok("artifact", "rm", "@", "-r", "dir")
    filled.ok("state", "set", "@", "step", "2")
    lines, message = done(filled, "restore", "@", "good")
    assert lines == [
        "M\tartifact\ta.txt",
        "A\tartifact\tdir",
        "A\tartifact\tdir/b.txt",
        "M\tstate\tstep",
    ]
    assert message.startswith(
        "sessionfs: session q4: artifacts and state as after record 5; what was before is q4@{before-"
    )
    assert filled.ok("artifact", "cat", "@", "a.txt").out == "one"
    name = message.rstrip("}\n").rpartition("{")[2]
    assert filled.ok("artifact", "cat", f"@{{{name}}}", "a.txt").out == "two"
    lines, message = done(filled, "restore", "@", "good")
    assert (lines, message) == ([], "sessionfs: session q4 is what it was then: nothing to restore\n")


def test_restore_of_paths_in_either_form(filled):
    filled.ok("artifact", "rm", "@", "-r", "dir")
    assert done(filled, "restore", "q4@{good}", "dir")[0] == ["A\tartifact\tdir", "A\tartifact\tdir/b.txt"]
    assert done(filled, "restore", "q4", "@{good}", "a.txt", "dir")[0] == ["M\tartifact\ta.txt"]
    record = filled("--json", "restore", "@", "1", "a.txt").json
    assert (record["kind"], record["to"], record["changes"]) == ("restore", 1, [])


def test_undo_and_redo(filled):
    lines, message = done(filled, "undo")
    assert lines == ["M\tartifact\ta.txt"]
    assert message.startswith("sessionfs: session q4: 1 operation undone; what was before is q4@{before-undo-")
    lines, message = done(filled, "undo", "2", "--session", "q4")
    assert lines == ["D\tartifact\ta.txt", "D\tartifact\tdir", "D\tartifact\tdir/b.txt", "D\tstate\tstep"]
    assert "2 operations undone" in message
    assert done(filled, "redo")[1] == "sessionfs: session q4: 1 undoing taken back\n"
    record = filled("--json", "redo").json
    assert (record["kind"], [change["name"] for change in record["changes"]]) == ("redo", ["a.txt"])
    assert "nothing to redo" in filled.fails(5, "redo")
    assert "only 3 are in effect" in filled.fails(5, "undo", "4")


@pytest.mark.parametrize("verb", ["artifact put", "artifact rm -r", "artifact tag --add x", "state rm"])
def test_a_verb_is_one_operation(q4, verb):
    names = ["a", "b/c", "b/d"]
    for name in names:
        q4.write(name, name)
    first, second, *options = verb.split()
    if first == "state":
        for key in ("k", "l"):
            q4.ok("state", "set", "@", key, "1")
        q4.ok("state", "rm", "@", "k", "l")
    elif second == "put":
        q4.ok("artifact", "put", "@", "a", "b")
    else:
        q4.ok("artifact", "put", "@", "a", "b")
        q4.ok(first, second, "@", *(["a", "b"] if second == "rm" else names), *options)
    before = q4.ok("artifact", "list", "@", "-R").lines, q4.ok("--json", "state", "list", "@").json
    done(q4, "undo")
    done(q4, "redo")
    assert (q4.ok("artifact", "list", "@", "-R").lines, q4.ok("--json", "state", "list", "@").json) == before
    done(q4, "undo")
    if second == "put":
        assert q4.ok("artifact", "list", "@", "-R").lines == []
    elif second == "rm" and first == "artifact":
        assert q4.ok("artifact", "list", "@", "-R").lines == names
    elif first == "state":
        assert [line.split("\t")[0] for line in q4.ok("state", "list", "@").lines] == ["k", "l"]
    else:
        assert q4.ok("--json", "artifact", "show", "@", "b/c").json["tags"] == []


@pytest.mark.parametrize(
    ("code", "argv", "message"),
    [
        (2, ("restore", "@"), "no moment was given"),
        (2, ("restore", "@", "***"), "no moment"),
        (2, ("restore", "@", "good", "../up"), "../up"),
        (3, ("restore", "@", "999"), "no record 999"),
        (3, ("restore", "@", "2099-01-01"), "future"),
        (3, ("restore", "@", "1999-01-01"), "before session q4"),
        (3, ("restore", "@", "good", "nope"), "'nope'"),
        (3, ("restore", "nobody", "good"), "nobody"),
        (2, ("undo", "x"), "'x' is no number"),
        (2, ("undo", "0"), "'0' is no number"),
        (2, ("undo", "99999999999999999999"), "no number"),
        (3, ("undo", "--session", "nobody"), "nobody"),
        (2, ("fork", "@{good}", "--at", "1"), "two moments"),
        (3, ("fork", "@", "--at", "999"), "999"),
        (2, ("fork", "@", "--id", "../x"), "../x"),
        (5, ("fork", "@", "--id", "q4"), "q4"),
        (2, ("merge", "q4"), "no parent"),
        (2, ("merge", "q4", "--into", "q4"), "itself"),
    ],
)
def test_what_is_refused(filled, code, argv, message):
    before = filled.ok("cat-log", "q4").raw
    assert message in filled.fails(code, *argv)
    assert filled.ok("cat-log", "q4").raw == before
    assert filled.ok("session", "list").lines[0].startswith("q4") and len(filled.ok("session", "list").lines) == 1


def test_a_finished_session_is_not_taken_back(filled):
    filled.ok("session", "complete", "@")
    for argv in (("restore", "@", "good"), ("undo",), ("redo",)):
        assert "completed" in filled.fails(4, *argv)


def test_fork_prints_its_id_and_inherits(filled):
    assert filled.ok("fork", "q4", "--id", "again", "--at", "good", "--use").lines == ["again"]
    record = filled.ok("--json", "session", "show", "@").json
    assert (record["id"], record["parent"], record["tags"], record["name"]) == ("again", "q4", ["sales"], None)
    assert filled.ok("artifact", "cat", "@", "a.txt").out == "one"
    record = filled.ok(
        "--json",
        "fork",
        "q4@{good}",
        "--name",
        "Third",
        "--description",
        "d",
        "--tag",
        "x",
        "--tag",
        "y",
        "--meta",
        "k=1",
    ).json
    assert (record["name"], record["description"], record["tags"], record["metadata"]) == (
        "Third",
        "d",
        ["x", "y"],
        {"k": 1},
    )


def test_merge_takes_over_or_lists_conflicts(filled):
    filled.ok("fork", "q4", "--id", "child")
    filled.write("new.txt", "new")
    filled.ok("artifact", "put", "child", "new.txt")
    assert filled.ok("merge", "child", "--dry-run").lines == ["A\tartifact\tnew.txt"]
    assert filled("artifact", "cat", "q4", "new.txt").code == 3
    lines, message = done(filled, "merge", "child")
    assert lines == ["A\tartifact\tnew.txt"] and "child is merged; what was before is q4@{before-merge-" in message
    assert filled.ok("merge", "child").lines == []
    filled.ok("state", "set", "child", "step", "2")
    filled.ok("state", "set", "q4", "step", "3")
    filled.ok("artifact", "rm", "child", "a.txt")
    filled.ok("artifact", "tag", "q4", "a.txt", "--add", "x")
    result = filled("merge", "child")
    assert result.code == 1 and result.lines == [
        "C\tartifact\ta.txt\tdeleted\tmodified",
        "C\tstate\tstep\tmodified\tmodified",
    ]
    assert "nothing was merged" in result.err
    assert len(filled("--json", "merge", "child").json["conflicts"]) == 2
    assert filled("merge", "q4", "--into", "child").code == 1
