"""``grep``, ``search`` and what they are answered from."""

from __future__ import annotations

import json

import pytest

from sessionfs.search.pattern import Pattern


@pytest.fixture
def filled(q4):
    """A session with a few contents, one of them with two versions."""
    q4.ok("artifact", "put", "q4", "-", "--as", "totals.csv", stdin=b"region,total\nnorth,3\n")
    q4.ok("artifact", "put", "q4", "-", "--as", "totals.csv", stdin=b"region,total\nsouth,4\n")
    q4.ok("artifact", "put", "q4", "-", "--as", "notes.md", "--tag", "draft", stdin=b"a\n\nAll is well.\nb\nc\nwell\n")
    q4.ok("artifact", "put", "q4", "-", "--as", "b.bin", stdin=b"well\n\0\n")
    return q4


def test_grep_prints_artifact_line_and_text(filled):
    assert filled.ok("grep", "well", "name:*.md").lines == ["q4/notes.md:3:All is well.", "q4/notes.md:6:well"]
    assert filled.ok("grep", "WELL", "-iw", "-m1", "-N", "tag:draft").lines == ["q4/notes.md:All is well."]
    assert filled.ok("grep", "is .*l", "-o").lines == ["q4/notes.md:3:is well"]
    assert filled.ok("grep", "-c", "well").lines == ["q4/b.bin:1", "q4/notes.md:2"]
    assert filled.ok("grep", "-l", "well", "-0").raw == b"q4/b.bin\0q4/notes.md\0"
    assert filled.ok("grep", "-v", "l", "name:*.md").lines == [
        f"q4/notes.md:{n}:{t}" for n, t in [(1, "a"), (2, ""), (4, "b"), (5, "c")]
    ]
    assert filled.ok("grep", "-x", "well", "name:*.md", "-0").raw == b"q4/notes.md\x006:well\n"
    assert filled("grep", "-F", "i.").code == 1
    assert filled.ok("grep", "well", "-C1", "name:*.md").lines == [
        "q4/notes.md-2-", "q4/notes.md:3:All is well.", "q4/notes.md-4-b", "q4/notes.md-5-c", "q4/notes.md:6:well",
    ]  # fmt: skip
    assert filled.ok("grep", "well", "-A1", "-m1", "tag:draft", "-B", "0").lines[-1] == "q4/notes.md-4-b"
    assert "--" in filled.ok("grep", "^a|^c", "-B1", "name:*.md").lines


def test_where_in_its_line_something_matches_is_looked_for_when_it_is_shown(filled, monkeypatch):
    looked = []
    monkeypatch.setattr(Pattern, "find_all", lambda self, line, watch: looked.append(line) or ())
    for words, kind, count in [([], {}, 0), (["-o"], {}, 1), (["--json"], {}, 1), ([], {"terminal": True}, 1)]:
        looked.clear()
        filled("grep", "All", *words, **kind)
        assert len(looked) == count


def test_grep_of_other_moments_and_versions(filled):
    assert filled.ok("grep", "north|south").lines == ["q4/totals.csv:2:south,4"]
    assert filled.ok("grep", "north|south", "--all-versions").lines == [
        "q4@{1}/totals.csv:2:north,3",
        "q4/totals.csv:2:south,4",
    ]
    assert filled.ok("grep", "north", "session:q4@{1}").lines == ["q4/totals.csv:2:north,3"]
    assert filled.ok("grep", "north", "--at", "1").lines == ["q4/totals.csv:2:north,3"]
    assert "leave the other versions out" in filled.fails(2, "grep", "x", "--at", "1", "--all-versions")


def test_grep_for_people_and_programs(filled):
    shown = filled("grep", "well", "-C1", terminal=True).out
    assert "\x1b[35mq4/notes.md\x1b[0m\n\x1b[32m2\x1b[0m-\n\x1b[32m3\x1b[0m:All is \x1b[1;31mwell\x1b[0m.\n" in shown
    assert "q4/b.bin: binary content matches (NUL at byte 5)" in shown
    plain = filled("grep", "well", terminal=True, NO_COLOR="1").out
    assert "\nq4/notes.md\n3:All is well.\n" in plain
    first = json.loads(filled.ok("grep", "--json", "well", "name:*.md").lines[0])
    assert (first["session"], first["path"], first["line"], first["spans"]) == ("q4", "notes.md", 3, [[7, 11]])
    filled.ok("artifact", "put", "q4", "-", "--as", "odd", stdin=b"\x1b[31m\xff odd\n")
    assert "bytes" in json.loads(filled.ok("grep", "--json", "odd").lines[0])
    assert filled.ok("grep", "odd").raw == b"q4/odd:1:\x1b[31m\xff odd\n"
    assert "\\x1b[31m\\xff" in filled("grep", "odd", terminal=True).out
    assert json.loads(filled.ok("grep", "-l", "--json", "odd").lines[0]) == {"artifact": "q4/odd"}
    assert json.loads(filled.ok("grep", "-c", "--json", "odd").lines[0]) == {"artifact": "q4/odd", "count": 1}


def test_grep_says_what_is_wrong_and_where(filled):
    assert filled("grep", "nothing").code == 1
    assert "'a(b' goes wrong at column 4: missing )" in filled.fails(2, "grep", "a(b")
    assert "column 1, before 'typ:x'" in filled.fails(2, "grep", "a", "typ:x")
    assert "column 6, before '\"x'" in filled.fails(2, "grep", "a", 'name:"x')
    assert "column 7, before 'gestern'" in filled.fails(2, "grep", "a", "after:gestern")
    assert "leave one out" in filled.fails(2, "grep", "a", "-ov")
    filled.ok("artifact", "put", "q4", "-", "--as", "as", stdin=b"a" * 80)
    assert "took longer than 0.05 s on q4/as" in filled.fails(2, "grep", "(a|aa)+$(?<=b)", "--time-limit", "0.05")
    assert "--time-limit" in filled.fails(2, "grep", "a", "--time-limit", "soon")
    assert "more than a day" in filled.fails(2, "grep", "a", "--time-limit", "99999999999d")
    assert "more than a day" in filled.fails(2, "grep", "a", "--time-limit", "86401")
    oid = filled.ok("artifact", "show", "q4", "as", "--json").json["oid"]
    (filled.store / "objects" / oid[:2] / oid[2:]).unlink()
    result = filled("grep", "well")
    assert result.code == 6 and "q4/as: the content of 'as' is lost" in result.err and "All is well." in result.out


def test_search(filled):
    filled.ok("record", "tool.invoked", "--session", "q4", "--data", '{"error": "connection refused"}')
    assert filled.ok("search", "south").lines == ["artifact\tq4/totals.csv\tregion,total south,4"]
    assert filled.ok("search", "all", "well", "tag:draft").lines[0].startswith("artifact\tq4/notes.md\ta  All is well.")
    assert filled.ok("search", "is well", "type:document").lines[0].startswith("artifact\tq4/notes.md")
    assert filled.ok("search", "connection refused").lines == ["event\tq4@{5} tool.invoked\tconnection refused"]
    assert filled.ok("search", "fourth").lines == ["session\tq4 Fourth quarter\tFourth quarter"]
    assert (
        filled.ok("search", "total*", "-k", "artifact", "--all-versions", "north")
        .lines[0]
        .startswith("artifact\tq4@{1}")
    )
    (hit,) = [json.loads(line) for line in filled.ok("search", "SOUTH", "--json").lines]
    assert (hit["kind"], hit["artifact"]["path"], hit["spans"]) == ("artifact", "totals.csv", [[13, 18]])
    shown = filled("search", "south", terminal=True).out
    assert shown == "\x1b[35mq4/totals.csv\x1b[0m\n    region,total \x1b[1;31msouth\x1b[0m,4…\n"
    assert filled("search", "nothing").code == 1
    assert "the words go wrong at column 3: the quote" in filled.fails(2, "search", 'a "b')
    assert "no letters or digits" in filled.fails(2, "search", "+++")
    assert "did you mean type?" in filled.fails(2, "search", "a", "typ:x")
    for number in range(25):
        filled.ok("artifact", "put", "q4", "-", "--as", f"many/{number}", stdin=b"several")
    result = filled("search", "several", terminal=True)
    assert result.out.count("many/") == 20 and "the best 20; --limit 0 shows all" in result.err
    assert len(filled.ok("search", "several").lines) == len(filled("search", "several", "--limit", "0").lines) == 25


def test_the_index_of_texts_is_looked_at_rebuilt_and_removed(filled):
    place = filled.store / "index.sqlite.text"
    assert filled("index", "status", "--text").code == 1 and not place.exists()
    filled.ok("search", "south")
    status = filled.ok("index", "status", "--text", "--json").json
    assert (status["path"], status["content_count"], status["text_count"]) == (str(place), 4, 3)
    filled.ok("index", "rebuild", "--text")
    filled.ok("index", "drop", "--text")
    assert not place.exists() and (filled.store / "index.sqlite").exists()
    filled.ok("search", "south")
    filled.ok("index", "drop")
    assert not place.exists() and filled("index", "drop").code == 1
    (filled.store / "config.toml").write_text("[search]\nenabled = false\n")
    assert "search.enabled = false" in filled.fails(4, "search", "south")


def test_a_moment_that_no_session_has_is_misspelt(filled):
    filled.ok("session", "create", "--id", "later")
    assert "no checkpoint 'yestrday'" in filled.fails(3, "grep", "well", "--at", "yestrday")
    assert filled.fails(3, "grep", "well", "--at", "999999")
    assert filled("grep", "well", "--at", "2001-01-01").code == 1  # before all of them
    filled.ok("checkpoint", "q4", "here")
    assert filled.ok("grep", "well", "--at", "here").lines
