"""log, diff, show, checkpoints, and moments wherever a verb reads."""

from __future__ import annotations

import subprocess

import pytest

from sessionfs.api import difference


@pytest.fixture
def past(q4):
    """q4: 0 created, 1 put a.txt, 2 put d/b.txt (3), 4 state, 5 checkpoint, 6 put a.txt, 7 rm b.txt, 8 state."""
    q4.write("a.txt", "one\ntwo\n")
    q4.ok("artifact", "put", "@", "a.txt")
    q4.ok("artifact", "put", "@", "-", "--as", "d/b.txt", stdin=b"b\n")
    q4.ok("state", "set", "@", "step", "1")
    q4.ok("checkpoint", "@", "before", "-m", "all is well")
    q4.write("a.txt", "one\n2\nthree\n")
    q4.ok("artifact", "put", "@", "a.txt", "--tag", "final")
    q4.ok("artifact", "rm", "@", "d/b.txt")
    q4.ok("state", "set", "@", "step", '{"n": 2}')
    return q4


# Moments wherever a verb reads


@pytest.mark.parametrize("session", ["q4@{before}", "@{4}", "Fourth quarter@{before}", "@@{ 4 }"])
def test_a_moment_is_read_like_a_session(past, session):
    assert past.ok("artifact", "cat", session, "a.txt").raw == b"one\ntwo\n"
    assert past.ok("artifact", "list", session, "-R").lines == ["a.txt", "d/b.txt"]
    assert past.ok("artifact", "show", session, "a.txt", "--json").json["version"] == 1
    assert past.ok("state", "get", session, "step").json == 1
    assert past.ok("--json", "state", "list", session).json == {"step": 1}
    assert past.ok("--json", "session", "show", session).json["event_count"] == 5
    assert [line.split("\t")[4] for line in past.ok("ls-tree", "-l", "-r", session).lines] == ["a.txt", "d/b.txt"]
    assert len(past.ok("cat-log", session).lines) == 5
    assert [event["seq"] for event in past.ok("--json", "events", session).json] == [0, 1, 2, 3, 4]
    assert past.ok("why", session, "a.txt").lines[0].startswith("a.txt  q4:1")


def test_a_whole_tree_comes_out_of_a_moment(past):
    past.ok("artifact", "get", "q4@{before}", ".", "out")
    assert (past.cwd / "out/a.txt").read_text() == "one\ntwo\n" and (past.cwd / "out/d/b.txt").read_text() == "b\n"
    past.ok("artifact", "get", "q4@{before}", "d/b.txt")
    assert (past.cwd / "b.txt").read_text() == "b\n"


def test_part_of_what_had_happened_by_then(past):
    assert [event["seq"] for event in past.ok("--json", "events", "@{4}", "--from", "3", "--to", "9").json] == [3, 4]
    assert past.ok("cat-log", "@{4}", "--from", "3").raw.count(b"\n") == 2
    assert "a moment has passed" in past.fails(2, "events", "@{4}", "--follow")


@pytest.mark.parametrize(
    "argv",
    [
        ("artifact", "put", "q4@{2}", "a.txt"),
        ("artifact", "rm", "@{2}", "a.txt"),
        ("state", "set", "q4@{now}", "k", "1"),
        ("session", "complete", "q4@{2}"),
        ("use", "q4@{2}"),
        ("checkpoints", "q4@{2}"),
        ("show-ref", "q4@{2}"),
    ],
)
def test_a_moment_cannot_be_changed(past, argv):
    before = past.ok("cat-log", "q4").raw
    assert "is a moment, which can be read and not changed" in past.fails(2, *argv)
    assert past.ok("cat-log", "q4").raw == before


@pytest.mark.parametrize(
    ("moment", "code", "words"),
    [
        ("99", 3, "no record 99 yet"),
        ("2099-01-01", 3, "in the future"),
        ("1999-01-01", 3, "before session q4"),
        ("nothing", 3, "no checkpoint 'nothing'"),
        ("Before", 3, "no checkpoint 'Before'"),
        ("../x", 2, "no moment"),
        ("", 2, "no moment"),
        ("5 parsecs ago", 2, "in seconds, minutes, hours, days, weeks"),
        ("\udcff", 2, "no moment"),
    ],
)
def test_a_moment_that_is_not_there_is_told(past, moment, code, words):
    assert words in past.fails(code, "artifact", "list", f"q4@{{{moment}}}")
    past.fails(3, "artifact", "list", f"nosuch@{{{moment}}}")


# checkpoint


def test_checkpoints_are_listed_in_the_order_of_their_moments(past):
    past.ok("checkpoint", "q4@{1}", "early")
    past.ok("session", "complete", "q4")
    past.ok("checkpoint", "q4", "end", "--message", "größe\tand\nmore")
    lines = [line.split("\t") for line in past.ok("checkpoints", "q4").lines]
    assert [(line[0], line[1], line[5]) for line in lines] == [
        ("early", "1", ""), ("before", "4", "all is well"), ("end", "9", "größe\\x09and\\x0amore"),
    ]  # fmt: skip
    assert [one["name"] for one in past.ok("checkpoints", "--json").json] == ["early", "before", "end"]
    assert past.ok("rev-parse", "q4@{before}").lines == [
        one["oid"] for one in past.ok("checkpoints", "--json").json if one["name"] == "before"
    ]
    assert "is no checkpoint" in past.fails(3, "rev-parse", "q4@{4}")
    assert past.ok("show-ref").lines[0].endswith("\tq4/before")


def test_a_checkpoint_is_made_once_replaced_and_deleted(past):
    assert "already has a checkpoint 'before'" in past.fails(5, "checkpoint", "q4", "before")
    made = past.ok("--json", "checkpoint", "q4", "before", "--replace").json
    assert made["seq"] == 8
    assert past.ok("--json", "checkpoint", "--delete", "q4", "before").json == {"name": "before", "oid": made["oid"]}
    assert past.ok("checkpoints").lines == []
    past.fails(3, "checkpoint", "-d", "q4", "before")
    for name in ("5", "now", "a/b", ""):
        assert "cannot be the name" in past.fails(2, "checkpoint", "q4", name)
    for wrong in (("-d", "q4", "x", "-m", "y"), ("-d", "q4@{1}", "x"), ("-d", "--replace", "q4", "x")):
        assert "--delete" in past.fails(2, "checkpoint", *wrong)


# log


def test_the_log_is_a_line_per_change_for_scripts(past):
    lines = [line.split("\t") for line in past.ok("log", "q4").lines]
    assert [(int(line[0]), *line[3:6]) for line in lines] == [
        (8, "modified", "state", "step"),
        (7, "deleted", "artifact", "d/b.txt"),
        (6, "modified", "artifact", "a.txt"),
        (5, "noted", "session", "checkpoint before"),
        (4, "added", "state", "step"),
        (3, "added", "artifact", "d"),
        (3, "added", "artifact", "d/b.txt"),
        (1, "added", "artifact", "a.txt"),
        (0, "noted", "session", "created"),
    ]
    assert lines[2][6:] == ["", "2", "1", "8", "12"]  # old name, lines added and removed, old and new size
    assert [line.split("\t")[0] for line in past.ok("log", "q4", "-n", "2").lines] == ["8", "7"]
    assert [line.split("\t")[0] for line in past.ok("log", "q4@{before}").lines] == ["4", "3", "3", "1", "0"]
    assert [line.split("\t")[0] for line in past.ok("log", "q4", "d").lines] == ["7", "3", "3"]
    assert "never was" in past.fails(3, "log", "q4", "nowhere")
    (operation, *_) = past.ok("log", "--json", "q4", "-n", "1").json
    assert operation["seq"] == 8 and operation["changes"][0]["after"] == {"n": 2}


def test_the_log_is_like_that_of_git_for_people(past):
    out = past("log", "q4", "a.txt", terminal=True, NO_COLOR="1").out
    assert "\nq4@{1}  " in out and "  uid:" in out
    assert "\n a.txt | 3 ++- (tags)\n" in out and "\n a.txt | 2 ++\n" in out
    out = past("log", terminal=True, NO_COLOR="1").out
    assert '\n state step: 1 -> {"n": 2}\n' in out and "\n session checkpoint before\n" in out
    assert "\n d/      | directory added\n d/b.txt | 1 +\n" in out and "\x1b" not in out
    assert "\x1b[32m++\x1b[0m" in past("log", terminal=True).out


# diff


def test_a_diff_is_a_patch_and_then_the_state(past, tmp_path):
    result = past("diff", "q4@{before}")
    assert (result.code, result.err) == (1, "")
    assert result.out == (
        '# a.txt: tags [] -> ["final"]\n'
        "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,3 @@\n one\n-two\n+2\n+three\n"
        "diff --git a/d/b.txt b/d/b.txt\ndeleted file mode 100644\n--- a/d/b.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-b\n"
        'state step\n-1\n+{\n+  "n": 2\n+}\n'
    )
    past.ok("artifact", "get", "q4@{before}", ".", "tree")
    subprocess.run(["git", "apply", "-p1"], input=result.raw, cwd=past.cwd / "tree", check=True, timeout=30)
    assert (past.cwd / "tree/a.txt").read_text() == "one\n2\nthree\n" and not (past.cwd / "tree/d/b.txt").exists()


def test_a_diff_in_short(past):
    assert past("diff", "@{before}", "--names").lines == [
        "M\tartifact\ta.txt", "D\tartifact\td/b.txt", "M\tstate\tstep",
    ]  # fmt: skip
    assert past("diff", "@{before}", "--stat").lines == [
        " a.txt   | 3 ++- (tags)",
        " d/b.txt | 1 -",
        ' state step: 1 -> {"n": 2}',
        " 2 artifacts and 1 key changed, 2 lines added, 2 lines removed",
    ]


def test_the_lines_of_a_diff_are_counted_once(past, monkeypatch):
    counted = []
    count = difference.count_change
    monkeypatch.setattr(
        difference, "count_change", lambda *args, **options: counted.append(args) or count(*args, **options)
    )
    past("diff", "@{before}", "--stat")
    assert len(counted) == 2
    records = past("--json", "diff", "@{before}").json
    assert [(record["what"], record["change"], record["name"]) for record in records] == [
        ("artifact", "modified", "a.txt"), ("artifact", "deleted", "d/b.txt"), ("state", "modified", "step"),
    ]  # fmt: skip
    assert "\x1b[31m-two\x1b[0m" in past("diff", "@{before}", terminal=True).out


def test_no_difference_is_yes(past):
    for argv in (["@{4}", "q4@{before}"], ["q4", "@"], ["@{now}"], ["@{8}", "a.txt"]):
        result = past("diff", *argv)
        assert (result.code, result.raw, result.err) == (0, b"", "")


def test_sessions_and_paths_are_told_apart(past):
    past.ok("session", "create", "--id", "other")
    past.ok("artifact", "put", "other", "-", "--as", "a.txt", stdin=b"one\n2\nthree\n")
    assert past("diff", "q4", "other", "--names").lines == ["M\tartifact\ta.txt", "D\tartifact\td", "D\tstate\tstep"]
    assert past("diff", "q4@{1}", "q4@{6}", "d", "--names").lines == ["A\tartifact\td", "A\tartifact\td/b.txt"]
    assert past("diff", "q4@{1}", "a.txt", "d", "--names").lines == ["M\tartifact\ta.txt", "A\tartifact\td"]
    past.ok("artifact", "put", "q4", "-", "--as", "other", stdin=b"")
    assert "write other@{now} for the one, ./other for the other" in past.fails(2, "diff", "q4@{1}", "other")
    assert past("diff", "q4@{1}", "./other", "--names").lines == ["A\tartifact\tother"]
    assert past("diff", "q4@{1}", "other@{now}").code == 1


def test_what_cannot_be_compared_is_told(past):
    assert "name a moment, as in q4@{5}" in past.fails(2, "diff", "q4")
    assert "neither a moment nor a path" in past.fails(3, "diff", "q4@{1}", "nosuch")
    past.fails(3, "diff", "nosuch@{1}")
    past.fails(2, "diff", "q4@{1}", ".")


# show


def test_show_gives_what_was_there(past):
    assert past.ok("show", "q4@{before}:a.txt").raw == b"one\ntwo\n"
    assert past.ok("show", "@:a.txt", "@{1}:a.txt").raw == b"one\n2\nthree\none\ntwo\n"
    assert past.ok("show", "@{before}:").lines == past.ok("show", "@{4}:/").lines == ["a.txt", "d/"]
    assert past.ok("show", "@{before}:d/").lines == ["b.txt"]
    assert past.ok("show", "--json", "@{before}:a.txt").json["version"] == 1
    time = past.ok("--json", "events", "q4", "--from", "4", "--to", "4").json[0]["time"]
    assert past.ok("show", f"q4@{{{time}}}:a.txt").raw == b"one\ntwo\n"
    past.fails(3, "show", "q4@{before}:nosuch")
    past.fails(3, "show", "q4@{99}:a.txt")


def test_show_gives_what_an_operation_did(past):
    out = past.ok("show", "q4@{7}").out
    assert out.startswith("q4@{7}  ") and " d/b.txt | 1 -\n" in out and "deleted file mode 100644" in out
    assert past.ok("show", "--json", "q4@{7}").json["changes"][0]["name"] == "d/b.txt"
    assert past.ok("show", "q4").out.startswith("q4@{8}  ")


def test_content_that_is_no_text_stays_what_it_is(q4):
    q4.ok("artifact", "put", "@", "-", "--as", "latin", stdin="größe\n".encode("latin-1"))
    q4.ok("artifact", "put", "@", "-", "--as", "latin", stdin="grösse\n".encode("latin-1"))
    raw = q4("diff", "@{1}").raw
    assert b"-gr\xf6\xdfe\n+gr\xf6sse\n" in raw
    assert "-gr\\xf6\\xdfe" in q4("diff", "@{1}", terminal=True, NO_COLOR="1").out
    q4.ok("artifact", "put", "@", "-", "--as", "latin", stdin=b"\x1b]0;title\x07\tx\n")
    assert "\x1b]" not in q4("diff", "@{2}", terminal=True, NO_COLOR="1").out


def test_a_path_that_never_was_is_named(q4):
    q4.write("d/a", "1")
    q4.ok("artifact", "put", "@", "d")
    q4.ok("artifact", "rm", "@", "d/a")
    for words in (["log", "q4"], ["prune", "q4", "--keep", "1"]):
        assert "there is no 'nope' in session q4, and never was" in q4.fails(3, *words, "nope")
        assert q4(*words, "d/a").code == q4(*words, "d/").code == 0
    assert "up to then" in q4.fails(3, "log", "q4@{0}", "d/a")
    q4.ok("fork", "q4", "--id", "child")
    assert q4("log", "child", "d").code == 0
