"""From a query's text to its value, and what is wrong with one that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionfs.clock import NS_PER_SECOND
from sessionfs.query import BadQuery, Subject, parse_query
from sessionfs.query.globs import Glob, Style
from sessionfs.query.terms import (
    And,
    HasArtifact,
    HasText,
    Meta,
    MetaMatches,
    MetaWithin,
    Not,
    OfSession,
    OidIs,
    Or,
    TextIs,
    TextMatches,
    Within,
)

NOW_NS = 1_795_214_641 * NS_PER_SECOND  # 2026-11-20T22:44:01Z
DAY_NS = 86_400 * NS_PER_SECOND
DAY = 1_795_132_800 * NS_PER_SECOND  # the beginning of that day


def where(text, subject=Subject.ARTIFACTS):
    return parse_query(text, subject, now_ns=NOW_NS).where


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", And(())),
        ("tag:a tag:b", And((TextIs("tag", "a"), TextIs("tag", "b")))),
        ("tag:a AND tag:b", And((TextIs("tag", "a"), TextIs("tag", "b")))),
        ("tag:a,b", Or((TextIs("tag", "a"), TextIs("tag", "b")))),
        ('tag:"a b",c', Or((TextIs("tag", "a b"), TextIs("tag", "c")))),
        ("-tag:a", Not(TextIs("tag", "a"))),
        ("NOT NOT tag:a", TextIs("tag", "a")),
        ("tag!=a,b", Not(Or((TextIs("tag", "a"), TextIs("tag", "b"))))),
        ("a OR tag:b tag:c", Or((HasText("a"), And((TextIs("tag", "b"), TextIs("tag", "c")))))),
        ("(a OR b) c", And((Or((HasText("a"), HasText("b"))), HasText("c")))),
        ("report", HasText("report")),
        ('"a \\"b\\" *.csv"', HasText('a "b" *.csv')),
        ("ORDER", HasText("ORDER")),
        ("*.csv", TextMatches("name", Glob("*.csv"))),
        ("data/*", TextMatches("path", Glob("data/*", Style.PATH))),
        ("name:a.txt", TextIs("name", "a.txt")),
        ("name:a/b.txt", TextIs("path", "a/b.txt")),
        ("name:foo(1).csv", TextIs("name", "foo(1).csv")),
        ("(name:foo)", TextIs("name", "foo")),
        ("name=*.csv", TextIs("name", "*.csv")),
        ("iname:*.CSV", TextMatches("name", Glob("*.CSV", folded=True))),
        ("iname=[x]", TextMatches("name", Glob("[[]x]", folded=True))),
        ("mime_type:text/*", TextMatches("mime", Glob("text/*"))),
        ("path:a/**", TextMatches("path", Glob("a/**", Style.PATH))),
        ("size:>1M", Within("size", (1 << 20) + 1, None)),
        ("size : >= 1.5K", Within("size", 1536, None)),
        ("size<=10", Within("size", None, 11)),
        ("size:1K..2K", Within("size", 1024, 2049)),
        ("size:..2K", Within("size", None, 2049)),
        ("version:3,4", Or((Within("version", 3, 4), Within("version", 4, 5)))),
        ("created:2026-11-20", Within("created", DAY, DAY + DAY_NS)),
        ("created:>2026-11-20", Within("created", DAY + DAY_NS, None)),
        ("created:<=2026-11-20", Within("created", None, DAY + DAY_NS)),
        ("updated:2026-11-19..2026-11-20", Within("updated", DAY - DAY_NS, DAY + DAY_NS)),
        ('created:"2026-11-20 22:44"', Within("created", NOW_NS - NS_PER_SECOND, NOW_NS + 59 * NS_PER_SECOND)),
        ("created:1795214641", Within("created", NOW_NS, NOW_NS + NS_PER_SECOND)),
        ("created:>7d", Within("created", NOW_NS - 7 * DAY_NS + 1, None)),
        ("after:7d", Within("created", NOW_NS - 7 * DAY_NS + 1, None)),
        ('before:"7 days ago"', Within("created", None, NOW_NS - 7 * DAY_NS)),
        ("after:2026-11-20", Within("created", DAY + 1, None)),
        ("modified:<now", Within("modified", None, NOW_NS)),
        ("oid:ABCD", OidIs("abcd")),
        ("meta.author:x", MetaWithin("author", "x", "x")),
        ('meta.author = "x"', MetaWithin("author", "x", "x")),
        ("meta.author:x*", MetaMatches("author", Glob("x*"))),
        ("meta.author:*", Meta("author")),
        ("meta.a.b:3", MetaWithin("a.b", 3, 3)),
        ('meta.a."b c":"3"', MetaWithin("a.b c", "3", "3")),
        ("meta.n:>=-2.5", MetaWithin("n", -2.5, None)),
        ("meta.n<1e3", MetaWithin("n", None, 1000.0, high_included=False)),
        ("meta.n:1..5", MetaWithin("n", 1, 5)),
        ("meta.date:2026-01..", MetaWithin("date", "2026-01", None)),
        ("meta.n!=3", Not(MetaWithin("n", 3, 3))),
        ("session:q4", TextIs("session", "q4")),
        ("session.status:active", OfSession(TextIs("status", "active"))),
        ("session.meta.k:1", OfSession(MetaWithin("k", 1, 1))),
        ("session:(tag:a OR name:b*)", OfSession(Or((TextIs("tag", "a"), TextMatches("name", Glob("b*")))))),
        ("text:x", HasText("x")),
    ],
)
def test_what_is_meant(text, expected):
    assert where(text) == expected


def test_sessions():
    assert where("status:failed name:a/b", Subject.SESSIONS) == And((TextIs("status", "failed"), TextIs("name", "a/b")))
    assert where("has:(tag:x size:>1)", Subject.SESSIONS) == HasArtifact(
        And((TextIs("tag", "x"), Within("size", 2, None)))
    )
    assert where("artifacts:>1", Subject.SESSIONS) == Within("artifacts", 2, None)


def test_versions_are_about_the_whole_query():
    assert not parse_query("tag:a").versions
    query = parse_query("tag:a versions:all tag:b")
    assert query.versions and query.where == And((TextIs("tag", "a"), TextIs("tag", "b")))
    assert parse_query("versions:all").where == And(())
    assert not parse_query("versions:live").versions


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("tag:a sizee:>1M", 7, "no field 'sizee'; did you mean size"),
        ("nothing.at:all", 1, "has none"),
        ("tag:a size:>1X", 13, "is no size"),
        ("created:2026-13-45", 9, "month must be in 1..12"),
        ("created:tomorrow", 9, "is no time"),
        ("created:7d", 9, "write created:>7d or created:<7d"),
        ('name:"abc', 6, "does not end"),
        ("name:'abc", 6, "does not end"),
        ("(tag:a", 1, "is not closed"),
        ("tag:a)", 6, "closes none"),
        ("()", 2, "a term is missing"),
        ("tag:", 5, "a value is missing"),
        ("tag:a,", 7, "a value is missing"),
        ("tag: tag:b", 5, "a value is missing"),
        ("OR tag:a", 1, "a term is missing"),
        ("tag:a OR", 9, "a term is missing"),
        ("tag:a AND AND tag:b", 11, "a term is missing"),
        ("NOT", 4, "a term is missing"),
        ('""', 1, "in every name"),
        ("kind:fiel", 6, "kind is one of file"),
        ("tag:>a", 1, "tag is a text"),
        ("size:1,>2", 8, "is no size"),
        ("size>1,2", 8, "not with '>'"),
        ("size:..", 6, "a beginning or an end"),
        ("version:-1", 9, "no whole number"),
        ("version:" + "9" * 30, 9, "more than anything here can be"),
        ("oid:xyz", 5, "no oid"),
        ("meta:x", 1, "meta needs a key"),
        ("has:(a)", 1, "no field 'has'"),
        ("versions:some", 10, "live or all"),
        ("-versions:all", 1, "outside of parentheses and NOT"),
        ("(versions:all)", 2, "outside of parentheses and NOT"),
        ("tag:a OR versions:all", 22, "no term that OR could join"),
        ("(" * 60 + "a" + ")" * 60, 51, "nested more than"),
        ("a " * 400, 601, "at most 300 terms"),
        ("tag:" + "a," * 400 + "a", 605, "at most 300 terms"),
        (" ".join(f"tag:{number:03}" for number in range(400)), 2401, "at most 300 terms"),
        ("a" * 9000, 8193, "8192 are the most"),
        ("tag:a name:\ud83d", 12, "half of a surrogate pair"),
        ("meta.'\udfff':1", 7, "half of a surrogate pair"),
    ],
)
def test_what_is_wrong_and_where(text, column, words):
    with pytest.raises(BadQuery) as caught:
        parse_query(text)
    assert words in str(caught.value)
    assert caught.value.column == column
    assert len(str(caught.value)) < 500


def test_what_is_wrong_about_sessions():
    for text, words in (
        ("type:log", "sessions have no field 'type'"),
        ("versions:all", "no field 'versions'"),
        ("has:x", "in parentheses"),
        ("status:done", "status is one of active"),
    ):
        with pytest.raises(BadQuery, match=words):
            parse_query(text, Subject.SESSIONS)


@given(st.text("abc:()\"'-.,*<>=! \\ORNT7", max_size=30))
def test_every_text_is_a_query_or_refused(text):
    for subject in Subject:
        try:
            parse_query(text, subject)
        except BadQuery as failure:
            assert 1 <= failure.column <= len(text) + 1
