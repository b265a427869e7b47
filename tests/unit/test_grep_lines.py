"""Lines that match, beside what ``re`` says of each line alone."""

from __future__ import annotations

import re
import threading
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessionfs.search import blocks, lines
from sessionfs.search.blocks import Content
from sessionfs.search.bound import bind_to_lines
from sessionfs.search.lines import Line, Wanted, count_lines, search_lines
from sessionfs.search.ordered import each_in_order
from sessionfs.search.pattern import BadPattern, Pattern, Stopwatch

ATOMS = [
    "a", "b", ".", "[^a]", "[ab]", r"\s", r"\w", r"\W", r"\b", "^", "$", "(?=a)", "(?!b)", "(?<=a)", "(?<!b)", r"\A",
    r"\Z", "é", " ", "(?i:A)", "(?>a|ab)", r"[\s,]", r"\S", r"\D", "(a|b)", "b?", "a*", "[^b]+?", "[ab]*+",
    "[^]a]", "[]a]", r"[\t-~]", r"[\w-]", r"[\12 ]", "a{1,2}", "b{,2}",
]  # fmt: skip
UNSURE = [
    r"a\Z", r"[\s,]", "[\n]", "(?s).", r"\x0a", "[", "[[:alpha:]]", "(?x) a", "\\", r"\B", "[\t-z]", r"[\t-~]",
    r"[\12]", "(?:a){e<=1}", "a{",
]  # fmt: skip
patterns = st.lists(st.sampled_from(ATOMS), min_size=1, max_size=4).map("".join)
texts = st.text(st.sampled_from("ab \né"), max_size=60)


def found(text, pattern, wanted=None, size=7, **how):
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    content = Content([data[at : at + size] for at in range(0, len(data), size)])
    return list(search_lines(content, Pattern(pattern, **how), wanted or Wanted(), Stopwatch(10)))


def split(text):
    return text.removesuffix("\n").split("\n") if text else []


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    """Blocks of a few characters, so that every test has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_LENGTH", 10)
        patch.setattr(blocks, "LINE_LENGTH", 70)
        patch.setattr(blocks, "OVERLAP", 8)
        patch.setattr(lines, "OVERLAP", 8)
        yield


@given(texts, patterns, st.booleans(), st.integers(0, 2), st.integers(0, 2), st.sampled_from([None, 0, 1, 2]))
@example("a\n\nb", "b?", False, 0, 0, None)
@example("a\n ", r"[ab]*+", False, 0, 0, None)
def test_every_line_is_judged_as_if_it_stood_alone(text, pattern, invert, before, after, limit):
    rule, numbered = re.compile(pattern), list(enumerate(split(text)))
    hits = [place for place, line in numbered if bool(rule.search(line)) != invert][:limit]
    near = {at for hit in hits for at in range(hit - before, hit + after + 1)}
    expected = [(place + 1, line, place in hits) for place, line in numbered if place in near]
    if limit is not None:  # behind the last one that counts, others are context
        expected = [(number, line, number - 1 in hits) for number, line, _ in expected]
    wanted = Wanted(invert=invert, before=before, after=after, max_count=limit)
    given_lines = found(text, pattern, wanted)
    assert [(line.number, line.text, line.is_match) for line in given_lines] == expected
    for line in given_lines:
        spans = [match.span() for match in rule.finditer(line.text)]
        assert [tuple(span) for span in line.spans] == (spans if line.is_match and not invert else [])
    content = Content([text.encode()])
    assert count_lines(content, Pattern(pattern), wanted, Stopwatch(10)) == len(hits)


@given(st.text(st.sampled_from("abcx"), min_size=60, max_size=300), st.sampled_from(["abc", "^a", "x$", "xxx", "cab$"]))
def test_a_line_that_comes_in_parts_is_searched_from_end_to_end(text, pattern):
    for tail in ("", "\n", "\nabc\n"):
        expected = [number for number, line in enumerate(split(text + tail), 1) if re.search(pattern, line)]
        assert [line.number for line in found(text + tail, pattern)] == expected


def test_of_a_line_that_comes_in_parts_what_is_around_the_match_is_shown():
    text = "y" * 1000 + "needle" + "z" * 1000
    (line,) = found(text, "needle", size=50)
    assert not line.is_whole and "needle" in line.text and len(line.text) < 600
    assert [line.text[start:end] for start, end in line.spans] == ["needle"]
    assert found(text + "\nb", "q|b")[0].number == 2
    assert [line.number for line in found(text + "\nb", "needle", Wanted(invert=True))] == [2]


def test_of_a_line_with_very_many_matches_the_first_are_told():
    (line,) = found("a" * 60, "a")
    assert len(line.spans) == 60
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sessionfs.search.pattern.MAX_SPANS", 7)
        (line,) = found("ab" * 30, "a")
    assert line.spans == tuple((at, at + 1) for at in range(0, 14, 2))


def test_few_long_results_wait_for_whoever_is_slow():
    given, has_given = [], threading.Event()

    def work(item):
        for number in range(100):
            given.append(number)
            if number >= 3:
                has_given.set()
            yield number

    results = each_in_order([0], work, workers=1, length=lambda number: 1 << 20)
    assert next(results) == 0
    assert has_given.wait(60)
    results.close()
    assert len(given) < 10


def test_encodings():
    assert found(b"\xff\xfe" + "grün\n東京".encode("utf-16-le"), "東")[0].text == "東京"
    assert found(b"\xfe\xff" + "grün".encode("utf-16-be"), "gr.n$")
    assert found(b"\xef\xbb\xbfgr\xc3\xbcn", "^gr.n$")[0].text == "grün"
    (line,) = found(b"M\xfcller\nx", "ller")
    assert line.text == "M\udcfcller"


def test_what_is_no_text_is_searched_up_to_its_first_nul():
    content = Content([b"one\ntw", b"o\0three\n"])
    assert list(search_lines(content, Pattern("o"), Wanted(spans=False), Stopwatch(1))) == [
        Line(1, "one"),
        Line(2, "two"),
    ]
    assert content.binary_at == 7
    marked = Content([b"\xef\xbb\xbfab\0", b"c"])
    assert list(search_lines(marked, Pattern("^ab"), Wanted(spans=False), Stopwatch(1))) == [Line(1, "ab")]
    assert marked.binary_at == 5
    everything = Content([b"one\ntw", b"o\0three\n"], take_binary=True)
    (line,) = search_lines(everything, Pattern("three"), Wanted(), Stopwatch(1))
    assert line.number == 2 and everything.binary_at is None


def test_ways_to_ask():
    text = "a.b\naxb\nA.B a.b\nxa.b\n"
    assert [line.number for line in found(text, "a.b", fixed=True)] == [1, 3, 4]
    assert [line.number for line in found(text, "a.b", fixed=True, words=True)] == [1, 3]
    assert [line.number for line in found(text, "A.B", ignore_case=True, whole_lines=True)] == [1, 2]
    assert found("x\ny", "x\ny", fixed=True) == []
    assert found("ÄRGER", "ärger", ignore_case=True)


@pytest.mark.parametrize(
    ("pattern", "column"), [("a(b", 4), ("a)", 2), ("[z", 3), ("*a", 1), ("a{2}{3", None), ("(?P<1>a)", 6)]
)
def test_what_is_wrong_with_a_pattern_is_said_with_its_column(pattern, column):
    if column is None:
        Pattern(pattern)  # the regex package takes it as text
        return
    with pytest.raises(BadPattern, match=f"goes wrong at column {column}") as raised:
        Pattern(pattern)
    assert raised.value.column == column


def test_a_pattern_that_explodes_is_stopped():
    started = time.process_time()
    with pytest.raises(TimeoutError):
        list(search_lines(Content([b"a" * 60 + b"c"]), Pattern(r"(a|a)+(?=b)\Z"), Wanted(), Stopwatch(0.05)))
    with pytest.raises(TimeoutError):
        list(search_lines(Content([b"x" * 60 + b"z\n"]), Pattern("(x|xx)+(x|xx)+y"), Wanted(), Stopwatch(0.05)))
    assert time.process_time() - started < 2
    with pytest.raises(BadPattern, match="are the most"):
        Pattern("a" * 100_000)


def test_what_may_differ_a_little_differs_within_its_line():
    assert found("fo\no\nfao", "(?:foo){e<=1}")[0].text == "fo"
    assert [line.number for line in found("fo\no\nfoa", "(?:fooo){e<=1}")] == []


def test_an_expression_is_bound_to_lines_when_that_is_sure():
    assert bind_to_lines(r"a\sb[^,]") == r"a[^\S\n]b[^\n,]"
    assert bind_to_lines(r"[]a]\W\]") == r"[\]a][^\w\n]\]"
    assert bind_to_lines(r"[^]a][^\t-~][\w-]a{2,}") == r"[^\n\]a][^\n\t-~][\w-]a{2,}"
    for unsure in UNSURE:
        assert bind_to_lines(unsure) is None


def test_a_limit_of_any_length_is_one_that_searching_understands():
    given = []
    Stopwatch(1e18).run(lambda text, start, *, timeout, concurrent: given.append(timeout), "a" * 10_000)
    assert given == [3600.0]


def test_a_short_text_that_takes_long_lets_others_run():
    given = []

    def search(text, start, *, timeout, concurrent):
        given.append((concurrent, timeout))
        if not concurrent:
            raise TimeoutError

    Stopwatch(10).run(search, "a")
    assert [concurrent for concurrent, _ in given] == [False, True]
    assert given[0][1] < 1 < given[1][1] <= 10
