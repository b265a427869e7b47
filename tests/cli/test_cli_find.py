"""``find`` and ``index``."""

from __future__ import annotations

import json

import pytest

import sessionfs
from sessionfs.errors import Corrupt
from sessionfs.index import Index
from sessionfs.query import Page, parse_query


@pytest.fixture
def filled(q4):
    """A store with two sessions and a few artifacts."""
    q4.ok("session", "create", "--id", "q5", "--tag", "draft")
    q4.write("totals.csv", "region\n")
    q4.write("large.csv", "x" * 2000)
    q4.ok("artifact", "put", "q4", "totals.csv", "--type", "tool_result", "--tag", "raw", "--meta", "n=3")
    q4.ok("artifact", "put", "q4", "-", "--as", "notes/summary.md", stdin=b"# all is well\n")
    q4.ok("artifact", "put", "q5", "large.csv", "--tag", "raw", "--meta", "author=x")
    return q4


def test_find_prints_session_and_path_in_the_order_of_creation(filled):
    assert filled.ok("find").lines == ["q4\ttotals.csv", "q4\tnotes/summary.md", "q5\tlarge.csv"]
    assert filled.ok("find", "--reverse").lines[0] == "q5\tlarge.csv"
    assert filled.ok("find", "*.csv", "size:<1K").lines == ["q4\ttotals.csv"]
    assert filled.ok("find", "tag:raw", "NOT", "meta.n:3").lines == ["q5\tlarge.csv"]
    assert filled.ok("find", "--", "-tag:raw").lines == ["q4\tnotes/summary.md"]
    assert filled.ok("find", 'meta.author = "x"').lines == ["q5\tlarge.csv"]
    assert filled.ok("find", "nothing").lines == []


def test_long_lines_and_json(filled):
    (line,) = filled.ok("find", "-l", "name:*.md").lines
    assert line.split("\t")[:4] == ["q4", "file", "1", "14"]
    (found,) = filled.ok("find", "session.tag:draft", "--json").json
    assert (found["session"], found["path"], found["size"], found["is_live"]) == ("q5", "large.csv", 2000, True)
    assert set(found) >= set(filled.ok("artifact", "show", "q5", "large.csv", "--json").json)
    table = filled("find", "-l", terminal=True).out
    assert "UPDATED" in table and "2.0 KiB" in table


@pytest.mark.parametrize("words", [[], ["-l"], ["--json"], ["-0"], ["--format", "{path}"]])
def test_each_is_written_before_the_next_is_asked_for(filled, monkeypatch, words):
    def find(self, query, page, *, progress):
        yield next(several)
        raise Corrupt("the second is damaged")

    whole = filled("find", *words).raw
    with sessionfs.open(filled.store) as store:
        several = store.index.find(parse_query(""), Page())
        monkeypatch.setattr(Index, "find", find)
        result = filled("find", *words)
    assert result.code == 6 and "damaged" in result.err
    assert whole.startswith(result.raw) and b"totals.csv" in result.raw and b"large.csv" not in result.raw


def test_json_is_one_list_however_many_there_are(filled):
    for count in (0, 1, 3):
        found = filled("find", "--json", "--limit", str(count))
        assert len(found.json) == count
        assert found.raw == json.dumps(found.json, ensure_ascii=False).encode() + b"\n"
    assert filled("find", "--json", terminal=True).out == json.dumps(found.json, indent=2) + "\n"


def test_raw_names_for_xargs_and_formats(filled):
    filled.ok("artifact", "put", "q4", "-", "--as", "odd\tname", stdin=b"")
    assert filled.ok("find", "session:q4", "-0").raw == b"q4\0totals.csv\0q4\0notes/summary.md\0q4\0odd\tname\0"
    assert filled.ok("find", "-z", "--sessions", "tag:draft").raw == b"q5\0"
    form = r"{session}:{path} {size} {metadata.n}\t{tags}"
    assert filled.ok("find", "tag:raw", "--format", form).lines == ["q4:totals.csv 7 3\traw", "q5:large.csv 2000 \traw"]
    assert filled.ok("find", "name:odd*", "--format", "{name}", "-0").raw == b"odd\tname\0"
    assert filled.ok("find", "*.md", "--format", r"{path}\\t\t\\\n{size}").lines == ["notes/summary.md\\t\t\\", "14"]
    assert "which is no field; there are: session" in filled.fails(2, "find", "--format", "{nothing}")
    for wrong in (
        ["name:none", "--format", "{nothing}"],
        ["--sessions", "name:none", "--format", "{path}"],
        ["--format", "{}"],
    ):
        assert "which is no field" in filled.fails(2, "find", *wrong)
    assert filled.ok("find", "--sessions", "--format", "{id} {created_at.x}{metadata}").lines == ["q4 {}", "q5 {}"]
    for wrong in ("{", "{path!r}", "{size:>3}"):
        assert "--format" in filled.fails(2, "find", "--format", wrong)


def test_a_name_that_is_no_text_comes_out_as_it_is(filled):
    filled.write("list", b"a")
    filled.ok("artifact", "put", "q4", "list", "--as", b"\xff\\".decode("utf-8", "surrogateescape"))
    assert filled.ok("find", "name:list OR size:1", "-0").raw == b"q4\0\xff\\\0"
    assert filled.ok("find", "name:\udcff*").lines == ["q4\t\\xff\\\\"]


def test_sessions(filled):
    assert filled.ok("find", "--sessions").lines == ["q4", "q5"]
    assert filled.ok("find", "--sessions", "has:(size:>1K)").lines == ["q5"]
    assert filled.ok("find", "--sessions", "status:active", "-l").lines[0].startswith("q4\tactive\tFourth quarter")
    assert filled.ok("find", "--sessions", "tag:sales", "--json").json == [
        filled.ok("session", "show", "q4", "--json").json
    ]
    assert "about artifacts" in filled.fails(2, "find", "--sessions", "--all-versions")


def test_versions_counts_and_pages(filled):
    filled.ok("artifact", "rm", "q4", "totals.csv")
    assert filled.ok("find", "--count").lines == ["2"]
    assert filled.ok("find", "--count", "--all-versions", "--json").json == 3
    assert filled.ok("find", "--all-versions", "name:totals.csv").lines == ["q4\ttotals.csv"]
    found, cursor = [], []
    while len(found) < 4:
        result = filled("find", "versions:all", "--sort", "size", "--limit", "1", *cursor)
        found += result.lines
        if not result.err:
            break
        cursor = ["--cursor", result.err.split()[-1]]
    assert found == ["q4\ttotals.csv", "q4\tnotes/summary.md", "q5\tlarge.csv"]
    assert filled.ok("find", "--offset", "1").lines == ["q5\tlarge.csv"]
    assert "no cursor" in filled.fails(2, "find", "--cursor", "x")


def test_bad_queries_are_named_with_their_column(filled):
    for words, column, message in (
        (["sizee:>1"], 1, "did you mean size?"),
        (["tag:a", "created:2026-13-45"], 15, "month must be in 1..12"),
        (['name:"abc'], 6, "does not end"),
        (["(tag:a"], 1, "is not closed"),
        (["tag:\udcff\udcff", "kind:fiel"], 13, "kind is one of"),
    ):
        assert f"column {column}, " in filled.fails(2, "find", *words)
        assert message in filled.fails(2, "find", *words)
    assert "cannot be sorted by 'artifacts'" in filled.fails(2, "find", "--sort", "artifacts")
    assert "--sort cannot be 'x'" in filled.fails(2, "find", "--sort", "x")


def test_how_it_is_found(filled):
    assert filled.ok("find", "--explain", "tag:raw").lines[0] == "walk through tag in the order of creation"


def test_the_index(filled):
    assert filled("index", "status").code == 1
    assert filled("index", "drop").code == 1
    filled.ok("find")
    status = filled.ok("index", "status", "--json").json
    assert (status["is_there"], status["session_count"], status["artifact_count"]) == (True, 2, 3)
    assert status["path"] == str(filled.store / "index.sqlite") and status["moved_count"] == 0
    filled.ok("artifact", "rm", "q4", "totals.csv")
    assert filled.ok("index", "status", "--json").json["moved_count"] == 1
    filled.ok("index", "rebuild")
    assert filled.ok("index", "status", "--json").json["artifact_count"] == 2
    filled.ok("fsck")
    filled.ok("index", "drop")
    assert not (filled.store / "index.sqlite").exists()
    assert filled.ok("find", "--count").lines == ["2"]
