"""Keywords as terms, sorting and pages, metadata as pairs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sessionfs.errors import InvalidInput
from sessionfs.query import BadCursor, BadOrder, Order, Subject, artifact_query, parse_query, session_query
from sessionfs.query.flat import flatten
from sessionfs.query.order import format_cursor, make_page
from sessionfs.query.terms import And, TextIs


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"tags": ["a", "b"]}, "tag:a tag:b"),
        ({"tags": "a"}, "tag:a"),
        ({"any_tags": ["a", "b"]}, "tag:a,b"),
        ({"no_tags": ["a"]}, "NOT tag:a"),
        ({"session": ["q4", "q5"], "type": None}, "session:q4,q5"),
        ({"name": "*.csv"}, "name:*.csv"),
        ({"name": ["a", "b/**"]}, "name:a OR path:b/**"),
        ({"iname": "A*"}, "iname:A*"),
        ({"mime_type": "text/*", "kind": "file"}, "mime:text/* kind:file"),
        ({"metadata": {"a.b": 3, "c": "3", "d": True, "e": None}}, 'meta.a.b=3 meta.c="3" meta.d:true meta.e:null'),
        ({"created_after": "2026-11-20", "updated_before": 5}, "after:2026-11-20 updated:<5e-9"),
        ({"created_before": datetime(2026, 11, 20, tzinfo=UTC)}, "before:2026-11-20"),
        ({"min_size": "1K", "max_size": 2048}, "size:>=1K size:<=2K"),
        ({"oid": "abcd", "contains": "x", "created_by": "uid:*"}, "oid:abcd text:x by:uid:*"),
        ({"sessions": "status:active"}, "session.status:active"),
    ],
)
def test_keywords_are_terms(keywords, text):
    if "5e-9" in text:
        assert artifact_query(**keywords).parts[1].high == 5
        return
    assert set(artifact_query(**keywords).parts) == set(parse_query(text).parts)


def test_keywords_beside_a_query():
    query = artifact_query("tag:a versions:all", type="log")
    assert query.versions and query.where == And((TextIs("tag", "a"), TextIs("type", "log")))
    query = session_query("tag:a", status="failed", has="size:>1", id="q4", parent="q3")
    assert query == parse_query("tag:a status:failed has:(size:>1) id:q4 parent:q3", Subject.SESSIONS)


@pytest.mark.parametrize(
    "keywords",
    [
        {"nothing": 1},
        {"tags": 3},
        {"tags": [3]},
        {"tags": "\ud83d"},
        {"metadata": {"\ud83d": 1}},
        {"metadata": {"a": "\ud83d"}},
        {"kind": "fiel"},
        {"created_after": "tomorrow"},
        {"created_after": 1.5},
        {"min_size": "1X"},
        {"oid": "x"},
        {"metadata": {"a": [1]}},
        {"metadata": {"a": float("nan")}},
        {"metadata": [1]},
        {"sessions": "type:log"},
        {"session": [f"s{number}" for number in range(4_001)]},
        {"tags": ["a"] * 2_000, "name": ["b"] * 2_001},
    ],
)
def test_keywords_that_cannot_be(keywords):
    with pytest.raises(InvalidInput):
        artifact_query(**keywords)


def test_pages():
    page = make_page(Subject.ARTIFACTS, sort="size", reverse=True, limit=3)
    cursor = format_cursor(page.order, (10, "q4", "a/b", 3, 2, 7))
    assert make_page(Subject.ARTIFACTS, sort="size", reverse=True, cursor=cursor).after == (10, "q4", "a/b", 3, 2, 7)
    for wrong in ({"sort": "nothing"}, {"sort": "events"}, {"limit": -1}, {"offset": 1.5}, {"limit": 1 << 63}):
        with pytest.raises(BadOrder):
            make_page(Subject.ARTIFACTS, **wrong)
    others = [
        "", "x", "é", "====", format_cursor(Order("size", True), ("10", "q4", "a", 3, 2, 7)),
        format_cursor(Order("size", True), (10, "q4")), cursor[:-3],
    ]  # fmt: skip
    for text in others:
        with pytest.raises(BadCursor):
            make_page(Subject.ARTIFACTS, sort="size", reverse=True, cursor=text)
    with pytest.raises(BadCursor, match="another order"):
        make_page(Subject.ARTIFACTS, sort="size", cursor=cursor)


def test_metadata_as_pairs():
    metadata = {
        "author": "ada", "run": {"number": 7, "x": {}}, "notes": ["a", ["b", 1]], "text": "-3.50", "no": [], "k": None,
        "yes": True, "large": 1 << 70, "name": "007",
    }  # fmt: skip
    assert flatten(metadata) == {
        ("author", "ada"), ("run.number", 7), ("run.x", "{}"), ("notes", "a"), ("notes", "b"), ("notes", 1),
        ("text", "-3.50"), ("text", -3.5), ("no", "[]"), ("k", "null"), ("yes", "true"), ("large", float(1 << 70)),
        ("name", "007"), ("name", 7),
    }  # fmt: skip
    deep: dict = {}
    for _ in range(5000):
        deep = {"a": deep}
    assert len(flatten(deep)) == 1
