"""Patterns for names, paths and other texts."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionfs.query.globs import Glob, Style

PATTERNS = st.text("ab*?[]!-.", max_size=8)
TEXTS = st.text("ab-]![.*", max_size=8)


@given(PATTERNS, TEXTS)
def test_a_pattern_matches_what_fnmatch_says(pattern, text):
    assert Glob(pattern).compiled()(text) == fnmatch.fnmatchcase(text, pattern)


@given(PATTERNS, TEXTS)
def test_every_match_begins_with_the_prefix_and_ends_with_the_ending(pattern, text):
    glob = Glob(pattern)
    if glob.compiled()(text):
        assert text.startswith(glob.prefix)
        assert glob.ending is None or text.rpartition(".")[2] == glob.ending
    if glob.ending is not None:
        assert glob.compiled()(text) == (text.endswith("." + glob.ending))


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("a/*.csv", ["a/x.csv", "a/.csv"], ["a/b/x.csv", "x.csv", "a/x.csv/y"]),
        ("**/x", ["x", "a/x", "a/b/x"], ["ax", "x/a"]),
        ("a/**", ["a/x", "a/b/x"], ["a", "ab/x"]),
        ("a/**/x", ["a/x", "a/b/x", "a/b/c/x"], ["a/b/xx", "x"]),
        ("**", ["a", "a/b"], []),
        ("**/b/**/c", ["b/c", "a/b/x/y/c"], ["b", "c/b"]),
        ("a**b/c", ["ab/c", "axxb/c"], ["a/b/c"]),
        ("?/b", ["a/b"], ["/b", "aa/b"]),
        ("[ab]/[!c]", ["a/d"], ["a/c", "c/d"]),
    ],
)
def test_paths(pattern, matching, others):
    matches = Glob(pattern, Style.PATH).compiled()
    assert [text for text in (*matching, *others) if matches(text)] == matching


def test_case_is_folded_as_unicode_has_it():
    assert Glob("STRASSE*", folded=True).compiled()("straße.txt")
    assert Glob("É*", folded=True).compiled()("école")
    assert not Glob("É*").compiled()("école")
    assert Glob("A/**", Style.PATH, folded=True).compiled()("a/B/c")


@pytest.mark.parametrize("style", Style)
def test_no_pattern_takes_long(style):
    started = time.monotonic()
    for pattern in ("*a" * 2000 + "b", "**/a/" * 400 + "b", "[a" * 1000, "*" * 4000 + "b"):
        assert not Glob(pattern, style).compiled()("/".join("a" * 2000))
    assert time.monotonic() - started < 30  # what goes back and forth takes years
